import Catalog
import Database
import Mirror
import TestSupport
import Testing
import ZohoBooks

extension Mirror {
    /// Applies records that were all said at one time.
    @discardableResult
    func apply(
        _ records: [SampleRecord], _ shape: RecordShape = .list, of entity: String = "products", at time: ManualTime,
        origin: Origin = .run(1)
    ) async throws -> ApplyResult {
        var batch = Batch(try #require(Catalog.entity(named: entity)), origin: origin)
        for record in records { batch.add(record.json, shape: shape, observedAt: time.now) }
        return try await apply(batch)
    }

    /// Every value of a query as text, row by row.
    func texts(_ sql: String) async throws -> [[String?]] {
        try await database.read { transaction in
            try transaction.query(sql).map { row in (0..<row.values.count).map { row.plain($0) } }
        }
    }

    /// The first value of the first row as text.
    func text(_ sql: String) async throws -> String? {
        try await texts(sql).first?.first ?? nil
    }

    /// What a reader of the mirror sees of an entity: its rows and children without numbers and times of our own.
    func contents(of entity: String) async throws -> [String] {
        let mapping = try #require(Catalog.entity(named: entity))
        let own: Set = ["id", "synced_at", "detail_synced_at", "observed_at", mapping.parentColumn]
        var lines: [String] = []
        for table in mapping.tableNames {
            let rows = try await database.read { transaction in
                let columns = try transaction.columnNames(of: table).filter { !own.contains($0) }.sorted()
                return try transaction.query("select \(columns.joined(separator: ", ")) from \(table)").map { row in
                    columns.enumerated().map { "\($1)=\(row.plain($0) ?? "-")" }.joined(separator: " ")
                }
            }
            lines += rows.map { "\(table): \($0)" }.sorted()
        }
        return lines
    }
}

extension EntityMapping {
    var parentColumn: String { String(entity.name.dropLast()) + "_id" }

    var tableNames: [String] { [entity.name] + children.map(\.child.table) }
}

extension SQLRow {
    /// A value as text, the same for both engines.
    func plain(_ index: Int) -> String? {
        switch self[index] {
        case .null: nil
        case .integer(let number): String(number)
        case .text(let text), .decimal(let text), .date(let text): text
        case .boolean(let flag): flag ? "1" : "0"
        case .instant(let instant): Timestamp.text(instant)
        case .json(let bytes): String(decoding: bytes, as: UTF8.self)
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .texts, .integers: nil
        }
    }
}

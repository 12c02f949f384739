import Catalog
import Database
import Foundation
import Mirror
import Testing
import ZohoSimulator

/// What the mirror has to hold of one entity: every mapped column and every child row, read from the simulator's answers
/// by Foundation and not by the code under test.
struct SourceCopy {
    private let rig: Rig
    private let mapping: EntityMapping
    /// Rows by Zoho's id and column.
    private var parents: [String: [String: String]] = [:]
    /// Child rows by table, parent's id and own key, and column.
    private var children: [String: [String: [String: String]]] = [:]

    init(_ rig: Rig, _ mapping: EntityMapping) throws {
        self.rig = rig
        self.mapping = mapping
        let entity = mapping.entity
        let module = try #require(SimulatorModule(rawValue: entity.module.path))
        for child in entity.children { children[child.table] = [:] }
        for id in rig.control.ids(module) {
            let detail = try rig.record(module, id)
            if let discriminator = entity.discriminator, detail[discriminator.key] as? String != discriminator.value {
                continue
            }
            let bytes = try #require(rig.control.listRecord(module, id: id))
            let list = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
            parents[id] = row(detail, list)
            for child in mapping.children { add(child, of: detail, id) }
        }
    }

    /// Expects that the mirror's rows are exactly these.
    func expectRows() async throws {
        let (entity, columns) = (mapping.entity, mapping.columns)
        let found = try await rows(
            "select \(entity.keyColumn), \(columns.map(\.column).joined(separator: ", ")) from \(entity.name) "
                + "where deleted_at is null", columns)
        Self.expect(found, parents, entity.name)
        for child in mapping.children {
            let names = ([child.child.keyColumn] + child.columns.map(\.column)).map { "c.\($0)" }
            let found = try await rows(
                "select p.\(entity.keyColumn), \(names.joined(separator: ", ")) from \(child.child.table) c "
                    + "join \(entity.name) p on p.id = c.\(entity.name.dropLast())_id where p.deleted_at is null",
                [.text("key")] + child.columns)
            Self.expect(
                Dictionary(
                    found.map { ("\($0.key) \($0.row["key"] ?? "")", $0.row.filter { $0.key != "key" }) },
                    uniquingKeysWith: { $1 }
                ).map { ($0.key, $0.value) }, children[child.child.table] ?? [:], child.child.table)
        }
    }

    private static func expect(
        _ found: [(key: String, row: [String: String])], _ expected: [String: [String: String]], _ table: String
    ) {
        let actual = Dictionary(found.map { ($0.key, $0.row) }, uniquingKeysWith: { $1 })
        #expect(actual.count == found.count, "\(table): a row is there twice")
        let missing = Set(expected.keys).subtracting(actual.keys)
        let surplus = Set(actual.keys).subtracting(expected.keys)
        #expect(
            missing.isEmpty && surplus.isEmpty,
            "\(table): \(missing.count) missing, such as \(missing.first ?? "-"); \(surplus.first ?? "-") is too many")
        var examples: [String] = []
        for (key, row) in expected {
            guard let other = actual[key], other != row, examples.count < 3 else { continue }
            let fields = row.keys.filter { other[$0] != row[$0] }
            examples.append(
                "\(key): " + fields.map { "\($0) \(other[$0] ?? "") for \(row[$0] ?? "")" }.joined(separator: ", "))
        }
        #expect(examples.isEmpty, "\(table): \(examples.joined(separator: "; "))")
    }

    private func rows(_ sql: String, _ columns: [Field]) async throws -> [(key: String, row: [String: String])] {
        try await rig.mirror.database.read { transaction in
            try transaction.query(sql).map { row in
                var values: [String: String] = [:]
                for (index, column) in columns.enumerated() {
                    let place = index + 1
                    values[column.column] =
                        switch column.kind {
                        case .text, .date: row.text(place) ?? ""
                        case .integer: row.int(place).map { String($0) } ?? ""
                        case .decimal: Self.decimal(row.decimal(place) as Any?)
                        case .boolean: row.bool(place).map { $0 ? "true" : "false" } ?? ""
                        case .instant: row.instant(place).map { String($0 / 1_000_000) } ?? ""
                        case .json, .customFields:
                            Self.canonical(
                                row.json(place).flatMap { try? JSONSerialization.jsonObject(with: Data($0)) })
                        }
                }
                return (row.text(0) ?? "", values)
            }
        }
    }

    // MARK: - The source

    private func row(_ detail: [String: Any], _ list: [String: Any]) -> [String: String] {
        var row: [String: String] = [:]
        for column in mapping.columns {
            // What a detail record does not mention is blank; but some columns only lists say.
            let common = ["status", "zoho_created_at", "zoho_modified_at"].contains(column.column)
            let isSaid = column.keys.contains { detail[$0] != nil }
            let source = !isSaid && (column.presence == .list || common) ? list : detail
            row[column.column] = Self.text(column, [source])
        }
        let status = row["status"] ?? ""
        row["is_active"] = status.isEmpty ? "" : String(!mapping.entity.inactiveStatuses.contains(status))
        return row
    }

    private mutating func add(_ child: EntityMapping.ChildMapping, of record: [String: Any], _ id: String) {
        var rows: [String: [String: String]] = [:]
        var position = 0
        func add(_ chain: [[String: Any]], fixed: [String: String] = [:]) {
            var row: [String: String] = [:]
            for column in child.child.fields { row[column.column] = Self.text(column, chain) }
            let own = child.child.idKeys.compactMap { Self.plain(chain[0][$0]) }.first { !$0.isEmpty }
            guard own != nil || row.values.contains(where: { !$0.isEmpty }) else { return }
            let key = own ?? "\(id):\(position + 1)"
            guard rows["\(id) \(key)"] == nil else { return }
            position += 1
            for (column, value) in fixed { row[column] = value }
            if let order = child.child.orderColumn { row[order] = String(position) }
            rows["\(id) \(key)"] = row
        }
        for source in child.child.sources {
            switch source {
            case .object(let name, let fixed):
                if let object = record[name] as? [String: Any], !object.isEmpty { add([object], fixed: fixed) }
            case .array(let name, let fixed):
                for object in record[name] as? [[String: Any]] ?? [] { add([object], fixed: fixed) }
            case .nested(let name, let inner):
                for outer in record[name] as? [[String: Any]] ?? [] {
                    let brackets = outer[inner] as? [[String: Any]] ?? []
                    if brackets.isEmpty { add([outer]) }
                    for bracket in brackets { add([bracket, outer]) }
                }
            }
        }
        children[child.child.table]?.merge(rows) { $1 }
    }

    /// The column's value from the innermost object that says it.
    private static func text(_ column: Field, _ chain: [[String: Any]]) -> String {
        if column.kind == .customFields { return customFields(chain[0]) }
        for object in chain {
            for key in column.keys {
                let value = text(column.kind, object[key])
                if !value.isEmpty { return value }
            }
        }
        return ""
    }

    private static func text(_ kind: Field.Kind, _ value: Any?) -> String {
        switch kind {
        case .text, .date, .boolean: plain(value)
        case .integer, .decimal: decimal(value)
        case .instant: instant(plain(value))
        case .json, .customFields: canonical(value)
        }
    }

    private static func plain(_ value: Any?) -> String {
        switch value {
        case let text as String: text
        case let number as NSNumber:
            isBoolean(number) ? (number.boolValue ? "true" : "false") : number.digits
        default: ""
        }
    }

    private static func decimal(_ value: Any?) -> String {
        let text = (value as? String) ?? (value as? NSNumber)?.digits ?? ""
        return Decimal(string: text, locale: Locale(identifier: "en_US_POSIX")).map { "\($0)" } ?? text
    }

    /// Whole seconds since 1970 of `2026-01-12T09:14:05+0100`.
    private static func instant(_ text: String) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.dateFormat = "yyyy-MM-dd'T'HH:mm:ssZ"
        return formatter.date(from: text).map { String(Int64($0.timeIntervalSince1970)) } ?? text
    }

    private static func customFields(_ record: [String: Any]) -> String {
        var fields: [String: Any] = [:]
        for field in record["custom_fields"] as? [[String: Any]] ?? [] {
            if let name = field["api_name"] as? String { fields[name] = field["value"] }
        }
        return canonical(fields)
    }

    /// Objects and lists in one form: blank members and `*_formatted` twins left out, keys sorted, numbers as text.
    private static func canonical(_ value: Any?) -> String {
        switch value {
        case let object as [String: Any]:
            let members = object.filter { !$0.key.hasSuffix("_formatted") }
                .map { ($0.key == "zipcode" ? "zip" : $0.key, canonical($0.value)) }.filter { !$0.1.isEmpty }
            return members.isEmpty
                ? "" : "{" + members.sorted { $0.0 < $1.0 }.map { "\($0.0)=\($0.1)" }.joined(separator: ",") + "}"
        case let list as [Any]:
            let elements = list.map { canonical($0) }.filter { !$0.isEmpty }
            return elements.isEmpty ? "" : "[" + elements.joined(separator: ",") + "]"
        default:
            let text = plain(value)
            // A quantity may be a number in one place and text in another.
            return text.wholeMatch(of: /-?\d+\.\d+/) == nil ? text : decimal(text)
        }
    }
}

/// Whether a number of Foundation's came from `true` or `false`.
private func isBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }

import Catalog
import Database
import Foundation
import Testing
import ZohoBooks

/// An answer or delivery as Zoho sends it, with invented values: `Fixtures/<entity>.<variant>.json`.
///
/// Beside it, `<entity>.<variant>.rows` says what it becomes.
struct Fixture: CustomTestStringConvertible {
    let entity: String
    /// `list`, `detail`, `webhook`, or a further detail shape such as `unit.detail`.
    let variant: String

    static let all: [Fixture] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".json") }.sorted().map { file in
            let parts = file.dropLast(".json".count).split(separator: ".", maxSplits: 1)
            return Fixture(entity: String(parts[0]), variant: String(parts[1]))
        }
    }()
    private static let folder = Bundle.module.bundleURL.appending(path: "Fixtures")

    var shape: RecordShape { variant == "list" ? .list : .detail }
    var testDescription: String { "\(entity).\(variant)" }

    /// The records of the entity that the answer holds, each cut out of its envelope.
    func records() throws -> [Mapped] {
        let mapping = try #require(Catalog.entity(named: entity), "no entity has the name of \(self).json")
        let body = RawJSON(ArraySlice(try contents("json")))
        let module = mapping.entity.module
        var cut: [RawJSON] = []
        try body.read { view in
            if shape == .list {
                let list = try #require(try view.member(module.listKey))
                try list.elements { cut.append($0.raw(in: body)) }
            } else {
                cut.append(try #require(try view.member(module.detailKey)).raw(in: body))
            }
        }
        return try cut.filter { try mapping.owns($0) }.map { try Mapped($0, as: entity, shape: shape) }
    }

    /// The first record of the entity in the answer.
    func record() throws -> Mapped {
        try #require(try records().first)
    }

    func contents(_ ending: String) throws -> Data {
        try Data(contentsOf: Self.folder.appending(path: "\(entity).\(variant).\(ending)"))
    }
}

extension Mapped: CustomStringConvertible {
    /// Every column with its exact value, then every child row with its key and the values that are not blank.
    var description: String {
        var lines = ["\(mapping.entity.keyColumn) \(record.id)"]
        var blank: [String] = []
        var unsaid: [String] = []
        for (column, cell) in zip(mapping.columns, record.cells) {
            switch cell {
            case nil: unsaid.append(column.column)
            case .null?: blank.append(column.column)
            case let cell?: lines.append("\(column.column) = \(cell.spelling)")
            }
        }
        lines.append("null: \(blank.joined(separator: ", "))")
        if !unsaid.isEmpty { lines.append("unsaid: \(unsaid.joined(separator: ", "))") }
        for (child, rows) in zip(mapping.children, record.children) {
            lines.append("\(child.child.table): \(rows.map { "\($0.count)" } ?? "unsaid")")
            for row in rows ?? [] {
                let cells = zip(child.columns, row.cells).filter { $1 != .null }
                lines.append("  \(row.key): \(cells.map { "\($0.column) = \($1.spelling)" }.joined(separator: "; "))")
            }
        }
        return lines.map { $0.hasSuffix(": ") ? String($0.dropLast()) : $0 }.joined(separator: "\n") + "\n"
    }
}

extension FieldValue {
    /// The value in a spelling that shows its type.
    var spelling: String {
        switch self {
        case .null: "null"
        case .integer(let value): "#\(value)"
        case .text(let text): "\"\(text)\"".replacing("\n", with: "\\n")
        case .decimal(let digits): digits
        case .boolean(let value): "\(value)"
        case .instant(let instant): Timestamp.text(instant)
        case .date(let date): date
        case .json(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }
}

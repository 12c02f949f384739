import Catalog
import Database
import ZohoBooks

/// The differences of one row as JSON: each changed column, and each changed child table, before and after.
struct RowDifference {
    private var entries: [(name: String, before: String, after: String)] = []

    var isEmpty: Bool { entries.isEmpty }

    /// The differences as a JSON object by column.
    ///
    /// `{"unit_price":{"before":42.5,"after":45}}`
    var json: [UInt8] {
        let members = entries.map { "\(CanonicalJSON.quoted($0.name)):{\"before\":\($0.before),\"after\":\($0.after)}" }
        return Array("{\(members.joined(separator: ","))}".utf8)
    }

    mutating func add(_ column: String, before: FieldValue, after: FieldValue) {
        entries.append((column, text(before), text(after)))
    }

    mutating func add(_ table: String, before: [[String: FieldValue]], after: [[String: FieldValue]]) {
        entries.append((table, text(before), text(after)))
    }

    mutating func addRestored(deletedAt: Int64?) {
        entries.append(("deleted_at", text(deletedAt.map { .instant($0) } ?? .null), "null"))
    }

    mutating func addDeleted(at time: Int64) {
        entries.append(("deleted_at", "null", text(.instant(time))))
    }

    private func text(_ rows: [[String: FieldValue]]) -> String {
        let objects = rows.map { row in
            let members = row.sorted { $0.key < $1.key }.map { "\(CanonicalJSON.quoted($0.key)):\(text($0.value))" }
            return "{\(members.joined(separator: ","))}"
        }
        return "[\(objects.joined(separator: ","))]"
    }

    private func text(_ value: FieldValue) -> String {
        switch value {
        case .null: "null"
        case .integer(let number): String(number)
        case .decimal(let digits): digits
        case .boolean(let flag): flag ? "true" : "false"
        case .text(let text), .date(let text): CanonicalJSON.quoted(text)
        case .instant(let instant): CanonicalJSON.quoted(Timestamp.text(instant))
        case .json(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }
}

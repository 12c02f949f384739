import Catalog
import Database

/// A table as it has to be: its name and columns in order.
struct TableDefinition: Sendable {
    struct Column: Sendable {
        let name: String
        let type: ColumnType
        /// Constraints that follow the type.
        var constraint = ""
    }

    let name: String
    let columns: [Column]
    let indexes: [(name: String, definition: String)]

    func createStatement(_ dialect: Dialect) -> String {
        let definitions = columns.map { column in
            column.name == "id"
                ? "id \(dialect.identity)"
                : "\(column.name) \(dialect.type(column.type))\(column.constraint.isEmpty ? "" : " " + column.constraint)"
        }
        return "create table \(name) (\n    \(definitions.joined(separator: ",\n    "))\n)"
    }
}

extension Field.Kind {
    /// The column type that holds values of this kind.
    var columnType: ColumnType {
        switch self {
        case .text: .text
        case .integer: .integer
        case .decimal: .decimal
        case .boolean: .boolean
        case .instant: .instant
        case .date: .date
        case .json, .customFields: .json
        }
    }
}

extension Entity {
    /// The column of the child tables that holds the parent's `id`: `customer_id`.
    var parentColumn: String { String(name.dropLast()) + "_id" }
}

extension EntityMapping {
    /// The columns of the parent table that the write path keeps, after the mapped ones.
    static let bookkeeping: [TableDefinition.Column] = [
        .init(name: "zoho_data", type: .json),
        .init(name: "detail_synced_at", type: .instant),
        .init(name: "detail_due", type: .boolean, constraint: "not null default true"),
        .init(name: "observed_at", type: .instant, constraint: "not null"),
        .init(name: "synced_at", type: .instant, constraint: "not null"),
        .init(name: "deleted_at", type: .instant),
        .init(name: "content_hash", type: .text, constraint: "not null"),
    ]

    /// The parent table and the child tables.
    var tables: [TableDefinition] {
        let name = entity.name
        let parent = TableDefinition(
            name: name,
            columns: [
                .init(name: "id", type: .integer),
                .init(name: entity.keyColumn, type: .text, constraint: "not null unique"),
            ] + columns.map { .init(name: $0.column, type: $0.kind.columnType) } + Self.bookkeeping,
            indexes: [("\(name)_detail_due", "on \(name) (zoho_modified_at) where detail_due and deleted_at is null")])
        return [parent]
            + children.map { mapping in
                let child = mapping.child
                return TableDefinition(
                    name: child.table,
                    columns: [
                        .init(name: "id", type: .integer),
                        .init(
                            name: entity.parentColumn, type: .integer,
                            constraint: "not null references \(name) (id) on delete cascade"),
                        .init(name: child.keyColumn, type: .text, constraint: "not null unique"),
                    ] + mapping.columns.map { .init(name: $0.column, type: $0.kind.columnType) },
                    indexes: [("\(child.table)_parent", "on \(child.table) (\(entity.parentColumn))")])
            }
    }
}

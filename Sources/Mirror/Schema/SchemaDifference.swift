import Catalog
import Database

/// Where the schema of a mirror differs from the one that this program works with.
package struct SchemaDifference: Sendable, Hashable {
    /// Tables that are missing.
    package var tables: [String] = []
    /// Columns that are missing in the others, as `products.brand`.
    package var columns: [String] = []
    /// Migrations of this program that were not applied yet.
    package var outstanding: [String] = []
    /// Applied migrations that this program does not know.
    package var unknown: [String] = []

    /// How many things differ; 0 where the schemas agree.
    package var count: Int { tables.count + columns.count + outstanding.count + unknown.count }
}

extension Mirror {
    /// The table of applied migrations, which only a process that migrates has to write.
    package static let migrationTable = "sync_migrations"

    /// Compares the schema with the one that this program works with; without the right to read the migrations, they
    /// are left out.
    package func schemaDifference() async throws -> SchemaDifference {
        var difference = try await database.read { transaction in
            var difference = SchemaDifference()
            for table in StateSchema.tables where try transaction.columnNames(of: table).isEmpty {
                difference.tables.append(table)
            }
            for table in Catalog.entities.flatMap(\.tables) {
                let present = Set(try transaction.columnNames(of: table.name))
                if present.isEmpty {
                    difference.tables.append(table.name)
                } else {
                    difference.columns += table.columns.map(\.name).filter { !present.contains($0) }
                        .map { "\(table.name).\($0)" }
                }
            }
            return difference
        }
        do {
            let made = try await database.read { transaction in
                Set(try transaction.query("select name from \(Self.migrationTable)").compactMap { $0.text(0) })
            }
            let known = StateSchema.migrations.map(\.name)
            difference.outstanding = known.filter { !made.contains($0) }
            difference.unknown = made.subtracting(known).sorted()
        } catch let error as DatabaseError where error.kind == .denied {}
        return difference
    }
}

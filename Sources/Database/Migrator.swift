/// Brings a schema up to date, one named step after the other, each in its own transaction.
package struct Migrator: Sendable {
    private let migrations: [Migration]

    package init(_ migrations: [Migration]) {
        self.migrations = migrations
    }

    /// Applies what has not been applied yet.
    ///
    /// Two processes that start at once wait for one another.
    ///
    /// - Throws: ``DatabaseError``; of the kind `unusable` where a newer program has changed the schema.
    package func migrate(_ database: any SQLDatabase) async throws {
        try await database.write { transaction in
            try transaction.lockSchema()
            // PostgreSQL asks for the right to create before it looks whether there is anything to be created.
            if try transaction.columnNames(of: "sync_migrations").isEmpty {
                try transaction.script(
                    """
                    create table sync_migrations (
                        name text primary key,
                        applied_at \(transaction.dialect.type(.instant)) not null default current_timestamp
                    )
                    """)
            }
            let known = Set(migrations.map(\.name))
            let newer = try applied(transaction).subtracting(known)
            guard newer.isEmpty else {
                throw DatabaseError(
                    kind: .unusable, code: "schema",
                    message: "The database was changed by a newer zohosync (\(newer.sorted().joined(separator: ", ")))",
                    advice: "Upgrade this zohosync.")
            }
        }
        for migration in migrations {
            try await database.write { transaction in
                try transaction.lockSchema()
                guard try !applied(transaction).contains(migration.name) else { return }
                try migration.apply(transaction)
                try transaction.execute("insert into sync_migrations (name) values ($1)", [.text(migration.name)])
            }
        }
    }

    /// The names of what has not been applied yet.
    package func pending(_ database: any SQLDatabase) async throws -> [String] {
        let done = try await database.read { try applied($0) }
        return migrations.map(\.name).filter { !done.contains($0) }
    }

    private func applied(_ transaction: any SQLTransaction) throws -> Set<String> {
        Set(try transaction.query("select name from sync_migrations").compactMap { $0.text(0) })
    }
}

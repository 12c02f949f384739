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
            try transaction.script(
                """
                create table if not exists sync_migrations (
                    name text primary key,
                    applied_at \(transaction.dialect.type(.instant)) not null default current_timestamp
                )
                """)
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

    private func applied(_ transaction: any SQLTransaction) throws -> Set<String> {
        Set(try transaction.query("select name from sync_migrations").compactMap { $0.text(0) })
    }
}

extension SQLTransaction {
    /// Keeps other processes from changing the schema until the transaction ends.
    package func lockSchema() throws {
        // Any number does, so long as every version of this program uses the same.
        if dialect == .postgres { _ = try query("select pg_advisory_xact_lock(7264991)") }
    }

    /// Lets one transaction at a time number its changes, until it ends, so that a reader who has seen a number never
    /// misses a smaller one.
    package func lockChanges() throws {
        if dialect == .postgres {
            _ = try query("select pg_advisory_xact_lock(7264992, hashtext(current_schema()))")
        }
    }

    /// The statements that a table's owner has to run so that this role may read and write the tables; none where it
    /// may.
    package func missingPrivileges(tables: [String]) throws -> [String] {
        guard dialect == .postgres else { return [] }
        return try query(
            """
            select format('grant %s on %s to %I', string_agg(privilege, ', ' order by privilege), relation, current_user)
            from (
                select to_regclass(name) as relation, privilege
                from unnest($1::text[]) as name, unnest('{select,insert,update,delete}'::text[]) as privilege
            ) as wanted
            where relation is not null and not has_table_privilege(relation, privilege)
            group by relation
            union all
            select format('grant usage on sequence %s to %I', sequence, current_user)
            from (
                select case when exists (
                    select from pg_attribute where attrelid = to_regclass(name) and attname = 'id'
                ) then pg_get_serial_sequence(to_regclass(name)::text, 'id') end as sequence
                from unnest($1::text[]) as name
            ) as sequences
            where sequence is not null and not has_sequence_privilege(sequence, 'usage')
            """, [.texts(tables)]
        ).compactMap { $0.text(0) }
    }
}

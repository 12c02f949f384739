import Catalog
import Database
import ZohoBooks

extension Mirror {
    /// Every table of the mirror and of our own state.
    package static var tableNames: [String] {
        Catalog.entities.flatMap { $0.tables.map(\.name) } + StateSchema.tables
    }

    /// Brings the schema up to date, checks the role's rights and that the mirror belongs to this organisation.
    ///
    /// Mirror tables follow the catalogue: a table or column that it names and the database lacks is added, so that a
    /// further entity or field needs no migration of its own. A column of a parent table is filled from the records as
    /// Zoho sent them, without a call. Processes that start at once wait for one another.
    ///
    /// - Throws: ``DatabaseError`` where the schema cannot be made, the role lacks rights or row-level security hides
    ///   what it needs, ``MirrorError/otherOrganisation(stored:configured:)``.
    package func prepare(organizationID: String) async throws {
        // Before anything is made: steps of the schema that are hidden would seem to be outstanding.
        try await checkPolicies()
        try await Migrator(StateSchema.migrations).migrate(database)
        try await database.write { transaction in
            try transaction.lockSchema()
            for mapping in Catalog.entities {
                let tables = mapping.tables
                let added = try tables.map { try ensure($0, transaction) }
                if let columns = added.first, !columns.isEmpty { try fill(columns, of: mapping, transaction) }
            }
        }
        try await database.write { transaction in
            let statements = try transaction.missingPrivileges(tables: Self.tableNames)
            if !statements.isEmpty {
                throw DatabaseError(
                    kind: .denied, code: "42501", message: "The database role lacks rights on the mirror's tables",
                    advice: "Run as the tables' owner: \(statements.joined(separator: "; "))")
            }
            try claim(organizationID, transaction)
        }
        try await checkNumbering()
    }

    /// Checks that the mirror is as ``prepare(organizationID:)`` would leave it, and changes nothing.
    ///
    /// - Throws: ``DatabaseError`` where row-level security hides what is needed, ``MirrorError/outdated(_:)``,
    ///   ``MirrorError/otherOrganisation(stored:configured:)``.
    package func check(organizationID: String) async throws {
        try await checkPolicies()
        guard let stored = try await self.organizationID() else { throw MirrorError.missing }
        guard stored == organizationID else {
            throw MirrorError.otherOrganisation(stored: stored, configured: organizationID)
        }
        let pending = try await Migrator(StateSchema.migrations).pending(database)
        if !pending.isEmpty { throw MirrorError.outdated("\(pending.joined(separator: ", ")) is still to be applied") }
        try await database.read { transaction in
            for table in Catalog.entities.flatMap(\.tables) {
                let present = Set(try transaction.columnNames(of: table.name))
                let lacking = table.columns.map(\.name).filter { !present.contains($0) }
                if present.isEmpty { throw MirrorError.outdated("\(table.name) is missing") }
                if !lacking.isEmpty {
                    throw MirrorError.outdated("\(table.name) lacks \(lacking.joined(separator: ", "))")
                }
            }
        }
    }

    /// Whether ``prepare(organizationID:)`` was ever run on this database.
    package func isPrepared() async throws -> Bool {
        try await database.read { try !$0.columnNames(of: "sync_organization").isEmpty }
    }

    /// The organisation that the mirror holds; nil where it was never prepared.
    package func organizationID() async throws -> String? {
        guard try await isPrepared() else { return nil }
        return try await database.read { try $0.query("select organization_id from sync_organization").first?.text(0) }
    }

    /// Whether it holds no record, so that it may become another organisation's.
    package func isEmpty() async throws -> Bool { try await database.read { try isEmpty($0) } }

    /// Makes a table, or adds the columns that it lacks.
    ///
    /// - Returns: the columns that were added to what was there.
    private func ensure(_ table: TableDefinition, _ transaction: any SQLTransaction) throws -> Set<String> {
        let present = Set(try transaction.columnNames(of: table.name))
        guard !present.isEmpty else {
            try transaction.script(table.createStatement(transaction.dialect))
            try transaction.preferFastCompression(of: "zoho_data", in: table.name)
            for index in table.indexes {
                try transaction.script("create index if not exists \(index.name) \(index.definition)")
            }
            return []
        }
        let lacking = table.columns.filter { !present.contains($0.name) }
        for column in lacking {
            try transaction.script(
                "alter table \(table.name) add column \(column.name) \(transaction.dialect.type(column.type))")
        }
        return Set(lacking.map(\.name))
    }

    /// Rows that are filled at a time.
    private static let filled = 500

    /// Fills columns from the records as Zoho sent them; what those lack comes with later ones.
    private func fill(_ names: Set<String>, of mapping: EntityMapping, _ transaction: any SQLTransaction) throws {
        let positions = mapping.columns.indices.filter { names.contains(mapping.columns[$0].column) }
        guard !positions.isEmpty else { return }
        var after: Int64 = 0
        while true {
            let rows = try transaction.query(
                """
                select id, zoho_data, detail_synced_at from \(mapping.entity.name)
                where id > $1 order by id limit \(Self.filled)
                """, [.integer(after)])
            guard let last = rows.last?.int(0) else { return }
            after = last
            let updates = rows.compactMap { row -> (id: Int64, values: [SQLValue])? in
                guard let id = row.int(0), let raw = row.json(1) else { return nil }
                let shape: RecordShape = row.instant(2) == nil ? .list : .detail
                guard let record = try? mapping.rows(of: RawJSON(raw), shape: shape, observedAt: 0) else { return nil }
                return (id, positions.map { record.cells[$0].map { SQLValue($0) } ?? .null })
            }
            try transaction.update(
                updates, in: mapping.entity.name, columns: positions.map { mapping.columns[$0].column })
        }
    }

    private func claim(_ organizationID: String, _ transaction: any SQLTransaction) throws {
        try transaction.execute(
            """
            insert into sync_organization (singleton, organization_id) values (1, $1)
            on conflict (singleton) do nothing
            """, [.text(organizationID)])
        let stored = try transaction.query("select organization_id from sync_organization").first?.text(0)
        guard let stored, stored != organizationID else { return }
        // A mistyped id that never brought a record must not cost a new database.
        guard try isEmpty(transaction) else {
            throw MirrorError.otherOrganisation(stored: stored, configured: organizationID)
        }
        try transaction.execute("update sync_organization set organization_id = $1", [.text(organizationID)])
        try forgetOrganization(stored, transaction)
    }

    /// Removes what belonged to another organisation and would be taken for this one's; the history stays.
    private func forgetOrganization(_ organizationID: String, _ transaction: any SQLTransaction) throws {
        for table in [
            "sync_cursors", "sync_inbox", "sync_tokens", "sync_budget", "sync_arrivals", "sync_reconciliations",
            "sync_health", "sync_schedule", "sync_uptime", "sync_gone",
        ] {
            try transaction.execute("delete from \(table)")
        }
        try transaction.closeDeadLetters(
            try transaction.openDeadLetters(), .discarded, reason: "it belongs to organisation \(organizationID)",
            time: now())
    }

    private func isEmpty(_ transaction: any SQLTransaction) throws -> Bool {
        try Catalog.entities.allSatisfy { mapping in
            try transaction.query("select 1 from \(mapping.entity.name) limit 1").isEmpty
        }
    }
}

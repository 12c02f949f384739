package import Catalog
import Database

/// What is known of how Zoho gives an entity's complete records.
package struct DetailAccess: Sendable, Hashable {
    /// How many records it accepts in one call, where it has lately refused more; nil where it has not.
    package let groupSize: Int?
    /// When it last said that it gives none at all, in microseconds since 1970; nil where it gives them.
    package let refusedAt: Int64?

    /// Whether it is too early to ask again whether there are any.
    ///
    /// - Parameter now: microseconds since 1970.
    package func isRefused(at now: Int64) -> Bool { refusedAt.map { now < $0 + Mirror.detailAccessLifetime } ?? false }
}

extension Mirror {
    /// How long Zoho's answer about details counts before it is asked again, in microseconds.
    static let detailAccessLifetime = Timestamp.day

    // MARK: - How details are read

    /// What is known of how Zoho gives an entity's complete records.
    package func detailAccess(of entity: String) async throws -> DetailAccess {
        let forgotten = now() - Self.detailAccessLifetime
        return try await database.read { transaction in
            let row = try transaction.query(
                "select detail_group, details_refused_at, detail_group_at from sync_cursors where entity = $1",
                [.text(entity)]
            ).first
            // The number of ids need not have been the cause, so the lower size does not last; a new search costs a few
            // calls.
            let isRecent = row?.instant(2).map { $0 > forgotten } ?? false
            return DetailAccess(groupSize: isRecent ? row?.int(0).map { Int($0) } : nil, refusedAt: row?.instant(1))
        }
    }

    /// Records how many records Zoho accepts in one call.
    package func noteDetailGroup(of size: Int, for entity: String) async throws {
        try await note([("detail_group", .integer(Int64(size))), ("detail_group_at", .instant(now()))], of: entity)
    }

    /// Records that Zoho gives none of an entity's complete records.
    ///
    /// - Parameter time: when it said so, in microseconds since 1970; nil where it gives them again.
    package func noteDetailsRefused(of entity: String, at time: Int64?) async throws {
        try await note([("details_refused_at", time.map { .instant($0) } ?? .null)], of: entity)
    }

    /// Writes single columns, so that a cursor that is saved meanwhile does not take them back.
    private func note(_ values: [(column: String, value: SQLValue)], of entity: String) async throws {
        let columns = values.map(\.column)
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                insert into sync_cursors (entity, \(columns.joined(separator: ", ")))
                values ($1, \(values.indices.map { "$\($0 + 2)" }.joined(separator: ", ")))
                on conflict (entity) do update
                set \(columns.map { "\($0) = excluded.\($0)" }.joined(separator: ", "))
                """, [.text(entity)] + values.map(\.value))
        }
    }

    // MARK: - What is due

    /// Whether a complete record of the module was ever applied, whichever of its entities it belongs to.
    package func hasDetails(of module: Module) async throws -> Bool {
        try await database.read { transaction in
            try Catalog.entities(of: module).map(\.entity.name).contains { table in
                try !transaction.query("select 1 from \(table) where detail_synced_at is not null limit 1").isEmpty
            }
        }
    }

    /// Details that the entity's rows still lack, as far as the last lists show and Zoho is to be asked for them.
    ///
    /// - Parameter before: rows whose detail is older than this count too, in microseconds since 1970.
    package func outstandingDetails(
        of mapping: EntityMapping, before: Int64? = nil, where filter: DueFilter = DueFilter()
    ) async throws -> Int {
        let (condition, values) = due(mapping, before, filter, from: 1)
        return try await database.read { transaction in
            try transaction.query("select count(*) from \(mapping.entity.name) where \(condition)", values)
                .first?.int(0).map { Int($0) } ?? 0
        }
    }

    /// The ids of rows that need a detail record, newest first.
    ///
    /// - Parameter excluding: ids that were asked for already and are not to be given again.
    package func dueDetails(
        of mapping: EntityMapping, before: Int64?, where filter: DueFilter = DueFilter(), limit: Int,
        excluding: Set<String>
    ) async throws -> [String] {
        let (sql, values) = dueStatement(of: mapping, before: before, where: filter, limit: limit + excluding.count)
        return try await database.read { transaction in
            let ids = try transaction.query(sql, values).compactMap { $0.text(0) }.filter { !excluding.contains($0) }
            return Array(ids.prefix(limit))
        }
    }

    func dueStatement(
        of mapping: EntityMapping, before: Int64?, where filter: DueFilter, limit: Int
    ) -> (sql: String, values: [SQLValue]) {
        let (condition, values) = due(mapping, before, filter, from: 2)
        return (
            """
            select \(mapping.entity.keyColumn) from \(mapping.entity.name) where \(condition)
            order by zoho_modified_at desc, id desc limit $1
            """, [.integer(Int64(limit))] + values
        )
    }

    /// What a row has to meet to be due.
    private func due(
        _ mapping: EntityMapping, _ before: Int64?, _ filter: DueFilter, from first: Int
    ) -> (sql: String, values: [SQLValue]) {
        let (table, key) = (mapping.entity.name, mapping.entity.keyColumn)
        var values: [SQLValue] = [.instant(max(now() - Self.detailAccessLifetime, 0)), .instant(now())]
        // As the index says it, or a large table would be read as a whole for each of its details.
        var isDue = "detail_due"
        if let before {
            values.append(.instant(max(before, 0)))
            isDue = "(detail_due or detail_synced_at < $\(first + 2))"
        }
        let (condition, filtered) = filter.condition(mapping, from: first + values.count)
        return (
            """
            \(isDue) and deleted_at is null
                and not exists (select 1 from sync_gone g where g.entity = '\(table)' and g.zoho_id = \(table).\(key)
                    and g.said_at > $\(first) and g.said_at <= $\(first + 1) and g.said_at >= \(table).observed_at)
                and not exists (select 1 from sync_dead_letters d where d.state = 'open' and d.entity = '\(table)'
                    and d.identity = \(table).\(key) and d.shape = 'detail' and d.delivery_id is null
                    and d.observed_at > $\(first) and d.observed_at <= $\(first + 1)
                    and d.observed_at >= \(table).observed_at)\(condition)
            """, values + filtered
        )
    }

    // MARK: - What is gone and not yet decided about

    /// The rows that Zoho said to be gone, that no list has shown since, and that a person has yet to decide about.
    ///
    /// - Returns: by id, when it said so, in microseconds since 1970.
    package func undecidedGone(of mapping: EntityMapping) async throws -> [String: Int64] {
        let (entity, since) = (mapping.entity, max(now() - Self.detailAccessLifetime, 0))
        return try await database.read { transaction in
            var gone: [String: Int64] = [:]
            for row in try transaction.query(
                """
                select g.zoho_id, g.said_at from sync_gone g join \(entity.name) e on e.\(entity.keyColumn) = g.zoho_id
                where g.entity = '\(entity.name)' and g.said_at > $1 and g.said_at >= e.observed_at
                    and g.listed = $2 and e.deleted_at is null
                """, [.instant(since), .boolean(false)])
            {
                if let id = row.text(0) { gone[id] = row.instant(1) }
            }
            return gone
        }
    }

    /// Records that Zoho says that records are gone, so that it is not asked again at once.
    ///
    /// - Parameter time: when it said so, in microseconds since 1970.
    package func noteGone(_ ids: Set<String>, of mapping: EntityMapping, at time: Int64) async throws {
        let (entity, forgotten) = (mapping.entity.name, max(now() - Self.detailAccessLifetime, 0))
        try await database.write { transaction in
            try transaction.execute(
                """
                delete from sync_gone
                where said_at <= $1 or (entity = $2 and \(transaction.dialect.contains("zoho_id", "$3")))
                """, [.instant(forgotten), .text(entity), .texts(ids.sorted())])
            try transaction.insert(
                ids.sorted().map { [.text(entity), .text($0), .instant(time)] }, into: "sync_gone",
                columns: ["entity", "zoho_id", "said_at"])
        }
    }

    /// Records that a list shows records that Zoho said are gone: no person is asked about them, and Zoho not before
    /// the day is over.
    package func noteListed(_ ids: Set<String>, of mapping: EntityMapping) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                update sync_gone set listed = $3 where entity = $1 and \(transaction.dialect.contains("zoho_id", "$2"))
                """, [.text(mapping.entity.name), .texts(ids.sorted()), .boolean(true)])
        }
    }
}

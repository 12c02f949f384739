package import Catalog
import Database

extension Mirror {
    /// Records whose changes are taken back in one transaction.
    private static let undoSize = 200

    /// Takes back what a run changed, from the change log.
    ///
    /// A record that somebody else has changed since is left alone. The entity's cursor is forgotten, so that the next
    /// sync looks at everything, and details of the rows that stay are outstanding again. The log keeps columns and not
    /// what Zoho sent, so that `zoho_data` of a row that had been rewritten is null until Zoho has said it again.
    ///
    /// The caller holds the entity's lease.
    ///
    /// - Parameters:
    ///   - origin: who takes it back: a run of its own.
    ///   - isRehearsal: whether nothing is to be left behind.
    ///   - assumed: for a rehearsal, runs that would have been taken back before.
    /// - Throws: ``DatabaseError``; what was taken back by then stays so, and a repetition continues.
    package func undo(
        _ run: Run, of mapping: EntityMapping, origin: Origin, isRehearsal: Bool, assuming assumed: Set<Int64> = []
    ) async throws -> UndoReport {
        struct Rehearsed: Error { let report: UndoReport }
        // First of all: were it last and the process killed before, rows that are gone would stay away until the next
        // full list.
        if !isRehearsal { try await forgetCursor(of: run.entity) }
        var report = UndoReport()
        var after = ""
        while true {
            let (last, time) = (after, now())
            let ids = try await database.read { transaction in
                try transaction.query(
                    """
                    select distinct zoho_id from sync_changes where run_id = $1 and zoho_id > $2
                    order by zoho_id limit \(Self.undoSize)
                    """, [.integer(run.id), .text(last)]
                ).compactMap { $0.text(0) }
            }
            guard let end = ids.last else { break }
            after = end
            do {
                report.add(
                    try await database.write { transaction in
                        let application = Application(Batch(mapping, origin: origin), transaction, time: time)
                        let part = try application.takeBack(ids, of: run.id, assuming: assumed)
                        if isRehearsal { throw Rehearsed(report: part) }
                        try application.writeLog()
                        return part
                    })
            } catch let rehearsed as Rehearsed {
                report.add(rehearsed.report)
            }
        }
        report.lettersClosed = try await closeLetters(
            where: "run_id = $1", .integer(run.id), "run \(run.id) was undone", isRehearsal: isRehearsal)
        return report
    }

    /// Takes back everything of an entity, whatever brought it, so that its tables are empty.
    ///
    /// Deliveries that wait are dropped, and the cursor is forgotten, so that the next sync brings everything that Zoho
    /// has. It needs no prior values, so it does not matter how far back the log goes.
    ///
    /// The caller holds the entity's lease.
    ///
    /// - Parameters:
    ///   - origin: who takes it back: a run of its own.
    ///   - isRehearsal: whether only to count.
    /// - Throws: ``DatabaseError``; what was taken back by then stays so, and a repetition continues.
    package func undoAll(of mapping: EntityMapping, origin: Origin, isRehearsal: Bool) async throws -> UndoReport {
        let entity = mapping.entity
        var report = UndoReport()
        if isRehearsal {
            (report.removed, report.deliveriesDropped) = try await database.read { transaction in
                let rows = try transaction.query("select count(*) from \(entity.name)").first?.int(0)
                let waiting = try transaction.query(
                    "select count(*) from sync_inbox where entity = $1", [.text(entity.name)]
                ).first?.int(0)
                return (Int(rows ?? 0), Int(waiting ?? 0))
            }
        } else {
            try await forgetCursor(of: entity.name)
            report.deliveriesDropped = try await database.write { transaction in
                try transaction.execute("delete from sync_inbox where entity = $1", [.text(entity.name)])
            }
            while let part = try await undoNext(of: mapping, origin) { report.add(part) }
        }
        report.lettersClosed = try await closeLetters(
            where: "entity = $1", .text(entity.name), "everything was undone", isRehearsal: isRehearsal)
        return report
    }

    /// Takes back all that was ever brought of the next records; nil where there are none.
    private func undoNext(of mapping: EntityMapping, _ origin: Origin) async throws -> UndoReport? {
        let time = now()
        return try await database.write { transaction in
            let ids = try transaction.query(
                "select \(mapping.entity.keyColumn) from \(mapping.entity.name) order by id limit \(Self.undoSize)"
            ).compactMap { $0.text(0) }
            guard !ids.isEmpty else { return nil }
            let application = Application(Batch(mapping, origin: origin), transaction, time: time)
            let part = try application.takeBackAll(ids)
            try application.writeLog()
            return part
        }
    }

    private func forgetCursor(of entity: String) async throws {
        try await database.write { transaction in
            _ = try transaction.execute("delete from sync_cursors where entity = $1", [.text(entity)])
        }
    }

    private func closeLetters(
        where condition: String, _ value: SQLValue, _ reason: String, isRehearsal: Bool
    ) async throws -> Int {
        let time = now()
        guard !isRehearsal else {
            return try await database.read { try $0.openDeadLetters(where: condition, value).count }
        }
        return try await database.write { transaction in
            try transaction.closeDeadLetters(
                try transaction.openDeadLetters(where: condition, value), .discarded, reason: reason, time: time)
        }
    }
}

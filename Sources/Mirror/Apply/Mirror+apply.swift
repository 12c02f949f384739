package import Database

extension Mirror {
    /// The one door to the mirror: applies records in one transaction, each with exactly one outcome.
    ///
    /// - Idempotent: a record that says what the row already holds writes nothing.
    /// - Ordered by the source: an older record than the row's is stale.
    /// - Fault-isolated: a record that the database refuses becomes a dead letter with the database's own reason; the
    ///   batch is bisected until it stands alone, and the rest commits.
    ///
    /// - Parameter alongside: what has to commit together with the records, such as a cursor.
    /// - Throws: ``DatabaseError`` for faults that are not a record's own. Nothing has been applied then.
    package func apply(
        _ batch: Batch,
        alongside: @escaping @Sendable (any SQLTransaction, ApplyResult) throws -> Void = { _, _ in }
    ) async throws -> ApplyResult {
        let time = now()
        return try await database.write { transaction in
            let application = Application(batch, transaction, time: time)
            let result = try application.run()
            try alongside(transaction, result)
            return result
        }
    }

    /// Shows what ``apply(_:alongside:)`` would do, and leaves nothing behind.
    package func rehearse(_ batch: Batch) async throws -> ApplyResult {
        struct Rehearsed: Error { let result: ApplyResult }
        let time = now()
        do {
            try await database.write { transaction in
                throw Rehearsed(result: try Application(batch, transaction, time: time).run())
            }
        } catch let rehearsed as Rehearsed {
            return rehearsed.result
        }
        return ApplyResult()
    }
}

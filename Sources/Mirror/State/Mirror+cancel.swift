import Database

extension Mirror {
    /// The channel that tells syncs and comparisons that one of them is to stop.
    package static let cancellationChannel = "cancellations"

    /// Asks the process that executes a run to stop it, whichever process that is.
    ///
    /// - Returns: false where the run is not running.
    package func requestCancellation(of runID: Int64) async throws -> Bool {
        let time = now()
        return try await database.write { transaction in
            let isRunning =
                try transaction.execute(
                    "update sync_runs set cancel_requested_at = $1 where id = $2 and state = 'running'",
                    [.instant(time), .integer(runID)]) > 0
            try transaction.notify(Self.cancellationChannel)
            return isRunning
        }
    }

    /// Whether a run of the holder is to stop.
    package func isCancellationRequested(of holder: String) async throws -> Bool {
        try await database.read { transaction in
            try transaction.query(
                """
                select 1 from sync_runs
                where state = 'running' and holder = $1 and cancel_requested_at is not null limit 1
                """, [.text(holder)]
            ).isEmpty == false
        }
    }
}

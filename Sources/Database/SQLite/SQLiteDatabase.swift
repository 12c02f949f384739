import Dispatch
import Foundation
import GRDB
import GRDBSQLite

/// One SQLite file, written by one process.
///
/// SQLite up to 3.51.2 can damage a file that two connections checkpoint at once; GRDB has a single writer inside one
/// process, and the lock beside the file keeps other writing processes out.
package final class SQLiteDatabase: SQLDatabase {
    private let path: String
    private let pool: DatabasePool
    /// Nil where the file was opened for reading only.
    private let lock: FileLock?
    private let broadcast = Broadcast()

    package var dialect: Dialect { .sqlite }

    package var writers: Int { 1 }

    /// Opens a file, which is made where there is none and it is to be written.
    ///
    /// - Throws: ``DatabaseError``; of the kind `locked` where another process has it open for writing.
    package init(path: String, access: DatabaseAccess) throws {
        // The lock belongs to the file, by whichever link it is reached.
        self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        if access == .readOnly, !FileManager.default.fileExists(atPath: path) {
            throw DatabaseError(
                kind: .unavailable, code: "SQLITE_CANTOPEN", message: "There is no database at \(path)",
                advice: "Run zohosync sync first, or correct DATABASE_URL.")
        }
        lock = access == .readWrite ? try FileLock(path: self.path + ".lock", guarding: path) : nil
        var configuration = Configuration()
        configuration.readonly = access == .readOnly
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = true
        configuration.prepareDatabase { database in
            try database.execute(sql: Self.synchronous(.eventual))
            Self.endStatementsOfCancelledTasks(database)
        }
        do {
            pool = try DatabasePool(path: self.path, configuration: configuration)
        } catch {
            throw DatabaseError.translated(error)
        }
    }

    /// Lets each statement look whether its task is cancelled, every 10,000 instructions.
    ///
    /// GRDB interrupts what runs when its task is cancelled, but SQLite forgets an interrupt that comes an instant before
    /// the statement begins.
    private static func endStatementsOfCancelledTasks(_ database: GRDB.Database) {
        sqlite3_progress_handler(database.sqliteConnection, 10_000, { _ in Task.isCancelled ? 1 : 0 }, nil)
    }

    package func write<T: Sendable>(
        _ durability: Durability, _ body: @Sendable (any SQLTransaction) throws -> T
    ) async throws -> T {
        guard lock != nil else {
            throw DatabaseError(
                kind: .readOnly, code: "SQLITE_READONLY", message: "\(path) was opened read-only",
                advice: "Run a command that writes, such as zohosync sync.")
        }
        let (value, channels) = try await translating {
            try await withoutActuallyEscaping(body) { body in
                try await pool.writeWithoutTransaction { try Self.transaction(durability, $0, body) }
            }
        }
        broadcast.notify(channels)
        return value
    }

    private static func transaction<T>(
        _ durability: Durability, _ database: GRDB.Database, _ body: (any SQLTransaction) throws -> T
    ) throws -> (T, Set<String>) {
        // SQLite takes it between transactions only.
        if durability == .immediate { try database.execute(sql: synchronous(.immediate)) }
        defer { if durability == .immediate { try? database.execute(sql: synchronous(.eventual)) } }
        let notifications = PendingNotifications()
        var result: Result<T, any Error> = .failure(CancellationError())
        try database.inTransaction(.immediate) {
            result = .success(try body(SQLiteTransaction(database, notifications: notifications)))
            return .commit
        }
        return (try result.get(), notifications.channels)
    }

    private static func synchronous(_ durability: Durability) -> String {
        "pragma synchronous = \(durability == .immediate ? "full" : "normal")"
    }

    package func read<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await translating {
            try await withoutActuallyEscaping(body) { body in
                try await pool.read { try body(SQLiteTransaction($0)) }
            }
        }
    }

    private func translating<T>(_ body: () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch {
            throw DatabaseError.surfaced(DatabaseError.translated(error))
        }
    }

    package func notifications(of channel: String) -> AsyncStream<Void> { broadcast.listen(to: channel) }

    package func close() async {
        broadcast.finish()
        await withCheckedContinuation { continuation in
            // Waits for transactions under way; the last connection writes the log back into the file.
            DispatchQueue.global().async { [pool] in
                try? pool.close()
                continuation.resume()
            }
        }
        lock?.release()
    }
}

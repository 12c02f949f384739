import Foundation
import GRDB

/// One SQLite file, written by one process.
///
/// SQLite up to 3.51.2 can damage a file that two connections checkpoint at once; GRDB has a single writer inside one
/// process, and the lock beside the file keeps other writing processes out.
package final class SQLiteDatabase: SQLDatabase {
    private let pool: DatabasePool
    private let lock: FileLock?
    private let broadcast = Broadcast()

    package var dialect: Dialect { .sqlite }

    package var writers: Int { 1 }

    /// Opens a file, which is made where there is none.
    ///
    /// - Throws: ``DatabaseError``; of the kind `locked` where another process writes to the file.
    package init(path: String, access: DatabaseAccess) throws {
        if access == .readOnly, !FileManager.default.fileExists(atPath: path) {
            throw DatabaseError(
                kind: .unavailable, code: "SQLITE_CANTOPEN", message: "There is no database at \(path)",
                advice: "Run zohosync sync first, or correct DATABASE_URL.")
        }
        lock = access == .readWrite ? try FileLock(path: path + ".lock", guarding: path) : nil
        var configuration = Configuration()
        configuration.readonly = access == .readOnly
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { database in
            try database.execute(sql: "pragma foreign_keys = on")
            if access == .readWrite { try database.execute(sql: "pragma synchronous = normal") }
        }
        do {
            pool = try DatabasePool(path: path, configuration: configuration)
        } catch {
            throw DatabaseError(sqlite: error)
        }
    }

    package func write<T: Sendable>(
        _ durability: Durability, _ body: @Sendable (any SQLTransaction) throws -> T
    ) async throws -> T {
        try await withoutActuallyEscaping(body) { body in
            do {
                let (value, channels) = try await pool.writeWithoutTransaction { database in
                    try Self.transaction(durability, database, body)
                }
                broadcast.notify(channels)
                return value
            } catch {
                throw DatabaseError.translated(error)
            }
        }
    }

    private static func transaction<T>(
        _ durability: Durability, _ database: GRDB.Database, _ body: (any SQLTransaction) throws -> T
    ) throws -> (T, Set<String>) {
        // SQLite takes it between transactions only.
        if durability == .immediate { try database.execute(sql: "pragma synchronous = full") }
        defer { if durability == .immediate { try? database.execute(sql: "pragma synchronous = normal") } }
        let notifications = PendingNotifications()
        var value: T?
        try database.inTransaction(.immediate) {
            value = try body(SQLiteTransaction(database, notifications: notifications))
            return .commit
        }
        guard let value else { throw DatabaseError.lostSavepoint }
        return (value, notifications.channels)
    }

    package func notifications(of channel: String) -> AsyncStream<Void> { broadcast.listen(to: channel) }

    package func read<T: Sendable>(_ body: @Sendable (any SQLTransaction) throws -> T) async throws -> T {
        try await withoutActuallyEscaping(body) { body in
            do {
                return try await pool.read { database in try body(SQLiteTransaction(database)) }
            } catch {
                throw DatabaseError.translated(error)
            }
        }
    }

    package func close() async {
        broadcast.finish()
        try? pool.close()
        lock?.release()
    }
}

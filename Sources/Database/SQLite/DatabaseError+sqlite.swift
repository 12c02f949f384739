import Foundation
import GRDB
import GRDBSQLite

extension DatabaseError {
    /// A savepoint that gave neither a value nor an error; only a mistake in this program can cause it.
    static let lostSavepoint = DatabaseError(
        kind: .program, code: "-", message: "A savepoint ended without a result", advice: "Please report this.")

    /// The last error of a connection.
    init(sqliteConnection connection: OpaquePointer?) {
        self.init(
            sqliteCode: sqlite3_extended_errcode(connection),
            message: sqlite3_errmsg(connection).map { String(cString: $0) } ?? "unknown error")
    }

    /// An error that GRDB threw.
    init(sqlite error: any Error) {
        switch error {
        case let error as GRDB.DatabaseError:
            self.init(sqliteCode: error.extendedResultCode.rawValue, message: error.message ?? "unknown error")
        case let error as DatabaseError:
            self = error
        default:
            self.init(kind: .unavailable, code: "-", message: "\(error)", advice: "")
        }
    }

    /// GRDB's errors as ours, all others as they are.
    static func translated(_ error: any Error) -> any Error {
        guard let error = error as? GRDB.DatabaseError else { return error }
        // GRDB reports the interruption of a cancelled task as an abort.
        if error.resultCode == .SQLITE_ABORT || error.resultCode == .SQLITE_INTERRUPT, Task.isCancelled {
            return CancellationError()
        }
        return DatabaseError(sqlite: error)
    }

    /// Decides by SQLite's result code who has to act.
    init(sqliteCode code: Int32, message: String) {
        let (kind, advice): (Kind, String) =
            switch code & 0xFF {
            case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE: (.record, "")
            case SQLITE_FULL: (.exhausted, "Free space on the disk that holds the database, then run the sync again.")
            case SQLITE_NOMEM: (.exhausted, "Free memory, then run the sync again.")
            case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
                (.readOnly, "Give this user write access to the database file and its folder.")
            case SQLITE_CANTOPEN:
                (.unavailable, "Check that the file and its folder exist and can be read, or correct DATABASE_URL.")
            case SQLITE_IOERR: (.unavailable, "Check the disk that holds the database.")
            case SQLITE_CORRUPT:
                (.unusable, "Restore the file from a backup, or move it away and run a full sync.")
            case SQLITE_NOTADB: (.unusable, "The file is not a SQLite database; correct DATABASE_URL.")
            case SQLITE_BUSY, SQLITE_LOCKED:
                (.locked, "Close the program that holds the database open for writing, then run the sync again.")
            default: (.program, "Please report this.")
            }
        self.init(kind: kind, code: "SQLite \(code)", message: message, advice: advice)
    }
}

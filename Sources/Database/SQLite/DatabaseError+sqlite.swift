import GRDB
import GRDBSQLite

extension DatabaseError {
    /// The last error of a connection.
    init(sqliteConnection connection: OpaquePointer?) {
        self.init(
            sqliteCode: sqlite3_extended_errcode(connection),
            message: sqlite3_errmsg(connection).map { String(cString: $0) } ?? "unknown error")
    }

    /// GRDB's errors as ours, all others as they are.
    static func translated(_ error: any Error) -> any Error {
        guard let error = error as? GRDB.DatabaseError else { return error }
        return DatabaseError(sqliteCode: error.extendedResultCode.rawValue, message: error.message ?? "unknown error")
    }

    /// Decides by SQLite's extended result code who has to act.
    init(sqliteCode code: Int32, message: String) {
        let (kind, advice) = Self.verdict(sqliteCode: code)
        self.init(kind: kind, code: "SQLite \(code)", message: message, advice: advice)
    }

    private static func verdict(sqliteCode code: Int32) -> (Kind, String) {
        // Of the extended codes only this one is another's business than its primary code's: the file that the
        // processes share could not grow.
        let isFull = code == SQLITE_IOERR | (19 << 8)
        return switch isFull ? SQLITE_FULL : code & 0xFF {
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG: (.record, "")
        case SQLITE_FULL:
            (.exhausted, "The disk that holds the database is full; free space and run the command again.")
        case SQLITE_NOMEM: (.exhausted, "Free memory and run the command again.")
        case SQLITE_NOLFS: (.exhausted, "Move the database to a file system that supports files of this size.")
        case SQLITE_READONLY, SQLITE_PERM:
            (.readOnly, "Give this user write access to the database file and its folder.")
        case SQLITE_CANTOPEN:
            (.unavailable, "Check that the file and its folder exist and can be read, or correct DATABASE_URL.")
        case SQLITE_IOERR: (.unavailable, "Check the disk that holds the database.")
        // GRDB's word for a connection that this process has closed.
        case SQLITE_MISUSE: (.unavailable, "Open the database again.")
        case SQLITE_INTERRUPT, SQLITE_ABORT: (.unavailable, "Run the command again.")
        case SQLITE_CORRUPT: (.unusable, "Restore the file from a backup, or move it away and run a full sync.")
        case SQLITE_NOTADB: (.unusable, "The file is not a SQLite database; correct DATABASE_URL.")
        case SQLITE_BUSY, SQLITE_LOCKED, SQLITE_PROTOCOL:
            (.locked, "Close the program that holds the database open for writing and run the command again.")
        default: (.program, "Please report this as a bug.")
        }
    }
}

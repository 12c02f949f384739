import Foundation
package import Logging

/// Where a mirror is, as `DATABASE_URL` says it.
package enum DatabaseLocation: Sendable, Hashable {
    /// A path, relative to the working folder or absolute.
    case sqlite(path: String)
    /// A `postgres://` or `postgresql://` URL, handed to libpq as it is.
    case postgres(url: String)

    /// Reads `postgres://…`, `postgresql://…`, `sqlite:path` or `sqlite:///absolute/path`.
    ///
    /// - Throws: ``DatabaseError`` for anything else; the text is not repeated, because it may hold a password.
    package init(_ text: String) throws(DatabaseError) {
        if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
            self = .postgres(url: text)
            return
        }
        if text.hasPrefix("sqlite:") {
            var path = text.dropFirst("sqlite:".count)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            if !path.isEmpty {
                self = .sqlite(path: String(path))
                return
            }
        }
        throw DatabaseError(
            kind: .unusable, code: "DATABASE_URL", message: "DATABASE_URL names no known kind of database",
            advice: "Write postgres://user@host/database or sqlite:zoho.sqlite.")
    }
}

/// What a process wants to do with a database.
package enum DatabaseAccess: Sendable, Hashable {
    case readWrite
    case readOnly
}

/// Opens a database.
///
/// - Parameters:
///   - schema: the PostgreSQL schema that holds the mirror; made where there is none and the role may.
///   - access: a SQLite file has one writing process at a time.
/// - Throws: ``DatabaseError`` where it cannot be reached, read or, if asked for, locked for writing.
package func openDatabase(
    _ location: DatabaseLocation, schema: String = "zoho", access: DatabaseAccess = .readWrite, logger: Logger
) async throws -> any SQLDatabase {
    switch location {
    case .sqlite(let path): try SQLiteDatabase(path: path, access: access)
    case .postgres(let url): try await PostgresDatabase.open(url: url, schema: schema, access: access, logger: logger)
    }
}

import AsyncHTTPClient
import Database
import Foundation
import Logging
import Mirror
import ZohoBooks

/// The parts of a running program, put together from the settings.
struct Installation: Sendable {
    let database: any SQLDatabase
    let mirror: Mirror
    let logger: Logger

    /// What a command does with the mirror.
    enum Purpose {
        /// Reads it; it must exist.
        case read
        /// Changes it; its tables are made or brought up to date first.
        case change
        /// Changes the mirror, which must exist and hold the configured organisation.
        case maintain
        /// Changes the mirror, which must exist, whichever organisation is configured.
        case amend
        /// Shows what a change would do, and writes nothing. Where there is no mirror yet, an empty one elsewhere stands in
        /// for it.
        case rehearse
    }

    /// Opens the mirror, and closes it after `body`.
    ///
    /// - Parameter request: the HTTP request with which a running server that has the SQLite file does the same.
    static func with<T: Sendable>(
        _ settings: Settings, databaseURL: String?, to purpose: Purpose, beside request: String,
        _ body: (Installation) async throws -> T
    ) async throws -> T {
        do {
            return try await with(settings, databaseURL: databaseURL, to: purpose, body)
        } catch let error as DatabaseError where error.kind == .locked {
            throw DatabaseError(
                kind: .locked, code: error.code, message: error.message,
                advice: """
                    A SQLite mirror has one writer at a time. If that is zohosync serve, send it \(request) instead, with a \
                    token of the role operate (docs/api.md), or stop it for a moment
                    """)
        }
    }

    /// Opens the mirror, and closes it after `body`.
    static func with<T: Sendable>(
        _ settings: Settings, databaseURL: String?, to purpose: Purpose, _ body: (Installation) async throws -> T
    ) async throws -> T {
        let location = try DatabaseLocation(databaseURL ?? settings.databaseURL)
        switch purpose {
        case .read:
            guard Self.mayHoldMirror(location) else { throw MirrorError.missing }
            return try await open(location, settings, to: purpose, body)
        case .change: return try await open(location, settings, to: purpose, body)
        case .maintain, .amend:
            // Checked before it is opened for writing, which would create a file.
            guard try await holdsMirror(location, settings) else { throw MirrorError.missing }
            return try await open(location, settings, to: purpose, body)
        case .rehearse:
            let organization = try settings.organizationID()
            // An empty mirror tells no more than a missing one, and may be another organisation's.
            let isWorthwhile = try await holdsMirror(location, settings) { mirror in
                // Rows that are hidden would seem not to be there.
                try await mirror.checkPolicies()
                if try await mirror.organizationID() == organization { return true }
                return try await !mirror.isEmpty()
            }
            if isWorthwhile { return try await open(location, settings, to: .rehearse, body) }
            let folder = FileManager.default.temporaryDirectory.appending(path: "zohosync-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(at: folder) }
            let standIn = DatabaseLocation.sqlite(path: folder.appending(path: "empty.sqlite").path)
            return try await open(standIn, settings, to: .change, body)
        }
    }

    private static func open<T: Sendable>(
        _ location: DatabaseLocation, _ settings: Settings, to purpose: Purpose,
        _ body: (Installation) async throws -> T
    ) async throws -> T {
        let logger = try makeLogger(settings)
        let database: any SQLDatabase
        do {
            database = try await openDatabase(
                location, schema: settings.schema, access: purpose == .read ? .readOnly : .readWrite, logger: logger)
        } catch let error as DatabaseError where error.kind == .locked {
            throw DatabaseError(
                kind: error.kind, code: error.code, message: error.message, advice: Self.adviceWhileServed)
        }
        let mirror = Mirror(database: database, now: { Self.now() }, usesDatabaseClock: true, logger: logger)
        do {
            switch purpose {
            case .read:
                guard try await mirror.isPrepared() else { throw MirrorError.missing }
            case .amend:
                // A hidden organisation would seem to be a missing one.
                try await mirror.checkPolicies()
                guard let stored = try await mirror.organizationID() else { throw MirrorError.missing }
                try await mirror.prepare(organizationID: stored)
            case .change, .maintain: try await mirror.prepare(organizationID: try settings.organizationID())
            case .rehearse: try await mirror.check(organizationID: try settings.organizationID())
            }
            let result = try await body(Installation(database: database, mirror: mirror, logger: logger))
            await database.close()
            return result
        } catch {
            await database.close()
            throw error
        }
    }

    /// Opens what there is, without creating or claiming anything, and closes it after `body`.
    ///
    /// - Throws: ``DatabaseError`` where there is no database or it cannot be reached.
    static func examine<T: Sendable>(
        _ settings: Settings, databaseURL: String?,
        _ body: (_ installation: Installation, _ access: DatabaseAccess) async throws -> T
    ) async throws -> T {
        let location = try DatabaseLocation(databaseURL ?? settings.databaseURL)
        let logger = try makeLogger(settings)
        var access = DatabaseAccess.readOnly
        var database = try await openDatabase(location, schema: settings.schema, access: .readOnly, logger: logger)
        do {
            if try await Mirror(database: database, now: { Self.now() }, logger: logger).isPrepared() {
                await database.close()
                do {
                    database = try await openDatabase(location, schema: settings.schema, logger: logger)
                    access = .readWrite
                } catch let error as DatabaseError where error.kind == .locked {
                    // A server writes the file; it can still be read.
                    database = try await openDatabase(
                        location, schema: settings.schema, access: .readOnly, logger: logger)
                }
            }
            let mirror = Mirror(database: database, now: { Self.now() }, usesDatabaseClock: true, logger: logger)
            let result = try await body(Installation(database: database, mirror: mirror, logger: logger), access)
            await database.close()
            return result
        } catch {
            await database.close()
            throw error
        }
    }

    /// What to do where another process, usually a server, is writing to the file.
    private static let adviceWhileServed = """
        Wait until it has ended, or stop it; a SQLite mirror has one writer at a time. If it is zohosync serve, send it \
        a request instead: POST /api/zoho/bulk-sync/… for a sync, /api/zoho/dead-letters/retry for dead letters, \
        /api/zoho/tokens for a token. It compares and heals by itself; to run verify, heal or runs undo by hand, stop \
        it first and start it again afterwards.
        """

    private static func holdsMirror(
        _ location: DatabaseLocation, _ settings: Settings,
        where isMeant: (Mirror) async throws -> Bool = { _ in true }
    ) async throws -> Bool {
        guard mayHoldMirror(location) else { return false }
        do {
            return try await open(location, settings, to: .read) { try await isMeant($0.mirror) }
        } catch MirrorError.missing {
            return false
        }
    }

    /// False for a file that is not there.
    private static func mayHoldMirror(_ location: DatabaseLocation) -> Bool {
        guard case .sqlite(let path) = location else { return true }
        return FileManager.default.fileExists(atPath: path)
    }

    /// Microseconds since 1970.
    static func now() -> Int64 { Timestamp.instant(of: Date()) }

    static func makeLogger(_ settings: Settings) throws -> Logger {
        let format = try settings.logFormat()
        var logger = Logger(label: "zohosync") { _ in LineLogHandler(format) }
        logger.logLevel = try settings.logLevel()
        return logger
    }
}

extension Installation {
    /// Makes a client whose token and budget are the mirror's, and ends its connections after `body`.
    func withClient<T: Sendable>(
        _ settings: Settings, _ body: (ZohoBooksClient) async throws -> T
    ) async throws -> T {
        try await Self.withClient(
            settings, tokens: MirrorTokenStore(mirror, process: ProcessName.current),
            calls: MirrorCallLedger(
                mirror, limits: try settings.limits(), holder: ProcessName.current, isDead: { ProcessName.isDead($0) }),
            logger: logger, body)
    }

    /// Makes a client that keeps token and budget to itself, for where there is no mirror yet.
    static func withLoneClient<T: Sendable>(
        _ settings: Settings, _ body: (ZohoBooksClient) async throws -> T
    ) async throws -> T {
        try await withClient(
            settings, tokens: InMemoryTokenStore(), calls: InMemoryCallLedger(limits: try settings.limits()),
            logger: try makeLogger(settings), body)
    }

    private static func withClient<T: Sendable>(
        _ settings: Settings, tokens: any TokenStore, calls: any CallLedger, logger: Logger,
        _ body: (ZohoBooksClient) async throws -> T
    ) async throws -> T {
        let configuration = try settings.zohoBooks()
        let httpClient = HTTPClient.zohoBooks(configuration, inFlight: try settings.inFlight())
        let client = ZohoBooksClient(
            configuration: configuration, http: httpClient, tokens: tokens, calls: calls, logger: logger)
        do {
            let result = try await body(client)
            try await httpClient.shutdown()
            return result
        } catch {
            try? await httpClient.shutdown()
            throw error
        }
    }
}

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

    /// Opens the database and the mirror, and closes it after `body`.
    ///
    /// - Parameter prepares: whether the schema is brought up to date; a command that only looks does not.
    static func with<T: Sendable>(
        _ settings: Settings, databaseURL: String?, access: DatabaseAccess, prepares: Bool,
        _ body: (Installation) async throws -> T
    ) async throws -> T {
        let location = try DatabaseLocation(databaseURL ?? settings.databaseURL)
        let logger = makeLogger(settings)
        let database = try await openDatabase(location, schema: settings.schema, access: access, logger: logger)
        let mirror = Mirror(database: database, now: { Self.now() }, logger: logger)
        do {
            if prepares { try await mirror.prepare(organizationID: try settings.organizationID()) }
            let result = try await body(Installation(database: database, mirror: mirror, logger: logger))
            await database.close()
            return result
        } catch {
            await database.close()
            throw error
        }
    }

    /// Microseconds since 1970.
    static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000_000) }

    static func makeLogger(_ settings: Settings) -> Logger {
        var logger = Logger(label: "zohosync") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = Logger.Level(rawValue: settings.logLevel) ?? .warning
        return logger
    }
}

/// Who holds a lease, for people and for the next process: host and process id.
enum Holder {
    static let current = "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)"

    /// Whether a holder on this host is known to have ended.
    ///
    /// Of other hosts nothing is known.
    static func isDead(_ holder: String) -> Bool {
        let parts = holder.split(separator: ":")
        guard parts.count == 2, parts[0] == ProcessInfo.processInfo.hostName, let process = Int32(parts[1]) else {
            return false
        }
        return kill(process, 0) != 0 && errno == ESRCH
    }
}

extension Installation {
    /// Makes a client whose token and budget are the mirror's, and ends its connections after `body`.
    func withClient<T: Sendable>(
        _ settings: Settings, _ body: (ZohoBooksClient) async throws -> T
    ) async throws -> T {
        let configuration = try settings.zohoBooks()
        let limits = try settings.limits()
        let httpClient = HTTPClient.zohoBooks(configuration, inFlight: limits.inFlight)
        let client = ZohoBooksClient(
            configuration: configuration, http: httpClient,
            tokens: MirrorTokenStore(mirror, holder: Holder.current),
            calls: MirrorCallLedger(mirror, limits: limits), logger: logger)
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

package import Database
import Foundation
import Logging

/// The engines that a mirror can be in, for tests that hold for both.
package enum Engine: String, CaseIterable, Sendable {
    case sqlite
    case postgres
}

/// Runs a test with a place for a database of its own, which is gone afterwards.
package func withLocation<T>(_ engine: Engine, _ body: (DatabaseLocation) async throws -> T) async throws -> T {
    switch engine {
    case .sqlite:
        let folder = FileManager.default.temporaryDirectory.appending(path: "zohosync-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try await body(.sqlite(path: folder.appending(path: "mirror.sqlite").path))
    case .postgres:
        return try await PostgresServer.withDatabase { try await body(.postgres(url: $0.url)) }
    }
}

/// Runs a test in a fresh database of its own.
package func withDatabase<T>(_ engine: Engine, _ body: (any SQLDatabase) async throws -> T) async throws -> T {
    try await withLocation(engine) { try await withDatabase(at: $0, body) }
}

/// Opens a database for a test and closes it afterwards.
package func withDatabase<T>(
    at location: DatabaseLocation, access: DatabaseAccess = .readWrite, _ body: (any SQLDatabase) async throws -> T
) async throws -> T {
    let database = try await openDatabase(location, access: access, logger: Logger(label: "test.database"))
    do {
        let value = try await body(database)
        await database.close()
        return value
    } catch {
        await database.close()
        throw error
    }
}

import Database
import Mirror
import Sync
import Testing
import ZohoBooks

extension Rig {
    /// Compares source and mirror as `zohosync verify` does.
    func compare(
        _ entities: [String] = [], inFlight: Int? = nil, _ change: (inout ReconciliationOptions) -> Void = { _ in },
        onEvent: @escaping @Sendable (ReconciliationEvent) async -> Void = { _ in }
    ) async throws -> ReconciliationReport {
        var options = ReconciliationOptions()
        options.entities = entities
        change(&options)
        return try await withClient(inFlight: inFlight) { client in
            try await Reconciler(
                client: client, mirror: mirror, options: options, process: "test:1",
                random: { 0.5 }, onEvent: onEvent
            ).run()
        }
    }

    /// Changes the mirror behind its back.
    func tamper(_ sql: String) async throws {
        try await mirror.database.write { try $0.script(sql) }
    }
}

extension ReconciliationReport {
    subscript(_ entity: String) -> Findings {
        get throws { try #require(entities.first { $0.entity == entity }?.findings) }
    }
}

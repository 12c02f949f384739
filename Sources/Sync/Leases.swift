import Mirror
import ZohoBooks

/// The right to synchronise entities, held by one process at a time.
struct Leases: Sendable {
    let mirror: Mirror
    /// Host and process, for people and for the leases.
    let holder: String
    /// Tells of another holder of a lease whether it is known to have ended.
    let isDead: @Sendable (String) -> Bool

    /// Seconds after which the lease of a process that vanished lapses.
    static let seconds = 60

    /// Runs work while every named lease is held; losing one cancels the work.
    ///
    /// - Throws: ``MirrorError/leased(name:holder:secondsLeft:)`` where another process has one of them.
    func hold<T: Sendable>(_ names: [String], _ work: @escaping @Sendable () async throws -> T) async throws -> T {
        var held: [String] = []
        do {
            for name in names {
                try await mirror.acquireLease(name, holder: holder, duration: Self.seconds, isDead: isDead)
                held.append(name)
            }
            let value = try await prolonging(names, work)
            try await release(held)
            return value
        } catch {
            try? await release(held)
            throw error
        }
    }

    private func release(_ names: [String]) async throws {
        try await uncancelled { [mirror, holder] in
            for name in names { try await mirror.releaseLease(name, holder: holder) }
        }
    }

    private func prolonging<T: Sendable>(
        _ names: [String], _ work: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(Self.seconds / 3))
                    for name in names {
                        try await mirror.acquireLease(name, holder: holder, duration: Self.seconds)
                    }
                }
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let value = result { return value }
            }
            throw CancellationError()
        }
    }
}

extension Leases {
    /// The lease under which an entity is listed, compared or put back.
    static func name(of entity: String) -> String { "sync \(entity)" }
}

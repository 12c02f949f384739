import Database
import Mirror
import ZohoBooks

/// The right to do something, held by one part of one process at a time.
package struct Leases: Sendable {
    let mirror: Mirror
    /// Host and process, for people and for the leases.
    let process: String
    /// Whether the process of this name is known to have ended.
    let isDead: @Sendable (String) -> Bool

    /// Seconds after which the lease of a process that vanished lapses.
    static let seconds = 60

    /// Runs work while every named lease is held; losing one cancels the work, and so does a request to stop its run.
    ///
    /// The holder is not the process but this piece of work, so that two pieces of work of one process exclude each
    /// other too.
    ///
    /// - Parameter work: is told under which name it holds them, and is given the mirror to write to: what it writes
    ///   commits only while it still has them.
    /// - Throws: ``MirrorError/leased(name:holder:secondsLeft:)`` where another holder has one of them,
    ///   ``MirrorError/leaseLost(name:)`` where one of them was lost meanwhile.
    func hold<T: Sendable>(
        _ names: [String], _ work: @escaping @Sendable (_ holder: String, _ mirror: Mirror) async throws -> T
    ) async throws -> T {
        let holder = HolderName.unique(process)
        let fenced = mirror.fenced(by: names, of: holder)
        return try await holding(names, holder, skipsHeld: false) { _ in try await work(holder, fenced) }
    }

    /// Runs work while holding those of the named leases that nobody else has.
    ///
    /// - Parameter work: is told which they are; not run where there are none.
    func holdFree(_ names: [String], _ work: @escaping @Sendable (_ held: [String]) async throws -> Void) async throws {
        try await holding(names, HolderName.unique(process), skipsHeld: true) { held in
            if !held.isEmpty { try await work(held) }
        }
    }

    private func holding<T: Sendable>(
        _ names: [String], _ holder: String, skipsHeld: Bool,
        _ work: @escaping @Sendable (_ held: [String]) async throws -> T
    ) async throws -> T {
        var held: [String] = []
        do {
            for name in names {
                do {
                    try await mirror.acquireLease(name, holder: holder, duration: Self.seconds, isDead: isDead)
                    held.append(name)
                } catch MirrorError.leased where skipsHeld {
                    continue
                }
            }
            let value = try await renewing(held, holder, work)
            await release(held, holder)
            return value
        } catch {
            await release(held, holder)
            throw error
        }
    }

    /// A lease that cannot be given back lapses; that must not lose the result of the work.
    private func release(_ names: [String], _ holder: String) async {
        try? await uncancelled { [mirror] in
            var lost: String?
            for name in names where try await !mirror.releaseLease(name, holder: holder) { lost = lost ?? name }
            // The work itself could not write any more.
            if let lost {
                try await mirror.interruptRuns(of: holder, error: "\(MirrorError.leaseLost(name: lost))")
            }
        }
    }

    private func renewing<T: Sendable>(
        _ names: [String], _ holder: String, _ work: @escaping @Sendable (_ held: [String]) async throws -> T
    ) async throws -> T {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask { try await work(names) }
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(Self.seconds / 3))
                    for name in names {
                        try await mirror.renewLease(name, holder: holder, duration: Self.seconds)
                    }
                }
            }
            if names.contains(where: { Lease.entity(of: $0) != nil }) {
                group.addTask {
                    for await _ in mirror.database.notifications(of: Mirror.cancellationChannel) {
                        // Where it cannot be looked up now, the next notification tries again.
                        let isUnwanted = try? await mirror.isCancellationRequested(of: holder)
                        if isUnwanted == true { throw CancellationError() }
                    }
                    return nil
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

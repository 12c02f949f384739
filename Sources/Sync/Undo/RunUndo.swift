import Catalog
package import Mirror
import ZohoBooks

/// Takes back what a run changed in the mirror, or everything, as when it was pointed at the wrong organisation.
package struct RunUndo: Sendable {
    private let mirror: Mirror
    private let leases: Leases

    /// - Parameters:
    ///   - process: host and process, for people and for the leases.
    ///   - isDead: whether the process of this name is known to have ended.
    package init(mirror: Mirror, process: String, isDead: @escaping @Sendable (String) -> Bool = { _ in false }) {
        self.mirror = mirror
        leases = Leases(mirror: mirror, process: process, isDead: isDead)
    }

    /// Takes back one run, as a run of its own.
    ///
    /// - Parameters:
    ///   - isRehearsal: whether only to show what would be done.
    ///   - assumed: for a rehearsal, runs that would have been taken back before.
    /// - Throws: ``MirrorError/unknown(_:)``, ``RunUndoError``, ``MirrorError/leased(name:holder:secondsLeft:)`` where
    ///   the run or another one of its entity is running.
    package func undo(_ id: Int64, isRehearsal: Bool, assuming assumed: Set<Int64> = []) async throws -> UndoReport {
        guard let run = try await mirror.run(id), let mapping = Catalog.entity(named: run.entity) else {
            throw MirrorError.unknown("run \(id)")
        }
        guard run.kind != .undo else { throw RunUndoError.isUndo(id) }
        if isRehearsal {
            return try await mirror.undo(run, of: mapping, origin: .run(id), isRehearsal: true, assuming: assumed)
        }
        return try await leases.hold([Lease.name(of: run.entity)]) { holder, mirror in
            try await Self.asRun(of: run.entity, undoing: "\(id)", holder: holder, mirror) { origin in
                try await mirror.undo(run, of: mapping, origin: origin, isRehearsal: false)
            }
        }
    }

    /// Takes back everything, what deliveries brought too, so that the mirror may become another organisation's; as a
    /// run for each entity.
    ///
    /// - Parameter isRehearsal: whether only to count.
    /// - Returns: what was done, by entity.
    /// - Throws: ``RunUndoError``, ``MirrorError/leased(name:holder:secondsLeft:)`` where a run is running.
    package func undoAll(isRehearsal: Bool) async throws -> [(entity: String, report: UndoReport)] {
        var reports: [(entity: String, report: UndoReport)] = []
        if isRehearsal {
            for mapping in Catalog.entities {
                let report = try await mirror.undoAll(of: mapping, origin: .run(0), isRehearsal: true)
                reports.append((mapping.entity.name, report))
            }
            return reports
        }
        // A worker would apply deliveries meanwhile.
        let worker = try await mirror.leases().first {
            $0.name.hasPrefix(WorkerHeartbeat.prefix) && $0.state == .held && !leases.isDead($0.process)
        }
        if let worker { throw RunUndoError.served(by: HolderName.shown(worker.process)) }
        return try await leases.hold(Catalog.entities.map { Lease.name(of: $0.entity.name) }) { holder, mirror in
            var reports: [(entity: String, report: UndoReport)] = []
            for mapping in Catalog.entities {
                let entity = mapping.entity.name
                let report = try await Self.asRun(of: entity, undoing: "\"all\"", holder: holder, mirror) { origin in
                    try await mirror.undoAll(of: mapping, origin: origin, isRehearsal: false)
                }
                reports.append((entity, report))
            }
            return reports
        }
    }

    /// - Parameter mirror: the one that writes only while the lease is held.
    private static func asRun(
        of entity: String, undoing: String, holder: String, _ mirror: Mirror,
        _ body: (Origin) async throws -> UndoReport
    ) async throws -> UndoReport {
        var own = try await mirror.beginRun(
            of: entity, kind: .undo, options: "{\"undoes\":\(undoing)}", holder: holder)
        do {
            let report = try await body(.run(own.id))
            own.progress.counts = [
                .deleted: report.removed + report.deletedAgain, .updated: report.reverted,
                .restored: report.undeleted,
            ]
            own.progress.skipped = report.leftAlone
            let ended = own
            try await uncancelled { try await mirror.finish(ended, .completed) }
            return report
        } catch {
            let ended = own
            let state: Run.State = error is CancellationError ? .interrupted : .failed
            try? await uncancelled { try await mirror.finish(ended, state, error: "\(error)") }
            throw error
        }
    }
}

/// Why nothing is taken back.
package enum RunUndoError: Error, Sendable, Hashable, CustomStringConvertible {
    case isUndo(Int64)
    /// A process applies what is delivered.
    case served(by: String)

    package var description: String {
        switch self {
        case .isUndo(let id):
            "Run \(id) is itself an undo. To get the records back, run zohosync sync."
        case .served(let process):
            "The server \(process) is using this mirror. Stop it first: it would write records while they are undone."
        }
    }
}

import Catalog
package import Mirror
import ZohoBooks

/// Takes back what a run changed in the mirror: the answer to "we pointed it at the wrong organisation".
package struct RunUndo: Sendable {
    private let mirror: Mirror
    private let leases: Leases

    package init(mirror: Mirror, holder: String, isDead: @escaping @Sendable (String) -> Bool = { _ in false }) {
        self.mirror = mirror
        leases = Leases(mirror: mirror, process: holder, isDead: isDead)
    }

    /// Takes back one run, as a run of its own.
    ///
    /// - Parameters:
    ///   - isRehearsal: whether only to show what would be done.
    ///   - assumed: for a rehearsal, runs that would have been taken back before.
    /// - Throws: ``MirrorError/unknown(_:)``, ``RunUndoError``, ``MirrorError/leased(name:holder:secondsLeft:)`` where
    ///   the run or another one of its entity goes on.
    package func undo(_ id: Int64, isRehearsal: Bool, assuming assumed: Set<Int64> = []) async throws -> UndoReport {
        guard let run = try await mirror.run(id), let mapping = Catalog.entity(named: run.entity) else {
            throw MirrorError.unknown("run \(id)")
        }
        guard run.kind != .undo else { throw RunUndoError.isUndo(id) }
        if isRehearsal {
            return try await mirror.undo(run, of: mapping, origin: .run(id), isRehearsal: true, assuming: assumed)
        }
        return try await leases.hold([Leases.name(of: run.entity)]) { holder, mirror in
            var own = try await mirror.beginRun(
                of: run.entity, kind: .undo, options: "{\"undoes\":\(id)}", holder: holder)
            do {
                let report = try await mirror.undo(run, of: mapping, origin: .run(own.id), isRehearsal: false)
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
}

/// Why a run cannot be taken back.
package enum RunUndoError: Error, Sendable, Hashable, CustomStringConvertible {
    case isUndo(Int64)

    package var description: String {
        switch self {
        case .isUndo(let id):
            "Run \(id) has taken back another one. To have the records again, run zohosync sync."
        }
    }
}

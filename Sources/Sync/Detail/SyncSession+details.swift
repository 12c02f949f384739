import Catalog
import Database
import Foundation
import Mirror
import ZohoBooks

/// The details, after all lists.
extension SyncSession {
    /// Reads the details that the entities' rows lack.
    ///
    /// They take turns, so that where calls are short none has to wait for all of another one's.
    mutating func details(of mappings: [EntityMapping]) async {
        var phases: [(index: Int, phase: DetailPhase)] = []
        for mapping in mappings {
            let name = mapping.entity.name
            guard !isStopped, ended[name] == nil, let index = runs.firstIndex(where: { $0.run.entity == name }) else {
                continue
            }
            do {
                phases.append(
                    (index, try await DetailPhase(sync, runs[index], expiredBefore: expiredBefore(runs[index]))))
            } catch {
                stopDetails(of: name, error)
            }
        }
        while !phases.isEmpty {
            let turn = phases
            phases = []
            for (position, (index, var phase)) in turn.enumerated() {
                var entity = runs[index]
                let others = (turn[(position + 1)...] + phases).map { $0.phase.callsToCome(of: runs[$0.index]) }
                phase.reading.note(ahead: .before(phase.callsToCome(of: entity).count, of: others))
                do {
                    let goesOn = try await takeTurn(&phase, &entity, isAlone: turn.count == 1)
                    if goesOn { phases.append((index, phase)) }
                } catch {
                    stopDetails(of: entity.run.entity, error)
                }
                runs[index] = entity
            }
        }
    }

    /// Lets a phase take its turn, and ends it after the last one.
    ///
    /// - Returns: whether it may have more to do.
    private mutating func takeTurn(
        _ phase: inout DetailPhase, _ entity: inout EntityRun, isAlone: Bool
    ) async throws -> Bool {
        var failure: (any Error)?
        do {
            if !isStopped {
                let budget = try await sync.client.budget()
                let calls = try await callsForDetails(budget)
                if calls > 0, try await phase.step(&entity, calls: calls, isAlone: isAlone) { return true }
                if calls < 1, try await phase.hasMore(of: entity) {
                    quotaReturnsAt = budget.returnsAt.map { Timestamp.instant(of: $0) }
                    keepsCalls = budget.remainingToday ?? 0 > budget.reserve
                } else {
                    settled.insert(entity.run.entity)
                }
            }
        } catch {
            failure = error
        }
        try await phase.end(&entity, after: failure)
        return false
    }

    /// Calls that details may take now; none or fewer where the rest of the day's are kept for lists.
    private mutating func callsForDetails(_ budget: BudgetSnapshot) async throws -> Int {
        if sweep == nil { sweep = try await KeptCalls.sweep(of: sync.mirror) }
        return KeptCalls.spare(of: budget, sweep: sweep ?? 0, at: sync.mirror.now())
    }

    /// Before when a detail must not have been read, in microseconds since 1970; nil where only changed rows need one.
    func expiredBefore(_ entity: EntityRun) -> Int64? {
        entity.mapping.entity.module.detailLifetime.map {
            entity.run.kind == .full ? entity.run.startedAt : entity.run.startedAt - Int64($0) * 1_000_000
        }
    }

    /// Records why an entity's details ended.
    private mutating func stopDetails(of entity: String, _ error: any Error) {
        let isCancelled = error is CancellationError || (error as? ZohoBooksError)?.kind == .cancelled
        // What had been read by then says whether anything was left to be interrupted.
        stop(isCancelled ? [] : [entity], error)
    }
}

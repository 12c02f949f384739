import Catalog
import Mirror
import ZohoBooks

extension Healer {
    /// Records of an entity that one round reads again, where each costs a call: what cannot be mended by reading must
    /// not eat the day's calls.
    private static let readings = 10

    private static let advice =
        "zohosync dead-letters says why: fix the cause, then run zohosync dead-letters retry, or discard them."

    private func dueLetters(_ isWanted: (DeadLetter) -> Bool) async throws -> [DeadLetter] {
        let time = mirror.now()
        return try await mirror.deadLetters().filter {
            isWanted($0) && (options.isAskedFor || $0.isDue(at: time))
        }
    }

    /// Those that one round reads, the longest untried first: so many of each entity, or one call's worth.
    private func round(_ letters: [DeadLetter]) -> [DeadLetter] {
        Dictionary(grouping: letters, by: \.entity).values.flatMap { letters in
            let size = Catalog.entity(named: letters[0].entity)?.entity.module.detail.size ?? 1
            return letters.sorted { $0.lastFailedAt < $1.lastFailedAt }.prefix(max(Self.readings, size))
        }
    }

    func retryNeeds() async throws -> [HealingNeed] {
        let due = try await dueLetters { $0.hasPassingReason }
        let letters = due.filter { !$0.needsCall } + round(due.filter(\.needsCall))
        guard !letters.isEmpty else { return [] }
        return [
            HealingNeed(
                action: .retryDeadLetters,
                reason:
                    "\(letters.count) dead letters failed for a reason that may have passed, or because of the database."
            ) { [mirror, processor] in
                var (applied, queued) = (0, 0)
                for letter in letters {
                    try Task.checkCancellation()
                    switch try await uncancelled({ try await mirror.retry(letter, priority: .background) }) {
                    case .applied(.failed): break
                    case .applied: applied += 1
                    case .queued: queued += 1
                    }
                }
                if queued > 0 { try await processor.drainOnce() }
                let failed = letters.count - applied - queued
                let text = "\(applied) were applied, \(queued) queued again, \(failed) failed again."
                return failed == 0
                    ? HealingResult(text: text, changed: applied + queued)
                    : HealingResult(state: .failed, text: "\(text) \(Self.advice)", changed: applied + queued)
            }
        ]
    }

    func rereadNeeds() async throws -> [HealingNeed] {
        let due = try await dueLetters { !$0.hasPassingReason && $0.zohoID != nil }
        let letters = round(due)
        guard !letters.isEmpty else { return [] }
        let later = due.count - letters.count
        return [
            HealingNeed(
                action: .rereadDeadLetters,
                reason: "\(due.count) records could not be applied as they came; Zoho may have better data now."
            ) { [mirror, processor] in
                for (mapping, ids) in Self.byEntity(letters) {
                    _ = try await mirror.mark(ids, of: mapping, priority: .background)
                }
                try await processor.drainOnce()
                let open = Set(try await mirror.deadLetters().map(\.id))
                let left = letters.filter { open.contains($0.id) }
                var waiting = 0
                for (mapping, ids) in Self.byEntity(left) {
                    let marked = try await mirror.marked(ids, of: mapping)
                    waiting += ids.count { marked.contains($0) }
                }
                let closed = letters.count - left.count
                var text = "\(closed) of \(letters.count) were applied or are gone from Zoho."
                if waiting > 0 { text += " \(waiting) are waiting for Zoho." }
                if later > 0 { text += " \(later) more will follow in the next rounds." }
                if left.count > waiting {
                    text += " The others still cannot be applied: \(Self.advice)"
                    return HealingResult(state: .failed, text: text, changed: closed)
                }
                return HealingResult(state: waiting > 0 ? .waiting : .done, text: text, changed: closed)
            }
        ]
    }

    private static func byEntity(_ letters: [DeadLetter]) -> [(EntityMapping, [String])] {
        Dictionary(grouping: letters, by: \.entity).compactMap { entity, letters in
            Catalog.entity(named: entity).map { ($0, letters.compactMap(\.zohoID)) }
        }
    }
}

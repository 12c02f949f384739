import Catalog
import Mirror
import ZohoBooks

extension Healer {
    /// Records of an entity that one round reads again where each costs a call: what reading cannot repair must not use
    /// up the day's calls.
    private static let readings = 10

    private static let advice =
        "zohosync dead-letters says why: fix the cause, then run zohosync dead-letters retry, or discard them."

    /// Letters of an entity that one round applies as they came, without a call.
    private static let applications = 1_000

    /// The letters of one round, those that were not tried for longest first, and how many there are in all.
    private func dueLetters(by strategy: RetryStrategy) async throws -> (letters: [DueLetter], total: Int) {
        let most = Catalog.entities.map { Self.size(of: $0.entity.name) }.max() ?? Self.readings
        let (letters, total) = try await mirror.dueLetters(
            by: strategy, waits: !options.isAskedFor, limit: strategy == .applying ? Self.applications : most)
        guard strategy != .applying else { return (letters, total) }
        return (
            Dictionary(grouping: letters, by: \.entity).values.flatMap { $0.prefix(Self.size(of: $0[0].entity)) }, total
        )
    }

    /// How many records of an entity one round reads: some, or one call's worth.
    private static func size(of entity: String) -> Int {
        max(readings, Catalog.entity(named: entity)?.entity.module.detail.size ?? 1)
    }

    func retryNeeds() async throws -> [HealingNeed] {
        let (applying, asking) = (try await dueLetters(by: .applying), try await dueLetters(by: .asking))
        let letters = applying.letters + asking.letters
        guard !letters.isEmpty else { return [] }
        return [
            HealingNeed(
                action: .retryDeadLetters,
                reason:
                    "\(applying.total + asking.total) dead letters failed for a reason that may have passed, or because of the database."
            ) { [mirror, processor] in
                var (applied, queued, failed) = (0, 0, 0)
                for due in letters {
                    try Task.checkCancellation()
                    // One is in memory at a time: they can be large.
                    guard let letter = try await mirror.deadLetter(due.id) else { continue }
                    switch try await uncancelled({ try await mirror.retry(letter, priority: .background) }) {
                    case .applied(.failed): failed += 1
                    case .applied: applied += 1
                    case .queued: queued += 1
                    }
                }
                if queued > 0 { try await processor.drainOnce() }
                let text = "\(applied) were applied, \(queued) queued again, \(failed) failed again."
                return failed == 0
                    ? HealingResult(text: text, changed: applied + queued)
                    : HealingResult(state: .failed, text: "\(text) \(Self.advice)", changed: applied + queued)
            }
        ]
    }

    func rereadNeeds() async throws -> [HealingNeed] {
        let (letters, total) = try await dueLetters(by: .rereading)
        guard !letters.isEmpty else { return [] }
        let later = total - letters.count
        return [
            HealingNeed(
                action: .rereadDeadLetters,
                reason: "\(total) records could not be applied as they came; Zoho may have better data now."
            ) { [mirror, processor] in
                for (mapping, ids) in Self.byEntity(letters) {
                    _ = try await mirror.mark(ids, of: mapping, priority: .background)
                }
                try await processor.drainOnce()
                let open = try await mirror.openDeadLetters(of: letters.map(\.id))
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

    private static func byEntity(_ letters: [DueLetter]) -> [(EntityMapping, [String])] {
        Dictionary(grouping: letters, by: \.entity).compactMap { entity, letters in
            Catalog.entity(named: entity).map { ($0, letters.compactMap(\.zohoID)) }
        }
    }
}

import Catalog
import Mirror
import ZohoBooks

extension Healer {
    private func dueLetters(_ isWanted: (DeadLetter) -> Bool) async throws -> [DeadLetter] {
        let time = mirror.now()
        return try await mirror.deadLetters().filter {
            isWanted($0) && (options.isAskedFor || $0.isDue(at: time))
        }
    }

    func retryNeeds() async throws -> [HealingNeed] {
        let letters = try await dueLetters { $0.hasPassingReason }
        guard !letters.isEmpty else { return [] }
        return [
            HealingNeed(
                action: .retryDeadLetters, reason: "\(letters.count) dead letters failed for a reason that passes."
            ) { [mirror, processor] in
                var (applied, queued) = (0, 0)
                for letter in letters {
                    try Task.checkCancellation()
                    switch try await uncancelled({ try await mirror.retry(letter) }) {
                    case .applied(.failed): break
                    case .applied: applied += 1
                    case .queued: queued += 1
                    }
                }
                if queued > 0 { try await processor.drainOnce() }
                let failed = letters.count - applied - queued
                return ("\(applied) were applied, \(queued) read again, \(failed) failed again.", applied + queued)
            }
        ]
    }

    func rereadNeeds() async throws -> [HealingNeed] {
        let letters = try await dueLetters { !$0.hasPassingReason && $0.zohoID != nil }
        guard !letters.isEmpty else { return [] }
        return [
            HealingNeed(
                action: .rereadDeadLetters,
                reason: "\(letters.count) records could not be applied as they came; Zoho may tell them better by now."
            ) { [mirror, processor] in
                for (entity, letters) in Dictionary(grouping: letters, by: \.entity) {
                    guard let mapping = Catalog.entity(named: entity) else { continue }
                    _ = try await mirror.mark(letters.compactMap(\.zohoID), of: mapping)
                }
                try await processor.drainOnce()
                let open = Set(try await mirror.deadLetters().map(\.id))
                let closed = letters.count { !open.contains($0.id) }
                return ("\(closed) of \(letters.count) are applied or gone at the source.", closed)
            }
        ]
    }
}

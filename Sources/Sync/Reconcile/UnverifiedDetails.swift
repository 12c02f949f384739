import Mirror
import ZohoBooks

/// Rows whose details are unverified, because a sample has shown that details differ where no list shows it.
///
/// They are read in the order of their rows, by as many repairs as that takes. What a sample shows meanwhile adds no
/// rows, so that it comes to an end.
package struct UnverifiedDetails: Sendable, Hashable {
    /// The `id` of the last row that has been read since.
    package internal(set) var after: Int64 = 0
    /// The `id` of the last row that there was when the sample showed it.
    package let through: Int64
}

extension UnverifiedDetails {
    var json: String { "{\"after\":\(after),\"through\":\(through)}" }
}

extension Reconciliation {
    /// The rows whose details it left unverified; nil where there are none.
    ///
    /// They are kept under the member `doubts`.
    package var unverified: UnverifiedDetails? {
        try? drift.read { view in
            guard let doubts = try view.member("doubts"), let after = try doubts.member("after")?.text(),
                let through = try doubts.member("through")?.text(), let after = Int64(after),
                let through = Int64(through)
            else { return nil }
            return UnverifiedDetails(after: after, through: through)
        }
    }

    /// Whether there is something that it did not come to and another comparison of the lists may.
    var isUnfinished: Bool {
        // A version that did not keep it had made no difference between its reasons.
        state == .incomplete
            && (try? drift.read { try $0.member("unfinished").map { try $0.text() == "true" } }) ?? true
    }
}

extension EntityComparison {
    /// Rows that are looked up at a time.
    private static let lookup = 1_000

    /// Goes on with the unverified details.
    ///
    /// - Parameter calls: those that were announced and are left.
    /// - Returns: why it is pointless to read on.
    mutating func readUnverified(
        _ access: DetailAccess, _ areMissing: inout Bool, _ calls: inout ReconciliationCalls, _ deleted: inout [Gone]
    ) async throws -> (any Error)? {
        // Half of the calls that can be spared are left to the details of what changes.
        let kept = calls.details - max(0, min(calls.details, try await reconciler.spareCalls() / 2))
        calls.details -= kept
        defer { calls.details += kept }
        while !areMissing {
            let ids = try await unverifiedRows().map(\.zohoID).filter { !hasRead($0) }
            guard !ids.isEmpty else { return nil }
            let failure = await read(ids, access, &areMissing, &calls, &deleted)
            guard failure == nil, ids.allSatisfy({ hasRead($0) }) else { return failure }
        }
        return nil
    }

    /// How many rows still have unverified details.
    mutating func countUnverified() async throws -> Int {
        _ = try await unverifiedRows()
        guard let unverified else { return 0 }
        let (mirror, mapping) = (reconciler.mirror, mapping)
        return try await uncancelled {
            try await mirror.detailedRowCount(of: mapping, after: unverified.after, through: unverified.through)
        }
    }

    /// The next rows with unverified details, the first of which was not read.
    private mutating func unverifiedRows() async throws -> [(id: Int64, zohoID: String)] {
        let (mirror, mapping) = (reconciler.mirror, mapping)
        while let unverified {
            let rows = try await uncancelled {
                try await mirror.detailedRows(
                    of: mapping, after: unverified.after, through: unverified.through, limit: Self.lookup)
            }
            guard let read = rows.prefix(while: { hasRead($0.zohoID) }).last else { return rows }
            self.unverified?.after = read.id
        }
        return []
    }

    /// Whether a record was asked for, with or without success.
    private func hasRead(_ id: String) -> Bool { answered.contains(id) || refused.contains(id) }
}

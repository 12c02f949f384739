import Catalog
import Database
import Mirror
import ZohoBooks

extension EntityComparison {
    private struct Reading: Sendable {
        let ids: [String]
        /// Calls that were set aside for it.
        let reserved: Int
        /// When it was begun, in microseconds since 1970.
        let askedAt: Int64
        let result: Result<DetailAnswer, any Error>
    }

    /// Records that do not exist, according to Zoho.
    struct Gone {
        let ids: [String]
        /// In microseconds since 1970.
        let at: Int64
    }

    /// Reads every suspect and the sample individually, and reports or repairs what differs.
    ///
    /// Where the sample shows that details differ, the rest is unverified, and a repair reads on through it as far as
    /// the calls go.
    ///
    /// - Parameter calls: what may be spent; what is left afterwards.
    mutating func confirm(_ calls: inout ReconciliationCalls) async throws {
        let access = try await reconciler.mirror.detailAccess(of: mapping.entity.name)
        var areMissing = access.isRefused(at: reconciler.mirror.now())
        var deleted: [Gone] = []
        let before = answered
        answered = []
        calls.details = min(calls.details, max(0, try await reconciler.spareCalls()))
        var failure = await read(suspects + samples, access, &areMissing, &calls, &deleted)
        let answeredNow = answered
        answered.formUnion(before)
        if failure == nil, reconciler.options.repairs {
            failure = try await readUnverified(access, &areMissing, &calls, &deleted)
        }
        if areMissing {
            // What Zoho does not give is not outstanding.
            findings.remark = MissingDetails(of: mapping).description
            findings.obstacle = findings.obstacle ?? "Zoho does not provide them individually."
            findings.outstanding = 0
            unverified = nil
        }
        findings.unconfirmed += suspects.count { !answeredNow.contains($0) }
        findings.unread += areMissing ? 0 : samples.count { !answeredNow.contains($0) }
        try await settle(deleted)
        if let failure { throw failure }
    }

    /// Reads records individually; a record that Zoho fails to give costs itself alone.
    ///
    /// - Parameters:
    ///   - access: what is known of how Zoho gives the records.
    ///   - areMissing: whether it gives none individually.
    /// - Returns: why it is pointless to read on.
    mutating func read(
        _ ids: [String], _ access: DetailAccess, _ areMissing: inout Bool, _ calls: inout ReconciliationCalls,
        _ deleted: inout [Gone]
    ) async -> (any Error)? {
        let reader = DetailReader(
            client: reconciler.client.counted(by: calls.counter), mirror: reconciler.mirror, mapping: mapping,
            access: access)
        var queue = ids[...]
        var isAtEnd = areMissing
        var failure: (any Error)?
        await withTaskGroup(of: Reading.self) { group in
            var underWay = 0
            func proceed() {
                while !isAtEnd, failure == nil, underWay < reconciler.client.inFlight {
                    let (ids, reserved) = reader.nextGroup(&queue, left: calls.left, uncertain: extras)
                    guard !ids.isEmpty else { return }
                    calls.details -= reserved
                    underWay += 1
                    let askedAt = reconciler.mirror.now()
                    group.addTask {
                        do {
                            let answer = try await reader.answer(to: ids)
                            return Reading(ids: ids, reserved: reserved, askedAt: askedAt, result: .success(answer))
                        } catch {
                            return Reading(ids: ids, reserved: reserved, askedAt: askedAt, result: .failure(error))
                        }
                    }
                }
            }
            proceed()
            while let reading = await group.next() {
                underWay -= 1
                do {
                    let answer = try reading.result.get()
                    calls.details += reading.reserved - answer.calls
                    findings.obstacle = findings.obstacle ?? answer.refused.values.first.map { "\($0)" }
                    if let gone = try await judge(answer, askedAt: reading.askedAt) { deleted.append(gone) }
                    let unread = Set(answer.unread)
                    answered.formUnion(reading.ids.filter { answer.refused[$0] == nil && !unread.contains($0) })
                    refused.formUnion(answer.refused.keys)
                    if let obstacle = answer.obstacle { throw obstacle }
                } catch let error as ZohoBooksError where error.kind == .allowance {
                    isAtEnd = true
                } catch let error as ZohoBooksError where error.kind == .endpointMissing {
                    isAtEnd = true
                    areMissing = true
                } catch  where error.concernsOneRecord {
                    findings.obstacle = findings.obstacle ?? "\(error)"
                    refused.formUnion(reading.ids)
                } catch {
                    failure = failure ?? error
                    group.cancelAll()
                }
                proceed()
            }
        }
        return failure
    }

    /// Compares records with their rows and children, or repairs these.
    ///
    /// - Returns: what has a row and is gone.
    private mutating func judge(_ answer: DetailAnswer, askedAt: Int64) async throws -> Gone? {
        let mirror = reconciler.mirror
        let repairs = reconciler.options.repairs
        var batch = Batch(mapping, origin: .repair(run: run.id, askedAt: askedAt))
        // A contact that has become a vendor is gone as a customer.
        var gone = answer.gone
        var goneAt = answer.goneAt
        for record in answer.records {
            let observedAt = Timestamp.instant(of: record.observedAt)
            if (try? mapping.owns(record.json)) ?? true {
                batch.add(record.json, shape: .detail, observedAt: observedAt)
            } else if let id = mapping.id(of: record.json) {
                gone.append(id)
                goneAt = min(goneAt ?? observedAt, observedAt)
            }
        }
        // Some columns come only with the list, such as a price list's time.
        batch.records = batch.records.map { record in
            said[record.id].map { record.completed(by: $0, modifiedColumn: mapping.modifiedColumn) } ?? record
        }
        let candidate = batch
        let result = try await uncancelled {
            repairs ? try await mirror.apply(candidate) : try await mirror.rehearse(candidate)
        }
        let tables = Set(mapping.children.map(\.child.table))
        let drift = result.changes.map { Drift($0, childTables: tables, isRepaired: repairs) }
        note(drift)
        // Starting over with what is being read would come to no end.
        if unverified == nil, drift.contains(where: { $0.isHidden(in: hidden[$0.zohoID] ?? []) }) {
            unverified = UnverifiedDetails(through: try await mirror.lastRow(of: mapping))
        }
        note(result.refused.compactMap(\.zohoID).map { Drift($0, .unreadable, isRepaired: false) })
        compared.formUnion(batch.records.map(\.id))
        findings.detailsCompared = compared.count
        for record in batch.records where extras.contains(record.id) {
            isUnsettled = true
            if moved.insert(record.id).inserted { findings.moved.append(record.id) }
        }
        if repairs { run.progress.add(result) }

        let present = try await mirror.present(gone, of: mapping)
        guard !present.isEmpty, let goneAt else { return nil }
        return Gone(ids: present.sorted(), at: goneAt)
    }

    /// Says what is gone, and marks it as deleted where that is asked for and they are not too many.
    private mutating func settle(_ deleted: [Gone]) async throws {
        let ids = deleted.flatMap(\.ids)
        let marks = allowsDeletions(of: ids) && reconciler.options.repairs
        note(ids.map { Drift($0, .extra, isRepaired: marks) })
        guard marks else { return }
        gone.formUnion(ids)
        let (mirror, mapping, origin) = (reconciler.mirror, mapping, Origin.run(run.id))
        for part in deleted {
            let number = try await uncancelled {
                try await mirror.markDeleted(part.ids, of: mapping, observedAt: part.at, origin: origin)
            }
            run.progress.counts[.deleted, default: 0] += number
        }
    }

    private mutating func note(_ drift: [Drift]) {
        guard !drift.isEmpty else { return }
        findings.add(drift)
        isUnsettled = true
    }
}

extension DetailReader {
    /// Takes the ids of the next call from a queue, as many as the calls that are left allow.
    ///
    /// - Parameter uncertain: ids that may not exist, each of which costs another call then.
    /// - Returns: the ids, and the calls to set aside for them.
    fileprivate func nextGroup(
        _ queue: inout ArraySlice<String>, left: Int, uncertain: Set<String>
    ) -> (ids: [String], reserved: Int) {
        guard left > 0 else { return ([], 0) }
        var ids: [String] = []
        var reserved = 1
        guard readsGroups, !(queue.first.map(Self.isNonNumeric) ?? false) else {
            return (queue.popFirst().map { [$0] } ?? [], reserved)
        }
        while ids.count < size, let id = queue.first, !Self.isNonNumeric(id) {
            let cost = uncertain.contains(id) ? 1 : 0
            guard reserved + cost <= left else { break }
            reserved += cost
            ids.append(id)
            queue.removeFirst()
        }
        return (ids, reserved)
    }
}

import Catalog
import Database

/// One application of a batch, inside its transaction.
final class Application {
    let mapping: EntityMapping
    let transaction: any SQLTransaction
    let origin: Origin
    /// Microseconds since 1970.
    let time: Int64
    let rejected: [RejectedRecord]
    private let records: [MappedRecord]
    private let duplicates: Int
    /// Records of deliveries of which nobody can tell whether they are what Zoho said last.
    var contested: Set<String>
    private var stale: Set<String> = []
    private var changes: [[SQLValue]] = []
    /// Errors that are no record's own, each of a record that had it alone.
    private var faults: [DatabaseError] = []
    /// Child tables of which it is known that every row can be seen, by their position.
    var seenChildren: Set<Int> = []
    /// When a run last looked at the entity; nil while nobody has asked.
    private var lastLook: Int64?

    init(_ batch: Batch, _ transaction: any SQLTransaction, time: Int64) {
        mapping = batch.mapping
        self.transaction = transaction
        self.time = time
        origin = batch.origin
        rejected = batch.rejected
        (records, duplicates, contested) = Self.newest(of: batch.records)
        if !batch.origin.isDelivery { contested = [] }
    }

    func run() throws -> ApplyResult {
        let result = try applyRecords()
        try writeLog()
        return result
    }

    /// Applies the records and leaves the change log to be written.
    func applyRecords() throws -> ApplyResult {
        var result = ApplyResult()
        for record in records {
            for fault in record.faults { result.faults.append((record.id, fault)) }
        }
        result.count(.unchanged, duplicates)
        var refused = rejected
        try apply(records[...], &result, &refused)
        // What no record gets past is no record's fault. Of one alone nobody can tell, unless it is its trigger's; what the
        // inbox tries again by itself may still do then.
        if let fault = faults.first, faults.count == records.count,
            records.count > 1 || fault.kind != .trigger || origin.isFromInbox
        {
            throw fault
        }
        result.count(.failed, refused.count)
        result.contested = contested.subtracting(refused.compactMap(\.id))
        result.refused = try transaction.bury(refused, of: mapping.entity.name, origin: origin, time: time)
        let buried = Set(refused.compactMap(\.id))
        try transaction.resolveDeadLetters(
            of: mapping.entity.name, by: records.filter { !buried.contains($0.id) && !stale.contains($0.id) },
            isRead: !origin.isDelivery, time: time)
        result.stale = stale
        result.changes = logged
        return result
    }

    /// What waits to be written to the change log.
    var logged: [RecordChange] { changes.compactMap { RecordChange($0) } }

    /// Adds to the change log, which is written at the end.
    func log(_ change: [SQLValue]) { changes.append(change) }

    /// Writes the change log as late as possible: the order of its numbers is made the order of commits by a lock that
    /// is held until the transaction ends.
    func writeLog() throws {
        guard !changes.isEmpty else { return }
        // What is new is repeated nowhere yet.
        let insertion = SQLValue.text(Outcome.inserted.rawValue)
        try outdateRepetitions(of: changes.filter { $0[2] != insertion }.compactMap { RecordChange($0) })
        try transaction.lockNumbering()
        try transaction.insert(changes, into: "sync_changes", columns: Self.changeColumns)
        try transaction.notify(Mirror.changeChannel)
        changes = []
    }

    /// Lists can hold a record twice (reference, section 6.5), and so can deliveries; the newer of the two counts.
    ///
    /// Contested are those of which two that say different things are of the same time.
    private static func newest(
        of records: [MappedRecord]
    ) -> ([MappedRecord], duplicates: Int, contested: Set<String>) {
        var contested: Set<String> = []
        var kept: [MappedRecord] = []
        kept.reserveCapacity(records.count)
        var positions: [String: Int] = [:]
        positions.reserveCapacity(records.count)
        for record in records {
            guard let position = positions[record.id] else {
                positions[record.id] = kept.count
                kept.append(record)
                continue
            }
            let other = kept[position]
            let isOlder =
                if let time = record.modifiedAt, let otherTime = other.modifiedAt, time != otherTime {
                    time < otherTime
                } else {
                    record.observedAt < other.observedAt
                }
            if record.modifiedAt == other.modifiedAt, record.raw != other.raw { contested.insert(record.id) }
            if !isOlder { kept[position] = record }
        }
        return (kept, records.count - kept.count, contested)
    }

    /// Applies records as a set and, where the database refuses one of them, each half by itself.
    private func apply(
        _ records: ArraySlice<MappedRecord>, _ result: inout ApplyResult, _ refused: inout [RejectedRecord]
    ) throws {
        guard let first = records.first else { return }
        do {
            for (outcome, number) in try attempt(records) { result.count(outcome, number) }
        } catch let error as DatabaseError where error.concernsStatement {
            guard records.count == 1 else {
                let middle = records.startIndex + records.count / 2
                try apply(records[..<middle], &result, &refused)
                try apply(records[middle...], &result, &refused)
                return
            }
            // Another process may have inserted the same record meanwhile; seen now, it is an update.
            do {
                for (outcome, number) in try attempt(records) { result.count(outcome, number) }
            } catch let error as DatabaseError where error.concernsStatement {
                let error = try explained(error, of: first)
                if error.kind != .record { faults.append(error) }
                refused.append(
                    RejectedRecord(
                        id: first.id, shape: first.shape, raw: first.raw, observedAt: first.observedAt,
                        reason: error.reason, code: error.code))
            }
        }
    }

    /// Applies records as a set, all or nothing.
    private func attempt(_ records: ArraySlice<MappedRecord>) throws -> [Outcome: Int] {
        let logged = changes.count
        do {
            return try transaction.savepoint { try applySet(records) }
        } catch {
            changes.removeSubrange(logged...)
            throw error
        }
    }

    private func applySet(_ records: ArraySlice<MappedRecord>) throws -> [Outcome: Int] {
        var counts: [Outcome: Int] = [:]
        var inserts: [Write] = []
        var candidates: [Write] = []
        var settled: [Int64] = []
        var overtaken: [Write] = []
        for write in try writes(of: records) {
            let record = write.record
            switch write.decision {
            case .restore where origin.isDelivery:
                // A deletion was confirmed by a call; a delivery that came late must not take that back.
                contested.insert(record.id)
                stale.insert(record.id)
                counts[.stale, default: 0] += 1
            case .insert: inserts.append(write)
            case .compare, .restore: candidates.append(write)
            case .settle where !isFinal(record): candidates.append(write)
            case .settle:
                if let rowID = write.stored?.rowID { settled.append(rowID) }
                counts[.unchanged, default: 0] += 1
            case .unchanged:
                if renews(write), let rowID = write.stored?.rowID { settled.append(rowID) }
                counts[.unchanged, default: 0] += 1
            case .stale:
                if origin.isDelivery, write.isOfTheSameMoment { overtaken.append(write) }
                stale.insert(record.id)
                counts[.stale, default: 0] += 1
            }
        }
        counts[.inserted] = inserts.count
        try insert(inserts)
        for (outcome, number) in try update(candidates) { counts[outcome, default: 0] += number }
        try settle(settled)
        for id in try different(overtaken) { contested.insert(id) }
        return counts
    }

    /// What is to be done with each record; rows that may have to be written are locked.
    private func writes(of records: ArraySlice<MappedRecord>) throws -> [Write] {
        // Most of what a list shows is what the rows hold already, and a lock writes to each row's page.
        let isLocking = if case .run = origin { transaction.dialect.forUpdate.isEmpty } else { true }
        let stored = try transaction.storedStates(of: records.map(\.id), mapping, isLocking: isLocking)
        var writes = records.map { Write($0, mapping, stored: stored[$0.id], origin, at: time) }
        guard !isLocking else { return writes }
        let touched = writes.indices.filter { writes[$0].stored != nil && !isSettled(writes[$0]) }
        guard !touched.isEmpty else { return writes }
        let locked = try transaction.storedStates(of: touched.map { writes[$0].record.id }, mapping, isLocking: true)
        for index in touched { writes[index].decide(locked[writes[index].record.id], origin, at: time) }
        return writes
    }

    /// Whether nothing is to be written.
    private func isSettled(_ write: Write) -> Bool { write.decision == .unchanged && !renews(write) }

    /// When a run last looked at the entity, in microseconds since 1970; it may have confirmed rows without writing them.
    func lookedAt() throws -> Int64 {
        if let lastLook { return lastLook }
        let row = try transaction.query(
            """
            select max(coalesce(finished_at, $1))
            from (select finished_at from sync_runs where entity = $2 order by id desc limit 10) as latest
            """, [.instant(time), .text(mapping.entity.name)]
        ).first
        let look = row?.instant(0) ?? 0
        lastLook = look
        return look
    }

    /// Whether an unchanged detail record proves anew what was about to count as too old.
    func renews(_ write: Write) -> Bool {
        guard write.record.shape == .detail, let lifetime = mapping.entity.module.detailLifetime,
            let syncedAt = write.stored?.detailSyncedAt
        else { return false }
        return time - syncedAt > Int64(lifetime) * 1_000_000 / 2
    }

    /// Notes that an unchanged detail record leaves no detail outstanding.
    private func settle(_ rowIDs: [Int64]) throws {
        guard !rowIDs.isEmpty else { return }
        let settled = try transaction.execute(
            """
            update \(mapping.entity.name) set detail_due = $1, detail_synced_at = $2
            where \(transaction.dialect.contains("id", "$3"))
            """, [.boolean(false), .instant(time), .integers(rowIDs)])
        try expect(settled, of: rowIDs.count, in: mapping.entity.name)
    }
}

extension DatabaseError {
    /// What a letter says.
    fileprivate var reason: String { advice.isEmpty ? message : "\(message). \(advice)" }
}

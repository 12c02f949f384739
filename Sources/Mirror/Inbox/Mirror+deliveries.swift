package import Catalog
import Database
package import ZohoBooks

extension Mirror {
    /// Applies records that were delivered and takes them out of the inbox, in one transaction.
    ///
    /// Of several deliveries of one record the newest counts. Where nobody can tell which is the newest, the record is
    /// marked to be read again. Entries that another worker has claimed meanwhile are left to that worker.
    package func apply(_ entries: [InboxEntry], of mapping: EntityMapping) async throws -> ApplyResult {
        let batch = Self.batch(of: entries, mapping)
        let time = now()
        return try await database.write { transaction in
            let held = try transaction.removeFromInbox(entries)
            let application = Application(
                held.count == entries.count ? batch : Self.batch(of: held, mapping), transaction, time: time)
            let result = try application.applyRecords()
            _ = try transaction.mark(
                result.contested, of: mapping, .interactive, time: time, delay: Self.coalescingDelay
            ) { application.origin.delivery(of: $0)?.requestID }
            try application.writeLog()
            return result
        }
    }

    private static func batch(of entries: [InboxEntry], _ mapping: EntityMapping) -> Batch {
        // The later one's reference stays: it is the one that counts where times do not tell.
        let references = Dictionary(entries.map { ($0.zohoID, $0.reference) }, uniquingKeysWith: { $1 })
        var batch = Batch(mapping, origin: .deliveries(references))
        for entry in entries {
            if let record = entry.record { batch.add(record, shape: .detail, observedAt: entry.receivedAt) }
        }
        return batch
    }
}

/// What Zoho answered where entries of the inbox asked for records.
package struct Reading: Sendable {
    /// What it gave, with the time of each answer in microseconds since 1970.
    package let records: [(json: RawJSON, observedAt: Int64)]
    /// The ids that it says do not exist.
    package let gone: [String]
    /// When it said so, in microseconds since 1970.
    package let goneAt: Int64

    package init(records: [(json: RawJSON, observedAt: Int64)], gone: [String], goneAt: Int64) {
        self.records = records
        self.gone = gone
        self.goneAt = goneAt
    }
}

/// What became of a reading.
package struct ReadingResult: Sendable {
    /// For each entity that has a part in it.
    package var outcomes: [(entity: String, result: ApplyResult)] = []
    /// Entries of which the reading says nothing; they are still claimed.
    package var unanswered: [InboxEntry] = []
    /// Entries about records that the reading says are gone, and that were seen later than that; they are still
    /// claimed.
    package var contradicted: [InboxEntry] = []
}

extension Mirror {
    /// Applies what was read because entries of the inbox asked for it, marks what is gone, and takes the entries out
    /// of the inbox, all in one transaction.
    ///
    /// A record goes to the entity of the module that it belongs to, whichever was asked for; one that is gone is gone
    /// from all of them.
    package func apply(
        _ reading: Reading, for entries: [InboxEntry], of mapping: EntityMapping
    ) async throws -> ReadingResult {
        let references = Dictionary(entries.map { ($0.zohoID, $0.reference) }, uniquingKeysWith: { $1 })
        let batches = Catalog.entities(of: mapping.entity.module).map { sibling in
            var batch = Batch(sibling, origin: .reading(references))
            for record in reading.records
            where (try? sibling.owns(record.json)) ?? (sibling.entity.name == mapping.entity.name) {
                batch.add(record.json, shape: .detail, observedAt: record.observedAt)
            }
            return batch
        }
        let gone = Set(reading.gone)
        let answered = batches.reduce(into: gone) { ids, batch in
            ids.formUnion(batch.records.map(\.id))
            ids.formUnion(batch.rejected.compactMap(\.id))
        }
        let time = now()
        return try await database.write { transaction in
            var result = ReadingResult()
            result.unanswered = entries.filter { !answered.contains($0.zohoID) }
            var applications: [Application] = []
            var contradicted: Set<String> = []
            var deleted = 0
            for batch in batches {
                if let tombstones = try Self.tombstones(gone, entries, batch.mapping, references, transaction) {
                    let application = Application(tombstones, transaction, time: time)
                    _ = try application.applyRecords()
                    applications.append(application)
                }
                let application = Application(batch, transaction, time: time)
                var outcome = try application.applyRecords()
                let marks = try application.markDeleted(reading.gone, observedAt: reading.goneAt)
                outcome.count(.deleted, marks.marked)
                outcome.changes = application.logged
                deleted += marks.marked
                contradicted.formUnion(marks.contradicted)
                applications.append(application)
                result.outcomes.append((batch.mapping.entity.name, outcome))
            }
            if let asked = result.outcomes.firstIndex(where: { $0.entity == mapping.entity.name }) {
                result.outcomes[asked].result.count(.unchanged, gone.count - deleted - contradicted.count)
            }
            result.contradicted = entries.filter { contradicted.contains($0.zohoID) }
            _ = try transaction.removeFromInbox(
                entries.filter { answered.contains($0.zohoID) && !contradicted.contains($0.zohoID) })
            // Last, because of the lock under which changes are numbered.
            for application in applications { try application.writeLog() }
            return result
        }
    }

    /// A record that came into being and went before the mirror saw it gets a row from its deletion's body: without
    /// one, a late delivery of its creation would bring it to life.
    private static func tombstones(
        _ gone: Set<String>, _ entries: [InboxEntry], _ mapping: EntityMapping,
        _ references: [String: DeliveryReference], _ transaction: any SQLTransaction
    ) throws -> Batch? {
        let bodies = entries.filter { $0.record != nil && gone.contains($0.zohoID) }
        guard !bodies.isEmpty else { return nil }
        let known = try transaction.storedStates(of: bodies.map(\.zohoID), mapping, isLocking: false)
        var batch = Batch(mapping, origin: .reading(references))
        for entry in bodies where known[entry.zohoID] == nil {
            if let record = entry.record, (try? mapping.owns(record)) == true {
                batch.add(record, shape: .detail, observedAt: entry.receivedAt)
            }
        }
        return batch
    }
}

import Catalog

/// One record on its way into its row.
struct Write {
    let record: MappedRecord
    private(set) var decision: Decision
    private(set) var stored: StoredState?
    /// The record's own content hash.
    let fingerprint: Fingerprint
    /// The hash over the record's child rows, where it says all of them.
    let childHash: UInt64?

    /// - Parameter time: the present, in microseconds since 1970.
    init(
        _ record: MappedRecord, _ mapping: EntityMapping, stored: StoredState?, _ origin: Origin, at time: Int64
    ) {
        self.record = record
        fingerprint = mapping.fingerprint(
            record.cells, children: mapping.fingerprint(children: record.children.map { $0 ?? [] }))
        childHash = record.unsaid.allSatisfy(\.isEmpty) ? fingerprint.children : nil
        decision = .insert
        decide(stored, origin, at: time)
    }

    /// Decides by what the mirror holds now.
    mutating func decide(_ stored: StoredState?, _ origin: Origin, at time: Int64) {
        self.stored = stored
        decision =
            if let stored, origin.overrides(observedAt: stored.observedAt, at: time) {
                stored.isDeleted ? .restore : .compare
            } else {
                .on(
                    record, summary: fingerprint.summary, detail: fingerprint.detail, children: childHash,
                    saysChildren: record.children.contains { $0 != nil }, stored: stored)
            }
    }

    func childSet(of parent: Int64) -> ChildSet {
        ChildSet(parent: parent, children: record.children, unsaid: record.unsaid)
    }

    /// For how long deliveries may overtake each other: as long as Zoho tries again by default, in microseconds.
    static let overtakingWindow: Int64 = 600_000_000

    /// The row, where it is complete and of the same second as the record.
    private var twin: StoredState? {
        guard let stored, !stored.isDeleted, stored.hasDetail else { return nil }
        let isSameTime = record.modifiedAt == nil || stored.modifiedAt == nil || record.modifiedAt == stored.modifiedAt
        return isSameTime ? stored : nil
    }

    /// Whether the record and the row are of the same second and were told shortly after each other, so that the order
    /// in which deliveries arrived need not be the order in which Zoho said them.
    var isOfTheSameMoment: Bool {
        twin.map { abs(record.observedAt - $0.observedAt) < Self.overtakingWindow } ?? false
    }

    /// Whether Zoho may have said what the row holds after it said what the record says.
    ///
    /// - Parameter look: when a run last looked at the entity. What it found confirmed it has not written.
    func mayBeOvertaken(by look: Int64) -> Bool {
        twin.map { record.observedAt - max($0.observedAt, look) < Self.overtakingWindow } ?? false
    }
}

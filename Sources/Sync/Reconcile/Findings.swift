import Catalog
package import Mirror
import ZohoBooks

/// What one entity's comparison has found, each record counted once however often it was listed.
package struct Findings: Sendable, Hashable {
    package private(set) var drift: [Drift] = []
    /// Ids of records that came twice in the list (reference, section 6.5).
    package internal(set) var duplicates: [String] = []
    /// Ids of records that the list left out although they exist: they moved to a page that was read already.
    package internal(set) var moved: [String] = []
    /// Suspects that could not be read to find out.
    package internal(set) var unconfirmed = 0
    /// Records whose details were to be compared although nothing seemed to differ, and could not be read.
    package internal(set) var unread = 0
    /// Rows whose detail the mirror lacks and that were not read to be compared.
    package internal(set) var outstanding = 0
    /// Rows that seem to be gone at the source and are too many to be marked as deleted without a person.
    package internal(set) var undecided = 0
    package internal(set) var listed = 0
    package internal(set) var rowsCompared = 0
    package internal(set) var detailsCompared = 0
    package internal(set) var calls = 0
    /// What a person has to decide.
    var question: String?
    /// Whether a person has to decide whether so many rows are gone.
    package var needsConsent: Bool { question != nil }
    /// What could not be compared and is no difference.
    var remark: String?
    /// Why the comparison ended early.
    var failure: String?
    /// Why a record could not be read; nil where no call was left for it.
    var obstacle: String?

    /// Where in ``drift`` a record stands.
    private var places: [String: Int] = [:]

    /// Records of the report at most; the counts are of all.
    private static let reported = 1_000

    package var counts: [Drift.Kind: Int] {
        Dictionary(grouping: drift, by: \.kind).mapValues(\.count)
    }

    package var state: Reconciliation.State {
        if failure != nil || question != nil || unconfirmed + unread + outstanding + undecided > 0 {
            return .incomplete
        }
        if drift.isEmpty { return .equal }
        return drift.allSatisfy(\.isRepaired) ? .repaired : .different
    }

    /// Why not everything could be compared, and what to do about it; nil where everything was.
    package var note: String? {
        let reason = obstacle ?? "No calls were left for them."
        let notes = [
            failure, question,
            unconfirmed > 0 ? "\(unconfirmed) records that seem to differ were not read. \(reason)" : nil,
            unread > 0 ? "\(unread) records whose details were to be compared were not read. \(reason)" : nil,
            outstanding > 0
                ? "\(outstanding) details outstanding: run zohosync sync, or compare them with --deep." : nil,
            remark,
        ]
        let said = notes.compactMap(\.self)
        return said.isEmpty ? nil : said.joined(separator: " ")
    }

    /// Adds what was found; a record that a later list shows to differ again is the same one.
    mutating func add(_ found: [Drift]) {
        for one in found {
            if let place = places[one.zohoID] {
                drift[place] = one
            } else {
                if !one.zohoID.isEmpty { places[one.zohoID] = drift.count }
                drift.append(one)
            }
        }
    }

    /// The findings as they are kept.
    ///
    /// - Parameter isRepairing: whether differences were to be repaired.
    func json(isRepairing: Bool) -> RawJSON {
        let others = [
            ("duplicated", duplicates.count), ("moved", moved.count), ("outstanding", outstanding),
            ("unconfirmed", unconfirmed + undecided), ("unread", unread),
        ].filter { $0.1 > 0 }
        let kinds = counts.map { ($0.key.rawValue, $0.value) }.sorted { $0.0 < $1.0 }
        let members = (kinds + others).map { "\"\($0)\":\($1)" }.joined(separator: ",")
        let records = drift.prefix(Self.reported).map { drift in
            """
            {"zoho_id":\(CanonicalJSON.quoted(drift.zohoID)),"kind":"\(drift.kind.rawValue)","fields":\(list(drift.fields)),\
            "repaired":\(drift.isRepaired)}
            """
        }.joined(separator: ",")
        let text = """
            {"repairing":\(isRepairing),"needs_consent":\(needsConsent),"counts":{\(members)},"records":[\(records)],\
            "duplicated":\(list(duplicates.prefix(Self.reported))),"moved":\(list(moved.prefix(Self.reported)))}
            """
        return RawJSON(ArraySlice(text.utf8))
    }

    private func list(_ texts: some Sequence<String>) -> String {
        "[\(texts.map { CanonicalJSON.quoted($0) }.joined(separator: ","))]"
    }
}

import Catalog
package import Mirror
import ZohoBooks

/// What one entity's comparison has found, each record counted once however often it was listed.
package struct Findings: Sendable, Hashable {
    /// The differences that a direct read has confirmed, each record once, repaired ones included.
    package private(set) var drift: [Drift] = []
    /// Ids of records that came twice in the list (reference, section 6.5).
    package internal(set) var duplicates: [String] = []
    /// Ids of records that the list left out although they exist: they moved to a page that was read already.
    package internal(set) var moved: [String] = []
    /// Suspects that could not be read, so that nobody knows whether they differ.
    package internal(set) var unconfirmed = 0
    /// Records whose details were to be compared although nothing seemed to differ, and could not be read.
    package internal(set) var unread = 0
    /// Rows whose detail the mirror lacks and that were not read to be compared.
    package internal(set) var outstanding = 0
    /// Records whose details were not compared although those of a sample have shown that details differ.
    package internal(set) var unproven = 0
    /// The rows to which these belong.
    var unverified: UnverifiedDetails?
    /// Records that seem equal and whose details were not compared.
    package internal(set) var detailsNotRead = 0
    /// Rows that seem to be gone at the source and are too many to be marked as deleted without a person.
    package internal(set) var undecided = 0
    /// Records that the list showed, in the pass that showed most.
    package internal(set) var listed = 0
    /// Rows whose columns were compared with the list, in the pass that compared most.
    package internal(set) var rowsCompared = 0
    /// Records whose details were compared, in all passes.
    package internal(set) var detailsCompared = 0
    /// Calls that were made for the module; 0 for its further entities.
    package internal(set) var calls = 0
    /// What a person has to decide.
    var question: String?
    /// Whether a person has to confirm that so many rows are gone.
    package var needsConsent: Bool { question != nil }
    /// What could not be compared and is no difference.
    var remark: String?
    /// Why the comparison ended early.
    var failure: String?
    /// Why a record could not be read; nil where no call was left for it.
    var obstacle: String?

    /// Where in ``drift`` a record stands.
    private var places: [String: Int] = [:]

    /// How many differences there are of each kind, repaired ones included; kinds without any are missing.
    package var counts: [Drift.Kind: Int] {
        Dictionary(grouping: drift, by: \.kind).mapValues(\.count)
    }

    /// What the comparison came to; incomplete where anything was left open, whatever else was found.
    package var state: Reconciliation.State {
        if failure != nil || question != nil || unconfirmed + unread + outstanding + undecided + unproven > 0 {
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
            unconfirmed > 0 ? "\(unconfirmed) records that seem to differ were not checked. \(reason)" : nil,
            unread > 0 ? "\(unread) records whose details should be compared were not read. \(reason)" : nil,
            outstanding > 0
                ? "\(outstanding == 1 ? "1 detail is" : "\(outstanding) details are") outstanding: run zohosync sync, or "
                    + "compare \(outstanding == 1 ? "it" : "them") with --deep. What could not be applied is listed by "
                    + "zohosync dead-letters." : nil,
            unproven > 0
                ? "Some details differ where lists do not show it, and those of \(unproven) records were not compared. "
                    + "Compare them with --deep." : nil,
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

    /// Adds what an earlier comparison found and this one did not look at.
    mutating func keep(_ earlier: [Drift]) { add(earlier.filter { places[$0.zohoID] == nil }) }
}

import Catalog
import Mirror
import ZohoBooks

extension Findings {
    /// How many records are stored with their fields, and how many ids for people, at most; the counts are of all.
    private static let reported = 1_000

    /// The findings as they are kept.
    ///
    /// Every record that is not repaired is named, because the next comparison reads it again.
    ///
    /// - Parameter isRepairing: whether differences were to be repaired.
    func json(isRepairing: Bool) -> RawJSON {
        let others = [
            ("duplicated", duplicates.count), ("moved", moved.count), ("outstanding", outstanding),
            ("unconfirmed", unconfirmed), ("undecided", undecided), ("unread", unread), ("unproven", unproven),
        ].filter { $0.1 > 0 }
        let kinds = counts.map { ($0.key.rawValue, $0.value) }.sorted { $0.0 < $1.0 }
        let members = (kinds + others).map { "\"\($0)\":\($1)" }.joined(separator: ",")
        let records = drift.prefix(Self.reported).map { drift in
            """
            {"zoho_id":\(CanonicalJSON.quoted(drift.zohoID)),"kind":"\(drift.kind.rawValue)","fields":\(list(drift.fields)),\
            "repaired":\(drift.isRepaired)}
            """
        }.joined(separator: ",")
        let further = drift.dropFirst(Self.reported).filter { !$0.isRepaired && !$0.zohoID.isEmpty }.map(\.zohoID)
        let text = """
            {"repairing":\(isRepairing),"needs_consent":\(needsConsent),"open":\(drift.count { !$0.isRepaired }),\
            "unfinished":\(failure != nil || unconfirmed > 0),"doubts":\(unverified?.json ?? "null"),\
            "counts":{\(members)},"records":[\(records)],"further":\(list(further)),\
            "duplicated":\(list(duplicates.prefix(Self.reported))),"moved":\(list(moved.prefix(Self.reported)))}
            """
        return RawJSON(ArraySlice(text.utf8))
    }

    private func list(_ texts: some Sequence<String>) -> String {
        "[\(texts.map { CanonicalJSON.quoted($0) }.joined(separator: ","))]"
    }
}

extension Reconciliation {
    /// What differed and was not repaired.
    var open: [Drift] {
        let found = try? drift.read { view -> [Drift] in
            var found: [Drift] = []
            try view.member("records")?.elements { record in
                guard let id = try record.member("zoho_id")?.text(), !id.isEmpty,
                    let kind = try record.member("kind").flatMap({ Drift.Kind(rawValue: try $0.text()) }),
                    try record.member("repaired")?.text() == "false"
                else { return }
                var fields: [String] = []
                try record.member("fields")?.elements { fields.append(try $0.text()) }
                found.append(Drift(id, kind, fields: fields, isRepaired: false))
            }
            try view.member("further")?.elements { found.append(Drift(try $0.text(), .different, isRepaired: false)) }
            return found
        }
        return found ?? []
    }
}

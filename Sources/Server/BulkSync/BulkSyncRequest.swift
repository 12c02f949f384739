import Catalog
import HTTPTypes
import Sync
import ZohoBooks

/// The body of a request for a sync.
struct BulkSyncRequest: Sendable, Hashable {
    private(set) var options = SyncOptions()

    /// Reads a body; an empty one asks for the defaults.
    ///
    /// - Parameter entities: what to synchronise; empty for everything.
    /// - Throws: ``Problem`` with every field that cannot be used and why.
    init(_ body: [UInt8], entities: [String]) throws(Problem) {
        options.entities = entities
        guard body.contains(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else { return }
        var faults: [Problem.Fault] = []
        var seen: Set<String> = []
        do {
            try RawJSON(body[...]).read { root in
                try root.members { key, value in
                    let name = try JSONView.text(ofKey: key)
                    if !seen.insert(name).inserted {
                        faults.append(.init(field: name, reason: "is given twice"))
                    } else if let reason = try take(name, value) {
                        faults.append(.init(field: name, reason: reason))
                    }
                }
            }
        } catch {
            throw Problem(.badRequest, "The body is not a JSON object: \(error).")
        }
        if !faults.isEmpty { throw .unprocessable(faults) }
    }

    private static let fields = [
        "incremental", "modified_since", "batch_size", "active_only", "with_stock_only", "sync_images",
    ]

    /// Takes one field.
    ///
    /// - Returns: why it cannot be used; nil where it can.
    private mutating func take(_ name: String, _ value: JSONView) throws -> String? {
        func flag(_ set: (inout SyncOptions, Bool) -> Void) -> String? {
            guard case .bool(let flag) = value.kind else { return "must be true or false" }
            set(&options, flag)
            return nil
        }
        switch name {
        case "incremental": return flag { $0.mode = $1 ? .incremental : .full }
        case "active_only": return flag { $0.isActiveOnly = $1 }
        case "with_stock_only": return flag { $0.isWithStockOnly = $1 }
        case "sync_images": return flag { $0.includesImages = $1 }
        case "batch_size":
            guard value.kind == .number, let size = Int(try value.text()), (10...200).contains(size) else {
                return "must be a whole number from 10 to 200"
            }
            options.batchSize = size
            return nil
        case "modified_since":
            if value.kind == .null { return nil }
            guard value.kind == .string, let instant = CivilTime.instant(dayOrInstant: try value.text()) else {
                return "must be a day (2025-11-01) or an instant (2025-11-01T08:00:00+0100)"
            }
            options.modifiedSince = instant
            return nil
        default: return "is not known; choose from \(Self.fields.joined(separator: ", "))"
        }
    }
}

/// The `Prefer: wait=N` of RFC 7240.
enum WaitPreference {
    /// The longest that a request may wait, in seconds: proxies give up after that.
    static let longest = 300

    /// Seconds to wait; nil where the caller does not ask for it.
    static func seconds(in header: String?) -> Int? {
        guard let header else { return nil }
        for preference in header.split(whereSeparator: { $0 == "," || $0 == ";" }) {
            let parts = preference.split(separator: "=", maxSplits: 1).map { $0.trimmed }
            if parts.count == 2, parts[0].lowercased() == "wait", let seconds = Int(parts[1]), seconds >= 0 {
                return min(seconds, longest)
            }
        }
        return nil
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}

import Catalog
import Hummingbird

/// Reads the parameters of a query and collects everything that is wrong with them.
struct QueryReader {
    private let pairs: FormPairs
    private var faults: [Problem.Fault] = []

    init(_ request: Request, known: [String]) {
        pairs = FormPairs(request.uri.query ?? "")
        for pair in pairs.pairs where !known.contains(pair.key) {
            refuse(pair.key, "is not known; choose from \(known.joined(separator: ", "))")
        }
    }

    subscript(_ name: String) -> String? { pairs[name] }

    mutating func refuse(_ name: String, _ reason: String) {
        faults.append(Problem.Fault(field: name, reason: reason))
    }

    /// A whole number; nil where it is missing or refused.
    mutating func number(_ name: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = pairs[name] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            let end = range.upperBound == Int.max ? "" : " to \(range.upperBound)"
            refuse(name, "must be a whole number from \(range.lowerBound)\(end)")
            return nil
        }
        return number
    }

    /// The name of an entity; nil where it is missing or refused.
    mutating func entity() -> String? {
        guard let text = pairs["entity"] else { return nil }
        let name = text.replacing("-", with: "_")
        guard Catalog.entity(named: name) != nil else {
            refuse("entity", "must be one of \(Catalog.entities.map(\.entity.name).joined(separator: ", "))")
            return nil
        }
        return name
    }

    /// Throws a ``Problem`` where anything was refused.
    func finish() throws(Problem) {
        if !faults.isEmpty { throw .unprocessable(faults) }
    }
}

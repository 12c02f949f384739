import Foundation

extension Int {
    /// With a comma between thousands: `1,312`.
    var grouped: String {
        let digits = String(magnitude)
        var groups: [Substring] = []
        var rest = digits[...]
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        return (self < 0 ? "-" : "") + ([rest] + groups).joined(separator: ",")
    }

    /// In five characters at most: `9,999`, `12.3k`, `1.31M`.
    var abridged: String {
        guard magnitude >= 10_000 else { return grouped }
        for (unit, suffix) in [(1_000, "k"), (1_000_000, "M")] {
            let value = Double(self) / Double(unit)
            guard value < 999.5 else { continue }
            return String(format: value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value) + suffix
        }
        return "\((self / 1_000_000).grouped)M"
    }
}

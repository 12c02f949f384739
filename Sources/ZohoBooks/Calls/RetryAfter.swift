import Foundation

/// Reads `Retry-After`, which holds seconds or a date (RFC 9110, section 10.2.3).
enum RetryAfter {
    private static let longest = 86_400
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// How long to wait: from 0 to a day; nil for what is neither seconds nor a date.
    static func duration(_ header: String, at now: Date) -> Duration? {
        if let seconds = Int(header.trimmingCharacters(in: .whitespaces)) {
            return .seconds(min(max(0, seconds), longest))
        }
        guard let date = date(header) else { return nil }
        return .seconds(min(max(0, date.timeIntervalSince(now)), Double(longest)))
    }

    /// Reads `Wed, 21 Oct 2015 07:28:00 GMT`, the one form that may still be sent.
    static func date(_ text: String) -> Date? {
        let parts = text.split(separator: " ").map(String.init)
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: parts[2]) else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return try? Date("\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z", strategy: .iso8601)
    }
}

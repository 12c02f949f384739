package import Foundation

/// When a task is due again.
package enum Trigger: Sendable, Hashable, CustomStringConvertible {
    case off
    /// Seconds between two beginnings, 60 to 2,678,400.
    case every(Int)
    case cron(CronExpression)

    private static let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
    private static let intervals = 60...31 * 86_400

    /// Reads `off`, an interval such as `15m` or `1h30m`, or a cron expression; nil where it is none of them.
    package init?(_ text: String) {
        let text = text.trimmingCharacters(in: .whitespaces)
        if text.lowercased() == "off" {
            self = .off
        } else if let seconds = Self.seconds(text), Self.intervals.contains(seconds) {
            self = .every(seconds)
        } else if let expression = CronExpression(text) {
            self = .cron(expression)
        } else {
            return nil
        }
    }

    private static func seconds(_ text: String) -> Int? {
        var sum = 0
        var digits = ""
        for character in text {
            if character.isASCII, character.isNumber, digits.count < 7 {
                digits.append(character)
            } else if let unit = units[character], let number = Int(digits) {
                sum += number * unit
                digits = ""
            } else {
                return nil
            }
        }
        return digits.isEmpty && sum > 0 ? sum : nil
    }

    package var description: String {
        switch self {
        case .off: "off"
        case .every(let seconds):
            [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")].reduce(("", seconds)) { result, unit in
                let (number, rest) = result.1.quotientAndRemainder(dividingBy: unit.0)
                return (number > 0 ? "\(result.0)\(number)\(unit.1)" : result.0, rest)
            }.0
        case .cron(let expression): expression.description
        }
    }

    /// When it is due after it began at a time.
    ///
    /// - Parameter factor: how many times as long an interval is.
    package func next(after date: Date, in zone: TimeZone, factor: Int = 1) -> Date? {
        switch self {
        case .off: nil
        case .every(let seconds): date.addingTimeInterval(Double(seconds * factor))
        case .cron(let expression): expression.next(after: date, in: zone)
        }
    }

    /// How often a day it is due, on average over four weeks.
    package func timesPerDay(factor: Int = 1) -> Double {
        switch self {
        case .off: return 0
        case .every(let seconds): return 86_400 / Double(seconds * factor)
        case .cron(let expression):
            let days = 28.0
            // A Monday; summer time makes no difference to a count.
            let start = Date(timeIntervalSince1970: 1_772_409_600 - 60)
            var (time, count) = (start, 0.0)
            while let next = expression.next(after: time, in: .gmt),
                next.timeIntervalSince(start) <= days * 86_400
            {
                (time, count) = (next, count + 1)
            }
            return count / days
        }
    }

    /// How late, in seconds, it may begin so that not everything begins at once: a tenth of its interval, so that it is
    /// over before the next time, and five minutes at most.
    ///
    /// - Parameter time: when it is due.
    package func jitter(at time: Date, in zone: TimeZone) -> Double {
        switch self {
        case .off: 0
        case .every(let seconds): min(Double(seconds) / 10, 300)
        case .cron(let expression):
            expression.next(after: time, in: zone).map { min($0.timeIntervalSince(time) / 10, 300) } ?? 300
        }
    }
}

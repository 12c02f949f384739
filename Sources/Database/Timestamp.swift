package import Foundation

/// Instants as ISO 8601 text in UTC, the one spelling in which SQLite's rows hold them and in which people see them.
package enum Timestamp {
    /// Microseconds of a day.
    package static let day: Int64 = 86_400_000_000

    /// A date as microseconds since 1970.
    package static func instant(of date: Date) -> Int64 { Int64(date.timeIntervalSince1970 * 1_000_000) }

    /// Writes microseconds since 1970 as `2026-03-02T15:40:51Z`, with six digits of a fraction where there is one.
    package static func text(_ instant: Int64) -> String {
        let days = Int((instant >= 0 ? instant : instant - day + 1) / day)
        let rest = instant - Int64(days) * day
        let seconds = Int(rest / 1_000_000)
        let fraction = Int(rest % 1_000_000)
        let (year, month, dayOfMonth) = civil(days)
        let isWhole = fraction == 0
        return String(unsafeUninitializedCapacity: isWhole ? 20 : 27) { buffer in
            func put(_ number: Int, _ digits: Int, at start: Int) {
                var rest = number
                for index in stride(from: start + digits - 1, through: start, by: -1) {
                    buffer[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
            }
            put(year, 4, at: 0)
            buffer[4] = UInt8(ascii: "-")
            put(month, 2, at: 5)
            buffer[7] = UInt8(ascii: "-")
            put(dayOfMonth, 2, at: 8)
            buffer[10] = UInt8(ascii: "T")
            put(seconds / 3_600, 2, at: 11)
            buffer[13] = UInt8(ascii: ":")
            put(seconds / 60 % 60, 2, at: 14)
            buffer[16] = UInt8(ascii: ":")
            put(seconds % 60, 2, at: 17)
            guard !isWhole else {
                buffer[19] = UInt8(ascii: "Z")
                return 20
            }
            buffer[19] = UInt8(ascii: ".")
            put(fraction, 6, at: 20)
            buffer[26] = UInt8(ascii: "Z")
            return 27
        }
    }

    /// Writes microseconds since 1970 as `2026-03-02T15:40:51Z`, for people to whom the fraction says nothing.
    package static func seconds(_ instant: Int64) -> String {
        text(instant - (instant % 1_000_000 + 1_000_000) % 1_000_000)
    }

    /// Reads `2026-03-02T15:40:51Z`, or PostgreSQL's `2026-03-02 15:40:51.5+00`, as microseconds since 1970.
    package static func instant(_ text: String) -> Int64? {
        var text = text
        return text.withUTF8 { bytes in
            func number(_ range: Range<Int>) -> Int? {
                guard range.upperBound <= bytes.count else { return nil }
                var value = 0
                for index in range {
                    let digit = bytes[index] &- UInt8(ascii: "0")
                    guard digit < 10 else { return nil }
                    value = value * 10 + Int(digit)
                }
                return value
            }
            guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
                let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19)
            else { return nil }
            var microseconds = 0
            var index = 19
            if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
                index += 1
                var unit = 100_000
                while index < bytes.count, bytes[index] &- UInt8(ascii: "0") < 10 {
                    microseconds += Int(bytes[index] - UInt8(ascii: "0")) * unit
                    unit /= 10
                    index += 1
                }
            }
            let zone = bytes[index...]
            guard zone.elementsEqual("Z".utf8) || zone.elementsEqual("+00".utf8) else { return nil }
            let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second
            return Int64(seconds) * 1_000_000 + Int64(microseconds)
        }
    }

    /// The days from 1970-01-01 to a date as `YYYY-MM-DD`; nil where there is no such day.
    package static func days(_ date: String) -> Int? {
        let parts = date.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.map(\.count) == [4, 2, 2], date.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || $0 &- 48 < 10 }),
            let year = Int(Substring(parts[0])), let month = Int(Substring(parts[1])),
            let day = Int(Substring(parts[2])), year > 0, (1...12).contains(month)
        else { return nil }
        let days = days(year, month, day)
        return civil(days) == (year, month, day) ? days : nil
    }

    /// The date that lies so many days after 1970-01-01.
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// The days from 1970-01-01 to a date.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

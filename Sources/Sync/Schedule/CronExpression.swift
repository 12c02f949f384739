package import Foundation

/// When something is due, in five fields: minute, hour, day of the month, month, day of the week.
///
/// Numbers, names (`jan`, `mon`), lists (`1,15`), ranges (`mon-fri`) and steps (`*/10`, `8-18/2`) are known, and
/// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Where both days are given, either is enough, as in cron.
package struct CronExpression: Sendable, Hashable, CustomStringConvertible {
    /// The expression as it was written, trimmed and in lower case.
    package let description: String
    private let minutes: Set<Int>
    private let hours: Set<Int>
    private let days: Set<Int>
    private let months: Set<Int>
    private let weekdays: Set<Int>
    private let isAnyHour: Bool
    private let isAnyDay: Bool
    private let isAnyWeekday: Bool

    private static let shorthands = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]
    private static let monthNames = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    /// Every date that exists comes within eight years: a leap day around 2100.
    private static let horizon: TimeInterval = 8 * 366 * 86_400

    /// Parses an expression; nil where it is invalid or never due.
    package init?(_ text: String) {
        let trimmed = text.trimmingCharacters(in: .whitespaces).lowercased()
        let fields = (Self.shorthands[trimmed] ?? trimmed).split(separator: " ").map(String.init)
        guard fields.count == 5, let minutes = Self.values(fields[0], 0...59),
            let hours = Self.values(fields[1], 0...23),
            let days = Self.values(fields[2], 1...31),
            let months = Self.values(fields[3], 1...12, names: Self.monthNames, firstName: 1),
            let weekdays = Self.values(fields[4], 0...7, names: Self.weekdayNames, firstName: 0)
        else { return nil }
        description = trimmed
        self.minutes = minutes
        self.hours = hours
        self.days = days
        self.months = months
        // Sunday is 0 and 7.
        self.weekdays = Set(weekdays.map { $0 % 7 })
        isAnyHour = hours.count == 24
        isAnyDay = fields[2].hasPrefix("*")
        isAnyWeekday = fields[4].hasPrefix("*")
        guard next(after: Date(timeIntervalSince1970: 0), in: .gmt) != nil else { return nil }
    }

    private static func values(
        _ field: String, _ range: ClosedRange<Int>, names: [String] = [], firstName: Int = 0
    ) -> Set<Int>? {
        func number(_ text: Substring) -> Int? {
            if let index = names.firstIndex(of: String(text)) { return index + firstName }
            guard let number = Int(text), text.allSatisfy(\.isNumber), range.contains(number) else { return nil }
            return number
        }
        var values: Set<Int> = []
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", omittingEmptySubsequences: false)
            guard pieces.count <= 2, let span = pieces.first else { return nil }
            var step = 1
            if pieces.count == 2 {
                guard let given = Int(pieces[1]), given > 0 else { return nil }
                step = given
            }
            let ends = span.split(separator: "-", omittingEmptySubsequences: false)
            let bounds: ClosedRange<Int>
            if span == "*" {
                bounds = range
            } else if ends.count == 2, let low = number(ends[0]), let high = number(ends[1]), low <= high {
                bounds = low...high
            } else if ends.count == 1, let only = number(ends[0]) {
                bounds = pieces.count == 2 ? only...range.upperBound : only...only
            } else {
                return nil
            }
            values.formUnion(stride(from: bounds.lowerBound, through: bounds.upperBound, by: step))
        }
        return values
    }

    /// The next time, in whole minutes, after another.
    ///
    /// A time that the change to summer time skips is due when the clock has jumped; one that the change back repeats
    /// is due the first time only, unless every hour is meant.
    package func next(after date: Date, in zone: TimeZone) -> Date? {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        var time = Date(timeIntervalSince1970: (date.timeIntervalSince1970 / 60).rounded(.down) * 60 + 60)
        let limit = time.addingTimeInterval(Self.horizon)
        while time < limit {
            if leavesOut(before: time, zone) { return time }
            let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute, .weekday], from: time)
            guard let month = parts.month, let day = parts.day, let weekday = parts.weekday, let hour = parts.hour,
                let minute = parts.minute
            else { return nil }
            if !months.contains(month) || !isDay(day, weekday - 1) {
                guard let midnight = calendar.date(byAdding: .day, value: 1, to: calendar.startOfDay(for: time)) else {
                    return nil
                }
                time = max(midnight, time.addingTimeInterval(60))
            } else if !hours.contains(hour) {
                time.addTimeInterval(Double(60 - minute) * 60)
            } else if !minutes.contains(minute) || (!isAnyHour && isRepeated(time, zone)) {
                time.addTimeInterval(60)
            } else {
                return time
            }
        }
        return nil
    }

    private func isDay(_ day: Int, _ weekday: Int) -> Bool {
        if isAnyDay || isAnyWeekday { return days.contains(day) && weekdays.contains(weekday) }
        return days.contains(day) || weekdays.contains(weekday)
    }

    /// Whether the clock has just jumped over a time at which it is due.
    private func leavesOut(before time: Date, _ zone: TimeZone) -> Bool {
        let before = zone.secondsFromGMT(for: time.addingTimeInterval(-1))
        let gap = zone.secondsFromGMT(for: time) - before
        guard gap > 0, let old = TimeZone(secondsFromGMT: before) else { return false }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = old
        return stride(from: 0, to: gap, by: 60).contains { offset in
            let parts = calendar.dateComponents(
                [.month, .day, .hour, .minute, .weekday], from: time.addingTimeInterval(Double(offset)))
            guard let month = parts.month, let day = parts.day, let weekday = parts.weekday, let hour = parts.hour,
                let minute = parts.minute
            else { return false }
            return months.contains(month) && isDay(day, weekday - 1) && hours.contains(hour) && minutes.contains(minute)
        }
    }

    /// Whether the clock has shown this time before, because it was set back.
    private func isRepeated(_ time: Date, _ zone: TimeZone) -> Bool {
        let offset = zone.secondsFromGMT(for: time)
        // No zone sets its clock back by more than two hours at once.
        return [1_800.0, 3_600, 7_200].contains { back in
            zone.secondsFromGMT(for: time.addingTimeInterval(-back)) - offset == Int(back)
        }
    }
}

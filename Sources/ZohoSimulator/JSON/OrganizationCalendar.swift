/// The organisation's calendar: seconds since 1970 to and from Zoho's text, with one fixed offset and no summer time.
struct OrganizationCalendar: Sendable {
    /// Minutes east of UTC.
    let offsetMinutes: Int

    struct Day {
        var year: Int
        var month: Int
        var day: Int
    }

    /// The local day of an instant (Howard Hinnant's `civil_from_days`).
    func day(of instant: Int) -> Day {
        Self.civil(days: Self.floorDivide(instant + offsetMinutes * 60, 86_400))
    }

    /// The seconds from `instant` to the next local midnight.
    func secondsToMidnight(from instant: Int) -> Int {
        let local = instant + offsetMinutes * 60
        return (Self.floorDivide(local, 86_400) + 1) * 86_400 - local
    }

    /// The number of the local day, for comparing days.
    func dayNumber(of instant: Int) -> Int { Self.floorDivide(instant + offsetMinutes * 60, 86_400) }

    /// Reads `yyyy-MM-ddTHH:mm:ss±HHmm`, and nothing else (section 5.3).
    static func instant(_ text: some StringProtocol) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 24 else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 0x30)
            }
            return value
        }
        let dash = UInt8(ascii: "-")
        guard bytes[4] == dash, bytes[7] == dash, bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), bytes[19] == UInt8(ascii: "+") || bytes[19] == dash,
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), let zoneHour = number(20..<22),
            let zoneMinute = number(22..<24),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61, zoneMinute < 60
        else { return nil }
        let zone = (zoneHour * 60 + zoneMinute) * (bytes[19] == dash ? -1 : 1)
        return days(year: year, month: month, day: day) * 86_400 + hour * 3_600 + minute * 60 + second - zone * 60
    }

    /// Reads `yyyy-MM-dd` as midnight UTC, and nothing else.
    static func day(_ text: String) -> Int? { text.utf8.count == 10 ? instant(text + "T00:00:00+0000") : nil }

    private static func floorDivide(_ value: Int, _ divisor: Int) -> Int {
        value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
    }

    private static func civil(days: Int) -> Day {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return Day(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func days(year: Int, month: Int, day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = floorDivide(shiftedYear, 400)
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

extension JSONWriter {
    /// Writes a quoted `2026-02-20T10:05:00+0100` (section 7.2).
    mutating func timestamp(_ instant: Int, _ calendar: OrganizationCalendar) {
        let seconds = instant + calendar.offsetMinutes * 60
        let ofDay = UInt64(seconds - calendar.dayNumber(of: instant) * 86_400)
        raw("\"")
        day(instant, calendar)
        raw("T")
        digits(ofDay / 3_600, width: 2)
        raw(":")
        digits(ofDay / 60 % 60, width: 2)
        raw(":")
        digits(ofDay % 60, width: 2)
        if calendar.offsetMinutes < 0 { raw("-") } else { raw("+") }
        digits(UInt64(calendar.offsetMinutes.magnitude) / 60, width: 2)
        digits(UInt64(calendar.offsetMinutes.magnitude) % 60, width: 2)
        raw("\"")
    }

    /// Writes a quoted `2026-02-20`.
    mutating func date(_ instant: Int, _ calendar: OrganizationCalendar) {
        raw("\"")
        day(instant, calendar)
        raw("\"")
    }

    /// Writes a quoted `27 Dec 2016`, as some nested fields have it (section 6.10).
    mutating func displayDate(_ instant: Int, _ calendar: OrganizationCalendar) {
        let months: [StaticString] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let day = calendar.day(of: instant)
        raw("\"")
        digits(UInt64(day.day), width: 2)
        raw(" ")
        raw(months[day.month - 1])
        raw(" ")
        digits(UInt64(day.year), width: 4)
        raw("\"")
    }

    private mutating func day(_ instant: Int, _ calendar: OrganizationCalendar) {
        let day = calendar.day(of: instant)
        digits(UInt64(day.year), width: 4)
        raw("-")
        digits(UInt64(day.month), width: 2)
        raw("-")
        digits(UInt64(day.day), width: 2)
    }
}

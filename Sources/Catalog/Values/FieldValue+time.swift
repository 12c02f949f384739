package import ZohoBooks

extension FieldValue {
    /// Reads `YYYY-MM-DD`, or a blank.
    package static func date(from view: JSONView) -> FieldValue? {
        if view.isBlank { return .null }
        guard view.kind == .string, view.content.count == 10, CivilTime.days(view.content, at: 0) != nil else {
            return nil
        }
        return .date(String(decoding: view.content, as: UTF8.self))
    }

    /// Reads an instant with its zone as microseconds since 1970, or a blank (reference, section 7.2).
    ///
    /// Zoho writes `2026-02-20T10:05:00+0100`; a colon in the offset, `Z` and fractions of a second are read as well.
    package static func instant(from view: JSONView) -> FieldValue? {
        if view.isBlank { return .null }
        guard view.kind == .string else { return nil }
        return CivilTime.instant(view.content).map { .instant($0) }
    }
}

/// The proleptic Gregorian calendar, as far as timestamps need it.
package enum CivilTime {
    /// Reads `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH[:]MM)` as microseconds since 1970-01-01T00:00:00Z.
    package static func instant(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        guard text.count >= 20, let days = days(text, at: 0),
            text[10] == UInt8(ascii: "T") || text[10] == UInt8(ascii: " "),
            let hour = number(text, at: 11, digits: 2), hour < 24, text[13] == UInt8(ascii: ":"),
            let minute = number(text, at: 14, digits: 2), minute < 60, text[16] == UInt8(ascii: ":"),
            let second = number(text, at: 17, digits: 2), second <= 60
        else { return nil }
        var index = 19
        var microseconds: Int64 = 0
        if text[index] == UInt8(ascii: ".") {
            index += 1
            var unit: Int64 = 100_000
            let start = index
            while index < text.count, text[index] &- UInt8(ascii: "0") < 10 {
                microseconds += Int64(text[index] - UInt8(ascii: "0")) * unit
                unit /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard let offset = offset(text, at: index) else { return nil }
        let seconds = Int64(days) * 86_400 + Int64(hour) * 3_600 + Int64(minute) * 60 + Int64(second) - Int64(offset)
        // An offset can carry the first and the last hours out of the years that four digits and a `date` can write.
        guard (-62_135_596_800..<253_402_300_800).contains(seconds) else { return nil }
        return seconds * 1_000_000 + microseconds
    }

    /// The days from 1970-01-01 to the date `YYYY-MM-DD` that begins at `start`, or nil where there is no such day.
    package static func days(_ text: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
        guard text.count >= start + 10, text[start + 4] == UInt8(ascii: "-"), text[start + 7] == UInt8(ascii: "-"),
            let year = number(text, at: start, digits: 4), let month = number(text, at: start + 5, digits: 2),
            let day = number(text, at: start + 8, digits: 2),
            year >= 1, (1...12).contains(month), day >= 1, day <= daysInMonth(month, of: year)
        else { return nil }
        // Days from civil: the year is counted from March, so that the leap day is its last.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// Reads an instant, or a day as its midnight in UTC, as a person writes it.
    package static func instant(dayOrInstant text: String) -> Int64? {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBufferPointer { buffer in
            if buffer.count == 10 { return days(buffer, at: 0).map { Int64($0) * 86_400_000_000 } }
            return instant(buffer)
        }
    }

    private static func daysInMonth(_ month: Int, of year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    /// The seconds east of Greenwich that `Z`, `+HHMM` or `+HH:MM` says, up to the end of the text.
    private static func offset(_ text: UnsafeBufferPointer<UInt8>, at start: Int) -> Int? {
        guard start < text.count else { return nil }
        if text[start] == UInt8(ascii: "Z") { return start + 1 == text.count ? 0 : nil }
        let sign: Int
        switch text[start] {
        case UInt8(ascii: "+"): sign = 1
        case UInt8(ascii: "-"): sign = -1
        default: return nil
        }
        let hasColon = start + 3 < text.count && text[start + 3] == UInt8(ascii: ":")
        guard text.count == start + (hasColon ? 6 : 5),
            let hours = number(text, at: start + 1, digits: 2), hours <= 18,
            let minutes = number(text, at: start + (hasColon ? 4 : 3), digits: 2), minutes < 60
        else { return nil }
        return sign * (hours * 3_600 + minutes * 60)
    }

    private static func number(_ text: UnsafeBufferPointer<UInt8>, at start: Int, digits: Int) -> Int? {
        guard start + digits <= text.count else { return nil }
        var value = 0
        for index in start..<(start + digits) {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value
    }
}

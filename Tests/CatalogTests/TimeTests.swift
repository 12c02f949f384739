import Catalog
import Database
import Testing
import ZohoBooks

@Suite("Times")
struct TimeTests {
    static let instants: [(String, String?)] = [
        ("2026-02-20T10:05:00+0100", "2026-02-20T09:05:00Z"), ("2026-02-20T10:05:00+01:00", "2026-02-20T09:05:00Z"),
        ("2026-02-20T10:05:00Z", "2026-02-20T10:05:00Z"), ("2026-02-20T10:05:00-0330", "2026-02-20T13:35:00Z"),
        ("2026-02-20T10:05:00-03:30", "2026-02-20T13:35:00Z"), ("2026-02-20T00:05:00+0530", "2026-02-19T18:35:00Z"),
        ("2025-12-31T23:59:59-0001", "2026-01-01T00:00:59Z"), ("2026-02-20T10:05:00-0000", "2026-02-20T10:05:00Z"),
        ("2026-02-20T10:05:00.5Z", "2026-02-20T10:05:00.500000Z"),
        ("2026-02-20T10:05:00.123456+0100", "2026-02-20T09:05:00.123456Z"),
        ("2026-02-20T10:05:00.1234569Z", "2026-02-20T10:05:00.123456Z"),
        ("2026-02-20 10:05:00Z", "2026-02-20T10:05:00Z"),
        ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"), ("2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"), ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("2026-02-20T10:05:60Z", "2026-02-20T10:06:00Z"),
        ("2023-02-29T12:00:00Z", nil), ("1900-02-29T12:00:00Z", nil), ("2026-13-01T00:00:00Z", nil),
        ("2026-00-01T00:00:00Z", nil), ("2026-04-31T00:00:00Z", nil), ("2026-01-00T00:00:00Z", nil),
        ("0000-01-01T00:00:00Z", nil), ("2026-02-20T24:00:00Z", nil), ("2026-02-20T10:60:00Z", nil),
        ("2026-02-20T10:05:61Z", nil), ("2026-02-20T10:05:00", nil), ("2026-02-20T10:05:00.Z", nil),
        ("2026-02-20T10:05:00+01", nil), ("2026-02-20T10:05:00+1:00", nil), ("2026-02-20T10:05:00+1900", nil),
        ("2026-02-20T10:05:00+0160", nil), ("2026-02-20T10:05:00Zulu", nil), ("2026-02-20T10:05:00 0100", nil),
        ("0001-01-01T00:00:00+0100", nil), ("9999-12-31T23:59:59-0100", nil), ("2026-02-20", nil), ("20 Feb 2026", nil),
        ("now", nil),
    ]

    @Test(
        "an instant is read with its offset to the microsecond, and a moment that does not exist is refused",
        arguments: instants)
    func instant(text: String, expected: String?) throws {
        let value = try read("\"\(text)\"", FieldValue.instant)
        #expect(value?.spelling == expected)
    }

    @Test("an instant counts microseconds since 1970")
    func epoch() throws {
        #expect(try read(#""2026-03-02T16:40:51+0100""#, FieldValue.instant) == .instant(1_772_466_051_000_000))
        #expect(try read(#""1969-12-31T23:59:59Z""#, FieldValue.instant) == .instant(-1_000_000))
    }

    @Test("a number is no instant and no date", arguments: ["0", "1772466051", "true", "[]"])
    func otherTypes(json: String) throws {
        #expect(try read(json, FieldValue.instant) == nil)
        #expect(try read(json, FieldValue.date) == nil)
    }

    @Test(
        "a date is a day that exists, in the one spelling",
        arguments: [
            ("2026-02-20", true), ("2024-02-29", true), ("2000-02-29", true), ("2023-02-29", false),
            ("2100-02-29", false),
            ("2026-02-30", false), ("2026-06-31", false), ("2026-1-1", false), ("27 Dec 2016", false),
            ("0000-00-00", false),
            ("0000-01-01", false), ("2026-02-20T00:00:00+0000", false), (" 2026-02-2", false), ("٢٠٢٦-٠٢-٢٠", false),
        ])
    func date(text: String, exists: Bool) throws {
        #expect(try read("\"\(text)\"", FieldValue.date) == (exists ? .date(text) : nil))
    }

    @Test("every day from 1899 to 2101 follows the one before it and is written as it was read")
    func everyDay() throws {
        var previous: Int64?
        for year in 1899...2101 {
            for month in 1...12 {
                for day in 1...31 {
                    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
                    let date = "\(year)-\(two(month))-\(two(day))"
                    guard let instant = CivilTime.instant(dayOrInstant: date) else {
                        #expect(day > 28)
                        continue
                    }
                    if let previous { #expect(instant - previous == 86_400_000_000) }
                    previous = instant
                    #expect(Timestamp.text(instant) == "\(date)T00:00:00Z")
                }
            }
        }
    }
}

import Foundation
import Sync
import Testing

@Suite("Triggers")
struct TriggerTests {
    private static func date(_ text: String) throws -> Date {
        try #require(try? Date(text, strategy: .iso8601))
    }

    private static func next(_ expression: String, after text: String, in zone: String = "UTC") throws -> String? {
        let cron = try #require(CronExpression(expression), "\(expression)")
        return cron.next(after: try date(text), in: try #require(TimeZone(identifier: zone)))?.formatted(.iso8601)
    }

    @Test(
        "A cron expression comes when its fields say",
        arguments: [
            ("*/15 * * * *", "2026-03-02T12:00:00Z", "2026-03-02T12:15:00Z"),
            ("*/15 * * * *", "2026-03-02T12:14:59Z", "2026-03-02T12:15:00Z"),
            ("0 2 * * *", "2026-03-02T02:00:00Z", "2026-03-03T02:00:00Z"),
            ("30 8-18/2 * * mon-fri", "2026-03-06T18:30:00Z", "2026-03-09T08:30:00Z"),
            ("0 0 1 jan *", "2026-03-02T12:00:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 29 2 *", "2026-03-02T12:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 13 * fri", "2026-03-02T12:00:00Z", "2026-03-06T00:00:00Z"),
            ("5,35 */6 * * *", "2026-03-02T12:05:00Z", "2026-03-02T12:35:00Z"),
            ("0 0 * * 7", "2026-03-02T12:00:00Z", "2026-03-08T00:00:00Z"),
            ("10/20 0 * * *", "2026-03-02T00:10:00Z", "2026-03-02T00:30:00Z"),
            ("@hourly", "2026-03-02T12:00:00Z", "2026-03-02T13:00:00Z"),
            ("@WEEKLY", "2026-03-02T12:00:00Z", "2026-03-08T00:00:00Z"),
        ])
    func cron(expression: String, after: String, expected: String) throws {
        #expect(try Self.next(expression, after: after) == expected)
    }

    @Test(
        "The change to summer time and back loses no night and doubles none",
        arguments: [
            // 02:00 to 03:00 is left out on 29 March 2026 in Berlin: it comes when the clock goes on.
            ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
            ("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
            // 02:00 to 03:00 comes twice on 25 October 2026: the first time counts.
            ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            // Every hour is every hour.
            ("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
            ("30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"),
        ])
    func summerTime(expression: String, after: String, expected: String) throws {
        #expect(try Self.next(expression, after: after, in: "Europe/Berlin") == expected)
    }

    @Test(
        "What is no expression, or never comes, is refused",
        arguments: [
            "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *", "a * * * *", "1,,2 * * * *", "+5 * * * *", "0 0 30 2 *", "@often", "-1 * * * *",
        ])
    func refused(expression: String) {
        #expect(CronExpression(expression) == nil)
    }

    @Test(
        "Intervals are read and shown",
        arguments: [("15m", 900), ("1h30m", 5_400), ("90s", 90), ("2d", 172_800), ("60m", 3_600)])
    func intervals(text: String, seconds: Int) throws {
        let trigger = try #require(Trigger(text))
        #expect(trigger == .every(seconds))
        #expect(Trigger(trigger.description) == trigger)
        #expect(trigger.timesPerDay() == 86_400 / Double(seconds))
    }

    @Test("Other words are no trigger", arguments: ["15", "m", "10s", "32d", "99999999999999999999d", "1x", "now"])
    func noTrigger(text: String) {
        #expect(Trigger(text) == nil)
    }

    @Test("How often a day is counted for expressions too")
    func timesPerDay() {
        #expect(Trigger("off")?.timesPerDay() == 0)
        #expect(Trigger("*/15 * * * *")?.timesPerDay() == 96)
        #expect(Trigger("0 2 * * *")?.timesPerDay() == 1)
        #expect(Trigger("0 2 * * sun")?.timesPerDay() == 1.0 / 7)
    }

    @Test(
        "An expression is late by a tenth of the time until its next turn, and by five minutes at most",
        arguments: [("*/2 * * * *", 12.0), ("*/15 * * * *", 90), ("0 * * * *", 300), ("0 2 * * *", 300)])
    func jitter(expression: String, seconds: Double) throws {
        let trigger = try #require(Trigger(expression))
        #expect(trigger.jitter(at: try Self.date("2026-03-02T02:00:00Z"), in: .gmt) == seconds)
    }
}

import Foundation
import Testing

@testable import Mirror
@testable import Sync
@testable import zohosync

@Suite("The live line of a sync")
struct ProgressLineTests {
    /// An event in the middle of a phase that goes on at its pace, with 99 calls left this minute and 9,123 today.
    private static func event(
        _ entity: String = "products", _ phase: SyncEvent.Phase = .list, done: Int, of expected: Int?,
        elapsed: Duration = .seconds(10), doneBefore: Int = 0, waits: Duration? = nil, isBudgetKnown: Bool = true
    ) -> SyncEvent {
        SyncEvent(
            entity: entity, phase: phase, done: done, doneBefore: doneBefore, expected: expected, elapsed: elapsed,
            waits: waits, timeToGo: expected.map { elapsed * ($0 - done) / (done - doneBefore) }, progress: .init(),
            callsLeftThisMinute: isBudgetKnown ? 99 : nil, callsLeftToday: isBudgetKnown ? 9_123 : nil, run: nil)
    }

    @Test("With room, every figure has its words")
    func wide() {
        #expect(
            ProgressLine(event: Self.event(done: 656, of: 1_312)).text()
                == "products" + String(repeating: " ", count: 11) + "list     [##########..........]  656/1,312  65/s  "
                + "calls left: 99 this minute, 9,123 today  10 s to go")
        #expect(
            ProgressLine(event: Self.event(done: 656, of: nil, isBudgetKnown: false)).text()
                == "products" + String(repeating: " ", count: 11) + "list     656 rows  65/s")
    }

    @Test("What waits for the minute's limits says so, and for how long")
    func waiting() {
        var line = ProgressLine(
            event: Self.event("customers", .details, done: 50, of: 192, elapsed: .seconds(20), waits: .seconds(34)))
        let bar = "[#####...............]"
        #expect(
            line.text() == "customers" + String(repeating: " ", count: 10) + "details  \(bar)  50/192  2.5/s  "
                + "calls left: 9,123 today  waits 34 s for Zoho's calls a minute  57 s to go")
        #expect(
            line.text(width: 79)
                == "customers         det. [###.........] 50/192 2.5/s left 9,123/day waits 34s 57s")
        line.age = .seconds(14)
        #expect(line.text().contains("waits 20 s for Zoho's calls a minute  43 s to go"))
        line.age = .seconds(40)
        #expect(!line.text().contains("waits"))
        #expect(line.text().contains("calls left: 99 this minute, 9,123 today  17 s to go"))
    }

    @Test("What an earlier sync had listed is part of the bar and not of the pace")
    func resumed() {
        let text = ProgressLine(event: Self.event(done: 2_000, of: 3_000, doneBefore: 1_000)).text()
        #expect(text.contains("[#############.......]  2,000/3,000  100/s"))
        #expect(text.hasSuffix("10 s to go"))
    }

    /// Long names, large numbers, long times.
    private static let busiest: [SyncEvent] = [
        event("customer_payments", .details, done: 1_200, of: 2_502, elapsed: .seconds(1_500)),
        event("customer_payments", .details, done: 12_345, of: 2_502_000, elapsed: .seconds(15_000)),
        event("products", .list, done: 999_800, of: 1_000_000, elapsed: .seconds(11)),
        event("products", .list, done: 1, of: 100_000_000, elapsed: .seconds(1)),
        event("sales_orders", .list, done: 100_000, of: nil),
    ]

    @Test(
        "At 120 and at 80 columns it fits, and shows bar, rows, pace, calls left and time to go", arguments: [120, 80])
    func narrow(columns: Int) throws {
        for event in Self.busiest {
            // The last column stays free, or the terminal wraps.
            let line = ProgressLine(event: event).text(width: columns - 1)
            #expect(line.count < columns, "\(line)")
            #expect(line.contains("99"))
            #expect(line.contains("9,123"))
            #expect(line.contains("/s "))
            if event.expected != nil {
                #expect(line.contains(#/\[#*\.*\]/#), "\(line)")
                #expect(line.contains(#/\d ?(s|m|min)( to go)?$/#), "\(line)")
            }
        }
    }

    @Test("At 80 columns words become short before a figure is lost")
    func short() {
        #expect(
            ProgressLine(event: Self.busiest[0]).text(width: 79)
                == "customer_payments det. [###.....] 1,200/2,502 0.8/s left 99/min 9,123/day 27m8s")
        #expect(ProgressLine(event: Self.busiest[0]).text(width: 30) == "customer_payments det. 1,200/2")
    }

    @Test(
        "Numbers are abridged to five characters",
        arguments: [
            (0, "0"), (9_999, "9,999"), (12_345, "12.3k"), (99_960, "100k"), (999_999, "1.00M"), (1_312_000, "1.31M"),
        ])
    func abridged(number: Int, text: String) {
        #expect(number.abridged == text)
    }
}

import Foundation
import Testing
import ZohoBooks

@testable import Mirror
@testable import Sync
@testable import zohosync

@Suite("The live line of a sync")
struct ProgressLineTests {
    /// An event in the middle of a phase, with 99 calls left this minute and 9,123 today.
    private static func event(
        _ entity: String = "products", _ phase: SyncEvent.Phase = .list, done: Int, of expected: Int?,
        elapsed: Duration = .seconds(10), isBudgetKnown: Bool = true
    ) -> SyncEvent {
        let ledger = InMemoryCallLedger()
        let now = Date(timeIntervalSince1970: 1_772_000_000)
        if case .go(let ticket) = ledger.reserve(.list, .background, at: now) {
            var outcome = CallOutcome(status: 200, code: 0)
            (outcome.dailyLimit, outcome.dailyRemaining, outcome.dailyReset) = (10_000, 9_123, 3_600)
            ledger.finish(ticket, outcome, at: now)
        }
        return SyncEvent(
            entity: entity, phase: phase, done: done, expected: expected, elapsed: elapsed, progress: .init(),
            budget: isBudgetKnown ? ledger.snapshot(at: now) : nil, run: nil)
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

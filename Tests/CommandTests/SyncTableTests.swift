import Testing
import ZohoBooks

@testable import Mirror
@testable import Sync
@testable import zohosync

@Suite("The table at the end of a sync")
struct SyncTableTests {
    private static func run(
        _ entity: String, _ state: Run.State = .completed, error: String? = nil, fetched: Int = 0,
        list: Int = 0, details: Int = 0
    ) -> Run {
        var progress = Run.Progress()
        (progress.fetched, progress.listMilliseconds, progress.detailMilliseconds) = (fetched, list, details)
        return Run(
            id: 1, entity: entity, kind: .full, state: state, startedAt: 0, finishedAt: 1, progress: progress,
            lastError: error)
    }

    private static func lines(_ report: SyncReport) -> [String] {
        SyncTable(report).text.split(separator: "\n").map(String.init)
    }

    @Test("The pace is the list's, and its time stands beside it")
    func pace() {
        var report = SyncReport()
        report.runs = [
            Self.run("products", fetched: 58, list: 40, details: 61_000), Self.run("bills", fetched: 5),
            Self.run("invoices", list: 20), Self.run("vendors", fetched: 90, list: 60_000),
        ]
        let lines = Self.lines(report)
        let cells = lines.map { $0.split(separator: " ").map(String.init) }
        #expect(cells[0].suffix(5) == ["list", "s", "rows/s", "details", "s"])
        #expect(cells[1].suffix(3) == ["0.04", "1,450", "61.00"])
        #expect(cells[2].suffix(3) == ["0.00", "-", "0.00"])
        #expect(cells[3].suffix(3) == ["0.02", "-", "0.00"])
        #expect(cells[4].suffix(3) == ["60.00", "1.5", "0.00"])
        // Right-aligned, though one entity has none.
        #expect(lines[2].hasSuffix("0.00       -       0.00"))
    }

    @Test("What ended the sync is said once, below the table; what several runs share is said once for them")
    func reasons() {
        struct Gone: Error, CustomStringConvertible { let description = "The disk is full. Free some space." }
        var report = SyncReport()
        report.failure = ReportedError(cause: CancellationError())
        let stopped = ExitStatus(CancellationError()).message
        report.runs = [
            Self.run("products", .failed, error: stopped), Self.run("customers", .failed, error: stopped),
            Self.run("bills", .interrupted, error: "Not all details were read: \(stopped)"),
            Self.run("invoices", .failed, error: "\(Gone())"), Self.run("vendors", .failed, error: "\(Gone())"),
        ]
        let lines = Self.lines(report)
        #expect(
            lines.suffix(3) == [
                "products, customers: see below.", "bills: Not all details were read: see below.",
                "invoices, vendors: The disk is full. Free some space.",
            ])
    }

    @Test("One detail is one detail", arguments: [(1, "1 detail is outstanding; the next sync reads it.")])
    func outstanding(count: Int, sentence: String) {
        var report = SyncReport()
        report.detailsOutstanding = count
        #expect(Self.lines(report).last == sentence)
    }
}

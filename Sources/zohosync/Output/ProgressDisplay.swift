import Catalog
import Foundation
import Mirror
import Server
import Sync
import ZohoBooks

/// Shows how a sync goes: live lines on a terminal, one plain line a page elsewhere, a table or JSON at the end.
actor ProgressDisplay {
    private let isJSON: Bool
    private let isTerminal: Bool
    private var lines: [(entity: String, text: String)] = []
    private var drawn = 0
    private var lastDrawn = ContinuousClock.now - .seconds(1)
    private let start = ContinuousClock.now

    init(isJSON: Bool) {
        self.isJSON = isJSON
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    func show(_ event: SyncEvent) {
        if event.phase == .began { return }
        let text = ProgressLine(event).text
        guard isTerminal else {
            write(text + "\n")
            return
        }
        if let index = lines.firstIndex(where: { $0.entity == event.entity }) {
            lines[index].text = text
        } else {
            lines.append((event.entity, text))
        }
        // A terminal that is written to for every page of a fast sync flickers.
        guard event.run != nil || ContinuousClock.now - lastDrawn > .milliseconds(80) else { return }
        draw()
    }

    func finish(_ report: SyncReport) {
        if isTerminal { draw() }
        if isJSON {
            print(SyncReportDocument(report, duration: ContinuousClock.now - start).json(indented: true))
        } else {
            print(SyncTable(report).text)
        }
    }

    private func draw() {
        lastDrawn = .now
        let width = terminalWidth
        var output = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
        for line in lines { output += "\u{1B}[2K" + String(line.text.prefix(width)) + "\n" }
        drawn = lines.count
        write(output)
    }

    /// Progress goes to standard error, so that standard output holds the result alone.
    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    private var terminalWidth: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 120 }
        return Int(size.ws_col) - 1
    }
}

/// One line of progress: a bar where the end is known, rows, pace, calls left, time to go.
struct ProgressLine {
    let text: String

    init(_ event: SyncEvent) {
        let name = event.entity.padding(toLength: 18, withPad: " ", startingAt: 0)
        if let run = event.run {
            text = "\(name)\(run.state.rawValue): \(Self.counts(run.progress))"
            return
        }
        let seconds = max(Double(event.elapsed.milliseconds) / 1_000, 0.001)
        let pace = Double(event.done) / seconds
        var parts = [event.phase == .list ? "list   " : "details"]
        if let expected = event.expected, expected > 0 {
            let filled = min(20, event.done * 20 / expected)
            parts.append("[" + String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled) + "]")
            parts.append("\(event.done.grouped)/\(expected.grouped)")
        } else {
            parts.append("\(event.done.grouped) rows")
        }
        parts.append("\(Int(pace).grouped)/s")
        if let budget = event.budget {
            if let minute = budget.remainingThisMinute { parts.append("calls: \(minute) this minute") }
            if let day = budget.remainingToday { parts.append("\(day.grouped) today") }
        }
        if let expected = event.expected, expected > event.done, pace > 0 {
            parts.append("\(Self.time(Double(expected - event.done) / pace)) to go")
        }
        text = name + parts.joined(separator: "  ")
    }

    static func counts(_ progress: Run.Progress) -> String {
        let named = Outcome.allCases.compactMap { outcome in
            progress[outcome] > 0 ? "\(progress[outcome].grouped) \(outcome.rawValue)" : nil
        }
        return named.isEmpty ? "nothing new" : named.joined(separator: ", ")
    }

    private static func time(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded(.up))
        if whole >= 3_600 { return "\(whole / 3_600) h \(whole / 60 % 60) min" }
        return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
    }
}

extension Int {
    /// With a comma between thousands: `1,312`.
    var grouped: String {
        let digits = String(magnitude)
        var groups: [Substring] = []
        var rest = digits[...]
        while rest.count > 3 {
            groups.insert(rest.suffix(3), at: 0)
            rest = rest.dropLast(3)
        }
        return (self < 0 ? "-" : "") + ([rest] + groups).joined(separator: ",")
    }
}

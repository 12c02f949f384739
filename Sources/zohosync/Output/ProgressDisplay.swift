import Foundation
import Server
import Sync

/// Shows how a sync goes: live lines on a terminal, one plain line for each page elsewhere, a table or JSON at the end.
actor ProgressDisplay {
    private let isJSON: Bool
    private let isTerminal: Bool
    private var lines: [(line: ProgressLine, toldAt: ContinuousClock.Instant)] = []
    private var drawn = 0
    /// Draws the seconds of a wait.
    private var ticking: Task<Void, Never>?
    private var lastDrawn = ContinuousClock.now - .seconds(1)
    private let start = ContinuousClock.now

    init(isJSON: Bool) {
        self.isJSON = isJSON
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    func show(_ event: SyncEvent) {
        if event.phase == .began { return }
        let line = ProgressLine(event: event)
        guard isTerminal else { return Console.note(line.text() + "\n") }
        if let index = lines.firstIndex(where: { $0.line.event.entity == event.entity }) {
            lines[index] = (line, .now)
        } else {
            lines.append((line, .now))
        }
        if event.waits != nil, ticking == nil { ticking = Task { await tick() } }
        // Drawn for every page of a fast sync, a terminal flickers.
        guard event.run != nil || event.waits != nil || ContinuousClock.now - lastDrawn > .milliseconds(80) else {
            return
        }
        draw()
    }

    /// Draws every second, as long as something waits.
    private func tick() async {
        while !Task.isCancelled, aged.contains(where: { $0.waits != nil }) {
            try? await Task.sleep(for: .seconds(1))
            if !Task.isCancelled { draw() }
        }
        ticking = nil
    }

    /// The lines as they are now.
    private var aged: [ProgressLine] {
        lines.map { line, toldAt in
            var line = line
            line.age = .now - toldAt
            return line
        }
    }

    func finish(_ report: SyncReport) {
        ticking?.cancel()
        if isTerminal { draw() }
        if isJSON {
            Console.print(SyncReportDocument(report, duration: ContinuousClock.now - start).json(indented: true))
        } else {
            Console.print(SyncTable(report).text)
        }
    }

    private func draw() {
        lastDrawn = .now
        let width = terminalWidth
        var output = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
        for line in aged { output += "\u{1B}[2K" + line.text(width: width) + "\n" }
        drawn = lines.count
        // Standard output is for the result alone.
        Console.note(output)
    }

    private var terminalWidth: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 else { return 120 }
        return Int(size.ws_col) - 1
    }
}

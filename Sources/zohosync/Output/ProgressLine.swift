import Foundation
import Mirror
import Sync
import ZohoBooks

/// One line of progress: a bar where the end is known, rows, pace, calls left or what it waits for, time to go.
///
/// Where the line is wider than the terminal, the bar shrinks first, then the words are abbreviated.
struct ProgressLine {
    let event: SyncEvent
    /// How long ago the event was told.
    var age = Duration.zero

    private static let longestBar = 20
    /// Below this, the short forms with a longer bar are easier to read.
    private static let shortestBar = 8
    private static let nameWidth = 17

    /// - Parameter width: in columns.
    func text(width: Int = .max) -> String {
        if let run = event.run {
            return String("\(name)  \(run.state.rawValue): \(Self.counts(run.progress))".prefix(width))
        }
        for isShort in [false, true] {
            let rest = width - line(isShort, bar: 0).count
            if expected == nil ? rest >= 0 : rest >= (isShort ? 1 : Self.shortestBar) {
                return line(isShort, bar: min(Self.longestBar, rest))
            }
        }
        return String(line(true, bar: nil).prefix(width))
    }

    private var name: String { event.entity.padding(toLength: Self.nameWidth, withPad: " ", startingAt: 0) }
    private var expected: Int? { event.expected.flatMap { $0 > 0 ? $0 : nil } }
    /// Rows a second.
    private var pace: Double {
        Double(event.done - event.doneBefore) / max(Double((event.elapsed + age).milliseconds) / 1_000, 0.001)
    }
    /// For how long it still waits; nil where it does not.
    var waits: Duration? { event.waits.flatMap { $0 > age ? $0 - age : nil } }

    private func line(_ isShort: Bool, bar: Int?) -> String {
        func number(_ value: Int) -> String { isShort ? value.abridged : value.grouped }
        var parts = [event.phase == .list ? (isShort ? "list" : "list   ") : (isShort ? "det." : "details")]
        if let expected {
            if let bar {
                let filled = min(bar, event.done * bar / expected)
                parts.append(
                    "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: bar - filled) + "]")
            }
            parts.append("\(number(event.done))/\(number(expected))")
        } else {
            parts.append("\(number(event.done)) rows")
        }
        parts.append((pace < 10 ? String(format: "%.1f", pace) : number(Int(pace))) + "/s")
        let calls = [
            waits == nil ? event.callsLeftThisMinute.map { "\(number($0))\(isShort ? "/min" : " this minute")" } : nil,
            event.callsLeftToday.map { "\(number($0))\(isShort ? "/day" : " today")" },
        ].compactMap(\.self)
        if !calls.isEmpty {
            parts.append(
                isShort ? "left \(calls.joined(separator: " "))" : "calls left: \(calls.joined(separator: ", "))")
        }
        if let waits {
            let time = Self.time(waits, isShort)
            parts.append(isShort ? "waits \(time)" : "waits \(time) for Zoho's calls a minute")
        }
        if let timeToGo = event.timeToGo {
            let time = Self.time(max(timeToGo - age, .seconds(1)), isShort)
            parts.append(isShort ? time : "\(time) to go")
        }
        return ([name] + parts).joined(separator: isShort ? " " : "  ")
    }

    static func counts(_ progress: Run.Progress) -> String {
        let named = Outcome.allCases.compactMap { outcome in
            progress[outcome] > 0 ? "\(progress[outcome].grouped) \(outcome.rawValue)" : nil
        }
        return named.isEmpty ? "nothing new" : named.joined(separator: ", ")
    }

    private static func time(_ duration: Duration, _ isShort: Bool) -> String {
        let whole = Int((Double(min(duration, .seconds(360_000)).milliseconds) / 1_000).rounded(.up))
        let (hours, minutes) = (whole / 3_600, whole / 60 % 60)
        if whole >= 3_600 { return isShort ? "\(hours)h\(minutes)m" : "\(hours) h \(minutes) min" }
        if whole >= 60 { return isShort ? "\(minutes)m\(whole % 60)s" : "\(minutes) min \(whole % 60) s" }
        return isShort ? "\(whole)s" : "\(whole) s"
    }
}

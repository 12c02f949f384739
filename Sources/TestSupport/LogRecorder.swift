package import Logging
import Synchronization

/// Keeps every line that is logged, of any level, with all that belongs to it.
package final class LogRecorder: Sendable {
    private let kept = Mutex<[String]>([])

    /// Begins with no line.
    package init() {}

    /// What was logged so far: level, message, metadata.
    package var lines: [String] { kept.withLock { $0 } }

    /// A logger whose lines are kept.
    package var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = "\(event.level) \(event.message) \(metadata) \(event.metadata ?? [:])"
            recorder.kept.withLock { $0.append(line) }
        }
    }
}

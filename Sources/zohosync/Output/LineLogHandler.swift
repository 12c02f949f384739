import Catalog
import Database
import Foundation
import Logging

/// Writes one line for each message to standard error: a constant message and what varies as fields.
struct LineLogHandler: LogHandler {
    /// How a line is written.
    enum Format: String, Sendable, CaseIterable {
        /// `time=… level=… message="…" key=value`
        case logfmt
        /// One JSON object a line.
        case json
    }

    let format: Format
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    init(_ format: Format) { self.format = format }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let line = line(event.level, event.message.description, all)
        LogWriter.standardError.write(line) { [self] number in
            self.line(.warning, "Lines of the log were dropped: nobody read them", ["lines": "\(number)"])
        }
    }

    private func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) -> String {
        let time = Timestamp.text(Timestamp.instant(of: Date()))
        var fields = [("time", time), ("level", level.rawValue), ("message", message)]
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { fields.append((key, value.description)) }
        return line(fields)
    }

    /// The text of a line.
    func line(_ fields: [(key: String, value: String)]) -> String {
        switch format {
        case .logfmt: fields.map { "\($0.key)=\(Self.bare($0.value))" }.joined(separator: " ")
        case .json:
            "{\(fields.map { "\(CanonicalJSON.quoted($0.key)):\(CanonicalJSON.quoted($0.value))" }.joined(separator: ","))}"
        }
    }

    /// A value without quotes where nothing in it needs them.
    private static func bare(_ text: String) -> String {
        let isPlain =
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && ![0x22, 0x3D, 0x5C].contains($0) }
        return isPlain ? text : CanonicalJSON.quoted(text)
    }
}

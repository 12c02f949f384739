import Foundation

/// The program's two streams.
///
/// A reader may stop reading, as `head` does. Foundation would end the program for that, in the middle of its work.
enum Console {
    /// Nobody reads standard output any more.
    struct BrokenPipe: Error {}

    /// Writes a result without buffering, so that a program that waits for it gets it at once.
    static func write(_ text: String) throws(BrokenPipe) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw BrokenPipe()
        }
    }

    /// Writes to standard error what is not part of the result: progress, notes, the log.
    static func note(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}

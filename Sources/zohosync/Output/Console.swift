import Foundation

/// The program's two streams.
///
/// Whoever reads them may stop doing so, as `head` does. Foundation would end the program for that, in the middle of
/// its work.
enum Console {
    /// Nobody reads standard output any more.
    struct BrokenPipe: Error {}

    /// Writes a result at once, so that a program that waits for it sees it when it comes.
    static func write(_ text: String) throws(BrokenPipe) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
        } catch {
            throw BrokenPipe()
        }
    }

    /// Writes what is said beside the result: progress, notes, the log.
    static func note(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}

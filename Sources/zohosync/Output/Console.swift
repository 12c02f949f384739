import Foundation
import Synchronization

/// The program's two streams.
///
/// A reader may stop reading, as `head` does. Foundation would end the program for that, in the middle of its work.
enum Console {
    /// Nobody reads standard output any more.
    struct BrokenPipe: Error {}

    /// Standard output does not take the result: a disk is full, for example.
    struct WriteFailure: Error, CustomStringConvertible {
        /// The system's words.
        let reason: String

        var description: String { "The result could not be written to standard output: \(reason)." }
    }

    private static let lost = Mutex<WriteFailure?>(nil)

    /// Writes a result without buffering, so that a program that waits for it gets it at once.
    ///
    /// - Throws: ``BrokenPipe``, ``WriteFailure``.
    static func write(_ text: String) throws {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if written >= 0 {
                rest = rest.dropFirst(written)
            } else if errno != EINTR {
                throw errno == EPIPE ? BrokenPipe() : WriteFailure(reason: String(cString: strerror(errno)))
            }
        }
    }

    /// Writes a line of the result, or several.
    ///
    /// Who stops reading does not change how the command ends. What cannot be written for another reason does:
    /// ``check()`` tells of it.
    static func print(_ text: String) {
        do {
            try write(text + "\n")
        } catch let failure as WriteFailure {
            lost.withLock { $0 = $0 ?? failure }
        } catch {}
    }

    /// Checks that everything that was printed was written.
    ///
    /// - Throws: ``WriteFailure``.
    static func check() throws {
        if let failure = lost.withLock({ $0 }) { throw failure }
    }

    /// Writes to standard error what is not part of the result: progress, notes, the log.
    static func note(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}

import Foundation
import Subprocess
import SystemPackage

/// Runs a command for each alert, with the alert's JSON on its standard input.
package struct CommandTarget: AlertTarget {
    private let command: String

    /// Seconds that the command may take.
    private static let timeout = 30
    /// How many of the last bytes on its standard error are kept for the error message.
    private static let said = 2_000

    /// - Parameter command: as a shell reads it.
    package init(_ command: String) {
        self.command = command
    }

    package let name = "command"

    package func send(_ alert: Alert) async throws {
        let json = try alert.json()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [command] in
                // What the command leaves unread is read after it, so that this process never writes to a closed pipe.
                let script = "( \(command)\n); status=$?; cat >/dev/null; exit $status"
                let result = try await run(
                    .path("/bin/sh"), arguments: ["-c", script], input: .data(json), output: .discarded,
                    error: .sequence
                ) { execution in
                    // All of it is read, so that the command never blocks, and its end is kept.
                    var end: [UInt8] = []
                    for try await buffer in execution.standardError {
                        buffer.withUnsafeBytes { end.append(contentsOf: $0) }
                        if end.count > Self.said { end.removeFirst(end.count - Self.said) }
                    }
                    return String(decoding: end, as: UTF8.self)
                }
                guard result.terminationStatus.isSuccess else {
                    let reason = result.closureResult.split(separator: "\n").last ?? ""
                    throw AlertError("The command exited with \(result.terminationStatus). \(reason)")
                }
            }
            group.addTask {
                try await Task.sleep(for: .seconds(Self.timeout))
                throw AlertError("The command took longer than \(Self.timeout) seconds.")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

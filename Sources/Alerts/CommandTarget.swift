import Foundation
import Subprocess
import SystemPackage

/// Runs a command for each alert, with the alert's JSON on its standard input.
package struct CommandTarget: AlertTarget {
    private let command: String

    /// Seconds that the command may take.
    private static let limit = 30

    /// - Parameter command: as a shell takes it.
    package init(_ command: String) {
        self.command = command
    }

    package let name = "command"

    package func send(_ alert: Alert) async throws {
        let json = try alert.json()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [command] in
                // What the command leaves unread is read after it, so that nobody writes to a pipe that is closed.
                let script = "( \(command)\n); status=$?; cat >/dev/null; exit $status"
                let result = try await run(
                    .path("/bin/sh"), arguments: ["-c", script], input: .data(json), output: .discarded,
                    error: .string(limit: 2_000))
                guard result.terminationStatus.isSuccess else {
                    let reason = result.standardError.split(separator: "\n").last ?? ""
                    throw AlertError("The command ended with \(result.terminationStatus). \(reason)")
                }
            }
            group.addTask {
                try await Task.sleep(for: .seconds(Self.limit))
                throw AlertError("The command took longer than \(Self.limit) seconds.")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

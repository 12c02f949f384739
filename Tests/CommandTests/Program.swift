import Foundation
import Synchronization
import TestSupport
import Testing
import ZohoSimulator

/// The built `zohosync`, run as a person runs it: a process of its own with an environment of its own.
final class Program: Sendable {
    struct Outcome: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    /// What the process writes to standard error, line by line while it runs.
    let errorLines: AsyncStream<String>
    /// The same of standard output.
    let outputLines: AsyncStream<String>
    private let process: Process
    private let output: Collector
    private let errors: Collector
    private let ended: AsyncStream<Void>

    /// Starts the program with nothing in its environment but what is given.
    convenience init(_ arguments: [String], _ environment: [String: String] = [:], input: String = "", folder: URL)
        throws
    {
        try self.init(URL.zohosync, arguments, environment, input: input, folder: folder)
    }

    private init(
        _ executable: URL, _ arguments: [String], _ environment: [String: String], input: String, folder: URL
    ) throws {
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = environment.merging(["HOME": folder.path, "PATH": "/usr/bin:/bin"]) { given, _ in given }
        process.currentDirectoryURL = folder
        let (ended, end) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in end.finish() }
        output = Collector()
        errors = Collector()
        errorLines = errors.lines
        outputLines = output.lines
        self.ended = ended
        self.process = process
        let (stdin, stdout, stderr) = try Self.launch(process)
        output.collect(stdout.fileHandleForReading)
        errors.collect(stderr.fileHandleForReading)
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
    }

    private static func launch(_ process: Process) throws -> (input: Pipe, output: Pipe, errors: Pipe) {
        try launching {
            let pipes = (Pipe(), Pipe(), Pipe())
            process.standardInput = pipes.0
            process.standardOutput = pipes.1
            process.standardError = pipes.2
            // Held by this process alone, or the child of another test would keep it open.
            _ = fcntl(pipes.0.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
            try process.run()
            return pipes
        }
    }

    /// The arguments as other users of the machine see them.
    var visibleArguments: String {
        (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/cmdline", encoding: .utf8)) ?? ""
    }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    func outcome() async -> Outcome {
        for await _ in ended {}
        return Outcome(status: process.terminationStatus, output: await output.text(), errors: await errors.text())
    }

    /// Runs the program to its end.
    static func run(
        _ arguments: [String], _ environment: [String: String] = [:], input: String = "", folder: URL
    ) async throws -> Outcome {
        try await Program(arguments, environment, input: input, folder: folder).outcome()
    }

    /// Runs a line of bash that knows `zohosync`, to its end.
    static func shell(
        _ script: String, _ environment: [String: String] = [:], folder: URL
    ) async throws -> Outcome {
        let path = "\(try URL.zohosync.deletingLastPathComponent().path):/usr/bin:/bin"
        return try await Program(
            URL(fileURLWithPath: "/bin/bash"), ["-c", script], environment.merging(["PATH": path]) { $1 }, input: "",
            folder: folder
        ).outcome()
    }

    /// Reads a pipe to its end on a thread of its own.
    private final class Collector: Sendable {
        let lines: AsyncStream<String>
        private let continuation: AsyncStream<String>.Continuation
        private let whole: AsyncStream<String>
        private let end: AsyncStream<String>.Continuation

        init() {
            (lines, continuation) = AsyncStream.makeStream()
            (whole, end) = AsyncStream.makeStream()
        }

        func collect(_ handle: FileHandle) {
            let thread = Thread { [self] in
                var data = Data()
                var rest = Data()
                while true {
                    let chunk = handle.availableData
                    if chunk.isEmpty { break }
                    data += chunk
                    rest += chunk
                    while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
                        continuation.yield(String(decoding: rest[..<newline], as: UTF8.self))
                        rest = rest[(newline + 1)...]
                    }
                }
                continuation.finish()
                end.yield(String(decoding: data, as: UTF8.self))
                end.finish()
            }
            thread.start()
        }

        func text() async -> String {
            for await text in whole { return text }
            return ""
        }
    }
}

extension URL {
    /// The built program.
    fileprivate static var zohosync: URL {
        get throws {
            try #require(Bundle.main.executableURL).deletingLastPathComponent().appending(path: "zohosync")
        }
    }
}

/// A folder that is gone after the test.
func withFolder<T>(_ body: (URL) async throws -> T) async throws -> T {
    let folder = FileManager.default.temporaryDirectory.appending(path: "zohosync-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

extension SimulatorHandle {
    /// The environment that points the program at the simulator.
    func environment(_ changes: [String: String] = [:]) -> [String: String] {
        let oauth = control.configuration.oauth
        return [
            "ZOHO_ACCOUNTS_URL": baseURL, "ZOHO_API_URL": baseURL, "ZOHO_CLIENT_ID": oauth.clientID,
            "ZOHO_CLIENT_SECRET": oauth.clientSecret, "ZOHO_REFRESH_TOKEN": oauth.refreshToken,
            "ZOHO_ORGANIZATION_ID": control.configuration.organizationID, "ZOHOSYNC_CALLS_PER_MINUTE": "0",
            "ZOHOSYNC_DETAILS_PER_MINUTE": "0",
            // Neither a slow machine nor its full disk is what a test looks at.
            "ZOHOSYNC_HEALTH_DATABASE_LATENCY_MS_WARNING": "60000",
            "ZOHOSYNC_HEALTH_DATABASE_LATENCY_MS_CRITICAL": "120000",
            "ZOHOSYNC_HEALTH_DISK_USED_PERCENT_WARNING": "100", "ZOHOSYNC_HEALTH_DISK_USED_PERCENT_CRITICAL": "101",
        ].merging(changes) { $1 }
    }
}

extension SimulatorConfiguration {
    /// Few records of each kind.
    static var small: SimulatorConfiguration {
        var configuration = SimulatorConfiguration()
        configuration.counts = [
            .items: 450, .contacts: 30, .pricebooks: 2, .invoices: 10, .bills: 4, .creditnotes: 2, .salesorders: 3,
            .purchaseorders: 1, .customerpayments: 3,
        ]
        return configuration
    }
}

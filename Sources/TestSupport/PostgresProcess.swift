import Foundation
import Synchronization

/// Where PostgreSQL's programs are.
struct PostgresBinaries {
    let folder: String

    static func find() throws -> PostgresBinaries {
        let files = FileManager.default
        // A distribution keeps them outside PATH; what PATH holds may be a client's or another build's.
        let packaged = ((try? files.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? [])
            .sorted { $0.compare($1, options: .numeric) == .orderedDescending }
            .map { "/usr/lib/postgresql/\($0)/bin" }
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let folder = (packaged + path).first { folder in
            ["initdb", "pg_ctl", "postgres"].allSatisfy { files.isExecutableFile(atPath: "\(folder)/\($0)") }
        }
        guard let folder else {
            throw PostgresServerError(
                description: "The tests need PostgreSQL's server programs (initdb, pg_ctl, postgres). Install them "
                    + "with `apt-get install postgresql` or `brew install postgresql`, or add their folder to PATH.")
        }
        return PostgresBinaries(folder: folder)
    }
}

/// A running server, guarded by a shell that stops it and removes its folder once this process has ended.
struct PostgresProcess: Sendable {
    let port: Int
    private let input: FileHandle
    private let output: FileHandle

    /// The guard waits for the end of its standard input, whose other end only this process holds: however this
    /// process ends, the kernel closes it.
    private static let guardScript = #"""
        trap '' INT TERM HUP PIPE
        as_server() {
            if [ "$(id -u)" -ne 0 ]; then "$@"
            elif command -v setpriv >/dev/null; then
                setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
            else runuser -u postgres -- "$@"
            fi
        }
        # Making a database is 300 files: ten times as fast in memory, where there is enough.
        parent=/tmp
        if [ -w /dev/shm ] && [ "$(df -Pk /dev/shm | awk 'NR == 2 { print $4 }')" -gt 4000000 ]; then
            parent=/dev/shm
        fi
        base=$(mktemp -d "$parent/zohosync-postgres.XXXXXX") && cd "$base" && chmod 755 . || exit 1
        if [ "$(id -u)" -eq 0 ]; then chown postgres . || exit 1; fi
        start() {
            as_server "$BIN/pg_ctl" -D "$base/data" -l "$base/server.log" -w -t 60 start -o "-p $PORT \
                -c listen_addresses=127.0.0.1 -c unix_socket_directories='$base' -c max_connections=300 \
                -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
                -c max_wal_size=128MB"
        }
        processes() {
            main=$(head -n 1 "$base/data/postmaster.pid") &&
                ps -A -o pid= -o ppid= | awk -v main="$main" '$1 == main || $2 == main { print $1 }' | sort -n
        }
        # The main process first, which would start others in the place of those that it misses.
        freeze() { kill -STOP "$(head -n 1 "$base/data/postmaster.pid")" && kill -STOP $(processes); }
        thaw() { kill -CONT $(processes); }
        stop() { thaw; as_server "$BIN/pg_ctl" -D "$base/data" -m immediate -w stop; }
        {
            as_server "$BIN/initdb" -D "$base/data" -U postgres -A trust -E UTF8 --locale=C --no-sync && start
        } >"$base/start.log" 2>&1 </dev/null
        if [ $? -eq 0 ]; then
            echo ready
            while read -r command; do
                case $command in start|stop|freeze|thaw) "$command" ;; esac >>"$base/start.log" 2>&1 </dev/null
                echo ready
            done
            stop >/dev/null 2>&1 </dev/null
        else
            tail -n 5 "$base/start.log" "$base/server.log" 2>/dev/null
        fi
        cd / && rm -rf "$base"
        """#

    static func start(_ binaries: PostgresBinaries) async throws -> PostgresProcess {
        // Between looking for a free port and taking it somebody else may: then another one is tried.
        var attempt = 1
        while true {
            do {
                return try await startOnce(binaries)
            } catch  where attempt < 3 {
                attempt += 1
            }
        }
    }

    private static func startOnce(_ binaries: PostgresBinaries) async throws -> PostgresProcess {
        try await withCheckedThrowingContinuation { continuation in
            // Starting takes about a second of blocking calls.
            Thread.detachNewThread {
                continuation.resume(with: Result { try startBlocking(binaries) })
            }
        }
    }

    private static func startBlocking(_ binaries: PostgresBinaries) throws -> PostgresProcess {
        let port = try freePort()
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", guardScript]
        shell.environment = [
            "BIN": binaries.folder, "PORT": String(port),
            "PATH": (ProcessInfo.processInfo.environment["PATH"] ?? "") + ":/usr/bin:/bin:/usr/sbin:/sbin",
        ]
        let (input, output) = try launching {
            let pipes = (Pipe(), Pipe())
            // Held by this process alone: any other one that inherited it would keep the server alive.
            _ = fcntl(pipes.0.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
            shell.standardInput = pipes.0
            shell.standardOutput = pipes.1
            try shell.run()
            return pipes
        }

        let answer = output.fileHandleForReading.availableData
        guard answer == Data("ready\n".utf8) else {
            let rest = answer + output.fileHandleForReading.readDataToEndOfFile()
            throw PostgresServerError(
                description: "The tests' PostgreSQL does not start: \(String(decoding: rest, as: UTF8.self))")
        }
        let process = PostgresProcess(
            port: port, input: input.fileHandleForWriting, output: output.fileHandleForReading)
        running.withLock { running in
            if running.isEmpty { atexit { PostgresProcess.running.withLock { for process in $0 { process.end() } } } }
            running.append(process)
        }
        return process
    }

    private static let running = Mutex<[PostgresProcess]>([])

    /// Asks the guard to stop, and waits until it has removed the folder and closed its output.
    func end() {
        try? input.close()
        _ = try? output.readToEnd()
    }

    /// Has the guard `start`, `stop`, `freeze` or `thaw` the server, and waits until it has.
    func tell(_ command: String) async throws {
        let (input, output) = (input, output)
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                continuation.resume(
                    with: Result {
                        try input.write(contentsOf: Data("\(command)\n".utf8))
                        guard output.availableData == Data("ready\n".utf8) else {
                            throw PostgresServerError(description: "The tests' PostgreSQL does not \(command).")
                        }
                    })
            }
        }
    }
}

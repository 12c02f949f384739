import Foundation

/// How this process is called where it holds leases, claims and calls: `host:pid@start`, by which others can tell
/// whether it has ended.
enum ProcessName {
    static let current = "\(host):\(pid)\(startTime(of: pid).map { "@\($0)" } ?? "")"

    private static let host = ProcessInfo.processInfo.hostName
    private static let pid = ProcessInfo.processInfo.processIdentifier

    /// Whether a process on this host is known to have ended.
    ///
    /// Nothing is known of processes on other hosts. A process id alone is not enough: in a container every run has the
    /// same one.
    static func isDead(_ process: String) -> Bool {
        let parts = process.split(separator: ":")
        guard parts.count == 2, parts[0] == host else { return false }
        let process = parts[1].split(separator: "@")
        guard let pid = Int32(process[0]) else { return false }
        if kill(pid, 0) != 0, errno == ESRCH { return true }
        guard process.count == 2, let start = startTime(of: pid) else { return false }
        return process[1] != start
    }

    /// When a process started, in the kernel's ticks since it booted; nil where there is no `/proc`.
    private static func startTime(of pid: Int32) -> Substring? {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return nil }
        // The 22nd field, of which the name, which may hold spaces, is the second.
        let fields = stat[name...].split(separator: " ")
        return fields.count > 20 ? fields[20] : nil
    }
}

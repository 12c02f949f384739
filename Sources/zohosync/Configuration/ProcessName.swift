import Foundation

/// How a process is called where it holds leases, claims and calls: `host:pid@start:boot:namespace`, by which others can
/// tell whether it has ended.
///
/// A process id means something only to who counts processes in the same way. Containers have their own counts and may
/// have the host's name, and so may two machines; so the name says which kernel's, since which boot, and in which
/// namespace.
struct ProcessName: Hashable {
    let host: String
    let pid: Int32
    /// When it started, in the kernel's ticks since it booted: in a container every run has the same id.
    let start: String
    /// The kernel's id of its boot.
    let boot: String
    /// The number of the namespace in which `pid` is counted.
    let namespace: String

    /// This process's.
    static let current = own?.description ?? "\(ownHost):\(ownPID)"

    /// Reads a name; nil where it does not tell enough, as those of earlier versions and of systems without `/proc`.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 4, let at = parts[1].firstIndex(of: "@"), let pid = Int32(parts[1][..<at]) else {
            return nil
        }
        self.init(
            host: String(parts[0]), pid: pid, start: String(parts[1][parts[1].index(after: at)...]),
            boot: String(parts[2]), namespace: String(parts[3]))
    }

    init(host: String, pid: Int32, start: String, boot: String, namespace: String) {
        self.host = host
        self.pid = pid
        self.start = start
        self.boot = boot
        self.namespace = namespace
    }

    // MARK: - Death

    /// What the kernel says of a process id.
    enum Lookup: Hashable {
        case nobody
        /// A process with this start.
        case process(start: String)
        /// A process of which it does not tell more.
        case unknown
    }

    /// Whether a process is known to have ended; otherwise what it holds runs out.
    static func isDead(_ name: String) -> Bool { isDead(name, seenBy: own, lookup) }

    /// The same, as another process sees it.
    ///
    /// - Parameters:
    ///   - observer: nil where it cannot tell who it is itself.
    ///   - lookup: asks the observer's kernel.
    static func isDead(_ name: String, seenBy observer: ProcessName?, _ lookup: (_ pid: Int32) -> Lookup) -> Bool {
        guard let observer, let other = ProcessName(name), other.host == observer.host, other.boot == observer.boot,
            other.namespace == observer.namespace
        else { return false }
        switch lookup(other.pid) {
        case .nobody: return true
        case .process(let start): return start != other.start
        case .unknown: return false
        }
    }

    // MARK: - The kernel

    private static let ownHost = ProcessInfo.processInfo.hostName
    private static let ownPID = ProcessInfo.processInfo.processIdentifier

    private static let own: ProcessName? = {
        let files = FileManager.default
        // A namespace may show the processes of the one around it, under other ids.
        guard (try? files.destinationOfSymbolicLink(atPath: "/proc/self")) == "\(ownPID)",
            let link = try? files.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid"),
            let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8),
            let start = startTime(of: ownPID)
        else { return nil }
        // As in `pid:[4026531836]`.
        return ProcessName(
            host: ownHost, pid: ownPID, start: start, boot: boot.filter(\.isHexDigit),
            namespace: link.filter(\.isWholeNumber))
    }()

    private static func lookup(_ pid: Int32) -> Lookup {
        if kill(pid, 0) != 0, errno == ESRCH { return .nobody }
        return startTime(of: pid).map { .process(start: $0) } ?? .unknown
    }

    /// Nil where the kernel does not tell.
    private static func startTime(of pid: Int32) -> String? {
        guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return nil }
        // The 22nd field, of which the name, which may hold spaces, is the second.
        let fields = stat[name...].split(separator: " ")
        return fields.count > 20 ? String(fields[20]) : nil
    }
}

extension ProcessName: CustomStringConvertible {
    // With more colons than an earlier version reads, which would take a part that it does not know for another start.
    var description: String { "\(host):\(pid)@\(start):\(boot):\(namespace)" }
}

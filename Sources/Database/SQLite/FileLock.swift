import Foundation

/// An advisory lock that the kernel gives back when its process ends, however it ends.
final class FileLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock.
    ///
    /// - Parameter guarded: what the lock is for, named in the error.
    init(path: String, guarding guarded: String) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw DatabaseError(
                kind: errno == EROFS || errno == EACCES ? .readOnly : .unavailable, code: String(errno),
                message: "The folder of \(guarded) cannot be written: \(String(cString: strerror(errno)))",
                advice: "Give this user write access to the folder, or correct DATABASE_URL.")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            Foundation.close(descriptor)
            throw DatabaseError(
                kind: .locked, code: "SQLITE_BUSY",
                message: "Another process\(holder.isEmpty ? "" : " (\(holder))") is writing to \(guarded)",
                advice: "Wait until it has ended, or stop it; a SQLite mirror has one writer at a time.")
        }
        let name = "process \(ProcessInfo.processInfo.processIdentifier)"
        ftruncate(descriptor, 0)
        _ = name.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    deinit {
        close(descriptor)
    }

    func release() {
        flock(descriptor, LOCK_UN)
    }
}

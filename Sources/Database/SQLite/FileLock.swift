import Foundation
import Synchronization

/// An advisory lock that the kernel gives back when its process ends, however it ends.
final class FileLock: Sendable {
    /// Nil once the lock has been given back.
    private let descriptor: Mutex<Int32?>

    /// Takes the lock, and leaves this process's id in the file for whoever is refused.
    ///
    /// - Parameter guarded: what the lock is for, named in the error.
    /// - Throws: ``DatabaseError`` of the kind `locked` where another one holds it.
    init(path: String, guarding guarded: String) throws(DatabaseError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            let code = errno
            throw DatabaseError(
                kind: [EROFS, EACCES, EPERM].contains(code) ? .readOnly : .unavailable, code: "errno \(code)",
                message: "The lock file for \(guarded) cannot be opened: \(String(cString: strerror(code)))",
                advice: "Give this user write access to the folder, or correct DATABASE_URL.")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            let holder = ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").prefix { !$0.isNewline }
            throw DatabaseError(
                kind: .locked, code: "SQLITE_BUSY",
                message: "Another process\(holder.isEmpty ? "" : " (pid \(holder))") is writing to \(guarded)",
                advice: "Wait until it has ended, or stop it; a SQLite mirror has one writer at a time.")
        }
        let pid = Array("\(ProcessInfo.processInfo.processIdentifier)\n".utf8)
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, pid, pid.count, 0) }
        self.descriptor = Mutex(descriptor)
    }

    deinit {
        release()
    }

    /// Gives the lock back; the file stays, because removing it would race with the next one to open it.
    func release() {
        descriptor.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }
}

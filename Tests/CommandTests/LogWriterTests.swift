import Dispatch
import Synchronization
import TestSupport
import Testing

@testable import zohosync

@Suite("The log's writer")
struct LogWriterTests {
    @Test("Who does not read keeps nobody waiting, and what does not fit is counted", .timeLimit(.minutes(30)))
    func stalled() async throws {
        let read = Mutex<[String]>([])
        let goOn = DispatchSemaphore(value: 0)
        let writer = LogWriter(capacity: 10) { text in
            goOn.wait()
            read.withLock { $0.append(text) }
        }
        for line in ["1....", "2....", "3....", "4...."] { writer.write(line) { "\($0) lost" } }
        writer.flush(for: .milliseconds(1))
        #expect(read.withLock { $0 } == [])
        for _ in 0..<4 { goOn.signal() }
        writer.flush(for: .seconds(300))
        #expect(read.withLock { $0 } == ["1....\n", "2 lost\n", "2....\n"])

        writer.write("5....") { "\($0) lost" }
        writer.flush(for: .seconds(300))
        #expect(read.withLock { $0.last } == "5....\n", "there is room again")
    }
}

import Foundation
import Testing

@testable import Mirror
@testable import zohosync

@Suite("The name of a process, and whether it has ended")
struct ProcessNameTests {
    private static let observer = ProcessName(host: "books", pid: 7, start: "100", boot: "b00t", namespace: "1")

    /// The observer looks on a machine where only it runs, and process 42 since 500.
    private static func isDead(_ name: String, seenBy observer: ProcessName? = observer) -> Bool {
        ProcessName.isDead(name, seenBy: observer) { pid in
            switch pid {
            case 7: .process(start: "100")
            case 42: .process(start: "500")
            case 43: .unknown
            default: .nobody
            }
        }
    }

    @Test("A name is read as it was written")
    func roundTrip() throws {
        #expect("\(Self.observer)" == "books:7@100:b00t:1")
        #expect(ProcessName("\(Self.observer)") == Self.observer)
        #expect(ProcessName("books:7@100") == nil)
        #expect(ProcessName("books:x@100:b00t:1") == nil)
        #expect(ProcessName("") == nil)
    }

    @Test("A process of the same boot and namespace is dead when its id is nobody's, or somebody else's")
    func sameNamespace() {
        #expect(!Self.isDead("books:42@500:b00t:1"))
        #expect(Self.isDead("books:42@499:b00t:1"))
        #expect(Self.isDead("books:41@500:b00t:1"))
        #expect(!Self.isDead("books:43@500:b00t:1"), "its start is not told")
    }

    @Test(
        "Nothing is known of what is counted elsewhere",
        arguments: [
            "books:41@500:b00t:2", "books:41@500:other:1", "elsewhere:41@500:b00t:1",
        ])
    func elsewhere(name: String) {
        #expect(!Self.isDead(name))
    }

    @Test("Nothing is known of a name that an earlier version wrote", arguments: ["books:41@500", "books:41", "test"])
    func earlier(name: String) {
        #expect(!Self.isDead(name))
    }

    @Test("Who does not know where it runs knows of nobody that it is dead")
    func unknownObserver() {
        #expect(!Self.isDead("books:41@500:b00t:1", seenBy: nil))
    }

    #if os(Linux)
    @Test("This process is alive, and one before it under the same id is not")
    func current() throws {
        let own = try #require(ProcessName(ProcessName.current))
        #expect(own.pid == ProcessInfo.processInfo.processIdentifier)
        #expect(!ProcessName.isDead(ProcessName.current))
        let former = ProcessName(
            host: own.host, pid: own.pid, start: "1", boot: own.boot, namespace: own.namespace)
        #expect(ProcessName.isDead("\(former)"))
    }
    #endif

    @Test("People are shown host and id")
    func shown() {
        #expect(HolderName.shown("books:7@100:b00t:1") == "books:7")
        #expect(HolderName.shown("worker books:7@100:b00t:1#2") == "worker books:7#2")
        #expect(HolderName.shown("sync products") == "sync products")
        let leased = MirrorError.leased(name: "sync products", holder: "\(Self.observer)", secondsLeft: 5)
        #expect(leased.description.contains("(books:7) is running sync products"))
    }
}

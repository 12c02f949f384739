import Testing

@testable import Postgres

@Suite("Pool state")
struct PoolStateTests {
    private typealias State = PoolState<String>

    @Test("Places are granted up to the limit, then requests queue")
    func limit() {
        var state = State(limit: 2)
        #expect(state.request(by: 1) == .granted(.place))
        #expect(state.request(by: 2) == .granted(.place))
        #expect(state.request(by: 3) == .queued)
    }

    @Test("What comes back goes to the one who has waited longest")
    func firstComeFirstServed() {
        var state = State(limit: 1)
        #expect(state.request(by: 1) == .granted(.place))
        #expect(state.request(by: 2) == .queued)
        #expect(state.request(by: 3) == .queued)
        #expect(state.giveBack("a") == .passed(.connection("a"), to: 2))
        #expect(state.giveBack("a") == .passed(.connection("a"), to: 3))
        #expect(state.giveBack("a") == .kept)
        #expect(state.request(by: 4) == .granted(.connection("a")))
    }

    @Test("The connection used last is given first")
    func lastUsedFirst() {
        var state = State(limit: 2)
        _ = state.request(by: 1)
        _ = state.request(by: 2)
        #expect(state.giveBack("a") == .kept)
        #expect(state.giveBack("b") == .kept)
        #expect(state.request(by: 3) == .granted(.connection("b")))
        #expect(state.request(by: 4) == .granted(.connection("a")))
    }

    @Test("The place of a lost connection goes to a waiter, or is free")
    func lost() {
        var state = State(limit: 1)
        _ = state.request(by: 1)
        #expect(state.request(by: 2) == .queued)
        #expect(state.giveBack(nil) == .passed(.place, to: 2))
        #expect(state.giveBack(nil) == .kept)
        #expect(state.request(by: 3) == .granted(.place))
        #expect(state.request(by: 4) == .queued)
    }

    @Test("A waiter who has gone is passed over")
    func cancelled() {
        var state = State(limit: 1)
        _ = state.request(by: 1)
        _ = state.request(by: 2)
        _ = state.request(by: 3)
        #expect(state.cancel(2) == true)
        #expect(state.cancel(2) == false)
        #expect(state.giveBack("a") == .passed(.connection("a"), to: 3))
        #expect(state.cancel(3) == false)
    }

    @Test("A closed pool gives up its idle connections and waiters, and everything that comes back")
    func closed() {
        var state = State(limit: 2)
        _ = state.request(by: 1)
        _ = state.request(by: 2)
        #expect(state.request(by: 3) == .queued)
        let waiting = state.close()
        #expect(waiting.idle == [])
        #expect(waiting.waiters == [3])
        #expect(state.request(by: 4) == .closed)
        #expect(state.giveBack("a") == .close)
        #expect(state.giveBack(nil) == .close)

        var idle = State(limit: 1)
        _ = idle.request(by: 1)
        _ = idle.giveBack("a")
        #expect(idle.close().idle == ["a"])
        #expect(idle.close().idle == [])
    }
}

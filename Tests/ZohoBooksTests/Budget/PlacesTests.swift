import Testing

@testable import ZohoBooks

@Suite(.timeLimit(.minutes(30))) struct PlacesTests {
    @Test func aFreePlaceWakesWhoCameFirst() async throws {
        let (places, woken) = (Places(), Shared<[Int]>([]))
        var waiters: [Task<Void, Never>] = []
        for number in 0..<3 {
            let freed = places.freed
            waiters.append(
                Task {
                    await places.wait(after: freed)
                    woken.change { $0.append(number) }
                })
            try await until { places.waiting == number + 1 }
        }
        for number in 0..<3 {
            places.wakeNext()
            await waiters[number].value
            #expect(woken.value == Array(0...number))
        }
    }

    @Test func aPlaceFreedBeforeTheWaitIsNotMissed() async {
        let places = Places()
        let freed = places.freed
        places.take()
        places.free()
        await places.wait(after: freed)
        #expect(places.taken == 0)
    }

    @Test func aCancelledWaiterLeavesTheLine() async throws {
        let places = Places()
        let freed = places.freed
        let first = Task { await places.wait(after: freed) }
        try await until { places.waiting == 1 }
        let second = Task { await places.wait(after: freed) }
        try await until { places.waiting == 2 }
        first.cancel()
        await first.value
        #expect(places.waiting == 1)
        places.wakeNext()
        await second.value
        // Cancelled before it waits, it does not wait at all.
        let third = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await places.wait(after: places.freed)
        }
        await third.value
        #expect(places.waiting == 0)
    }
}

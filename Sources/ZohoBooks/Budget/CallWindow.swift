/// When the calls of one kind that a minute allows can be made, if nobody else makes any.
public struct CallWindow: Sendable, Hashable {
    /// Seconds until each of a minute's calls is free, the earliest first; empty without a limit.
    private let freeIn: [Int]

    /// One without a limit.
    public init() { freeIn = [] }

    /// - Parameters:
    ///   - limit: calls in 60 seconds.
    ///   - made: how many have ended how many seconds ago.
    ///   - underWay: how many have not.
    ///   - pause: seconds in which none may be made.
    init(limit: Int, made: [(count: Int, secondsAgo: Int)], underWay: Int, pause: Int) {
        let lapsing = made.flatMap { Array(repeating: 61 - $0.secondsAgo, count: $0.count) }.filter { $0 > 0 }
        let taken = lapsing.sorted() + Array(repeating: 61, count: underWay)
        let free = Array(repeating: 0, count: max(0, limit - taken.count))
        freeIn = (free + taken.dropFirst(max(0, taken.count - limit))).map { max($0, pause) }
    }

    /// Calls that can be made now; nil without a limit.
    public var left: Int? { freeIn.isEmpty ? nil : freeIn.count { $0 <= 0 } }

    /// Seconds until the last of so many calls can be made: a call is free again 61 seconds after it was made.
    public func seconds(until calls: Int) -> Int {
        guard calls > 0, !freeIn.isEmpty else { return 0 }
        let (minutes, index) = (calls - 1).quotientAndRemainder(dividingBy: freeIn.count)
        return freeIn[index] + 61 * minutes
    }
}

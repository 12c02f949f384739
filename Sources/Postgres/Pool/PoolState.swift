/// Who holds which connection and who waits for one, without any I/O.
///
/// Every place is idle, leased, or being opened by the one who was granted it; `places` counts them all. Waiters are
/// served first come, first served, and only while no connection is idle.
struct PoolState<Connection> {
    /// What a user of the pool is given.
    enum Grant {
        /// An open connection.
        case connection(Connection)
        /// The right to open a connection; the one who opens it also gives it back.
        case place
    }

    /// The answer to a request.
    enum Answer {
        case granted(Grant)
        case queued
        case closed
    }

    /// What to do with a connection that came back.
    enum Return {
        /// Nobody waits: it stays, or, if it was lost, its place is free.
        case kept
        /// It, or its place, goes to the waiter.
        case passed(Grant, to: Int)
        /// The pool is closed: close it if it is open.
        case close
    }

    private let limit: Int
    private var places = 0
    private var idle: [Connection] = []
    private var waiters: [Int] = []
    private var isClosed = false

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    /// Asks for a connection; the one used last is the first to be given again.
    mutating func request(by waiter: Int) -> Answer {
        if isClosed { return .closed }
        if let connection = idle.popLast() { return .granted(.connection(connection)) }
        if places < limit {
            places += 1
            return .granted(.place)
        }
        waiters.append(waiter)
        return .queued
    }

    /// Takes a connection back, or, with nil, the place of one that was lost or never opened.
    mutating func giveBack(_ connection: Connection?) -> Return {
        if isClosed {
            places -= 1
            return .close
        }
        if let waiter = waiters.first {
            waiters.removeFirst()
            return .passed(connection.map(Grant.connection) ?? .place, to: waiter)
        }
        if let connection { idle.append(connection) } else { places -= 1 }
        return .kept
    }

    /// Stops waiting; false when the waiter has been served already.
    mutating func cancel(_ waiter: Int) -> Bool {
        guard let index = waiters.firstIndex(of: waiter) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// Refuses all further requests; gives the connections to close and the waiters to turn away.
    mutating func close() -> (idle: [Connection], waiters: [Int]) {
        defer {
            isClosed = true
            places -= idle.count
            idle = []
            waiters = []
        }
        return (idle, waiters)
    }
}

extension PoolState.Grant: Sendable where Connection: Sendable {}
extension PoolState.Grant: Equatable where Connection: Equatable {}
extension PoolState.Answer: Equatable where Connection: Equatable {}
extension PoolState.Return: Equatable where Connection: Equatable {}

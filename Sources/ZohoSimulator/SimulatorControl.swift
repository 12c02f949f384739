package import Foundation
import Synchronization

/// The simulated organisation behind the API: changes it, makes it misbehave, and tells its true state.
///
/// Every change is seen by the next call of the API. Records are named by id or by index; the generated ones have the
/// indices from 0 on, created ones follow.
package final class SimulatorControl: Sendable {
    /// What the simulator was started with.
    package let configuration: SimulatorConfiguration
    let calendar: OrganizationCalendar
    let books: Mutex<Books>
    let tokens: Mutex<TokenLedger>
    let limits: Mutex<CallLimits>
    let faults: Mutex<FaultPlan>
    let listings = ListingCache()
    let sender: WebhookSender
    let traffic: Traffic
    private let counters = Mutex(CallStatistics())
    private let clockOffset = Mutex(0.0)
    private let address = Mutex("")

    init(_ configuration: SimulatorConfiguration) {
        self.configuration = configuration
        calendar = OrganizationCalendar(offsetMinutes: configuration.utcOffsetMinutes)
        let generator = Generator(
            seed: configuration.seed, counts: configuration.counts, calendar: calendar,
            end: Int(configuration.dataEnd.timeIntervalSince1970))
        var books = Books(generator)
        books.poison(configuration.poison)
        self.books = Mutex(books)
        tokens = Mutex(TokenLedger(rules: configuration.oauth, seed: configuration.seed))
        limits = Mutex(CallLimits(rules: configuration.limits, calendar: calendar))
        faults = Mutex(FaultPlan(seed: configuration.seed, probabilities: configuration.faults))
        sender = WebhookSender(configuration)
        traffic = Traffic(configuration)
    }

    // MARK: Time

    /// The simulated time in seconds since 1970.
    var seconds: Double { configuration.now().timeIntervalSince1970 + clockOffset.withLock { $0 } }

    /// The simulated time.
    package var now: Date { Date(timeIntervalSince1970: seconds) }

    /// Moves the simulated clock: tokens expire, limits open, later changes are younger.
    package func advanceClock(by duration: Duration) {
        let parts = duration.components
        clockOffset.withLock { $0 += Double(parts.seconds) + Double(parts.attoseconds) * 1e-18 }
    }

    // MARK: Counting

    /// How often each path was called so far.
    package var statistics: CallStatistics {
        var statistics = counters.withLock { $0 }
        statistics.largestInFlight = limits.withLock { $0.largestInFlight }
        return statistics
    }

    func count(_ change: (inout CallStatistics) -> Void) { counters.withLock { change(&$0) } }

    /// Counts a call and returns its number, from 1.
    func countCall(_ path: String) -> Int {
        counters.withLock { statistics in
            statistics.calls += 1
            statistics.callsByPath[path, default: 0] += 1
            return statistics.calls
        }
    }

    // MARK: Address

    var baseURL: String {
        get { address.withLock { $0 } }
        set { address.withLock { $0 = newValue } }
    }

    /// A consistent view of the records for one answer.
    var snapshot: Books { books.withLock { $0 } }
}

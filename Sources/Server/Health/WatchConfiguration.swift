package import Alerts
package import Sync

/// What a server does by itself, and whom it tells.
package struct WatchConfiguration: Sendable {
    /// The organisation's id, which the mirror has to be of and alerts name; nil where any is right.
    package var organization: String?
    /// Above which figures a check is no longer well.
    package var thresholds = HealthThresholds()
    package var schedule = Schedule.off
    package var healing = HealingOptions()
    package var targets: [any AlertTarget] = []
    /// Told after each look at which nothing was critical.
    package var ping: DeadMansPing?

    /// Watches nothing by itself.
    package init() {}
}

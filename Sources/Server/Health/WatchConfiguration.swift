package import Alerts
package import Sync

/// What a server does on its own, and whom it tells.
package struct WatchConfiguration: Sendable {
    /// The id of the organisation that the mirror has to hold and that alerts name; nil where any will do.
    package var organization: String?
    /// The figures above which a check is no longer well.
    package var thresholds = HealthThresholds()
    /// When it does what; nothing by default.
    package var schedule = Schedule.off
    /// What healing may do, where the schedule has it.
    package var healing = HealingOptions()
    /// Where alerts go beside the log.
    package var targets: [any AlertTarget] = []
    /// Sent after each inspection at which nothing was critical.
    package var ping: DeadMansPing?

    /// Does nothing on its own.
    package init() {}
}

/// The codes with which Zoho slows its callers down, mostly with HTTP 429 (reference, section 2.2).
enum ThrottleCode: Int {
    /// Undocumented: too many calls for single records in a row.
    case details = 43
    /// More than 100 calls in a minute; blocks the organisation's people too.
    case minute = 44
    /// The day's calls are used up.
    case day = 45
    /// Too many calls at once.
    case concurrency = 1_070
}

import Synchronization

public import struct Foundation.Date

/// An access token at rest: sealed, with what may be known of it without the key.
public struct SealedToken: Sendable, Hashable, Codable {
    /// The sealed token; see ``TokenSeal``.
    public var sealed: [UInt8]
    /// When it lapses.
    public var expiresAt: Date
    /// When tokens were issued lately, this one last: Zoho gives ten in ten minutes to all processes together
    /// (reference, section 1.6).
    public var issued: [Date]
    /// Until when Zoho issues no more, after it has said so.
    public var throttledUntil: Date?

    /// Describes a sealed token.
    public init(sealed: [UInt8], expiresAt: Date, issued: [Date], throttledUntil: Date? = nil) {
        self.sealed = sealed
        self.expiresAt = expiresAt
        self.issued = issued
        self.throttledUntil = throttledUntil
    }
}

/// Where the one access token is kept that all processes of an organisation share.
public protocol TokenStore: Sendable {
    /// The token as it was saved last.
    func load() async throws -> SealedToken?

    /// Replaces the token.
    func save(_ token: SealedToken) async throws

    /// Takes the right to fetch a new token, unless another process has it; it lapses after 30 seconds.
    func acquireRefresh() async throws -> Bool

    /// Gives the right back.
    func releaseRefresh() async throws
}

/// A token for one process.
public final class InMemoryTokenStore: TokenStore {
    private struct State {
        var token: SealedToken?
        var isHeld = false
    }

    private let state = Mutex(State())

    /// Begins without a token.
    public init() {}

    /// The token kept last.
    public func load() -> SealedToken? { state.withLock { $0.token } }

    /// Replaces the token.
    public func save(_ token: SealedToken) { state.withLock { $0.token = token } }

    /// Takes the right to refresh, which only one holder has at a time.
    public func acquireRefresh() -> Bool {
        state.withLock { state in
            if state.isHeld { return false }
            state.isHeld = true
            return true
        }
    }

    /// Gives the right to refresh back.
    public func releaseRefresh() { state.withLock { $0.isHeld = false } }
}

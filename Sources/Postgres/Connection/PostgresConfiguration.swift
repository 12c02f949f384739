import CLibPQ

/// Where the server is and how a connection to it starts.
///
/// The URL goes to libpq unchanged, so everything that libpq understands works: several hosts, `sslmode`, socket
/// folders, `PGPASSFILE`. Its `description` names user, host and database, never the password.
package struct PostgresConfiguration: Sendable {
    /// Run-time settings that each connection sets when it opens, such as `search_path` or `statement_timeout`.
    package var settings: [String: String]
    /// How long one host may take to answer, in seconds.
    package var connectTimeout = 10
    /// What the server shows for this connection in `pg_stat_activity`, unless the URL names something else.
    package var applicationName = "zohosync"

    private let url: String
    private let password: String?
    /// `user@host:port/database` as far as the URL names them.
    private let address: String

    /// Checks the URL's form without connecting.
    ///
    /// - Throws: `PostgresError` of kind `usage`; it never quotes the URL.
    package init(url: String, settings: [String: String] = [:]) throws(PostgresError) {
        let parts = try Self.parts(of: url)
        // An unescaped `@`, `:` or `/` in a password moves its rest into host or port, which libpq's errors quote.
        guard !(parts["host"] ?? "").contains("@"),
            (parts["port"] ?? "").allSatisfy({ $0.isNumber || $0 == "," })
        else { throw Self.malformed }
        self.url = url
        self.settings = settings
        password = parts["password"]
        address =
            (parts["user"].map { "\($0)@" } ?? "") + (parts["host"] ?? parts["hostaddr"] ?? "localhost")
            + (parts["port"].map { ":\($0)" } ?? "") + (parts["dbname"].map { "/\($0)" } ?? "")
    }

    private static let malformed = PostgresError(
        .usage, "The database URL cannot be read",
        hint: "Write postgres://user:password@host:port/database and percent-encode @ : / ? # % in the password.")

    private static func parts(of url: String) throws(PostgresError) -> [String: String] {
        guard url.hasPrefix("postgres://") || url.hasPrefix("postgresql://"), !url.utf8.contains(0),
            let options = PQconninfoParse(url, nil)
        else { throw malformed }
        defer { PQconninfoFree(options) }
        var parts: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            parts[String(cString: keyword)] = option.pointee.val.map { String(cString: $0) }
            option += 1
        }
        return parts
    }

    /// Connects, and blocks until it has worked or failed.
    ///
    /// The caller owns the link and must `PQfinish` it.
    func open() throws(PostgresError) -> OpaquePointer {
        // What stands before `dbname` is a default that the URL may override; what stands after it is fixed.
        let parameters = [
            ("application_name", applicationName), ("connect_timeout", String(connectTimeout)),
            // A server that cannot be reached any more is found out within 15 seconds.
            ("keepalives_idle", "5"), ("keepalives_interval", "5"), ("keepalives_count", "2"),
            ("tcp_user_timeout", "15000"), ("dbname", url), ("client_encoding", "UTF8"),
        ]
        let link = Self.withCStrings(parameters.map(\.0)) { keywords in
            Self.withCStrings(parameters.map(\.1)) { values in PQconnectdbParams(keywords, values, 1) }
        }
        guard let link else { throw PostgresError(.connect, "libpq has no memory for a connection") }
        guard PQstatus(link) != CONNECTION_OK else { return link }
        let message = String(cString: PQerrorMessage(link))
        let state = Self.sqlState(of: message, link)
        // Whoever refused may let in a moment later.
        if PQstatus(link) == CONNECTION_OK { return link }
        defer { PQfinish(link) }
        throw PostgresError(
            .connect, redacted(PostgresError.oneLine(message)), sqlState: state,
            hint: "Check that the server is running and that the database URL (\(address)) is correct.")
    }

    /// The SQLSTATE with which a server has refused the connection; empty where none has.
    ///
    /// libpq keeps it to itself and gives the message, which is in the server's language. Asked for nothing but states, it
    /// gives them when it tries again.
    private static func sqlState(of message: String, _ link: OpaquePointer) -> String {
        if PQconnectionNeedsPassword(link) == 1 { return "28P01" }
        // Two spaces stand behind the severity of what a server says, in every language.
        guard message.contains(":  ") else { return "" }
        let verbosity = PQsetErrorVerbosity(link, PQERRORS_SQLSTATE)
        defer { _ = PQsetErrorVerbosity(link, verbosity) }
        PQreset(link)
        let states = String(cString: PQerrorMessage(link)).matches(
            of: #/: {2}([0-9A-Z]{5})$/#.anchorsMatchLineEndings())
        return states.last.map { String($0.1) } ?? ""
    }

    private func redacted(_ message: String) -> String {
        guard let password, !password.isEmpty else { return message }
        return message.split(separator: password, omittingEmptySubsequences: false).joined(separator: "***")
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> R?
    ) -> R? {
        let copies = strings.map { string in
            let bytes = UnsafeMutableBufferPointer<CChar>.allocate(capacity: string.utf8.count + 1)
            _ = bytes.initialize(fromContentsOf: string.utf8CString)
            return bytes
        }
        defer { for copy in copies { copy.deallocate() } }
        let pointers = copies.map { UnsafePointer($0.baseAddress) } + [nil]
        return pointers.withUnsafeBufferPointer { $0.baseAddress.flatMap(body) }
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The address without the password.
    package var description: String { "postgres://\(address)" }

    /// The same as `description`.
    package var debugDescription: String { description }

    /// Nothing but the address, so that `dump` and reflection show no password either.
    package var customMirror: Mirror { Mirror(self, children: ["address": address]) }
}

import CLibPQ

/// What PostgreSQL, or the way to it, refused.
///
/// `description` is safe to log: it holds neither passwords nor the values of a row. What may quote a value (`detail`,
/// `context`, and the message about one that does not fit its type) is whole only in `debugDescription`.
package struct PostgresError: Error, Sendable, Hashable {
    /// Who raised the error.
    package enum Kind: Sendable, Hashable {
        /// No connection could be made; `message` is libpq's.
        case connect
        /// The server answered with an error; `sqlState` is set.
        case server
        /// The connection broke or was closed; whether the last statement took effect is unknown.
        case connectionLost
        /// The call could not be sent as it stands (a bad URL, text with a NUL byte, a value of another type).
        case usage
    }

    /// Who raised the error.
    package var kind: Kind
    /// The five-character SQLSTATE, or empty where libpq gives none.
    package var sqlState = ""
    /// `ERROR`, `FATAL` or `PANIC`, or empty when the server did not raise the error.
    package var severity = ""
    /// The primary message, on one line, without full stop.
    package var message: String
    /// The server's detail; it may quote values of the row.
    package var detail: String?
    /// What the server, or this library, suggests to do.
    package var hint: String?
    /// Where in the statement or row the error arose (for COPY the line and column); it may quote values.
    package var context: String?
    /// The schema of `table`.
    package var schema: String?
    /// The table that the error is about.
    package var table: String?
    /// The column that the error is about.
    package var column: String?
    /// The constraint that was violated.
    package var constraint: String?
    /// The function of the server's source that raised the error: unlike `message` it is never translated.
    package var routine: String?

    init(_ kind: Kind, _ message: String, sqlState: String = "", hint: String? = nil) {
        self.kind = kind
        self.message = message
        self.sqlState = sqlState
        self.hint = hint
    }
}

extension PostgresError {
    /// Whether it arose inside a function in a procedural language, such as a trigger's, rather than in the statement
    /// that was sent.
    package var isInsideFunction: Bool {
        // The rest of the line is translated.
        context?.contains("PL/") ?? false
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    /// One or two sentences without secrets or row values.
    package var description: String { sentence(about: sqlState.hasPrefix("22") ? Self.masked(message) : message) }

    /// `description` with the values that the server quotes, its detail and its context.
    package var debugDescription: String {
        [sentence(about: message), detail, context].compactMap(\.self).joined(separator: " | ")
    }

    private func sentence(about message: String) -> String {
        let what =
            switch kind {
            case .connect: "Cannot connect to PostgreSQL: "
            case .server: "PostgreSQL refused: "
            case .connectionLost: "The connection to PostgreSQL is lost: "
            case .usage: ""
            }
        let place = [
            sqlState.isEmpty ? nil : "SQLSTATE \(sqlState)",
            table.map { "table \($0)" }, column.map { "column \($0)" }, constraint.map { "constraint \($0)" },
        ].compactMap(\.self)
        let sentence = what + message + (place.isEmpty ? "" : " (\(place.joined(separator: ", ")))") + "."
        return hint.map { "\(sentence) \($0)" } ?? sentence
    }

    /// Hides what stands between the first and the last quotation mark.
    private static func masked(_ message: String) -> String {
        guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""), first < last else {
            return message
        }
        return "\(message[..<first])\"…\"\(message[last...].dropFirst())"
    }
}

extension PostgresError {
    /// Reads the error out of a result, or, where it has none, out of the connection.
    init(result: OpaquePointer?, link: OpaquePointer) {
        func field(_ code: Int32) -> String? {
            PQresultErrorField(result, code).map { String(cString: $0) }
        }
        let lost = PQstatus(link) == CONNECTION_BAD
        guard let message = field(zs_diag_message_primary) else {
            self.init(lost ? .connectionLost : .usage, Self.oneLine(PQerrorMessage(link)))
            return
        }
        self.init(lost ? .connectionLost : .server, Self.oneLine(message), sqlState: field(zs_diag_sqlstate) ?? "")
        severity = field(zs_diag_severity) ?? ""
        detail = field(zs_diag_message_detail)
        hint = field(zs_diag_message_hint)
        context = field(zs_diag_context)
        schema = field(zs_diag_schema_name)
        table = field(zs_diag_table_name)
        column = field(zs_diag_column_name)
        constraint = field(zs_diag_constraint_name)
        routine = field(zs_diag_source_function)
    }

    static let closed = PostgresError(.connectionLost, "it was closed by this process")

    static func oneLine(_ message: UnsafePointer<CChar>?) -> String {
        message.map { oneLine(String(cString: $0)) } ?? "no reason given"
    }

    /// libpq breaks and indents its messages for a terminal.
    static func oneLine(_ message: String) -> String {
        let line = message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.hasSuffix(".") ? String(line.dropLast()) : line
    }
}

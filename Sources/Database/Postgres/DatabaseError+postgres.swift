import Postgres

extension DatabaseError {
    /// Decides by the SQLSTATE who has to act.
    init(_ error: PostgresError) {
        let state = error.sqlState
        let (kind, advice) = Self.classify(state, error)
        self.init(
            kind: kind, code: state.isEmpty ? "libpq" : state,
            message: error.kind == .connect ? Self.connecting(error.message) : error.message, advice: advice)
    }

    /// libpq's message with its own introduction in place of ours; of a name with several addresses it tells of each.
    private static func connecting(_ message: String) -> String {
        // What libpq asks back on a second line is the advice's business.
        let attempts = message.replacing(#/\s+Is the server running .*?\?/#, with: "")
            .replacing(#/(?:^|\s+)connection to server (.+?) failed:/#) { "\n\($0.1):" }
            .split(separator: "\n").joined(separator: "; ")
        return attempts.hasPrefix("at ") || attempts.hasPrefix("on ")
            ? "No connection to PostgreSQL \(attempts)" : "No connection to PostgreSQL: \(attempts)"
    }

    private static func classify(_ state: String, _ error: PostgresError) -> (Kind, String) {
        if state == "57014" { return (.unavailable, "The statement was stopped or took too long; try again.") }
        // What cannot be sent as it stands is the record's fault: text with a NUL character.
        if error.kind == .usage { return (.record, "") }
        if error.isRefusal { return refusal(state) }
        if error.isConnectionLost || state.isEmpty {
            return (.unavailable, "Check that PostgreSQL is running and that DATABASE_URL points to it.")
        }
        // What a trigger raises is about its row, whatever code it has chosen.
        if error.routine == "exec_stmt_raise" { return (.record, "") }
        if ["42", "0A"].contains(state.prefix(2)), error.isInsideFunction {
            return (
                .trigger, "It is a trigger or function of the database's owner that fails: correct it or its rights."
            )
        }
        switch state {
        case "40001", "40P01": return (.conflict, "Run the command again.")
        case "55P03": return (.locked, "Another session holds a lock on the mirror's tables; end it and try again.")
        case "53100": return (.exhausted, "The disk of the PostgreSQL server is full; free space and try again.")
        case "53300": return (.exhausted, "Raise max_connections or close other connections.")
        case "25006": return (.readOnly, "The server or role is read-only; point DATABASE_URL to the primary.")
        // A policy that refuses the row; messages are translated, routines are not.
        case "42501" where error.routine == "ExecWithCheckOptions": return (.record, Self.policyAdvice)
        case "42501": return (.denied, "As the table's owner, grant the role in DATABASE_URL the right that is named.")
        case "3F000": return (.denied, "Create the schema, or let the role create it: grant create on database.")
        // A value that is too long for an index. The class's other codes are about the server's limits.
        case "54000": return (.record, "")
        default: break
        }
        switch state.prefix(2) {
        case "53", "54": return (.exhausted, "The PostgreSQL server has run out of a resource; see its log.")
        case "57", "58", "XX": return (.unavailable, "See the log of the PostgreSQL server.")
        case "22", "23", "44", "P0", "38", "39": return (.record, "")
        default: return (.program, "Please report this as a bug.")
        }
    }

    /// Who has to act where a server does not let anybody in.
    private static func refusal(_ state: String) -> (Kind, String) {
        switch state {
        case "53300": (.exhausted, "Raise max_connections or close other connections.")
        case "3D000", "28P01", "28000": (.denied, "Correct the user, password or database in DATABASE_URL.")
        case "42501": (.denied, "Correct DATABASE_URL, or grant the role connect on the database.")
        default: (.unavailable, "See the log of the PostgreSQL server, and check DATABASE_URL.")
        }
    }
}

/// What a database said no to, in one sentence, and whether the record, the moment or the set-up is to blame.
package struct DatabaseError: Error, Sendable {
    /// Who has to do something about the error.
    package enum Kind: Sendable, Hashable {
        /// The statement's own values are at fault: a constraint, a type, a row-level-security policy. Other rows may
        /// still work.
        case record
        /// Two writers met; the same transaction may work when it is run again.
        case conflict
        /// The server or the file cannot be reached, or went away.
        case unavailable
        /// The database, the transaction or the file may only be read.
        case readOnly
        /// No space, memory or connections left.
        case exhausted
        /// The role is not let in, or may not do this at all: a wrong password, a missing grant or policy.
        case denied
        /// The file is not a database, is damaged, or has a newer schema than this program.
        case unusable
        /// Another process holds the SQLite file's write lock.
        case locked
        /// Somebody else's trigger or function failed by a mistake of its own, at this row. Other rows may still work.
        case trigger
        /// A mistake in this program: wrong SQL, a missing table.
        case program
    }

    package let kind: Kind
    /// The engine's own code: an SQLSTATE or an SQLite extended result code.
    package let code: String
    /// The engine's own message; holds no parameter values.
    package let message: String
    /// What a person should do about it.
    package let advice: String

    package init(kind: Kind, code: String, message: String, advice: String) {
        self.kind = kind
        self.code = code
        self.message = message
        self.advice = advice
    }
}

extension DatabaseError {
    /// Whether it is about the statement that met with it: with other rows, or for another table, the same may work.
    package var concernsStatement: Bool {
        switch kind {
        case .record, .trigger, .program: true
        // A conflict between writers says nothing about the records either.
        case .conflict, .unavailable, .readOnly, .exhausted, .denied, .unusable, .locked: false
        }
    }
}

extension DatabaseError {
    /// What to do where row-level security refuses or hides single rows.
    package static let policyAdvice = "zohosync doctor prints the policy that is missing."

    /// What a caller is told of an error: an interrupted statement, and what came of it, tell less than that the task was
    /// cancelled.
    static func surfaced(_ error: any Error) -> any Error {
        guard Task.isCancelled, let error = error as? DatabaseError, error.isInterruption else { return error }
        return CancellationError()
    }

    private var isInterruption: Bool { ["57014", "SQLite 4", "SQLite 9"].contains(code) }
}

extension DatabaseError: CustomStringConvertible {
    package var description: String {
        advice.isEmpty ? "\(message) (\(code))" : "\(message) (\(code)). \(advice)"
    }
}

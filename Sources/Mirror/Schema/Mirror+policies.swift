import Catalog
package import Database

/// Row-level security refuses a row with an error, and hides one without.
extension Mirror {
    /// What the mirror needs of each of its tables where row-level security binds its role.
    ///
    /// A record that is refused waits as a dead letter, and the rest goes in. A child row that is hidden would stay for
    /// ever, because what is to be removed is what is seen. Our own state allows for neither.
    static var neededRows: [(table: String, access: RowAccess)] {
        Catalog.entities.flatMap { mapping in
            [(mapping.entity.name, .someRows)] + mapping.children.map { ($0.child.table, .everyRowSeen) }
        } + (StateSchema.tables + [migrationTable]).map { ($0, .everyRow) }
    }

    /// The statements that let this role see and write every row of every table of the mirror; none where it does.
    ///
    /// More than ``checkPolicies()`` asks for: a policy may refuse single records.
    package static func missingPolicies(_ transaction: any SQLTransaction) throws -> [String] {
        try transaction.missingPolicies((tableNames + [migrationTable]).map { ($0, .everyRow) })
    }

    /// Checks that row-level security hides nothing that would be missed without an error.
    ///
    /// - Throws: ``DatabaseError`` of kind `denied` with the statements to run.
    package func checkPolicies() async throws {
        try await database.read { try $0.checkPolicies(Mirror.neededRows) }
    }
}

extension SQLTransaction {
    /// - Throws: ``DatabaseError`` of kind `denied` with the statements to run.
    func checkPolicies(_ needs: [(table: String, access: RowAccess)]) throws {
        let statements = try missingPolicies(needs)
        guard !statements.isEmpty else { return }
        throw DatabaseError(
            kind: .denied, code: "42501", message: "Row-level security hides the mirror's rows from the database role",
            advice: "Run as the tables' owner (alter role as an administrator): \(statements.joined(separator: "; "))")
    }
}

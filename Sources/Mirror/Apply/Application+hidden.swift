import Catalog
import Database

/// A row-level-security policy hides rows from whoever deletes or updates them, without an error.
extension Application {
    /// Refuses a write of which the database has done less than it was told to.
    func expect(_ written: Int, of wanted: Int, in table: String) throws {
        if written < wanted { throw hiddenRows(of: table) }
    }

    /// Refuses to replace children of which some may be hidden: what is not seen would not be removed either.
    ///
    /// A server may have looked long ago, when it started.
    func expectChildrenSeen(of records: [MappedRecord]) throws {
        let tables = mapping.children.indices.filter { position in
            !seenChildren.contains(position) && records.contains { $0.children[position] != nil }
        }
        guard !tables.isEmpty else { return }
        try transaction.checkPolicies(tables.map { (mapping.children[$0].child.table, .everyRowSeen) })
        seenChildren.formUnion(tables)
    }

    /// Refuses to take records for deleted whose rows are there all the same.
    func expectDeleted(_ ids: [String], observedAt: Int64) throws {
        let left = try transaction.query(
            """
            select 1 from \(mapping.entity.name) where \(transaction.dialect.contains(mapping.entity.keyColumn, "$1"))
                and deleted_at is null and not (observed_at > $2 and observed_at <= $3) limit 1
            """, [.texts(ids), .instant(observedAt), .instant(time)])
        if !left.isEmpty { throw hiddenRows(of: mapping.entity.name) }
    }

    /// The error, or what it means, with what to do: a row that cannot be seen by who wants to change it looks as if it
    /// were missing, and is not to be inserted either.
    func explained(_ error: DatabaseError, of record: MappedRecord) throws -> DatabaseError {
        guard error.code == "23505" else { return error }
        let isSeen = try !transaction.storedStates(of: [record.id], mapping, isLocking: true).isEmpty
        if isSeen { return error }
        let isThere = try !transaction.storedStates(of: [record.id], mapping, isLocking: false).isEmpty
        let hides = try !transaction.missingPolicies([(mapping.entity.name, .everyRowSeen)]).isEmpty
        return isThere || hides ? hiddenRows(of: mapping.entity.name) : error
    }

    private func hiddenRows(of table: String) -> DatabaseError {
        DatabaseError(
            kind: .record, code: "42501",
            message: """
                The database kept rows of \(table) as they were: a row-level-security policy hides them from this role, or a \
                trigger keeps them
                """, advice: DatabaseError.policyAdvice)
    }
}

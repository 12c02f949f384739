extension PostgresError {
    /// The connection is of no use any more; the same work may succeed on a new one.
    package var isConnectionLost: Bool {
        kind == .connect || kind == .connectionLost || sqlState.hasPrefix("08")
            || ["57P01", "57P02", "57P03"].contains(sqlState)
    }

    /// The statement was cancelled, by its task's cancellation or by `statement_timeout`.
    package var isCancelled: Bool { sqlState == "57014" }

    /// The transaction lost against a concurrent one and may succeed when repeated as a whole.
    package var isSerializationFailure: Bool { sqlState == "40001" || sqlState == "40P01" }

    /// A lock was not to be had at once (`NOWAIT`, `lock_timeout`).
    package var isLockNotAvailable: Bool { sqlState == "55P03" }

    /// The data itself is at fault (class 22 or 23): the same rows will fail again.
    package var isDataFault: Bool { sqlState.hasPrefix("22") || sqlState.hasPrefix("23") }

    /// A row with the same unique key exists.
    package var isUniqueViolation: Bool { sqlState == "23505" }

    /// The row refers to one that does not exist, or is referred to.
    package var isForeignKeyViolation: Bool { sqlState == "23503" }

    /// A column that must have a value has none.
    package var isNotNullViolation: Bool { sqlState == "23502" }

    /// A grant or a row-level security policy forbids it.
    package var isInsufficientPrivilege: Bool { sqlState == "42501" }

    /// The server, or the transaction, only reads.
    package var isReadOnly: Bool { sqlState == "25006" }

    /// The server has run out of disk space.
    package var isDiskFull: Bool { sqlState == "53100" }

    /// The table does not exist, or is not in the search path.
    package var isUndefinedTable: Bool { sqlState == "42P01" }

    /// A prepared statement is gone (`DISCARD`, a pooler) or its result columns have changed.
    var isStaleStatement: Bool {
        sqlState == "26000" || (sqlState == "0A000" && routine == "RevalidateCachedQuery")
    }
}

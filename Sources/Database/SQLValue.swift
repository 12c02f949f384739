/// One value on its way into or out of a database, in the vocabulary that SQLite and PostgreSQL share.
///
/// Money and quantities travel as their digits (``decimal(_:)``), never as binary floating point.
package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case text(String)
    /// An exact decimal as canonical digits: `-12.5`. `numeric` in PostgreSQL, `TEXT` in SQLite.
    case decimal(String)
    case boolean(Bool)
    /// Microseconds since 1970-01-01T00:00:00Z. `timestamptz` in PostgreSQL, ISO 8601 text in UTC in SQLite.
    case instant(Int64)
    /// A calendar date, `YYYY-MM-DD`. `date` in PostgreSQL, `TEXT` in SQLite.
    case date(String)
    /// A JSON value's UTF-8 bytes. `jsonb` in PostgreSQL, `TEXT` in SQLite.
    case json(ArraySlice<UInt8>)
    case bytes([UInt8])
    /// A list of strings to compare with ``Dialect/contains(_:_:)``: `text[]` in PostgreSQL, a JSON array in SQLite.
    case texts([String])
    /// A list of integers to compare with ``Dialect/contains(_:_:)``: `bigint[]` in PostgreSQL, a JSON array in SQLite.
    case integers([Int64])
}

/// One row of a query's answer: the values in the order of the select list.
///
/// A query says what it selects, so rows are read by position; the typed accessors convert what the two engines spell
/// differently (SQLite has neither booleans nor instants) and give nil for NULL.
package struct SQLRow: Sendable, Hashable {
    package let values: [SQLValue]

    package init(_ values: [SQLValue]) {
        self.values = values
    }

    package subscript(_ index: Int) -> SQLValue { values[index] }
}

import Foundation

/// Numbers that readers go by: they ascend with the commits, and none is given twice.
extension SQLTransaction {
    /// Lets one transaction at a time number its rows, until it ends, so that a reader who has seen a number never
    /// misses a smaller one.
    ///
    /// - Returns: whether this connection has found out already that no number can be lost; see
    ///   ``noteNumbersChecked()``.
    package func lockNumbers() throws -> Bool {
        // SQLite has one writer, whose process ends with the machine.
        guard dialect == .postgres else { return true }
        return try query(
            """
            select pg_advisory_xact_lock(7264992, hashtext(current_schema())),
                current_setting('zohosync.numbers', true)
            """
        ).first?.text(1) == "checked"
    }

    /// What differs when commits that others have seen may have been lost since: the start of PostgreSQL and its last
    /// recovery, when it begins its statistics anew; for a file the start of the machine.
    package func incarnation() throws -> String {
        guard dialect == .postgres else { return BootSession.id }
        return try query(
            "select concat_ws(' ', pg_postmaster_start_time(), (select stats_reset from pg_stat_bgwriter))"
        ).first?.text(0) ?? ""
    }

    /// The highest number that the table has given or left out, 0 where it has given none; the highest possible one where
    /// this role may not know.
    package func lastNumber(in table: String) throws -> Int64 {
        switch dialect {
        case .postgres:
            try query(
                """
                select case when has_sequence_privilege(sequence.name, 'select, usage')
                    then coalesce(pg_sequence_last_value(sequence.name), 0) else $2::bigint end
                from (select pg_get_serial_sequence($1, 'id')::regclass as name offset 0) as sequence
                """, [.text(table), .integer(.max)]
            ).first?.int(0) ?? 0
        case .sqlite:
            try query("select seq from sqlite_sequence where name = $1", [.text(table)]).first?.int(0) ?? 0
        }
    }

    /// Never gives the table's next `count` numbers.
    package func skipNumbers(_ count: Int64, in table: String) throws {
        switch dialect {
        case .postgres:
            // A role that may only use the sequence may not set it.
            _ = try query(
                """
                select max(nextval(sequence.name))
                from (select pg_get_serial_sequence($1, 'id')::regclass as name offset 0) as sequence,
                    generate_series(1, $2::bigint)
                """, [.text(table), .integer(count)])
        case .sqlite:
            let next = try reserveIDs(1, in: table)[0] + count
            let isKnown = try execute(
                "update sqlite_sequence set seq = $1 where name = $2", [.integer(next), .text(table)])
            if isKnown == 0 {
                try execute(
                    "insert into sqlite_sequence (name, seq) values ($1, $2)", [.text(table), .integer(next)])
            }
        }
    }

    /// Notes that this connection need not look again, and has this transaction wait for the disk.
    ///
    /// A connection does not outlive a server that fails.
    package func noteNumbersChecked() throws {
        guard dialect == .postgres else { return }
        _ = try query(
            "select set_config('zohosync.numbers', 'checked', false), set_config('synchronous_commit', 'on', true)")
    }
}

/// The time from one start of this machine to the next.
enum BootSession {
    /// The same for every process until the machine starts again; where that cannot be told, another for each process.
    static let id: String = {
        #if canImport(Darwin)
        var size = 0
        sysctlbyname("kern.bootsessionuuid", nil, &size, nil, 0)
        var bytes = [UInt8](repeating: 0, count: size)
        if size > 0, sysctlbyname("kern.bootsessionuuid", &bytes, &size, nil, 0) == 0 {
            return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        #else
        if let text = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8), !text.isEmpty {
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        #endif
        return UUID().uuidString
    }()
}

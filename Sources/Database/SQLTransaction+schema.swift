/// What the engines say of a schema in different ways.
extension SQLTransaction {
    /// Keeps other processes from changing the schema until the transaction ends.
    package func lockSchema() throws {
        // Any number does, so long as every version of this program uses the same.
        guard dialect == .postgres else { return }
        // Who holds it may be filling a column of many rows, and is to be waited for.
        try execute("set local lock_timeout = 0")
        _ = try query("select pg_advisory_xact_lock(7264991)")
        try execute("set local lock_timeout to default")
    }

    /// The statements that a table's owner has to run so that this role may read and write the tables; none where it
    /// may.
    ///
    /// - Parameter readOnly: tables that it need only read.
    package func missingPrivileges(tables: [String], readOnly: [String] = []) throws -> [String] {
        guard dialect == .postgres else { return [] }
        return try query(
            """
            select format('grant %s on %I.%I to %I',
                string_agg(privilege, ', ' order by privilege), nspname, relname, current_user)
            from (
                select to_regclass(name) as relation, privilege
                from unnest($1::text[]) as name, unnest('{select,insert,update,delete}'::text[]) as privilege
                union all
                select to_regclass(name), 'select' from unnest($2::text[]) as name
            ) as wanted
            join pg_class c on c.oid = relation join pg_namespace n on n.oid = relnamespace
            where not has_table_privilege(relation, privilege)
            group by nspname, relname
            union all
            -- The function names the sequence with its schema.
            select format('grant usage on sequence %s to %I', sequence, current_user)
            from (
                select case when exists (
                    select from pg_attribute where attrelid = to_regclass(name) and attname = 'id'
                ) then pg_get_serial_sequence(to_regclass(name)::text, 'id') end as sequence
                from unnest($1::text[]) as name
            ) as sequences
            where sequence is not null and not has_sequence_privilege(sequence, 'usage')
            """, [.texts(tables), .texts(readOnly)]
        ).compactMap { $0.text(0) }
    }

    /// The statement that an administrator has to run so that this role may make the mirror's tables; nil where it may.
    package func missingCreationRight() throws -> String? {
        guard dialect == .postgres else { return nil }
        return try query(
            """
            select case
                when n.oid is null and not has_database_privilege(current_database(), 'create')
                    then format('grant create on database %I to %I', current_database(), current_user)
                when n.oid is not null and not (
                    -- A list of rights is one of which any suffices.
                    has_schema_privilege(n.oid, 'create') and has_schema_privilege(n.oid, 'usage'))
                    then format('grant create, usage on schema %I to %I', n.nspname, current_user)
                end
            from (select trim(both '"' from split_part(current_setting('search_path'), ',', 1)) as name) as wanted
            left join pg_namespace n on n.nspname = name
            """
        ).first?.text(0)
    }

    /// Where the database lies, as far as it can be seen from here.
    package func dataFolder() throws -> DataFolder {
        switch dialect {
        case .postgres:
            let row = try query(
                """
                select inet_server_addr() is null or inet_server_addr() <<= '127.0.0.0/8' or inet_server_addr() = '::1',
                    pg_has_role(current_user, 'pg_read_all_settings', 'usage'),
                    format('grant pg_read_all_settings to %I', current_user)
                """
            ).first
            guard let row, row.bool(0) == true else { return .elsewhere }
            guard row.bool(1) == true else { return .hidden(statement: row.text(2) ?? "") }
            let folder = try query("select setting from pg_settings where name = 'data_directory'").first?.text(0)
            return folder.map { .here($0) } ?? .elsewhere
        case .sqlite:
            let file = try query("select file from pragma_database_list where name = 'main'").first?.text(0)
            return file.map { .here($0) } ?? .elsewhere
        }
    }

    /// The columns of a table, none where there is no such table.
    package func columnNames(of table: String) throws -> [String] {
        let sql =
            switch dialect {
            case .postgres:
                "select attname::text from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped"
            case .sqlite:
                "select name from pragma_table_info($1)"
            }
        return try query(sql, [.text(table)]).compactMap { $0.text(0) }
    }

    /// Compresses a wide column with lz4 where the server has it: records are just wide enough to be compressed, and
    /// PostgreSQL's default costs more than the rest of the insert.
    package func preferFastCompression(of column: String, in table: String) throws {
        guard dialect == .postgres else { return }
        let isOffered = try query(
            """
            select 1 from pg_settings, pg_attribute where name = 'default_toast_compression' and 'lz4' = any(enumvals)
            and attrelid = to_regclass($1) and attname = $2
            """, [.text(table), .text(column)])
        if !isOffered.isEmpty {
            try script("alter table \(table) alter column \(column) set compression lz4")
        }
    }
}

/// Where a database lies.
package enum DataFolder: Sendable, Hashable {
    /// On this machine: the folder or file.
    case here(String)
    /// On this machine, and an administrator has to run the statement so that the role may know where.
    case hidden(statement: String)
    /// On another machine, or in memory.
    case elsewhere
}

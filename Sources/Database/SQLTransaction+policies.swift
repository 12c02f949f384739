/// What a program needs of a table that row-level security may bind.
package enum RowAccess: String, Sendable {
    /// Sees and writes every row.
    case everyRow
    /// Sees every row. That a row may not be written shows when it is.
    case everyRowSeen
    /// May do each of the four things to some rows. That others are refused shows when it is tried.
    case someRows
}

extension SQLTransaction {
    /// The statements that have to be run where row-level security keeps this role from what it needs; none where it
    /// does not.
    ///
    /// A table's owner may run those that make a policy. A restrictive policy can only be got round: an administrator has
    /// to let the role do so.
    ///
    /// - Parameter needs: what is needed of each table; one that is not there is left out.
    package func missingPolicies(_ needs: [(table: String, access: RowAccess)]) throws -> [String] {
        guard dialect == .postgres else { return [] }
        // A policy without a condition for everything, or one for each of what the mirror does, lets every row pass; any
        // other may refuse one. Without any, none passes.
        return try query(
            """
            with relations as (
                select relation, access
                from (
                    select to_regclass(name) as relation, access from unnest($1::text[], $2::text[]) as t (name, access)
                ) as tables
                where relation is not null and row_security_active(relation)
            ), policies as (
                select polrelid, polpermissive, polcmd,
                    coalesce(pg_get_expr(polqual, polrelid), 'true') = 'true' as shows_all,
                    coalesce(pg_get_expr(polqual, polrelid), 'true') = 'true'
                        and coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true' as is_open
                from pg_policy where polrelid in (select relation from relations) and (polroles = '{0}' or exists (
                    select from unnest(polroles) r where r <> 0 and pg_has_role(current_user, r, 'member')))
            ), restricted as (
                select relation from relations where exists (
                    select from policies where polrelid = relation and not polpermissive and case access
                        when 'everyRow' then not is_open
                        when 'everyRowSeen' then polcmd in ('r', '*') and not shows_all
                        else false
                    end)
            )
            select format('alter role %I bypassrls', current_user) where exists (select from restricted)
            union all
            select * from (
                select format('create policy %I on %I.%I for all to %I using (true) with check (true)',
                    (select free from (
                        select 'zohosync_all' || case number when 0 then '' else '_' || number end as free, number
                        from generate_series(0, (select count(*) from pg_policy where polrelid = relation)) as number
                    ) as names
                    where not exists (select from pg_policy where polrelid = relation and polname = free)
                    order by number limit 1), nspname, relname, current_user)
                from relations join pg_class c on c.oid = relation join pg_namespace n on n.oid = relnamespace
                where not exists (select from restricted) and exists (
                    select from unnest('{r,a,w,d}'::"char"[]) as command where not exists (
                        select from policies
                        where polrelid = relation and polpermissive and polcmd in (command, '*') and case access
                            when 'everyRow' then is_open
                            when 'everyRowSeen' then command <> 'r' or shows_all
                            else true
                        end))
                order by 1) as missing
            """, [.texts(needs.map(\.table)), .texts(needs.map(\.access.rawValue))]
        ).compactMap { $0.text(0) }
    }
}

import Database

/// The tables of our own state, beside the mirror's.
enum StateSchema {
    static let tables = [
        "sync_organization", "sync_runs", "sync_cursors", "sync_dead_letters", "sync_changes", "sync_budget",
        "sync_leases", "sync_tokens", "sync_inbox", "sync_api_tokens", "sync_reconciliations", "sync_schedule",
        "sync_health", "sync_arrivals", "sync_actions", "sync_uptime", "sync_numbering", "sync_gone",
    ]

    /// Named and never edited; what changes is another one at the end.
    static let migrations =
        first + [
            Migration("0004-server") { transaction in
                let instant = transaction.dialect.type(.instant)
                try transaction.script(
                    """
                    alter table sync_runs add column cancel_requested_at \(instant);
                    create index sync_changes_entity on sync_changes (entity, id);
                    """)
            },
            Migration("0005-uptime") { transaction in
                let instant = transaction.dialect.type(.instant)
                try transaction.script(
                    """
                    create table sync_uptime (
                        singleton integer primary key check (singleton = 1),
                        up_since \(instant) not null,
                        seen_at \(instant) not null,
                        down_since \(instant)
                    );
                    -- It was kept as if it were a task of the schedule.
                    insert into sync_uptime (singleton, up_since, seen_at, down_since)
                        select 1, started_at, ended_at, due_at from sync_schedule
                        where name = 'serve' and started_at is not null and ended_at is not null;
                    delete from sync_schedule where name = 'serve';
                    """)
            },
            Migration("0006-told-by-target") { transaction in
                try transaction.script(
                    """
                    alter table sync_health drop column told_state;
                    alter table sync_health drop column told_at;
                    alter table sync_health add column told \(transaction.dialect.type(.json)) not null default '{}';
                    """)
            },
            Migration("0007-deliveries") { transaction in
                try transaction.script(
                    """
                    alter table sync_inbox add column deaths bigint not null default 0;
                    create index sync_inbox_suspects on sync_inbox (available_at, id) where deaths >= 3;
                    alter table sync_changes add column request_id text;
                    alter table sync_dead_letters add column webhook text;
                    alter table sync_dead_letters add column event text;
                    alter table sync_dead_letters add column content_type text;
                    create table sync_numbering (
                        singleton integer primary key check (singleton = 1),
                        incarnation text not null
                    );
                    """)
            },
            Migration("0008-list-start") { transaction in
                let instant = transaction.dialect.type(.instant)
                try transaction.script(
                    """
                    alter table sync_cursors add column resume_started_at \(instant);
                    alter table sync_cursors add column resume_expires_at \(instant);
                    """)
            },
            Migration("0009-schedule-states") { transaction in
                // SQLite adds no check to a column that is there.
                try transaction.script(
                    """
                    alter table sync_schedule add column checked_state text
                        check (checked_state in ('running', 'completed', 'failed', 'postponed'));
                    update sync_schedule set checked_state = state;
                    alter table sync_schedule drop column state;
                    alter table sync_schedule rename column checked_state to state;
                    """)
            },
            Migration("0010-whole-lists") { transaction in
                try transaction.script(
                    "alter table sync_cursors add column whole_list_at \(transaction.dialect.type(.instant))")
            },
            Migration("0011-schedule-trigger") { transaction in
                try transaction.script("alter table sync_schedule add column due_by text")
            },
            Migration("0012-removed-changes") { transaction in
                try transaction.script(
                    "alter table sync_numbering add column removed_through bigint not null default 0")
            },
            Migration("0013-inbox-priority") { transaction in
                try transaction.script(
                    """
                    alter table sync_inbox add column priority text not null default 'interactive'
                        check (priority in ('interactive', 'background'));
                    """)
            },
            Migration("0014-detail-access") { transaction in
                let instant = transaction.dialect.type(.instant)
                try transaction.script(
                    """
                    alter table sync_cursors add column detail_group bigint;
                    alter table sync_cursors add column details_refused_at \(instant);
                    create table sync_gone (
                        entity text not null,
                        zoho_id text not null,
                        said_at \(instant) not null,
                        primary key (entity, zoho_id)
                    );
                    """)
            },
            Migration("0015-healing-states") { transaction in
                // So far the outcome's first words were the state.
                try transaction.script(
                    """
                    alter table sync_actions add column state text not null default 'done'
                        check (state in ('done', 'waiting', 'failed', 'question'));
                    update sync_actions set state = case
                        when outcome like 'A person has to decide.%' then 'question'
                        when outcome like 'It failed: %' then 'failed'
                        else 'waiting' end
                    where outcome like 'A person has to decide.%' or outcome like 'It failed: %'
                        or outcome like 'It waits: %';
                    """)
            },
            Migration("0016-detail-group-age") { transaction in
                // What was learnt before is learnt again.
                try transaction.script(
                    "alter table sync_cursors add column detail_group_at \(transaction.dialect.type(.instant))")
            },
            Migration("0017-gone-and-listed") { transaction in
                let boolean = transaction.dialect.type(.boolean)
                try transaction.script("alter table sync_gone add column listed \(boolean) not null default false")
            },
        ]
}

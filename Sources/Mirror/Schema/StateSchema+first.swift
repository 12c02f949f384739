import Database

extension StateSchema {
    /// The tables as they were made first; later migrations change some of them.
    static let first = [
        Migration("0001-state") { transaction in
            let dialect = transaction.dialect
            let instant = dialect.type(.instant)
            let json = dialect.type(.json)
            try transaction.script(
                """
                create table sync_organization (
                    singleton integer primary key check (singleton = 1),
                    organization_id text not null
                );
                create table sync_runs (
                    id \(dialect.identity),
                    entity text not null,
                    kind text not null,
                    state text not null check
                        (state in ('running', 'completed', 'partial', 'interrupted', 'failed')),
                    options \(json) not null,
                    holder text not null,
                    started_at \(instant) not null,
                    finished_at \(instant),
                    fetched bigint not null default 0,
                    inserted bigint not null default 0,
                    updated bigint not null default 0,
                    unchanged bigint not null default 0,
                    stale bigint not null default 0,
                    deleted bigint not null default 0,
                    restored bigint not null default 0,
                    failed bigint not null default 0,
                    skipped bigint not null default 0,
                    calls bigint not null default 0,
                    pages bigint not null default 0,
                    details bigint not null default 0,
                    details_outstanding bigint,
                    list_milliseconds bigint not null default 0,
                    detail_milliseconds bigint not null default 0,
                    field_faults \(json),
                    last_error text
                );
                create index sync_runs_entity on sync_runs (entity, id);
                create table sync_cursors (
                    entity text primary key,
                    modified_through \(instant),
                    listed_at \(instant),
                    list_count bigint,
                    resume_plan text,
                    resume_page bigint,
                    resume_modified \(instant),
                    filter_honoured \(dialect.type(.boolean))
                );
                create table sync_dead_letters (
                    id \(dialect.identity),
                    entity text not null,
                    identity text not null,
                    zoho_id text,
                    shape text not null,
                    record \(dialect.type(.bytes)) not null,
                    observed_at \(instant) not null,
                    reason text not null,
                    code text,
                    run_id bigint,
                    attempts bigint not null default 1,
                    state text not null default 'open' check (state in ('open', 'resolved', 'discarded')),
                    first_failed_at \(instant) not null,
                    last_failed_at \(instant) not null,
                    closed_at \(instant)
                );
                create unique index sync_dead_letters_open on sync_dead_letters (entity, identity)
                    where state = 'open';
                create table sync_changes (
                    id \(dialect.identity),
                    entity text not null,
                    zoho_id text not null,
                    kind text not null check (kind in ('inserted', 'updated', 'deleted', 'restored')),
                    changed_at \(instant) not null,
                    run_id bigint,
                    delivery_id bigint,
                    content_hash text not null,
                    changes \(json)
                );
                create table sync_budget (
                    singleton integer primary key check (singleton = 1),
                    state \(json) not null
                );
                create table sync_leases (
                    name text primary key,
                    holder text not null,
                    acquired_at \(instant) not null,
                    expires_at \(instant) not null
                );
                create table sync_tokens (
                    singleton integer primary key check (singleton = 1),
                    token \(json) not null
                );
                """)
        },
        Migration("0002-inbox") { transaction in
            let dialect = transaction.dialect
            let instant = dialect.type(.instant)
            try transaction.script(
                """
                create table sync_inbox (
                    id \(dialect.identity),
                    entity text not null,
                    kind text not null check (kind in ('record', 'deletion', 'mark')),
                    zoho_id text not null,
                    record \(dialect.type(.bytes)),
                    received_at \(instant) not null,
                    available_at \(instant) not null,
                    attempts bigint not null default 0,
                    claimed_by text,
                    last_error text,
                    request_id text
                );
                create index sync_inbox_available on sync_inbox (available_at, id);
                create index sync_inbox_marks on sync_inbox (entity, zoho_id) where kind = 'mark';
                create table sync_api_tokens (
                    id \(dialect.identity),
                    name text not null,
                    role text not null check (role in ('read', 'operate')),
                    digest text not null unique,
                    created_at \(instant) not null,
                    revoked_at \(instant)
                );
                alter table sync_dead_letters add column delivery_id bigint;
                alter table sync_dead_letters add column request_id text;
                alter table sync_dead_letters add column close_reason text;
                """)
        },
        Migration("0003-watch") { transaction in
            let dialect = transaction.dialect
            let instant = dialect.type(.instant)
            let json = dialect.type(.json)
            try transaction.script(
                """
                create index sync_changes_run on sync_changes (run_id, id);
                create index sync_changes_record on sync_changes (entity, zoho_id, id);
                create table sync_reconciliations (
                    id \(dialect.identity),
                    run_id bigint not null,
                    entity text not null,
                    state text not null check (state in ('equal', 'different', 'repaired', 'incomplete')),
                    started_at \(instant) not null,
                    ended_at \(instant) not null,
                    listed bigint not null,
                    rows_compared bigint not null,
                    details_compared bigint not null,
                    calls bigint not null,
                    drift \(json) not null,
                    note text
                );
                create index sync_reconciliations_entity on sync_reconciliations (entity, id);
                create table sync_schedule (
                    name text primary key,
                    due_at \(instant) not null,
                    started_at \(instant),
                    ended_at \(instant),
                    state text,
                    note text
                );
                create table sync_health (
                    name text primary key,
                    state text not null check (state in ('ok', 'warning', 'critical')),
                    figure \(dialect.type(.decimal)) not null,
                    advice text not null,
                    parts \(json),
                    checked_at \(instant) not null,
                    since \(instant) not null,
                    told_state text not null default 'ok',
                    told_at \(instant)
                );
                create table sync_arrivals (
                    kind text not null,
                    subject text not null,
                    day \(dialect.type(.date)) not null,
                    number bigint not null,
                    last_at \(instant) not null,
                    primary key (kind, subject, day)
                );
                create table sync_actions (
                    id \(dialect.identity),
                    action text not null,
                    reason text not null,
                    outcome text not null,
                    changed bigint not null,
                    at \(instant) not null
                );
                """)
        },
    ]
}

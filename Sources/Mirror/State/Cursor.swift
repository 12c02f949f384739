package import Database

/// The point up to which an entity is known to be current, and where an interrupted list resumes.
package struct Cursor: Sendable, Hashable {
    package let entity: String
    /// Up to when every modification is in the mirror, in microseconds since 1970: the latest that a complete,
    /// unfiltered list showed, and no later than the list began.
    package var modifiedThrough: Int64?
    /// When the last complete, unfiltered list began, in microseconds since 1970.
    package var listedAt: Int64?
    /// When the last list of everything began that left nothing out, or that was made again because the one before had,
    /// in microseconds since 1970; nil where there was none, or where one is to be made again.
    package var wholeListAt: Int64?
    /// How many records the last complete list of everything had, which tells the next one how many pages to expect.
    package var listCount: Int?
    /// The plan of the interrupted list: only a list of the same plan resumes it.
    package var resumePlan: String?
    /// The page at which it resumes.
    package var resumePage: Int?
    /// The latest `last_modified_time` that its pages have shown so far.
    package var resumeModified: Int64?
    /// When its first page was asked for, in microseconds since 1970.
    package var resumeStartedAt: Int64?
    /// When it can no longer be resumed, in microseconds since 1970.
    package var resumeExpiresAt: Int64?
    /// Whether the module was seen to honour `last_modified_time`; nil where it was not probed.
    package var filterHonoured: Bool?

    /// The cursor of an entity that was never listed.
    package init(entity: String) {
        self.entity = entity
    }

    /// Forgets the list that was interrupted, so that the next one begins with its first page.
    package mutating func clearResumePoint() {
        resumePlan = nil
        resumePage = nil
        resumeModified = nil
        resumeStartedAt = nil
        resumeExpiresAt = nil
    }
}

extension Mirror {
    /// The entity's cursor; an empty one where it was never listed.
    package func cursor(of entity: String) async throws -> Cursor {
        try await database.read { transaction in
            let row = try transaction.query(
                """
                select modified_through, listed_at, list_count, resume_plan, resume_page, resume_modified,
                    filter_honoured, resume_started_at, resume_expires_at, whole_list_at
                from sync_cursors where entity = $1
                """, [.text(entity)]
            ).first
            var cursor = Cursor(entity: entity)
            guard let row else { return cursor }
            cursor.modifiedThrough = row.instant(0)
            cursor.listedAt = row.instant(1)
            cursor.listCount = row.int(2).map { Int($0) }
            cursor.resumePlan = row.text(3)
            cursor.resumePage = row.int(4).map { Int($0) }
            cursor.resumeModified = row.instant(5)
            cursor.filterHonoured = row.bool(6)
            cursor.resumeStartedAt = row.instant(7)
            cursor.resumeExpiresAt = row.instant(8)
            cursor.wholeListAt = row.instant(9)
            return cursor
        }
    }

    /// Writes a cursor in a transaction of its own.
    package func save(_ cursor: Cursor) async throws {
        try await database.write { try $0.save(cursor) }
    }
}

extension SQLTransaction {
    /// Writes a cursor, so that it commits together with the records that it speaks of.
    package func save(_ cursor: Cursor) throws {
        func instant(_ value: Int64?) -> SQLValue { value.map { .instant($0) } ?? .null }
        func integer(_ value: Int?) -> SQLValue { value.map { .integer(Int64($0)) } ?? .null }
        try send(
            """
            insert into sync_cursors (entity, modified_through, listed_at, list_count, resume_plan, resume_page,
                resume_modified, filter_honoured, resume_started_at, resume_expires_at, whole_list_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            on conflict (entity) do update set
                modified_through = excluded.modified_through, listed_at = excluded.listed_at,
                list_count = excluded.list_count, resume_plan = excluded.resume_plan,
                resume_page = excluded.resume_page, resume_modified = excluded.resume_modified,
                filter_honoured = excluded.filter_honoured,
                resume_started_at = excluded.resume_started_at, resume_expires_at = excluded.resume_expires_at,
                whole_list_at = excluded.whole_list_at
            """,
            [
                .text(cursor.entity), instant(cursor.modifiedThrough), instant(cursor.listedAt),
                integer(cursor.listCount), cursor.resumePlan.map { .text($0) } ?? .null, integer(cursor.resumePage),
                instant(cursor.resumeModified), cursor.filterHonoured.map { .boolean($0) } ?? .null,
                instant(cursor.resumeStartedAt), instant(cursor.resumeExpiresAt), instant(cursor.wholeListAt),
            ])
    }
}

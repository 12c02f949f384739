import Catalog
import Database
import Mirror
import TestSupport
import Testing

/// Merges that are taken back, of contacts that are too far apart to be taken back in one transaction.
@Suite("Taking back a merge")
struct UndoTests {
    private static let ids = Array(1_000..<1_250)

    /// Persons of the last contact that a merge moves to the first one, or the other way round.
    enum Direction: CaseIterable {
        case down, up

        var winner: Int { self == .down ? 1_000 : 1_249 }
        var loser: Int { self == .down ? 1_249 : 1_000 }
    }

    /// What followers see of the contacts, but for what a sync has to bring again.
    private static func contents(_ mirror: Mirror) async throws -> [String] {
        try await mirror.contents(of: "customers").map {
            $0.replacing(#/detail_due=\S+/#, with: "").replacing(#/zoho_data=.*/#, with: "")
        }
    }

    /// A run that changes every contact and finds two of them merged.
    private static func merge(_ direction: Direction, in mirror: Mirror, at time: ManualTime) async throws -> Run {
        time.advance(by: 60)
        let run = try await mirror.beginRun(of: "customers", kind: .full, options: "{}", holder: "a")
        let records = ids.map { id in
            var persons = [SampleRecord.person("\(id)11", "Anna"), SampleRecord.person("\(id)12", "Berta")]
            if id == direction.winner { persons.append(SampleRecord.person("\(direction.loser)12", "Berta")) }
            if id == direction.loser { persons.removeLast() }
            return SampleRecord.customer(id).with([
                "notes": "\"Merged\"", "contact_persons": "[\(persons.joined(separator: ","))]",
            ]).modified(60)
        }
        let result = try await mirror.apply(records, .detail, of: "customers", at: time, origin: .run(run.id))
        #expect(result.counts == [.updated: ids.count])
        try await mirror.finish(run, .completed)
        return run
    }

    private static func undo(
        _ run: Run, in mirror: Mirror, isRehearsal: Bool = false
    ) async throws -> UndoReport {
        let customers = try #require(Catalog.entity(named: "customers"))
        if isRehearsal {
            return try await mirror.undo(run, of: customers, origin: .run(run.id), isRehearsal: true)
        }
        let undo = try await mirror.beginRun(
            of: "customers", kind: .undo, options: "{\"undoes\":\(run.id)}", holder: "a")
        do {
            let report = try await mirror.undo(run, of: customers, origin: .run(undo.id), isRehearsal: false)
            try await mirror.finish(undo, .completed)
            return report
        } catch {
            try await mirror.finish(undo, .failed)
            throw error
        }
    }

    @Test(
        "Contacts that were merged are both as before, however far apart they are",
        arguments: Engine.allCases, Direction.allCases)
    func farApart(engine: Engine, direction: Direction) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply(Self.ids.map { .customer($0) }, .detail, of: "customers", at: time, origin: .run(99))
            let before = try await Self.contents(mirror)
            let run = try await Self.merge(direction, in: mirror, at: time)
            let planned = try await Self.undo(run, in: mirror, isRehearsal: true)
            let done = try await Self.undo(run, in: mirror)
            #expect(done.reverted == Self.ids.count && done.leftAlone == 0)
            #expect(done == planned)
            #expect(try await Self.contents(mirror) == before)
            #expect(try await Self.undo(run, in: mirror).changed == 0, "twice changes nothing")
        }
    }

    @Test(
        "A contact that the run brought and that took another one's child goes, and the other one has it again",
        arguments: Engine.allCases)
    func inserted(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            let others = Self.ids.dropLast()
            try await mirror.apply(others.map { .customer($0) }, .detail, of: "customers", at: time, origin: .run(99))
            let before = try await Self.contents(mirror)
            time.advance(by: 60)
            let run = try await mirror.beginRun(of: "customers", kind: .full, options: "{}", holder: "a")
            let new = SampleRecord.customer(1_249).with([
                "contact_persons": "[\(SampleRecord.person("100012", "Berta"))]"
            ])
            let edited = others.dropFirst().map { SampleRecord.customer($0).with(["notes": "\"New\""]).modified(60) }
            try await mirror.apply([new] + edited, .detail, of: "customers", at: time, origin: .run(run.id))
            try await mirror.finish(run, .completed)
            let done = try await Self.undo(run, in: mirror)
            #expect(done.removed == 1 && done.reverted == others.count && done.leftAlone == 0)
            #expect(try await Self.contents(mirror) == before)
        }
    }

    @Test(
        "An undo that ended between the two contacts of a merge is completed by the next one",
        arguments: Engine.allCases)
    func halfway(engine: Engine) async throws {
        let time = ManualTime()
        try await withMirror(engine, time: time) { mirror in
            try await mirror.apply(Self.ids.map { .customer($0) }, .detail, of: "customers", at: time, origin: .run(99))
            let before = try await Self.contents(mirror)
            let run = try await Self.merge(.up, in: mirror, at: time)
            try await mirror.database.write { try $0.refuseUpdates(of: 1_248) }
            await #expect(throws: DatabaseError.self) { try await Self.undo(run, in: mirror) }
            try await mirror.database.write { try $0.allowUpdates() }
            let last = try await mirror.lastChangeID()
            let done = try await Self.undo(run, in: mirror)
            #expect(done.leftAlone == 0)
            #expect(try await Self.contents(mirror) == before)
            let logged = try await mirror.changes(after: last, limit: 1_000)
            #expect(logged.map(\.zohoID) == (1_200...1_249).map { "\($0)" }, "what was done before is not told again")
            #expect(try await Self.undo(run, in: mirror).changed == 0)
        }
    }
}

extension SQLTransaction {
    /// Has every update of one customer fail.
    fileprivate func refuseUpdates(of id: Int) throws {
        switch dialect {
        case .postgres:
            try script(
                """
                create function refuse() returns trigger language plpgsql as $$
                begin raise exception 'not now'; end $$;
                create trigger refuse before update on customers for each row
                    when (old.zoho_contact_id = '\(id)') execute function refuse();
                """)
        case .sqlite:
            try script(
                """
                create trigger refuse before update on customers when old.zoho_contact_id = '\(id)'
                    begin select raise(abort, 'not now'); end
                """)
        }
    }

    fileprivate func allowUpdates() throws {
        try script(dialect == .postgres ? "drop trigger refuse on customers" : "drop trigger refuse")
    }
}

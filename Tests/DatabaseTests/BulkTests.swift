import Database
import TestSupport
import Testing

@Suite("Bulk statements")
struct BulkTests {
    private static func withTable(
        _ engine: Engine, _ body: (any SQLDatabase) async throws -> Void
    ) async throws {
        try await withDatabase(engine) { database in
            try await database.write { transaction in
                try transaction.script(
                    """
                    create table prices (id \(transaction.dialect.identity), item text not null unique,
                        price \(transaction.dialect.type(.decimal)) check (item <> 'forbidden'))
                    """)
            }
            try await body(database)
        }
    }

    private static func rows(_ range: Range<Int>) -> [[SQLValue]] {
        range.map { [.text("item \($0)"), .decimal("\($0).5")] }
    }

    private static func count(_ database: any SQLDatabase) async throws -> Int64? {
        try await database.read { try $0.query("select count(*) from prices").first?.int(0) }
    }

    @Test("5,000 rows are inserted at once", arguments: Engine.allCases)
    func many(engine: Engine) async throws {
        try await Self.withTable(engine) { database in
            try await database.write { transaction in
                try transaction.insert(Self.rows(0..<5_000), into: "prices", columns: ["item", "price"])
            }
            let rows = try await database.read { try $0.query("select item, price from prices order by id") }
            #expect(rows.map { $0.text(0) } == (0..<5_000).map { "item \($0)" })
            #expect(rows.last?.decimal(1) == "4999.5")
        }
    }

    @Test(
        "Rows are inserted into columns of other types than the mirror's own, and a bad value is a bad record",
        arguments: [1, 2])
    func otherTypes(attempt: Int) async throws {
        try await withDatabase(.postgres) { database in
            try await database.write {
                try $0.script(
                    "create table odd (id integer, price double precision, day text, name varchar(5), at date)")
            }
            let columns = ["id", "price", "day", "name", "at"]
            @Sendable func row(_ name: String, at: String = "2024-02-29") -> [SQLValue] {
                [.integer(7), .decimal("1.5"), .date("2026-02-28"), .text(name), .date(at)]
            }
            for _ in 0..<attempt {
                try await database.write { try $0.insert([row("short")], into: "odd", columns: columns) }
            }
            for bad in [row("too long"), row("name", at: "2023-02-29")] {
                let error = await #expect(throws: DatabaseError.self) {
                    try await database.write { try $0.insert([bad], into: "odd", columns: columns) }
                }
                #expect(error?.kind == .record)
            }
            let rows = try await database.read { try $0.query("select id, price, day, name, at from odd") }
            #expect(rows.count == attempt)
            #expect(rows.last?.values.suffix(2) == [.text("short"), .date("2024-02-29")])
        }
    }

    @Test("A column whose type is changed meanwhile is written as what it is now")
    func changedType() async throws {
        try await withDatabase(.postgres) { database in
            try await database.write { try $0.script("create table prices (price numeric)") }
            for type in ["numeric", "text", "jsonb", "double precision", "numeric(10, 2)"] {
                try await database.write { transaction in
                    try transaction.script("alter table prices alter price type \(type) using price::text::\(type)")
                }
                try await database.write { try $0.insert([[.decimal("12.50")]], into: "prices", columns: ["price"]) }
            }
            let rows = try await database.read { try $0.query("select sum(price) from prices") }
            #expect(rows.first?.decimal(0) == "62.5")
        }
    }

    @Test("No rows are no statement", arguments: Engine.allCases)
    func none(engine: Engine) async throws {
        try await Self.withTable(engine) { database in
            try await database.write { transaction in
                try transaction.insert([], into: "prices", columns: ["item"])
                try transaction.update([], in: "prices", columns: ["item"])
                let ids = try transaction.reserveIDs(0, in: "prices")
                #expect(ids.isEmpty)
            }
            #expect(try await Self.count(database) == 0)
        }
    }

    @Test(
        "A failing row in a savepoint leaves nothing of its insert, and the transaction goes on",
        arguments: Engine.allCases)
    func failingRow(engine: Engine) async throws {
        try await Self.withTable(engine) { database in
            try await database.write { transaction in
                try transaction.insert(Self.rows(0..<10), into: "prices", columns: ["item", "price"])
                for bad in ["forbidden", "item 3"] {
                    let error = #expect(throws: DatabaseError.self) {
                        try transaction.savepoint {
                            try transaction.insert(
                                Self.rows(10..<300) + [[.text(bad), .null]] + Self.rows(300..<400), into: "prices",
                                columns: ["item", "price"])
                        }
                    }
                    #expect(error?.kind == .record)
                }
                try transaction.insert(Self.rows(500..<510), into: "prices", columns: ["item", "price"])
            }
            #expect(try await Self.count(database) == 20)
        }
    }

    @Test("Rows are updated by their ids, and a failing one in a savepoint undoes them all", arguments: Engine.allCases)
    func update(engine: Engine) async throws {
        try await Self.withTable(engine) { database in
            try await database.write { transaction in
                try transaction.insert(Self.rows(0..<500), into: "prices", columns: ["item", "price"])
                let ids = try transaction.query("select id from prices order by id").compactMap { $0.int(0) }
                try transaction.update(
                    ids.map { ($0, [.text("new \($0)"), .null]) }, in: "prices", columns: ["item", "price"])
                let error = #expect(throws: DatabaseError.self) {
                    try transaction.savepoint {
                        try transaction.update(
                            ids.map { ($0, [.text($0 == ids[450] ? "forbidden" : "lost \($0)")]) }, in: "prices",
                            columns: ["item"])
                    }
                }
                #expect(error?.kind == .record)
            }
            let rows = try await database.read { try $0.query("select id, item, price from prices") }
            #expect(rows.allSatisfy { row in row.text(1) == "new \(row.int(0) ?? 0)" && row[2] == .null })
        }
    }

    @Test("An update writes every type of value, blanks too, and cuts nothing off", arguments: Engine.allCases)
    func updateTypes(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            let kinds = ColumnType.allCases
            let columns = kinds.map { "of_\($0.rawValue)" }
            let values: [SQLValue] = kinds.map { kind in
                switch kind {
                case .text: .text("a\"b\\c{,}\t\n你好 🙂 NULL")
                case .integer: .integer(.min)
                case .decimal: .decimal("-1234567890123456789.000000001")
                case .boolean: .boolean(true)
                case .instant: .instant(1_772_452_800_000_001)
                case .date: .date("2026-02-28")
                case .json: .json(ArraySlice(#"{"a": "\"x\\"}"#.utf8))
                case .bytes: .bytes([0, 1, 92, 255])
                }
            }
            let (blanks, plain) = (values.map { _ in SQLValue.null }, SQLValue.text(""))
            try await database.write { transaction in
                let definitions = zip(columns, kinds).map { "\($0) \(transaction.dialect.type($1))" }
                try transaction.script(
                    "create table kinds (id \(transaction.dialect.identity), \(definitions.joined(separator: ", ")))")
                try transaction.insert([blanks, values, blanks], into: "kinds", columns: columns)
                let ids = try transaction.query("select id from kinds order by id").compactMap { $0.int(0) }
                try #require(ids.count == 3)
                try transaction.update(
                    [(ids[0], values), (ids[1], blanks), (ids[2], [plain] + blanks.dropFirst())], in: "kinds",
                    columns: columns)
            }
            let rows = try await database.read {
                try $0.query("select \(columns.joined(separator: ", ")) from kinds order by id").map(\.values)
            }
            try #require(rows.count == 3)
            #expect(rows[1] == blanks)
            #expect(rows[2] == [plain] + blanks.dropFirst())
            let inserted = try await database.write { transaction in
                try transaction.insert([values], into: "kinds", columns: columns)
                return try transaction.query(
                    "select \(columns.joined(separator: ", ")) from kinds order by id desc limit 1"
                ).map(\.values)
            }
            #expect(rows[0] == inserted.first)
            guard engine == .postgres else { return }
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { transaction in
                    try transaction.script("alter table kinds add column short varchar(3)")
                    try transaction.update([(1, [.text("long")])], in: "kinds", columns: ["short"])
                }
            }
            #expect(error?.kind == .record)
        }
    }

    @Test("A condition over 1,000 values finds exactly these", arguments: Engine.allCases)
    func contains(engine: Engine) async throws {
        let odd = ["", "NULL", #"a"b\c"#, "{x,y}", "tab\t", "你好 🙂", "it's", "\u{1F}"]
        try await Self.withTable(engine) { database in
            try await database.write { transaction in
                try transaction.insert(Self.rows(0..<1_500), into: "prices", columns: ["item", "price"])
                try transaction.insert(odd.map { [.text($0)] }, into: "prices", columns: ["item"])
            }
            let wanted = (0..<1_000).map { "item \($0 * 2)" } + odd
            let found = try await database.read { transaction in
                let condition = transaction.dialect.contains("item", "$1")
                return try transaction.query("select id, item from prices where \(condition)", [.texts(wanted)])
            }
            #expect(
                Set(found.compactMap { $0.text(1) })
                    == Set(wanted.filter { odd.contains($0) || (Int($0.dropFirst(5)) ?? 0) < 1_500 }))
            let ids = found.compactMap { $0.int(0) }
            let (byID, byNone) = try await database.read { transaction in
                let condition = transaction.dialect.contains("id", "$1")
                let sql = "select id from prices where \(condition)"
                return (
                    try transaction.query(sql, [.integers(ids)]).compactMap { $0.int(0) },
                    try transaction.query(sql, [.integers([])])
                )
            }
            #expect(byID.sorted() == ids.sorted())
            #expect(byNone.isEmpty)
        }
    }

    @Test(
        "Ids that concurrent writers reserve are theirs alone, ascending and never used again",
        arguments: Engine.allCases)
    func reserve(engine: Engine) async throws {
        try await Self.withTable(engine) { database in
            let reserved = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        try await database.write { transaction in
                            let ids = try transaction.reserveIDs(50, in: "prices")
                            try transaction.insert(
                                ids.map { [.integer($0), .text("\(writer): \($0)")] }, into: "prices",
                                columns: ["id", "item"])
                            return ids
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(reserved.allSatisfy { $0.count == 50 && $0 == $0.sorted() })
            #expect(Set(reserved.joined()).count == 400)
            let next = try await database.write { transaction in
                try transaction.execute("delete from prices")
                return try transaction.reserveIDs(1, in: "prices")
            }
            #expect((next.first ?? 0) > reserved.joined().max() ?? 0)
        }
    }
}

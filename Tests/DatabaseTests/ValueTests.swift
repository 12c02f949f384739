import Database
import TestSupport
import Testing

@Suite("Values")
struct ValueTests {
    private static let texts = [
        "", " ", "plain", "Größe €½ 你好 🙂 e\u{301}", #"back\slash \N \. \\"#, "tab\tline\nreturn\r\n",
        #"'";--$1 ?1 {a,b}"#,
        "\u{1}\u{B}\u{1F}\u{7F}", #"\N"#, String(repeating: "long ", count: 20_000),
    ]
    private static let decimals = [
        "0", "-12.5", "123456789012345678901234567890", "0.000000000000000000000000000001",
        "-99999999999999999999.9999999999", "0.1", "1500",
    ]
    private static let instants: [Int64] = [
        0, 1, -1, 999_999, 1_772_452_851_000_000, 1_772_452_851_123_456, 1_772_452_851_120_000, -2_208_988_800_000_000,
        -62_135_596_800_000_000, 253_402_300_799_999_999,
    ]
    private static let dates = ["1970-01-01", "1969-12-31", "2024-02-29", "0001-01-01", "9999-12-31"]
    // As PostgreSQL spells them, so that both engines give back the same bytes.
    private static let documents = [
        #"{"a": 1.50, "b": [true, null, "ü\n\"\\"], "long": 123456789012345678901234567890}"#, "{}", "[]", "null",
        #""""#,
    ]
    private static let integers: [Int64] = [0, -1, .min, .max, 4_600_000_000_000_049_009]

    private static let columns = ["t", "i", "d", "b", "at", "day", "j", "raw"]
    private static let rows: [[SQLValue]] =
        (0..<10).map { index in
            [
                .text(texts[index % texts.count]), .integer(integers[index % integers.count]),
                .decimal(decimals[index % decimals.count]), .boolean(index % 2 == 0), .instant(instants[index]),
                .date(dates[index % dates.count]), .json(ArraySlice(documents[index % documents.count].utf8)),
                .bytes(index == 0 ? [] : (0...255).map { UInt8($0) }),
            ]
        } + [Array(repeating: .null, count: columns.count)]

    private static func check(_ found: [SQLRow]) throws {
        try #require(found.count == rows.count)
        for (row, said) in zip(found, rows) {
            let read: [SQLValue] = [
                row.text(0).map { .text($0) } ?? .null, row.int(1).map { .integer($0) } ?? .null,
                row.decimal(2).map { .decimal($0) } ?? .null, row.bool(3).map { .boolean($0) } ?? .null,
                row.instant(4).map { .instant($0) } ?? .null, row.date(5).map { .date($0) } ?? .null,
                row.json(6).map { .json($0) } ?? .null, row.bytes(7).map { .bytes($0) } ?? .null,
            ]
            #expect(read == said)
        }
    }

    private static func makeTable(_ transaction: any SQLTransaction) throws {
        let kinds: [ColumnType] = [.text, .integer, .decimal, .boolean, .instant, .date, .json, .bytes]
        let definitions = zip(columns, kinds).map { "\($0) \(transaction.dialect.type($1))" }
        try transaction.script(
            "create table kinds (id \(transaction.dialect.identity), \(definitions.joined(separator: ", ")))")
    }

    private static let select = "select \(columns.joined(separator: ", ")) from kinds order by id"

    @Test("Every kind of value comes back from a bulk insert as it went in", arguments: Engine.allCases)
    func bulk(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            try await database.write { transaction in
                try Self.makeTable(transaction)
                try transaction.insert(Self.rows, into: "kinds", columns: Self.columns)
            }
            try Self.check(try await database.read { try $0.query(Self.select) })
        }
    }

    @Test("Every kind of value comes back from single statements as it went in", arguments: Engine.allCases)
    func single(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            try await database.write { transaction in
                try Self.makeTable(transaction)
                for row in Self.rows {
                    let changed = try transaction.execute(
                        "insert into kinds (\(Self.columns.joined(separator: ", "))) values ($1, $2, $3, $4, $5, $6, $7, $8)",
                        row)
                    #expect(changed == 1)
                }
            }
            try Self.check(try await database.read { try $0.query(Self.select) })
        }
    }

    @Test("Every kind of value comes back from a bulk update as it went in", arguments: Engine.allCases)
    func update(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            try await database.write { transaction in
                try Self.makeTable(transaction)
                let blank = [[SQLValue]](repeating: [.null], count: Self.rows.count)
                try transaction.insert(blank, into: "kinds", columns: ["t"])
                let ids = try transaction.query("select id from kinds order by id").compactMap { $0.int(0) }
                try transaction.update(
                    zip(ids, Self.rows).map { (id: $0, values: $1) }, in: "kinds", columns: Self.columns)
            }
            try Self.check(try await database.read { try $0.query(Self.select) })
        }
    }

    @Test("A wide JSON object comes back from a bulk insert as the server itself reads it", arguments: Engine.allCases)
    func wideDocuments(engine: Engine) async throws {
        let filler = String(repeating: #"long, \"quoted\" and ]}[{ "#, count: 12)
        let members = [
            #""status":"active""#, #""b":[1,{"zz":"}","a":"]"}],"aa":1.50"#, #""a":"first","a":"second""#, #""":null"#,
            #""ü":"\u00fc\\\"""#, #""filler":"\#(filler)","ab":{"y":{},"x":[]}"#,
        ]
        var documents = (0..<6).map { turn in
            "{\((members[turn...] + members[..<turn]).joined(separator: ","))}"
        }
        documents += [
            #"{"\u0061":"\#(filler)","a":1}"#, #"{ "z" : "\#(filler)" , "a" : [ 1 , 2 ] }"#, #"["\#(filler)"]"#,
            #""\#(filler)""#, #"{"zz":"\#(filler)","a":1,"a":2,"zz":3}"#,
        ]
        let written = documents
        try await withDatabase(engine) { database in
            let equal = try await database.write { transaction in
                let json = transaction.dialect.type(.json)
                try transaction.script(
                    "create table said (id \(transaction.dialect.identity), bulk \(json), single \(json))")
                try transaction.insert(written.map { [.json(ArraySlice($0.utf8))] }, into: "said", columns: ["bulk"])
                for (index, document) in written.enumerated() {
                    try transaction.execute(
                        "update said set single = $1 where id = $2",
                        [.json(ArraySlice(document.utf8)), .integer(Int64(index + 1))])
                }
                return try transaction.query("select bulk, single from said order by id").map {
                    $0.json(0) == $0.json(1)
                }
            }
            #expect(equal == written.map { _ in true })
        }
    }

    @Test("What is not JSON is a bad record", arguments: ["", "x}", ",}", "}}"])
    func brokenDocument(end: String) async throws {
        let text = #"{"b":"\#(String(repeating: "long ", count: 60))","a":1\#(end)"#
        try await withDatabase(.postgres) { database in
            let error = await #expect(throws: DatabaseError.self) {
                try await database.write { transaction in
                    try Self.makeTable(transaction)
                    try transaction.insert([[.json(ArraySlice(text.utf8))]], into: "kinds", columns: ["j"])
                }
            }
            #expect(error?.kind == .record)
        }
    }

    @Test("A placeholder inside a quoted text is text", arguments: Engine.allCases)
    func quotedPlaceholder(engine: Engine) async throws {
        try await withDatabase(engine) { database in
            let row = try await database.read { transaction in
                try transaction.query("select '$1 it''s $2', $1", [.text("one")]).first
            }
            #expect(row?.text(0) == "$1 it's $2")
            #expect(row?.text(1) == "one")
        }
    }
}

@Suite("Timestamp")
struct TimestampTests {
    @Test("An instant is written in UTC and read back, to the microsecond, from the year 1 to 9999")
    func roundTrip() {
        let cases: [(Int64, String)] = [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (1_772_452_851_000_000, "2026-03-02T12:00:51Z"), (1_772_452_851_120_000, "2026-03-02T12:00:51.120000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"), (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        ]
        for (instant, text) in cases {
            #expect(Timestamp.text(instant) == text)
            #expect(Timestamp.instant(text) == instant)
        }
    }

    @Test("A date is the days since 1970, and a day that does not exist is none")
    func days() {
        #expect(Timestamp.days("1970-01-01") == 0)
        #expect(Timestamp.days("1969-12-31") == -1)
        #expect(Timestamp.days("2000-03-01") == 11_017)
        #expect(Timestamp.days("0001-01-01") == -719_162)
        for text in [
            "", "2026-2-3", "2026-02-29", "2026-13-01", "2026-00-10", "0000-01-01", "20260-1-01", "2026-02-30x",
            "+026-01-01",
        ] {
            #expect(Timestamp.days(text) == nil, "\(text)")
        }
    }

    @Test(
        "A text that is no instant in UTC is not read",
        arguments: [
            "", "2026-03-02", "2026-03-02T12:00:51", "2026-03-02T12:00:51+0100", "2026-03-02 12:00:51+01",
            "yesterday at noon",
            "infinity",
        ])
    func unreadable(text: String) {
        #expect(Timestamp.instant(text) == nil)
    }
}

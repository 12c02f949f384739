import Postgres
import TestSupport
import Testing

@Suite("COPY")
struct CopyTests {
    @Test("Every kind of value comes back as it was written")
    func roundTrip() async throws {
        try await withSession { session in
            try session.execute(
                """
                CREATE TABLE t (n bigint, a text, b varchar, c jsonb, d boolean, e bytea, f timestamptz, g date);
                SET timezone TO 'UTC'
                """)
            let texts = [
                "", "\\N", "\\", "\t", "a\\b\tc\nd\re", "ünïcödé 🧮", "exactly8", "\\.",
                "\u{1}\u{8}\u{b}\u{c}\u{d}",
                String(repeating: "long\\\n", count: 40_000),
            ]
            let rows = try session.copyIn("t", columns: ["n", "a", "b", "c", "d", "e", "f", "g"]) { copy, types in
                #expect(types == [20, 25, 1_043, 3_802, 16, 17, 1_184, 1_082])
                for (index, text) in texts.enumerated() {
                    try copy.beginRow(columns: 8)
                    copy.append(integer: .min + Int64(index))
                    copy.append(text: text)
                    copy.append(bytes: ArraySlice(text.utf8))
                    copy.append(jsonb: ArraySlice(#"{"number": \#(index)}"#.utf8))
                    copy.append(bool: index.isMultiple(of: 2))
                    copy.append(bytes: [0, 92, 9, 255])
                    copy.append(instant: -1)
                    copy.append(date: -1)
                }
                try copy.beginRow(columns: 8)
                copy.append(integer: 0)
                for _ in 0..<7 { copy.appendNull() }
            }
            #expect(rows == texts.count + 1)
            let result = try session.query("SELECT a, b, c->>'number', d, e, f, g, n FROM t ORDER BY n")
            for column in 0..<7 { #expect(result.isNull(texts.count, column)) }
            for (row, text) in texts.enumerated() {
                #expect(result.string(row, 0) == text)
                #expect(result.string(row, 1) == text)
                #expect(result.string(row, 2) == "\(row)")
                try #expect(result.bool(row, 3) == row.isMultiple(of: 2))
                try #expect(result.bytes(row, 4) == [0, 92, 9, 255])
                #expect(result.string(row, 5) == "1969-12-31 23:59:59.999999+00")
                #expect(result.string(row, 6) == "1969-12-31")
                try #expect(result.int64(row, 7) == .min + Int64(row))
            }
        }
    }

    @Test("A decimal is written digit by digit as the server itself would read it")
    func numeric() async throws {
        let nines = String(repeating: "9", count: 300)
        var decimals = [
            "0", "0.0", "-0", "1", "-1", "10", "9999", "10000", "-10000", "100000000", "123456789.987654321", "0.1",
            "0.0001", "0.00001", "-0.000000000001", "1.50", "0012.5", "10000.0001", "1000000000000.10", nines,
            "-0.\(nines)", "\(nines).\(nines)",
        ]
        for length in 1...17 { decimals.append("\(String("12345678901234567".prefix(length))).\(length)") }
        let written = decimals
        try await withSession { session in
            try session.execute("CREATE TABLE t (n bigint, said text, value numeric)")
            try session.copyIn("t", columns: ["n", "said", "value"]) { copy, _ in
                for (index, digits) in written.enumerated() {
                    try copy.beginRow(columns: 3)
                    copy.append(integer: Int64(index))
                    copy.append(text: digits)
                    try copy.append(numeric: digits)
                }
            }
            let result = try session.query(
                "SELECT said, value FROM t WHERE value::text <> said::numeric::text OR numeric_send(value) <> numeric_send(said::numeric)"
            )
            #expect(result.rowCount == 0)
            let count = try session.query("SELECT count(*) FROM t")
            try #expect(count.int64(0, 0) == Int64(written.count))
        }
    }

    @Test(
        "What is no plain decimal is refused before the server sees it",
        arguments: ["", "-", ".", "1.", ".5", "+1", "1e5", "1.2.3", "--1", " 1", "NaN", "١"])
    func notNumeric(text: String) async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (value numeric)")
            let error = #expect(throws: PostgresError.self) {
                try session.copyIn("t", columns: ["value"]) { copy, _ in
                    try copy.beginRow(columns: 1)
                    try copy.append(numeric: text)
                }
            }
            #expect(error?.sqlState == "22P02")
        }
    }

    @Test("A bad row surfaces with its reason, takes no row along and leaves the connection usable")
    func badRow() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n text)")
            let error = #expect(throws: PostgresError.self) {
                try session.copyIn("t", columns: ["n"]) { copy, _ in
                    // Enough for the server to have seen the bad row long before the end.
                    for index in 0..<50_000 {
                        try copy.beginRow(columns: 1)
                        copy.append(text: index == 2 ? "two\0" : "one")
                    }
                }
            }
            #expect(error?.sqlState == "22021")
            #expect(error?.context?.contains("line 3, column n") == true)
            let result = try session.query("SELECT count(*) FROM t")
            try #expect(result.int64(0, 0) == 0)
        }
    }

    @Test("An error of the writer is passed on, and nothing is copied")
    func abandoned() async throws {
        struct Enough: Error {}
        try await withSession { session in
            try session.execute("CREATE TABLE t (n bigint)")
            #expect(throws: Enough.self) {
                try session.copyIn("t", columns: ["n"]) { copy, _ in
                    try copy.beginRow(columns: 1)
                    copy.append(integer: 1)
                    throw Enough()
                }
            }
            let result = try session.query("SELECT count(*) FROM t")
            try #expect(result.int64(0, 0) == 0)
        }
    }

    @Test("A backend that dies inside a COPY ends it with an error")
    func backendDies() async throws {
        try await withSession { session in
            try session.execute(
                """
                CREATE TABLE t (n bigint);
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';
                CREATE TRIGGER die BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION die();
                """)
            let error = #expect(throws: PostgresError.self) {
                try session.copyIn("t", columns: ["n"]) { copy, _ in
                    for index in 0..<1_000_000 {
                        try copy.beginRow(columns: 1)
                        copy.append(integer: Int64(index))
                    }
                }
            }
            #expect(error?.isConnectionLost == true)
        }
    }

    @Test("A task that is cancelled inside a COPY ends it, and nothing is copied")
    func cancelled() async throws {
        try await PostgresServer.withDatabase { database in
            let connection = try await database.connect()
            try await connection.run { try $0.execute("CREATE TABLE t (n bigint)") }
            let task = Task {
                try await connection.run { session in
                    try session.copyIn("t", columns: ["n"]) { copy, _ in
                        withUnsafeCurrentTask { $0?.cancel() }
                        while true {
                            try copy.beginRow(columns: 1)
                            copy.append(integer: 1)
                        }
                    }
                }
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            let count = try await connection.run { try $0.query("SELECT count(*) FROM t").int64(0, 0) }
            #expect(count == 0)
        }
    }

    @Test(
        "A COPY in the wrong place is an error and leaves the connection usable",
        arguments: ["COPY t FROM STDIN", "COPY t TO STDOUT"])
    func misplaced(copy: String) async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t AS SELECT generate_series(1, 100000) AS n")
            #expect(throws: PostgresError.self) { try session.execute(copy) }
            #expect(throws: PostgresError.self) { try session.query(copy) }
            #expect(throws: PostgresError.self) { try session.execute("SELECT 1; \(copy); SELECT 2") }
            #expect(throws: PostgresError.self) { try session.copyIn("t", columns: ["unknown"]) { _, _ in } }
            let result = try session.query("SELECT count(*) FROM t")
            try #expect(result.int64(0, 0) == 100_000)
        }
    }
}

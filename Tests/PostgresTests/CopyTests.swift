import Postgres
import TestSupport
import Testing

@Suite("COPY")
struct CopyTests {
    @Test("Every kind of value comes back as it was written")
    func roundTrip() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int, a text, b text, c bigint, d boolean, e bytea, f text[])")
            let texts = [
                "", "\\N", "\\", "\t", "a\\b\tc\nd\re", "ünïcödé 🧮", "exactly8", "\\.", "tab after eight\t",
                "\u{1}\u{8}\u{b}\u{c}\u{d}",
                String(repeating: "long\\\n", count: 40_000),
            ]
            let rows = try session.copyIn("COPY t FROM STDIN") { copy in
                for (index, text) in texts.enumerated() {
                    copy.append(integer: Int64(index))
                    copy.append(text: text)
                    copy.append(bytes: ArraySlice(text.utf8))
                    copy.append(integer: .min + Int64(index))
                    copy.append(bool: index.isMultiple(of: 2))
                    copy.append(bytea: [0, 92, 9, 255])
                    copy.append(.textArray([text, nil]))
                    try copy.endRow()
                }
                copy.append(integer: -1)
                for _ in 0..<6 { copy.appendNull() }
                try copy.endRow()
            }
            #expect(rows == texts.count + 1)
            let result = try session.query("SELECT a, b, c, d, e, f[1], f[2] FROM t ORDER BY n")
            for column in 0..<7 { #expect(result.isNull(0, column)) }
            for (index, text) in texts.enumerated() {
                let row = index + 1
                #expect(result.string(row, 0) == text)
                #expect(result.string(row, 1) == text)
                try #expect(result.int64(row, 2) == .min + Int64(index))
                try #expect(result.bool(row, 3) == index.isMultiple(of: 2))
                try #expect(result.bytes(row, 4) == [0, 92, 9, 255])
                #expect(result.string(row, 5) == text)
                #expect(result.isNull(row, 6))
            }
        }
    }

    @Test("An escape is found at every place of a word and after every length")
    func escapesEverywhere() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int, a text)")
            var texts: [String] = []
            for length in 1...20 {
                for place in 0..<length {
                    for special in ["\\", "\t", "\n", "\r", "\u{e}", "]", "\u{dc}"] {
                        var scalars = Array(repeating: "x", count: length)
                        scalars[place] = special
                        texts.append(scalars.joined())
                    }
                }
            }
            let written = texts
            try session.copyIn("COPY t FROM STDIN") { copy in
                for (index, text) in written.enumerated() {
                    copy.append(integer: Int64(index))
                    copy.append(text: text)
                    try copy.endRow()
                }
            }
            let result = try session.query("SELECT a FROM t ORDER BY n")
            #expect((0..<result.rowCount).map { result.string($0, 0) } == written)
        }
    }

    @Test("A bad row surfaces with its reason, takes no row along and leaves the connection usable")
    func badRow() async throws {
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int NOT NULL)")
            let error = #expect(throws: PostgresError.self) {
                try session.copyIn("COPY t FROM STDIN") { copy in
                    // Enough for the server to have seen the bad row long before the end.
                    for index in 0..<50_000 {
                        if index == 2 { copy.append(text: "two") } else { copy.append(integer: Int64(index)) }
                        try copy.endRow()
                    }
                }
            }
            #expect(error?.sqlState == "22P02")
            #expect(error?.isDataFault == true)
            #expect(error?.context?.contains("line 3, column n") == true)
            let result = try session.query("SELECT count(*) FROM t")
            try #expect(result.int64(0, 0) == 0)
        }
    }

    @Test("An error of the writer is passed on, and nothing is copied")
    func abandoned() async throws {
        struct Enough: Error {}
        try await withSession { session in
            try session.execute("CREATE TABLE t (n int)")
            #expect(throws: Enough.self) {
                try session.copyIn("COPY t FROM STDIN") { copy in
                    copy.append(integer: 1)
                    try copy.endRow()
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
                CREATE TABLE t (n int);
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';
                CREATE TRIGGER die BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION die();
                """)
            let error = #expect(throws: PostgresError.self) {
                try session.copyIn("COPY t FROM STDIN") { copy in
                    for index in 0..<1_000_000 {
                        copy.append(integer: Int64(index))
                        try copy.endRow()
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
            try await connection.run { try $0.execute("CREATE TABLE t (n int)") }
            let task = Task {
                try await connection.run { session in
                    try session.copyIn("COPY t FROM STDIN") { copy in
                        withUnsafeCurrentTask { $0?.cancel() }
                        while true {
                            copy.append(integer: 1)
                            try copy.endRow()
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
            #expect(throws: PostgresError.self) { try session.copyIn("COPY t TO STDOUT") { _ in } }
            #expect(throws: PostgresError.self) { try session.copyIn("SELECT 1") { _ in } }
            let result = try session.query("SELECT count(*) FROM t")
            try #expect(result.int64(0, 0) == 100_000)
        }
    }
}

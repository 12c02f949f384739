import Postgres
import TestSupport
import Testing

@Suite("Values")
struct ValueTests {
    @Test("Every kind of value comes back as it was sent")
    func roundTrip() async throws {
        try await withSession { session in
            let text = "a\\b\tc\nd\re \"q\" 'x' ünïcödé 🧮 \u{b}\u{c}\u{8}\u{1}"
            let result = try session.query(
                """
                SELECT $1::text, $2::text AS raw, $3::bigint AS big, $4::boolean, $5::bytea, $6::text[]::text,
                    $7::text, $8::text, cardinality($6::text[]) AS n
                """,
                [
                    .text(text), .utf8(Array("xx{\"k\":1}".utf8)[2...]), .integer(.min), .boolean(true),
                    .bytes([0, 1, 92, 255]), .textArray(["a,b", nil, "", "q\"\\", "NULL"]), .null, .text(""),
                ])
            #expect(result.rowCount == 1)
            #expect(result.string(0, 0) == text)
            #expect(result.utf8(0, 1) == Array("{\"k\":1}".utf8))
            try #expect(result.int64(0, 2) == .min)
            try #expect(result.bool(0, 3) == true)
            try #expect(result.bytes(0, 4) == [0, 1, 92, 255])
            #expect(result.string(0, 5) == #"{"a,b",NULL,"","q\"\\","NULL"}"#)
            #expect(result.isNull(0, 6))
            #expect(result.string(0, 6) == nil)
            #expect(result.string(0, 7) == "")
            try #expect(result.int64(0, 8) == 5)
            #expect(result.column(named: "big") == 2)
            #expect(result.column(named: "small") == nil)
            #expect(result.columnNames[1] == "raw")
            #expect(result.typeOID(2) == 20)
        }
    }

    @Test("A value of another type is an error, not nil")
    func mismatch() async throws {
        try await withSession { session in
            let result = try session.query("SELECT 'abc' AS word, 1.5 AS half")
            #expect(throws: PostgresError.self) { try result.int64(0, 0) }
            #expect(throws: PostgresError.self) { try result.bool(0, 0) }
            #expect(throws: PostgresError.self) { try result.bytes(0, 0) }
            #expect(throws: PostgresError.self) { try result.int64(0, 1) }
            try #expect(result.double(0, 1) == 1.5)
        }
    }

    @Test(
        "Text with a NUL is refused instead of cut off",
        arguments: [
            PostgresValue.text("a\0b"), .utf8([97, 0, 98]), .textArray(["a", "b\0"]),
        ])
    func nul(value: PostgresValue) async throws {
        try await withSession { session in
            let error = #expect(throws: PostgresError.self) { try session.query("SELECT $1::text", [value]) }
            #expect(error?.description.contains("$1") == true)
            #expect(error?.sqlState.hasPrefix("22") == true)
            let next = try session.query("SELECT 1")
            #expect(next.rowCount == 1)
        }
    }
}

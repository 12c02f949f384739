import Database
import Foundation
import Mirror
import TestSupport
import Testing

@Suite("docs/tables.md")
struct TablePageTests {
    /// The columns that the page describes, by the table that it has named last before.
    private static func described() throws -> [String: [String]] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: folder.appending(path: "docs/tables.md"), encoding: .utf8)
        var columns: [String: [String]] = [:]
        let parts = page.split(separator: "| column | meaning |\n|---|---|\n")
        for (before, after) in zip(parts, parts.dropFirst()) {
            let table = try #require(before.matches(of: /`(sync_[a-z_]+)`/).last).output.1
            for line in after.split(separator: "\n", omittingEmptySubsequences: false).prefix(while: { !$0.isEmpty }) {
                let cell = try #require(line.split(separator: "|").first)
                columns[String(table), default: []] += cell.matches(of: /`([a-z_]+)`/).map { String($0.output.1) }
            }
        }
        return columns
    }

    @Test("Every column of our own tables is on the page once, and no other", arguments: Engine.allCases)
    func columns(engine: Engine) async throws {
        let described = try Self.described()
        try await withMirror(engine) { mirror in
            try await mirror.database.read { transaction in
                let list =
                    switch transaction.dialect {
                    case .postgres: "select tablename::text from pg_tables where schemaname = current_schema"
                    case .sqlite: "select name from sqlite_master where type = 'table'"
                    }
                let tables = try transaction.query(list).compactMap { $0.text(0) }.filter { $0.hasPrefix("sync_") }
                #expect(Set(tables) == Set(described.keys))
                for table in tables {
                    #expect(try transaction.columnNames(of: table).sorted() == described[table]?.sorted(), "\(table)")
                }
            }
        }
    }
}

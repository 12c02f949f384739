/// Text in columns: the first left-aligned, numbers right-aligned, also where `-` stands for one.
struct TextTable {
    let lines: [String]

    init(_ rows: [[String]]) {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        lines = rows.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                let isNumber =
                    column > 0
                    && rows.dropFirst().allSatisfy { $0[column] == "-" || $0[column].first?.isNumber ?? true }
                return isNumber ? padding + cell : cell + padding
            }.joined(separator: "  ").trimmingTrailingSpaces
        }
    }
}

extension String {
    fileprivate var trimmingTrailingSpaces: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}

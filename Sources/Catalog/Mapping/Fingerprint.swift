import Crypto

/// The content hash of a row, in three parts that different shapes of a record speak of.
///
/// A list record can only confirm the first part, a detail record all three; so the same state told in another shape
/// compares equal. Blank values count as absent. Each part is the beginning of a SHA-256.
package struct Fingerprint: Sendable, Hashable {
    /// Over the columns that list records say.
    package var summary: UInt64
    /// Over the columns that only detail records say for certain.
    package var detail: UInt64
    /// Over the child rows.
    package var children: UInt64

    package init(summary: UInt64, detail: UInt64, children: UInt64) {
        self.summary = summary
        self.detail = detail
        self.children = children
    }

    /// Reads what ``text`` wrote; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0, radix: 16) }
        guard parts.count == 3, let summary = parts[0], let detail = parts[1], let children = parts[2] else {
            return nil
        }
        self.init(summary: summary, detail: detail, children: children)
    }

    /// The three parts in hexadecimal, joined by hyphens.
    package var text: String {
        String(unsafeUninitializedCapacity: 50) { buffer in
            var count = 0
            for part in [summary, detail, children] {
                if count > 0 {
                    buffer[count] = UInt8(ascii: "-")
                    count += 1
                }
                for shift in stride(from: (63 - (part | 1).leadingZeroBitCount) / 4 * 4, through: 0, by: -4) {
                    let digit = UInt8(truncatingIfNeeded: part >> shift) & 15
                    buffer[count] = digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                    count += 1
                }
            }
            return count
        }
    }

    /// What stands for a column or table in a fingerprint: it follows from the name, so that a field that an entity gains
    /// leaves the fingerprints of rows without it as they are.
    static func id(of name: String) -> UInt64 { beginning(of: SHA256.hash(data: Array(name.utf8))) }

    fileprivate static func beginning(of digest: SHA256.Digest) -> UInt64 {
        digest.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }
}

extension EntityMapping {
    /// The fingerprint of a parent row with these values; nil counts as blank.
    package func fingerprint(_ cells: [FieldValue?], children: UInt64) -> Fingerprint {
        var summary = CellBytes()
        var detail = CellBytes()
        for (position, column) in columns.enumerated() {
            guard let cell = cells[position] else { continue }
            switch column.presence {
            case .both, .list: summary.append(cell, of: columnIDs[position])
            case .detail, .preview: detail.append(cell, of: columnIDs[position])
            }
        }
        return Fingerprint(summary: summary.digest, detail: detail.digest, children: children)
    }

    /// The hash over a complete set of child rows, whatever their order.
    package func fingerprint(children: [[ChildRow]]) -> UInt64 {
        guard children.contains(where: { !$0.isEmpty }) else { return 0 }
        var bytes = CellBytes()
        for (mapping, rows) in zip(self.children, children) {
            for row in rows.sorted(by: { $0.key < $1.key }) {
                bytes.append(.text(row.key), of: mapping.tableID)
                for (column, cell) in zip(mapping.columnIDs, row.cells) { bytes.append(cell, of: column) }
            }
        }
        return bytes.digest
    }
}

/// Values as an unambiguous sequence of bytes: column, type, length, content.
private struct CellBytes {
    private var bytes: [UInt8] = []

    /// The first eight bytes of the SHA-256; 0 where nothing was appended.
    var digest: UInt64 {
        guard !bytes.isEmpty else { return 0 }
        return Fingerprint.beginning(of: SHA256.hash(data: bytes))
    }

    init() {
        bytes.reserveCapacity(512)
    }

    mutating func append(_ cell: FieldValue, of column: UInt64) {
        switch cell {
        case .null: break
        case .text(let text): append(text, tag: 1, of: column)
        case .decimal(let digits): append(digits, tag: 2, of: column)
        case .date(let date): append(date, tag: 3, of: column)
        case .integer(let value): append(UInt64(bitPattern: value), tag: 4, of: column)
        case .instant(let value): append(UInt64(bitPattern: value), tag: 5, of: column)
        case .boolean(let value): append(value ? 1 : 0, tag: 6, of: column)
        case .json(let json):
            header(tag: 7, column: column, count: json.count)
            bytes.append(contentsOf: json)
        }
    }

    private mutating func append(_ text: String, tag: UInt8, of column: UInt64) {
        header(tag: tag, column: column, count: text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func append(_ value: UInt64, tag: UInt8, of column: UInt64) {
        header(tag: tag, column: column, count: 8)
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func header(tag: UInt8, column: UInt64, count: Int) {
        let header = (column.bigEndian, (UInt64(tag) << 56 | UInt64(UInt32(truncatingIfNeeded: count))).bigEndian)
        withUnsafeBytes(of: header) { bytes.append(contentsOf: $0) }
    }
}

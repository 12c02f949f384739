/// Values as Swift types, whichever engine they came from; nil for NULL and for what is not of the type.
extension SQLRow {
    package func text(_ index: Int) -> String? {
        switch values[index] {
        case .text(let text), .decimal(let text), .date(let text): text
        case .integer(let value): String(value)
        case .json(let bytes): String(decoding: bytes, as: UTF8.self)
        default: nil
        }
    }

    package func int(_ index: Int) -> Int64? {
        switch values[index] {
        case .integer(let value): value
        case .decimal(let digits): Int64(digits)
        default: nil
        }
    }

    package func bool(_ index: Int) -> Bool? {
        switch values[index] {
        case .boolean(let value): value
        case .integer(let value): value != 0
        default: nil
        }
    }

    /// Microseconds since 1970.
    package func instant(_ index: Int) -> Int64? {
        switch values[index] {
        case .instant(let instant): instant
        case .text(let text): Timestamp.instant(text)
        default: nil
        }
    }

    /// `YYYY-MM-DD`.
    package func date(_ index: Int) -> String? { text(index) }

    /// The digits of a decimal, as they were written.
    package func decimal(_ index: Int) -> String? { text(index) }

    package func json(_ index: Int) -> ArraySlice<UInt8>? {
        switch values[index] {
        case .json(let bytes): bytes
        case .text(let text): ArraySlice(text.utf8)
        default: nil
        }
    }

    package func bytes(_ index: Int) -> [UInt8]? {
        switch values[index] {
        case .bytes(let bytes): bytes
        default: nil
        }
    }
}

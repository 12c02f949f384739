import Catalog
import Database

extension SQLValue {
    /// The value as a database takes it.
    init(_ value: FieldValue) {
        switch value {
        case .null: self = .null
        case .integer(let number): self = .integer(number)
        case .text(let text): self = .text(text)
        case .decimal(let digits): self = .decimal(digits)
        case .boolean(let flag): self = .boolean(flag)
        case .instant(let instant): self = .instant(instant)
        case .date(let date): self = .date(date)
        case .json(let bytes): self = .json(bytes[...])
        }
    }
}

extension SQLRow {
    /// A stored value in the form in which records are read, so that the two can be compared.
    func fieldValue(_ index: Int, _ kind: Field.Kind) -> FieldValue {
        let value: FieldValue? =
            switch kind {
            case .text: text(index).map { .text($0) }
            case .integer: int(index).map { .integer($0) }
            case .decimal: decimal(index).map { .decimal($0) }
            case .boolean: bool(index).map { .boolean($0) }
            case .instant: instant(index).map { .instant($0) }
            case .date: date(index).map { .date($0) }
            case .json, .customFields: json(index).map { FieldValue.canonicalJSON($0, of: kind) }
            }
        return value ?? .null
    }
}

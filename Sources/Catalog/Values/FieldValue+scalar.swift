package import ZohoBooks

extension FieldValue {
    /// Reads text, or an id that came as a number; `""` is blank.
    package static func text(from view: JSONView) -> FieldValue? {
        switch view.kind {
        case .null: return .null
        case .string where view.isBlank: return .null
        case .string, .number, .bool: return (try? view.columnText()).map { .text($0) }
        case .object, .array: return nil
        }
    }

    /// Reads a whole number from a number, a numeric string or a blank; `30.0` is whole.
    package static func integer(from view: JSONView) -> FieldValue? {
        switch decimal(from: view) {
        case .null: .null
        case .decimal(let digits): Int64(digits).map { .integer($0) }
        default: nil
        }
    }

    /// Reads a boolean, also as the string that some records carry (reference, section 7.5), or a blank.
    package static func boolean(from view: JSONView) -> FieldValue? {
        switch view.kind {
        case .bool(let value): return .boolean(value)
        case .null: return .null
        case .string where view.isBlank: return .null
        case .string:
            switch try? view.text() {
            case "true": return .boolean(true)
            case "false": return .boolean(false)
            default: return nil
            }
        case .object, .array, .number: return nil
        }
    }
}

extension JSONView {
    /// A string's text as a column holds it.
    ///
    /// - Throws: what ``text()`` throws, also for text with the character 0, which PostgreSQL cannot hold: what is in a
    ///   mirror does not depend on its engine.
    func columnText() throws -> String {
        let text = try text()
        // JSON spells it as an escape, and every escape is longer than what it stands for.
        if text.utf8.count < content.count, text.utf8.contains(0) {
            throw JSONSyntaxError.wrongType(expected: "text that a column holds")
        }
        return text
    }
}

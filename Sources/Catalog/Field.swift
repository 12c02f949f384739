/// One mapped column: what it holds and where a record says it.
package struct Field: Sendable {
    /// The type of a column, and with it how a value is read.
    package enum Kind: Sendable, Hashable {
        case text
        case integer
        case decimal
        case boolean
        case instant
        case date
        /// An object or array, kept as canonical JSON without blank members and `*_formatted` twins.
        case json
        /// Custom fields in any of their three spellings (reference, section 7.8), as one object of `cf_…` names.
        case customFields
    }

    /// Which shape of a record says the value.
    package enum Presence: Sendable, Hashable {
        /// List and detail records alike. Which keys there are depends on edition and settings (reference, section 7.4),
        /// so that a record without the key leaves the column alone.
        case both
        /// List records; a detail record says it sometimes and leaves the column alone where it does not, such as the
        /// primary contact person's e-mail address (reference, section 6.3).
        case list
        /// Only detail records, which blank it where they lack the key. A list record never touches the column.
        case detail
        /// Detail records; a list record shows a part or a preview, which counts until a detail record was applied.
        case preview

        /// Whether a detail record without the key says that the value is blank: nobody else could take it away.
        var isSettledByDetails: Bool { self == .detail || self == .preview }
    }

    package let column: String
    package let kind: Kind
    /// The keys that may hold the value, in order of preference.
    package let keys: [String]
    package let presence: Presence
    /// Whether a value that cannot be read keeps the whole record out of the mirror.
    ///
    /// Otherwise the row is written without it and the fault is recorded on the run.
    package let isStrict: Bool

    private init(_ column: String, _ kind: Kind, _ keys: [String], _ presence: Presence, _ isStrict: Bool) {
        self.column = column
        self.kind = kind
        self.keys = keys.isEmpty ? [column] : keys
        self.presence = presence
        self.isStrict = isStrict
    }

    package static func text(_ column: String, _ keys: String..., in presence: Presence = .both) -> Field {
        Field(column, .text, keys, presence, false)
    }

    package static func integer(_ column: String, _ keys: String..., in presence: Presence = .both) -> Field {
        Field(column, .integer, keys, presence, false)
    }

    package static func decimal(
        _ column: String, _ keys: String..., in presence: Presence = .both, strict: Bool = false
    ) -> Field {
        Field(column, .decimal, keys, presence, strict)
    }

    package static func boolean(_ column: String, _ keys: String..., in presence: Presence = .both) -> Field {
        Field(column, .boolean, keys, presence, false)
    }

    package static func instant(_ column: String, _ keys: String..., in presence: Presence = .both) -> Field {
        Field(column, .instant, keys, presence, false)
    }

    /// When the records of a module were modified last.
    static func modified(_ column: String, of module: Module) -> Field {
        Field(column, .instant, module.modifiedKeys, .both, false)
    }

    package static func date(_ column: String, _ keys: String..., in presence: Presence = .both) -> Field {
        Field(column, .date, keys, presence, false)
    }

    package static func json(_ column: String, _ keys: String..., in presence: Presence = .detail) -> Field {
        Field(column, .json, keys, presence, false)
    }

    /// The record's custom fields as one JSON object, in the column `custom_fields`.
    package static let customFields = Field("custom_fields", .customFields, ["custom_fields"], .preview, false)
}

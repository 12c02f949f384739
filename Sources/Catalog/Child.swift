/// A child table: the rows that a record carries inside itself.
package struct Child: Sendable {
    /// Where in the record the rows are.
    package enum Source: Sendable {
        /// A single object, with columns whose value follows from the place: a billing address.
        case object(String, fixed: [String: String] = [:])
        /// An array of objects.
        case array(String, fixed: [String: String] = [:])
        /// An array of objects that may each hold an inner array with one row an element, such as a price's brackets;
        /// what an inner element does not say is taken from the outer one.
        case nested(String, inner: String)

        package var key: String {
            switch self {
            case .object(let key, _), .array(let key, _), .nested(let key, _): key
            }
        }

        /// The columns whose value follows from the place, with that value.
        var fixed: [String: String] {
            switch self {
            case .object(_, let fixed), .array(_, let fixed): fixed
            case .nested: [:]
            }
        }
    }

    /// The name of the table.
    package let table: String
    /// The column that holds the child's own Zoho id.
    package let keyColumn: String
    /// The keys that may hold that id; a row without one gets `<parent's id>:<position>`.
    package let idKeys: [String]
    package let sources: [Source]
    package let fields: [Field]
    /// The column that counts the rows of one parent from 1, where the table has one.
    package let orderColumn: String?

    package init(
        table: String, keyColumn: String, idKeys: [String], sources: [Source], fields: [Field],
        orderColumn: String? = nil
    ) {
        self.table = table
        self.keyColumn = keyColumn
        self.idKeys = idKeys
        self.sources = sources
        self.fields = fields
        self.orderColumn = orderColumn
    }
}

import Catalog
import Foundation

/// Zoho's API does not give this organisation an entity's complete records.
///
/// That of price lists is documented nowhere (reference, section 6.1).
struct MissingDetails: Error, CustomStringConvertible {
    let description: String

    init(of mapping: EntityMapping) {
        let (entity, fields) = (mapping.entity, mapping.entity.fields.filter { $0.presence == .detail })
        let columns = fields.count > 3 ? ["\(fields.count) columns"] : fields.map(\.column)
        let lacking = (entity.children.map(\.table) + columns).formatted(.list(type: .and))
        description = """
            Zoho's API gives this organisation no complete records of \(entity.module.path), so the mirror lacks \
            \(lacking). Lists are still read; the details are tried again once a day.
            """
    }
}

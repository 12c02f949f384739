/// Everything that a mirror holds.
package enum Catalog {
    /// The entities, in an order in which each comes after those that it refers to.
    package static let entities: [EntityMapping] = [
        Entity.products, .customers, .vendors, .pricelists, .invoices, .bills, .creditNotes, .salesOrders,
        .customerPayments,
    ].map { EntityMapping($0) }

    /// The entity of that name, or nil where nothing of the kind is mirrored.
    package static func entity(named name: String) -> EntityMapping? {
        entities.first { $0.entity.name == name }
    }

    /// The entities that one module feeds, such as customers and vendors.
    package static func entities(of module: Module) -> [EntityMapping] {
        entities.filter { $0.entity.module.path == module.path }
    }
}

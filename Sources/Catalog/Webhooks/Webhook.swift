package import ZohoBooks

/// A place to which Zoho's workflow rules deliver: the path segment after `webhooks/`.
package struct Webhook: Sendable {
    /// What its deliveries carry.
    package enum Content: Sendable, Hashable {
        /// Whole records, as a detail call gives them.
        case records
        /// That records have changed; they have to be read again.
        case marks
    }

    /// The path segment: `credit-notes`.
    package let name: String
    package let content: Content
    /// The entities whose records may arrive; several where Zoho keeps them in one module.
    package let entities: [EntityMapping]

    init(name: String, content: Content, entities: [EntityMapping]) {
        self.name = name
        self.content = content
        self.entities = entities
    }

    /// A place for the records of one entity, and of those that share its module.
    package init(name: String, recordsOf mapping: EntityMapping) {
        let siblings = Catalog.entities(of: mapping.entity.module).filter { $0.entity.name != mapping.entity.name }
        self.init(name: name, content: .records, entities: [mapping] + siblings)
    }

    /// Reads the JSON body of a delivery.
    ///
    /// A body that names a record but does not carry all of it, as a template of one's own may, asks for the record to
    /// be read again: applying it would blank what it does not mention.
    ///
    /// - Throws: ``DeliveryFault`` where nobody can tell which record it is about.
    package func read(_ body: RawJSON) throws(DeliveryFault) -> [Delivery] {
        do {
            let deliveries = try body.read { root in try find(in: root, body) }
            guard !deliveries.isEmpty else { throw DeliveryFault.noRecord(expected: rootKeys) }
            return deliveries
        } catch let fault as DeliveryFault {
            throw fault
        } catch {
            throw .notJSON("\(error)")
        }
    }

    private var rootKeys: [String] {
        var keys: [String] = []
        for mapping in entities {
            for key in mapping.entity.module.deliveryKeys where !keys.contains(key) { keys.append(key) }
        }
        return keys
    }

    private func find(in root: JSONView, _ body: RawJSON) throws -> [Delivery] {
        for mapping in entities {
            for key in mapping.entity.module.deliveryKeys {
                guard let record = try root.member(key), record.kind == .object else { continue }
                return [try delivery(of: record, body, mapping.entity.module)]
            }
        }
        for mapping in entities {
            if let id = try mapping.deliverableID(in: root) { return [Delivery(mapping, id: id, record: nil)] }
        }
        guard content == .marks else { return [] }
        return try linesOfADocument(in: root)
    }

    private func delivery(of record: JSONView, _ body: RawJSON, _ module: Module) throws -> Delivery {
        let raw = record.raw(in: body)
        let candidates = entities.filter { $0.entity.module.path == module.path }
        let owner = try candidates.first { try $0.owns(raw) } ?? candidates[0]
        guard let id = try owner.deliverableID(in: record) else { throw DeliveryFault.noID(keys: owner.entity.idKeys) }
        var isWhole = false
        // Every detail record has one of these (reference, section 6).
        for key in module.modifiedKeys + ["created_time"] {
            if let time = try record.member(key), !time.isBlank { isWhole = true }
        }
        return Delivery(owner, id: id, record: content == .records && isWhole ? raw : nil)
    }

    /// An inventory adjustment, or another document that moves stock, names the items on its lines.
    private func linesOfADocument(in root: JSONView) throws -> [Delivery] {
        guard let products = entities.first(where: { $0.entity.webhookName == "products" }) else { return [] }
        var found: [Delivery] = []
        var ids: Set<String> = []
        try root.members { _, document in
            guard document.kind == .object, let lines = try document.member("line_items"), lines.kind == .array else {
                return
            }
            try lines.elements { line in
                guard line.kind == .object, let id = try products.deliverableID(in: line),
                    ids.insert(id).inserted
                else { return }
                found.append(Delivery(products, id: id, record: nil))
            }
        }
        return found
    }
}

/// A record that a delivery is about.
package struct Delivery: Sendable {
    package let mapping: EntityMapping
    /// The Zoho id.
    package let id: String
    /// The whole record; nil where it has to be read again.
    package let record: RawJSON?

    package init(_ mapping: EntityMapping, id: String, record: RawJSON?) {
        self.mapping = mapping
        self.id = id
        self.record = record
    }
}

/// Why nobody can tell which record a delivery is about.
package enum DeliveryFault: Error, Sendable, Hashable, CustomStringConvertible {
    case notJSON(String)
    case noRecord(expected: [String])
    case noID(keys: [String])

    package var description: String {
        switch self {
        case .notJSON(let reason): "the body is not JSON: \(reason)"
        case .noRecord(let expected): "the body has no \(expected.joined(separator: ", nor "))"
        case .noID(let keys): "the record has no usable \(keys.joined(separator: ", nor "))"
        }
    }
}

extension Catalog {
    /// Where deliveries are taken.
    package static let webhooks: [Webhook] = {
        let records = entities.compactMap { mapping in
            mapping.entity.webhookName.map { Webhook(name: $0, recordsOf: mapping) }
        }
        let names = entities.flatMap(\.entity.markNames).reduce(into: [String]()) {
            if !$0.contains($1) { $0.append($1) }
        }
        return records
            + names.map { name in
                Webhook(name: name, content: .marks, entities: entities.filter { $0.entity.markNames.contains(name) })
            }
    }()

    /// The place of that name, or nil where nothing is taken.
    package static func webhook(named name: String) -> Webhook? {
        webhooks.first { $0.name == name }
    }
}

extension Module {
    /// The keys of a webhook body that may hold a record.
    var deliveryKeys: [String] { [detailKey] + (otherDeliveryKey.map { [$0] } ?? []) }
}

extension EntityMapping {
    /// The id of a record that anybody may have sent: only what can be one of Zoho's.
    fileprivate func deliverableID(in record: JSONView) throws -> String? {
        guard let id = try id(in: record), id.utf8.count <= 64,
            id.utf8.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) })
        else { return nil }
        return id
    }
}

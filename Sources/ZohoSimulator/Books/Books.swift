/// The organisation's records: generated ones, and on top of them what was edited, deleted and created since.
///
/// A value, so that an answer is made from a copy while other calls change the original.
struct Books: Sendable {
    /// What differs from the generated record.
    struct Overlay: Sendable {
        /// JSON by key; nil takes the key out.
        var changes: [String: [UInt8]?] = [:]
        var isDeleted = false
    }

    var generator: Generator
    private(set) var overlays: [SimulatorModule: [Int: Overlay]] = [:]
    /// Records made after the generated ones, by module.
    private var created: [SimulatorModule: Int] = [:]
    /// Rises with every change of a module.
    private(set) var versions: [SimulatorModule: Int] = [:]

    init(_ generator: Generator) { self.generator = generator }

    /// One more than the largest index ever used.
    func end(_ module: SimulatorModule) -> Int { generator.count(module) + created[module, default: 0] }

    func overlay(_ module: SimulatorModule, _ index: Int) -> Overlay? { overlays[module]?[index] }

    func exists(_ module: SimulatorModule, _ index: Int) -> Bool {
        index >= 0 && index < end(module) && overlay(module, index)?.isDeleted != true
    }

    /// The index of an id of an existing record.
    func index(_ module: SimulatorModule, id: some StringProtocol) -> Int? {
        module.idSpace.index(of: id).flatMap { exists(module, $0) ? $0 : nil }
    }

    // MARK: Reading

    /// Writes a record as a list shows it, or as a detail answer does, with `extra` changed for this once.
    func write(
        _ module: SimulatorModule, _ index: Int, detail: Bool, extra: [String: [UInt8]?] = [:],
        to writer: inout JSONWriter
    ) {
        var changes = overlay(module, index)?.changes ?? [:]
        if !extra.isEmpty { changes.merge(extra) { $1 } }
        guard !changes.isEmpty else {
            generator.writeRecord(module, index, detail: detail, to: &writer)
            return
        }
        if detail, let hidden = module.keyOnlyInLists { changes.removeValue(forKey: hidden) }
        var plain = JSONWriter()
        generator.writeRecord(module, index, detail: detail, to: &plain)
        JSONObject.write(plain.bytes, changing: changes, adding: detail, to: &writer)
    }

    func record(_ module: SimulatorModule, _ index: Int, detail: Bool = true) -> [UInt8] {
        var writer = JSONWriter()
        write(module, index, detail: detail, to: &writer)
        return writer.bytes
    }

    func status(_ module: SimulatorModule, _ index: Int) -> String {
        text(module, index, "status") ?? String(describing: generator.status(module, index))
    }

    func modified(_ module: SimulatorModule, _ index: Int) -> Int {
        text(module, index, "last_modified_time").flatMap { OrganizationCalendar.instant($0) }
            ?? generator.modified(module, index)
    }

    /// A document's total and balance in cents.
    func amounts(_ module: SimulatorModule, _ index: Int) -> (total: Int, balance: Int) {
        let document = generator.document(module, index)
        func edited(_ key: String) -> Int? {
            text(module, index, key).flatMap(Double.init).map { Int(($0 * 100).rounded()) }
        }
        return (edited("total") ?? document.total, edited("balance") ?? document.balance)
    }

    /// What a change has put in a key, without the quotes of a string.
    func text(_ module: SimulatorModule, _ index: Int, _ key: String) -> String? {
        guard let change = overlay(module, index)?.changes[key], let value = change else { return nil }
        let isString = value.first == UInt8(ascii: "\"")
        return String(decoding: isString ? value.dropFirst().dropLast() : value[...], as: UTF8.self)
    }

    // MARK: Changing

    /// Changes a record; `now` becomes its time of change, unless it is nil or the changes name another.
    mutating func edit(
        _ module: SimulatorModule, _ index: Int, _ changes: [String: SimulatorValue], now: Int?
    ) {
        var merged = overlay(module, index)?.changes ?? [:]
        if let now {
            var writer = JSONWriter(capacity: 32)
            writer.timestamp(now, generator.calendar)
            for key in ["last_modified_time"] + module.twins(of: "last_modified_time") {
                merged[key] = .some(writer.bytes)
            }
        }
        for (key, value) in changes {
            merged[key] = .some(value.json)
            for twin in module.twins(of: key) { merged[twin] = .some(value.json) }
        }
        if module == .contacts, let name = changes["contact_name"] {
            merged[Generator.isVendor(index) ? "vendor_name" : "customer_name"] = .some(name.json)
            generator.contactNames[index] = name.json
        }
        overlays[module, default: [:]][index, default: Overlay()].changes = merged
        versions[module, default: 0] += 1
    }

    mutating func setDeleted(_ module: SimulatorModule, _ index: Int, _ isDeleted: Bool) {
        overlays[module, default: [:]][index, default: Overlay()].isDeleted = isDeleted
        versions[module, default: 0] += 1
    }

    /// Creates a record after the last one and returns its index.
    mutating func create(_ module: SimulatorModule, _ fields: [String: SimulatorValue], now: Int) -> Int {
        let index = end(module)
        created[module, default: 0] += 1
        var writer = JSONWriter(capacity: 32)
        writer.timestamp(now, generator.calendar)
        var fields = fields.merging(["created_time": SimulatorValue(json: writer.bytes)]) { given, _ in given }
        if module.isSortedByName, fields["status"] == nil { fields["status"] = "active" }
        edit(module, index, fields, now: now)
        return index
    }

    /// Merges contacts into one: the sources are gone, and their documents are the target's.
    mutating func merge(contacts sources: [Int], into target: Int) {
        for source in sources where source != target {
            setDeleted(.contacts, source, true)
            generator.mergedContacts[source] = target
            for (from, to) in generator.mergedContacts where to == source { generator.mergedContacts[from] = target }
        }
    }
}

extension SimulatorModule {
    /// The key that a detail record lacks (sections 6.4, 6.5 and 6.7).
    var keyOnlyInLists: String? {
        switch self {
        case .pricebooks, .customerpayments: "last_modified_time"
        case .invoices: "updated_time"
        default: nil
        }
    }
}

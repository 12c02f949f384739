/// Makes any record of the organisation from the seed, the module and the record's index; holds none of them.
///
/// Names, numbers and times rise with the index, so that a list in one of these orders is a list by index.
struct Generator: Sendable {
    let seed: UInt64
    let counts: [SimulatorModule: Int]
    let calendar: OrganizationCalendar
    /// When the youngest records were last changed, in seconds since 1970.
    let end: Int

    /// Where merged contacts went, and the names of renamed ones as JSON: documents show both at once.
    var mergedContacts: [Int: Int] = [:]
    var contactNames: [Int: [UInt8]] = [:]

    private let itemCount: Int
    private let contactCount: Int
    private let steps: [Int]
    let nameWidths: [Int]
    private let contactStride: UInt64
    private let contactSyllables: Int

    init(seed: UInt64, counts: [SimulatorModule: Int], calendar: OrganizationCalendar, end: Int) {
        self.seed = seed
        self.calendar = calendar
        self.end = end
        let items = counts[.items] ?? 0
        let contacts = counts[.contacts] ?? 0
        // Other records refer to items and contacts, so there must be some; the first vendor is the 13th contact.
        self.counts = counts.filter { module, _ in
            module.isSortedByName ? module != .pricebooks || items > 0 : items > 0 && contacts > 12
        }
        itemCount = items
        contactCount = contacts
        steps = SimulatorModule.allCases.map { max(1, Self.span($0) / max(1, counts[$0] ?? 0)) }
        nameWidths = SimulatorModule.allCases.map { max(5, String(counts[$0] ?? 0).count) }
        var syllables = 3
        var names: UInt64 = 614_125
        while names < UInt64(contacts) * 2 {
            syllables += 1
            names *= 85
        }
        contactSyllables = syllables
        contactStride = names / UInt64(max(1, contacts + contacts / 8 + 1))
    }

    func count(_ module: SimulatorModule) -> Int { counts[module] ?? 0 }

    // MARK: Time

    /// Seconds over which a module's records were created: two years for master data, one for documents.
    private static func span(_ module: SimulatorModule) -> Int { (module.isSortedByName ? 730 : 360) * 86_400 }

    /// Seconds at least between creation and last change; both rise with the index.
    private static let settling = 3 * 86_400

    func created(_ module: SimulatorModule, _ index: Int) -> Int {
        if module == .customerpayments { return paymentTime(index) }
        let step = steps[module.ordinal]
        var draw = Draw(seed: seed, kind: module.idSpace.rawValue + 1_000, index: index)
        return end - Self.settling - Self.span(module) - 2 * step + index * step + draw.below(step)
    }

    func modified(_ module: SimulatorModule, _ index: Int) -> Int {
        if module == .customerpayments { return paymentTime(index) + 300 }
        let step = steps[module.ordinal]
        var draw = Draw(seed: seed, kind: module.idSpace.rawValue + 2_000, index: index)
        return end - Self.span(module) - step + index * step + draw.below(step)
    }

    func draw(_ module: SimulatorModule, _ index: Int) -> Draw {
        Draw(seed: seed, kind: module.idSpace.rawValue, index: index)
    }

    // MARK: Status

    /// The residues of which a record is inactive: 2 of 25, which is 8 %.
    static func isInactive(_ index: Int) -> Bool { index % Mask.period == 7 || index % Mask.period == 19 }

    /// The residue of which a contact is a vendor: 1 of 25, which is 4 %.
    static func isVendor(_ index: Int) -> Bool { index % Mask.period == 12 }

    static let customers = Mask { !isVendor($0) }
    static let vendors = Mask { isVendor($0) }

    /// A record's status; it repeats every 25 records, so that a status can be counted without generating the records.
    func status(_ module: SimulatorModule, _ index: Int) -> StaticString {
        let residue = index % Mask.period * 7 % Mask.period
        return switch module {
        case .items, .contacts: Self.isInactive(index) ? "inactive" : "active"
        case .pricebooks: index % Mask.period == 8 ? "inactive" : "active"
        case .invoices: Self.invoiceStatuses[residue]
        case .bills: Self.billStatuses[residue]
        case .creditnotes: Self.creditnoteStatuses[residue]
        case .salesorders: Self.salesorderStatuses[residue]
        case .purchaseorders: Self.purchaseorderStatuses[residue]
        case .customerpayments: "paid"
        }
    }

    private static func table(_ parts: (StaticString, Int)...) -> [StaticString] {
        parts.flatMap { Array(repeating: $0.0, count: $0.1) }
    }

    private static let invoiceStatuses = table(
        ("draft", 1), ("sent", 5), ("viewed", 1), ("overdue", 4), ("partially_paid", 2), ("paid", 11), ("void", 1))
    static let paidInvoices = Mask {
        ["paid", "partially_paid"].contains(String(describing: invoiceStatuses[$0 * 7 % Mask.period]))
    }
    private static let billStatuses = table(
        ("draft", 1), ("open", 6), ("overdue", 3), ("partially_paid", 2), ("paid", 12), ("void", 1))
    private static let creditnoteStatuses = table(("draft", 2), ("open", 10), ("closed", 12), ("void", 1))
    private static let salesorderStatuses = table(
        ("draft", 2), ("open", 8), ("invoiced", 9), ("partially_invoiced", 3), ("closed", 2), ("void", 1))
    private static let purchaseorderStatuses = table(
        ("draft", 3), ("open", 8), ("billed", 10), ("issued", 2), ("cancelled", 2))

    func randomItem(_ draw: inout Draw) -> Int { draw.below(max(1, itemCount)) }

    func randomCustomer(_ draw: inout Draw) -> Int {
        Self.customers.select(draw.below(max(1, Self.customers.rank(contactCount))))
    }

    func randomVendor(_ draw: inout Draw) -> Int {
        Self.vendors.select(draw.below(max(1, Self.vendors.rank(contactCount))))
    }

    // MARK: Names

    /// Writes the part of a contact's name that puts it in its place: syllables that rise with the index.
    func writeSurname(_ index: Int, to writer: inout JSONWriter) {
        let consonants: StaticString = "bdfghjklmnprstvwz"
        let vowels: StaticString = "aeiou"
        var divisor: UInt64 = 1
        for _ in 1..<contactSyllables { divisor *= 85 }
        let number = (UInt64(index) * contactStride) % (divisor * 85)
        for position in 0..<contactSyllables {
            let syllable = Int(number / divisor % 85)
            let consonant = consonants.utf8Start[syllable / 5]
            writer.byte(position == 0 ? consonant - 32 : consonant)
            writer.byte(vowels.utf8Start[syllable % 5])
            divisor /= 85
        }
    }

    /// Writes the key by which a record is sorted when sorted by name or number, without quotes.
    func writeName(_ module: SimulatorModule, _ index: Int, to writer: inout JSONWriter) {
        switch module {
        case .items: item(index).writeName(width: nameWidths[module.ordinal], to: &writer)
        case .contacts: writeContactName(index, to: &writer)
        default: writeNumber(module, index, to: &writer)
        }
    }

    func writeNumber(_ module: SimulatorModule, _ index: Int, to writer: inout JSONWriter) {
        switch module {
        case .pricebooks: writer.raw("Prijslijst ")
        case .invoices: writer.raw("INV-")
        case .bills: writer.raw("BILL-")
        case .creditnotes: writer.raw("CN-")
        case .salesorders: writer.raw("SO-")
        case .purchaseorders: writer.raw("PO-")
        default: break
        }
        writer.digits(UInt64(index + 1), width: nameWidths[module.ordinal])
    }
}

extension SimulatorModule {
    /// The module's place among all.
    var ordinal: Int {
        switch self {
        case .items: 0
        case .contacts: 1
        case .pricebooks: 2
        case .invoices: 3
        case .bills: 4
        case .creditnotes: 5
        case .salesorders: 6
        case .purchaseorders: 7
        case .customerpayments: 8
        }
    }
}

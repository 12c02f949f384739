/// The parameters of a list call, checked.
struct ListQuery: Sendable {
    struct Invalid: Error {
        let parameter: String
    }

    var page = 1
    var perPage = 200
    var filter = ListFilter()
    var appliedFilter: String?
    var order: ListOrder
    var sortColumn: String
    var isDescending: Bool
    /// 0 list, 1 list with count and sums, 2 count, 3 count and sums, 4 list with sums (section 6.1).
    var responseOption: Int?

    init(
        _ query: QueryString, _ module: SimulatorModule, vendors: Bool?, books: Books,
        configuration: SimulatorConfiguration
    ) throws(Invalid) {
        page = try Self.number(query, "page") ?? 1
        perPage = min(try Self.number(query, "per_page") ?? 200, 200)
        order = module.isSortedByName ? .name : .created
        sortColumn = module.isSortedByName ? module.nameColumn : "created_time"
        isDescending = !module.isSortedByName
        if !configuration.ignoresSort.contains(module) {
            if let column = query["sort_column"], let found = Self.order(column, module) {
                order = found
                sortColumn = column
                isDescending = false
            }
            if let direction = query["sort_order"] { isDescending = direction == "D" }
        }
        if let text = query["last_modified_time"] {
            guard let instant = OrganizationCalendar.instant(text) else {
                throw Invalid(parameter: "last_modified_time")
            }
            if configuration.honoursModifiedFilter.contains(module) { filter.modifiedSince = instant }
        }
        try applyStatus(query, module, books.generator)
        let contactType = query["contact_type"].flatMap { ["customer": false, "vendor": true][$0] }
        if let isVendor = vendors ?? (module == .contacts ? contactType : nil) {
            filter.isVendor = isVendor
            let mask = filter.mask
            filter.mask = Mask { mask.contains($0) && Generator.isVendor($0) == isVendor }
        }
        let hasTotals =
            configuration.listTotals == .all || configuration.listTotals == .documented && module == .invoices
        responseOption = hasTotals ? query["response_option"].flatMap { Int($0) } : nil
    }

    private static func number(_ query: QueryString, _ name: String) throws(Invalid) -> Int? {
        guard let text = query[name] else { return nil }
        guard let number = Int(text), number > 0 else { throw Invalid(parameter: name) }
        return number
    }

    private static func order(_ column: String, _ module: SimulatorModule) -> ListOrder? {
        switch column {
        case module.nameColumn: .name
        case "created_time": .created
        case "last_modified_time": .modified
        case "date": module.isSortedByName ? nil : .date
        default: nil
        }
    }

    /// Applies `filter_by=Status.…`; what filters something else than a status is taken and ignored.
    private mutating func applyStatus(
        _ query: QueryString, _ module: SimulatorModule, _ generator: Generator
    ) throws(Invalid) {
        let given = query["filter_by"] ?? query["status"].map { "Status." + $0 }
        let applied = given ?? (module.hidesInactive ? "Status.Active" : "Status.All")
        appliedFilter = applied
        guard applied.hasPrefix("Status.") else {
            let others = ["PaymentMode.", "SalesOrPurchaseType.", "Invoice.", "Date."]
            if others.contains(where: { applied.hasPrefix($0) }) { return }
            throw Invalid(parameter: "filter_by")
        }
        let name = Self.snakeCase(applied.dropFirst("Status.".count))
        if name == "all" { return }
        let known = Set((0..<Mask.period).map { String(describing: generator.status(module, $0)) })
        let statuses: Set<String> =
            name == "unpaid" ? ["sent", "viewed", "overdue", "partially_paid", "unpaid"] : [name]
        guard !known.isDisjoint(with: statuses) || !module.hidesInactive || Self.contactStates.contains(name) else {
            throw Invalid(parameter: "filter_by")
        }
        filter.statuses = statuses
        filter.mask = Mask { statuses.contains(String(describing: generator.status(module, $0))) }
    }

    /// States that the filter of contacts knows and that no simulated contact is in (section 5.2).
    private static let contactStates: Set<String> = [
        "duplicate", "crm", "portal_enabled", "portal_disabled", "credit_limit_exceed",
    ]

    /// `PartiallyPaid` as records have it: `partially_paid`.
    private static func snakeCase(_ name: Substring) -> String {
        var result = ""
        for character in name {
            if character.isUppercase, !result.isEmpty { result += "_" }
            result += character.lowercased()
        }
        return result
    }
}

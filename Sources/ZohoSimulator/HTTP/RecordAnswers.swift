/// Answers the calls for lists and records, from one view of the books.
struct RecordAnswers {
    let books: Books
    let configuration: SimulatorConfiguration
    let listings: ListingCache
    /// The fault that the rows of a list show, if any.
    let fault: SimulatorFault?

    func answer(_ route: Route, _ query: QueryString) -> Answer {
        let settings = Settings(configuration: configuration, calendar: books.generator.calendar)
        return switch route {
        case .list(let module, let vendors): list(module, vendors: vendors, query)
        case .detail(let module, let id): detail(module, id)
        case .itemDetails: itemDetails(query)
        case .itemImage(let id): image(id)
        case .contactAddresses(let id): ofContact(id, "addresses") { books.generator.writeAddresses($0, to: &$1) }
        case .contactPersons(let id):
            ofContact(id, "contact_persons") { books.generator.writeContactPersons($0, to: &$1) }
        case .organizations: settings.organizations
        case .organization(let id): settings.organization(id)
        case .settings(let setting): settings.list(setting)
        case .setting(let setting, let id): settings.detail(setting, id)
        }
    }

    private func list(_ module: SimulatorModule, vendors: Bool?, _ parameters: QueryString) -> Answer {
        let query: ListQuery
        do throws(ListQuery.Invalid) {
            query = try ListQuery(parameters, module, vendors: vendors, books: books, configuration: configuration)
        } catch {
            return .invalid(error.parameter)
        }
        let key = ListingCache.Key(module: module, filter: query.filter, order: query.order)
        let listing = listings.listing(books, key)
        let option = query.responseOption ?? 0
        let (offset, overflow) = (query.page - 1).multipliedReportingOverflow(by: query.perPage)
        let rows =
            option == 2 || option == 3 || overflow
            ? [] : listing.indices(offset: offset, limit: query.perPage, descending: query.isDescending)
        var writer = JSONWriter(capacity: 2_048 + rows.count * 1_900)
        writer.raw(#"{"code":0,"message":"success","#)
        if option != 2, option != 3 {
            writer.raw("\"")
            writer.text(module.listKey)
            writer.raw(#"":["#)
            for (place, index) in rows.enumerated() {
                writer.comma(before: place)
                write(row: index, place, module, to: &writer)
            }
            writer.raw("],")
        }
        writePageContext(query, module, hasMore: !overflow && offset + rows.count < listing.count, to: &writer)
        if (1...4).contains(option) {
            writer.raw(#","response_option":"#)
            writer.int(option)
            writer.raw(#","total":"#)
            writer.int(listing.count)
            if option != 2, module.hasTotals { writeSums(listings.sums(books, key), to: &writer) }
        }
        writer.raw("}}")
        return Answer(body: writer.bytes)
    }

    private func write(row index: Int, _ place: Int, _ module: SimulatorModule, to writer: inout JSONWriter) {
        let isAffected = place % 7 == 3
        let extra: [String: [UInt8]?] =
            fault == .missingModifiedTime && isAffected ? ["last_modified_time": nil] : [:]
        books.write(module, index, detail: false, extra: extra, to: &writer)
        if fault == .duplicateRows, isAffected {
            writer.raw(",")
            books.write(module, index, detail: false, to: &writer)
        }
    }

    private func writePageContext(
        _ query: ListQuery, _ module: SimulatorModule, hasMore: Bool, to writer: inout JSONWriter
    ) {
        writer.raw(#""page_context":{"page":"#)
        writer.int(query.page)
        writer.raw(#","per_page":"#)
        writer.int(query.perPage)
        writer.raw(#","has_more_page":"#)
        writer.bool(hasMore)
        writer.raw(#","report_name":"#)
        writer.string(module.reportName)
        if let applied = query.appliedFilter {
            writer.raw(#","applied_filter":"#)
            writer.string(applied)
        }
        writer.raw(#","custom_fields":[],"sort_column":"#)
        writer.string(query.sortColumn)
        writer.raw(#","sort_order":""#)
        writer.byte(UInt8(ascii: query.isDescending ? "D" : "A"))
        writer.raw("\"")
    }

    private func writeSums(_ sums: ListingCache.Sums, to writer: inout JSONWriter) {
        writer.raw(#","sum_columns":[{"column_name":"total","sum":"#)
        writer.hundredths(sums.total)
        writer.raw(#"},{"column_name":"balance","sum":"#)
        writer.hundredths(sums.balance)
        writer.raw("}]")
    }

    private func detail(_ module: SimulatorModule, _ id: String) -> Answer {
        guard UInt64(id) != nil else { return .invalid(module.detailKey + "_id") }
        guard let index = books.index(module, id: id) else { return .missing(module.noun) }
        return .success(module.detailKey) { books.write(module, index, detail: true, to: &$0) }
    }

    private func itemDetails(_ query: QueryString) -> Answer {
        let ids = (query["item_ids"] ?? "").split(separator: ",")
        guard !ids.isEmpty, ids.count <= configuration.itemDetailsLimit, ids.allSatisfy({ UInt64($0) != nil }) else {
            return .invalid("item_ids")
        }
        let found = ids.compactMap { books.index(.items, id: $0) }
        return .success("items", capacity: found.count * 3_000 + 256) { writer in
            writer.raw("[")
            for (place, index) in found.enumerated() {
                writer.comma(before: place)
                books.write(.items, index, detail: true, to: &writer)
            }
            writer.raw("]")
        }
    }

    private func image(_ id: String) -> Answer {
        guard let index = books.index(.items, id: id) else { return .missing("Item") }
        let document = JSONObject.text(of: "image_document_id", in: books.record(.items, index)) ?? ""
        guard !document.isEmpty else { return .missing("Image") }
        return Answer(contentType: "image/png", body: PNG.image(of: document))
    }

    private func ofContact(_ id: String, _ key: String, _ write: (Contact, inout JSONWriter) -> Void) -> Answer {
        guard let index = books.index(.contacts, id: id) else { return .missing("Contact") }
        if let edited = books.overlay(.contacts, index)?.changes[key], let json = edited {
            return .success(key) { $0.raw(json) }
        }
        return .success(key) { write(books.generator.contact(index), &$0) }
    }
}

import Synchronization

/// Why the control refused something.
package struct SimulatorControlError: Error, CustomStringConvertible {
    /// One sentence that says what is wrong.
    package let description: String
}

extension SimulatorControl {
    // MARK: Truth

    /// The id of a record, whether it exists or not.
    package func id(_ module: SimulatorModule, at index: Int) -> String { String(module.idSpace.id(index)) }

    /// The ids of all records that exist, including inactive ones, in order of index.
    package func ids(_ module: SimulatorModule) -> [String] {
        let books = snapshot
        return (0..<books.end(module)).filter { books.exists(module, $0) }.map { String(module.idSpace.id($0)) }
    }

    /// How many records exist, including inactive ones.
    package func count(_ module: SimulatorModule) -> Int {
        listings.listing(snapshot, .init(module: module, filter: ListFilter(), order: .created)).count
    }

    /// The detail record as the API would answer it now, without the root key; nil if there is none.
    package func record(_ module: SimulatorModule, id: String) -> [UInt8]? {
        let books = snapshot
        return books.index(module, id: id).map { books.record(module, $0) }
    }

    /// The record as a list shows it now; nil if there is none.
    package func listRecord(_ module: SimulatorModule, id: String) -> [UInt8]? {
        let books = snapshot
        return books.index(module, id: id).map { books.record(module, $0, detail: false) }
    }

    // MARK: Change

    // Each change fires the webhook rules that match it.

    /// Changes keys of a record; its `last_modified_time` becomes now unless `changes` name one or `touching` is false.
    ///
    /// Lists show a changed key only where they show the key at all.
    package func edit(
        _ module: SimulatorModule, id: String, touching: Bool = true, _ changes: [String: SimulatorValue]
    ) throws(SimulatorControlError) {
        try change(module, id, .edited) { books, index in
            books.edit(module, index, changes, now: touching ? Int(seconds) : nil)
        }
    }

    /// Changes keys of the record at an index.
    package func edit(
        _ module: SimulatorModule, at index: Int, touching: Bool = true, _ changes: [String: SimulatorValue]
    ) throws(SimulatorControlError) {
        try edit(module, id: id(module, at: index), touching: touching, changes)
    }

    /// Removes a record from lists; its detail is 404 from now on.
    package func delete(_ module: SimulatorModule, id: String) throws(SimulatorControlError) {
        try change(module, id, .deleted) { books, index in books.setDeleted(module, index, true) }
    }

    /// Brings a deleted record back as it was, its time of change too; for webhooks it is created.
    package func restore(_ module: SimulatorModule, id: String) throws(SimulatorControlError) {
        guard let index = module.idSpace.index(of: id), index < snapshot.end(module) else {
            throw SimulatorControlError(description: "There never was a record \(id) in \(module.rawValue).")
        }
        send(
            books.withLock { books in
                books.setDeleted(module, index, false)
                return deliveries(books, module, index, .created)
            })
    }

    /// Creates a record with these keys and generated ones otherwise; returns its id.
    @discardableResult
    package func create(_ module: SimulatorModule, _ fields: [String: SimulatorValue] = [:]) -> String {
        let now = Int(seconds)
        let (index, fired) = books.withLock { books in
            let index = books.create(module, fields, now: now)
            return (index, deliveries(books, module, index, .created))
        }
        send(fired)
        return id(module, at: index)
    }

    /// Makes a record inactive, which hides it from lists of items and contacts.
    package func deactivate(_ module: SimulatorModule, id: String) throws(SimulatorControlError) {
        try edit(module, id: id, ["status": "inactive"])
    }

    /// Makes a record active again.
    package func activate(_ module: SimulatorModule, id: String) throws(SimulatorControlError) {
        try edit(module, id: id, ["status": "active"])
    }

    /// Changes an item's stock without a change of its `last_modified_time`, as sales and receipts may (section 12.14).
    package func setStock(id: String, to quantity: Double) throws(SimulatorControlError) {
        let stock = SimulatorValue(floatLiteral: quantity)
        try edit(
            .items, id: id, touching: false,
            [
                "stock_on_hand": stock, "available_for_sale_stock": stock, "actual_available_for_sale_stock": stock,
                "committed_stock": 0.0, "actual_committed_stock": 0.0,
                "locations": .json(
                    #"[{"location_id":"3460000000038080","location_name":"Main Warehouse","status":"active","#
                        + #""is_primary":true,"location_stock_on_hand":\#(quantity),"#
                        + #""location_available_stock":\#(quantity),"location_actual_available_stock":\#(quantity)}]"#),
            ])
    }

    /// Merges contacts into one: they are gone, their documents are the target's, no time of change moves.
    ///
    /// For webhooks the sources are deleted and the target is edited.
    package func merge(contacts sources: [String], into target: String) throws(SimulatorControlError) {
        let books = snapshot
        guard let index = books.index(.contacts, id: target) else { throw Self.unknown(.contacts, target) }
        var indices: [Int] = []
        for source in sources {
            guard let found = books.index(.contacts, id: source) else { throw Self.unknown(.contacts, source) }
            indices.append(found)
        }
        let merged = indices
        send(
            self.books.withLock { books in
                books.merge(contacts: merged, into: index)
                return merged.filter { $0 != index }.flatMap { deliveries(books, .contacts, $0, .deleted) }
                    + deliveries(books, .contacts, index, .edited)
            })
    }

    private func change(
        _ module: SimulatorModule, _ id: String, _ event: WebhookEvent, _ body: (inout Books, Int) -> Void
    ) throws(SimulatorControlError) {
        let fired: [WebhookDelivery]? = books.withLock { books in
            guard let index = books.index(module, id: id) else { return nil }
            body(&books, index)
            return deliveries(books, module, index, event)
        }
        guard let fired else { throw Self.unknown(module, id) }
        send(fired)
    }

    private static func unknown(_ module: SimulatorModule, _ id: String) -> SimulatorControlError {
        SimulatorControlError(description: "There is no record \(id) in \(module.rawValue).")
    }

    // MARK: Trouble

    /// Every access token that has been issued and not evicted.
    package var liveTokens: [String] { tokens.withLock { $0.texts } }

    /// Invalidates every access token at once; the refresh token stays valid.
    package func expireTokens() { tokens.withLock { $0.expireAll() } }

    /// Revokes the refresh token and every access token; only a new grant code helps.
    package func revokeTokens() { _ = tokens.withLock { $0.revoke(configuration.oauth.refreshToken) } }

    /// Changes the scopes of the refresh token, as if it had been issued anew; valid access tokens keep theirs.
    package func setScopes(_ scopes: [String]) { tokens.withLock { $0.rules.scopes = scopes } }

    /// Gives the next `count` calls whose path starts with `prefix`, such as `/items`, a fault.
    package func script(_ fault: SimulatorFault, next count: Int = 1, prefix: String = "/") {
        faults.withLock { $0.script(fault, prefix: prefix, count: count) }
    }
}

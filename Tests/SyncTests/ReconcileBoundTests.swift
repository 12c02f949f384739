import Foundation
import Mirror
import Sync
import Synchronization
import TestSupport
import Testing
import ZohoSimulator

@Suite("Reconciliation: bounds")
struct ReconcileBoundTests {
    // MARK: - Calls

    @Test("When the calls for confirming are used up, what is left is said")
    func allowance() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            for index in 0..<10 {
                try rig.control.edit(.invoices, id: rig.control.id(.invoices, at: index), ["reference_number": "x"])
            }
            let report = try await rig.compare(["invoices"]) {
                $0.confirmations = 4
                $0.sample = 0
            }
            #expect(report.calls <= report.cost.ceiling)
            #expect(try report["invoices"].unconfirmed == 6)
            #expect(try report["invoices"].state == .incomplete)
            #expect(try report["invoices"].drift.count == 4)
        }
    }

    @Test("Samples that could not be read are no proof")
    func unreadSamples() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            let all = Set(try await rig.rows("select zoho_invoice_id from invoices").compactMap { $0[0] })
            #expect(all.count == 30)
            rig.control.script(.internalError, next: 8, prefix: "/invoices/")
            let report = try await rig.compare(["invoices"]) { $0.confirmations = 0 }
            #expect(try report["invoices"].state == .incomplete)
            #expect(try report["invoices"].unread > 0)
            #expect(report.calls <= report.cost.ceiling)
        }
    }

    @Test("An id that Zoho never gave costs itself alone", arguments: Engine.allCases)
    func oddID(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            let ids = rig.control.ids(.items)
            try await rig.tamper(
                """
                update products set zoho_item_id = 'SKU-1' where zoho_item_id = '\(ids[0])';
                update products set name = 'WRONG' where zoho_item_id = '\(ids[1])';
                """)
            let report = try await rig.compare(["products"]) { $0.repairs = true }
            #expect(report.isEqual)
            #expect(report.calls <= report.cost.ceiling)
            #expect(try await rig.rows("select zoho_item_id from products where deleted_at is not null") == [["SKU-1"]])
            #expect(try await rig.value("select count(*) from products where name = 'WRONG'") == "0")
            #expect(try await rig.value("select count(*) from products where zoho_item_id = '\(ids[0])'") == "1")
        }
    }

    @Test("Details are sampled once, also where lists are read again")
    func sampledOnce() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            try rig.control.edit(.invoices, id: rig.control.id(.invoices, at: 3), ["reference_number": "x"])
            let before = rig.control.statistics.callsByPath["/invoices/{id}"] ?? 0
            let report = try await rig.compare(["invoices"]) {
                $0.isDeep = true
                $0.repairs = true
            }
            #expect(report.isEqual)
            #expect((rig.control.statistics.callsByPath["/invoices/{id}"] ?? 0) - before == 30)
            #expect(try report["invoices"].detailsCompared == 30)
        }
    }

    @Test("Calls that fail and are made again stay within what was announced", arguments: 1...4)
    func ceiling(seed: Int) async throws {
        try await Rig.with(.sqlite) {
            $0.listTotals = .none
        } _: { rig in
            try await rig.sync()
            // Most calls fail twice, so that there are not enough of them.
            for path in ["/items", "/invoices", "/bills", "/contacts", "/customerpayments"] {
                rig.control.script(.internalError, next: 2 + seed, prefix: path)
            }
            let before = rig.control.statistics.calls
            let report = try await rig.compare {
                $0.confirmations = 2
                $0.sample = 1
            }
            let calls = rig.control.statistics.calls - before
            #expect(calls == report.calls)
            #expect(calls <= report.cost.ceiling)
            #expect(!report.isEqual)
            #expect(report.entities.count == 9)
            #expect(report.entities.allSatisfy { $0.findings.state == .equal || $0.findings.note != nil })
        }
    }

    @Test("The day's end stops a comparison, which says so and changes nothing")
    func quota() async throws {
        try await Rig.with(.sqlite) {
            $0.limits.callsPerDay = 13
        } _: { rig in
            try await rig.sync(["bills", "invoices"]) { $0.includesDetails = false }
            for _ in 0..<12 { try await rig.sync(["bills"]) { $0.includesDetails = false } }
            let report = try await rig.compare(["bills", "invoices"]) { $0.sample = 0 }
            #expect(!report.isEqual)
            #expect(report.entities.map(\.findings.state) == [.incomplete, .incomplete])
            #expect(try await rig.mirror.runs(entity: "bills").first?.state == .partial)
        }
    }

    // MARK: - Deletions

    @Test("A source that lost half its records empties no mirror until a person agrees", arguments: Engine.allCases)
    func massDeletion(engine: Engine) async throws {
        try await Rig.with(engine) { rig in
            try await rig.sync(["products"])
            for index in 0..<225 { try rig.control.delete(.items, id: rig.control.id(.items, at: index)) }
            let refused = try await rig.compare(["products"]) { $0.repairs = true }
            #expect(!refused.isEqual)
            #expect(try refused["products"].note?.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from products where deleted_at is not null") == "0")
            let agreed = try await rig.compare(["products"]) {
                $0.repairs = true
                $0.allowsMassDeletion = true
            }
            #expect(agreed.isEqual)
            #expect(try await rig.value("select count(*) from products where deleted_at is not null") == "225")
        }
    }

    @Test(
        "An entity with few records is not emptied either",
        arguments: [
            (SimulatorModule.pricebooks, "pricelists", 4), (.pricebooks, "pricelists", 3), (.bills, "bills", 4),
            (.creditnotes, "credit_notes", 6),
        ])
    func fewRecords(module: SimulatorModule, entity: String, deleted: Int) async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync([entity])
            for index in 0..<deleted { try rig.control.delete(module, id: rig.control.id(module, at: index)) }
            let refused = try await rig.compare([entity]) { $0.repairs = true }
            #expect(try refused[entity].state == .incomplete)
            #expect(try refused[entity].note?.contains("--allow-mass-deletion") == true)
            #expect(try await rig.value("select count(*) from \(entity) where deleted_at is not null") == "0")
        }
    }

    @Test(
        "Half of an entity is asked about, however few its rows are; its only row is not",
        arguments: [
            (1, 1, true), (1, 2, false), (2, 2, false), (1, 3, true), (1, 4, true), (2, 4, false), (3, 4, false),
            (2, 5, true), (3, 6, false), (3, 7, true), (4, 30, false), (4, 40, true), (0, 0, true),
        ])
    func half(gone: Int, rows: Int, isAllowed: Bool) {
        #expect(DeletionBound().allows(gone, of: rows) == isAllowed)
    }

    @Test("Few deletions need no person, and the share is a setting")
    func fewDeletions() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            for index in 0..<3 { try rig.control.delete(.invoices, id: rig.control.id(.invoices, at: index)) }
            #expect(try await rig.compare(["invoices"]) { $0.repairs = true }.isEqual)
            for index in 3..<10 { try rig.control.delete(.invoices, id: rig.control.id(.invoices, at: index)) }
            #expect(try await !rig.compare(["invoices"]) { $0.repairs = true }.isEqual)
            #expect(
                try await rig.compare(["invoices"]) {
                    $0.repairs = true
                    $0.deletions.share = 0.5
                }.isEqual)
            #expect(try await rig.value("select count(*) from invoices where deleted_at is not null") == "10")
        }
    }

    @Test("The bound is one for all lists of a comparison")
    func boundOfAllPasses() async throws {
        try await Rig.with(.sqlite) { rig in
            try await rig.sync(["invoices"])
            let control = rig.control
            for index in 0..<3 { try control.delete(.invoices, id: control.id(.invoices, at: index)) }
            let report = try await rig.compare(["invoices"]) {
                $0.repairs = true
                $0.sample = 0
            } onEvent: { event in
                guard case .listed(_, 27, _) = event else { return }
                for index in 3..<6 { try? control.delete(.invoices, id: control.id(.invoices, at: index)) }
            }
            #expect(try report["invoices"].note?.contains("6 of 30 records no longer exist") == true)
            #expect(try await rig.value("select count(*) from invoices where deleted_at is not null") == "3")
        }
    }

    @Test("A source that lists records and denies each of them empties no mirror", arguments: [true, false])
    func denied(isDeep: Bool) async throws {
        let organisation = Mutex<SimulatorControl?>(nil)
        try await Rig.with(.sqlite) {
            $0.onPage = { module, _ in
                guard let control = organisation.withLock({ $0 }), module == .pricebooks else { return }
                for id in control.ids(.pricebooks) { try? control.delete(.pricebooks, id: id) }
            }
        } _: { rig in
            let ids = rig.control.ids(.pricebooks)
            organisation.withLock { $0 = rig.control }
            let report = try await rig.sync(["pricelists"])
            #expect(!report.isSuccess)
            #expect(report.runs.first?.lastError?.contains("4 of 4 records no longer exist") == true)

            organisation.withLock { $0 = nil }
            for id in ids { try rig.control.restore(.pricebooks, id: id) }
            rig.control.advanceClock(by: .seconds(86_401))
            #expect(try await rig.sync(["pricelists"]).isSuccess)
            organisation.withLock { $0 = rig.control }
            let compared = try await rig.compare(["pricelists"]) {
                $0.isDeep = isDeep
                $0.repairs = true
            }
            #expect(try compared["pricelists"].state == .incomplete)
            #expect(try compared["pricelists"].note?.contains("4 of 4 records no longer exist") == true)
            #expect(try await rig.value("select count(*) from pricelists where deleted_at is null") == "4")
        }
    }
}

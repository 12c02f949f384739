import Catalog
import ZohoBooks

/// Reads complete records of one module by their ids, in as few calls as the module allows.
struct DetailReader: Sendable {
    let client: ZohoBooksClient
    let module: Module
    var priority = CallPriority.background
    /// Microseconds since 1970.
    let now: @Sendable () -> Int64

    /// The ids in groups, each of which costs one call as long as all of them exist.
    func calls(for ids: [String]) -> [[String]] {
        guard case .itemDetails(let size) = module.detail else { return ids.map { [$0] } }
        let usual = ids.filter { !Self.isOdd($0) }
        return stride(from: 0, to: usual.count, by: size).map { Array(usual[$0..<min($0 + size, usual.count)]) }
            + ids.filter { Self.isOdd($0) }.map { [$0] }
    }

    /// Whether an id is none that Zoho gives: one such id makes it refuse a whole group.
    static func isOdd(_ id: String) -> Bool { !id.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } }

    /// Reads one group.
    ///
    /// - Throws: ``ZohoBooksError``.
    func answer(to ids: [String]) async throws -> DetailAnswer {
        var answer = DetailAnswer()
        switch module.detail {
        case .single:
            for id in ids { try await read(id, into: &answer) }
        case .itemDetails where ids.allSatisfy(Self.isOdd):
            for id in ids { try await read(id, into: &answer) }
        case .itemDetails:
            answer.records = try await client.itemDetails(ids: ids, priority: priority)
            let found = Set(answer.records.compactMap { Catalog.id(of: $0.json, in: module) })
            // The call leaves unknown ids out without a word; only a read of the record itself confirms it.
            for id in ids where !found.contains(id) {
                do {
                    try await read(id, into: &answer)
                } catch let error as ZohoBooksError where error.isPace {
                    // What the call has brought must not be lost for those that it does not know.
                    answer.unread.append(id)
                    answer.obstacle = answer.obstacle ?? error
                }
            }
        }
        return answer
    }

    private func read(_ id: String, into answer: inout DetailAnswer) async throws {
        let askedAt = now()
        let record: DetailRecord?
        do {
            record = try await client.record(module.path, id: id, detailKey: module.detailKey, priority: priority)
        } catch let error as ZohoBooksError where error.kind == .badRequest && Self.isOdd(id) {
            // Zoho knows no such id, and says so in its own way.
            record = nil
        }
        if let record {
            answer.records.append(record)
        } else {
            answer.add(DetailAnswer(gone: [id], goneAt: askedAt))
        }
    }
}

/// What detail calls have brought.
struct DetailAnswer: Sendable {
    var records: [DetailRecord] = []
    /// Ids that Zoho says do not exist.
    var gone: [String] = []
    /// When it was asked first, in microseconds since 1970; nil where it said so of none.
    ///
    /// What was told of a record after that may be newer.
    var goneAt: Int64?
    /// Ids that were not asked for by themselves, because the budget has no call for them now.
    var unread: [String] = []
    /// When it has.
    var obstacle: ZohoBooksError?

    var count: Int { records.count + gone.count }

    mutating func add(_ other: DetailAnswer) {
        records += other.records
        gone += other.gone
        goneAt = [goneAt, other.goneAt].compactMap(\.self).min()
    }
}

extension ZohoBooksError {
    /// Whether the call is only not to be made yet.
    var isPace: Bool {
        if case .pace = kind { true } else { false }
    }
}

extension Catalog {
    /// The id of a record of the module, whichever of its entities it belongs to.
    fileprivate static func id(of record: RawJSON, in module: Module) -> String? {
        entities.first { $0.entity.module.path == module.path }?.id(of: record)
    }
}

import Catalog
import Mirror
import Synchronization
import ZohoBooks

/// Reads complete records of one entity by their ids, in as few calls as its module allows.
struct DetailReader: Sendable {
    private let client: ZohoBooksClient
    private let mirror: Mirror
    private let mapping: EntityMapping
    private let priority: CallPriority
    private let groups: GroupSize

    /// Smaller groups are more likely refused by accident than for a limit; taking it for one would turn few calls into
    /// many.
    private static let telling = 10

    /// - Parameter access: what is known of how Zoho gives the records.
    init(
        client: ZohoBooksClient, mirror: Mirror, mapping: EntityMapping, access: DetailAccess,
        priority: CallPriority = .background
    ) {
        self.client = client
        self.mirror = mirror
        self.mapping = mapping
        self.priority = priority
        groups = GroupSize(Self.size(of: mapping.entity.module, client, access))
    }

    /// How many records one call is to bring.
    static func size(of module: Module, _ client: ZohoBooksClient, _ access: DetailAccess) -> Int {
        switch module.detail {
        case .single: 1
        case .itemDetails: min(access.groupSize ?? .max, client.itemDetailsSize)
        }
    }

    /// How many records one call brings, as far as is known by now.
    var size: Int { groups.size }

    /// Whether several records come with one call; one that is missing among them costs another call.
    var readsGroups: Bool { if case .itemDetails = mapping.entity.module.detail { true } else { false } }

    /// The ids in groups, each of which costs one call as long as all of them exist.
    func calls(for ids: [String]) -> [[String]] {
        guard readsGroups else { return ids.map { [$0] } }
        let usual = ids.filter { !Self.isNonNumeric($0) }
        return stride(from: 0, to: usual.count, by: size).map { Array(usual[$0..<min($0 + size, usual.count)]) }
            + ids.filter { Self.isNonNumeric($0) }.map { [$0] }
    }

    /// Whether an id has other characters than digits: Zoho gives no such id, and refuses a whole group for one.
    static func isNonNumeric(_ id: String) -> Bool {
        !id.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    }

    /// Reads one group.
    ///
    /// - Throws: ``ZohoBooksError``; not where only some of a group's records are refused, or cannot be read any more.
    func answer(to ids: [String]) async throws -> DetailAnswer {
        var answer = DetailAnswer()
        switch mapping.entity.module.detail {
        case .single:
            for id in ids { try await read(id, into: &answer) }
        case .itemDetails where ids.allSatisfy(Self.isNonNumeric):
            for id in ids { try await read(id, into: &answer) }
        case .itemDetails:
            try await readGroup(ids, into: &answer)
            let found = Set(answer.records.compactMap { Catalog.id(of: $0.json, in: mapping.entity.module) })
            // The call silently leaves out unknown ids; only reading the record itself confirms that it is gone.
            for id in ids where !found.contains(id) && answer.refused[id] == nil {
                // What the call has brought must not be lost for those that it does not know.
                guard answer.obstacle == nil else {
                    answer.unread.append(id)
                    continue
                }
                do {
                    try await read(id, into: &answer)
                } catch let error as ZohoBooksError where error.concernsOneRecord || error.kind == .endpointMissing {
                    answer.refused[id] = error
                } catch let error as ZohoBooksError {
                    answer.unread.append(id)
                    answer.obstacle = error
                }
            }
        }
        return answer
    }

    /// Reads items in one call; in smaller ones where Zoho does not take so many at once, which it does not say
    /// (reference, section 12), or refuses one of them.
    private func readGroup(_ ids: [String], into answer: inout DetailAnswer) async throws {
        let whole = min(ids.count, size)
        var part = whole
        var rest = ids[...]
        var refusedAlone = 0
        while !rest.isEmpty {
            do {
                answer.calls += 1
                let records = try await client.itemDetails(ids: Array(rest.prefix(part)), priority: priority)
                answer.records += records
                rest = rest.dropFirst(part)
            } catch let error as ZohoBooksError where error.mayConcernOneOfMany {
                guard min(part, rest.count) == 1, let id = rest.first else {
                    part = (min(part, rest.count) + 1) / 2
                    continue
                }
                rest = rest.dropFirst()
                refusedAlone += 1
                // The size was not to blame; but many that are refused would each cost a search.
                part = max(1, whole >> (refusedAlone - 1))
                if error.kind == .notFound { continue }
                // Where nothing at all is taken, it is not for the sake of one record.
                guard !answer.records.isEmpty || (refusedAlone == 1 && !rest.isEmpty) else { throw error }
                answer.refused[id] = error
            }
        }
        guard part < whole, whole >= Self.telling, refusedAlone == 0, groups.lower(to: part) else { return }
        let (mirror, name, size) = (mirror, mapping.entity.name, part)
        try await uncancelled { try await mirror.noteDetailGroup(of: size, for: name) }
    }

    private func read(_ id: String, into answer: inout DetailAnswer) async throws {
        let (askedAt, module) = (mirror.now(), mapping.entity.module)
        answer.calls += 1
        let record: DetailRecord?
        do {
            record = try await client.record(module.path, id: id, detailKey: module.detailKey, priority: priority)
        } catch let error as ZohoBooksError
            where [.badRequest, .endpointMissing].contains(error.kind) && Self.isNonNumeric(id)
        {
            // Zoho knows no such id, and says so in its own way.
            record = nil
        } catch let error as ZohoBooksError where error.kind == .endpointMissing {
            // An endpoint that has given others is there, whatever it says of this one.
            guard try await mirror.hasDetails(of: module) else { throw error }
            throw error.concerningOneRecord
        }
        if let record {
            answer.records.append(record)
        } else {
            answer.add(DetailAnswer(gone: [id], goneAt: askedAt))
        }
    }
}

/// How many records one call brings, shared by calls in parallel.
private final class GroupSize: Sendable {
    private let value: Mutex<Int>

    init(_ size: Int) { value = Mutex(size) }

    var size: Int { value.withLock { $0 } }

    /// - Returns: whether it was more.
    func lower(to size: Int) -> Bool {
        value.withLock { value in
            defer { value = min(value, size) }
            return size < value
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
    /// Ids of a group that were no longer asked for individually.
    var unread: [String] = []
    /// Why not.
    var obstacle: ZohoBooksError?
    /// Ids that Zoho refuses individually, and why.
    var refused: [String: ZohoBooksError] = [:]
    /// Calls that it took, without repeated ones.
    var calls = 0

    var count: Int { records.count + gone.count }

    mutating func add(_ other: DetailAnswer) {
        records += other.records
        gone += other.gone
        goneAt = [goneAt, other.goneAt].compactMap(\.self).min()
        refused.merge(other.refused) { $1 }
        unread += other.unread
        obstacle = obstacle ?? other.obstacle
        calls += other.calls
    }
}

extension ZohoBooksError {
    /// Whether a call for several records may have failed for the sake of one of them, or of their number.
    fileprivate var mayConcernOneOfMany: Bool { kind == .badRequest || kind == .notFound }
}

extension Catalog {
    /// The id of a record of the module, whichever of its entities it belongs to.
    fileprivate static func id(of record: RawJSON, in module: Module) -> String? {
        entities.first { $0.entity.module.path == module.path }?.id(of: record)
    }
}

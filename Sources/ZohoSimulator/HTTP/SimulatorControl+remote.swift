import Foundation

/// The control over HTTP, for a person with curl: it can do the same as Swift code.
extension SimulatorControl {
    /// A request that cannot be followed, and why.
    struct BadRequest: Error {
        let message: String
    }

    func answerControl(_ method: String, _ path: String, _ query: QueryString, body: [UInt8]) -> Answer {
        let action = path.split(separator: "/").dropFirst().joined(separator: "/")
        do {
            return method == "POST" ? try post(action, body) : try get(action, query)
        } catch let error as BadRequest {
            return .error(400, 4, error.message)
        } catch {
            return .error(404, 1002, "\(error)")
        }
    }

    private func get(_ action: String, _ query: QueryString) throws -> Answer {
        switch action {
        case "stats": return stats
        case "ids":
            let ids = try ids(module(query["module"]))
            return .success("ids", capacity: ids.count * 22 + 64) {
                $0.text("[" + ids.map { #""\#($0)""# }.joined(separator: ",") + "]")
            }
        case "record":
            let module = try module(query["module"])
            guard let record = record(module, id: query["id"] ?? "") else { return .missing(module.noun) }
            return .success(module.detailKey) { $0.raw(record) }
        case "webhooks": return try webhookReport
        case "webhooks/acknowledged": return try acknowledgedReport(skipping: query["skip"].flatMap(Int.init) ?? 0)
        case "traffic": return try trafficReport
        default:
            throw BadRequest(
                message: "There is GET stats, ids, record, webhooks, webhooks/acknowledged and traffic; see the "
                    + "documentation of the simulator.")
        }
    }

    private func post(_ action: String, _ body: [UInt8]) throws -> Answer {
        let data = Data(body)
        guard let given = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw BadRequest(message: "The body must be a JSON object.")
        }
        var id = given["id"] as? String ?? ""
        if let index = given["index"] as? Int { id = try self.id(module(given["module"] as? String), at: index) }
        switch action {
        case "edit":
            try edit(
                module(given["module"] as? String), id: id, touching: given["touch"] as? Bool ?? true,
                changes(body, "changes"))
        case "create": id = try create(module(given["module"] as? String), changes(body, "fields"))
        case "delete": try delete(module(given["module"] as? String), id: id)
        case "restore": try restore(module(given["module"] as? String), id: id)
        case "deactivate": try deactivate(module(given["module"] as? String), id: id)
        case "activate": try activate(module(given["module"] as? String), id: id)
        case "stock": try setStock(id: id, to: given["stock"] as? Double ?? 0)
        case "merge": try merge(contacts: given["contacts"] as? [String] ?? [], into: given["into"] as? String ?? "")
        case "expire-tokens": expireTokens()
        case "revoke-tokens": revokeTokens()
        case "clock": advanceClock(by: .seconds(given["seconds"] as? Double ?? 0))
        case "fault":
            guard let fault = SimulatorFault(rawValue: given["fault"] as? String ?? "") else {
                let known = SimulatorFault.allCases.map(\.rawValue).joined(separator: ", ")
                throw BadRequest(message: "The fault must be one of \(known).")
            }
            script(fault, next: given["count"] as? Int ?? 1, prefix: given["prefix"] as? String ?? "/")
        case "webhooks":
            try setWebhooks(given)
            return try webhookReport
        case "traffic":
            guard let rate = given["per_second"] as? Double, rate >= 0 else {
                throw BadRequest(message: "per_second must be a number of changes, 0 to stop.")
            }
            startTraffic(perSecond: rate)
            return try trafficReport
        default: throw BadRequest(message: "There is no action \(action).")
        }
        return .success("id") { $0.string(id) }
    }

    private func module(_ name: String?) throws -> SimulatorModule {
        guard let module = name.flatMap(SimulatorModule.init) else {
            let known = SimulatorModule.allCases.map(\.rawValue).joined(separator: ", ")
            throw BadRequest(message: "The module must be one of \(known).")
        }
        return module
    }

    /// The members of an object in the body, each with its JSON text as it was sent.
    private func changes(_ body: [UInt8], _ key: String) -> [String: SimulatorValue] {
        guard let object = JSONObject.value(of: key, in: body) else { return [:] }
        let text = Array(object)
        return Dictionary(
            JSONObject.members(of: text).map { ($0.key, SimulatorValue(json: Array(text[$0.value]))) },
            uniquingKeysWith: { $1 })
    }

    private var stats: Answer {
        let statistics = statistics
        func object(_ counts: [String: Int]) -> String {
            "{" + counts.sorted { $0.key < $1.key }.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ",") + "}"
        }
        let statuses = Dictionary(uniqueKeysWithValues: statistics.answersByStatus.map { (String($0.key), $0.value) })
        let faults = Dictionary(uniqueKeysWithValues: statistics.faults.map { ($0.key.rawValue, $0.value) })
        let records = Dictionary(uniqueKeysWithValues: SimulatorModule.allCases.map { ($0.rawValue, count($0)) })
        return .success("stats") {
            $0.text(
                #"{"calls":\#(statistics.calls),"token_requests":\#(statistics.tokenRequests),"#
                    + #""largest_in_flight":\#(statistics.largestInFlight),"statuses":\#(object(statuses)),"#
                    + #""faults":\#(object(faults)),"records":\#(object(records)),"paths":\#(object(statistics.callsByPath))}"#
            )
        }
    }
}

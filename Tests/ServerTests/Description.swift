import Foundation
import Hummingbird
import NIOHTTP1

@testable import Server

/// What `/openapi.yaml` says, so that every answer that a test sees can be held against it.
struct Description: Sendable {
    let routes: [Route]

    /// What an answer has that is not described.
    func faults(of answer: ServerRig.Answer, to method: String, _ path: String) -> [String] {
        let segments = path.prefix { $0 != "?" }.split(separator: "/")
        let fitting = routes.filter { route in
            let pattern = route.path.split(separator: "/")
            return pattern.count == segments.count
                && zip(pattern, segments).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
        let best = fitting.min { $0.path.count { $0 == "{" } < $1.path.count { $0 == "{" } }
        // HEAD is answered like GET, without the document.
        let asked = method == "HEAD" ? "GET" : method
        let route = fitting.first { $0.path == best?.path && $0.method.rawValue == asked }
        let name = "\(method) \(path) answers \(answer.status)"
        let problem = (type: "application/problem+json", document: "Problem" as String?)
        let expected: (type: String, document: String?)
        if let described = route?.content(of: answer.status) {
            expected = described
        } else if answer.status >= 500 || (route == nil && [404, 405].contains(answer.status)) {
            expected = problem
        } else {
            return ["\(name), which is not described"]
        }
        let type = answer.headers.first(name: "Content-Type")?.prefix { $0 != ";" } ?? ""
        guard type == expected.type else { return ["\(name) as \(type), not \(expected.type)"] }
        if method == "HEAD" { return answer.text.isEmpty ? [] : ["\(name) with a body"] }
        guard let document = expected.document else { return [] }
        guard let json = try? JSONSerialization.jsonObject(with: Data(answer.text.utf8)) else {
            return ["\(name) with what is no JSON"]
        }
        return Schema.named(document).faults(of: json).map { "\(name): \($0)" }
    }
}

extension Schema {
    /// Where a value is not as described.
    func faults(of value: Any, at place: String = "") -> [String] {
        func unless(_ isRight: Bool, _ expected: String) -> [String] {
            isRight ? [] : ["\(place) is \(value), not \(expected)"]
        }
        switch self {
        case .anything: return []
        case .text: return unless(value is String, "text")
        case .integer:
            return unless((value as? NSNumber).map { Double($0.int64Value) == $0.doubleValue } ?? false, "whole")
        case .number: return unless(value is NSNumber, "a number")
        case .flag: return unless(value is Bool, "true or false")
        case .word(let words): return unless((value as? String).map { words.contains($0) } ?? false, "one of \(words)")
        case .list(let element):
            guard let values = value as? [Any] else { return unless(false, "a list") }
            return values.enumerated().flatMap { element.faults(of: $1, at: "\(place)[\($0)]") }
        case .map(let element):
            guard let values = value as? [String: Any] else { return unless(false, "an object") }
            return values.flatMap { element.faults(of: $1, at: "\(place).\($0)") }
        case .nullable(let schema): return value is NSNull ? [] : schema.faults(of: value, at: place)
        case .named(let name):
            guard let schema = Self.documents.first(where: { $0.key == name })?.value else {
                return ["there is no document \(name)"]
            }
            return schema.faults(of: value, at: place)
        case .object(let fields):
            guard let values = value as? [String: Any] else { return unless(false, "an object") }
            let unknown = Set(values.keys).subtracting(fields.map(\.name)).sorted().map {
                "\(place).\($0) is not described"
            }
            return unknown
                + fields.flatMap { field -> [String] in
                    guard let value = values[field.name] else {
                        return ["\(place).\(field.name) is missing"]
                    }
                    return field.schema.faults(of: value, at: "\(place).\(field.name)")
                }
        }
    }
}

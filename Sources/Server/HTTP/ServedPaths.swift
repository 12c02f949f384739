import HTTPTypes

/// Which methods are served at which paths.
struct ServedPaths: Sendable {
    private struct Pattern: Sendable {
        let segments: [Substring]
        let methods: [HTTPRequest.Method]

        var wildcards: Int { segments.count { $0.hasPrefix("{") } }

        func matches(_ path: [Substring]) -> Bool {
            segments.count == path.count && zip(segments, path).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }
    }

    private let patterns: [Pattern]

    init(_ routes: [Route]) {
        patterns = Dictionary(grouping: routes, by: \.path).map { path, routes in
            Pattern(
                segments: path.split(separator: "/"),
                methods: routes.flatMap { $0.method == .get ? [.get, .head] : [$0.method] })
        }
    }

    /// The methods of the routes that match best, sorted; none where nothing is served.
    func methods(at path: String) -> [HTTPRequest.Method] {
        let segments = path.split(separator: "/")
        let best = patterns.filter { $0.matches(segments) }.min { $0.wildcards < $1.wildcards }
        return (best?.methods ?? []).sorted { $0.rawValue < $1.rawValue }
    }

    /// The answer to a request whose path is served, but not with its method; nil for other requests.
    func problem(of method: HTTPRequest.Method, at path: String) -> Problem? {
        let methods = methods(at: path)
        guard !methods.isEmpty, !methods.contains(method) else { return nil }
        let allowed = methods.map(\.rawValue).joined(separator: ", ")
        var problem = Problem(
            .methodNotAllowed, "This path does not accept \(method.rawValue); it accepts \(allowed).")
        problem.headers[.allow] = allowed
        return problem
    }
}

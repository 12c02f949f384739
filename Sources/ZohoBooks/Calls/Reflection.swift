// What `dump` and debuggers see. The connections below hold headers and bodies with tokens, and a look at them would
// also race with their event loops.

extension ZohoBooksClient: CustomReflectable {
    /// The configuration alone.
    public var customMirror: Mirror { Mirror(self, children: ["configuration": configuration]) }
}

extension Transport: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension AccessTokens: CustomReflectable {
    nonisolated var customMirror: Mirror { Mirror(self, children: []) }
}

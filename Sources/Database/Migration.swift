/// One named step of the schema.
///
/// Migrations run once, in order, and are never edited after they were released.
package struct Migration: Sendable {
    package let name: String
    package let apply: @Sendable (any SQLTransaction) throws -> Void

    package init(_ name: String, _ apply: @escaping @Sendable (any SQLTransaction) throws -> Void) {
        self.name = name
        self.apply = apply
    }
}

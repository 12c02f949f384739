/// When a transaction counts as committed.
package enum Durability: Sendable, Hashable {
    /// When other transactions see it. A crash of the machine may lose the last moments, always as a whole, so that it
    /// suits what can be read again from Zoho.
    case eventual
    /// When the disk has it. For what nobody can be asked for again.
    case immediate
}

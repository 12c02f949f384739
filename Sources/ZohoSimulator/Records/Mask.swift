/// A pattern of 25 that repeats over the indices of a module, so that counting and finding the records of one status
/// takes the same time in ten records and in ten million.
struct Mask: Sendable, Hashable {
    static let period = 25

    /// One bit for each residue.
    let bits: UInt32

    static let all = Mask { _ in true }

    init(_ contains: (Int) -> Bool) {
        bits = (0..<Self.period).reduce(0) { contains($1) ? $0 | 1 << UInt32($1) : $0 }
    }

    private var size: Int { bits.nonzeroBitCount }

    func contains(_ index: Int) -> Bool { bits >> UInt32(index % Self.period) & 1 == 1 }

    /// How many indices below `index` belong.
    func rank(_ index: Int) -> Int {
        let below: UInt32 = (1 << UInt32(index % Self.period)) - 1
        return index / Self.period * size + (bits & below).nonzeroBitCount
    }

    /// The index of the `rank`th that belongs; the mask must not be empty.
    func select(_ rank: Int) -> Int {
        var rest = rank % size
        for residue in 0..<Self.period where bits >> UInt32(residue) & 1 == 1 {
            if rest == 0 { return rank / size * Self.period + residue }
            rest -= 1
        }
        return rank / size * Self.period
    }
}

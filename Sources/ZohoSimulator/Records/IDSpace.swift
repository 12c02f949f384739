/// The numbering of ids: 19 digits, a space for each kind of object, and in it the record's index (section 7.1).
enum IDSpace: UInt64, CaseIterable {
    case item = 11
    case contact = 12
    case pricebook = 13
    case invoice = 14
    case bill = 15
    case creditnote = 16
    case salesorder = 17
    case purchaseorder = 18
    case payment = 19
    case address = 31
    case contactPerson = 32
    case pricebookItem = 33
    case invoiceLine = 34
    case billLine = 35
    case creditnoteLine = 36
    case salesorderLine = 37
    case purchaseorderLine = 38
    case image = 39
    case invoicePayment = 40
    case vendorPayment = 41

    private static let first: UInt64 = 3_460_000_000_000_000_000
    private static let size: UInt64 = 10_000_000_000_000

    /// The id of a record.
    func id(_ index: Int) -> UInt64 { Self.first + rawValue * Self.size + UInt64(index) }

    /// The id of the `slot`th of at most 256 parts of a record.
    func id(_ index: Int, slot: Int) -> UInt64 { id(index * 256 + slot) }

    /// The index behind a record's id, if the id is of this space.
    func index(of id: some StringProtocol) -> Int? {
        guard let number = UInt64(id), number >= Self.first + rawValue * Self.size else { return nil }
        let index = number - Self.first - rawValue * Self.size
        return index < Self.size ? Int(index) : nil
    }
}

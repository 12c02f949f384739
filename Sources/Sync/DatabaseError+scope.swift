import Database

extension DatabaseError {
    /// Whether the tables of other entities may do where this one's does not.
    var concernsOneTable: Bool { [.record, .trigger, .program].contains(kind) || code == "42501" }
}

extension Error {
    /// Whether the database cannot do the work at the moment, whatever the records.
    var isDatabaseOutage: Bool {
        switch (self as? DatabaseError)?.kind {
        // A conflict between writers says nothing about the records either.
        case .unavailable, .readOnly, .exhausted, .denied, .unusable, .locked, .conflict: true
        case .record, .trigger, .program, nil: false
        }
    }
}

/// One kind of record that is mirrored, described as data: where it comes from, what its rows are, what Zoho calls it.
///
/// The code that lists, maps, stores, compares and repairs is written once and reads these descriptions.
package struct Entity: Sendable {
    /// Our name for the entity, which is also the name of its parent table: `products`.
    package let name: String
    /// Where Zoho keeps the records.
    package let module: Module
    /// The column that holds the Zoho id: `zoho_item_id`.
    package let keyColumn: String
    /// The keys of a record that may hold its id, in order of preference.
    package let idKeys: [String]
    /// The mapped columns of the parent table, in the order of the table.
    package let fields: [Field]
    /// The child tables, which a detail record replaces as a set.
    package let children: [Child]
    /// Values of `status` with which a record counts as inactive.
    ///
    /// Zoho's own lists of states are incomplete (reference, section 7.9), so that every other state is active.
    package let inactiveStatuses: Set<String>
    /// For a module that feeds several entities: the member that tells whose record it is, and the value that is ours.
    package let discriminator: Discriminator?
    /// The entities that a record of this one refers to; they are synchronised first.
    package let references: [String]
    /// What a record repeats of another entity's, where only its details say so: a change over there moves no time here.
    package let repeated: [Repeated]
    /// The path segment after `webhooks/` under which whole records of this entity arrive; nil where Zoho offers no
    /// webhook for it (reference, section 8.1).
    package let webhookName: String?
    /// Path segments under which arrives that records have changed, without the records.
    package let markNames: [String]

    package init(
        name: String, module: Module, keyColumn: String, idKeys: [String], fields: [Field], children: [Child] = [],
        inactiveStatuses: Set<String> = ["inactive"], discriminator: Discriminator? = nil, references: [String] = [],
        repeated: [Repeated] = [], webhookName: String? = nil, markNames: [String] = []
    ) {
        self.name = name
        self.module = module
        self.keyColumn = keyColumn
        self.idKeys = idKeys
        self.fields = fields
        self.children = children
        self.inactiveStatuses = inactiveStatuses
        self.discriminator = discriminator
        self.references = references
        self.repeated = repeated
        self.webhookName = webhookName
        self.markNames = markNames
    }

    /// A column of another entity that a record repeats.
    package struct Repeated: Sendable {
        package let column: String
        package let entity: String
        /// The column of ours that holds the other record's Zoho id.
        package let key: String

        package init(_ column: String, of entity: String, by key: String) {
            self.column = column
            self.entity = entity
            self.key = key
        }
    }

    /// The member of a record that tells to which of a module's entities it belongs.
    package struct Discriminator: Sendable {
        package let key: String
        package let value: String

        package init(_ key: String, is value: String) {
            self.key = key
            self.value = value
        }
    }
}

/// A Zoho module: how its records are listed, read one by one and followed (reference, sections 5 and 6).
package struct Module: Sendable {
    /// How an incremental run finds what changed.
    package enum ModifiedFilter: Sendable {
        /// `last_modified_time` is documented for the list.
        case documented
        /// The list may honour it: ask once with a far-future value, which gives an empty list where it does.
        case probed
        /// The list can be sorted by `last_modified_time`: it is read newest first, and no further than the watermark.
        case sorted
        /// It is not to be relied on, because changes that matter do not move the time: the whole list is read and
        /// compared.
        case never
    }

    /// How complete records are read.
    package enum Detail: Sendable {
        /// One call for each record: `GET /{path}/{id}`.
        case single
        /// One call for up to `size` items: `GET /itemdetails?item_ids=…`.
        case itemDetails(size: Int)

        /// How many complete records one call brings.
        package var size: Int {
            switch self {
            case .single: 1
            case .itemDetails(let size): size
            }
        }
    }

    /// The path below `/books/v3`, which is the module's name.
    package let path: String
    /// The key that holds the records of a list.
    package let listKey: String
    /// The key that holds the record of a detail answer and of a webhook body.
    package let detailKey: String
    /// Another key that may hold the record of a webhook body, where the reference is not sure.
    package let otherDeliveryKey: String?
    package let detail: Detail
    package let modifiedFilter: ModifiedFilter
    /// The keys that may hold when a record was modified last, in order of preference.
    package let modifiedKeys: [String]
    /// The `filter_by` that shows every record; lists of items and contacts hide inactive ones without it.
    package let everything: String?
    /// The `filter_by` that shows active records only, where the module has one.
    package let activeOnly: String?
    /// A sort column that edits do not touch, so that rows keep their page during a scan.
    package let stableSort: String?
    /// Details older than this many seconds are read again although the list shows no change; nil where the list's
    /// `last_modified_time` can be trusted.
    package let detailLifetime: Int?
    /// The OAuth scope that the module needs.
    package let scope: String

    package init(
        path: String, listKey: String? = nil, detailKey: String, otherDeliveryKey: String? = nil,
        detail: Detail = .single,
        modifiedFilter: ModifiedFilter, modifiedKeys: [String] = ["last_modified_time"], everything: String?,
        activeOnly: String? = nil, stableSort: String?,
        detailLifetime: Int? = nil, scope: String
    ) {
        self.path = path
        self.listKey = listKey ?? path
        self.detailKey = detailKey
        self.otherDeliveryKey = otherDeliveryKey
        self.detail = detail
        self.modifiedFilter = modifiedFilter
        self.modifiedKeys = modifiedKeys
        self.everything = everything
        self.activeOnly = activeOnly
        self.stableSort = stableSort
        self.detailLifetime = detailLifetime
        self.scope = scope
    }
}

/// The read side of the API that is simulated (section 6.1).
enum Route: Sendable, Equatable {
    enum Setting: String, Sendable, CaseIterable {
        case currencies = "settings/currencies"
        case taxes = "settings/taxes"
        case locations
        case brands
    }

    case organizations
    case organization(id: String)
    case settings(Setting)
    case setting(Setting, id: String)
    case list(SimulatorModule, vendors: Bool?)
    case detail(SimulatorModule, id: String)
    case itemDetails
    case itemImage(id: String)
    case contactAddresses(id: String)
    case contactPersons(id: String)

    /// Reads a path below `/books/v3/`; nil for one that Zoho does not know.
    init?(_ path: String, undocumented: Set<SimulatorConfiguration.UndocumentedEndpoint>) {
        let parts = path.split(separator: "/").map(String.init)
        switch parts.count {
        case 1 where parts[0] == "itemdetails": self = .itemDetails
        case 1 where parts[0] == "customers": self = .list(.contacts, vendors: false)
        case 1 where parts[0] == "vendors": self = .list(.contacts, vendors: true)
        case 1 where parts[0] == "organizations": self = .organizations
        case 2 where parts[0] == "organizations": self = .organization(id: parts[1])
        case 3 where parts[0] == "items" && parts[2] == "image" && undocumented.contains(.itemImage):
            self = .itemImage(id: parts[1])
        case 3 where parts[0] == "contacts" && parts[2] == "address": self = .contactAddresses(id: parts[1])
        case 3 where parts[0] == "contacts" && parts[2] == "contactpersons": self = .contactPersons(id: parts[1])
        default:
            if let setting = Setting(rawValue: parts.joined(separator: "/")) {
                guard setting != .brands || undocumented.contains(.brands) else { return nil }
                self = .settings(setting)
            } else if let setting = Setting(rawValue: parts.dropLast().joined(separator: "/")), parts[0] == "settings" {
                self = .setting(setting, id: parts[2])
            } else if let name = parts.first, let module = SimulatorModule(rawValue: name), parts.count < 3 {
                if parts.count == 1 {
                    self = .list(module, vendors: nil)
                } else {
                    guard module != .pricebooks || undocumented.contains(.pricebookDetail) else { return nil }
                    self = .detail(module, id: parts[1])
                }
            } else {
                return nil
            }
        }
    }

    /// The scope group that a token needs.
    var scopeGroup: String {
        switch self {
        case .list(let module, _), .detail(let module, _): module.scopeGroup
        case .contactAddresses, .contactPersons: "contacts"
        default: "settings"
        }
    }

    /// The module that must not be disabled.
    var module: SimulatorModule? {
        switch self {
        case .list(let module, _), .detail(let module, _): module
        case .itemDetails, .itemImage: .items
        case .contactAddresses, .contactPersons: .contacts
        default: nil
        }
    }

    /// Whether the call is for one record.
    var isDetail: Bool {
        switch self {
        case .detail, .itemImage, .contactAddresses, .contactPersons: true
        default: false
        }
    }

    /// Whether the call names no organisation.
    var isForAnyOrganization: Bool { self == .organizations }
}

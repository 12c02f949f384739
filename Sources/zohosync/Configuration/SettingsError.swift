/// What is wrong with the configuration, and where it is mended.
enum SettingsError: Error, CustomStringConvertible {
    case missing(String)
    case invalid(String, String, String)
    case unreadableFile(String)

    var description: String {
        switch self {
        case .missing(let variable):
            """
            \(variable) is not set. Set it in the environment or in zohosync.yaml; docs/configuration.md says where to \
            find each value.
            """
        case .invalid(let variable, let value, let expected): "\(variable) is \(value), but must be \(expected)."
        case .unreadableFile(let path): "\(path) cannot be read as YAML. Correct it or leave --config out."
        }
    }
}

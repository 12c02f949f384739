import Foundation
import Yams

/// What is wrong with the configuration, and where to correct it.
enum SettingsError: Error, CustomStringConvertible {
    case missing(String)
    case invalid(String, String, String)
    case noFile(String)
    case unreadableFile(String)
    /// A file that is not YAML, or cannot be a configuration, and why.
    case invalidFile(String, String)

    /// Why a configuration file could not be taken.
    init(_ path: String, _ error: any Error) {
        if !FileManager.default.fileExists(atPath: path) {
            self = .noFile(path)
        } else if (try? Data(contentsOf: URL(fileURLWithPath: path))) == nil {
            self = .unreadableFile(path)
        } else {
            self = .invalidFile(path, Self.reason(error))
        }
    }

    /// Why a text is no configuration, without the text itself, which holds secrets.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _):
            "\(problem) in line \(mark.line)"
        case YamlError.duplicatedKeysInMapping(_, let context): "a key occurs twice, near line \(context.mark.line)"
        case YamlError.reader(let problem, _, _, _): problem
        case is YamlError: "it cannot be decoded"
        // Names keys, and no values.
        default: "\(error)".trimmingCharacters(in: CharacterSet(charactersIn: "."))
        }
    }

    var description: String {
        switch self {
        case .missing(let variable):
            """
            \(variable) is not set. Set it in the environment or in zohosync.yaml; docs/configuration.md says where to \
            find each value.
            """
        case .invalid(let variable, let value, let expected): "\(variable) is \(value), but must be \(expected)."
        case .noFile(let path): "There is no file \(path)."
        case .unreadableFile(let path): "\(path) cannot be read. Give this user read access to it."
        case .invalidFile(let path, let reason): "\(path) is not valid YAML: \(reason)."
        }
    }
}

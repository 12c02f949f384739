import Alerts
import ArgumentParser
import Database
import Foundation
import Mirror
import Server
import Sync
import ZohoBooks

/// How the program ends: the code for the shell and the sentence for the person.
struct ExitStatus {
    /// Ran, but something failed or differs.
    static let failure: Int32 = 1
    /// Wrong usage or configuration.
    static let usage: Int32 = 2

    let code: Int32
    let message: String

    init(_ error: any Error) {
        switch error {
        case let exit as ExitCode:
            code = exit.rawValue
            message = ""
        case is Console.ReaderGone:
            code = 0
            message = ""
        case is CancellationError:
            code = Self.failure
            message = "Stopped. What was committed stays, and the next sync goes on from there."
        case is SettingsError, is AlertError, is RunUndoError, is SyncOptionsError, is ServerConfigurationError:
            code = Self.usage
            message = String(describing: error)
        case let error as ZohoBooksError:
            code = error.isConfiguration ? Self.usage : Self.failure
            message = error.description
        case let error as MirrorError:
            switch error {
            case .otherOrganisation, .missing, .outdated: code = Self.usage
            case .leased, .unknown: code = Self.failure
            }
            message = error.description
        case let error as DatabaseError:
            code = error.kind == .denied || error.kind == .unusable ? Self.usage : Self.failure
            message = error.description
        default:
            let parserCode = ZohoSync.exitCode(for: error)
            code = parserCode == .success ? 0 : parserCode == .validationFailure ? Self.usage : Self.failure
            message = ZohoSync.fullMessage(for: error)
        }
    }

    func exit() -> Never {
        if !message.isEmpty {
            if code == 0 { try? Console.write(message + "\n") } else { Console.note(message + "\n") }
        }
        Foundation.exit(code)
    }
}

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
    /// The message without the usage of the command.
    private var sentence: String?
    /// Whether the result on standard output reports it already.
    private var isReported = false

    init(_ error: any Error) {
        switch error {
        case let reported as ReportedError:
            let status = ExitStatus(reported.cause)
            (code, message, sentence, isReported) = (status.code, status.message, status.sentence, true)
        case let exit as ExitCode:
            code = exit.rawValue
            message = ""
        case is Console.BrokenPipe:
            code = 0
            message = ""
        case let failure as Console.WriteFailure:
            code = Self.failure
            message = failure.description
        case is CancellationError:
            code = Self.failure
            message = "Stopped. What was committed stays, and the next sync continues from there."
        case is SettingsError, is AlertError, is RunUndoError, is SyncOptionsError, is ServerConfigurationError:
            code = Self.usage
            message = String(describing: error)
        case let error as ZohoBooksError:
            code = error.isConfiguration ? Self.usage : Self.failure
            message = error.description
        case let error as MirrorError:
            switch error {
            case .otherOrganisation, .missing, .outdated: code = Self.usage
            case .leased, .leaseLost, .unknown, .changesRemoved, .changesUnknown: code = Self.failure
            }
            message = error.description
        case let error as DatabaseError:
            code = error.kind == .denied || error.kind == .unusable ? Self.usage : Self.failure
            message = error.description
        default:
            let parserCode = ZohoSync.exitCode(for: error)
            code = parserCode == .success ? 0 : parserCode == .validationFailure ? Self.usage : Self.failure
            message = ZohoSync.fullMessage(for: error)
            sentence = ZohoSync.message(for: error)
        }
    }

    func exit() -> Never {
        // The log lines that led to the error come before it.
        LogWriter.standardError.flush()
        if !message.isEmpty {
            if code == 0 {
                Console.print(message)
            } else {
                // On one line, because followers of changes read line by line.
                if Self.wantsJSON, !isReported { Console.print(document.json(indented: false)) }
                Console.note(message + "\n")
            }
        }
        if code == 0 {
            do { try Console.check() } catch { ExitStatus(error).exit() }
        }
        Foundation.exit(code)
    }

    /// Read from the arguments themselves, because parsing them may have failed.
    private static var wantsJSON: Bool {
        CommandLine.arguments.dropFirst().prefix { $0 != "--" }.contains("--json")
    }

    /// What a machine reads in place of the result.
    private var document: some Encodable { FailureDocument(success: false, error: sentence ?? message) }

    private struct FailureDocument: Encodable {
        let success: Bool
        let error: String
    }
}

/// An error that the printed result has reported already.
struct ReportedError: Error {
    let cause: any Error
}

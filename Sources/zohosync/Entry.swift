import ArgumentParser
import CMalloc
import Foundation
import Server

/// The program.
///
/// Exits with 0 only if all of what was asked for worked, with 1 if it ran and something failed or differs, with 2 for
/// wrong usage or configuration.
@main
struct Entry {
    static func main() async {
        // Whoever reads the output may stop reading; that must not end the program.
        signal(SIGPIPE, SIG_IGN)
        #if canImport(Glibc)
        // A heap for each thread, glibc's standard, keeps what every thread once needed for a page.
        mallopt(M_ARENA_MAX, 2)
        // Nor does a heap keep a large buffer, such as a page of records: it goes back to the system when it is freed.
        // glibc would raise this threshold with the first of them.
        mallopt(M_MMAP_THRESHOLD, 256 * 1024)
        #endif
        do {
            var command = try ZohoSync.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            LogWriter.standardError.flush()
            try Console.check()
        } catch {
            ExitStatus(error).exit()
        }
    }
}

/// `zohosync`: the root command.
struct ZohoSync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zohosync",
        abstract: "Keeps a complete, current copy of a Zoho Books organisation in your own database.",
        discussion: """
            Configured by environment variables or zohosync.yaml: ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, \
            ZOHO_REFRESH_TOKEN, ZOHO_ORGANIZATION_ID, ZOHO_DATA_CENTER, DATABASE_URL.
            """,
        version: Release.version,
        subcommands: [
            AuthCommand.self, SyncCommand.self, ServeCommand.self, VerifyCommand.self, DoctorCommand.self,
            HealCommand.self, ScheduleCommand.self, StatusCommand.self, RunsCommand.self, ChangesCommand.self,
            DeadLettersCommand.self, SimulateCommand.self, DemoCommand.self,
        ])
}

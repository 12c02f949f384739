import ArgumentParser
import Catalog
import Sync

/// The options of every command that works on a mirror.
struct CommonOptions: ParsableArguments {
    @Option(help: "The configuration file; default zohosync.yaml in the current directory.")
    var config: String?

    @Option(
        name: .customLong("database-url"),
        help: "Where the mirror is: postgres://user@host/database or sqlite:path. Overrides DATABASE_URL.")
    var databaseURL: String?

    @OptionGroup var output: OutputOptions

    var json: Bool { output.json }
}

/// The options of every command.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print machine-readable JSON.")
    var json = false
}

/// An entity of the catalog, named on the command line.
struct EntityName: ExpressibleByArgument {
    private let argument: String

    /// Accepts any text: a refusal by the parser takes a dozen lines.
    init(argument: String) { self.argument = argument }

    /// The name of the entity.
    ///
    /// - Throws: `SyncOptionsError` with the sentence for a person where there is no such entity.
    var name: String {
        get throws(SyncOptionsError) {
            guard Catalog.entity(named: argument) != nil else { throw .unknownEntity(argument) }
            return argument
        }
    }

    static var allValueStrings: [String] { Catalog.entities.map(\.entity.name) }
}

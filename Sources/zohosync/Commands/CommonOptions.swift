import ArgumentParser
import Catalog

/// What every command takes that works on a mirror.
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

/// What every command takes.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print machine-readable JSON.")
    var json = false
}

/// An entity of the catalog, named on the command line.
struct EntityName: ExpressibleByArgument {
    let name: String

    init?(argument: String) {
        guard Catalog.entity(named: argument) != nil else { return nil }
        name = argument
    }

    static var allValueStrings: [String] { Catalog.entities.map(\.entity.name) }
}

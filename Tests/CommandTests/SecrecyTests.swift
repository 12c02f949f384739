import Foundation
import TestSupport
import Testing
import ZohoSimulator

@Suite("Secrets")
struct SecrecyTests {
    @Test("No secret and no token is in any output at any log level, in the database, or in the list of processes")
    func nowhere() async throws {
        try await withFolder { folder in
            var configuration = SimulatorConfiguration.small
            configuration.oauth.clientSecret = "ver1ySecretClient"
            configuration.oauth.refreshToken = "1000.5ecret5ecret5ecret.0011223344556677"
            configuration.faults = [.internalError: 0.05, .badGateway: 0.05]
            try await ZohoSimulator.withSimulator(configuration) { simulator in
                let file = folder.appending(path: "mirror.sqlite")
                let environment = simulator.environment([
                    "DATABASE_URL": "sqlite:\(file.path)", "ZOHOSYNC_LOG_LEVEL": "trace",
                ])
                let program = try Program(["sync"], environment, folder: folder)
                let visible = program.visibleArguments
                let outcome = await program.outcome()
                let failed = try await Program.run(
                    ["sync"], environment.merging(["ZOHO_ORGANIZATION_ID": "1"]) { $1 }, folder: folder)
                var texts = [visible, outcome.output, outcome.errors, failed.output, failed.errors]
                for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
                    let bytes = try Data(contentsOf: folder.appending(path: name))
                    texts.append(String(decoding: bytes, as: UTF8.self))
                }
                let tokens = simulator.control.liveTokens
                #expect(!tokens.isEmpty)
                for secret in [configuration.oauth.clientSecret, configuration.oauth.refreshToken] + tokens {
                    #expect(!texts.contains { $0.contains(secret) }, "\(secret)")
                }
            }
        }
    }

    @Test("A password in DATABASE_URL is in no error")
    func databasePassword() async throws {
        try await withFolder { folder in
            try await ZohoSimulator.withSimulator(.small) { simulator in
                for url in [
                    "postgres://someone:ope%6Esesame@127.0.0.1:1/x",
                    "postgres://someone:opensesame@127.0.0.1:1/x?bad=1",
                    "postgresql://someone:opensesame@/x?host=/no/where",
                ] {
                    let outcome = try await Program.run(
                        ["sync"], simulator.environment(["DATABASE_URL": url]), folder: folder)
                    #expect(outcome.status != 0)
                    #expect(!outcome.errors.contains("sesame"), "\(outcome.errors)")
                }
            }
        }
    }
}

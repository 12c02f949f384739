import Foundation
import Testing

@testable import ZohoBooks

@Suite struct HostTests {
    @Test(arguments: [
        (DataCenter.com, "https://accounts.zoho.com", "https://www.zohoapis.com"),
        (.eu, "https://accounts.zoho.eu", "https://www.zohoapis.eu"),
        (.in, "https://accounts.zoho.in", "https://www.zohoapis.in"),
        (.australia, "https://accounts.zoho.com.au", "https://www.zohoapis.com.au"),
        (.jp, "https://accounts.zoho.jp", "https://www.zohoapis.jp"),
        (.ca, "https://accounts.zohocloud.ca", "https://www.zohoapis.ca"),
        (.china, "https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn"),
        (.sa, "https://accounts.zoho.sa", "https://www.zohoapis.sa"),
        (.uk, "https://accounts.zoho.uk", "https://www.zohoapis.uk"),
    ])
    func everyDataCentreHasItsHosts(center: DataCenter, accounts: String, api: String) async throws {
        #expect(DataCenter.allCases.count == 9)
        #expect(center.accountsURL == accounts)
        #expect(center.apiURL == api)
        #expect(DataCenter(rawValue: center.rawValue) == center)
    }

    @Test(arguments: [
        (nil, "https://www.zohoapis.eu"), ("https://www.zohoapis.com.au", "https://www.zohoapis.com.au"),
        ("https://www.zohoapis.in/", "https://www.zohoapis.in"), ("http://www.zohoapis.in", "https://www.zohoapis.eu"),
        ("https://www.zohoapis.in.evil.example", "https://www.zohoapis.eu"),
        ("https://evil.example/www.zohoapis.in", "https://www.zohoapis.eu"),
        ("https://www.zohoapis.in@evil.example", "https://www.zohoapis.eu"), ("", "https://www.zohoapis.eu"),
    ])
    func theTokensDomainIsUsedIfItIsZohos(domain: String?, expected: String) async throws {
        try await Script(configure: {
            $0.apiURL = nil
            $0.accountsURL = nil
        }).run { world in
            let token = AccessToken(
                value: Secret("t"), apiDomain: domain, expiresAt: world.time.now, renewAt: world.time.now)
            let call = Call(path: "items", query: [("a", "1 +&")], key: "items", kind: .list, priority: .background)
            let address = expected + "/books/v3/items?a=1%20%2B%26&organization_id=60099900001"
            #expect(world.client.url(of: call, token) == address)
        }
    }

    @Test func aDomainOfAnAccountsServerOfOnesOwnIsUsed() async throws {
        let domain = Shared("")
        try await Script(
            configure: {
                domain.set($0.accountsURL?.absoluteString ?? "")
                $0.apiURL = nil
            },
            tokens: { _ in
                .token(World.accessToken(1), domain: domain.value)
            }
        ).run { world in
            _ = try await world.items()
            #expect(world.zoho.calls.map(\.path) == ["/books/v3/items"])
        }
    }

    @Test func addressesMayEndWithASlash() async throws {
        try await Script(configure: {
            $0.apiURL = $0.apiURL?.appending(path: "/")
            $0.accountsURL = $0.accountsURL?.appending(path: "/")
        }).run { world in
            _ = try await world.items()
            #expect(world.zoho.requests.map(\.path) == ["/oauth/v2/token", "/books/v3/items"])
        }
    }
}

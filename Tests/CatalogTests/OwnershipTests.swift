import Catalog
import Testing
import ZohoBooks

@Suite("Ownership")
struct OwnershipTests {
    @Test(
        "contacts go to customers or vendors by their type, and to neither where it is another",
        arguments: [
            (#"{"contact_id":"1","contact_type":"customer"}"#, ["customers"]),
            (#"{"contact_type":"vendor","contact_id":"1"}"#, ["vendors"]),
            (#"{"contact_id":"1","contact_type":"lead"}"#, []), (#"{"contact_id":"1","contact_type":""}"#, []),
            (#"{"contact_id":"1","contact_type":null}"#, []), (#"{"contact_id":"1"}"#, []),
            (#"{"contact_id":"1","contact_type_formatted":"customer"}"#, []),
            (#"{"contact_id":"1","custom":{"contact_type":"customer"}}"#, []),
        ])
    func contacts(json: String, owners: [String]) throws {
        let contacts = Catalog.entities.filter { $0.entity.module.path == "contacts" }
        #expect(contacts.count == 2)
        #expect(try contacts.filter { try $0.owns(RawJSON(json)) }.map(\.entity.name) == owners)
    }

    @Test("a module with one entity gives it every record")
    func others() throws {
        for mapping in Catalog.entities where mapping.entity.discriminator == nil {
            #expect(try mapping.owns(RawJSON("{}")))
            #expect(Catalog.entities.filter { $0.entity.module.path == mapping.entity.module.path }.count == 1)
        }
    }

    @Test("what is no JSON object has no owner", arguments: ["[]", #"{"contact_type":"customer""#, ""])
    func broken(json: String) throws {
        let customers = try #require(Catalog.entity(named: "customers"))
        #expect(throws: JSONSyntaxError.self) { try customers.owns(RawJSON(json)) }
    }
}

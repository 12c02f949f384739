import Catalog
import Testing

@Suite("Damaged bodies")
struct DamagedBodyTests {
    @Test(
        "A body that cannot be read still names its record",
        arguments: [
            (#"{"item":{"item_id":"460000000038","name":"cut"#, "460000000038"),
            (#"{"item":{ "item_id" : 460000000038 , "name"#, "460000000038"),
            (#"{"item":{"name":"x","item_id":"460000000038"}"#, "460000000038"),
            // The id itself may be cut off.
            (#"{"item":{"item_id":"4600000"#, nil),
            (#"{"item":{"item_id":""#, nil),
            (#"{"item":{"item_id":null,"name":"x"#, nil),
            (#"{"item":{"item_id""#, nil),
            (#"{"invoice":{"invoice_id":"460000000038","#, nil),
            ("", nil),
        ])
    func named(body: String, id: String?) throws {
        let products = try #require(Catalog.entity(named: "products"))
        #expect(products.idNamed(in: Array(body.utf8)) == id)
    }
}

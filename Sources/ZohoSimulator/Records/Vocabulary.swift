/// The words of a Dutch wholesaler in timber and hardware; strings are escaped for JSON already.
enum Vocabulary {
    struct Family {
        let name: StaticString
        let code: StaticString
        let unit: StaticString
        let category: StaticString
        /// Prices in cents.
        let prices: Range<Int>

        init(
            _ name: StaticString, _ code: StaticString, _ unit: StaticString, _ category: StaticString,
            _ prices: Range<Int>
        ) {
            self.name = name
            self.code = code
            self.unit = unit
            self.category = category
            self.prices = prices
        }
    }

    /// In byte order, so that items in order of index are in order of name.
    static let families: [Family] = [
        Family("Afwerkprofiel aluminium", "AFW", "pcs", "Profielen", 495..<3_995),
        Family("Balk vuren", "BAV", "m", "Constructiehout", 195..<1_495),
        Family("Beukenhout plank", "BEU", "m", "Hardhout", 895..<4_995),
        Family("Binnendeur", "BIN", "pcs", "Deuren", 4_995..<39_995),
        Family("Boorset", "BOO", "set", "Gereedschap", 995..<12_995),
        Family("Deurkruk", "DEU", "pair", "Beslag", 1_295..<8_995),
        Family("Eiken plank", "EIK", "m", "Hardhout", 1_295..<7_995),
        Family("Gipsplaat", "GIP", "pcs", "Plaatmateriaal", 595..<1_995),
        Family("Hang- en sluitwerk", "HAN", "set", "Beslag", 795..<15_995),
        Family("Houtlijm", "HOU", "pcs", "Lijm en kit", 395..<2_995),
        Family("Kitspuit", "KIT", "pcs", "Gereedschap", 695..<5_995),
        Family("Lariks rabat", "LAR", "m", "Gevelhout", 395..<1_895),
        Family("MDF plaat", "MDF", "pcs", "Plaatmateriaal", 1_495..<7_995),
        Family("Multiplex berken", "MUL", "pcs", "Plaatmateriaal", 3_995..<14_995),
        Family("OSB plaat", "OSB", "pcs", "Plaatmateriaal", 1_295..<3_995),
        Family("Parketvloer eiken", "PAR", "m2", "Vloeren", 2_995..<11_995),
        Family("Plint", "PLI", "m", "Profielen", 195..<995),
        Family("Schroef verzinkt", "SCH", "box", "Bevestiging", 395..<4_995),
        Family("Spijker", "SPI", "kg", "Bevestiging", 295..<1_495),
        Family("Steigerplank", "STE", "pcs", "Constructiehout", 1_495..<3_495),
        Family("Terrasplank", "TER", "m", "Tuinhout", 495..<2_995),
        Family("Underlayment", "UND", "pcs", "Plaatmateriaal", 2_495..<6_995),
        Family("Vurenhout lat", "VUR", "m", "Constructiehout", 95..<595),
        Family("Zaagblad", "ZAA", "pcs", "Gereedschap", 995..<9_995),
    ]

    static let finishes: [StaticString] = [
        "geschaafd", "ruw", "geïmpregneerd", "naturel", "wit gelakt", "RVS A2", "3/4\\\"", "Ø 8 mm", "gebürstet",
        "\\\"Pro\\\"", "geölt", "décor chêne", "FSC 100%", "klasse C24", "zwart & antraciet", "type O'Neill",
    ]

    static let sizes: [StaticString] = [
        "18 × 145 mm", "20 × 200 mm", "28 × 195 mm", "40 × 60 mm", "44 × 69 mm", "63 × 160 mm", "12 mm", "18 mm",
        "4,5 × 50", "6 × 120", "2440 × 1220 mm", "2500 × 1250 mm", "2,4 m", "3,0 m", "4,2 m", "per stuk",
    ]

    static let brands: [StaticString] = [
        "Nordholz", "Kvik Beslag", "Bergmann & Söhne", "Houtunie", "", "", "Tømmer", "IJzerkracht",
    ]

    static let contactSuffixes: [StaticString] = [
        " Bouw B.V.", " Timmerwerken", " Interieurbouw", " & Zn. Aannemers", " Keukens", " Houthandel B.V.",
        " Montage VOF", " Meubelmakerij", " Möbel GmbH", " Menuiserie Éts.", " \\\"De Eik\\\" Interieur",
        " Renovatie's", " Projecten N.V.", " Façade Bouw", " Hardware Ltd", " Schrijnwerken BVBA",
    ]

    static let vendorSuffixes: [StaticString] = [
        " Zagerij B.V.", " Holzwerke GmbH", " Sågverk AB", " Beslagfabriek N.V.", " Scierie S.A.", " Import B.V.",
    ]

    static let firstNames: [StaticString] = [
        "Jan", "Anneke", "Björn", "Chloé", "Daan", "Eefje", "Frédérique", "Gijs", "Hülya", "Imke", "Joost", "Katja",
        "Łukasz", "Maartje", "Nora", "Øystein",
    ]

    static let lastNames: [StaticString] = [
        "de Vries", "Jansen", "van den Berg", "Müller", "Peeters", "O'Brien", "Dubois", "Sørensen", "Kowalska",
        "Bakker", "Visser", "García", "van 't Hoff", "Smit", "Çelik", "Schmidt",
    ]

    static let mailNames: [StaticString] = [
        "jan", "anneke", "bjorn", "chloe", "daan", "eefje", "frederique", "gijs", "hulya", "imke", "joost", "katja",
        "lukasz", "maartje", "nora", "oystein",
    ]

    static let designations: [StaticString] = ["Inkoper", "Directeur", "Buyer", "Werkvoorbereider", "", "", "Einkauf"]

    static let streets: [StaticString] = [
        "Havenstraat", "Dorpsweg", "Industrieweg", "Zagerijpad", "Kanaaldijk", "Lange Nieuwstraat", "Rue du Chêne",
        "Hafenstraße", "Quay Street", "Molenlaan", "'t Zand", "Ambachtsweg",
    ]

    struct City {
        let name: StaticString
        let state: StaticString
        let country: StaticString
        let code: StaticString

        init(_ name: StaticString, _ state: StaticString, _ country: StaticString, _ code: StaticString) {
            self.name = name
            self.state = state
            self.country = country
            self.code = code
        }
    }

    /// Some states end in a space, as Zoho's do (section 7.9).
    static let cities: [City] = [
        City("Amsterdam", "Noord-Holland ", "Netherlands", "NL"), City("Zwolle", "Overijssel", "Netherlands", "NL"),
        City("'s-Hertogenbosch", "Noord-Brabant", "Netherlands", "NL"), City("Groningen", "", "Netherlands", "NL"),
        City("Dordrecht", "Zuid-Holland ", "Netherlands", "NL"), City("Utrecht", "Utrecht", "Netherlands", "NL"),
        City("Súdwest-Fryslân", "Fryslân ", "Netherlands", "NL"), City("Arnhem", "Gelderland", "Netherlands", "NL"),
        City("Gent", "Oost-Vlaanderen", "Belgium", "BE"), City("Liège", "Liège ", "Belgium", "BE"),
        City("Münster", "Nordrhein-Westfalen", "Germany", "DE"), City("Bremen", "", "Germany", "DE"),
    ]

    /// Days, label and number of payment terms; a negative number is a rule (section 6.3).
    static let terms: [(days: Int, label: StaticString)] = [
        (30, "Net 30"), (14, "Net 14"), (30, "net 30"), (0, "Due on Receipt"), (60, "Net 60"),
        (-3, "Due end of next month"),
    ]

    static let currencies: [(code: StaticString, symbol: StaticString, id: UInt64)] = [
        ("EUR", "€", 3_460_000_000_000_097), ("USD", "$", 3_460_000_000_000_099), ("GBP", "£", 3_460_000_000_000_101),
    ]

    /// Percent, name and id of the taxes.
    static let taxes: [(percent: Int, name: StaticString, id: UInt64)] = [
        (21, "BTW hoog", 3_460_000_000_007_001), (9, "BTW laag", 3_460_000_000_007_003),
        (0, "BTW verlegd", 3_460_000_000_007_005),
    ]
}

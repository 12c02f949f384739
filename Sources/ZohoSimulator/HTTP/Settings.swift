/// Answers the calls for an organisation's settings: itself, its currencies, taxes, locations and brands (section
/// 6.11).
struct Settings {
    let configuration: SimulatorConfiguration
    let calendar: OrganizationCalendar

    private var organizationRow: String {
        #""organization_id":"\#(configuration.organizationID)","name":"Example Timber BV","contact_name":"A. Admin","#
            + #""email":"admin@example.test","is_default_org":true,"is_org_active":true,"isOrgActive":true,"#
            + #""country":"Netherlands","country_code":"NL","state":"Overijssel ","currency_id":"3460000000000097","#
            + #""currency_code":"EUR","currency_symbol":"€","currency_format":"1.234.567,89","price_precision":2,"#
            + #""time_zone":"Europe/Amsterdam","language_code":"en","account_created_date":"2023-11-03","#
            + #""plan_name":"PROFESSIONAL","plan_type":130,"plan_period":"Monthly","mode":"","version":"V1","#
            + #""org_joined_app_list":["books"],"custom_fields":[],"#
    }

    var organizations: Answer {
        .success("organizations") { $0.text("[{" + organizationRow + #""fiscal_year_start_month":0}]"#) }
    }

    func organization(_ id: String) -> Answer {
        guard id == configuration.organizationID else { return .missing("Organization") }
        let flags = configuration.disabledModules.map { #""is_\#($0.detailKey)_enabled":false,"# }.sorted().joined()
        return .success("organization") {
            $0.text(
                "{" + organizationRow + flags
                    + #""fiscal_year_start_month":"january","date_format":"dd MMM yyyy","field_separator":" ","#
                    + #""industry_type":"Wholesale","status":"1","phone":"+31 38 555 0100","website":"","portal_name":"","#
                    + #""address":{"street_address1":"Zagerijpad 12","street_address2":"","city":"Zwolle","#
                    + #""state":"Overijssel ","state_code":"","country":"Netherlands","zip":"8011 AB","latitude":"","#
                    + #""longitude":"","attention":""},"tax_settings":{},"custom_field_hash":{}}"#)
        }
    }

    /// Lists of settings have no `page_context` (section 4), taxes excepted.
    func list(_ setting: Route.Setting) -> Answer {
        let key = setting.rawValue.split(separator: "/").last.map(String.init) ?? ""
        var answer = Answer.success(key) { $0.text("[" + rows(setting).map(\.json).joined(separator: ",") + "]") }
        if setting == .taxes {
            answer.body.removeLast()
            answer.body += Array(
                #","page_context":{"page":1,"per_page":200,"has_more_page":false,"report_name":"Taxes"}}"#.utf8)
        }
        return answer
    }

    func detail(_ setting: Route.Setting, _ id: String) -> Answer {
        let isTax = setting == .taxes
        guard let row = rows(setting).first(where: { $0.id == id }) else { return .missing(isTax ? "Tax" : "Currency") }
        return .success(isTax ? "tax" : "currency") { $0.text(row.json) }
    }

    private func rows(_ setting: Route.Setting) -> [(id: String, json: String)] {
        switch setting {
        case .currencies:
            // The base currency has no rate and no date of it.
            zip(
                Vocabulary.currencies,
                [
                    "", #","exchange_rate":0.92,"effective_date":"2025-12-01""#,
                    #","exchange_rate":1.15,"effective_date":"2025-12-01""#,
                ]
            )
            .map { currency, rate in
                (
                    "\(currency.id)",
                    #"{"currency_id":"\#(currency.id)","currency_code":"\#(currency.code)","currency_name":"\#(currency.code)- \#(currency.code)","currency_symbol":"\#(currency.symbol)","price_precision":2,"currency_format":"1.234.567,89","is_base_currency":\#(rate.isEmpty)\#(rate)}"#
                )
            }
        case .taxes:
            Vocabulary.taxes.map { tax in
                (
                    "\(tax.id)",
                    #"{"tax_id":"\#(tax.id)","tax_name":"\#(tax.name)","tax_percentage":\#(tax.percent),"tax_type":"tax","tax_specific_type":"","is_value_added":true,"is_default_tax":\#(tax.percent == 21),"is_editable":true,"tax_account_id":"","purchase_tax_account_id":"","country":"Netherlands","country_code":"NL","status":"Active"}"#
                )
            }
        case .locations:
            [("3460000000038080", "Main Warehouse", true), ("3460000000038082", "Showroom Zwolle", false)].map {
                id, name, isPrimary in
                (
                    id,
                    #"{"location_id":"\#(id)","location_name":"\#(name)","type":"general","status":"active","is_primary":\#(isPrimary),"email":"","phone":"","address":{"attention":"","street_address1":"Zagerijpad 12","street_address2":"","city":"Zwolle","state":"Overijssel ","state_code":"","country":"Netherlands"},"parent_location_id":"","associated_users":[],"associated_series_ids":[],"is_all_users_selected":true,"tax_settings_id":""}"#
                )
            }
        case .brands:
            Set(Vocabulary.brands.map { String(describing: $0) }).subtracting([""]).sorted().enumerated().map {
                place, name in
                (
                    "\(3_460_000_000_039_001 + place)",
                    #"{"brand_id":"\#(3_460_000_000_039_001 + place)","name":"\#(name)"}"#
                )
            }
        }
    }
}

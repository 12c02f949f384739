extension Generator {
    /// Writes one record as a list shows it, or as a detail answer does.
    func writeRecord(_ module: SimulatorModule, _ index: Int, detail: Bool, to writer: inout JSONWriter) {
        switch module {
        case .items: writeItem(index, detail: detail, to: &writer)
        case .contacts: writeContact(index, detail: detail, to: &writer)
        default: writer.raw("{}")
        }
    }
}
extension Books {
    func amounts(_ module: SimulatorModule, _ index: Int) -> (total: Int, balance: Int) { (0, 0) }
}

import Foundation
import TestSupport

@testable import ZohoBooks

/// JSON text by a seed: of every type, with white space, escapes, and characters beyond ASCII.
struct GeneratedJSON {
    private var random: SeededGenerator
    private var bytes: [UInt8] = []

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func object(depth: Int = 4) -> [UInt8] {
        bytes = []
        writeObject(depth)
        return bytes
    }

    /// The same text with a few bytes put in, taken out or exchanged.
    mutating func damaged(_ text: [UInt8], with alphabet: [UInt8]) -> [UInt8] {
        var text = text
        for _ in 0...Int.random(in: 0...2, using: &random) where !text.isEmpty {
            let place = text.indices.randomElement(using: &random) ?? 0
            let byte = alphabet.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0: text[place] = byte
            case 1: text.insert(byte, at: place)
            case 2: text.remove(at: place)
            default: text.removeSubrange(place..<min(text.count, place + 7))
            }
        }
        return text
    }

    mutating func garbage(_ alphabet: [UInt8]) -> [UInt8] {
        (0..<Int.random(in: 0..<60, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
    }

    private mutating func write(_ text: String) { bytes += Array(text.utf8) }

    private mutating func space() {
        if Int.random(in: 0..<6, using: &random) == 0 {
            write([" ", "\n", "\t \r"].randomElement(using: &random) ?? "")
        }
    }

    private mutating func value(_ depth: Int) {
        space()
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0, 1: string()
        case 2, 3:
            let numbers = ["0", "-0", "12.50", "-7", "1234567890123456789", "1e5", "2.5E-3", "-1.0e+2"]
            write(numbers.randomElement(using: &random) ?? "")
        case 4: write(Bool.random(using: &random) ? "true" : "false")
        case 5: write("null")
        case 6: writeObject(depth - 1)
        default:
            write("[")
            for index in 0..<Int.random(in: 0..<4, using: &random) {
                if index > 0 { write(",") }
                value(depth - 1)
            }
            space()
            write("]")
        }
        space()
    }

    private mutating func writeObject(_ depth: Int) {
        write("{")
        for index in 0..<Int.random(in: 0..<6, using: &random) {
            if index > 0 { write(",") }
            space()
            string()
            space()
            write(":")
            value(depth)
        }
        space()
        write("}")
    }

    private mutating func string() {
        let parts = [
            "a", "zip code", "é", "日本", "😀", #"\""#, #"\\"#, #"\n"#, #"\u00e9"#, #"\ud83d\ude00"#, "/", #"\/"#,
        ]
        write("\"")
        for _ in 0..<Int.random(in: 0..<5, using: &random) { write(parts.randomElement(using: &random) ?? "") }
        write("\"")
    }
}

/// Reads everything there is to read, through every entry.
///
/// - Returns: how many values there were.
@discardableResult
func readWhole(_ text: RawJSON) throws -> Int {
    try text.read { try readWhole($0, in: text) }
}

private func readWhole(_ view: JSONView, in text: RawJSON) throws -> Int {
    var count = 1
    let raw = view.raw(in: text)
    // What is cut out is a value by itself, byte for byte.
    try raw.read { again in
        guard again.kind == view.kind, again.bytes.elementsEqual(view.bytes) else { throw CutWrongly() }
    }
    switch view.kind {
    case .object:
        try view.members { key, value in
            _ = try JSONView.text(ofKey: key)
            count += try readWhole(value, in: text)
        }
    case .array:
        try view.elements { count += try readWhole($0, in: text) }
    case .string, .number, .bool, .null:
        _ = (try view.text(), view.isBlank, view.content.count)
    }
    return count
}

struct CutWrongly: Error {}

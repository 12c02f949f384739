/// Makes the pictures of items: a few pixels in a colour that follows from the image's id.
enum PNG {
    /// An 8 by 8 image.
    static func image(of documentID: String) -> [UInt8] {
        let colour = crc(Array(documentID.utf8))
        let pixel = [UInt8(truncatingIfNeeded: colour), UInt8(truncatingIfNeeded: colour >> 8), 0x60]
        let row = [0] + Array(repeatElement(pixel, count: 8).joined())
        let raw = Array(repeatElement(row, count: 8).joined())
        let length = UInt16(raw.count)
        let stored: [UInt8] =
            [0x78, 0x01, 0x01] + bytes(length.byteSwapped) + bytes((~length).byteSwapped) + raw
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
            + chunk("IHDR", bytes(UInt32(8)) + bytes(UInt32(8)) + [8, 2, 0, 0, 0])
            + chunk("IDAT", stored + bytes(adler(raw))) + chunk("IEND", [])
    }

    private static func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let body = Array(name.utf8) + content
        return bytes(UInt32(content.count)) + body + bytes(crc(body))
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    private static func crc(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { rest, _ in rest & 1 == 1 ? rest >> 1 ^ 0xEDB8_8320 : rest >> 1 }
        }
    }

    private static func adler(_ bytes: [UInt8]) -> UInt32 {
        let sums = bytes.reduce((UInt32(1), UInt32(0))) { sums, byte in
            let low = (sums.0 + UInt32(byte)) % 65_521
            return (low, (sums.1 + low) % 65_521)
        }
        return sums.1 << 16 | sums.0
    }
}

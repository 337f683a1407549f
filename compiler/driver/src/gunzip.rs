//! Unpacks a gzip file (RFC 1952, RFC 1951): the kernel's own configuration comes as one.
//!
//! In: bytes. Out: what was packed, or nothing if they are no such file; checksums are not looked at.

/// Bytes of the header before what may be left out.
const HEADER: usize = 10;
/// Bits of the flags: part of a checksum, extra bytes, a name and a comment.
const CHECK: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const TEXTS: [u8; 2] = [1 << 3, 1 << 4];
/// Bits of a code at most.
const LONGEST: usize = 15;
/// The code after which nothing comes, and the first of a length.
const END: usize = 256;
/// Bits behind the code of a length: from the first on, and of the last, which stands for 258 bytes.
const LENGTHS: [usize; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/// In which order the lengths of the codes of lengths come.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// What a gzip file holds.
pub fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let [0x1f, 0x8b, 8, flags, ..] = *bytes else { return None };
    let mut at = HEADER;
    if flags & EXTRA != 0 {
        at += 2 + usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    }
    for _ in TEXTS.iter().filter(|text| flags & **text != 0) {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0)? + 1;
    }
    if flags & CHECK != 0 {
        at += 2;
    }
    inflate(Bits { bytes: bytes.get(at..)?, at: 0 })
}

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for bit in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(value)
    }
}

/// Codes, given by their lengths: of one length they are consecutive.
struct Codes {
    /// How many there are of each length.
    counts: [usize; LONGEST + 1],
    /// What they stand for, the shortest first.
    symbols: Vec<usize>,
}

impl Codes {
    fn new(lengths: &[usize]) -> Codes {
        let mut counts = [0; LONGEST + 1];
        let mut symbols = Vec::new();
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let before = symbols.len();
            symbols.extend((0..lengths.len()).filter(|&symbol| lengths[symbol] == length));
            *count = symbols.len() - before;
        }
        Codes { counts, symbols }
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.take(1)?;
            first <<= 1;
            if code < first + count {
                return self.symbols.get(index + code - first).copied();
            }
            index += count;
            first += count;
        }
        None
    }
}

fn inflate(mut bits: Bits<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let count = bits.take(16)?;
                bits.take(16)?;
                let start = bits.at / 8;
                out.extend_from_slice(bits.bytes.get(start..start + count)?);
                bits.at += count * 8;
            }
            1 => {
                let lengths: Vec<usize> = (0..288)
                    .map(|symbol| match symbol {
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                block(&mut bits, &Codes::new(&lengths), &Codes::new(&[5; 30]), &mut out)?;
            }
            2 => {
                let (symbols, distances) = tables(&mut bits)?;
                block(&mut bits, &symbols, &distances, &mut out)?;
            }
            _ => return None,
        }
        if is_last {
            return Some(out);
        }
    }
}

/// The codes of a block that brings its own: of bytes and lengths, and of distances.
fn tables(bits: &mut Bits<'_>) -> Option<(Codes, Codes)> {
    let (symbols, distances, count) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    let mut lengths = [0; ORDER.len()];
    for &symbol in &ORDER[..count] {
        lengths[symbol] = bits.take(3)?;
    }
    let codes = Codes::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < symbols + distances {
        let (length, times) = match codes.next(bits)? {
            16 => (*lengths.last()?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    Some((Codes::new(&lengths[..symbols]), Codes::new(&lengths[symbols..symbols + distances])))
}

fn block(bits: &mut Bits<'_>, symbols: &Codes, distances: &Codes, out: &mut Vec<u8>) -> Option<()> {
    loop {
        let symbol = symbols.next(bits)?;
        if symbol < END {
            out.push(symbol as u8);
            continue;
        }
        if symbol == END {
            return Some(());
        }
        let number = symbol - END - 1;
        let length = match number {
            28 => 258,
            _ => {
                3 + LENGTHS[..number].iter().map(|bits| 1 << bits).sum::<usize>()
                    + bits.take(*LENGTHS.get(number)?)?
            }
        };
        let code = distances.next(bits)?;
        let more = (code / 2).saturating_sub(1);
        let base = if code < 2 { code } else { (2 + code % 2) << more };
        let start = out.len().checked_sub(1 + base + bits.take(more)?)?;
        for at in start..start + length {
            out.push(out[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::gunzip;

    #[test]
    fn blocks_of_all_kinds() {
        let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        let of = |packed: &[u8]| gunzip(&[&header, packed].concat());
        assert_eq!(of(&[1, 3, 0, 0xfc, 0xff, b'a', b'b', b'c']).unwrap(), b"abc");
        // Two letters, and nine that are as the two before.
        assert_eq!(of(&[0x4b, 0x4c, 0x4a, 0x84, 0x42, 0x00]).unwrap(), b"ababababab");
        assert_eq!(of(&[7]), None);
        if let Ok(bytes) = std::fs::read("/proc/config.gz") {
            let text = String::from_utf8(gunzip(&bytes).unwrap()).unwrap();
            assert!(text.lines().any(|line| line == "CONFIG_BPF=y"));
        }
        assert_eq!(gunzip(b"CONFIG_HZ=250\n"), None);
    }
}

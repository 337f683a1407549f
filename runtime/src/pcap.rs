//! Packet captures: classic pcap and pcapng, in and out.
//!
//! In: bytes of either format, in either byte order. Out: [`Packet`]s with their times; and bytes
//! of either with nanoseconds from packets. A damaged file is an error with the offset of
//! the damage; packets before it are not lost ([`read`] returns both).

use alloc::vec::Vec;
use core::fmt;

use skep_stdlib::ByteOrder;

/// A captured packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Bytes on the wire; more than `data` if the capture was cut.
    pub wire_len: u32,
    /// What was captured.
    pub data: Vec<u8>,
}

/// What a file holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Capture {
    /// `LINKTYPE_*` of the first interface: 1 is Ethernet.
    pub link_type: u32,
    /// The packets in file order.
    pub packets: Vec<Packet>,
}

/// Why a file cannot be read to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PcapError {
    /// Byte offset of the damage.
    pub offset: usize,
    /// What is wrong.
    pub why: &'static str,
}

impl fmt::Display for PcapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "capture at byte {}: {}", self.offset, self.why)
    }
}

impl core::error::Error for PcapError {}

/// Classic files begin with one of these, in the order of their numbers.
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// pcapng: a section header block, and the number in it that shows the order.
const SECTION: u32 = 0x0a0d_0d0a;
const ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Other blocks of pcapng.
const INTERFACE: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Interface option: resolution of times.
const IF_TSRESOL: u16 = 9;

/// Reads a capture. The error, if any, is why reading stopped after the packets returned.
pub fn read(bytes: &[u8]) -> (Capture, Option<PcapError>) {
    let mut capture = Capture::default();
    let little = ByteOrder::Little.u32(bytes, 0);
    let big = ByteOrder::Big.u32(bytes, 0);
    let result = match (little, big) {
        (None, _) | (_, None) => fail(0, "shorter than any header"),
        (Some(SECTION), _) => read_ng(bytes, &mut capture),
        (Some(MICROSECONDS), _) => read_classic(bytes, ByteOrder::Little, 1000, &mut capture),
        (Some(NANOSECONDS), _) => read_classic(bytes, ByteOrder::Little, 1, &mut capture),
        (_, Some(MICROSECONDS)) => read_classic(bytes, ByteOrder::Big, 1000, &mut capture),
        (_, Some(NANOSECONDS)) => read_classic(bytes, ByteOrder::Big, 1, &mut capture),
        (Some(_), Some(_)) => fail(0, "neither pcap nor pcapng"),
    };
    (capture, result.err())
}

fn fail<T>(offset: usize, why: &'static str) -> Result<T, PcapError> {
    Err(PcapError { offset, why })
}

/// The bytes from `at` on, `len` of them.
fn piece(bytes: &[u8], at: usize, len: u32) -> Result<&[u8], PcapError> {
    let end = usize::try_from(len).ok().and_then(|len| at.checked_add(len));
    let found = end.and_then(|end| bytes.get(at..end));
    found.ok_or(PcapError { offset: at, why: "ends in the middle of a packet" })
}

fn read_classic(bytes: &[u8], order: ByteOrder, unit: u64, capture: &mut Capture) -> Result<(), PcapError> {
    let Some(link_type) = order.u32(bytes, 20) else { return fail(0, "ends in the middle of the header") };
    // The upper bits tell of checksums at the end of frames.
    capture.link_type = link_type & 0xffff;
    let mut at = 24;
    while at < bytes.len() {
        let word = |n: usize| order.u32(bytes, at + n * 4);
        let (Some(seconds), Some(fraction), Some(len), Some(wire_len)) = (word(0), word(1), word(2), word(3))
        else {
            return fail(at, "ends in the middle of a record header");
        };
        let data = piece(bytes, at + 16, len)?;
        let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * unit;
        capture.packets.push(Packet { time_ns, wire_len, data: data.to_vec() });
        at += 16 + data.len();
    }
    Ok(())
}

/// Nanoseconds per unit of an interface's times: multiply, then divide.
#[derive(Clone, Copy)]
struct Resolution {
    multiply: u64,
    divide: u64,
}

impl Resolution {
    const MICROSECONDS: Resolution = Resolution { multiply: 1000, divide: 1 };

    /// From the option's byte: a negative power of 10, or of 2 if the top bit is set.
    fn of(byte: u8) -> Option<Resolution> {
        let exponent = u32::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            return Some(Resolution { multiply: 1_000_000_000, divide: 1u64.checked_shl(exponent)? });
        }
        match exponent {
            0..=9 => Some(Resolution { multiply: 10u64.pow(9 - exponent), divide: 1 }),
            10..=19 => Some(Resolution { multiply: 1, divide: 10u64.pow(exponent - 9) }),
            _ => None,
        }
    }

    fn nanoseconds(self, units: u64) -> u64 {
        let exact = u128::from(units) * u128::from(self.multiply) / u128::from(self.divide);
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
}

fn read_ng(bytes: &[u8], capture: &mut Capture) -> Result<(), PcapError> {
    let mut order = ByteOrder::Little;
    let mut interfaces: Vec<Resolution> = Vec::new();
    let mut seen_interface = false;
    let mut at = 0;
    while at < bytes.len() {
        // The type of a section header reads the same in both orders, and it sets the order.
        if order.u32(bytes, at) == Some(SECTION) {
            order = match ByteOrder::Little.u32(bytes, at + 8) {
                Some(ORDER_MAGIC) => ByteOrder::Little,
                Some(magic) if magic.swap_bytes() == ORDER_MAGIC => ByteOrder::Big,
                Some(_) => return fail(at + 8, "section header without byte-order magic"),
                None => return fail(at, "ends in the middle of a section header"),
            };
            interfaces.clear();
        }
        let (Some(kind), Some(len)) = (order.u32(bytes, at), order.u32(bytes, at + 4)) else {
            return fail(at, "ends in the middle of a block header");
        };
        if len < 12 || len % 4 != 0 {
            return fail(at + 4, "block with an impossible length");
        }
        let block = piece(bytes, at, len)?;
        let body = block.get(8..block.len() - 4).unwrap_or_default();
        match kind {
            INTERFACE => {
                let link_type = order.u16(body, 0).map_or(0, u32::from);
                if !seen_interface {
                    capture.link_type = link_type;
                    seen_interface = true;
                }
                interfaces.push(resolution(body, order).unwrap_or(Resolution::MICROSECONDS));
            }
            ENHANCED_PACKET => enhanced(body, at + 8, order, &interfaces, capture)?,
            SIMPLE_PACKET => {
                let Some(wire_len) = order.u32(body, 0) else {
                    return fail(at, "packet block is too short");
                };
                let rest = body.get(4..).unwrap_or_default();
                let data = rest.get(..wire_len as usize).unwrap_or(rest).to_vec();
                capture.packets.push(Packet { time_ns: 0, wire_len, data });
            }
            // Names, statistics, secrets: nothing that a replay needs.
            _ => {}
        }
        at += block.len();
    }
    Ok(())
}

fn enhanced(
    body: &[u8],
    at: usize,
    order: ByteOrder,
    interfaces: &[Resolution],
    capture: &mut Capture,
) -> Result<(), PcapError> {
    let word = |n: usize| order.u32(body, n * 4);
    let (Some(interface), Some(high), Some(low), Some(len), Some(wire_len)) =
        (word(0), word(1), word(2), word(3), word(4))
    else {
        return fail(at, "packet block is too short");
    };
    let Some(resolution) = interfaces.get(interface as usize) else {
        return fail(at, "packet of an interface that is not described");
    };
    let data = piece(body, 20, len).map_err(|error| PcapError { offset: at + error.offset, ..error })?;
    let time_ns = resolution.nanoseconds(u64::from(high) << 32 | u64::from(low));
    capture.packets.push(Packet { time_ns, wire_len, data: data.to_vec() });
    Ok(())
}

/// The resolution option of an interface block.
fn resolution(body: &[u8], order: ByteOrder) -> Option<Resolution> {
    let mut at = 8;
    loop {
        let (code, len) = (order.u16(body, at)?, usize::from(order.u16(body, at + 2)?));
        match code {
            0 => return None,
            IF_TSRESOL => return Resolution::of(*body.get(at + 4)?),
            _ => at += 4 + len.next_multiple_of(4),
        }
    }
}

/// Writes classic pcap, little-endian, with nanoseconds.
pub fn write(capture: &Capture) -> Vec<u8> {
    let order = ByteOrder::Little;
    let mut out = Vec::new();
    order.put_u32(&mut out, NANOSECONDS);
    order.put_u16(&mut out, 2);
    order.put_u16(&mut out, 4);
    order.put_u32(&mut out, 0);
    order.put_u32(&mut out, 0);
    order.put_u32(&mut out, 0x0004_0000);
    order.put_u32(&mut out, capture.link_type);
    for packet in &capture.packets {
        let seconds = packet.time_ns / 1_000_000_000;
        // Times end in 2106, when 32 bits of seconds do.
        order.put_u32(&mut out, u32::try_from(seconds).unwrap_or(u32::MAX));
        order.put_u32(&mut out, (packet.time_ns % 1_000_000_000) as u32);
        order.put_u32(&mut out, packet.data.len() as u32);
        order.put_u32(&mut out, packet.wire_len.max(packet.data.len() as u32));
        out.extend_from_slice(&packet.data);
    }
    out
}

/// Writes pcapng, little-endian: a section of one interface, with nanoseconds.
pub fn write_ng(capture: &Capture) -> Vec<u8> {
    let order = ByteOrder::Little;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut out = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let len = 12 + body.len().next_multiple_of(4) as u32;
        order.put_u32(&mut out, kind);
        order.put_u32(&mut out, len);
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(4), 0);
        order.put_u32(&mut out, len);
    };
    // Version 1.0, length unknown.
    block(SECTION, &words(&[ORDER_MAGIC, 1, u32::MAX, u32::MAX]));
    // No limit; one option of one byte, times in 10^-9 seconds; the end of options.
    block(INTERFACE, &words(&[capture.link_type, 0, u32::from(IF_TSRESOL) | 1 << 16, 9, 0]));
    for packet in &capture.packets {
        let (high, low) = ((packet.time_ns >> 32) as u32, packet.time_ns as u32);
        let len = packet.data.len() as u32;
        let mut body = words(&[0, high, low, len, packet.wire_len.max(len)]);
        body.extend_from_slice(&packet.data);
        block(ENHANCED_PACKET, &body);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Capture {
        let packet =
            |time_ns, data: &[u8]| Packet { time_ns, wire_len: data.len() as u32, data: data.to_vec() };
        Capture {
            link_type: 1,
            packets: [packet(1_000_000_007, b"first"), packet(2_500_000_000, b"")].to_vec(),
        }
    }

    /// The same packets as pcapng, in either order, with microseconds by default.
    fn sample_ng(order: ByteOrder) -> Vec<u8> {
        let mut out = Vec::new();
        let mut block = |kind: u32, body: &[u8]| {
            let len = 12 + body.len().next_multiple_of(4) as u32;
            order.put_u32(&mut out, kind);
            order.put_u32(&mut out, len);
            out.extend_from_slice(body);
            out.resize(out.len().next_multiple_of(4), 0);
            order.put_u32(&mut out, len);
        };
        let words = |words: &[u32]| {
            let mut bytes = Vec::new();
            words.iter().for_each(|&word| order.put_u32(&mut bytes, word));
            bytes
        };
        block(SECTION, &words(&[ORDER_MAGIC, 1, u32::MAX, u32::MAX]));
        let mut interface = Vec::new();
        order.put_u16(&mut interface, 1);
        interface.extend([0; 6]);
        order.put_u16(&mut interface, IF_TSRESOL);
        order.put_u16(&mut interface, 1);
        interface.extend([9, 0, 0, 0, 0, 0, 0, 0]);
        block(INTERFACE, &interface);
        for packet in sample().packets {
            let (high, low) = ((packet.time_ns >> 32) as u32, packet.time_ns as u32);
            let len = packet.data.len() as u32;
            let mut body = words(&[0, high, low, len, len]);
            body.extend(&packet.data);
            block(ENHANCED_PACKET, &body);
        }
        block(5, &[0; 8]);
        out
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write(&sample())), (sample(), None));
        assert_eq!(read(&write_ng(&sample())), (sample(), None));
        assert!(sample_ng(ByteOrder::Little).starts_with(&write_ng(&sample())));
    }

    #[test]
    fn both_orders_of_pcapng() {
        assert_eq!(read(&sample_ng(ByteOrder::Little)), (sample(), None));
        assert_eq!(read(&sample_ng(ByteOrder::Big)), (sample(), None));
    }

    #[test]
    fn classic_microseconds_in_big_endian() {
        let order = ByteOrder::Big;
        let mut bytes = Vec::new();
        for word in [MICROSECONDS, 0x0002_0004, 0, 0, 65535, 1, 3, 500, 2, 60] {
            order.put_u32(&mut bytes, word);
        }
        bytes.extend(b"ab");
        let packet = Packet { time_ns: 3_000_500_000, wire_len: 60, data: b"ab".to_vec() };
        assert_eq!(read(&bytes), (Capture { link_type: 1, packets: [packet].to_vec() }, None));
    }

    #[test]
    fn damage_is_located_and_costs_only_what_follows() {
        let bytes = write(&sample());
        let (capture, error) = read(&bytes[..bytes.len() - 1]);
        assert_eq!(capture.packets.len(), 1);
        assert_eq!(error.map(|error| error.offset), Some(24 + 16 + 5));
        for bytes in [write(&sample()), sample_ng(ByteOrder::Little), sample_ng(ByteOrder::Big)] {
            // Miri is slow.
            for len in (0..bytes.len()).step_by(if cfg!(miri) { 16 } else { 1 }) {
                let _ = read(&bytes[..len]);
                let mut flipped = bytes.clone();
                flipped[len] ^= 0xff;
                let _ = read(&flipped);
            }
        }
    }
}

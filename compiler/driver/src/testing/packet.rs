//! Packets by their headers: `{ src = "10.0.0.1", dst = "10.0.0.2", proto = "tcp", dport = 80 }`.
//!
//! Ethernet, perhaps a VLAN tag, IPv4 or IPv6 by the spelling of the addresses, and TCP, UDP or ICMP
//! with right lengths and checksums. What is not said has an ordinary value.

use serde::Deserialize;
use toml::{Table, Value};

use crate::values;

/// The headers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Headers {
    eth_src: String,
    eth_dst: String,
    vlan: Option<u16>,
    src: String,
    dst: String,
    ttl: u8,
    tos: u8,
    proto: String,
    sport: u16,
    dport: u16,
    /// Letters of TCP's flags, as tcpdump has them: `S`, `SA`, `F`.
    flags: String,
    seq: u32,
    ack: u32,
    /// ICMP.
    #[serde(rename = "type")]
    ty: u8,
    code: u8,
    payload: String,
    /// Bytes of the whole packet; the payload is filled up with zeros.
    len: Option<usize>,
}

impl Default for Headers {
    fn default() -> Headers {
        Headers {
            eth_src: "02:00:00:00:00:01".into(),
            eth_dst: "02:00:00:00:00:02".into(),
            vlan: None,
            src: "10.0.0.1".into(),
            dst: "10.0.0.2".into(),
            ttl: 64,
            tos: 0,
            proto: "udp".into(),
            sport: 1024,
            dport: 9,
            flags: String::new(),
            seq: 1,
            ack: 0,
            ty: 8,
            code: 0,
            payload: String::new(),
            len: None,
        }
    }
}

const ETH_IPV4: u16 = 0x0800;
const ETH_IPV6: u16 = 0x86dd;
const ETH_VLAN: u16 = 0x8100;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// Largest packet that is made.
const MAX_LEN: usize = 0xffff;

/// The packet with these headers.
pub fn build(headers: &Table) -> Result<Vec<u8>, String> {
    let headers: Headers = Value::Table(headers.clone()).try_into().map_err(|error| {
        let error: toml::de::Error = error;
        error.message().to_owned()
    })?;
    let (src, dst) = (ip(&headers.src)?, ip(&headers.dst)?);
    if src.len() != dst.len() {
        return Err(format!("`{}` and `{}` are addresses of two kinds", headers.src, headers.dst));
    }
    let v6 = src.len() == 16;
    let proto = protocol(&headers.proto, v6)?;
    let mut packet = [mac(&headers.eth_dst)?, mac(&headers.eth_src)?].concat();
    if let Some(vlan) = headers.vlan {
        packet.extend(ETH_VLAN.to_be_bytes());
        packet.extend(vlan.to_be_bytes());
    }
    packet.extend(if v6 { ETH_IPV6 } else { ETH_IPV4 }.to_be_bytes());
    let before = packet.len() + if v6 { 40 } else { 20 };
    let mut segment = transport(&headers, proto)?;
    if let Some(len) = headers.len {
        let room = len.checked_sub(before + segment.len()).filter(|_| len <= MAX_LEN);
        let room = room.ok_or_else(|| format!("a packet with these headers cannot have {len} bytes"))?;
        segment.resize(segment.len() + room, 0);
    }
    if before + segment.len() > MAX_LEN {
        return Err("the packet is too long".into());
    }
    finish(&mut segment, proto, &src, &dst);
    packet.extend(network(&headers, proto, &src, &dst, segment.len() as u16));
    packet.extend(segment);
    Ok(packet)
}

fn ip(text: &str) -> Result<Vec<u8>, String> {
    let address = values::address(text).filter(|bytes| bytes.len() == 4 || bytes.len() == 16);
    address.ok_or_else(|| format!("`{text}` is not an address"))
}

fn mac(text: &str) -> Result<Vec<u8>, String> {
    let address = values::address(text).filter(|bytes| bytes.len() == 6);
    address.ok_or_else(|| format!("`{text}` is not an address of Ethernet"))
}

fn protocol(name: &str, v6: bool) -> Result<u8, String> {
    match name {
        "tcp" => Ok(TCP),
        "udp" => Ok(UDP),
        "icmp" => Ok(if v6 { ICMPV6 } else { ICMP }),
        other => {
            other.parse().map_err(|_| format!("`{other}` is not a protocol: tcp, udp, icmp or a number"))
        }
    }
}

/// The header of the transport without its checksum, and the payload.
fn transport(headers: &Headers, proto: u8) -> Result<Vec<u8>, String> {
    let mut segment = Vec::new();
    match proto {
        TCP => {
            segment.extend(headers.sport.to_be_bytes());
            segment.extend(headers.dport.to_be_bytes());
            segment.extend(headers.seq.to_be_bytes());
            segment.extend(headers.ack.to_be_bytes());
            segment.extend([5 << 4, flags(&headers.flags)?, 0xff, 0xff, 0, 0, 0, 0]);
        }
        UDP => {
            segment.extend(headers.sport.to_be_bytes());
            segment.extend(headers.dport.to_be_bytes());
            segment.extend([0; 4]);
        }
        ICMP | ICMPV6 => segment.extend([headers.ty, headers.code, 0, 0, 0, 1, 0, 1]),
        _ => {}
    }
    match headers.payload.strip_prefix("hex:") {
        Some(digits) => {
            segment.extend(values::hex(digits).map_err(|error| error.message().unwrap_or_default())?)
        }
        None => segment.extend(headers.payload.as_bytes()),
    }
    Ok(segment)
}

fn flags(letters: &str) -> Result<u8, String> {
    let bit = |letter: char| -> Result<u8, String> {
        let at = "FSRPAUEC".find(letter).ok_or_else(|| format!("`{letter}` is not a flag of TCP"))?;
        Ok(1u8 << at)
    };
    letters.chars().try_fold(0, |flags, letter| Ok(flags | bit(letter)?))
}

/// Lengths and checksums that cover the payload.
fn finish(segment: &mut [u8], proto: u8, src: &[u8], dst: &[u8]) {
    let len = segment.len() as u16;
    if proto == UDP {
        segment[4..6].copy_from_slice(&len.to_be_bytes());
    }
    let pseudo = [src, dst, &[0, proto], &len.to_be_bytes()].concat();
    let (at, covered) = match proto {
        TCP => (16, pseudo),
        UDP => (6, pseudo),
        ICMPV6 => (2, pseudo),
        ICMP => (2, Vec::new()),
        _ => return,
    };
    let sum = match checksum(&[covered.as_slice(), segment].concat()) {
        // Zero would say that there is none.
        0 if proto == UDP => 0xffff,
        sum => sum,
    };
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

fn network(headers: &Headers, proto: u8, src: &[u8], dst: &[u8], payload: u16) -> Vec<u8> {
    let mut header = Vec::new();
    if src.len() == 16 {
        header.extend([0x60 | headers.tos >> 4, headers.tos << 4, 0, 0]);
        header.extend(payload.to_be_bytes());
        header.extend([proto, headers.ttl]);
    } else {
        header.extend([0x45, headers.tos]);
        header.extend((payload + 20).to_be_bytes());
        header.extend([0, 0, 0x40, 0, headers.ttl, proto, 0, 0]);
    }
    header.extend(src);
    header.extend(dst);
    if src.len() == 4 {
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    header
}

/// The checksum of the internet: the complement of the sum of all words.
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &str) -> Result<Vec<u8>, String> {
        build(&toml::from_str(text).expect("a table"))
    }

    #[test]
    fn checksums_hold() {
        let udp = packet("proto = \"udp\"\npayload = \"odd\"").unwrap();
        assert_eq!(udp.len(), 14 + 20 + 8 + 3);
        assert_eq!(checksum(&udp[14..34]), 0);
        let pseudo = [&udp[26..34], &[0, UDP], &11u16.to_be_bytes(), &udp[34..]].concat();
        assert_eq!(checksum(&pseudo), 0);
    }

    #[test]
    fn headers_by_name() {
        let tcp = packet(
            "src = \"fe80::1\"\ndst = \"fe80::2\"\nproto = \"tcp\"\nflags = \"SA\"\nvlan = 7\nlen = 100",
        );
        let tcp = tcp.unwrap();
        assert_eq!((tcp.len(), &tcp[12..18]), (100, &[0x81, 0, 0, 7, 0x86, 0xdd][..]));
        assert_eq!(tcp[18 + 40 + 13], 0x12);
        assert!(packet("src = \"::1\"").is_err());
        assert!(packet("flags = \"X\"\nproto = \"tcp\"").is_err());
        assert!(packet("len = 10").is_err());
        assert!(packet("sprot = 1").is_err());
    }
}

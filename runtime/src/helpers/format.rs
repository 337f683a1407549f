//! The format strings of `bpf_trace_printk`, `bpf_snprintf` and their kin, by the kernel's rules.
//!
//! In: the format without its terminator, 64-bit arguments, a way to fetch memory. Out: the text,
//! or `-EINVAL` for what the kernel refuses: other conversions than `d i u x X s c p` and the
//! pointer forms, precisions, `#`, more conversions than arguments, bytes outside of ASCII.
//!
//! Two things differ on purpose, so that output does not change from run to run: `%p` prints the
//! address instead of a hash of it, and symbols (`%ps`) print as addresses.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::maps::Errno;

/// Where conversions that take addresses get their bytes.
pub trait Source {
    /// The terminated string at an address; none if it cannot be read, which prints as nothing.
    fn string(&self, address: u64) -> Option<Vec<u8>>;
    /// `len` bytes at an address.
    fn bytes(&self, address: u64, len: usize) -> Option<Vec<u8>>;
}

/// Flags and width of a conversion.
#[derive(Clone, Copy, Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    width: usize,
}

/// Formats `args` by `fmt`.
pub fn format_args(fmt: &[u8], args: &[u64], source: &dyn Source) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::with_capacity(fmt.len() + 16);
    let mut args = args.iter().copied();
    let mut rest = fmt;
    while let Some((&byte, tail)) = rest.split_first() {
        if !(byte.is_ascii_graphic() || is_space(byte)) {
            return Err(Errno::EINVAL);
        }
        rest = tail;
        match (byte, tail.first()) {
            (b'%', Some(b'%')) => {
                out.push(b'%');
                rest = tail.get(1..).unwrap_or_default();
            }
            (b'%', _) => rest = convert(tail, &mut args, source, &mut out)?,
            _ => out.push(byte),
        }
    }
    Ok(out)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// One conversion, from behind the `%`; returns what follows it.
fn convert<'f>(
    fmt: &'f [u8],
    args: &mut impl Iterator<Item = u64>,
    source: &dyn Source,
    out: &mut Vec<u8>,
) -> Result<&'f [u8], Errno> {
    let mut spec = Spec::default();
    let mut rest = fmt;
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            b'0' => spec.zero = true,
            b'+' => spec.plus = true,
            b'-' => spec.left = true,
            b' ' => spec.space = true,
            _ => break,
        }
        rest = tail;
    }
    while let Some((&digit, tail)) = rest.split_first().filter(|(digit, _)| digit.is_ascii_digit()) {
        // No buffer of the kernel's is larger than this.
        spec.width = (spec.width * 10 + usize::from(digit - b'0')).min(1024);
        rest = tail;
    }
    let mut longs = 0;
    while let Some(tail) = rest.strip_prefix(b"l").filter(|_| longs < 2) {
        longs += 1;
        rest = tail;
    }
    let (&conversion, rest) = rest.split_first().ok_or(Errno::EINVAL)?;
    let arg = args.next().ok_or(Errno::EINVAL)?;
    match conversion {
        b'd' | b'i' => {
            let value = if longs > 0 { arg as i64 } else { i64::from(arg as i32) };
            spec.number(out, value < 0, &format!("{}", value.unsigned_abs()));
        }
        b'u' | b'x' | b'X' => {
            let value = if longs > 0 { arg } else { u64::from(arg as u32) };
            let digits = match conversion {
                b'x' => format!("{value:x}"),
                b'X' => format!("{value:X}"),
                _ => format!("{value}"),
            };
            Spec { plus: false, space: false, ..spec }.number(out, false, &digits);
        }
        b's' if longs == 0 => spec.text(out, &source.string(arg).unwrap_or_default()),
        b'c' if longs == 0 => spec.text(out, &[arg as u8]),
        b'p' if longs == 0 => return pointer(rest, spec, arg, source, out),
        _ => return Err(Errno::EINVAL),
    }
    Ok(rest)
}

/// `%p` and what may follow it.
fn pointer<'f>(
    rest: &'f [u8],
    spec: Spec,
    arg: u64,
    source: &dyn Source,
    out: &mut Vec<u8>,
) -> Result<&'f [u8], Errno> {
    if let Some(tail) = rest.strip_prefix(b"ks").or_else(|| rest.strip_prefix(b"us")) {
        spec.text(out, &source.string(arg).unwrap_or_default());
        return Ok(tail);
    }
    match rest.split_first() {
        Some((b'x' | b'K', tail)) => {
            spec.text(out, format!("{arg:016x}").as_bytes());
            Ok(tail)
        }
        Some((b's' | b'S' | b'B', tail)) => {
            spec.text(out, format!("{arg:#x}").as_bytes());
            Ok(tail)
        }
        Some((&(form @ b'i' | form @ b'I'), tail)) => {
            let (&version, tail) = tail.split_first().ok_or(Errno::EINVAL)?;
            let len = match version {
                b'4' => 4,
                b'6' => 16,
                _ => return Err(Errno::EINVAL),
            };
            let bytes = source.bytes(arg, len).unwrap_or_else(|| alloc::vec![0; len]);
            spec.text(out, ip_address(form, &bytes).as_bytes());
            Ok(tail)
        }
        Some((&next, _)) if !(is_space(next) || next.is_ascii_punctuation()) => Err(Errno::EINVAL),
        _ => {
            spec.text(out, format!("{arg:016x}").as_bytes());
            Ok(rest)
        }
    }
}

/// `%pI4` 1.2.3.4, `%pi4` 001.002.003.004, `%pI6` with colons, `%pi6` without.
fn ip_address(form: u8, bytes: &[u8]) -> String {
    let parts: Vec<String> = match bytes.len() {
        4 if form == b'I' => bytes.iter().map(|byte| format!("{byte}")).collect(),
        4 => bytes.iter().map(|byte| format!("{byte:03}")).collect(),
        _ => bytes
            .chunks(2)
            .map(|pair| pair.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            .collect(),
    };
    parts.join(match (bytes.len(), form) {
        (4, _) => ".",
        (_, b'I') => ":",
        (_, _) => "",
    })
}

impl Spec {
    fn number(self, out: &mut Vec<u8>, negative: bool, digits: &str) {
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        if self.zero && !self.left {
            out.extend_from_slice(sign.as_bytes());
            let zeros = self.width.saturating_sub(sign.len() + digits.len());
            out.extend(core::iter::repeat_n(b'0', zeros));
            out.extend_from_slice(digits.as_bytes());
        } else {
            self.text(out, format!("{sign}{digits}").as_bytes());
        }
    }

    fn text(self, out: &mut Vec<u8>, text: &[u8]) {
        let padding = core::iter::repeat_n(b' ', self.width.saturating_sub(text.len()));
        if self.left {
            out.extend_from_slice(text);
            out.extend(padding);
        } else {
            out.extend(padding);
            out.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Strings;

    impl Source for Strings {
        fn string(&self, address: u64) -> Option<Vec<u8>> {
            (address == 16).then(|| b"bash".to_vec())
        }

        fn bytes(&self, _address: u64, len: usize) -> Option<Vec<u8>> {
            Some((1..=len as u8).collect())
        }
    }

    fn text(fmt: &str, args: &[u64]) -> String {
        match format_args(fmt.as_bytes(), args, &Strings) {
            Ok(text) => String::from_utf8(text).unwrap(),
            Err(errno) => format!("error {}", errno.0),
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(text("%d %u", &[u64::MAX, u64::MAX]), "-1 4294967295");
        assert_eq!(text("%lld %llu", &[u64::MAX, u64::MAX]), "-1 18446744073709551615");
        assert_eq!(text("%lx %X", &[0xabcd_ef01_2345, 0xabcd]), "abcdef012345 ABCD");
        assert_eq!(text("[%5d][%-5d][%05d][%+d]", &[42, 42, 42, 42]), "[   42][42   ][00042][+42]");
        assert_eq!(text("%04x", &[0x1f]), "001f");
        assert_eq!(text("100%%", &[]), "100%");
    }

    #[test]
    fn strings_and_pointers() {
        assert_eq!(text("%s|%8s|%s", &[16, 16, 99]), "bash|    bash|");
        assert_eq!(text("%c%c", &[104, 105]), "hi");
        assert_eq!(text("%p,%px", &[0xff, 0xff]), "00000000000000ff,00000000000000ff");
        assert_eq!(text("%pI4 %pi4", &[1, 1]), "1.2.3.4 001.002.003.004");
        assert_eq!(text("%pI6", &[1]), "0102:0304:0506:0708:090a:0b0c:0d0e:0f10");
        assert_eq!(text("%pks", &[16]), "bash");
    }

    #[test]
    fn what_the_kernel_refuses() {
        for fmt in ["%", "%f", "%#x", "%.3s", "%hd", "%n", "%pQ", "%*d", "%ls", "caf\u{e9}", "\u{1}"] {
            assert_eq!(text(fmt, &[1, 2, 3]), "error 22", "{fmt}");
        }
        assert_eq!(text("%d %d", &[1]), "error 22");
    }
}

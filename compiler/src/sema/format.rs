//! Formats of the helpers that print, against what the kernel takes and against the arguments.
//!
//! In: a call of a helper of [`PRINTERS`] whose format is known. Out: warnings. The kernel reads a format when
//! the program runs and answers `EINVAL` to one that it does not take, so nothing is printed and nobody hears
//! of it. An argument is one register: what a conversion prints of it is four bytes, eight, or what it points to.
//!
//! ```text
//! bpf_printk("%f", x)         // format-invalid-specifier
//! bpf_printk("%d %d", x)      // format-insufficient-args
//! bpf_printk("%d", u64)       // format
//! ```

use skep_syntax::diag::{Code, codes};

use crate::hir::{
    Callee, Expr, ExprKind, GlobalId, Init, InitValue, LocalId, Place, PlaceKind, Stmt, StmtKind,
};

use super::Sema;
use super::init::{Built, LeafValue};
use super::narrowing::written;

/// What is found here.
pub const CODES: [&Code; 4] =
    [&codes::FORMAT, &codes::FORMAT_SPECIFIER, &codes::FORMAT_ARGUMENTS, &codes::FORMAT_EXTRA];

/// A helper that prints.
struct Printer {
    name: &'static str,
    /// Which argument the format is.
    format: usize,
    values: Values,
}

/// Where a helper takes what it prints from.
#[derive(Clone, Copy)]
enum Values {
    /// The arguments from this one on.
    Arguments(usize),
    /// An array of 64-bit values: this argument; the next one is its size in bytes.
    Array(usize),
}

const PRINTERS: [Printer; 4] = [
    Printer { name: "bpf_trace_printk", format: 0, values: Values::Arguments(2) },
    Printer { name: "bpf_trace_vprintk", format: 0, values: Values::Array(2) },
    Printer { name: "bpf_seq_printf", format: 1, values: Values::Array(3) },
    Printer { name: "bpf_snprintf", format: 2, values: Values::Array(3) },
];

/// What a conversion makes of its argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wants {
    /// Prints the lower four bytes.
    Word,
    /// Prints all eight bytes.
    Double,
    /// Prints the lowest byte.
    Char,
    /// Prints the address or what is there.
    Address,
}

/// A conversion: how it is written, and what it wants.
type Conversion = (String, Wants);

/// Reads a format as the kernel does; the error says what it does not take.
fn conversions(format: &[u8]) -> Result<Vec<Conversion>, String> {
    let is_space = |c: u8| c.is_ascii_whitespace() || c == 0x0b;
    let ends_word = |c: Option<&u8>| c.is_none_or(|&c| is_space(c) || c.is_ascii_punctuation());
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&c) = format.get(at) {
        at += 1;
        if c.is_ascii_control() && !is_space(c) {
            return Err(format!("the kernel takes no control character like {c:#04x} in a format"));
        }
        if c != b'%' {
            continue;
        }
        if format.get(at) == Some(&b'%') {
            at += 1;
            continue;
        }
        let start = at - 1;
        let count = |from: usize, is: fn(&u8) -> bool| {
            format.get(from..).unwrap_or(&[]).iter().take_while(|c| is(c)).count()
        };
        at += count(at, |c| b"0+- ".contains(c));
        at += count(at, u8::is_ascii_digit);
        let rest = format.get(at..).unwrap_or(&[]);
        let (len, wants) = match rest {
            [b'p', b'k' | b'u', b's', ..] if ends_word(rest.get(3)) => (3, Wants::Address),
            [b'p', b'K' | b'x' | b's' | b'S' | b'B', ..] => (2, Wants::Address),
            [b'p', b'i' | b'I', b'4' | b'6', ..] => (3, Wants::Address),
            [b'p' | b's', ..] if ends_word(rest.get(1)) => (1, Wants::Address),
            [b'c', ..] => (1, Wants::Char),
            [b'd' | b'i' | b'u' | b'x' | b'X', ..] => (1, Wants::Word),
            [b'l', b'd' | b'i' | b'u' | b'x' | b'X', ..] => (2, Wants::Double),
            [b'l', b'l', b'd' | b'i' | b'u' | b'x' | b'X', ..] => (3, Wants::Double),
            _ => {
                let mark = rest.iter().position(u8::is_ascii_alphabetic).unwrap_or(0);
                let word = rest[mark..].iter().take_while(|c| c.is_ascii_alphanumeric()).count();
                let shown = String::from_utf8_lossy(format.get(start..at + mark + word).unwrap_or(&[]));
                return Err(format!("the kernel does not know the conversion `{shown}`"));
            }
        };
        at += len;
        found.push((String::from_utf8_lossy(format.get(start..at).unwrap_or(&[])).into_owned(), wants));
    }
    Ok(found)
}

impl Sema<'_, '_> {
    /// A call through `pointer`: if it is a helper that prints, does its format fit?
    pub(super) fn check_format(&mut self, pointer: &Expr, args: &[Expr]) {
        let Some((printer, format)) = self.printed_format(pointer, args) else { return };
        let Some(at) = args.get(printer.format).map(|arg| arg.span) else { return };
        let given = match printer.values {
            Values::Arguments(first) => args.len().saturating_sub(first),
            Values::Array(first) => match args.get(first + 1).and_then(|size| self.const_int(size)) {
                Some(size) => usize::try_from(size / 8).unwrap_or(0),
                None => return,
            },
        };
        let conversions = match conversions(&format) {
            Ok(conversions) => conversions,
            Err(message) => return self.warn(&codes::FORMAT_SPECIFIER, at, message),
        };
        let wanted = conversions.len();
        if wanted > given {
            let message =
                format!("the format wants {wanted} values, but there are {given}: nothing is printed");
            return self.warn(&codes::FORMAT_ARGUMENTS, at, message);
        }
        if wanted < given {
            let message = format!("the format prints {wanted} values, but there are {given}");
            self.warn(&codes::FORMAT_EXTRA, at, message);
        }
        if let Values::Arguments(first) = printer.values {
            for (conversion, arg) in conversions.iter().zip(args.iter().skip(first)) {
                self.check_conversion(conversion, arg);
            }
        }
    }

    /// A statement expression that stores values in an array and calls a helper with it, as the macros do.
    pub(super) fn check_format_array(&mut self, stmts: &[Stmt], call: &Expr) {
        let ExprKind::Call { callee: Callee::Pointer(pointer), args } = &call.kind else { return };
        let Some((printer, format)) = self.printed_format(pointer, args) else { return };
        let Values::Array(first) = printer.values else { return };
        let Some(array) = args.get(first).and_then(array_of) else { return };
        let Ok(conversions) = conversions(&format) else { return };
        for stmt in stmts {
            let StmtKind::Expr(Expr { kind: ExprKind::Assign { place, value }, .. }) = &stmt.kind else {
                continue;
            };
            if let Some(conversion) = element_of(array, place).and_then(|index| conversions.get(index)) {
                self.check_conversion(conversion, value);
            }
        }
    }

    /// Which helper it is, and the text of its format.
    fn printed_format(&mut self, pointer: &Expr, args: &[Expr]) -> Option<(&'static Printer, Vec<u8>)> {
        let ExprKind::Load(Place { kind: PlaceKind::Global(id), .. }) = pointer.kind else { return None };
        let name = self.globals.get(id.index())?.source_name?;
        let name = self.name(name);
        let printer = PRINTERS.iter().find(|printer| printer.name == name)?;
        if self.ctx.unevaluated || self.ctx.unreached {
            return None;
        }
        let mut text = self.text_of(args.get(printer.format)?)?;
        let end = text.iter().position(|&byte| byte == 0)?;
        text.truncate(end);
        Some((printer, text))
    }

    /// The bytes that an expression points to, if they are known.
    fn text_of(&mut self, e: &Expr) -> Option<Vec<u8>> {
        let object = object_of(e)?;
        match object.kind {
            PlaceKind::Local(id) => {
                let texts = &self.ctx.function.as_ref()?.texts;
                texts.iter().find(|(local, _)| *local == id).map(|(_, text)| text.clone())
            }
            PlaceKind::Global(id) if self.globals.get(id.index())?.constant => self.text_of_global(id),
            _ => None,
        }
    }

    fn text_of_global(&mut self, id: GlobalId) -> Option<Vec<u8>> {
        self.analyze_global_init(id);
        let Init { scalars } = self.globals.get(id.index())?.init.as_ref()?;
        match scalars.as_slice() {
            [scalar] if scalar.offset == 0 => match &scalar.value {
                InitValue::Bytes(bytes) => Some(bytes.clone()),
                InitValue::Int { .. } | InitValue::Address { .. } => None,
            },
            _ => None,
        }
    }

    /// A local gets its contents: a text may be a format later.
    pub(super) fn note_text(&mut self, local: LocalId, built: &Built) {
        if !self.judges_formats {
            return;
        }
        if let [leaf] = built.leaves.as_slice()
            && let (0, LeafValue::Bytes(bytes)) = (leaf.offset, &leaf.value)
            && let Some(f) = &mut self.ctx.function
        {
            f.texts.push((local, bytes.clone()));
        }
    }

    fn check_conversion(&mut self, (shown, wants): &Conversion, arg: &Expr) {
        let arg = written(arg);
        let span = arg.span;
        let is_pointer = self.is_pointer(arg.ty);
        let size = self.types.int_kind(arg.ty).map(|kind| kind.size());
        let ty = self.shown(arg.ty);
        let message = match wants {
            Wants::Word | Wants::Char if is_pointer => {
                format!("`{shown}` prints only a part of {ty}; `%p` prints an address")
            }
            Wants::Word if size == Some(8) && !self.fits_word(arg) => {
                format!("`{shown}` prints only the lower half of {ty}; `%l` prints all of it")
            }
            Wants::Address if size.is_some_and(|size| size < 8) => {
                format!("`{shown}` wants an address, but the value is {ty}")
            }
            Wants::Word | Wants::Char | Wants::Double | Wants::Address => return,
        };
        self.warn(&codes::FORMAT, span, message);
    }
}

/// The object whose address an expression is.
fn object_of(e: &Expr) -> Option<&Place> {
    match &e.kind {
        ExprKind::Convert(inner) => object_of(inner),
        ExprKind::Address(place) => match &place.kind {
            // The first element of an array has the address of the array.
            PlaceKind::Index { base, index, .. } if matches!(index.kind, ExprKind::Const(0)) => Some(base),
            _ => Some(place),
        },
        _ => None,
    }
}

/// The local array whose address an argument is.
fn array_of(e: &Expr) -> Option<LocalId> {
    match object_of(e)?.kind {
        PlaceKind::Local(id) => Some(id),
        _ => None,
    }
}

/// Which element of a local array of 64-bit values a place is.
fn element_of(array: LocalId, place: &Place) -> Option<usize> {
    let PlaceKind::Index { base, index, scale: 8 } = &place.kind else { return None };
    match (&base.kind, &index.kind) {
        (PlaceKind::Local(id), ExprKind::Const(index)) if *id == array => usize::try_from(*index).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_those_that_the_kernel_knows() {
        let wants =
            |text: &str| conversions(text.as_bytes()).map(|found| found.iter().map(|c| c.1).collect());
        let known: [(&str, &[Wants]); 8] = [
            ("100%% done", &[]),
            ("%d %i %u %x %X", &[Wants::Word; 5]),
            ("%ld %llu %-08lx", &[Wants::Double; 3]),
            ("%s, %p. %pks %pus %pB %px %pI4 %pi6", &[Wants::Address; 8]),
            ("%c%c", &[Wants::Char; 2]),
            ("%pI4x", &[Wants::Address]),
            ("%s%d", &[Wants::Address, Wants::Word]),
            ("caf\u{e9} %+5d\n", &[Wants::Word]),
        ];
        for (text, expected) in known {
            assert_eq!(wants(text), Ok(expected.to_vec()), "{text}");
        }
        for text in
            ["%f", "%o", "%hd", "%zu", "%.3s", "%*d", "%sx", "%pksx", "%pM", "%pI5", "%", "%#x", "\u{1b}"]
        {
            assert!(conversions(text.as_bytes()).is_err(), "{text}");
        }
    }
}

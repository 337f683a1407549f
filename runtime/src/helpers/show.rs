//! Values as text by their BTF types, the way `bpf_snprintf_btf` shows them.
//!
//! ```text
//! (struct point){
//!  .x = (int)3,
//! }
//! ```
//!
//! What is zero is left out, and so is a structure or an array of nothing else: each is walked once to
//! see whether anything in it shows, and then again. The kernel keeps what it knows of the surroundings
//! in one place while it walks, and so does [`Show`], because it can be seen: nothing inside of an array
//! has a name, not even the members of structures, but for those behind an inner array.
//!
//! Pointers are shown as they are: a hash of them, as the kernel has it, would change from run to run.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Kind, Member, Type, TypeId};

/// How to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u64);

impl Flags {
    const COMPACT: u64 = 1;
    const NO_NAMES: u64 = 2;
    const RAW_POINTERS: u64 = 4;
    const ZEROS: u64 = 8;

    /// The helper's flags, if there are no others.
    pub fn new(flags: u64) -> Option<Flags> {
        let all = Flags::COMPACT | Flags::NO_NAMES | Flags::RAW_POINTERS | Flags::ZEROS;
        (flags & !all == 0).then_some(Flags(flags))
    }

    fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }
}

/// Most arrays, pointers and typedefs around a type whose name can be told.
const MAX_WRAPPED: u32 = 10;
/// Most levels that are gone down.
const MAX_DEPTH: usize = 64;

/// The text of a value.
pub fn show(btf: &Btf, ty: TypeId, bytes: &[u8], flags: Flags) -> Vec<u8> {
    let mut show = Show {
        btf,
        flags,
        out: Vec::new(),
        depth: 0,
        member: None,
        in_array: false,
        text: Text::No,
        probe: None,
        deepest: 0,
    };
    show.value(ty, ty, bytes, 0);
    show.out
}

/// Are the elements of an array characters?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    No,
    Yes,
    /// The terminator has been seen.
    Over,
}

struct Show<'a> {
    btf: &'a Btf,
    flags: Flags,
    out: Vec<u8>,
    depth: usize,
    member: Option<Member<'a>>,
    in_array: bool,
    text: Text,
    /// The level whose values are looked for instead of shown.
    probe: Option<usize>,
    /// The deepest level that shows a value.
    deepest: usize,
}

impl<'a> Show<'a> {
    fn put(&mut self, text: &str) {
        if self.probe.is_none() {
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    fn indent(&self) -> String {
        let depth = if self.flags.has(Flags::COMPACT) { 0 } else { self.depth.min(32) };
        " ".repeat(depth)
    }

    fn newline(&self) -> &'static str {
        if self.flags.has(Flags::COMPACT) { "" } else { "\n" }
    }

    fn delimiter(&self) -> &'static str {
        if self.depth == 0 { "" } else { "," }
    }

    /// `.member = (struct name *[])` and the bracket that opens.
    fn name(&self, ty: TypeId) -> String {
        if self.in_array {
            return String::new();
        }
        let id = self.member.as_ref().map_or(ty, |member| member.ty);
        let Some((words, bracket)) = self.type_name(id) else { return String::new() };
        if self.flags.has(Flags::NO_NAMES) {
            return bracket.into();
        }
        match self.member.as_ref().map(|member| member.name).filter(|name| !name.is_empty()) {
            Some(member) => format!(".{member} = ({words}){bracket}"),
            None => format!("({words}){bracket}"),
        }
    }

    fn type_name(&self, mut id: TypeId) -> Option<(String, &'static str)> {
        let (mut name, mut bracket) = (None, "");
        let (mut stars, mut arrays, mut rounds) = (String::new(), String::new(), 0);
        let last = loop {
            rounds += 1;
            match self.btf.ty(id)? {
                Type::Typedef { name: known, ty } => {
                    name.get_or_insert(known);
                    id = ty;
                }
                Type::Array { elem, .. } => {
                    bracket = "[";
                    arrays.push_str("[]");
                    id = elem;
                }
                Type::Ptr(target) => {
                    stars.push('*');
                    id = target;
                }
                Type::Void => break Type::Void,
                last => break last,
            }
            if rounds >= MAX_WRAPPED {
                return None;
            }
            while let Some(
                Type::Const(ty) | Type::Volatile(ty) | Type::Restrict(ty) | Type::TypeTag { ty, .. },
            ) = self.btf.ty(id)
            {
                id = ty;
            }
        };
        let prefix = match last.kind() {
            Kind::Struct => "struct",
            Kind::Union => "union",
            Kind::Enum | Kind::Enum64 => "enum",
            _ => "",
        };
        if matches!(last.kind(), Kind::Struct | Kind::Union) && bracket.is_empty() {
            bracket = "{";
        }
        let is_typedef = name.is_some();
        let name = name.unwrap_or(self.btf.name(id));
        let prefix = if is_typedef { "" } else { prefix };
        let gap = if prefix.is_empty() || name.is_empty() { "" } else { " " };
        let bracket = if stars.is_empty() { bracket } else { "" };
        let stars = if stars.is_empty() { stars } else { format!(" {stars}") };
        Some((format!("{prefix}{gap}{name}{stars}{arrays}"), bracket))
    }

    /// A number, which is left out if it is zero.
    fn number(&mut self, ty: TypeId, is_zero: bool, text: &str) {
        if is_zero && self.depth != 0 && !self.flags.has(Flags::ZEROS) {
            return;
        }
        let line = format!("{}{}{text}{}{}", self.indent(), self.name(ty), self.delimiter(), self.newline());
        self.put(&line);
        self.deepest = self.deepest.max(self.depth);
    }

    /// The value at the start of `bytes`, `bit` bits into it. `named` is the type as it was written.
    fn value(&mut self, ty: TypeId, named: TypeId, bytes: &[u8], bit: u32) {
        let Some(ty) = self.btf.resolve(ty).filter(|_| self.depth < MAX_DEPTH) else { return };
        let Some(what) = self.btf.ty(ty) else { return };
        match what {
            Type::Int { size, encoding, offset, bits, .. } => {
                let odd = bit != 0 || offset != 0 || !matches!(bits, 8 | 16 | 32 | 64 | 128);
                match odd || size > 8 {
                    true => self.bits(named, bytes, bit + u32::from(offset), u32::from(bits)),
                    false => self.int(named, number(bytes, size), size, encoding.is_signed()),
                }
            }
            Type::Ptr(_) => {
                let value = number(bytes, 8);
                self.number(named, value == 0, &format!("0x{value:016x}"));
            }
            Type::Enum(e) => {
                // Small ones are read as an `int` too, whatever follows them.
                let size = e.size.max(4);
                let value = number(bytes, size);
                let known = e.values.iter().find(|known| number(&known.value.to_le_bytes(), size) == value);
                let text = match (known, e.signed) {
                    (Some(known), _) => String::from(known.name),
                    (None, true) => format!("{}", sign_extended(value, size)),
                    (None, false) => format!("{value}"),
                };
                self.number(named, known.is_none() && value == 0, &text);
            }
            Type::Struct(composite) | Type::Union(composite) => {
                self.aggregate(&|show| show.members(named, &composite.members, bytes));
            }
            Type::Array { elem, count, .. } => {
                self.aggregate(&|show| show.elements(named, elem, count, bytes))
            }
            other => {
                let text = format!("<unsupported kind:{}>", other.kind() as u32);
                self.put(&text);
            }
        }
    }

    fn int(&mut self, named: TypeId, value: u64, size: u32, signed: bool) {
        if size == 1 && self.text != Text::No {
            let byte = value as u8;
            if self.text == Text::Over {
                return;
            }
            if byte == 0 {
                self.text = Text::Over;
                return;
            }
            if byte == b' ' || byte.is_ascii_graphic() {
                return self.number(named, false, &format!("'{}'", char::from(byte)));
            }
        }
        match signed {
            true => self.number(named, value == 0, &format!("{}", sign_extended(value, size))),
            false => self.number(named, value == 0, &format!("{value}")),
        }
    }

    /// Some bits, in hexadecimal.
    fn bits(&mut self, named: TypeId, bytes: &[u8], bit: u32, bits: u32) {
        let bytes = bytes.get((bit / 8) as usize..).unwrap_or_default();
        let wide = bytes.iter().take(16).rev().fold(0u128, |value, &byte| value << 8 | u128::from(byte));
        let value = wide >> (bit % 8) & u128::MAX.checked_shr(128 - bits).unwrap_or(0);
        self.number(named, value == 0, &format!("{value:#x}"));
    }

    /// A structure or array: shown if it is outermost, or if anything in it is.
    fn aggregate(&mut self, walk: &dyn Fn(&mut Show<'a>)) {
        if self.depth > 0 && !self.flags.has(Flags::ZEROS) {
            let member = self.member;
            if self.probe.is_none() {
                self.probe = Some(self.depth);
                self.deepest = 0;
            }
            walk(self);
            self.member = member;
            if self.probe != Some(self.depth) {
                return;
            }
            self.probe = None;
            if self.deepest <= self.depth {
                return;
            }
        }
        walk(self);
    }

    fn open(&mut self, named: TypeId) {
        let line = format!("{}{}{}", self.indent(), self.name(named), self.newline());
        self.put(&line);
        self.depth += 1;
    }

    fn close(&mut self, bracket: &str) {
        self.depth -= 1;
        let line = format!("{}{bracket}{}{}", self.indent(), self.delimiter(), self.newline());
        self.put(&line);
    }

    fn members(&mut self, named: TypeId, members: &[Member<'a>], bytes: &[u8]) {
        self.open(named);
        for member in members {
            self.member = Some(*member);
            let offset = member.bit_offset;
            let rest = bytes.get((offset / 8) as usize..).unwrap_or_default();
            match member.bit_size.filter(|&bits| bits != 0) {
                Some(bits) => self.bits(member.ty, rest, offset % 8, u32::from(bits)),
                None => self.value(member.ty, member.ty, rest, offset % 8),
            }
            self.member = None;
        }
        self.close("}");
    }

    fn elements(&mut self, named: TypeId, elem: TypeId, count: u32, bytes: &[u8]) {
        let elem = self.btf.resolve(elem).unwrap_or(elem);
        let size = match self.btf.ty(elem) {
            // The kernel asks for the size that is in the record, and arrays and pointers have none there.
            Some(Type::Array { .. } | Type::Ptr(_)) | None => 0,
            Some(_) => self.btf.size_of(elem).unwrap_or(0) as usize,
        };
        let is_text = size == 1 && self.btf.kind(elem) == Some(Kind::Int);
        self.text = if is_text { Text::Yes } else { Text::No };
        self.open(named);
        for index in 0..count as usize {
            self.in_array = true;
            self.member = None;
            self.value(elem, elem, bytes.get(index * size..).unwrap_or_default(), 0);
            self.in_array = false;
            self.member = None;
            if self.text == Text::Over {
                break;
            }
        }
        self.text = Text::No;
        self.close("]");
    }
}

fn number(bytes: &[u8], size: u32) -> u64 {
    let len = size.min(8) as usize;
    bytes.iter().take(len).rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

fn sign_extended(value: u64, size: u32) -> i64 {
    let unused = 64 - 8 * size.clamp(1, 8);
    (value << unused) as i64 >> unused
}

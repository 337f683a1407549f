//! Reads `.BTF`.
//!
//! In: any bytes. Out: a [`Btf`], or the offset of the first byte that makes no sense. Parsing
//! walks the records once, checks that each fits, and remembers where it starts; a record is
//! decoded when asked for. Names go into a hash index, since CO-RE looks types up by name.
//!
//! Ids inside records are not followed while parsing: [`Btf::ty`] answers `None` to ids that do
//! not exist, and every function here that follows ids bounds its steps, so circular types end.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::*;
use crate::ByteOrder;

/// Types of one object, or of the kernel.
#[derive(Clone)]
pub struct Btf {
    bytes: Vec<u8>,
    order: ByteOrder,
    /// Where the records of types start; index 0 is the first type of this file.
    records: Vec<u32>,
    strings: (usize, usize),
    /// What a split file (a kernel module's) continues.
    base: Option<Arc<Btf>>,
    first_id: u32,
    first_string: u32,
    names: Names,
    /// What each tag of a declaration is on, and the tag, in order.
    tags: Vec<(TypeId, TypeId)>,
}

/// Why bytes are not BTF.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BtfError {
    /// Byte offset of what is wrong.
    pub offset: usize,
    /// What is wrong.
    pub kind: BtfErrorKind,
}

/// What is wrong with BTF bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BtfErrorKind {
    /// The bytes end too early.
    Truncated,
    /// Neither byte order gives the magic number.
    Magic,
    /// A version other than 1.
    Version(u8),
    /// A header, or section bounds in it, that contradict the length of the file.
    Header,
    /// Strings that are not UTF-8, or do not start and end with a zero byte.
    Strings,
    /// A kind that does not exist.
    Kind(u32),
    /// A linkage that does not exist.
    Linkage(u32),
    /// An integer whose bits do not fit its bytes.
    IntBits,
    /// More types than the kernel takes.
    TooManyTypes,
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BTF at byte {}: ", self.offset)?;
        match self.kind {
            BtfErrorKind::Truncated => f.write_str("data ends in the middle of a record"),
            BtfErrorKind::Magic => f.write_str("magic number is missing"),
            BtfErrorKind::Version(version) => write!(f, "unknown version {version}"),
            BtfErrorKind::Header => f.write_str("header does not match the size of the data"),
            BtfErrorKind::Strings => f.write_str("malformed string section"),
            BtfErrorKind::Kind(kind) => write!(f, "unknown kind {kind}"),
            BtfErrorKind::Linkage(linkage) => write!(f, "unknown linkage {linkage}"),
            BtfErrorKind::IntBits => f.write_str("integer has more bits than its bytes hold"),
            BtfErrorKind::TooManyTypes => f.write_str("too many types"),
        }
    }
}

impl core::error::Error for BtfError {}

/// Steps after which a chain of typedefs and qualifiers counts as endless.
const MAX_CHAIN: usize = 64;

/// Members that the alignment of one type may depend on; circular types depend on more.
const MAX_MEMBERS: u32 = 100_000;

/// A name without the suffix from `___` on, which lets CO-RE programs declare variants of a type.
pub fn essential_name(name: &str) -> &str {
    match name.as_bytes().windows(3).position(|bytes| bytes == b"___") {
        Some(at) if at > 0 => &name[..at],
        _ => name,
    }
}

/// Hash index from essential names to ids: chains through `next`, ids ascending.
#[derive(Clone, Default)]
struct Names {
    heads: Vec<u32>,
    next: Vec<u32>,
}

impl Names {
    fn build<'a>(count: usize, name: impl Fn(usize) -> &'a str) -> Names {
        let mut heads = alloc::vec![0; count.next_power_of_two()];
        let mut next = alloc::vec![0; count];
        for at in (0..count).rev() {
            let name = name(at);
            if !name.is_empty() {
                let head = &mut heads[hash(name) as usize & (count.next_power_of_two() - 1)];
                next[at] = *head;
                *head = at as u32 + 1;
            }
        }
        Names { heads, next }
    }

    /// Indices of records whose essential name may be that of `name`.
    fn chain<'s>(&'s self, name: &str) -> impl Iterator<Item = u32> + use<'s> {
        let bucket = hash(name) as usize & self.heads.len().wrapping_sub(1);
        let mut at = self.heads.get(bucket).copied().unwrap_or(0);
        core::iter::from_fn(move || {
            let index = at.checked_sub(1)?;
            at = self.next.get(index as usize).copied().unwrap_or(0);
            Some(index)
        })
    }
}

/// FNV-1a of the essential part of a name.
fn hash(name: &str) -> u32 {
    essential_name(name)
        .bytes()
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Btf({} types)", self.len())
    }
}

impl Btf {
    /// Reads a complete file.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Btf, BtfError> {
        Btf::read(bytes.into(), None)
    }

    /// Reads a file that continues `base`, as the BTF of a kernel module does.
    pub fn parse_split(bytes: impl Into<Vec<u8>>, base: Arc<Btf>) -> Result<Btf, BtfError> {
        Btf::read(bytes.into(), Some(base))
    }

    fn read(bytes: Vec<u8>, base: Option<Arc<Btf>>) -> Result<Btf, BtfError> {
        let fail = |offset, kind| Err(BtfError { offset, kind });
        let order = match bytes.get(..2) {
            None => return fail(0, BtfErrorKind::Truncated),
            Some(magic) if magic == MAGIC.to_le_bytes() => ByteOrder::Little,
            Some(magic) if magic == MAGIC.to_be_bytes() => ByteOrder::Big,
            Some(_) => return fail(0, BtfErrorKind::Magic),
        };
        match bytes.get(2) {
            Some(&VERSION) => {}
            Some(&version) => return fail(2, BtfErrorKind::Version(version)),
            None => return fail(2, BtfErrorKind::Truncated),
        }
        let field = |at| {
            let value = order.u32(&bytes, at);
            value.map(|v| v as usize).ok_or(BtfError { offset: at, kind: BtfErrorKind::Truncated })
        };
        let header = field(4)?;
        let section = |at: usize| -> Result<(usize, usize), BtfError> {
            let bad = BtfError { offset: at, kind: BtfErrorKind::Header };
            let start = header.checked_add(field(at)?).ok_or(bad)?;
            let end = start.checked_add(field(at + 4)?).ok_or(bad)?;
            if header < HEADER_LEN as usize || end > bytes.len() { Err(bad) } else { Ok((start, end)) }
        };
        let types = section(8)?;
        let strings = section(16)?;
        let text = bytes.get(strings.0..strings.1).unwrap_or_default();
        let closed = text.last() == Some(&0) && (base.is_some() || text.first() == Some(&0));
        if core::str::from_utf8(text).is_err() || !(closed || base.is_some() && text.is_empty()) {
            return fail(strings.0, BtfErrorKind::Strings);
        }
        let records = scan(&bytes, order, types)?;
        let (first_id, first_string) = match &base {
            Some(base) => (base.len(), base.first_string + (base.strings.1 - base.strings.0) as u32),
            None => (1, 0),
        };
        let names = Names::default();
        let tags = Vec::new();
        let mut btf = Btf { bytes, order, records, strings, base, first_id, first_string, names, tags };
        btf.names = Names::build(btf.records.len(), |at| btf.record_name(btf.records[at] as usize));
        let on = |tag| Some((btf.target(tag)?, tag));
        btf.tags = btf.ids().filter(|&id| btf.kind(id) == Some(Kind::DeclTag)).filter_map(on).collect();
        btf.tags.sort_unstable();
        Ok(btf)
    }

    /// The bytes it was read from.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The order of the file it was read from.
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// One more than the highest id, [`TypeId::VOID`] included.
    pub fn len(&self) -> u32 {
        self.first_id + self.records.len() as u32
    }

    /// Whether there is no type besides `void`.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// All ids in order, `void` and those of the base not included.
    pub fn ids(&self) -> impl Iterator<Item = TypeId> + use<> {
        (self.first_id..self.len()).map(TypeId)
    }

    /// The string at an offset.
    pub fn string(&self, at: StrOff) -> Option<&str> {
        let Some(offset) = at.0.checked_sub(self.first_string) else {
            return self.base.as_ref()?.string(at);
        };
        let text = self.bytes.get(self.strings.0..self.strings.1)?;
        let rest = text.get(offset as usize..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        core::str::from_utf8(&rest[..end]).ok()
    }

    /// The record of a type, and the file it is in.
    fn record(&self, id: TypeId) -> Option<(&Btf, usize)> {
        match id.0.checked_sub(self.first_id) {
            Some(index) => Some((self, *self.records.get(index as usize)? as usize)),
            None => self.base.as_ref()?.record(id),
        }
    }

    fn word(&self, at: usize) -> u32 {
        self.order.u32(&self.bytes, at).unwrap_or(0)
    }

    fn str_at(&self, at: usize) -> &str {
        self.string(StrOff(self.word(at))).unwrap_or("")
    }

    fn record_name(&self, at: usize) -> &str {
        self.str_at(at)
    }

    /// The kind of a type.
    pub fn kind(&self, id: TypeId) -> Option<Kind> {
        if id == TypeId::VOID {
            return Some(Kind::Void);
        }
        let (btf, at) = self.record(id)?;
        Kind::from_number(btf.word(at + 4) >> 24 & 31)
    }

    /// The name in the record of a type; empty if it has none.
    pub fn name(&self, id: TypeId) -> &str {
        self.record(id).map_or("", |(btf, at)| btf.record_name(at))
    }

    /// The tags on a declaration, or on its parameter or member with this number, in the order of their ids.
    pub fn tags(&self, on: TypeId, component: Option<u32>) -> impl Iterator<Item = &str> {
        let base = self.base.as_deref().map_or(&[][..], |base| base.tags_on(on));
        base.iter().chain(self.tags_on(on)).filter_map(move |&(_, tag)| match self.ty(tag) {
            Some(Type::DeclTag { name, component: of, .. }) if of == component => Some(name),
            _ => None,
        })
    }

    fn tags_on(&self, on: TypeId) -> &[(TypeId, TypeId)] {
        let start = self.tags.partition_point(|&(declaration, _)| declaration < on);
        let count = self.tags[start..].partition_point(|&(declaration, _)| declaration == on);
        &self.tags[start..start + count]
    }

    /// The type with this id.
    pub fn ty(&self, id: TypeId) -> Option<Type<'_>> {
        if id == TypeId::VOID {
            return Some(Type::Void);
        }
        let (btf, at) = self.record(id)?;
        btf.decode(at)
    }

    /// The members of a structure or union; none for other types.
    pub fn members(&self, id: TypeId) -> impl Iterator<Item = Member<'_>> {
        self.composite(id).into_iter().flat_map(|(btf, at)| btf.members_at(at))
    }

    /// The same with where their names are: whoever looks for an offset needs one name of hundreds.
    pub fn fields(&self, id: TypeId) -> impl DoubleEndedIterator<Item = Field<StrOff>> {
        self.composite(id).into_iter().flat_map(|(btf, at)| btf.fields_at(at))
    }

    /// The record of a structure or union, and the file it is in.
    fn composite(&self, id: TypeId) -> Option<(&Btf, usize)> {
        let is_composite = matches!(self.kind(id), Some(Kind::Struct | Kind::Union));
        self.record(id).filter(|_| is_composite)
    }

    fn members_at(&self, at: usize) -> impl Iterator<Item = Member<'_>> {
        self.fields_at(at).map(|Field { name, ty, bit_offset, bit_size }| {
            let name = self.string(name).unwrap_or("");
            Field { name, ty, bit_offset, bit_size }
        })
    }

    fn fields_at(&self, at: usize) -> impl DoubleEndedIterator<Item = Field<StrOff>> {
        let info = self.word(at + 4);
        let bitfields = info >> 31 != 0;
        (0..info as usize & 0xffff).map(move |n| {
            let at = at + 12 + n * 12;
            let offset = self.word(at + 8);
            let (bit_offset, width) =
                if bitfields { (offset & 0xff_ffff, (offset >> 24) as u8) } else { (offset, 0) };
            let (name, ty) = (StrOff(self.word(at)), TypeId(self.word(at + 4)));
            Field { name, ty, bit_offset, bit_size: (width != 0).then_some(width) }
        })
    }

    fn decode(&self, at: usize) -> Option<Type<'_>> {
        let name = self.str_at(at);
        let info = self.word(at + 4);
        let (count, flag) = (info as usize & 0xffff, info >> 31 != 0);
        let size = self.word(at + 8);
        let ty = TypeId(size);
        let extra = at + 12;
        let linkage = Linkage::from_number(info & 0xffff);
        Some(match Kind::from_number(info >> 24 & 31)? {
            Kind::Void => return None,
            Kind::Int => {
                let data = self.word(extra);
                let encoding = Encoding((data >> 24) as u8 & 15);
                Type::Int { name, size, encoding, offset: (data >> 16) as u8, bits: data as u8 }
            }
            Kind::Ptr => Type::Ptr(ty),
            Kind::Array => Type::Array {
                elem: TypeId(self.word(extra)),
                index: TypeId(self.word(extra + 4)),
                count: self.word(extra + 8),
            },
            Kind::Struct => Type::Struct(Composite { name, size, members: self.members_at(at).collect() }),
            Kind::Union => Type::Union(Composite { name, size, members: self.members_at(at).collect() }),
            Kind::Enum => {
                let values = (0..count).map(|n| {
                    let raw = self.word(extra + n * 8 + 4);
                    let value = if flag { i64::from(raw as i32) } else { i64::from(raw) };
                    Enumerator { name: self.str_at(extra + n * 8), value }
                });
                Type::Enum(Enumeration { name, size, signed: flag, values: values.collect() })
            }
            Kind::Enum64 => {
                let values = (0..count).map(|n| {
                    let low = u64::from(self.word(extra + n * 12 + 4));
                    let high = u64::from(self.word(extra + n * 12 + 8));
                    let value = (high << 32 | low) as i64;
                    Enumerator { name: self.str_at(extra + n * 12), value }
                });
                Type::Enum(Enumeration { name, size: 8, signed: flag, values: values.collect() })
            }
            Kind::Fwd => Type::Fwd { name, union: flag },
            Kind::Typedef => Type::Typedef { name, ty },
            Kind::Volatile => Type::Volatile(ty),
            Kind::Const => Type::Const(ty),
            Kind::Restrict => Type::Restrict(ty),
            Kind::Func => Type::Func { name, proto: ty, linkage: linkage? },
            Kind::FuncProto => {
                let params = (0..count).map(|n| Param {
                    name: self.str_at(extra + n * 8),
                    ty: TypeId(self.word(extra + n * 8 + 4)),
                });
                Type::FuncProto { ret: ty, params: params.collect() }
            }
            Kind::Var => Type::Var { name, ty, linkage: Linkage::from_number(self.word(extra))? },
            Kind::Datasec => {
                let vars = (0..count).map(|n| SecVar {
                    ty: TypeId(self.word(extra + n * 12)),
                    offset: self.word(extra + n * 12 + 4),
                    size: self.word(extra + n * 12 + 8),
                });
                Type::Datasec { name, size, vars: vars.collect() }
            }
            Kind::Float => Type::Float { name, size },
            Kind::DeclTag => {
                let component = self.word(extra);
                Type::DeclTag { name, ty, component: (component != u32::MAX).then_some(component) }
            }
            Kind::TypeTag => Type::TypeTag { name, ty },
        })
    }

    /// Ids of all types with this name, ascending; those of the base first.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = TypeId> + 'a {
        self.candidates(name).filter(move |&id| self.name(id) == name)
    }

    /// Ids of all types whose name equals `name` without `___` suffixes: what CO-RE matches.
    pub fn candidates<'s>(&'s self, name: &str) -> impl Iterator<Item = TypeId> + use<'s> {
        let essential = alloc::string::String::from(essential_name(name));
        let base = self.base.as_deref();
        let below = base.map(|base| base.names.chain(name).map(|at| TypeId(base.first_id + at)));
        let own = self.names.chain(name).map(|at| TypeId(self.first_id + at));
        let all = below.into_iter().flatten().chain(own);
        all.filter(move |&id| essential_name(self.name(id)) == essential)
    }

    /// The first type of this kind and name.
    pub fn find(&self, name: &str, kind: Kind) -> Option<TypeId> {
        self.named(name).find(|&id| self.kind(id) == Some(kind))
    }

    /// The target of a typedef, qualifier, type tag or pointer; the type of a function or
    /// variable; the element of an array.
    pub fn target(&self, id: TypeId) -> Option<TypeId> {
        let (btf, at) = self.record(id)?;
        match self.kind(id)? {
            Kind::Array => Some(TypeId(btf.word(at + 12))),
            Kind::Ptr
            | Kind::Typedef
            | Kind::Volatile
            | Kind::Const
            | Kind::Restrict
            | Kind::TypeTag
            | Kind::DeclTag
            | Kind::Func
            | Kind::FuncProto
            | Kind::Var => Some(TypeId(btf.word(at + 8))),
            Kind::Void
            | Kind::Int
            | Kind::Struct
            | Kind::Union
            | Kind::Enum
            | Kind::Enum64
            | Kind::Fwd
            | Kind::Datasec
            | Kind::Float => None,
        }
    }

    /// The type behind typedefs, qualifiers and type tags.
    pub fn resolve(&self, mut id: TypeId) -> Option<TypeId> {
        for _ in 0..MAX_CHAIN {
            match self.kind(id)? {
                Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                    id = self.target(id)?;
                }
                _ => return Some(id),
            }
        }
        None
    }

    /// Bytes that a value of this type takes; none for `void`, functions and endless types.
    pub fn size_of(&self, id: TypeId) -> Option<u64> {
        let mut id = id;
        let mut times = 1u64;
        for _ in 0..MAX_CHAIN {
            id = self.resolve(id)?;
            let (btf, at) = self.record(id)?;
            match self.kind(id)? {
                Kind::Ptr => return times.checked_mul(8),
                Kind::Array => {
                    times = times.checked_mul(u64::from(btf.word(at + 20)))?;
                    id = TypeId(btf.word(at + 12));
                }
                Kind::Var => id = self.target(id)?,
                Kind::Int
                | Kind::Struct
                | Kind::Union
                | Kind::Enum
                | Kind::Enum64
                | Kind::Float
                | Kind::Datasec => return times.checked_mul(u64::from(btf.word(at + 8))),
                _ => return None,
            }
        }
        None
    }

    /// Natural alignment in bytes, as C computes it from the members; 1 for types without values.
    pub fn align_of(&self, id: TypeId) -> u32 {
        self.align_within(id, MAX_CHAIN / 2, &mut { MAX_MEMBERS })
    }

    fn align_within(&self, id: TypeId, depth: usize, fuel: &mut u32) -> u32 {
        let Some(id) = self.resolve(id) else { return 1 };
        let Some((btf, at)) = self.record(id) else { return 1 };
        match self.kind(id) {
            Some(Kind::Ptr) => 8,
            Some(Kind::Int | Kind::Enum | Kind::Enum64 | Kind::Float) => {
                btf.word(at + 8).clamp(1, 16).next_power_of_two().min(16)
            }
            Some(Kind::Array | Kind::Var) if depth > 0 => {
                self.target(id).map_or(1, |target| self.align_within(target, depth - 1, fuel))
            }
            Some(Kind::Struct | Kind::Union) if depth > 0 => self.align_of_members(id, depth, fuel),
            _ => 1,
        }
    }

    /// The largest alignment among members; 1 if their offsets show that they are packed.
    fn align_of_members(&self, id: TypeId, depth: usize, fuel: &mut u32) -> u32 {
        let mut largest = 1;
        for member in self.members(id) {
            *fuel = fuel.saturating_sub(1);
            if *fuel == 0 {
                return 1;
            }
            let align = self.align_within(member.ty, depth - 1, fuel);
            // A bit-field aligns its structure only if its unit is where C would put it.
            if member.bit_size.is_none() && member.bit_offset % (align * 8) != 0 {
                return 1;
            }
            largest = largest.max(align);
        }
        match self.size_of(id) {
            Some(size) if size % u64::from(largest) == 0 => largest,
            _ => 1,
        }
    }
}

/// Finds where records start, and checks that each is complete.
fn scan(bytes: &[u8], order: ByteOrder, (start, end): (usize, usize)) -> Result<Vec<u32>, BtfError> {
    let bytes = bytes.get(..end).unwrap_or_default();
    let mut records = Vec::with_capacity((end - start) / 24);
    let mut at = start;
    while at < end {
        let fail = |kind| Err(BtfError { offset: at, kind });
        if records.len() >= MAX_TYPES {
            return fail(BtfErrorKind::TooManyTypes);
        }
        let (Some(info), Some(size)) = (order.u32(bytes, at + 4), order.u32(bytes, at + 8)) else {
            return fail(BtfErrorKind::Truncated);
        };
        let count = info as usize & 0xffff;
        let number = info >> 24 & 31;
        let extra = match Kind::from_number(number) {
            None | Some(Kind::Void) => return fail(BtfErrorKind::Kind(number)),
            Some(Kind::Int | Kind::Var | Kind::DeclTag) => 4,
            Some(Kind::Array) => 12,
            Some(Kind::Struct | Kind::Union | Kind::Datasec | Kind::Enum64) => count * 12,
            Some(Kind::Enum | Kind::FuncProto) => count * 8,
            Some(
                Kind::Ptr
                | Kind::Fwd
                | Kind::Typedef
                | Kind::Volatile
                | Kind::Const
                | Kind::Restrict
                | Kind::Func
                | Kind::Float
                | Kind::TypeTag,
            ) => 0,
        };
        let next = at + 12 + extra;
        if next > end {
            return fail(BtfErrorKind::Truncated);
        }
        let linkage = match Kind::from_number(number) {
            Some(Kind::Func) => Some(info & 0xffff),
            Some(Kind::Var) => order.u32(bytes, at + 12),
            _ => None,
        };
        if let Some(linkage) = linkage.filter(|&n| Linkage::from_number(n).is_none()) {
            return fail(BtfErrorKind::Linkage(linkage));
        }
        if number == Kind::Int as u32 {
            let data = order.u32(bytes, at + 12).unwrap_or(0);
            let last = u64::from(data & 0xff) + u64::from(data >> 16 & 0xff);
            if last > u64::from(size) * 8 || size > 16 {
                return fail(BtfErrorKind::IntBits);
            }
        }
        records.push(at as u32);
        at = next;
    }
    Ok(records)
}

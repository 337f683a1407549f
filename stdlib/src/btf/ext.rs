//! `.BTF.ext`: what ties instructions to functions, source lines and CO-RE relocations.
//!
//! In: the bytes of the section. Out: per code section, lists of records; and back. Offsets count
//! bytes from the start of the code section. Strings are offsets into `.BTF`'s string section,
//! because the two sections share it: resolve them with [`Btf::string`](super::Btf::string), make
//! them with [`Builder::string`](super::Builder::string).

use alloc::vec::Vec;

use super::{BtfError, BtfErrorKind, MAGIC, StrOff, TypeId, VERSION};
use crate::ByteOrder;

/// The records of `.BTF.ext`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ext {
    /// The type of each function.
    pub funcs: Vec<ExtSection<FuncInfo>>,
    /// The source line of instructions.
    pub lines: Vec<ExtSection<LineInfo>>,
    /// CO-RE relocations.
    pub relos: Vec<ExtSection<CoreRelo>>,
}

/// The records of one code section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtSection<T> {
    /// Name of the code section.
    pub name: StrOff,
    /// Its records, by ascending offset.
    pub records: Vec<T>,
}

/// The instruction that starts a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FuncInfo {
    /// Byte offset of the instruction.
    pub insn_off: u32,
    /// Its [`Type::Func`](super::Type::Func).
    pub ty: TypeId,
}

/// The source line of the instructions from here on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineInfo {
    /// Byte offset of the instruction.
    pub insn_off: u32,
    /// Name of the source file.
    pub file: StrOff,
    /// Text of the line.
    pub text: StrOff,
    /// Line, counted from 1; 22 bits.
    pub line: u32,
    /// Column, counted from 1; 10 bits. 0 if unknown.
    pub column: u32,
}

/// An instruction that depends on the layout of a kernel type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoreRelo {
    /// Byte offset of the instruction.
    pub insn_off: u32,
    /// The local type the access starts from.
    pub ty: TypeId,
    /// Indices from that type: `0:1:2`.
    pub access: StrOff,
    /// What the instruction needs to know.
    pub kind: CoreKind,
}

macro_rules! core_kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What a CO-RE relocation asks of the target's types.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum CoreKind { $($(#[$doc])* $variant = $number,)* }

        impl CoreKind {
            /// Every kind, by number.
            pub const ALL: &[CoreKind] = &[$(CoreKind::$variant,)*];

            /// The kind with this number in the format.
            pub const fn from_number(number: u32) -> Option<CoreKind> {
                match number {
                    $($number => Some(CoreKind::$variant),)*
                    _ => None,
                }
            }

            /// Its name in listings: `byte_off`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(CoreKind::$variant => $name,)*
                }
            }
        }
    };
}

core_kinds! {
    /// Offset of a member in bytes.
    FieldByteOffset = 0, "byte_off";
    /// Size of a member in bytes.
    FieldByteSize = 1, "byte_sz";
    /// Whether the member exists.
    FieldExists = 2, "field_exists";
    /// Whether the member is signed.
    FieldSigned = 3, "signed";
    /// Left shift that brings a bit-field to the top of 64 bits.
    FieldLshiftU64 = 4, "lshift_u64";
    /// Right shift that then brings it to the bottom.
    FieldRshiftU64 = 5, "rshift_u64";
    /// Id of the type in the program's BTF.
    TypeIdLocal = 6, "local_type_id";
    /// Id of the type in the target's BTF.
    TypeIdTarget = 7, "target_type_id";
    /// Whether the type exists.
    TypeExists = 8, "type_exists";
    /// Size of the type in bytes.
    TypeSize = 9, "type_size";
    /// Whether the enumerator exists.
    EnumvalExists = 10, "enumval_exists";
    /// Value of the enumerator.
    EnumvalValue = 11, "enumval_value";
    /// Whether a type exists that looks the same.
    TypeMatches = 12, "type_matches";
}

/// A record of fixed length.
trait Record: Sized {
    /// Bytes.
    const LEN: u32;
    fn read(bytes: &[u8], at: usize, order: ByteOrder) -> Result<Option<Self>, BtfErrorKind>;
    fn words(&self) -> impl IntoIterator<Item = u32>;
}

impl Record for FuncInfo {
    const LEN: u32 = 8;

    fn read(bytes: &[u8], at: usize, order: ByteOrder) -> Result<Option<Self>, BtfErrorKind> {
        let word = |n: usize| order.u32(bytes, at + n * 4);
        Ok(word(0).zip(word(1)).map(|(insn_off, ty)| FuncInfo { insn_off, ty: TypeId(ty) }))
    }

    fn words(&self) -> impl IntoIterator<Item = u32> {
        [self.insn_off, self.ty.0]
    }
}

impl Record for LineInfo {
    const LEN: u32 = 16;

    fn read(bytes: &[u8], at: usize, order: ByteOrder) -> Result<Option<Self>, BtfErrorKind> {
        let word = |n: usize| order.u32(bytes, at + n * 4);
        let (Some(insn_off), Some(file), Some(text), Some(place)) = (word(0), word(1), word(2), word(3))
        else {
            return Ok(None);
        };
        let (line, column) = (place >> 10, place & 0x3ff);
        Ok(Some(LineInfo { insn_off, file: StrOff(file), text: StrOff(text), line, column }))
    }

    fn words(&self) -> impl IntoIterator<Item = u32> {
        // Columns beyond 10 bits and lines beyond 22 cannot be told; the last value stands for all.
        let place = self.line.min(0x3f_ffff) << 10 | self.column.min(0x3ff);
        [self.insn_off, self.file.0, self.text.0, place]
    }
}

impl Record for CoreRelo {
    const LEN: u32 = 16;

    fn read(bytes: &[u8], at: usize, order: ByteOrder) -> Result<Option<Self>, BtfErrorKind> {
        let word = |n: usize| order.u32(bytes, at + n * 4);
        let (Some(insn_off), Some(ty), Some(access), Some(kind)) = (word(0), word(1), word(2), word(3))
        else {
            return Ok(None);
        };
        let kind = CoreKind::from_number(kind).ok_or(BtfErrorKind::Kind(kind))?;
        Ok(Some(CoreRelo { insn_off, ty: TypeId(ty), access: StrOff(access), kind }))
    }

    fn words(&self) -> impl IntoIterator<Item = u32> {
        [self.insn_off, self.ty.0, self.access.0, self.kind as u32]
    }
}

/// Length of the header with CO-RE relocations.
const HEADER_LEN: u32 = 32;

impl Ext {
    /// Reads the section.
    pub fn parse(bytes: &[u8]) -> Result<Ext, BtfError> {
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
        let Some(header) = order.u32(bytes, 4) else { return fail(4, BtfErrorKind::Truncated) };
        let header = header as usize;
        if header < 24 || header > bytes.len() {
            return fail(4, BtfErrorKind::Header);
        }
        let table = |at: usize| -> Result<(usize, usize), BtfError> {
            // Files from before CO-RE have a header without the third table.
            if at + 8 > header {
                return Ok((header, header));
            }
            let bad = BtfError { offset: at, kind: BtfErrorKind::Header };
            let start = order.u32(bytes, at).ok_or(bad)? as usize + header;
            let end = order.u32(bytes, at + 4).ok_or(bad)? as usize + start;
            if end > bytes.len() { Err(bad) } else { Ok((start, end)) }
        };
        Ok(Ext {
            funcs: read_table(bytes, order, table(8)?)?,
            lines: read_table(bytes, order, table(16)?)?,
            relos: read_table(bytes, order, table(24)?)?,
        })
    }

    /// Writes the section.
    pub fn write(&self, order: ByteOrder) -> Vec<u8> {
        let funcs = write_table(&self.funcs, order);
        let lines = write_table(&self.lines, order);
        let relos = write_table(&self.relos, order);
        let mut out = Vec::new();
        order.put_u16(&mut out, MAGIC);
        out.extend_from_slice(&[VERSION, 0]);
        order.put_u32(&mut out, HEADER_LEN);
        let mut at = 0;
        for table in [&funcs, &lines, &relos] {
            order.put_u32(&mut out, at);
            order.put_u32(&mut out, table.len() as u32);
            at += table.len() as u32;
        }
        out.extend_from_slice(&funcs);
        out.extend_from_slice(&lines);
        out.extend_from_slice(&relos);
        out
    }
}

fn read_table<T: Record>(
    bytes: &[u8],
    order: ByteOrder,
    (start, end): (usize, usize),
) -> Result<Vec<ExtSection<T>>, BtfError> {
    let mut sections = Vec::new();
    if start == end {
        return Ok(sections);
    }
    let bytes = bytes.get(..end).unwrap_or_default();
    let truncated = |offset| BtfError { offset, kind: BtfErrorKind::Truncated };
    let word = |at| order.u32(bytes, at).ok_or(truncated(at));
    let len = word(start)?;
    if len < T::LEN || len % 4 != 0 {
        return Err(BtfError { offset: start, kind: BtfErrorKind::Header });
    }
    let mut at = start + 4;
    while at < end {
        let name = StrOff(word(at)?);
        let count = word(at + 4)?;
        at += 8;
        let mut records = Vec::new();
        for _ in 0..count {
            // Newer producers may append fields to records; those are skipped.
            if at + len as usize > end {
                return Err(truncated(at));
            }
            let record = T::read(bytes, at, order).map_err(|kind| BtfError { offset: at, kind })?;
            records.push(record.ok_or(truncated(at))?);
            at += len as usize;
        }
        sections.push(ExtSection { name, records });
    }
    Ok(sections)
}

fn write_table<T: Record>(sections: &[ExtSection<T>], order: ByteOrder) -> Vec<u8> {
    let mut out = Vec::new();
    order.put_u32(&mut out, T::LEN);
    for section in sections.iter().filter(|section| !section.records.is_empty()) {
        order.put_u32(&mut out, section.name.0);
        order.put_u32(&mut out, section.records.len() as u32);
        for record in &section.records {
            record.words().into_iter().for_each(|word| order.put_u32(&mut out, word));
        }
    }
    // A table without sections is empty, as compilers write it.
    if out.len() == 4 { Vec::new() } else { out }
}

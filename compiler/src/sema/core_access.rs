//! CO-RE: access paths that the loader adjusts to the types of the running kernel.
//!
//! A [`Chain`] collects the steps of `p[3].a.b[2]`: the index of the root, then member and element
//! numbers, and what they amount to in the local types. Access strings are those of clang:
//! anonymous members count, unnamed bit-fields do not.
//!
//! Bit-fields: the relocated offset is that of the storage unit that libbpf computes (the
//! declared type's size, doubled until the field fits), so that load, shifts and loader agree.

use skep_syntax::diag::codes;
use skep_syntax::source::Span;

use crate::hir::{CoreId, CoreKind, CoreReloc, Expr, ExprKind, Place, PlaceKind};
use crate::types::{IntKind, RecordId, Type, TypeId};

use super::Sema;
use super::access::{Lvalue, LvalueKind};

/// An access path that is still growing.
#[derive(Clone)]
pub struct Chain {
    /// Address of the root.
    base: Expr,
    /// Type of the root as written: a record or a typedef name of one.
    root: TypeId,
    /// The access string so far.
    access: Vec<u32>,
    /// Bytes from the base, by the local types.
    offset: u64,
    /// Of a bit-field: its first bit from the base, width, size of its declared type.
    bits: Option<(u64, u32, u32)>,
    /// Innermost record and member.
    member: Option<(RecordId, u32)>,
}

impl Chain {
    /// A path that starts at element `index` of a pointer or array of records of `size` bytes.
    pub fn start(base: Expr, root: TypeId, index: u32, size: u64) -> Chain {
        let offset = u64::from(index).saturating_mul(size);
        Chain { base, root, access: vec![index], offset, bits: None, member: None }
    }

    /// Goes on to an array element.
    pub fn push_element(&mut self, index: u32, size: u64) {
        self.access.push(index);
        self.offset = self.offset.saturating_add(u64::from(index).saturating_mul(size));
    }
}

/// Where the bits of a bit-field are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unit {
    /// Bytes from the base of the record.
    offset: u64,
    /// Bytes.
    size: u32,
    /// First bit in it, from the least significant end of the unit in memory order.
    bit: u32,
}

/// The storage unit of `width` bits at `first`, declared with a type of `size` bytes.
fn unit_of(first: u64, width: u32, size: u32) -> Unit {
    let mut size = u64::from(size.clamp(1, 8));
    let start = |size: u64| first / 8 / size * size;
    while size < 8 && first + u64::from(width) > (start(size) + size) * 8 {
        size *= 2;
    }
    let offset = start(size);
    Unit { offset, size: size as u32, bit: (first - offset * 8) as u32 }
}

impl Sema<'_, '_> {
    /// The path that an access to a member of `object` continues, or a new one.
    pub(super) fn chain_at(&mut self, object: Lvalue) -> Chain {
        let (ty, span) = (object.ty, object.span);
        let kind = match object.kind {
            LvalueKind::Chain(chain) => return *chain,
            LvalueKind::Plain(kind) => kind,
        };
        if let PlaceKind::Core { base, core } = kind {
            return self.reopened(*base, core);
        }
        let base = self.address_of(Place { kind, ty, span });
        Chain::start(base, self.types.unqualified(ty), 0, 0)
    }

    /// The path of a relocation that was closed by `&` and is now dereferenced.
    fn reopened(&self, base: Expr, core: CoreId) -> Chain {
        let reloc = &self.core_relocs[core.index()];
        Chain {
            base,
            root: reloc.root,
            access: reloc.access.split(':').filter_map(|part| part.parse().ok()).collect(),
            offset: reloc.local,
            bits: None,
            member: reloc.member,
        }
    }

    /// Goes on to a member.
    pub(super) fn extend_chain(&mut self, chain: &mut Chain, record: RecordId, index: u32) {
        let Some(body) = &self.types.records[record.0 as usize].body else { return };
        let Some(field) = body.fields.get(index as usize) else { return };
        let unnamed = |field: &&crate::types::Field| field.name.is_none() && field.bit_width.is_some();
        let skipped = body.fields.iter().take(index as usize).filter(unnamed).count() as u32;
        let (bit_offset, bit_width, ty) = (field.bit_offset, field.bit_width, field.ty);
        if let (Some(width), Some(layout)) = (bit_width, self.types.layout(ty)) {
            if chain.access.len() == 1 {
                // Here clang forgets how the root was spelled.
                chain.root = self.types.intern(Type::Record(record));
            }
            chain.bits = Some((chain.offset * 8 + bit_offset, width, layout.size as u32));
        } else {
            chain.offset = chain.offset.saturating_add(bit_offset / 8);
        }
        chain.access.push(index - skipped);
        chain.member = Some((record, index));
    }

    /// Ends a path: one relocation for all of it.
    pub(super) fn close_chain(&mut self, chain: Chain) -> PlaceKind {
        let base = Box::new(chain.base.clone());
        match chain.bits {
            Some((first, width, size)) => {
                let unit = unit_of(first, width, size);
                let core = self.core_field(&chain, CoreKind::FieldByteOffset, unit.offset);
                PlaceKind::CoreBitField { base, core, bit_offset: unit.bit, width, unit: unit.size }
            }
            None => {
                let core = self.core_field(&chain, CoreKind::FieldByteOffset, chain.offset);
                PlaceKind::Core { base, core }
            }
        }
    }

    fn core_field(&mut self, chain: &Chain, kind: CoreKind, local: u64) -> CoreId {
        let access: Vec<String> = chain.access.iter().map(u32::to_string).collect();
        self.core_reloc(CoreReloc {
            kind,
            root: chain.root,
            access: access.join(":"),
            local,
            member: chain.member,
            wide: false,
        })
    }

    /// The id of a relocation; equal ones share it.
    fn core_reloc(&mut self, reloc: CoreReloc) -> CoreId {
        let key = (reloc.kind, reloc.root, reloc.access.clone());
        if let Some(&id) = self.core_ids.get(&key) {
            return id;
        }
        let id = CoreId(self.core_relocs.len() as u32);
        self.core_relocs.push(reloc);
        self.core_ids.insert(key, id);
        id
    }

    /// `__builtin_preserve_field_info`: what the loader is asked about the end of a path.
    pub(super) fn chain_info(
        &mut self,
        chain: Chain,
        ty: TypeId,
        kind: CoreKind,
        span: Span,
    ) -> Option<Expr> {
        let size = self.layout_of(ty).map_or(0, |layout| layout.size);
        let bits = chain.bits.map(|(first, width, size)| (unit_of(first, width, size), width));
        let (unit_offset, unit_size) =
            bits.map_or((chain.offset, size), |(unit, _)| (unit.offset, u64::from(unit.size)));
        let value_bits = bits.map_or(size.saturating_mul(8), |(_, width)| u64::from(width));
        let shift = |used: u64| 64u64.checked_sub(used);
        let local = match kind {
            CoreKind::FieldByteOffset => unit_offset,
            CoreKind::FieldByteSize => unit_size,
            CoreKind::FieldExists => 1,
            CoreKind::FieldSigned => {
                let kind = self.types.int_kind(ty)?;
                u64::from(kind.is_signed())
            }
            CoreKind::FieldLshiftU64 => match bits {
                Some((unit, width)) if self.cx.options.big_endian => {
                    shift(u64::from(unit.size) * 8)? + u64::from(unit.bit.min(64 - width))
                }
                Some((unit, width)) => shift(u64::from(unit.bit + width))?,
                None => shift(value_bits)?,
            },
            CoreKind::FieldRshiftU64 => shift(value_bits)?,
            CoreKind::TypeIdLocal
            | CoreKind::TypeIdTarget
            | CoreKind::TypeExists
            | CoreKind::TypeSize
            | CoreKind::EnumvalExists
            | CoreKind::EnumvalValue
            | CoreKind::TypeMatches => return None,
        };
        let core = self.core_field(&chain, kind, local);
        Some(Expr { kind: ExprKind::Core(core), ty: TypeId::int(IntKind::UInt), span })
    }

    /// A question about a whole type.
    pub(super) fn type_info(&mut self, root: TypeId, kind: CoreKind, span: Span) -> Expr {
        // Qualifiers that are written here go; those inside a typedef belong to the name asked about.
        let root = match *self.types.get(root) {
            Type::Qualified { inner, .. } => inner,
            _ => root,
        };
        let local = match kind {
            CoreKind::TypeSize => self.layout_of(root).map_or(0, |layout| layout.size),
            CoreKind::TypeExists | CoreKind::TypeMatches => 1,
            // The number of a type is known when BTF is written.
            CoreKind::TypeIdLocal | CoreKind::TypeIdTarget => 0,
            CoreKind::FieldByteOffset
            | CoreKind::FieldByteSize
            | CoreKind::FieldExists
            | CoreKind::FieldSigned
            | CoreKind::FieldLshiftU64
            | CoreKind::FieldRshiftU64
            | CoreKind::EnumvalExists
            | CoreKind::EnumvalValue => {
                self.error(&codes::CORE_ACCESS, span, "this question is not about a type");
                return self.error_expr(span);
            }
        };
        self.complete(root);
        let wide = matches!(kind, CoreKind::TypeIdLocal | CoreKind::TypeIdTarget);
        let core = self.core_reloc(CoreReloc { kind, root, access: "0".into(), local, member: None, wide });
        let ty = TypeId::int(if wide { IntKind::ULong } else { IntKind::UInt });
        Expr { kind: ExprKind::Core(core), ty, span }
    }

    /// A question about the constant number `index` of an enum.
    pub(super) fn enum_info(
        &mut self,
        root: TypeId,
        index: usize,
        value: i128,
        kind: CoreKind,
        span: Span,
    ) -> Expr {
        let local = if kind == CoreKind::EnumvalExists { 1 } else { value as u64 };
        let core = self.core_reloc(CoreReloc {
            kind,
            root: self.types.unqualified(root),
            access: index.to_string(),
            local,
            member: None,
            wide: true,
        });
        Expr { kind: ExprKind::Core(core), ty: TypeId::int(IntKind::ULong), span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_libbpf() {
        assert_eq!(unit_of(5, 3, 1), Unit { offset: 0, size: 1, bit: 5 });
        assert_eq!(unit_of(37, 3, 4), Unit { offset: 4, size: 4, bit: 5 });
        assert_eq!(unit_of(14, 4, 1), Unit { offset: 0, size: 4, bit: 14 });
        assert_eq!(unit_of(62, 4, 8), Unit { offset: 0, size: 8, bit: 62 });
    }
}

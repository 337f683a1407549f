//! Places: where an object is, and reading and writing it there.
//!
//! A place becomes a base (slot, symbol, pointer), a constant offset and what is known of the
//! alignment; code for the address appears when it is accessed. A bit-field is a place plus a range
//! of bits, accessed through the smallest aligned unit that contains it.

use super::expr::Rvalue;
use super::func::Lowering;
use super::symbols::Kind;
use crate::hir::{Expr, ExprKind, InitScalar, InitValue, Place, PlaceKind, SymbolRef};
use crate::ir::{BinaryOp, ConvertOp, CoreId, InstData, Intrinsic, MemFlags, Slot, SymbolId, Type, Value};
use crate::types::{Quals, TypeId};

/// Where an address starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    Slot(Slot),
    Symbol(SymbolId),
    Pointer(Value),
}

/// An object in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mem {
    pub base: Base,
    pub offset: i64,
    /// Known alignment of the object.
    pub align: u32,
    pub volatile: bool,
    /// Address space of the object: another one than 0 needs a cast before each access.
    pub space: u32,
}

/// What can be read and assigned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    Mem(Mem),
    /// `width` bits from bit `bit` of the object, which has `size` bytes if that is known.
    Bits {
        mem: Mem,
        bit: u64,
        width: u32,
        unit: u32,
        size: Option<u64>,
    },
}

impl Mem {
    pub fn new(base: Base, align: u32) -> Mem {
        Mem { base, offset: 0, align: align.max(1), volatile: false, space: 0 }
    }

    /// The part that starts `offset` bytes further.
    pub fn plus(self, offset: i64) -> Mem {
        Mem {
            offset: self.offset.wrapping_add(offset),
            align: offset_align(self.align, offset as u64),
            ..self
        }
    }
}

/// Alignment of an address `offset` bytes after one with this alignment.
fn offset_align(align: u32, offset: u64) -> u32 {
    match offset.trailing_zeros() {
        zeros if zeros < align.trailing_zeros() => 1 << zeros,
        _ => align,
    }
}

impl Lowering<'_> {
    pub fn place(&mut self, place: &Place) -> Target {
        let outer = self.at(place.span);
        let mut target = self.place_at(place);
        self.loc = outer;
        if self.cx.types.quals(place.ty).contains(Quals::VOLATILE) {
            match &mut target {
                Target::Mem(mem) | Target::Bits { mem, .. } => mem.volatile = true,
            }
        }
        target
    }

    fn place_at(&mut self, place: &Place) -> Target {
        Target::Mem(match &place.kind {
            PlaceKind::Local(id) => self.local(*id),
            PlaceKind::Global(id) => {
                let global = &self.cx.module.globals[id.index()];
                let symbol = self.symbol(SymbolRef::Global(*id));
                let space = self.cx.types.address_space(global.ty);
                Mem { volatile: global.volatile, space, ..Mem::new(Base::Symbol(symbol), global.align) }
            }
            PlaceKind::Func(id) => {
                let symbol = self.symbol(SymbolRef::Func(*id));
                Mem::new(Base::Symbol(symbol), 8)
            }
            PlaceKind::Deref(pointer) => self.deref(pointer, place.ty),
            PlaceKind::Field { base, offset } => self.place_mem(base).plus(*offset as i64),
            PlaceKind::Index { base, index, scale } => {
                let base = self.place_mem(base);
                self.index(base, index, *scale)
            }
            PlaceKind::Core { base, core } => {
                let align = self.cx.align(place.ty);
                self.core_place(base, core.index(), align)
            }
            PlaceKind::Temporary(value) => match self.expr(value) {
                Rvalue::Memory(mem) => mem,
                value @ (Rvalue::Void | Rvalue::One(_) | Rvalue::Two { .. }) => {
                    let mem = self.temporary(place.ty);
                    self.store(Target::Mem(mem), place.ty, value);
                    mem
                }
            },
            PlaceKind::BitField { base, bit_offset, width, unit } => {
                let size = self.cx.layout(base.ty).size;
                let mem = self.place_mem(base);
                return Target::Bits { mem, bit: *bit_offset, width: *width, unit: *unit, size: Some(size) };
            }
            PlaceKind::CoreBitField { base, core, bit_offset, width, unit } => {
                let mem = self.core_place(base, core.index(), *unit);
                let size = Some((*unit).into());
                return Target::Bits { mem, bit: (*bit_offset).into(), width: *width, unit: *unit, size };
            }
        })
    }

    /// A place that is not a bit-field.
    pub fn place_mem(&mut self, place: &Place) -> Mem {
        match self.place(place) {
            Target::Mem(mem) | Target::Bits { mem, .. } => mem,
        }
    }

    /// What a pointer points to. The address of a place is that place; what a cast or a constant
    /// offset yields is aligned as its type promises.
    fn deref(&mut self, pointer: &Expr, ty: TypeId) -> Mem {
        if let ExprKind::Address(inner) = &pointer.kind {
            return self.place_mem(inner);
        }
        let mut mem = self.pointed(pointer);
        mem.align = mem.align.max(self.cx.align(ty));
        mem.volatile = false;
        mem.space = self.cx.types.address_space(ty);
        mem
    }

    /// The object at an address, with what is known of its alignment when types are forgotten.
    pub fn pointed(&mut self, pointer: &Expr) -> Mem {
        match &pointer.kind {
            ExprKind::Address(inner) => return self.place_mem(inner),
            ExprKind::Convert(inner) if self.cx.kind(inner.ty) == Kind::Pointer => {
                return self.pointed(inner);
            }
            ExprKind::PtrAdd { pointer: base, index, scale, negate } => {
                if let ExprKind::Const(index) = index.kind {
                    let offset = (index as i64).wrapping_mul(*scale as i64);
                    let mem = self.pointed(base);
                    return mem.plus(if *negate { offset.wrapping_neg() } else { offset });
                }
            }
            _ => {}
        }
        let align = self.cx.pointee_align(pointer.ty);
        let space = self.cx.pointee_space(pointer.ty);
        let pointer = self.scalar(pointer);
        Mem { space, ..Mem::new(Base::Pointer(pointer), align) }
    }

    fn index(&mut self, base: Mem, index: &Expr, scale: u64) -> Mem {
        if let ExprKind::Const(index) = index.kind {
            return base.plus((index as i64).wrapping_mul(scale as i64));
        }
        let index = self.scalar(index);
        let offset = self.scaled(index, scale);
        let pointer = self.address(base);
        let pointer = self.ptr_add(pointer, offset);
        let align = offset_align(base.align, scale);
        Mem { base: Base::Pointer(pointer), offset: 0, align, ..base }
    }

    /// `index * scale`, 64 bits.
    pub fn scaled(&mut self, index: Value, scale: u64) -> Value {
        if scale == 1 { index } else { self.binary_const(BinaryOp::Mul, index, scale) }
    }

    /// The offset stays a value of its own, added to the base, so that it is never folded.
    fn core_place(&mut self, base: &Expr, core: usize, align: u32) -> Mem {
        let space = self.cx.pointee_space(base.ty);
        let base = self.scalar(base);
        let offset = self.value(InstData::Core { ty: Type::I64, core: CoreId::from_index(core) });
        let pointer = self.ptr_add(base, offset);
        Mem { space, ..Mem::new(Base::Pointer(pointer), align) }
    }

    /// The address of an object.
    pub fn address(&mut self, mem: Mem) -> Value {
        match mem.base {
            Base::Slot(slot) => match i32::try_from(mem.offset) {
                Ok(offset) => self.value(InstData::SlotAddr { slot, offset }),
                Err(_) => {
                    let start = self.value(InstData::SlotAddr { slot, offset: 0 });
                    self.offset(start, mem.offset)
                }
            },
            Base::Symbol(symbol) => self.value(InstData::SymbolAddr { symbol, offset: mem.offset }),
            Base::Pointer(pointer) => self.offset(pointer, mem.offset),
        }
    }

    /// The address of an object as accesses need it.
    pub fn accessible(&mut self, mem: Mem) -> Value {
        let address = self.address(mem);
        if mem.space == 0 { address } else { self.cast_space(address, mem.space, 0) }
    }

    /// A pointer into one address space as one into another.
    pub fn cast_space(&mut self, pointer: Value, from: u32, to: u32) -> Value {
        let spaces = self.iconst(Type::I32, u64::from(to << 16 | (from & 0xffff)));
        self.intrinsic(Intrinsic::CastAddressSpace, vec![pointer, spaces], Type::Ptr)
    }

    fn offset(&mut self, pointer: Value, offset: i64) -> Value {
        if offset == 0 {
            return pointer;
        }
        let offset = self.iconst(Type::I64, offset as u64);
        self.ptr_add(pointer, offset)
    }

    /// Base and offset for an access of an object.
    fn operand(&mut self, mem: Mem) -> (Value, i32, MemFlags) {
        let flags = MemFlags { volatile: mem.volatile, align: mem.align };
        match i32::try_from(mem.offset) {
            Ok(offset) => (self.accessible(Mem { offset: 0, ..mem }), offset, flags),
            Err(_) => (self.accessible(mem), 0, flags),
        }
    }

    pub fn load_scalar(&mut self, mem: Mem, ty: Type) -> Value {
        let (base, offset, flags) = self.operand(mem);
        self.value(InstData::Load { ty, base, offset, flags })
    }

    pub fn store_scalar(&mut self, mem: Mem, value: Value) {
        let (base, offset, flags) = self.operand(mem);
        self.effect(InstData::Store { value, base, offset, flags });
    }

    /// Copies an object.
    pub fn copy(&mut self, to: Mem, from: Mem, size: u64) {
        if size == 0 || to == from {
            return;
        }
        let align = to.align.min(from.align);
        let (to, from) = (self.accessible(to), self.accessible(from));
        self.memory_intrinsic(Intrinsic::Memcpy, to, from, size, align);
    }

    fn memory_intrinsic(&mut self, op: Intrinsic, to: Value, from: Value, size: u64, align: u32) {
        let size = self.iconst(Type::I64, size);
        let align = self.iconst(Type::I64, align.into());
        self.intrinsic_effect(op, vec![to, from, size, align]);
    }

    /// The value in a place of this type.
    pub fn load(&mut self, target: Target, ty: TypeId) -> Rvalue {
        let kind = self.cx.kind(ty);
        match (target, kind) {
            (Target::Bits { .. }, Kind::Int { ty, signed, .. }) => {
                Rvalue::One(self.load_bits(target, ty, signed))
            }
            (Target::Mem(mem), Kind::Int { .. } | Kind::Pointer | Kind::Float(_)) => match kind.scalar() {
                Some(ty) => Rvalue::One(self.load_scalar(mem, ty)),
                None => Rvalue::Void,
            },
            (Target::Mem(mem), Kind::Wide { .. }) => {
                let (lo, hi) = self.halves(mem);
                Rvalue::Two { lo: self.load_scalar(lo, Type::I64), hi: self.load_scalar(hi, Type::I64) }
            }
            (Target::Mem(mem) | Target::Bits { mem, .. }, _) => match kind {
                Kind::Memory(_) => Rvalue::Memory(mem),
                Kind::Wide { signed } => {
                    let lo = self.load_bits(target, Type::I64, signed);
                    self.widened(lo, signed)
                }
                Kind::Void | Kind::Int { .. } | Kind::Pointer | Kind::Float(_) => Rvalue::Void,
            },
        }
    }

    /// Low and high half of a 128-bit integer.
    fn halves(&self, mem: Mem) -> (Mem, Mem) {
        if self.cx.options.big_endian { (mem.plus(8), mem) } else { (mem, mem.plus(8)) }
    }

    /// Stores a value of this type; yields the value as it is stored.
    pub fn store(&mut self, target: Target, ty: TypeId, value: Rvalue) -> Rvalue {
        match (target, value) {
            (_, Rvalue::Void) => Rvalue::Void,
            (Target::Mem(mem), Rvalue::One(value)) => {
                self.store_scalar(mem, value);
                Rvalue::One(value)
            }
            (Target::Mem(mem), Rvalue::Two { lo, hi }) => {
                let (lo_mem, hi_mem) = self.halves(mem);
                self.store_scalar(lo_mem, lo);
                self.store_scalar(hi_mem, hi);
                value
            }
            (Target::Mem(mem), Rvalue::Memory(from)) => {
                self.copy(mem, from, self.cx.layout(ty).size);
                Rvalue::Memory(mem)
            }
            (Target::Bits { .. }, Rvalue::One(value) | Rvalue::Two { lo: value, .. }) => {
                let signed = self.cx.kind(ty).is_signed();
                let stored = self.store_bits(target, value, signed);
                match self.cx.kind(ty) {
                    Kind::Wide { .. } => self.widened(stored, signed),
                    _ => Rvalue::One(stored),
                }
            }
            (Target::Bits { .. }, Rvalue::Memory(_)) => Rvalue::Void,
        }
    }

    /// Gives an object constant contents.
    pub fn fill(&mut self, mem: Mem, ty: TypeId, scalars: &[InitScalar]) {
        let size = self.cx.layout(ty).size;
        if size == 0 {
            return;
        }
        if !covers(scalars, size) {
            let address = self.accessible(mem);
            let zero = self.iconst(Type::I32, 0);
            self.memory_intrinsic(Intrinsic::Memset, address, zero, size, mem.align);
        }
        for scalar in scalars {
            let mem = mem.plus(scalar.offset as i64);
            match &scalar.value {
                InitValue::Int { value, size } => {
                    let bytes = self.cx.int_bytes(*value, *size);
                    self.store_bytes(mem, &bytes);
                }
                InitValue::Bytes(bytes) => self.store_bytes(mem, bytes),
                InitValue::Address { symbol, addend } => {
                    let symbol = self.symbol(*symbol);
                    let value = self.value(InstData::SymbolAddr { symbol, offset: *addend });
                    self.store_scalar(mem, value);
                }
            }
        }
    }

    /// Stores bytes in the widest pieces that the alignment allows.
    fn store_bytes(&mut self, mem: Mem, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let piece = mem.plus(at as i64);
            let mut size = 8;
            while size > bytes.len() - at || size > piece.align as usize && size > 1 {
                size /= 2;
            }
            let mut word = [0; 8];
            word[..size].copy_from_slice(&bytes[at..at + size]);
            if self.cx.options.big_endian {
                word[..size].reverse();
            }
            let ty = Type::int_of_bytes(size as u64).unwrap_or(Type::I8);
            let value = self.iconst(ty, u64::from_le_bytes(word));
            self.store_scalar(piece, value);
            at += size;
        }
    }
}

/// Do the scalars leave no byte of the object out?
fn covers(scalars: &[InitScalar], size: u64) -> bool {
    let mut end = 0;
    for scalar in scalars {
        if scalar.offset > end {
            return false;
        }
        let length = match &scalar.value {
            InitValue::Int { size, .. } => (*size).into(),
            InitValue::Bytes(bytes) => bytes.len() as u64,
            InitValue::Address { .. } => 8,
        };
        end = end.max(scalar.offset + length);
    }
    end >= size
}

/// The unit through which a bit-field is accessed: its first byte, its bytes, and how far the
/// field's lowest bit is above the unit's.
struct Unit {
    mem: Mem,
    /// `None`: no aligned unit of at most 8 bytes has it; `bytes` single bytes do.
    ty: Option<Type>,
    bytes: u32,
    shift: u32,
}

impl Lowering<'_> {
    /// Chooses the smallest aligned unit. A volatile field uses its declared unit, as C compilers do.
    fn unit(&self, target: Target) -> Unit {
        let Target::Bits { mem, bit, width, unit, size } = target else {
            unreachable!("only bit-fields have units")
        };
        let end = bit + u64::from(width);
        let fits = |bytes: u64| {
            let start = bit / 8 / bytes * bytes;
            (end <= (start + bytes) * 8 && size.is_none_or(|size| start + bytes <= size)).then_some(start)
        };
        let sizes = [1, 2, 4, 8];
        let declared = if mem.volatile { fits(unit.into()).map(|start| (start, unit.into())) } else { None };
        let found = declared.or_else(|| sizes.iter().find_map(|&bytes| Some((fits(bytes)?, bytes))));
        let (start, bytes) = found.unwrap_or((bit / 8, end.div_ceil(8) - bit / 8));
        let above = (bit - start * 8) as u32;
        let shift = if self.cx.options.big_endian { bytes as u32 * 8 - above - width } else { above };
        let ty = found.and_then(|_| Type::int_of_bytes(bytes));
        Unit { mem: mem.plus(start as i64), ty, bytes: bytes as u32, shift }
    }

    /// Byte number `i` of the value, counted from the least significant.
    fn unit_byte(&self, unit: &Unit, i: u32) -> Mem {
        let at = if self.cx.options.big_endian { unit.bytes - 1 - i } else { i };
        unit.mem.plus(at.into())
    }

    fn load_bits(&mut self, target: Target, ty: Type, signed: bool) -> Value {
        let Target::Bits { width, .. } = target else { unreachable!("only bit-fields have bits") };
        let unit = self.unit(target);
        let Some(unit_ty) = unit.ty else {
            let raw = self.load_scattered(&unit);
            let value = self.extract(raw, 0, width, signed);
            return self.int_resize(value, ty, signed);
        };
        let raw = self.load_scalar(unit.mem, unit_ty);
        let raw = self.int_resize(raw, unit_ty.max(Type::I32), false);
        let value = self.extract(raw, unit.shift, width, signed);
        self.int_resize(value, ty, signed)
    }

    /// The `width` bits from bit `shift` of a value.
    fn extract(&mut self, raw: Value, shift: u32, width: u32, signed: bool) -> Value {
        let bits = self.ty(raw).bits();
        if width >= bits {
            return raw;
        }
        if signed {
            let up = self.shift(BinaryOp::Shl, raw, bits - shift - width);
            return self.shift(BinaryOp::Ashr, up, bits - width);
        }
        let low = self.shift(BinaryOp::Lshr, raw, shift);
        if shift + width == bits { low } else { self.binary_const(BinaryOp::And, low, mask(width)) }
    }

    fn shift(&mut self, op: BinaryOp, value: Value, count: u32) -> Value {
        if count == 0 { value } else { self.binary_const(op, value, count.into()) }
    }

    /// The bits of a field that no unit contains, from bit 0 of an `i64`.
    fn load_scattered(&mut self, unit: &Unit) -> Value {
        let mut whole = self.iconst(Type::I64, 0);
        for i in 0..unit.bytes {
            let byte = self.load_scalar(self.unit_byte(unit, i), Type::I8);
            let byte = self.convert(ConvertOp::Zext, Type::I64, byte);
            let part = match (i * 8).checked_sub(unit.shift) {
                Some(up) => self.shift(BinaryOp::Shl, byte, up),
                None => self.shift(BinaryOp::Lshr, byte, unit.shift - i * 8),
            };
            whole = self.binary(BinaryOp::Or, whole, part);
        }
        whole
    }

    fn store_bits(&mut self, target: Target, value: Value, signed: bool) -> Value {
        let Target::Bits { width, .. } = target else { unreachable!("only bit-fields have bits") };
        let unit = self.unit(target);
        let declared = self.ty(value);
        let Some(unit_ty) = unit.ty else {
            let wide = self.int_resize(value, Type::I64, false);
            self.store_scattered(&unit, wide, width);
            let stored = self.extract(wide, 0, width, signed);
            return self.int_resize(stored, declared, signed);
        };
        let work = unit_ty.max(Type::I32);
        let new = self.int_resize(value, work, false);
        if width == unit_ty.bits() {
            let cut = self.int_resize(new, unit_ty, false);
            self.store_scalar(unit.mem, cut);
        } else {
            let old = self.load_scalar(unit.mem, unit_ty);
            let old = self.int_resize(old, work, false);
            let kept = self.binary_const(BinaryOp::And, old, !(mask(width) << unit.shift));
            let field = self.binary_const(BinaryOp::And, new, mask(width));
            let field = self.shift(BinaryOp::Shl, field, unit.shift);
            let whole = self.binary(BinaryOp::Or, kept, field);
            let whole = self.int_resize(whole, unit_ty, false);
            self.store_scalar(unit.mem, whole);
        }
        let stored = self.extract(new, 0, width, signed);
        self.int_resize(stored, declared, signed)
    }

    /// Replaces the field's bits in each of its bytes.
    fn store_scattered(&mut self, unit: &Unit, value: Value, width: u32) {
        for i in 0..unit.bytes {
            let (mem, low) = (self.unit_byte(unit, i), i * 8);
            let field = (u128::from(mask(width)) << unit.shift >> low) as u8;
            let part = match low.checked_sub(unit.shift) {
                Some(down) => self.shift(BinaryOp::Lshr, value, down),
                None => self.shift(BinaryOp::Shl, value, unit.shift - low),
            };
            let part = self.binary_const(BinaryOp::And, part, field.into());
            let old = self.load_scalar(mem, Type::I8);
            let old = self.convert(ConvertOp::Zext, Type::I64, old);
            let kept = self.binary_const(BinaryOp::And, old, (!field).into());
            let whole = self.binary(BinaryOp::Or, kept, part);
            let whole = self.convert(ConvertOp::Trunc, Type::I8, whole);
            self.store_scalar(mem, whole);
        }
    }
}

/// The lowest bits set.
fn mask(width: u32) -> u64 {
    if width >= 64 { u64::MAX } else { (1 << width) - 1 }
}

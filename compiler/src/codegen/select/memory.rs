//! Selection of loads, stores and atomic operations.
//!
//! An address folds constant additions, the frame, and a CO-RE field offset into the displacement
//! of the instruction. Accesses of variables that lie together share one register for the address of one.

use skep_stdlib::isa::{AtomicOp as MachineAtomic, Cpu, Reg as Phys, Size, Width};

use super::Selector;
use super::constants::Constant;
use crate::codegen::mir::{Addr, Base, Op, Reg, Src};
use crate::ir::{AtomicOp, ConvertOp, CoreId, InstData, SymbolId, Type, Value, ValueDef};

impl Selector<'_> {
    /// The address `base + offset`, and the relocation of its displacement if it may have one.
    fn address(&mut self, base: Value, offset: i32, relocatable: bool) -> (Addr, Option<CoreId>) {
        let mut base = self.value(base);
        // Offsets that overflow while being folded just stop the folding.
        let mut total = i64::from(offset);
        loop {
            match *self.f.def(base).unwrap_or(&InstData::Unreachable) {
                InstData::PtrAdd { base: inner, offset } => {
                    if let Some(constant) = self.f.constant(offset) {
                        let sum = total.saturating_add(constant as i64);
                        if i16::try_from(sum).is_ok() {
                            total = sum;
                            base = self.value(inner);
                            continue;
                        }
                    } else if let Some((core, local)) = self.field_offset(offset)
                        && total == 0
                        && relocatable
                    {
                        return (Addr::reg(self.reg(inner), local), Some(core));
                    }
                }
                InstData::SlotAddr { slot, offset } => {
                    if let Ok(off) = i16::try_from(total.saturating_add(i64::from(offset))) {
                        return (Addr::frame(self.object(slot), off), None);
                    }
                }
                InstData::SymbolAddr { symbol, offset } => {
                    let (anchor, distance) = self.anchor(symbol, total.saturating_add(offset));
                    if let Ok(off) = i16::try_from(distance) {
                        let reg = self.constant_reg(Constant::Symbol(anchor, 0));
                        return (Addr::reg(reg, off), None);
                    }
                }
                _ => {}
            }
            break;
        }
        match i16::try_from(total) {
            Ok(off) => (Addr::reg(self.reg(base), off), None),
            Err(_) => (self.far_address(base, total), None),
        }
    }

    /// The variable whose address serves for an access of `symbol`, and how far from it the access is: variables
    /// of one region share an address. For the kernel's verifier the region is one value of a map.
    fn anchor(&mut self, symbol: SymbolId, offset: i64) -> (SymbolId, i64) {
        let place = |symbol| self.module.data(symbol).and_then(|data| data.place);
        let Some(own) = place(symbol) else { return (symbol, offset) };
        let anchors = self.anchors.entry(own.region).or_default();
        let near = anchors.iter().find_map(|&anchor| {
            let distance = own.offset as i64 - place(anchor)?.offset as i64 + offset;
            i16::try_from(distance).ok().map(|_| (anchor, distance))
        });
        near.unwrap_or_else(|| {
            anchors.push(symbol);
            (symbol, offset)
        })
    }

    /// The displacement does not fit the instruction.
    fn far_address(&mut self, base: Value, offset: i64) -> Addr {
        let dst = self.new_reg();
        self.set(dst, base);
        let src = match i32::try_from(offset) {
            Ok(imm) => Src::Imm(imm),
            Err(_) => Src::Reg(self.constant_reg(Constant::number(offset as u64, self.cpu))),
        };
        self.emit(Op::Alu { width: Width::W64, op: skep_stdlib::isa::AluOp::Add, dst, src });
        Addr::reg(dst, 0)
    }

    /// The relocation that is this offset, if its local value can be a displacement.
    fn field_offset(&self, offset: Value) -> Option<(CoreId, i16)> {
        match *self.f.def(offset)? {
            InstData::Core { core, .. } => Some((core, i16::try_from(self.module.cores[core].local).ok()?)),
            _ => None,
        }
    }

    pub(super) fn load(
        &mut self,
        dst: Option<Reg>,
        result: Option<Value>,
        base: Value,
        off: i32,
        volatile: bool,
    ) {
        let Some(result) = result else { return };
        let dst = match dst {
            Some(dst) => dst,
            None if volatile => self.new_reg(),
            None => return,
        };
        let signed = self.facts.signed_load(result);
        let ty = self.ty(result);
        let (addr, core) = self.address(base, off, true);
        self.emit_core(Op::Load { size: size_of(ty), signed, dst, addr }, core);
    }

    pub(super) fn store(&mut self, value: Value, base: Value, offset: i32) {
        let size = size_of(self.ty(value));
        let value = self.stored(value, size);
        let (addr, core) = self.address(base, offset, true);
        let src = self.store_source(value, size, addr, core);
        self.emit_core(Op::Store { size, addr, src }, core);
    }

    /// The value without conversions that only concern bits that are not stored.
    fn stored(&self, value: Value, size: Size) -> Value {
        let mut value = self.value(value);
        while let Some(&InstData::Convert {
            op: ConvertOp::Zext | ConvertOp::Sext | ConvertOp::Trunc,
            arg,
            ..
        }) = self.f.def(value)
        {
            if self.ty(arg).bytes() < size.bytes() || self.ty(arg) == Type::I1 {
                break;
            }
            value = self.value(arg);
        }
        value
    }

    fn store_source(&mut self, value: Value, size: Size, addr: Addr, core: Option<CoreId>) -> Src {
        let Some(constant) = self.f.constant(value) else {
            return Src::Reg(self.reg(value));
        };
        let bits = size.bytes() * 8;
        let unused = 64 - bits;
        let (zext, sext) = (constant << unused >> unused, ((constant << unused) as i64) >> unused);
        // Compilers emit stores of immediates from v4 on, but every kernel takes them. Kernels before 6.4, and so
        // before v4, refuse them for a program's context.
        if core.is_none()
            && (self.cpu >= Cpu::V4 || !self.may_be_context(addr))
            && let Ok(imm) = i32::try_from(sext)
        {
            return Src::Imm(imm);
        }
        let content = if zext <= i32::MAX as u64 { zext } else { sext as u64 };
        Src::Reg(self.constant_reg(Constant::number(content, self.cpu)))
    }

    /// A program's context is a parameter.
    fn may_be_context(&self, addr: Addr) -> bool {
        let Base::Reg(base) = addr.base else { return false };
        let entry = self.f.entry();
        self.f.blocks[entry].params.iter().any(|&param| {
            self.regs[param] == Some(base) && matches!(self.f.values[param].def, ValueDef::Param(..))
        })
    }

    pub(super) fn atomic(&mut self, dst: Option<Reg>, op: AtomicOp, base: Value, off: i32, value: Value) {
        let fetch = dst.is_some();
        let size = size_of(self.ty(value));
        let op = match op {
            AtomicOp::Add => MachineAtomic::Add { fetch },
            AtomicOp::And => MachineAtomic::And { fetch },
            AtomicOp::Or => MachineAtomic::Or { fetch },
            AtomicOp::Xor => MachineAtomic::Xor { fetch },
            AtomicOp::Xchg => MachineAtomic::Xchg,
        };
        if !self.atomic_exists(size, op) {
            return;
        }
        let (addr, _) = self.address(base, off, false);
        let fetches = crate::codegen::mir::fetches(op);
        let src = if fetches {
            let src = dst.unwrap_or_else(|| self.out.new_reg());
            self.set(src, value);
            src
        } else {
            self.reg(value)
        };
        self.emit(Op::Atomic { size, op, addr, src });
    }

    pub(super) fn compare_exchange(
        &mut self,
        dst: Option<Reg>,
        base: Value,
        off: i32,
        expected: Value,
        new: Value,
    ) {
        let size = size_of(self.ty(expected));
        if !self.atomic_exists(size, MachineAtomic::CmpXchg) {
            return;
        }
        let (addr, _) = self.address(base, off, false);
        let src = self.reg(new);
        let r0 = Reg::phys(Phys::R0);
        self.set(r0, expected);
        self.emit(Op::Atomic { size, op: MachineAtomic::CmpXchg, addr, src });
        if let Some(dst) = dst {
            self.emit(Op::Mov { dst, src: r0 });
        }
    }

    /// Reports atomic operations that this cpu does not have.
    fn atomic_exists(&mut self, size: Size, op: MachineAtomic) -> bool {
        let narrow = size == Size::W && op != MachineAtomic::Add { fetch: false };
        let exists = matches!(size, Size::W | Size::DW) && (!narrow || self.cpu >= Cpu::V3);
        if !exists {
            let bits = size.bytes() * 8;
            let message = format!("this {bits}-bit atomic operation needs `-mcpu=v3`");
            self.limit(message);
        }
        exists
    }
}

/// The access size of a type.
fn size_of(ty: Type) -> Size {
    match ty {
        Type::I1 | Type::I8 => Size::B,
        Type::I16 => Size::H,
        Type::I32 => Size::W,
        Type::I64 | Type::Ptr => Size::DW,
    }
}

//! Selection of arithmetic.
//!
//! Before v3 there is no 32-bit arithmetic: `i32` operations run on 64 bits, and operands are
//! extended first where the upper bits reach the result. Signed division before v4 was expanded by the
//! optimiser.

use skep_stdlib::isa::{AluOp, Cpu, Endian, Width};

use super::facts::width_of;
use super::{Form, Selector};
use crate::codegen::mir::{Op, Reg, Src};
use crate::ir::{BinaryOp, ConvertOp, CoreId, InstData, Type, UnaryOp, Value};

impl Selector<'_> {
    pub(super) fn binary(&mut self, dst: Option<Reg>, op: BinaryOp, args: [Value; 2]) {
        let Some(dst) = dst else { return };
        let args = self.constant_last(op, args);
        let ty = self.ty(args[0]);
        let width = width_of(ty, self.cpu);
        let machine = match op {
            BinaryOp::Add => AluOp::Add,
            BinaryOp::Sub => return self.subtract(dst, width, args),
            BinaryOp::Mul => AluOp::Mul,
            BinaryOp::Udiv => AluOp::Div,
            BinaryOp::Urem => AluOp::Mod,
            BinaryOp::Sdiv | BinaryOp::Srem if self.cpu < Cpu::V4 => {
                return self.limit("signed division before `-mcpu=v4`".into());
            }
            BinaryOp::Sdiv => AluOp::Sdiv,
            BinaryOp::Srem => AluOp::Smod,
            BinaryOp::And => return self.and(dst, width, args),
            BinaryOp::Or => AluOp::Or,
            BinaryOp::Xor => AluOp::Xor,
            BinaryOp::Shl => AluOp::Lsh,
            BinaryOp::Lshr => AluOp::Rsh,
            BinaryOp::Ashr => AluOp::Arsh,
        };
        let narrow = ty == Type::I32 && width == Width::W64;
        if let Some((core, imm)) = self.core_operand(op, args[1])
            && !narrow
        {
            self.set(dst, args[0]);
            return self.emit_core(Op::Alu { width, op: machine, dst, src: Src::Imm(imm) }, Some(core));
        }
        if op == BinaryOp::Or && self.masked(dst, width, machine, args) {
            return;
        }
        let (left, right) = if narrow { narrow_forms(op) } else { (Form::Any, Form::Any) };
        let src = self.right_operand(op, args[1], right, narrow);
        self.left_operand(dst, args[0], left);
        self.emit(Op::Alu { width, op: machine, dst, src });
    }

    /// Constants of commutative operations go to the right, where they can be immediates.
    fn constant_last(&self, op: BinaryOp, [a, b]: [Value; 2]) -> [Value; 2] {
        let commutes =
            matches!(op, BinaryOp::Add | BinaryOp::Mul | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
        let [a, b] = [self.value(a), self.value(b)];
        if commutes && self.f.constant(a).is_some() && self.f.constant(b).is_none() { [b, a] } else { [a, b] }
    }

    /// The relocation that a right operand is, and its local value: the loader patches immediates of
    /// arithmetic. Values of 64 bits may not fit one.
    fn core_operand(&self, op: BinaryOp, value: Value) -> Option<(CoreId, i32)> {
        let Some(&InstData::Core { ty, core }) = self.f.def(self.facts.root(value)) else { return None };
        if ty != Type::I32 && !self.module.cores[core].is_offset() {
            return None;
        }
        let shift = matches!(op, BinaryOp::Shl | BinaryOp::Lshr | BinaryOp::Ashr);
        let most = if shift { u64::from(self.ty(value).bits()) - 1 } else { i32::MAX as u64 };
        let local = self.module.cores[core].local;
        (local <= most).then_some((core, local as i32))
    }

    /// `dst` becomes the left operand.
    fn left_operand(&mut self, dst: Reg, value: Value, form: Form) {
        if form == Form::Any {
            self.set(dst, value);
        } else {
            let src = self.reg_as(value, form);
            self.copy(dst, src);
        }
    }

    fn right_operand(&mut self, op: BinaryOp, value: Value, form: Form, narrow: bool) -> Src {
        let shift = matches!(op, BinaryOp::Shl | BinaryOp::Lshr | BinaryOp::Ashr);
        if !shift {
            return self.operand(value, form);
        }
        let bits = u64::from(self.ty(value).bits());
        if let Some(count) = self.f.constant(value) {
            // The machine refuses counts beyond the width; the IR takes them modulo the width.
            return Src::Imm((count % bits.max(1)) as i32);
        }
        let src = self.reg(value);
        if !narrow || self.facts.known(value).unsigned <= 5 {
            return Src::Reg(src);
        }
        let count = self.new_reg();
        self.copy(count, src);
        self.alu_imm(Width::W64, AluOp::And, count, 31);
        Src::Reg(count)
    }

    fn subtract(&mut self, dst: Reg, width: Width, [a, b]: [Value; 2]) {
        if self.f.constant(a) == Some(0) {
            let src = self.reg(b);
            self.copy(dst, src);
            return self.emit(Op::Neg { width, dst });
        }
        // Additions of a negative number, as the verifier sees pointers and ranges best.
        if let Some(imm) = self.immediate(b, Form::Any).and_then(i32::checked_neg) {
            self.set(dst, a);
            return self.alu_imm(width, AluOp::Add, dst, imm);
        }
        let src = self.operand(b, Form::Any);
        self.set(dst, a);
        self.emit(Op::Alu { width, op: AluOp::Sub, dst, src });
    }

    fn and(&mut self, dst: Reg, width: Width, [a, b]: [Value; 2]) {
        if width == Width::W64
            && let Some(mask) = self.f.constant(b)
            && self.ty(b).bits() == 64
            && i32::try_from(mask as i64).is_err()
        {
            if mask == u64::from(u32::MAX) {
                let src = self.reg(a);
                return self.extend(dst, src, 32, Form::Zext, Width::W64);
            }
            // A mask of the lower half: 32-bit arithmetic clears the upper half.
            if let Ok(low) = u32::try_from(mask)
                && self.cpu >= Cpu::V3
            {
                self.set(dst, a);
                return self.alu_imm(Width::W32, AluOp::And, dst, low as i32);
            }
        }
        if self.masked(dst, width, AluOp::And, [a, b]) {
            return;
        }
        let src = self.operand(b, Form::Any);
        self.set(dst, a);
        self.emit(Op::Alu { width, op: AluOp::And, dst, src });
    }

    /// A constant and copies of one bit: the constant is what changes. Of a mask that a constant is applied to
    /// the kernel's verifier would follow both values.
    fn masked(&mut self, dst: Reg, width: Width, op: AluOp, [mask, constant]: [Value; 2]) -> bool {
        let found = self.f.constant(constant).is_some() && self.is_mask(mask);
        if found {
            let src = self.reg(mask);
            self.set(dst, constant);
            self.emit(Op::Alu { width, op, dst, src: Src::Reg(src) });
        }
        found
    }

    /// Is the value 0 or all ones?
    fn is_mask(&self, value: Value) -> bool {
        let bits = u64::from(self.ty(value).bits());
        let is_bit = |value: Value| match self.f.def(value) {
            Some(&InstData::Binary { op: BinaryOp::And, args: [_, one] }) => self.f.constant(one) == Some(1),
            Some(&InstData::Binary { op: BinaryOp::Lshr, args: [_, count] }) => {
                self.f.constant(count) == Some(bits - 1)
            }
            Some(&InstData::Convert { op: ConvertOp::Zext, arg, .. }) => self.ty(arg) == Type::I1,
            _ => false,
        };
        match self.f.def(value) {
            Some(&InstData::Unary { op: UnaryOp::Neg, arg }) => is_bit(arg),
            Some(&InstData::Binary { op: BinaryOp::Ashr, args: [_, count] }) => {
                self.f.constant(count) == Some(bits - 1)
            }
            _ => false,
        }
    }

    pub(super) fn byte_swap(&mut self, dst: Reg, bits: u8) {
        // Conversion to the other byte order exists everywhere and clears the bits above.
        let kind = if self.big_endian { Endian::ToLe } else { Endian::ToBe };
        self.emit(Op::Swap { kind, bits, dst });
    }

    pub(super) fn ptr_add(&mut self, dst: Option<Reg>, base: Value, offset: Value) {
        let Some(dst) = dst else { return };
        let mut offset = self.value(offset);
        let (width, mut op) = (Width::W64, AluOp::Add);
        // Kernels before 6.17 know nothing of what is negated.
        if let Some(&InstData::Unary { op: UnaryOp::Neg, arg }) = self.f.def(self.facts.root(offset))
            && !self.is_in_frame(base)
        {
            (offset, op) = (self.value(arg), AluOp::Sub);
        }
        if let Some(&InstData::Core { core, .. }) = self.f.def(self.facts.root(offset))
            && let Ok(imm) = i32::try_from(self.module.cores[core].local)
        {
            self.set(dst, base);
            return self.emit_core(Op::Alu { width, op, dst, src: Src::Imm(imm) }, Some(core));
        }
        let src = self.operand(offset, Form::Any);
        self.set(dst, base);
        self.emit(Op::Alu { width, op, dst, src });
    }

    /// Does the address lead into the frame? The kernel lets nothing be subtracted from those.
    fn is_in_frame(&self, address: Value) -> bool {
        let bases =
            std::iter::successors(Some(address), |&value| match self.f.def(self.facts.root(value))? {
                InstData::PtrAdd { base, .. } => Some(*base),
                _ => None,
            });
        bases
            .last()
            .is_some_and(|root| matches!(self.f.def(self.facts.root(root)), Some(InstData::SlotAddr { .. })))
    }
}

/// How 64-bit arithmetic needs the operands of a 32-bit operation.
fn narrow_forms(op: BinaryOp) -> (Form, Form) {
    match op {
        BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl => (Form::Any, Form::Any),
        BinaryOp::Lshr => (Form::Zext, Form::Any),
        BinaryOp::Ashr => (Form::Sext, Form::Any),
        BinaryOp::Udiv | BinaryOp::Urem => (Form::Zext, Form::Zext),
        BinaryOp::Sdiv | BinaryOp::Srem => (Form::Sext, Form::Sext),
    }
}

//! Builtin functions: an intrinsic each, or a few instructions.

use super::expr::Rvalue;
use super::func::Lowering;
use super::place::{Base, Mem, Target};
use super::symbols::Kind;
use crate::hir::{AtomicRmw, BinaryOp, Builtin, Expr, ExprKind};
use crate::ir::{self, AtomicOp, Compare, InstData, Intrinsic, Type, UnaryOp, Value};
use crate::types::TypeId;

impl Lowering<'_> {
    pub fn builtin(&mut self, builtin: Builtin, args: &[Expr], ty: TypeId) -> Rvalue {
        match (builtin, args) {
            (Builtin::Memcpy, [to, from, n]) => self.transfer(Intrinsic::Memcpy, to, from, n),
            (Builtin::Memmove, [to, from, n]) => self.transfer(Intrinsic::Memmove, to, from, n),
            (Builtin::Memset, [to, byte, n]) => self.memset(to, byte, n),
            (Builtin::Memcmp, [a, b, n]) => {
                let (a, b, n) = (self.scalar(a), self.scalar(b), self.length(n));
                self.int(Intrinsic::Memcmp, vec![a, b, n], Type::I32, ty)
            }
            (Builtin::Strlen, [s]) => {
                let s = self.scalar(s);
                self.int(Intrinsic::Strlen, vec![s], Type::I64, ty)
            }
            (Builtin::Strcmp, [a, b]) => {
                let (a, b) = (self.scalar(a), self.scalar(b));
                self.int(Intrinsic::Strcmp, vec![a, b], Type::I32, ty)
            }
            (Builtin::Bswap, [x]) => {
                let x = self.scalar(x);
                if self.ty(x) == Type::I8 {
                    Rvalue::One(x)
                } else {
                    Rvalue::One(self.unary(UnaryOp::Bswap, x))
                }
            }
            (Builtin::RotateLeft, [x, n]) => self.rotate(x, n),
            (Builtin::BitReverse, [x]) => self.reverse_bits(x),
            (Builtin::Clz, [x]) => self.count(Intrinsic::Clz, x, ty),
            (Builtin::Ctz, [x]) => self.count(Intrinsic::Ctz, x, ty),
            (Builtin::Popcount, [x]) => self.count(Intrinsic::Popcount, x, ty),
            (Builtin::Parity, [x]) => {
                let count = self.count(Intrinsic::Popcount, x, ty);
                let Rvalue::One(count) = count else { return count };
                Rvalue::One(self.binary_const(ir::BinaryOp::And, count, 1))
            }
            (Builtin::Clrsb, [x]) => self.like_the_sign(x, ty),
            (Builtin::Ffs, [x]) => self.find_first_set(x, ty),
            (Builtin::ConstantP, [x]) => self.constant_p(x, ty),
            (Builtin::Unreachable, _) => {
                self.end(InstData::Unreachable);
                Rvalue::Void
            }
            (Builtin::Trap, _) => {
                self.intrinsic_effect(Intrinsic::Trap, Vec::new());
                self.end(InstData::Unreachable);
                Rvalue::Void
            }
            (Builtin::Expect, [x, expected]) => {
                let value = self.expr(x);
                if Self::has_effects(expected) {
                    self.expr(expected);
                }
                value
            }
            (Builtin::AtomicFetch(op, new), [p, v]) => self.atomic_fetch(op, new, p, v, ty),
            (Builtin::AtomicExchange, [p, v]) => {
                let (p, v) = (self.atomic_address(p), self.scalar(v));
                self.atomic(AtomicOp::Xchg, p, v)
            }
            (Builtin::AtomicCompareExchange, [p, expected, new]) => self.compare_exchange(p, expected, new),
            (Builtin::AtomicLoad, [p]) => {
                let mem = self.atomic_mem(p);
                self.load(Target::Mem(mem), ty)
            }
            (Builtin::AtomicStore, [p, v]) => self.atomic_store(p, v),
            (Builtin::Barrier, _) => {
                self.intrinsic_effect(Intrinsic::Fence, Vec::new());
                Rvalue::Void
            }
            (Builtin::Overflow(op), [a, b, p]) => self.overflow(op, a, b, p, ty),
            (Builtin::AddrSpaceCast, [p, from, to]) => {
                let p = self.scalar(p);
                match (&from.kind, &to.kind) {
                    (ExprKind::Const(from), ExprKind::Const(to)) => {
                        Rvalue::One(self.cast_space(p, *from as u32, *to as u32))
                    }
                    _ => Rvalue::One(p),
                }
            }
            (Builtin::FrameAddress, _) => {
                Rvalue::One(self.intrinsic(Intrinsic::FrameAddress, Vec::new(), Type::Ptr))
            }
            (Builtin::ReturnAddress, _) => {
                Rvalue::One(self.intrinsic(Intrinsic::ReturnAddress, Vec::new(), Type::Ptr))
            }
            (Builtin::VarArgs, lists) => self.variable_arguments(lists, ty),
            (Builtin::Prefetch, args) => {
                for arg in args {
                    self.expr(arg);
                }
                Rvalue::Void
            }
            // Sema has checked the number of arguments.
            _ => Rvalue::Void,
        }
    }

    /// An intrinsic that yields an integer, converted to the type of the expression.
    fn int(&mut self, op: Intrinsic, args: Vec<Value>, yields: Type, ty: TypeId) -> Rvalue {
        let value = self.intrinsic(op, args, yields);
        let ty = self.cx.kind(ty).scalar().unwrap_or(yields);
        Rvalue::One(self.int_resize(value, ty, true))
    }

    /// An integer as an `i64`.
    fn length(&mut self, e: &Expr) -> Value {
        let value = self.scalar(e);
        self.int_resize(value, Type::I64, self.cx.kind(e.ty).is_signed())
    }

    /// Pointer and known alignment of an operand that was converted to `void *`.
    fn buffer(&mut self, e: &Expr) -> (Value, u32) {
        let mem = self.pointed(e);
        (self.accessible(mem), mem.align)
    }

    fn transfer(&mut self, op: Intrinsic, to: &Expr, from: &Expr, n: &Expr) -> Rvalue {
        let ((to, to_align), (from, from_align)) = (self.buffer(to), self.buffer(from));
        let n = self.length(n);
        let align = self.iconst(Type::I64, to_align.min(from_align).into());
        self.intrinsic_effect(op, vec![to, from, n, align]);
        Rvalue::One(to)
    }

    fn memset(&mut self, to: &Expr, byte: &Expr, n: &Expr) -> Rvalue {
        let (to, align) = self.buffer(to);
        let byte = self.scalar(byte);
        let byte = self.int_resize(byte, Type::I32, false);
        let n = self.length(n);
        let align = self.iconst(Type::I64, align.into());
        self.intrinsic_effect(Intrinsic::Memset, vec![to, byte, n, align]);
        Rvalue::One(to)
    }

    fn count(&mut self, op: Intrinsic, x: &Expr, ty: TypeId) -> Rvalue {
        let x = self.scalar(x);
        let x = self.at_least_i32(x, false);
        self.int(op, vec![x], Type::I32, ty)
    }

    /// What is shifted out above comes in below.
    fn rotate(&mut self, x: &Expr, n: &Expr) -> Rvalue {
        let (x, n) = (self.scalar(x), self.scalar(n));
        let ty = self.ty(x);
        let bits = u64::from(ty.bits());
        let (x, n) = (self.at_least_i32(x, false), self.at_least_i32(n, false));
        let back = self.unary(UnaryOp::Neg, n);
        let (up, down) = (
            self.binary_const(ir::BinaryOp::And, n, bits - 1),
            self.binary_const(ir::BinaryOp::And, back, bits - 1),
        );
        let (high, low) = (self.binary(ir::BinaryOp::Shl, x, up), self.binary(ir::BinaryOp::Lshr, x, down));
        let both = self.binary(ir::BinaryOp::Or, high, low);
        Rvalue::One(self.int_resize(both, ty, false))
    }

    /// The bytes change places, then the halves of each byte, the pairs, and the single bits.
    fn reverse_bits(&mut self, x: &Expr) -> Rvalue {
        let x = self.scalar(x);
        let ty = self.ty(x);
        let x = if ty == Type::I8 { x } else { self.unary(UnaryOp::Bswap, x) };
        let mut x = self.at_least_i32(x, false);
        for (shift, mask) in
            [(4, 0x0f0f_0f0f_0f0f_0f0f), (2, 0x3333_3333_3333_3333), (1, 0x5555_5555_5555_5555)]
        {
            let mask = self.ty(x).mask() & mask;
            let down = self.binary_const(ir::BinaryOp::Lshr, x, shift);
            let down = self.binary_const(ir::BinaryOp::And, down, mask);
            let up = self.binary_const(ir::BinaryOp::And, x, mask);
            let up = self.binary_const(ir::BinaryOp::Shl, up, shift);
            x = self.binary(ir::BinaryOp::Or, up, down);
        }
        Rvalue::One(self.int_resize(x, ty, false))
    }

    /// Bits that differ from the sign become ones; the bit shifted in stops the count.
    fn like_the_sign(&mut self, x: &Expr, ty: TypeId) -> Rvalue {
        let x = self.scalar(x);
        let top = self.ty(x).bits() as u64 - 1;
        let sign = self.binary_const(ir::BinaryOp::Ashr, x, top);
        let differing = self.binary(ir::BinaryOp::Xor, x, sign);
        let shifted = self.binary_const(ir::BinaryOp::Shl, differing, 1);
        let stopped = self.binary_const(ir::BinaryOp::Or, shifted, 1);
        self.int(Intrinsic::Clz, vec![stopped], Type::I32, ty)
    }

    fn find_first_set(&mut self, x: &Expr, ty: TypeId) -> Rvalue {
        let x = self.scalar(x);
        let x = self.at_least_i32(x, true);
        let zeros = self.intrinsic(Intrinsic::Ctz, vec![x], Type::I32);
        let index = self.binary_const(ir::BinaryOp::Add, zeros, 1);
        let nothing = self.iconst(self.ty(x), 0);
        let is_zero = self.compare(Compare::Eq, x, nothing);
        let zero = self.iconst(Type::I32, 0);
        let result = self.select(is_zero, zero, index);
        let ty = self.cx.kind(ty).scalar().unwrap_or(Type::I32);
        Rvalue::One(self.int_resize(result, ty, true))
    }

    /// The operand is not evaluated when that would have effects: then it is no constant.
    fn constant_p(&mut self, x: &Expr, ty: TypeId) -> Rvalue {
        let scalar = self.cx.kind(x.ty).scalar().is_some();
        if !scalar || Self::has_effects(x) {
            let ty = self.cx.kind(ty).scalar().unwrap_or(Type::I32);
            return Rvalue::One(self.iconst(ty, 0));
        }
        let x = self.scalar(x);
        self.int(Intrinsic::ConstantP, vec![x], Type::I32, ty)
    }

    fn variable_arguments(&mut self, lists: &[Expr], ty: TypeId) -> Rvalue {
        let lists: Vec<Value> = lists.iter().map(|list| self.scalar(list)).collect();
        match self.cx.kind(ty).scalar() {
            Some(yields) => Rvalue::One(self.intrinsic(Intrinsic::VarArgs, lists, yields)),
            None => {
                self.intrinsic_effect(Intrinsic::VarArgs, lists);
                Rvalue::Void
            }
        }
    }

    // Atomics.

    /// The object of an atomic load or store: a volatile access.
    fn atomic_mem(&mut self, p: &Expr) -> Mem {
        let align = self.cx.pointee_align(p.ty);
        let space = self.cx.pointee_space(p.ty);
        let pointer = self.scalar(p);
        Mem { volatile: true, space, ..Mem::new(Base::Pointer(pointer), align) }
    }

    fn atomic_store(&mut self, p: &Expr, v: &Expr) -> Rvalue {
        let mem = self.atomic_mem(p);
        let value = self.expr(v);
        self.store(Target::Mem(mem), v.ty, value);
        Rvalue::Void
    }

    /// The address of an atomic read-modify-write.
    fn atomic_address(&mut self, p: &Expr) -> Value {
        let mem = self.atomic_mem(p);
        self.accessible(mem)
    }

    fn atomic_fetch(&mut self, op: AtomicRmw, new: bool, p: &Expr, v: &Expr, ty: TypeId) -> Rvalue {
        let (p, v) = (self.atomic_address(p), self.scalar(v));
        let (atomic, arithmetic) = match op {
            AtomicRmw::Add => (AtomicOp::Add, ir::BinaryOp::Add),
            AtomicRmw::Sub => (AtomicOp::Add, ir::BinaryOp::Sub),
            AtomicRmw::And => (AtomicOp::And, ir::BinaryOp::And),
            AtomicRmw::Or => (AtomicOp::Or, ir::BinaryOp::Or),
            AtomicRmw::Xor => (AtomicOp::Xor, ir::BinaryOp::Xor),
            AtomicRmw::Nand => {
                let ty = self.cx.kind(ty).scalar().unwrap_or(Type::I64);
                return Rvalue::One(self.intrinsic(Intrinsic::OddAtomic, vec![p, v], ty));
            }
        };
        let declared = self.ty(v);
        let operand = self.retyped(v, if declared == Type::Ptr { Type::I64 } else { declared });
        let given = match op {
            AtomicRmw::Sub if self.ty(operand).bits() >= 32 => self.unary(UnaryOp::Neg, operand),
            _ => operand,
        };
        let old = self.atomic(atomic, p, given);
        match old {
            Rvalue::One(old) if new && self.ty(old).bits() >= 32 => {
                let result = self.binary(arithmetic, old, operand);
                Rvalue::One(self.retyped(result, declared))
            }
            Rvalue::One(old) => Rvalue::One(self.retyped(old, declared)),
            other => other,
        }
    }

    /// A read-modify-write that BPF has, or the intrinsic that says it has not; yields the old value.
    fn atomic(&mut self, op: AtomicOp, p: Value, v: Value) -> Rvalue {
        let ty = self.ty(v);
        if ty.bits() < 32 {
            return Rvalue::One(self.intrinsic(Intrinsic::OddAtomic, vec![p, v], ty));
        }
        let value = self.retyped(v, if ty == Type::Ptr { Type::I64 } else { ty });
        let old = self.value(InstData::AtomicRmw { op, base: p, offset: 0, value });
        Rvalue::One(self.retyped(old, ty))
    }

    fn compare_exchange(&mut self, p: &Expr, expected: &Expr, new: &Expr) -> Rvalue {
        let (p, expected, new) = (self.atomic_address(p), self.scalar(expected), self.scalar(new));
        let ty = self.ty(expected);
        if ty.bits() < 32 {
            return Rvalue::One(self.intrinsic(Intrinsic::OddAtomic, vec![p, expected, new], ty));
        }
        let int = if ty == Type::Ptr { Type::I64 } else { ty };
        let (expected, new) = (self.retyped(expected, int), self.retyped(new, int));
        let old = self.value(InstData::AtomicCmpXchg { base: p, offset: 0, expected, new });
        Rvalue::One(self.retyped(old, ty))
    }

    // Overflow.

    fn overflow(&mut self, op: BinaryOp, a: &Expr, b: &Expr, p: &Expr, ty: TypeId) -> Rvalue {
        let target = self.cx.types.pointee(p.ty).unwrap_or(TypeId::ERROR);
        let (ka, kb, kt) = (self.cx.kind(a.ty), self.cx.kind(b.ty), self.cx.kind(target));
        let (a, b, pointer) = (self.scalar(a), self.scalar(b), self.scalar(p));
        let space = self.cx.types.address_space(target);
        let mem = Mem { space, ..Mem::new(Base::Pointer(pointer), self.cx.align(target)) };
        let Kind::Int { ty: result_ty, signed, .. } = kt else { return Rvalue::Void };
        let small = |kind: Kind| kind.scalar().is_some_and(|ty| ty.bits() <= 32);
        let (result, overflows) = if small(ka) && small(kb) {
            // 64 bits hold the exact result.
            let a = self.int_resize(a, Type::I64, ka.is_signed());
            let b = self.int_resize(b, Type::I64, kb.is_signed());
            let exact = self.binary(super::expr::binary_op(op, true), a, b);
            let result = self.int_resize(exact, result_ty, true);
            let overflows = if result_ty == Type::I64 {
                // A negative number that is one, or a product that only looks like one.
                let looks = op == BinaryOp::Mul && !ka.is_signed() && !kb.is_signed();
                if signed == looks {
                    let zero = self.iconst(Type::I64, 0);
                    self.compare(Compare::Slt, exact, zero)
                } else {
                    self.iconst(Type::I1, 0)
                }
            } else {
                let back = self.int_resize(result, Type::I64, signed);
                self.compare(Compare::Ne, back, exact)
            };
            (result, overflows)
        } else if ka == kb && ka == kt {
            self.overflow_same(op, signed, a, b)
        } else {
            let of_64_bits = |kind: Kind| kind.scalar().is_some_and(|ty| ty.bits() <= 64);
            if !of_64_bits(ka) || !of_64_bits(kb) {
                let result = self.intrinsic(Intrinsic::Wide, vec![a, b], result_ty);
                (result, self.intrinsic(Intrinsic::Wide, vec![a, b], Type::I1))
            } else {
                let a = self.int_resize(a, Type::I64, ka.is_signed());
                let b = self.int_resize(b, Type::I64, kb.is_signed());
                self.overflow_mixed(op, (a, ka.is_signed()), (b, kb.is_signed()), (result_ty, signed))
            }
        };
        self.store_scalar(mem, result);
        Rvalue::One(self.truth_as(overflows, ty))
    }

    /// Operands of 64 bits and a result, each signed or not: the exact result has two words.
    fn overflow_mixed(
        &mut self,
        op: BinaryOp,
        (a, a_signed): (Value, bool),
        (b, b_signed): (Value, bool),
        (ty, signed): (Type, bool),
    ) -> (Value, Value) {
        let (above_a, above_b) = (self.sign_word(a, a_signed), self.sign_word(b, b_signed));
        let (low, high, lost) = match op {
            BinaryOp::Add | BinaryOp::Sub => {
                let op = super::expr::binary_op(op, false);
                let low = self.binary(op, a, b);
                let carries = match op {
                    ir::BinaryOp::Add => self.compare(Compare::Ult, low, a),
                    _ => self.compare(Compare::Ult, a, b),
                };
                let carry = self.int_resize(carries, Type::I64, false);
                let high = self.binary(op, above_a, above_b);
                (low, self.binary(op, high, carry), self.iconst(Type::I1, 0))
            }
            _ => {
                let (abs_a, abs_b) = (self.with_sign(a, above_a), self.with_sign(b, above_b));
                let product = self.binary(ir::BinaryOp::Mul, abs_a, abs_b);
                let lost = self.mul_overflows(abs_a, abs_b, product);
                let sign = self.binary(ir::BinaryOp::Xor, above_a, above_b);
                let zero = self.iconst(Type::I64, 0);
                let some = self.compare(Compare::Ne, product, zero);
                let high = self.select(some, sign, zero);
                (self.with_sign(product, sign), high, lost)
            }
        };
        let result = self.int_resize(low, ty, signed);
        let back = self.int_resize(result, Type::I64, signed);
        let above = self.sign_word(back, signed);
        let low_differs = self.compare(Compare::Ne, back, low);
        let high_differs = self.compare(Compare::Ne, above, high);
        let yes = self.iconst(Type::I1, 1);
        let differs = self.select(low_differs, yes, high_differs);
        (result, self.select(lost, yes, differs))
    }

    /// What is above a word in the same number of two words.
    fn sign_word(&mut self, x: Value, signed: bool) -> Value {
        if signed { self.binary_const(ir::BinaryOp::Ashr, x, 63) } else { self.iconst(Type::I64, 0) }
    }

    /// The number, negated if all bits of `sign` are set.
    fn with_sign(&mut self, x: Value, sign: Value) -> Value {
        let flipped = self.binary(ir::BinaryOp::Xor, x, sign);
        self.binary(ir::BinaryOp::Sub, flipped, sign)
    }

    /// Operands and result are all 64 bits and of the same signedness.
    fn overflow_same(&mut self, op: BinaryOp, signed: bool, a: Value, b: Value) -> (Value, Value) {
        let result = self.binary(super::expr::binary_op(op, signed), a, b);
        let overflows = match (op, signed) {
            (BinaryOp::Add, false) => self.compare(Compare::Ult, result, a),
            (BinaryOp::Sub, false) => self.compare(Compare::Ult, a, b),
            (BinaryOp::Add, true) => self.sign_of_both([a, result], [b, result]),
            (BinaryOp::Sub, true) => self.sign_of_both([a, b], [a, result]),
            (_, false) => self.mul_overflows(a, b, result),
            (_, true) => {
                let (abs_a, abs_b) = (self.absolute(a), self.absolute(b));
                let product = self.binary(ir::BinaryOp::Mul, abs_a, abs_b);
                let lost = self.mul_overflows(abs_a, abs_b, product);
                // Up to 2^63 - 1 fits, and 2^63 when the result is negative.
                let signs = self.binary(ir::BinaryOp::Xor, a, b);
                let negative = self.binary_const(ir::BinaryOp::Lshr, signs, 63);
                let most = self.binary_const(ir::BinaryOp::Add, negative, i64::MAX as u64);
                let large = self.compare(Compare::Ugt, product, most);
                let yes = self.iconst(Type::I1, 1);
                self.select(lost, yes, large)
            }
        };
        (result, overflows)
    }

    /// Is the sign bit of `(a ^ b) & (c ^ d)` set?
    fn sign_of_both(&mut self, [a, b]: [Value; 2], [c, d]: [Value; 2]) -> Value {
        let first = self.binary(ir::BinaryOp::Xor, a, b);
        let second = self.binary(ir::BinaryOp::Xor, c, d);
        let both = self.binary(ir::BinaryOp::And, first, second);
        let zero = self.iconst(self.ty(both), 0);
        self.compare(Compare::Slt, both, zero)
    }

    fn absolute(&mut self, x: Value) -> Value {
        let sign = self.sign_word(x, true);
        self.with_sign(x, sign)
    }

    /// Unsigned: dividing the product by one factor does not give the other.
    fn mul_overflows(&mut self, a: Value, b: Value, product: Value) -> Value {
        let quotient = self.binary(ir::BinaryOp::Udiv, product, a);
        let differs = self.compare(Compare::Ne, quotient, b);
        let zero = self.iconst(Type::I64, 0);
        let some = self.compare(Compare::Ne, a, zero);
        let no = self.iconst(Type::I1, 0);
        self.select(some, differs, no)
    }
}

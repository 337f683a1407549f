//! Calls: arguments, results, and the convention for records.

use std::sync::Arc;

use thin_vec::ThinVec;

use super::expr::Rvalue;
use super::func::Lowering;
use super::place::Target;
use super::symbols::Kind;
use crate::hir::{self, Expr, SymbolRef};
use crate::ir::{Asm, AsmOperand, Callee, InstData, Intrinsic, Signature, Type, Value};
use crate::types::TypeId;

impl Lowering<'_> {
    pub fn call(&mut self, callee: &hir::Callee, args: &[Expr], ty: TypeId) -> Rvalue {
        let (target, defined, noreturn) = match callee {
            hir::Callee::Direct(id) => {
                let function = &self.cx.module.functions[id.index()];
                if let ([packet, offset], Some(size)) = (args, packet_load(self.cx.names.name(function.name)))
                {
                    return self.packet_load(packet, offset, size, ty);
                }
                let symbol = self.symbol(SymbolRef::Func(*id));
                let sig = function.body.is_some().then(|| self.cx.signature(function.ty));
                (Callee::Func(symbol), sig, function.noreturn)
            }
            hir::Callee::Pointer(pointer) => (Callee::Indirect(self.scalar(pointer)), None, false),
        };
        let kind = self.cx.kind(ty);
        let mut values = Vec::new();
        let mut odd = false;
        let mut result = Rvalue::Void;
        if kind.in_memory() {
            let mem = self.temporary(ty);
            values.push(self.address(mem));
            result = Rvalue::Memory(mem);
            odd = true;
        }
        for arg in args {
            odd |= self.cx.kind(arg.ty).in_memory();
            values.push(self.argument(arg));
        }
        // The convention for records holds between functions of this module only.
        if odd && matches!(target, Callee::Func(_)) && defined.is_none() {
            self.intrinsic_effect(Intrinsic::OddArgument, Vec::new());
        }
        if let Some(sig) = defined {
            self.fit(&mut values, &sig);
        }
        let returned = self.emit_call(target, values, kind);
        if noreturn {
            self.end(InstData::Unreachable);
        }
        match (result, kind) {
            (Rvalue::Memory(mem), Kind::Wide { .. }) => self.load(Target::Mem(mem), ty),
            (Rvalue::Memory(_), _) => result,
            _ => returned.map_or(Rvalue::Void, |value| Rvalue::One(self.narrow(value, kind))),
        }
    }

    /// The legacy load from a packet: its context is in `r6`, the value comes in `r0`.
    fn packet_load(&mut self, packet: &Expr, offset: &Expr, size: &str, ty: TypeId) -> Rvalue {
        let template = format!("r6 = %1\nr0 = *({size} *)skb[%2]\n%0 = r0");
        let operands = vec![AsmOperand::Out(Type::I64), AsmOperand::Reg, AsmOperand::Any];
        let asm = Asm { template, operands, clobbers: 0b111_1111, effects: true };
        let packet = self.scalar(packet);
        let offset = self.scalar(offset);
        let offset = self.int_resize(offset, Type::I64, false);
        let data =
            InstData::Asm { asm: Arc::new(asm), args: [packet, offset].into(), targets: ThinVec::new() };
        let value = self.value(data);
        Rvalue::One(self.narrow(value, self.cx.kind(ty)))
    }

    fn emit_call(&mut self, callee: Callee, args: Vec<Value>, kind: Kind) -> Option<Value> {
        let ret = kind.scalar().map(super::symbols::word);
        let data = InstData::Call { callee, args: args.into(), ret };
        if ret.is_some() {
            Some(self.value(data))
        } else {
            self.effect(data);
            None
        }
    }

    /// One argument: a scalar, or a pointer to a copy of what lies in memory.
    fn argument(&mut self, arg: &Expr) -> Value {
        let kind = self.cx.kind(arg.ty);
        let value = self.expr(arg);
        if kind.in_memory() {
            let copy = self.temporary(arg.ty);
            self.store(Target::Mem(copy), arg.ty, value);
            return self.address(copy);
        }
        let value = self.as_scalar(value, arg.ty);
        self.passed(value, kind)
    }

    /// Makes the arguments those of the definition, which differ only when the call saw another
    /// declaration, or none.
    fn fit(&mut self, values: &mut Vec<Value>, sig: &Signature) {
        values.truncate(sig.params.len());
        for (value, &ty) in values.iter_mut().zip(&sig.params) {
            *value = self.retyped(*value, ty);
        }
        for &ty in &sig.params[values.len()..] {
            values.push(self.iconst(ty, 0));
        }
    }

    /// The bits of a value as another type.
    pub fn retyped(&mut self, value: Value, ty: Type) -> Value {
        use crate::ir::ConvertOp::{IntToPtr, PtrToInt};
        match (self.ty(value), ty) {
            (from, to) if from == to => value,
            (Type::Ptr, _) => {
                let value = self.convert(PtrToInt, Type::I64, value);
                self.int_resize(value, ty, false)
            }
            (_, Type::Ptr) => {
                let value = self.int_resize(value, Type::I64, false);
                self.convert(IntToPtr, Type::Ptr, value)
            }
            _ => self.int_resize(value, ty, false),
        }
    }
}

/// The access type of a load from a packet, by the name that programs give the function.
fn packet_load(name: &str) -> Option<&'static str> {
    match name {
        "llvm.bpf.load.byte" => Some("u8"),
        "llvm.bpf.load.half" => Some("u16"),
        "llvm.bpf.load.word" => Some("u32"),
        _ => None,
    }
}

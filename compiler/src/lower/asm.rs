//! Inline assembly.
//!
//! An empty template is a barrier: its register operands become values about which nothing is
//! known, and a memory operand or clobber becomes a fence. Any other template becomes one
//! instruction; its register outputs are values that are stored where they go.

use std::sync::Arc;

use thin_vec::ThinVec;

use super::expr::Rvalue;
use super::func::Lowering;
use super::symbols::Kind;
use crate::hir::{self, AsmOutput};
use crate::ir::{Asm, AsmOperand, BlockCall, InstData, Intrinsic, Type, Value};
use crate::types::TypeId;

impl Lowering<'_> {
    pub fn asm(&mut self, asm: &hir::Asm) {
        if asm.template.trim().is_empty() && asm.labels.is_empty() {
            self.barrier(asm);
        } else {
            self.real_asm(asm);
        }
    }

    fn barrier(&mut self, asm: &hir::Asm) {
        let mut fence = asm.outputs.is_empty() && asm.inputs.is_empty();
        fence |= asm.memory;
        fence |= asm.outputs.iter().any(|output| output.constraint.memory);
        let inputs: Vec<(Rvalue, TypeId)> =
            asm.inputs.iter().map(|input| (self.expr(&input.value), input.value.ty)).collect();
        if fence {
            self.intrinsic_effect(Intrinsic::Fence, Vec::new());
        }
        for (i, output) in (0..).zip(&asm.outputs) {
            if !output.constraint.memory {
                let tied = asm.inputs.iter().position(|input| input.constraint.tied == Some(i));
                self.barrier_output(output, tied.and_then(|at| inputs.get(at)).copied());
            }
        }
        for (input, &(value, ty)) in asm.inputs.iter().zip(&inputs) {
            let constraint = input.constraint;
            if let (false, Rvalue::One(value)) = (constraint.tied.is_some() || constraint.memory, value) {
                self.opaque(value, self.cx.kind(ty));
            }
        }
    }

    fn barrier_output(&mut self, output: &AsmOutput, tied: Option<(Rvalue, TypeId)>) {
        let ty = output.place.ty;
        let kind = self.cx.kind(ty);
        let target = self.place(&output.place);
        let old = match tied {
            Some((value, from)) => self.converted(value, from, ty),
            None if output.read_write => self.load(target, ty),
            None => Rvalue::Void,
        };
        if let Kind::Void | Kind::Memory(_) | Kind::Wide { .. } = kind {
            return self.intrinsic_effect(Intrinsic::Fence, Vec::new());
        }
        let old = self.as_scalar(old, ty);
        let new = self.opaque(old, kind);
        self.store(target, ty, Rvalue::One(new));
    }

    /// The same value, unknown.
    fn opaque(&mut self, value: Value, kind: Kind) -> Value {
        if self.is_passed_over() {
            return value;
        }
        let value = self.passed(value, kind);
        let ty = self.ty(value);
        let value = self.intrinsic(Intrinsic::Opaque, vec![value], ty);
        self.narrow(value, kind)
    }

    fn real_asm(&mut self, asm: &hir::Asm) {
        let mut operands = Vec::new();
        let mut args = Vec::new();
        // Where register outputs go, and the operands that bring the old values of some of them.
        let mut stores = Vec::new();
        let mut old = Vec::new();
        for (number, output) in (0..).zip(&asm.outputs) {
            let ty = output.place.ty;
            let kind = self.cx.kind(ty);
            if output.constraint.memory || kind.scalar().is_none() {
                let mem = self.place_mem(&output.place);
                args.push(self.address(mem));
                operands.push(AsmOperand::Mem);
                continue;
            }
            let target = self.place(&output.place);
            let word = self.cx.passed(ty);
            operands.push(if output.early { AsmOperand::Early(word) } else { AsmOperand::Out(word) });
            if output.read_write {
                let value = self.load(target, ty);
                old.push((number, self.as_scalar(value, ty)));
            }
            stores.push((number, target, ty));
        }
        for input in &asm.inputs {
            let (value, operand) = self.asm_input(input);
            args.push(value);
            operands.push(operand);
        }
        for (number, value) in old {
            args.push(value);
            operands.push(AsmOperand::Tied(number));
        }
        let effects = asm.volatile || asm.memory || operands.contains(&AsmOperand::Mem);
        let text = Asm { template: asm.template.clone(), operands, clobbers: asm.clobbers, effects };
        let text = Arc::new(text);
        if !asm.labels.is_empty() {
            let after = self.new_block();
            let labels: Vec<_> = asm.labels.iter().map(|&label| self.label(label)).collect();
            let call = BlockCall::to;
            let targets = [after].into_iter().chain(labels).map(call).collect();
            self.end(InstData::Asm { asm: text, args: args.into(), targets });
            return self.begin(after);
        }
        let data = InstData::Asm { asm: text, args: args.into(), targets: ThinVec::new() };
        if stores.is_empty() {
            return self.effect(data);
        }
        let first = self.value(data);
        let mut results = vec![first];
        for &(number, _, ty) in &stores[1..] {
            let number = self.iconst(Type::I32, u64::from(number));
            let ty = self.cx.passed(ty);
            results.push(self.intrinsic(Intrinsic::AsmResult, vec![first, number], ty));
        }
        for ((_, target, ty), result) in stores.into_iter().zip(results) {
            let value = self.narrow(result, self.cx.kind(ty));
            self.store(target, ty, Rvalue::One(value));
        }
    }

    fn asm_input(&mut self, input: &hir::AsmInput) -> (Value, AsmOperand) {
        let ty = input.value.ty;
        let value = self.expr(&input.value);
        // Not extended: as in clang, the upper bits of a register operand are whatever they are.
        let value = self.as_scalar(value, ty);
        let constraint = input.constraint;
        let operand = match (constraint.tied, constraint.register, constraint.constant) {
            (Some(output), ..) => AsmOperand::Tied(output),
            _ if constraint.memory => AsmOperand::Mem,
            (None, true, true) => AsmOperand::Any,
            (None, false, true) => AsmOperand::Imm,
            (None, ..) => AsmOperand::Reg,
        };
        (value, operand)
    }
}

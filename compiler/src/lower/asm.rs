//! Inline assembly.
//!
//! An empty template is a barrier: its register operands become values about which nothing is
//! known, and a memory operand or clobber becomes a fence. Any other template becomes one
//! intrinsic with the inputs and the addresses of the outputs as operands.

use super::expr::Rvalue;
use super::func::Lowering;
use super::symbols::Kind;
use crate::hir::{Asm, AsmOutput};
use crate::ir::{BlockCall, InstData, Intrinsic, SwitchCase, Type, Value};
use crate::types::TypeId;

impl Lowering<'_> {
    pub fn asm(&mut self, asm: &Asm) {
        if asm.template.trim().is_empty() && asm.labels.is_empty() {
            self.barrier(asm);
        } else {
            self.real_asm(asm);
        }
    }

    fn barrier(&mut self, asm: &Asm) {
        let in_memory = |constraint: &str| constraint.contains('m');
        let mut fence = asm.outputs.is_empty() && asm.inputs.is_empty();
        fence |= asm.clobbers.iter().any(|clobber| clobber == "memory");
        fence |= asm.outputs.iter().any(|output| in_memory(&output.constraint));
        let inputs: Vec<(Rvalue, TypeId)> =
            asm.inputs.iter().map(|input| (self.expr(&input.value), input.value.ty)).collect();
        if fence {
            self.intrinsic_effect(Intrinsic::Fence, Vec::new());
        }
        for (i, output) in asm.outputs.iter().enumerate() {
            if !in_memory(&output.constraint) {
                let tied = asm.inputs.iter().position(|input| input.constraint == i.to_string());
                self.barrier_output(output, tied.and_then(|at| inputs.get(at)).copied());
            }
        }
        for (input, &(value, ty)) in asm.inputs.iter().zip(&inputs) {
            let tied = input.constraint.bytes().all(|b| b.is_ascii_digit());
            if let (false, Rvalue::One(value)) = (tied || in_memory(&input.constraint), value) {
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
        let value = self.passed(value, kind);
        let ty = self.ty(value);
        let value = self.intrinsic(Intrinsic::Opaque, vec![value], ty);
        self.narrow(value, kind)
    }

    fn real_asm(&mut self, asm: &Asm) {
        let mut args = Vec::new();
        for output in &asm.outputs {
            let mem = self.place_mem(&output.place);
            args.push(self.address(mem));
        }
        for input in &asm.inputs {
            let value = self.expr(&input.value);
            args.push(self.as_scalar(value, input.value.ty));
        }
        if asm.labels.is_empty() {
            return self.intrinsic_effect(Intrinsic::Asm, args);
        }
        // Which label it jumps to, counted from 1; 0 goes on.
        let way = self.intrinsic(Intrinsic::Asm, args, Type::I32);
        let after = self.new_block();
        let call = |block| BlockCall { block, args: Vec::new() };
        let cases = (1..)
            .zip(&asm.labels)
            .map(|(i, &label)| SwitchCase { lo: i, hi: i, target: call(self.label(label)) })
            .collect();
        self.end(InstData::Switch { value: way, cases, default: call(after) });
        self.begin(after);
    }
}

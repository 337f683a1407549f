//! Selection of inline assembly: operands are moved to fixed registers, as those of calls are.

use std::sync::Arc;

use skep_stdlib::isa::Reg as Phys;

use super::Selector;
use super::constants::Constant;
use crate::codegen::asm::{Bound, Text, constant, registers};
use crate::codegen::mir::{Op, Reg};
use crate::ir::{Asm, AsmOperand, BlockCall, InstData, Intrinsic, Value};

impl Selector<'_> {
    pub(super) fn asm(
        &mut self,
        asm: &Arc<Asm>,
        args: &[Value],
        targets: &[BlockCall],
        result: Option<Value>,
    ) {
        let Some((text, sources)) = self.bind(asm, args) else { return };
        let (mut uses, mut defs) = (0, 0);
        // Extensions come first: they must not run while the registers are taken.
        let moves: Vec<Op> = sources.iter().map(|&(dst, value)| self.source(Reg::phys(dst), value)).collect();
        for ((reg, _), op) in sources.into_iter().zip(moves) {
            uses |= 1 << reg.number();
            self.emit(op);
        }
        let results = self.results(asm, result);
        let mut outputs = Vec::new();
        for ((operand, bound), result) in asm.operands.iter().zip(&text.operands).zip(results) {
            if let (Some(_), Bound::Reg(reg)) = (operand.output(), bound) {
                defs |= 1 << reg.number();
                outputs.extend(result.map(|dst| Op::Mov { dst, src: Reg::phys(*reg) }));
            }
        }
        let clobbers = asm.clobbers;
        match targets {
            [] => {
                let text = self.out.texts.push(text);
                self.emit(Op::Asm { text, uses, defs, clobbers });
                outputs.into_iter().for_each(|op| self.emit(op));
            }
            [next, to] if defs == 0 => {
                let text = self.out.texts.push(text);
                let (next, to) = (self.edge(next), self.edge(to));
                self.emit(Op::AsmGoto { text, uses, clobbers, next, to });
            }
            [_, _] => self.unsupported_end("an output of `asm goto`"),
            _ => self.unsupported_end("an `asm goto` with several labels"),
        }
    }

    /// Chooses registers: the bound text, and which value goes to which register before it.
    fn bind(&mut self, asm: &Arc<Asm>, args: &[Value]) -> Option<(Text, Vec<(Phys, Value)>)> {
        let arguments = {
            let mut args = args.iter().copied();
            let argument = |operand: &AsmOperand| match operand.output() {
                Some(_) => None,
                None => args.next(),
            };
            asm.operands.iter().map(argument).collect::<Vec<Option<Value>>>()
        };
        let named = |index: usize| arguments[index].and_then(|value| constant(self.f, value));
        let Some(registers) = registers(asm, |index| named(index).is_none()) else {
            self.limit("inline assembly with more operands than registers".into());
            return None;
        };
        let mut operands = Vec::new();
        let mut sources = Vec::new();
        for (index, operand) in asm.operands.iter().enumerate() {
            let bound = match (operand, registers[index]) {
                (AsmOperand::Mem, Some(reg)) => Bound::Memory(reg),
                (_, Some(reg)) => Bound::Reg(reg),
                (_, None) => match named(index) {
                    Some(bound) => bound,
                    None => {
                        let what = "an operand of inline assembly with constraint `i` that is no constant";
                        self.limit(what.into());
                        return None;
                    }
                },
            };
            operands.push(bound);
            if let (Some(reg), Some(value)) = (registers[index], arguments[index]) {
                sources.push((reg, value));
            }
        }
        Some((Text { asm: asm.clone(), operands }, sources))
    }

    /// The move that fills the register of an operand. Only of constants are the upper bits zero.
    fn source(&mut self, dst: Reg, value: Value) -> Op {
        if let Some(number) = self.f.constant(self.value(value)) {
            return Constant::number(number, self.cpu).op(dst);
        }
        let root = self.facts.root(self.value(value));
        match self.constant(root) {
            Some(constant) => constant.op(dst),
            None => Op::Mov { dst, src: self.reg(value) },
        }
    }

    /// The register of each output, if anyone asked for it: by operand.
    fn results(&self, asm: &Asm, first: Option<Value>) -> Vec<Option<Reg>> {
        let mut results = vec![None; asm.operands.len()];
        let Some(first) = first else { return results };
        if let Some(operand) = asm.operands.iter().position(|operand| operand.output().is_some()) {
            results[operand] = self.regs[first];
        }
        if asm.results().count() < 2 {
            return results;
        }
        for &inst in self.f.order.iter().flat_map(|&block| &self.f.blocks[block].insts) {
            let InstData::Intrinsic { op: Intrinsic::AsmResult, args, .. } = &self.f.insts[inst] else {
                continue;
            };
            let [of, number] = args[..] else { continue };
            let number = self.f.constant(number).and_then(|n| usize::try_from(n).ok());
            if let (true, Some(number), Some(value)) = (self.value(of) == first, number, self.f.result(inst))
                && let Some(slot) = results.get_mut(number)
                && let Some(reg) = self.regs[value]
            {
                *slot = Some(reg);
            }
        }
        results
    }
}

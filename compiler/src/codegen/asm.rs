//! Inline assembly: operands are bound to machine registers when code is selected, and the text
//! becomes instructions when code is emitted.
//!
//! In: an [`Asm`] of the IR with a register, constant or symbol for each operand. Out: instructions,
//! with the places where they name symbols or jump to labels of the C function. Registers are
//! fixed as those of a call are: moves before and after connect them with values, and the allocator
//! removes the moves that it can.

use std::sync::Arc;

use skep_stdlib::isa::asm::{self, Word};
use skep_stdlib::isa::{Imm64, Insn, Reg as Phys};

use super::code::{FuncCode, Reloc, RelocKind};
use crate::ir::{Asm, AsmOperand, Function, InstData, Module, SrcLoc, SymbolId, Value};

/// What stands for an operand in the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bound {
    /// A register.
    Reg(Phys),
    /// The memory at the address in a register.
    Memory(Phys),
    /// A number.
    Const(i64),
    /// The address of a symbol plus bytes.
    Symbol(SymbolId, i64),
}

/// Assembly with its operands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Text {
    /// The text.
    pub asm: Arc<Asm>,
    /// What stands for each operand.
    pub operands: Vec<Bound>,
}

/// Text as instructions.
pub struct Expanded {
    /// The instructions.
    pub insns: Vec<Insn>,
    /// Uses of symbols, by index of the instruction.
    pub uses: Vec<(usize, SymbolId)>,
    /// Jumps to targets of the statement, by index of the instruction.
    pub jumps: Vec<(usize, usize)>,
    /// Words that replace instructions, by index of the instruction.
    pub words: Vec<(usize, Word)>,
}

/// A register for each operand that needs one; `None` when there are too few.
pub fn registers(asm: &Asm, in_register: impl Fn(usize) -> bool) -> Option<Vec<Option<Phys>>> {
    let mut chosen = vec![None; asm.operands.len()];
    // Those that calls destroy first: what the operand is made from often lives on.
    let mut free: Vec<Phys> = [1, 2, 3, 4, 5, 0, 6, 7, 8, 9]
        .into_iter()
        .filter(|number| asm.clobbers >> number & 1 == 0)
        .filter_map(Phys::new)
        .rev()
        .collect();
    for (index, operand) in asm.operands.iter().enumerate() {
        let needs = match operand {
            AsmOperand::Out(_) | AsmOperand::Early(_) | AsmOperand::Reg | AsmOperand::Mem => true,
            AsmOperand::Any => in_register(index),
            AsmOperand::Tied(_) | AsmOperand::Imm => false,
        };
        if needs {
            chosen[index] = Some(free.pop()?);
        }
    }
    for (index, operand) in asm.operands.iter().enumerate() {
        if let AsmOperand::Tied(output) = operand {
            chosen[index] = *chosen.get(*output as usize)?;
        }
    }
    Some(chosen)
}

/// What a value is that the text names as a constant.
pub fn constant(f: &Function, value: Value) -> Option<Bound> {
    match *f.def(f.resolve(value))? {
        InstData::Const { ty, value } => Some(Bound::Const(ty.sign_extend(value))),
        InstData::SymbolAddr { symbol, offset } => Some(Bound::Symbol(symbol, offset)),
        _ => None,
    }
}

impl Text {
    /// Assembles the text.
    pub fn expand(&self, module: &Module) -> Result<Expanded, String> {
        let (text, targets) = self.substitute(module)?;
        let assembled = asm::assemble_symbolic(&text).map_err(|error| {
            format!("inline assembly: {} in `{}`", error.kind, statement_at(&text, error.line, error.column))
        })?;
        let mut expanded =
            Expanded { insns: assembled.insns, uses: Vec::new(), jumps: Vec::new(), words: assembled.words };
        for jump in &assembled.jumps {
            match targets.iter().find(|target| target_name(**target) == jump.name) {
                Some(&target) => expanded.jumps.push((jump.insn, target)),
                None => return Err(format!("inline assembly: unknown label `{}`", jump.name)),
            }
        }
        for symbol in &assembled.uses {
            match self.symbol(&symbol.name, module) {
                Some(id) => expanded.uses.push((symbol.insn, id)),
                None => return Err(format!("inline assembly: unknown symbol `{}`", symbol.name)),
            }
        }
        Ok(expanded)
    }

    /// The symbol of a name: of an operand, or of the module.
    fn symbol(&self, name: &str, module: &Module) -> Option<SymbolId> {
        let operands = self.operands.iter().filter_map(|operand| match operand {
            Bound::Symbol(id, _) => Some(*id),
            Bound::Reg(_) | Bound::Memory(_) | Bound::Const(_) => None,
        });
        operands.chain(module.symbols.keys()).find(|&id| module.symbols[id].name == name)
    }

    /// The text with its operands, and the targets that it names.
    fn substitute(&self, module: &Module) -> Result<(String, Vec<usize>), String> {
        let mut out = String::new();
        let mut targets = Vec::new();
        let mut rest = self.asm.template.as_str();
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let modifier = after.chars().next().filter(|c| !c.is_ascii_digit());
            let after = &after[modifier.map_or(0, char::len_utf8)..];
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let number = after[..digits].parse::<usize>();
            rest = match modifier {
                Some('%' | '=') => after,
                _ => &after[digits..],
            };
            match (modifier, number) {
                (Some('%'), _) => out.push('%'),
                // Labels are known in one text only, so the text may have any number.
                (Some('='), _) => out.push('0'),
                (Some('l'), Ok(number)) => {
                    out.push_str(&target_name(number));
                    targets.push(number);
                }
                (_, Ok(number)) => {
                    let bound = self.operands.get(number).ok_or("inline assembly: no such operand")?;
                    out.push_str(&spelled(bound, modifier, module)?);
                }
                (_, Err(_)) => return Err("inline assembly: `%` without an operand".into()),
            }
        }
        out.push_str(rest);
        Ok((out, targets))
    }
}

/// The statement at a place in a text.
fn statement_at(text: &str, line: u32, column: u32) -> &str {
    let line = text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
    let mut end = 0;
    let statements = line.split_inclusive(';').find(|statement| {
        end += statement.len();
        end >= column as usize
    });
    statements.unwrap_or(line).trim_matches(|c: char| c == ';' || c.is_whitespace())
}

/// The label that stands for a target in the text.
fn target_name(number: usize) -> String {
    format!("$target{number}")
}

fn spelled(bound: &Bound, modifier: Option<char>, module: &Module) -> Result<String, String> {
    match (bound, modifier) {
        (Bound::Reg(reg), None) => Ok(reg.to_string()),
        (Bound::Reg(reg), Some('w')) => Ok(format!("w{}", reg.number())),
        (Bound::Memory(reg), None) => Ok(format!("({reg} + 0)")),
        (Bound::Const(value), None) => Ok(value.to_string()),
        (Bound::Symbol(id, 0), None) => Ok(module.symbols[*id].name.clone()),
        (Bound::Symbol(id, addend), None) => Ok(format!("{}{addend:+}", module.symbols[*id].name)),
        (_, Some(modifier)) => Err(format!("inline assembly: no operand modifier `{modifier}` fits here")),
    }
}

impl FuncCode {
    /// Adds the instructions of assembly at the end, which is `slot`. Jumps to targets are left as
    /// they are.
    pub(super) fn append(&mut self, expanded: Expanded, slot: &mut u32, loc: SrcLoc) {
        let Expanded { insns, uses, words, .. } = expanded;
        let mut uses = uses.into_iter().peekable();
        let mut words = words.into_iter().peekable();
        if self.lines.last().is_none_or(|&(_, last)| last != loc) && !insns.is_empty() {
            self.lines.push((*slot, loc));
        }
        for (index, insn) in insns.into_iter().enumerate() {
            let mut insn = insn;
            if let Some((_, symbol)) = uses.next_if(|(at, _)| *at == index) {
                let mut reloc = Reloc { slot: *slot, symbol, addend: 0, kind: RelocKind::Call };
                if let Insn::LoadImm64 { value: Imm64::Const(addend), .. } = &mut insn {
                    reloc.addend = std::mem::take(addend) as i64;
                    reloc.kind = RelocKind::Address;
                }
                self.relocs.push(reloc);
            }
            if let Some((_, word)) = words.next_if(|(at, _)| *at == index) {
                self.words.push((*slot, word));
            }
            *slot += insn.slots() as u32;
            self.insns.push(insn);
        }
    }
}

//! A small machine for tests: executes [`Code`] over the memory and hosts of the IR interpreter.
//!
//! It is built to expose wrong assumptions: registers start with garbage, calls leave garbage in
//! `r1` to `r5`, and the upper bits of narrow arguments and results are garbage too.

use skep_stdlib::isa::{AluOp, AtomicOp, CallTarget, Cond, Endian, Imm64, Insn, Operand, Reg, Size, Width};

use crate::codegen::code::{Code, FuncCode, RelocKind};
use crate::ir::interp::{Fault, Host, Memory};
use crate::ir::{Arena, Module, SymbolId, SymbolKind, Type};

/// What uninitialised registers hold.
const GARBAGE: u64 = 0xdead_beef_f00d_5eed;

/// A program in execution.
pub struct Vm<'a> {
    code: &'a Code,
    module: &'a Module,
    pub memory: Memory,
    symbols: Arena<SymbolId, u64>,
    budget: u64,
    pub executed: u64,
}

impl<'a> Vm<'a> {
    /// Lays out the variables as the IR interpreter does.
    pub fn new(module: &'a Module, code: &'a Code, budget: u64) -> Result<Vm<'a>, Fault> {
        let mut memory = Memory::default();
        let mut symbols = Arena::new();
        for symbol in module.symbols.values() {
            let bytes = match &symbol.kind {
                SymbolKind::Func(_) => Vec::new(),
                SymbolKind::Data(data) => {
                    let mut bytes = data.bytes.clone().unwrap_or_default();
                    bytes.resize(data.size as usize, 0);
                    bytes
                }
            };
            symbols.push(memory.add(bytes, true)?);
        }
        Ok(Vm { code, module, memory, symbols, budget, executed: 0 })
    }

    /// The address of a symbol.
    pub fn address(&self, symbol: SymbolId) -> u64 {
        self.symbols[symbol]
    }

    /// Calls a function.
    pub fn call(&mut self, host: &mut dyn Host, symbol: SymbolId, args: &[u64]) -> Result<u64, Fault> {
        let func = self.code.functions.iter().find(|f| f.symbol == symbol);
        let func = func.ok_or_else(|| Fault::Undefined(self.module.symbols[symbol].name.clone()))?;
        let stack = self.memory.add(vec![0xa5; 512], true)?;
        let mut regs = [GARBAGE; Reg::COUNT];
        regs[10] = stack + 512;
        let params = self.module.func(symbol).map(|f| f.sig.params.clone()).unwrap_or_default();
        for ((reg, &arg), ty) in regs[1..].iter_mut().zip(args).zip(params) {
            *reg = dirty(ty, arg);
        }
        self.run(host, func, regs)
    }

    fn run(
        &mut self,
        host: &mut dyn Host,
        func: &'a FuncCode,
        mut regs: [u64; Reg::COUNT],
    ) -> Result<u64, Fault> {
        let mut slots = Vec::new();
        for (index, insn) in func.insns.iter().enumerate() {
            slots.push(Some(index));
            slots.extend((1..insn.slots()).map(|_| None));
        }
        let mut slot = 0i64;
        loop {
            self.executed += 1;
            if self.executed > self.budget {
                return Err(Fault::Budget);
            }
            let index = slots.get(slot as usize).copied().flatten();
            let index = index.ok_or_else(|| Fault::Invalid(format!("control reached slot {slot}")))?;
            let insn = func.insns[index];
            let reloc = func.relocs.iter().find(|r| i64::from(r.slot) == slot);
            slot += insn.slots() as i64;
            match insn {
                Insn::Exit => return Ok(regs[0]),
                Insn::Jump { off, .. } => slot += i64::from(off),
                Insn::Branch { width, cond, dst, src, off } => {
                    let (a, b) = (regs[dst.index()], operand(&regs, src));
                    if holds(cond, width, a, b) {
                        slot += i64::from(off);
                    }
                }
                Insn::Call(target) => {
                    let callee = reloc.filter(|r| r.kind == RelocKind::Call).map(|r| r.symbol);
                    regs[0] = self.call_target(host, target, callee, &regs)?;
                    regs[1..6].fill(GARBAGE);
                }
                Insn::LoadImm64 { dst, value: Imm64::Const(value) } => {
                    let address = reloc.map(|r| self.symbols[r.symbol].wrapping_add(r.addend as u64));
                    regs[dst.index()] = address.unwrap_or(value);
                }
                other => self.simple(other, &mut regs)?,
            }
        }
    }

    fn call_target(
        &mut self,
        host: &mut dyn Host,
        target: CallTarget,
        callee: Option<SymbolId>,
        regs: &[u64; Reg::COUNT],
    ) -> Result<u64, Fault> {
        match (target, callee) {
            (CallTarget::Helper(id), _) => host.helper(&mut self.memory, id as u32, &regs[1..6]),
            (CallTarget::Local(-1), Some(symbol)) => {
                let sig = self.module.func(symbol).map(|f| f.sig.clone()).unwrap_or_default();
                if self.module.definition(symbol).is_some() {
                    let result = self.call(host, symbol, &regs[1..=sig.params.len()])?;
                    return Ok(sig.ret.map_or(GARBAGE, |ty| dirty(ty, result)));
                }
                let name = &self.module.symbols[symbol].name;
                host.function(&mut self.memory, name, &regs[1..=sig.params.len()])
            }
            (target, _) => Err(Fault::Invalid(format!("a call of {target:?}"))),
        }
    }

    fn load(&self, address: u64, size: Size) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        let size = size.bytes() as usize;
        bytes[..size].copy_from_slice(self.memory.read(address, size)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn store(&mut self, address: u64, size: Size, value: u64) -> Result<(), Fault> {
        self.memory.write(address, &value.to_le_bytes()[..size.bytes() as usize])
    }

    fn simple(&mut self, insn: Insn, regs: &mut [u64; Reg::COUNT]) -> Result<(), Fault> {
        let at = |regs: &[u64; Reg::COUNT], base: Reg, off: i16| {
            regs[base.index()].wrapping_add(i64::from(off) as u64)
        };
        match insn {
            Insn::Alu { width, op, dst, src } => {
                let b = operand(regs, src);
                regs[dst.index()] = arithmetic(op, width, regs[dst.index()], b);
            }
            Insn::Mov { width, dst, src } => regs[dst.index()] = narrow(width, operand(regs, src)),
            Insn::MovSx { width, bits, dst, src } => {
                let unused = 64 - u32::from(bits);
                let value = ((regs[src.index()] << unused) as i64 >> unused) as u64;
                regs[dst.index()] = narrow(width, value);
            }
            Insn::Neg { width, dst } => {
                regs[dst.index()] = narrow(width, regs[dst.index()].wrapping_neg());
            }
            Insn::Swap { kind, bits, dst } => {
                let value = regs[dst.index()];
                let low = value & (u64::MAX >> (64 - bits));
                regs[dst.index()] = match kind {
                    Endian::ToLe => low,
                    Endian::ToBe | Endian::Bswap => low.swap_bytes() >> (64 - bits),
                };
            }
            Insn::Load { size, signed, dst, base, off } => {
                let value = self.load(at(regs, base, off), size)?;
                let unused = 64 - size.bytes() * 8;
                regs[dst.index()] = if signed { ((value << unused) as i64 >> unused) as u64 } else { value };
            }
            Insn::Store { size, base, off, src } => {
                self.store(at(regs, base, off), size, operand(regs, src))?;
            }
            Insn::Atomic { size, op, base, off, src } => {
                self.atomic(regs, size, op, at(regs, base, off), src)?;
            }
            other => return Err(Fault::Invalid(format!("{other:?} is not expected"))),
        }
        Ok(())
    }

    fn atomic(
        &mut self,
        regs: &mut [u64; Reg::COUNT],
        size: Size,
        op: AtomicOp,
        address: u64,
        src: Reg,
    ) -> Result<(), Fault> {
        let old = self.load(address, size)?;
        let value = regs[src.index()];
        let (new, fetch) = match op {
            AtomicOp::Add { fetch } => (old.wrapping_add(value), fetch),
            AtomicOp::Or { fetch } => (old | value, fetch),
            AtomicOp::And { fetch } => (old & value, fetch),
            AtomicOp::Xor { fetch } => (old ^ value, fetch),
            AtomicOp::Xchg => (value, true),
            AtomicOp::CmpXchg => {
                let expected = if size == Size::W { regs[0] & 0xffff_ffff } else { regs[0] };
                regs[0] = old;
                (if old == expected { value } else { old }, false)
            }
        };
        if fetch {
            regs[src.index()] = old;
        }
        self.store(address, size, new)
    }
}

/// A value as a caller may pass it: nobody promises the upper bits.
fn dirty(ty: Type, value: u64) -> u64 {
    (value & ty.mask()) | (GARBAGE & !ty.mask())
}

fn operand(regs: &[u64; Reg::COUNT], src: Operand) -> u64 {
    match src {
        Operand::Reg(reg) => regs[reg.index()],
        Operand::Imm(imm) => i64::from(imm) as u64,
    }
}

fn narrow(width: Width, value: u64) -> u64 {
    match width {
        Width::W32 => value & 0xffff_ffff,
        Width::W64 => value,
    }
}

fn arithmetic(op: AluOp, width: Width, a: u64, b: u64) -> u64 {
    let (a, b) = (narrow(width, a), narrow(width, b));
    let count = b % u64::from(width.bits());
    let signed = |x: u64| if width == Width::W32 { i64::from(x as i32) } else { x as i64 };
    let result = match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Div => a.checked_div(b).unwrap_or(0),
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Lsh => a << count,
        AluOp::Rsh => a >> count,
        AluOp::Mod => a.checked_rem(b).unwrap_or(a),
        AluOp::Xor => a ^ b,
        AluOp::Arsh => (signed(a) >> count) as u64,
        AluOp::Sdiv if b == 0 => 0,
        AluOp::Sdiv => signed(a).wrapping_div(signed(b)) as u64,
        AluOp::Smod if b == 0 => a,
        AluOp::Smod => signed(a).wrapping_rem(signed(b)) as u64,
    };
    narrow(width, result)
}

fn holds(cond: Cond, width: Width, a: u64, b: u64) -> bool {
    let (a, b) = (narrow(width, a), narrow(width, b));
    let signed = |x: u64| if width == Width::W32 { i64::from(x as i32) } else { x as i64 };
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Set => a & b != 0,
        Cond::Sgt => signed(a) > signed(b),
        Cond::Sge => signed(a) >= signed(b),
        Cond::Slt => signed(a) < signed(b),
        Cond::Sle => signed(a) <= signed(b),
    }
}

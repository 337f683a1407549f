//! Random modules as `lower` would make them.
//!
//! In: a seed. Out: a valid module whose functions end: variables in slots, structured branches,
//! counted loops, switches, copies and fills, helper calls, calls of earlier functions.
//! Invariant: results never depend on addresses or on bytes that were not stored.

use super::{NUMERIC, Rng};
use crate::ir::{
    BinaryOp, Block, BlockCall, Callee, Compare, ConvertOp, DataSymbol, FuncSymbol, Function, InstData,
    Intrinsic, MemFlags, Module, Signature, Slot, SlotData, SrcLoc, SwitchCase, Symbol, SymbolId, SymbolKind,
    Type, UnaryOp, Unroll, Value,
};

/// A module that the seed determines.
pub fn module(seed: u64) -> Module {
    let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut module = Module::new();
    let table: Vec<u8> = (0..32).map(|_| rng.next() as u8).collect();
    let datas = [
        data(
            &mut module,
            "table",
            DataSymbol {
                size: 32,
                align: 8,
                constant: true,
                local: true,
                bytes: Some(table),
                ..DataSymbol::default()
            },
        ),
        data(
            &mut module,
            "state",
            DataSymbol { size: 32, align: 8, bytes: Some(vec![1, 2, 3]), ..DataSymbol::default() },
        ),
    ];
    let count = 1 + rng.below(3);
    let mut defined: Vec<SymbolId> = Vec::new();
    for index in 0..count {
        let last = index + 1 == count;
        let types = [Type::I32, Type::I64, Type::Ptr];
        let mut params: Vec<Type> = (0..rng.below(4)).map(|_| *rng.pick(&types)).collect();
        if last {
            params.push(Type::Ptr);
        }
        let ret = (last || rng.chance(80)).then(|| *rng.pick(&types[..2]));
        let sig = Signature { params, ret };
        let func = FuncSymbol {
            sig: sig.clone(),
            local: !last,
            always_inline: !last && rng.chance(50),
            noinline: !last && rng.chance(10),
            keep: last,
            ..FuncSymbol::default()
        };
        let symbol = module.symbols.push(Symbol {
            name: format!("f{index}"),
            origin: index as u32,
            kind: SymbolKind::Func(func),
        });
        let f = Function::new(symbol, sig);
        let block = f.entry();
        let mut maker = Maker {
            rng: &mut rng,
            module: &module,
            defined: &defined,
            datas: &datas,
            f,
            block,
            values: Vec::new(),
            vars: Vec::new(),
            chunks: Vec::new(),
            budget: 60,
        };
        maker.body();
        module.functions.push(maker.f);
        defined.push(symbol);
    }
    module
}

fn data(module: &mut Module, name: &str, data: DataSymbol) -> SymbolId {
    let origin = module.symbols.len() as u32;
    module.symbols.push(Symbol { name: name.to_string(), origin, kind: SymbolKind::Data(data) })
}

struct Maker<'a> {
    rng: &'a mut Rng,
    module: &'a Module,
    defined: &'a [SymbolId],
    datas: &'a [SymbolId],
    f: Function,
    block: Block,
    /// Values that dominate this place.
    values: Vec<Value>,
    /// Slots of scalars, initialised.
    vars: Vec<(Slot, Type)>,
    /// Slots of 16 bytes, initialised.
    chunks: Vec<Slot>,
    /// Statements left.
    budget: i32,
}

const INTS: [Type; 2] = [Type::I32, Type::I64];
const CELLS: [Type; 4] = [Type::I8, Type::I16, Type::I32, Type::I64];

impl Maker<'_> {
    fn body(&mut self) {
        let params = self.f.blocks[self.block].params.clone();
        self.values.extend(&params);
        for _ in 0..2 + self.rng.below(3) {
            let ty = *self.rng.pick(&CELLS);
            let value = self.number(ty);
            let slot = self.slot(ty.bytes());
            self.store_to(slot, 0, value, ty.bytes());
            self.vars.push((slot, ty));
        }
        for _ in 0..self.rng.below(3) {
            let slot = self.slot(16);
            let (dst, fill, n) =
                (self.address(slot, 0), self.number(Type::I32), self.constant(Type::I64, 16));
            self.effect(InstData::Intrinsic { op: Intrinsic::Memset, args: [dst, fill, n].into(), ty: None });
            self.chunks.push(slot);
        }
        self.statements(2);
        let value = self.f.sig.ret.map(|ty| self.number(ty));
        self.effect(InstData::Return { value });
    }

    fn slot(&mut self, size: u32) -> Slot {
        let name = format!("x{}", self.f.slots.len());
        self.f.slots.push(SlotData { size, align: size.min(8), name, loc: SrcLoc::NONE })
    }

    fn emit(&mut self, data: InstData) -> Value {
        let value = self.f.append_value(self.block, data, SrcLoc::NONE);
        self.values.push(value);
        value
    }

    fn effect(&mut self, data: InstData) {
        self.f.append(self.block, data, SrcLoc::NONE);
    }

    fn constant(&mut self, ty: Type, value: u64) -> Value {
        self.f.append_value(self.block, InstData::Const { ty, value: value & ty.mask() }, SrcLoc::NONE)
    }

    fn address(&mut self, slot: Slot, offset: i32) -> Value {
        self.f.append_value(self.block, InstData::SlotAddr { slot, offset }, SrcLoc::NONE)
    }

    fn store_to(&mut self, slot: Slot, offset: i32, value: Value, align: u32) {
        let base = self.address(slot, offset);
        let flags = MemFlags { volatile: self.rng.chance(3), align };
        self.effect(InstData::Store { value, base, offset: 0, flags });
    }

    /// A value of an integer type.
    fn number(&mut self, ty: Type) -> Value {
        let fitting: Vec<Value> = self.values.iter().copied().filter(|&v| self.f.ty(v) == ty).collect();
        match self.rng.below(10) {
            0..=4 if !fitting.is_empty() => *self.rng.pick(&fitting),
            5 | 6 if ty != Type::I1 => self.read(ty),
            _ => {
                let value = self.rng.value();
                self.constant(ty, value)
            }
        }
    }

    fn read(&mut self, ty: Type) -> Value {
        let (base, offset, align) = self.place(ty);
        let flags = MemFlags { volatile: self.rng.chance(3), align };
        self.emit(InstData::Load { ty, base, offset, flags })
    }

    /// An address with room for a type: in a slot, a variable, or the caller's memory.
    fn place(&mut self, ty: Type) -> (Value, i32, u32) {
        let step = ty.bytes() as usize;
        let pointers: Vec<Value> = self.f.blocks[self.f.entry()]
            .params
            .iter()
            .copied()
            .filter(|&v| self.f.ty(v) == Type::Ptr)
            .collect();
        match self.rng.below(4) {
            0 if !self.chunks.is_empty() => {
                let slot = *self.rng.pick(&self.chunks.clone());
                let at = self.rng.below(16 / step) * step;
                let split = self.rng.below(at + 1);
                let base = self.address(slot, split as i32);
                (base, (at - split) as i32, ty.bytes())
            }
            1 if !pointers.is_empty() => {
                let base = *self.rng.pick(&pointers);
                let at = self.rng.below(56) as i32;
                (base, at, 1)
            }
            2 => {
                let symbol = self.datas[1];
                let at = self.rng.below(32 / step) * step;
                let base = self.f.append_value(
                    self.block,
                    InstData::SymbolAddr { symbol, offset: at as i64 },
                    SrcLoc::NONE,
                );
                (base, 0, ty.bytes())
            }
            _ => {
                let fitting: Vec<(Slot, Type)> =
                    self.vars.iter().copied().filter(|(_, t)| t.bytes() >= ty.bytes()).collect();
                match fitting.is_empty() {
                    true => {
                        let (symbol, offset) = (self.datas[1], 8);
                        let base = self.f.append_value(
                            self.block,
                            InstData::SymbolAddr { symbol, offset },
                            SrcLoc::NONE,
                        );
                        (base, 0, ty.bytes())
                    }
                    false => {
                        let (slot, whole) = *self.rng.pick(&fitting);
                        let at = self.rng.below((whole.bytes() / ty.bytes()) as usize) * step;
                        (self.address(slot, at as i32), 0, ty.bytes())
                    }
                }
            }
        }
    }

    fn condition(&mut self) -> Value {
        let ty = *self.rng.pick(&INTS);
        let args = [self.number(ty), self.number(ty)];
        let op = *self.rng.pick(Compare::ALL);
        self.emit(InstData::Compare { op, args })
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..2 + self.rng.below(5) {
            if self.budget <= 0 {
                return;
            }
            self.budget -= 1;
            match self.rng.below(16) {
                0..=5 => self.expression(),
                6..=8 => self.assignment(),
                9 => self.memory(),
                10 => self.call(),
                11 if depth > 0 => self.branch(depth - 1),
                12 if depth > 0 => self.counted_loop(depth - 1),
                13 if depth > 0 => self.switch(depth - 1),
                14 if depth > 0 => self.branch(depth - 1),
                _ => self.conversion(),
            }
        }
    }

    fn expression(&mut self) {
        let ty = *self.rng.pick(&INTS);
        let data = match self.rng.below(8) {
            0 => InstData::Unary { op: *self.rng.pick(UnaryOp::ALL), arg: self.number(ty) },
            1 => InstData::Select { cond: self.condition(), args: [self.number(ty), self.number(ty)] },
            2 => {
                let op =
                    *self.rng.pick(&[Intrinsic::Clz, Intrinsic::Ctz, Intrinsic::Popcount, Intrinsic::Opaque]);
                let arg = self.number(ty);
                InstData::Intrinsic {
                    op,
                    args: [arg].into(),
                    ty: Some(if op == Intrinsic::Opaque { ty } else { Type::I32 }),
                }
            }
            _ => InstData::Binary {
                op: *self.rng.pick(BinaryOp::ALL),
                args: [self.number(ty), self.number(ty)],
            },
        };
        self.emit(data);
    }

    fn conversion(&mut self) {
        let from = *self.rng.pick(&CELLS);
        let to = *self.rng.pick(&CELLS);
        let arg = self.number(from);
        let op = match from.bits().cmp(&to.bits()) {
            std::cmp::Ordering::Less if self.rng.chance(50) => ConvertOp::Sext,
            std::cmp::Ordering::Less => ConvertOp::Zext,
            std::cmp::Ordering::Greater => ConvertOp::Trunc,
            std::cmp::Ordering::Equal => {
                let cond = self.condition();
                self.emit(InstData::Convert { op: ConvertOp::Zext, ty: Type::I32, arg: cond });
                return;
            }
        };
        self.emit(InstData::Convert { op, ty: to, arg });
    }

    fn assignment(&mut self) {
        let ty = *self.rng.pick(&CELLS);
        let value = self.number(ty);
        let (base, offset, align) = self.place(ty);
        let flags = MemFlags { volatile: self.rng.chance(3), align };
        self.effect(InstData::Store { value, base, offset, flags });
    }

    fn memory(&mut self) {
        if self.chunks.is_empty() {
            return self.assignment();
        }
        let chunks = self.chunks.clone();
        let (a, b) = (*self.rng.pick(&chunks), *self.rng.pick(&chunks));
        let n = 1 + self.rng.below(8);
        let (at, from) = (self.rng.below(17 - n) as i32, self.rng.below(17 - n) as i32);
        let dst = self.address(a, at);
        let size = self.constant(Type::I64, n as u64);
        let (op, args, ty) = match self.rng.below(4) {
            0 => (Intrinsic::Memset, vec![dst, self.number(Type::I32), size], None),
            1 => (Intrinsic::Memcmp, vec![dst, self.address(b, from), size], Some(Type::I32)),
            2 => (Intrinsic::Memmove, vec![dst, self.address(b, from), size], None),
            _ => {
                // Copies must not overlap.
                let symbol = self.datas[0];
                let offset = self.rng.below(16) as i64;
                let src =
                    self.f.append_value(self.block, InstData::SymbolAddr { symbol, offset }, SrcLoc::NONE);
                (Intrinsic::Memcpy, vec![dst, src, size], None)
            }
        };
        match ty {
            Some(_) => {
                let order = self.emit(InstData::Intrinsic { op, args: args.into(), ty });
                // Only the sign of the order means something.
                self.values.pop();
                let zero = self.constant(Type::I32, 0);
                let op = *self.rng.pick(&[Compare::Eq, Compare::Ne, Compare::Slt]);
                self.emit(InstData::Compare { op, args: [order, zero] });
            }
            None => self.effect(InstData::Intrinsic { op, args: args.into(), ty }),
        }
    }

    fn call(&mut self) {
        if !self.defined.is_empty() && self.rng.chance(60) {
            let symbol = *self.rng.pick(self.defined);
            let sig = self.module.func(symbol).map(|func| func.sig.clone()).unwrap_or_default();
            let args = sig.params.iter().map(|&ty| self.argument(ty)).collect();
            let callee = match self.rng.chance(70) {
                true => Callee::Func(symbol),
                false => {
                    let data = InstData::SymbolAddr { symbol, offset: 0 };
                    Callee::Indirect(self.f.append_value(self.block, data, SrcLoc::NONE))
                }
            };
            return self.finish_call(InstData::Call { callee, args, ret: sig.ret });
        }
        let id = 1 + self.rng.below(9) as u32;
        let types = if id < NUMERIC { &[Type::Ptr][..] } else { &INTS[..] };
        let args = (0..self.rng.below(4))
            .map(|_| {
                let ty = *self.rng.pick(types);
                self.helper_argument(ty)
            })
            .collect();
        self.finish_call(InstData::Call { callee: Callee::Helper(id), args, ret: Some(Type::I64) });
    }

    fn finish_call(&mut self, call: InstData) {
        match call {
            InstData::Call { ret: Some(_), .. } => {
                self.emit(call);
            }
            _ => self.effect(call),
        }
    }

    /// A pointer argument has room for 64 bytes, because the callee may use them.
    fn argument(&mut self, ty: Type) -> Value {
        if ty != Type::Ptr {
            return self.number(ty);
        }
        let pointers: Vec<Value> = self.f.blocks[self.f.entry()]
            .params
            .iter()
            .copied()
            .filter(|&v| self.f.ty(v) == Type::Ptr)
            .collect();
        if !pointers.is_empty() {
            return *self.rng.pick(&pointers);
        }
        let slot = self.slot(64);
        let (dst, fill, n) = (self.address(slot, 0), self.number(Type::I32), self.constant(Type::I64, 64));
        self.effect(InstData::Intrinsic { op: Intrinsic::Memset, args: [dst, fill, n].into(), ty: None });
        self.address(slot, 0)
    }

    fn helper_argument(&mut self, ty: Type) -> Value {
        if ty != Type::Ptr {
            return self.number(ty);
        }
        let (slot, ty) = *self.rng.pick(&self.vars.clone());
        match ty.bytes() >= 4 {
            true => self.address(slot, 0),
            false => self.argument(Type::Ptr),
        }
    }

    fn jump(&mut self, block: Block) {
        self.effect(InstData::Jump { target: BlockCall::to(block) });
    }

    /// Statements in a block of their own that ends in a jump; what they compute stays there.
    fn arm(&mut self, block: Block, join: Block, depth: u32) {
        let known = self.values.len();
        self.block = block;
        self.statements(depth);
        self.jump(join);
        self.values.truncate(known);
    }

    fn branch(&mut self, depth: u32) {
        let cond = self.condition();
        let (yes, no, join) = (self.f.add_block(), self.f.add_block(), self.f.add_block());
        let target = BlockCall::to;
        self.effect(InstData::Branch { cond, then: target(yes), els: target(no) });
        if self.rng.chance(30) {
            return self.valued_arms(yes, no, join);
        }
        self.arm(yes, join, depth);
        self.arm(no, join, depth);
        self.block = join;
    }

    /// Both arms pass a value, as `&&` and `?:` do; the join may branch on it.
    fn valued_arms(&mut self, yes: Block, no: Block, join: Block) {
        let ty = Type::I32;
        let param = self.f.add_param(join, ty);
        for block in [yes, no] {
            let known = self.values.len();
            self.block = block;
            let value = if self.rng.chance(60) { self.constant(ty, 1) } else { self.number(ty) };
            self.effect(InstData::Jump { target: BlockCall { block: join, args: [value].into() } });
            self.values.truncate(known);
        }
        self.block = join;
        self.values.push(param);
        let one = self.constant(ty, 1);
        let cond = self.emit(InstData::Compare { op: Compare::Eq, args: [param, one] });
        let (a, b, end) = (self.f.add_block(), self.f.add_block(), self.f.add_block());
        let target = BlockCall::to;
        self.effect(InstData::Branch { cond, then: target(a), els: target(b) });
        self.arm(a, end, 0);
        self.arm(b, end, 0);
        self.block = end;
    }

    fn counted_loop(&mut self, depth: u32) {
        let counter = self.slot(4);
        let zero = self.constant(Type::I32, 0);
        let base = self.address(counter, 0);
        let flags = MemFlags { volatile: false, align: 4 };
        self.effect(InstData::Store { value: zero, base, offset: 0, flags });
        let (header, body, exit) = (self.f.add_block(), self.f.add_block(), self.f.add_block());
        self.jump(header);
        self.block = header;
        self.f.blocks[header].unroll =
            *self.rng.pick(&[Unroll::Auto, Unroll::Full, Unroll::Count(2), Unroll::Never]);
        let known = self.values.len();
        let count = self.f.append_value(
            header,
            InstData::Load { ty: Type::I32, base, offset: 0, flags },
            SrcLoc::NONE,
        );
        let limit = 1 + self.rng.below(6) as u64;
        let limit = self.constant(Type::I32, limit);
        let cond = self.f.append_value(
            header,
            InstData::Compare { op: Compare::Ult, args: [count, limit] },
            SrcLoc::NONE,
        );
        let target = BlockCall::to;
        self.effect(InstData::Branch { cond, then: target(body), els: target(exit) });
        self.block = body;
        self.statements(depth);
        if self.rng.chance(20) {
            let cond = self.condition();
            let more = self.f.add_block();
            self.effect(InstData::Branch { cond, then: target(exit), els: target(more) });
            self.block = more;
        }
        let (base, one) = (self.address(counter, 0), self.constant(Type::I32, 1));
        let now = self.f.append_value(
            self.block,
            InstData::Load { ty: Type::I32, base, offset: 0, flags },
            SrcLoc::NONE,
        );
        let next = self.f.append_value(
            self.block,
            InstData::Binary { op: BinaryOp::Add, args: [now, one] },
            SrcLoc::NONE,
        );
        self.effect(InstData::Store { value: next, base, offset: 0, flags });
        self.jump(header);
        self.values.truncate(known);
        self.block = exit;
    }

    fn switch(&mut self, depth: u32) {
        let ty = *self.rng.pick(&INTS);
        let value = self.number(ty);
        let join = self.f.add_block();
        let (mut cases, mut arms, mut low) = (Vec::new(), Vec::new(), self.rng.below(3) as u64);
        for _ in 0..1 + self.rng.below(6) {
            let hi = low + self.rng.below(2) as u64;
            let block = self.f.add_block();
            cases.push(SwitchCase { lo: low, hi, target: BlockCall::to(block) });
            arms.push(block);
            low = hi + 1 + self.rng.below(3) as u64;
        }
        let other = self.f.add_block();
        arms.push(other);
        self.effect(InstData::Switch { value, cases: cases.into(), default: BlockCall::to(other) });
        for block in arms {
            self.arm(block, join, depth);
        }
        self.block = join;
    }
}

mod tests {
    use super::*;
    use crate::ir::interp::Uninit;
    use crate::ir::verify::{self, verify_module};
    use crate::opt::testing::observe;

    #[test]
    fn random_modules_are_valid_and_most_finish() {
        let mut finished = 0;
        for seed in 1..200 {
            let module = module(seed);
            if let Err(broken) = verify_module(&module, verify::Options::default()) {
                panic!("seed {seed}: {broken}");
            }
            let name = &module.symbols[module.functions.last().expect("a function").symbol].name;
            let seen = observe(&module, name, seed, false, Uninit::Fault);
            finished += u32::from(seen.is_some_and(|seen| seen.finished()));
        }
        assert!(finished > 150, "{finished} of 199 finish");
    }
}

//! Random functions for the code generator: many values at once, every operation, branches, loops,
//! calls, memory.
//!
//! The shape is structured, so functions end; the dataflow is not: every operand is any earlier
//! value of the right type, and joins and loops pass many parameters.

use crate::ir::{
    AtomicOp, BinaryOp, Block, BlockCall, Callee, Compare, ConvertOp, DataSymbol, FuncSymbol, Function,
    InstData, Intrinsic, MemFlags, Module, Signature, Slot, SlotData, SrcLoc, Symbol, SymbolId, SymbolKind,
    Type, UnaryOp, Value,
};

/// A small generator of random numbers (splitmix64).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 32) as usize % n.max(1)
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Numbers at the edges of widths, and others.
    pub fn number(&mut self) -> u64 {
        let base = match self.below(6) {
            0 => 0,
            1 => 1u64 << self.below(64),
            2 => (1u64 << self.below(64)).wrapping_sub(1),
            3 => self.next() & 0xff,
            4 => self.next() & 0xffff_ffff,
            _ => self.next(),
        };
        if self.below(4) == 0 { base.wrapping_neg() } else { base }
    }
}

const WORDS: [Type; 2] = [Type::I32, Type::I64];
const CELLS: [Type; 4] = [Type::I8, Type::I16, Type::I32, Type::I64];
const BUFFER: u32 = 24;
/// The last two exist from v4 on.
const OPS: [BinaryOp; 13] = [
    BinaryOp::Add,
    BinaryOp::Sub,
    BinaryOp::Mul,
    BinaryOp::Udiv,
    BinaryOp::Urem,
    BinaryOp::And,
    BinaryOp::Or,
    BinaryOp::Xor,
    BinaryOp::Shl,
    BinaryOp::Lshr,
    BinaryOp::Ashr,
    BinaryOp::Sdiv,
    BinaryOp::Srem,
];

/// How the function is made.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Instructions, about.
    pub size: usize,
    /// Nesting of branches and loops.
    pub depth: usize,
    /// Of 100 instructions, how many are calls.
    pub calls: usize,
    /// Of 100 operands, how many are of the last few values; few make many live at once.
    pub local: usize,
    /// With operations that only v4 has.
    pub signed_division: bool,
}

/// A module with one function that takes three integers, and another that the first one calls.
pub fn module(seed: u64, shape: Shape) -> Module {
    let mut rng = Rng::new(seed);
    let mut module = Module::new();
    let bytes = (0..32).map(|_| rng.next() as u8).collect();
    let data = DataSymbol { size: 32, align: 8, bytes: Some(bytes), ..DataSymbol::default() };
    let data = module.symbols.push(Symbol { name: "state".into(), origin: 0, kind: SymbolKind::Data(data) });
    let sig = Signature { params: vec![Type::I64, Type::I32, Type::I64], ret: Some(rng.pick(&WORDS)) };
    let inner = Signature { params: vec![Type::I32, Type::I64], ret: Some(Type::I32) };
    let mut symbol = |name: &str, sig: &Signature| {
        let func = FuncSymbol { sig: sig.clone(), ..FuncSymbol::default() };
        module.symbols.push(Symbol { name: name.into(), origin: 0, kind: SymbolKind::Func(func) })
    };
    let (outer_symbol, inner_symbol) = (symbol("f", &sig), symbol("g", &inner));
    for (id, sig, callee, size) in
        [(outer_symbol, sig, Some(inner_symbol), shape.size), (inner_symbol, inner, None, shape.size / 4)]
    {
        let f = Function::new(id, sig);
        let block = f.entry();
        let shape = Shape { size, ..shape };
        let mut maker =
            Maker { rng: &mut rng, shape, data, callee, f, block, values: Vec::new(), slots: Vec::new() };
        maker.body();
        let f = maker.f;
        module.functions.push(f);
    }
    module
}

struct Maker<'a> {
    rng: &'a mut Rng,
    shape: Shape,
    data: SymbolId,
    callee: Option<SymbolId>,
    f: Function,
    block: Block,
    /// Values that dominate this place, of words, cells and `i1`.
    values: Vec<Value>,
    slots: Vec<Slot>,
}

impl Maker<'_> {
    fn body(&mut self) {
        let entry = self.block;
        self.values.extend(self.f.blocks[entry].params.clone());
        self.buffer();
        self.buffer();
        let (size, depth) = (self.shape.size, self.shape.depth);
        self.statements(size, depth);
        let ty = self.f.sig.ret.expect("the functions return numbers");
        // All values count: the result mixes them.
        let mut sum = self.word(ty);
        for _ in 0..12 {
            let other = self.word(ty);
            let op = self.rng.pick(&[BinaryOp::Add, BinaryOp::Xor]);
            sum = self.put(InstData::Binary { op, args: [sum, other] });
        }
        self.effect(InstData::Return { value: Some(sum) });
    }

    /// A new variable, initialised.
    fn buffer(&mut self) {
        let name = format!("s{}", self.f.slots.len());
        let slot = self.f.slots.push(SlotData { size: BUFFER, align: 8, name, loc: SrcLoc::NONE });
        for offset in (0..BUFFER as i32).step_by(8) {
            let base = self.put(InstData::SlotAddr { slot, offset: 0 });
            let value = self.word(Type::I64);
            self.effect(InstData::Store { value, base, offset, flags: flags(8) });
        }
        self.slots.push(slot);
    }

    fn effect(&mut self, data: InstData) {
        self.f.append(self.block, data, SrcLoc::NONE);
    }

    /// An instruction whose result is not an operand of others.
    fn put(&mut self, data: InstData) -> Value {
        self.f.append_value(self.block, data, SrcLoc::NONE)
    }

    fn emit(&mut self, data: InstData) {
        let value = self.put(data);
        self.values.push(value);
    }

    /// A value of this type.
    fn word(&mut self, ty: Type) -> Value {
        let of_type: Vec<Value> = self.values.iter().copied().filter(|&v| self.f.ty(v) == ty).collect();
        if of_type.is_empty() || self.rng.below(8) == 0 {
            let value = self.rng.number() & ty.mask();
            return self.put(InstData::Const { ty, value });
        }
        if self.rng.below(100) < self.shape.local {
            return of_type[of_type.len() - 1 - self.rng.below(of_type.len().min(3))];
        }
        self.rng.pick(&of_type)
    }

    fn statements(&mut self, size: usize, depth: usize) {
        let mut left = size;
        while left > 0 {
            let inner = left / 3;
            if depth > 0 && inner > 2 && self.rng.below(6) == 0 {
                if self.rng.below(2) == 0 {
                    self.branch(inner, depth - 1)
                } else {
                    self.repeat(inner, depth - 1)
                }
                left -= inner;
            } else {
                self.statement();
                left -= 1;
            }
        }
    }

    fn statement(&mut self) {
        if self.rng.below(100) < self.shape.calls {
            return self.call();
        }
        let ty = self.rng.pick(&WORDS);
        match self.rng.below(15) {
            14 if self.f.slots.len() < 16 => {
                if self.slots.len() > 2 {
                    let index = self.rng.below(self.slots.len());
                    self.slots.swap_remove(index);
                }
                self.buffer();
            }
            0..=3 => {
                let ops = &OPS[..if self.shape.signed_division { OPS.len() } else { OPS.len() - 2 }];
                let data = InstData::Binary { op: self.rng.pick(ops), args: [self.word(ty), self.word(ty)] };
                self.emit(data);
            }
            4 | 5 => self.convert(),
            6 => {
                let data = InstData::Compare { op: self.compare(), args: [self.word(ty), self.word(ty)] };
                self.emit(data);
            }
            7 => {
                let ty = self.rng.pick(&[Type::I1, Type::I8, Type::I16, Type::I32, Type::I64]);
                let data =
                    InstData::Select { cond: self.word(Type::I1), args: [self.word(ty), self.word(ty)] };
                self.emit(data);
            }
            8 => self.unary(),
            9 | 10 => self.load(),
            11 | 12 => self.store(),
            _ => {
                let args = vec![self.word(ty)];
                self.emit(InstData::Intrinsic { op: Intrinsic::Opaque, args: args.into(), ty: Some(ty) });
            }
        }
    }

    fn compare(&mut self) -> Compare {
        self.rng.pick(&[
            Compare::Eq,
            Compare::Ne,
            Compare::Ult,
            Compare::Ule,
            Compare::Ugt,
            Compare::Uge,
            Compare::Slt,
            Compare::Sle,
            Compare::Sgt,
            Compare::Sge,
        ])
    }

    fn unary(&mut self) {
        let (op, types): (_, &[Type]) = match self.rng.below(3) {
            0 => (UnaryOp::Neg, &WORDS),
            1 => (UnaryOp::Not, &[Type::I1, Type::I32, Type::I64]),
            _ => (UnaryOp::Bswap, &[Type::I16, Type::I32, Type::I64]),
        };
        let ty = self.rng.pick(types);
        let arg = self.word(ty);
        self.emit(InstData::Unary { op, arg });
    }

    fn convert(&mut self) {
        let types = [Type::I1, Type::I8, Type::I16, Type::I32, Type::I64];
        let (from, to) = (self.rng.below(5), self.rng.below(5));
        let (op, from, to) = match from.cmp(&to) {
            std::cmp::Ordering::Less if from > 0 && self.rng.below(2) == 0 => (ConvertOp::Sext, from, to),
            std::cmp::Ordering::Less => (ConvertOp::Zext, from, to),
            std::cmp::Ordering::Greater if from == 1 => (ConvertOp::Zext, 0, 1),
            std::cmp::Ordering::Greater => (ConvertOp::Trunc, from, to.max(1)),
            std::cmp::Ordering::Equal => (ConvertOp::Zext, 0, 4),
        };
        let arg = self.word(types[from]);
        self.emit(InstData::Convert { op, ty: types[to], arg });
    }

    fn slot_address(&mut self) -> Value {
        // Early variables stay in use, late ones come and go.
        let slot = self.rng.pick(&self.slots);
        self.put(InstData::SlotAddr { slot, offset: 0 })
    }

    /// A base and an offset at which `bytes` bytes can be accessed.
    fn place(&mut self, bytes: u32) -> (Value, i32) {
        let base = match self.rng.below(6) {
            0 => self.put(InstData::SymbolAddr { symbol: self.data, offset: 0 }),
            1 => {
                let args = vec![self.slot_address()];
                self.put(InstData::Intrinsic {
                    op: Intrinsic::Opaque,
                    args: args.into(),
                    ty: Some(Type::Ptr),
                })
            }
            2 => {
                let args = [self.slot_address(), self.slot_address()];
                let cond = self.word(Type::I1);
                self.put(InstData::Select { cond, args })
            }
            _ => self.slot_address(),
        };
        let cells = (BUFFER / bytes) as usize;
        if self.rng.below(3) > 0 {
            return (base, (self.rng.below(cells) as u32 * bytes) as i32);
        }
        // At a place that depends on a value.
        let index = self.word(Type::I64);
        let mask = self.put(InstData::Const { ty: Type::I64, value: 15 & !u64::from(bytes - 1) });
        let offset = self.put(InstData::Binary { op: BinaryOp::And, args: [index, mask] });
        (self.put(InstData::PtrAdd { base, offset }), 0)
    }

    fn load(&mut self) {
        let ty = self.rng.pick(&CELLS);
        let (base, offset) = self.place(ty.bytes());
        self.emit(InstData::Load { ty, base, offset, flags: flags(ty.bytes()) });
    }

    fn store(&mut self) {
        let ty = self.rng.pick(&CELLS);
        let (base, offset) = self.place(ty.bytes());
        let value = self.word(ty);
        // Every cpu has these atomic operations.
        match (ty, self.rng.below(4)) {
            (Type::I64, 0) => {
                let op = self.rng.pick(&[
                    AtomicOp::Add,
                    AtomicOp::And,
                    AtomicOp::Or,
                    AtomicOp::Xor,
                    AtomicOp::Xchg,
                ]);
                self.emit(InstData::AtomicRmw { op, base, offset, value });
            }
            (Type::I64, 1) => {
                let expected = self.word(ty);
                self.emit(InstData::AtomicCmpXchg { base, offset, expected, new: value });
            }
            (Type::I32, 0) => {
                self.put(InstData::AtomicRmw { op: AtomicOp::Add, base, offset, value });
            }
            _ => self.effect(InstData::Store { value, base, offset, flags: flags(ty.bytes()) }),
        }
    }

    fn call(&mut self) {
        if let Some(callee) = self.callee
            && self.rng.below(3) == 0
        {
            let args = vec![self.word(Type::I32), self.word(Type::I64)];
            return self.emit(InstData::Call {
                callee: Callee::Func(callee),
                args: args.into(),
                ret: Some(Type::I32),
            });
        }
        // The number of a helper tells the types of its arguments.
        let count = self.rng.below(6);
        let mut id = 100 + count as u32 * 64;
        let mut args = Vec::new();
        for index in 0..count {
            let ty = self.rng.pick(&WORDS);
            id += u32::from(ty == Type::I32) << index;
            args.push(self.word(ty));
        }
        let ret = self.rng.pick(&WORDS);
        self.emit(InstData::Call { callee: Callee::Helper(id), args: args.into(), ret: Some(ret) });
    }

    /// Values to pass to a new block, and the block with parameters for them.
    fn target(&mut self) -> (Block, Vec<Type>) {
        let types: Vec<Type> = (0..self.rng.below(6))
            .map(|_| self.rng.pick(&[Type::I1, Type::I8, Type::I32, Type::I64]))
            .collect();
        let block = self.f.add_block();
        for &ty in &types {
            self.f.add_param(block, ty);
        }
        (block, types)
    }

    fn call_of(&mut self, block: Block, types: &[Type]) -> BlockCall {
        BlockCall { block, args: types.iter().map(|&ty| self.word(ty)).collect() }
    }

    fn branch(&mut self, size: usize, depth: usize) {
        let cond = self.word(Type::I1);
        let (join, types) = self.target();
        let then = self.f.add_block();
        let (outside, slots) = (self.values.len(), self.slots.clone());
        // One side may jump to the join at once.
        let els = if self.rng.below(2) == 0 { Some(self.f.add_block()) } else { None };
        let skip = match els {
            Some(block) => BlockCall::to(block),
            None => self.call_of(join, &types),
        };
        let then_call = BlockCall::to(then);
        let (then_call, skip) = if self.rng.below(2) == 0 { (then_call, skip) } else { (skip, then_call) };
        self.effect(InstData::Branch { cond, then: then_call, els: skip });
        for block in [Some(then), els].into_iter().flatten() {
            self.block = block;
            self.statements(size / 2, depth);
            let target = self.call_of(join, &types);
            self.effect(InstData::Jump { target });
            self.values.truncate(outside);
            self.slots.clone_from(&slots);
        }
        self.enter(join);
    }

    fn enter(&mut self, block: Block) {
        self.block = block;
        self.values.extend(self.f.blocks[block].params.clone());
    }

    /// A loop that runs a few times.
    fn repeat(&mut self, size: usize, depth: usize) {
        let (header, types) = self.target();
        let counter = self.f.add_param(header, Type::I32);
        let mut first = self.call_of(header, &types);
        let start = self.put(InstData::Const { ty: Type::I32, value: 0 });
        first.args.push(start);
        self.effect(InstData::Jump { target: first });
        let (outside, slots) = (self.values.len(), self.slots.clone());
        self.enter(header);
        self.statements(size, depth);
        self.slots = slots;
        let one = self.put(InstData::Const { ty: Type::I32, value: 1 });
        let next = self.put(InstData::Binary { op: BinaryOp::Add, args: [counter, one] });
        let limit = self.rng.below(4) as u64 + 1;
        let limit = self.put(InstData::Const { ty: Type::I32, value: limit });
        let op = self.rng.pick(&[Compare::Ult, Compare::Slt]);
        let cond = self.put(InstData::Compare { op, args: [next, limit] });
        let mut again = self.call_of(header, &types);
        again.args.push(next);
        let (exit, exit_types) = self.target();
        let leave = self.call_of(exit, &exit_types);
        self.effect(InstData::Branch { cond, then: again, els: leave });
        // What the loop computed is seen after it.
        if self.rng.below(2) == 0 {
            self.values.truncate(outside);
        }
        self.enter(exit);
    }
}

fn flags(align: u32) -> MemFlags {
    MemFlags { volatile: false, align }
}

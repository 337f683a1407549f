//! The reference interpreter of the IR: the oracle that passes are judged by.
//!
//! In: a module, a function, arguments, and a [`Host`] that answers calls out of the module. Out:
//! the result, or the [`Fault`] that stopped it; memory can be inspected afterwards. It follows the
//! semantics in [`super`] to the letter, shares no code with the passes, and checks what they
//! promise: alignments, bounds, read-only data. CO-RE values are those of the local types.

mod memory;

use std::fmt;

pub use self::memory::{Memory, Uninit};
use super::entities::{Arena, Block, Slot, SymbolId, Value};
use super::function::Function;
use super::inst::{
    AtomicOp, BinaryOp, BlockCall, Callee, Compare, ConvertOp, InstData, Intrinsic, Type, UnaryOp,
};
use super::module::{Module, SymbolKind};

/// Answers calls that leave the module.
pub trait Host {
    /// Calls a helper.
    fn helper(&mut self, memory: &mut Memory, id: u32, args: &[u64]) -> Result<u64, Fault>;

    /// Calls a function that the module only declares.
    fn function(&mut self, memory: &mut Memory, name: &str, args: &[u64]) -> Result<u64, Fault> {
        let _ = (memory, args);
        Err(Fault::Undefined(name.to_string()))
    }
}

/// A host without any function.
#[derive(Clone, Copy, Debug)]
pub struct NoHost;

impl Host for NoHost {
    fn helper(&mut self, _: &mut Memory, id: u32, _: &[u64]) -> Result<u64, Fault> {
        Err(Fault::Undefined(format!("helper {id}")))
    }
}

/// Limits and choices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Instructions that may be executed.
    pub budget: u64,
    /// Calls that may be active at once.
    pub depth: u32,
    /// What uninitialised stack bytes read as.
    pub uninit: Uninit,
    /// Byte order of memory.
    pub big_endian: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { budget: 1_000_000, depth: 64, uninit: Uninit::Byte(0), big_endian: false }
    }
}

/// Why a run stopped without a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The budget of instructions is spent.
    Budget,
    /// Too many calls are active.
    Depth,
    /// Regions became too large.
    OutOfMemory,
    /// Inline assembly, which has no meaning here.
    Assembly,
    /// Bytes that are in no region.
    Access {
        /// The first.
        address: u64,
        /// How many.
        size: usize,
    },
    /// Bytes that were never stored.
    Uninit {
        /// The first.
        address: u64,
        /// How many.
        size: usize,
    },
    /// A store to constant data.
    ReadOnly {
        /// Where.
        address: u64,
    },
    /// An address that is not aligned as the instruction says.
    Misaligned {
        /// The address.
        address: u64,
        /// The claim.
        align: u32,
    },
    /// `unreachable` was reached.
    Unreachable,
    /// A trap was reached.
    Trap,
    /// A function or helper that nobody defines.
    Undefined(String),
    /// An operation that has no meaning here.
    Unsupported(Intrinsic),
    /// The function breaks a rule of the IR verifier.
    Invalid(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Budget => write!(f, "the budget of instructions is spent"),
            Fault::Depth => write!(f, "too many nested calls"),
            Fault::OutOfMemory => write!(f, "out of memory"),
            Fault::Access { address, size } => write!(f, "no {size} bytes at {address:#x}"),
            Fault::Uninit { address, size } => write!(f, "{size} bytes at {address:#x} were never stored"),
            Fault::ReadOnly { address } => write!(f, "store to constant data at {address:#x}"),
            Fault::Misaligned { address, align } => write!(f, "{address:#x} is not aligned to {align}"),
            Fault::Unreachable => write!(f, "`unreachable` was reached"),
            Fault::Trap => write!(f, "a trap was reached"),
            Fault::Undefined(name) => write!(f, "`{name}` is not defined"),
            Fault::Assembly => write!(f, "inline assembly cannot be interpreted"),
            Fault::Unsupported(op) => write!(f, "`{op}` cannot be interpreted"),
            Fault::Invalid(what) => write!(f, "invalid IR: {what}"),
        }
    }
}

impl std::error::Error for Fault {}

/// A module being executed.
pub struct Interp<'a> {
    module: &'a Module,
    options: Options,
    /// All bytes: buffers may be added before and read after a call.
    pub memory: Memory,
    symbols: Arena<SymbolId, u64>,
    /// Instructions executed so far.
    pub executed: u64,
    depth: u32,
}

/// One active call.
struct Frame<'a> {
    f: &'a Function,
    values: Arena<Value, u64>,
    slots: Arena<Slot, u64>,
}

/// What a terminator does.
enum Next<'a> {
    Go(&'a BlockCall),
    Return(Option<u64>),
}

impl<'a> Interp<'a> {
    /// Lays out the symbols of a module. `None` of the bytes of a variable means zeros.
    pub fn new(module: &'a Module, options: Options) -> Result<Self, Fault> {
        let mut memory = Memory::default();
        let mut symbols = Arena::new();
        for symbol in module.symbols.values() {
            let bytes = match &symbol.kind {
                SymbolKind::Func(_) => Vec::new(),
                SymbolKind::Data(data) => {
                    let size = usize::try_from(data.size).ok().filter(|&size| size < 1 << 28);
                    let mut bytes = data.bytes.clone().unwrap_or_default();
                    bytes.resize(size.ok_or(Fault::OutOfMemory)?, 0);
                    bytes
                }
            };
            symbols.push(memory.add(bytes, true)?);
        }
        let mut interp = Interp { module, options, memory, symbols, executed: 0, depth: 0 };
        for (id, symbol) in module.symbols.iter() {
            if let SymbolKind::Data(data) = &symbol.kind {
                for &(offset, target, addend) in &data.addresses {
                    let target = interp.symbols[target].wrapping_add(addend as u64);
                    interp.store(interp.symbols[id].wrapping_add(offset), Type::Ptr, target)?;
                }
            }
        }
        for (id, symbol) in module.symbols.iter() {
            if matches!(&symbol.kind, SymbolKind::Data(data) if data.constant) {
                interp.memory.protect(interp.symbols[id]);
            }
        }
        Ok(interp)
    }

    /// The address of a symbol.
    pub fn address(&self, symbol: SymbolId) -> u64 {
        self.symbols[symbol]
    }

    /// The bytes of a variable now.
    pub fn data(&self, symbol: SymbolId) -> Result<&[u8], Fault> {
        let size = self.module.data(symbol).map_or(0, |data| data.size);
        self.memory.read(self.symbols[symbol], size as usize)
    }

    /// Runs a function.
    pub fn call(
        &mut self,
        host: &mut dyn Host,
        symbol: SymbolId,
        args: &[u64],
    ) -> Result<Option<u64>, Fault> {
        let module = self.module;
        let Some(f) = module.definition(symbol) else {
            return host.function(&mut self.memory, &module.symbols[symbol].name, args).map(Some);
        };
        if self.depth >= self.options.depth {
            return Err(Fault::Depth);
        }
        self.depth += 1;
        let mark = self.memory.mark();
        let result = self.enter(f, args).and_then(|mut frame| self.run(host, &mut frame));
        self.memory.release(mark);
        self.depth -= 1;
        result
    }

    fn enter(&mut self, f: &'a Function, args: &[u64]) -> Result<Frame<'a>, Fault> {
        let mut slots = Arena::new();
        for slot in f.slots.values() {
            slots.push(self.memory.add_uninit(slot.size as usize, self.options.uninit)?);
        }
        let params = &f.blocks[f.entry()].params;
        if params.len() != args.len() {
            return Err(Fault::Invalid(format!("the function takes {} arguments", params.len())));
        }
        let mut values = Arena::filled(&f.values, 0);
        for (&param, &arg) in params.iter().zip(args) {
            values[param] = arg & f.ty(param).mask();
        }
        Ok(Frame { f, values, slots })
    }

    fn run(&mut self, host: &mut dyn Host, frame: &mut Frame<'a>) -> Result<Option<u64>, Fault> {
        let f = frame.f;
        let mut block = f.entry();
        loop {
            match self.block(host, frame, block)? {
                Next::Return(value) => return Ok(value),
                Next::Go(call) => {
                    let args: Vec<u64> = call.args.iter().map(|&v| frame.get(v)).collect();
                    for (&param, arg) in f.blocks[call.block].params.iter().zip(args) {
                        frame.values[param] = arg;
                    }
                    block = call.block;
                }
            }
        }
    }

    fn block(&mut self, host: &mut dyn Host, frame: &mut Frame<'a>, block: Block) -> Result<Next<'a>, Fault> {
        let f = frame.f;
        for &inst in &f.blocks[block].insts {
            self.executed += 1;
            if self.executed > self.options.budget {
                return Err(Fault::Budget);
            }
            let data = &f.insts[inst];
            match data {
                InstData::Jump { target } => return Ok(Next::Go(target)),
                InstData::Branch { cond, then, els } => {
                    return Ok(Next::Go(if frame.get(*cond) != 0 { then } else { els }));
                }
                InstData::Switch { value, cases, default } => {
                    let value = frame.get(*value);
                    let case = cases.iter().find(|case| (case.lo..=case.hi).contains(&value));
                    return Ok(Next::Go(case.map_or(default, |case| &case.target)));
                }
                InstData::Return { value } => return Ok(Next::Return(value.map(|v| frame.get(v)))),
                InstData::Unreachable => return Err(Fault::Unreachable),
                _ => {
                    let computed = self.compute(host, frame, data)?;
                    if let Some(result) = f.result(inst) {
                        let computed =
                            computed.ok_or_else(|| Fault::Invalid(format!("{inst} computes no value")))?;
                        frame.values[result] = computed & f.ty(result).mask();
                    }
                }
            }
        }
        Err(Fault::Invalid(format!("{block} has no terminator")))
    }

    fn compute(
        &mut self,
        host: &mut dyn Host,
        frame: &mut Frame<'a>,
        data: &InstData,
    ) -> Result<Option<u64>, Fault> {
        let f = frame.f;
        let address = |frame: &Frame<'_>, base: Value, offset: i32| {
            frame.get(base).wrapping_add(i64::from(offset) as u64)
        };
        Ok(Some(match data {
            InstData::Const { value, .. } => *value,
            InstData::SymbolAddr { symbol, offset } => self.symbols[*symbol].wrapping_add(*offset as u64),
            InstData::SlotAddr { slot, offset } => frame.slots[*slot].wrapping_add(i64::from(*offset) as u64),
            InstData::Core { core, .. } => self.module.cores[*core].local,
            InstData::Unary { op, arg } => unary(*op, f.ty(*arg), frame.get(*arg)),
            InstData::Binary { op, args: [a, b] } => binary(*op, f.ty(*a), frame.get(*a), frame.get(*b)),
            InstData::PtrAdd { base, offset } => frame.get(*base).wrapping_add(frame.get(*offset)),
            InstData::Convert { op, arg, .. } => match op {
                ConvertOp::Sext => f.ty(*arg).sign_extend(frame.get(*arg)) as u64,
                ConvertOp::Zext | ConvertOp::Trunc | ConvertOp::PtrToInt | ConvertOp::IntToPtr => {
                    frame.get(*arg)
                }
            },
            InstData::Compare { op, args: [a, b] } => {
                compare(*op, f.ty(*a), frame.get(*a), frame.get(*b)).into()
            }
            InstData::Select { cond, args: [a, b] } => frame.get(if frame.get(*cond) != 0 { *a } else { *b }),
            InstData::Load { ty, base, offset, flags } => {
                let address = address(frame, *base, *offset);
                aligned(address, flags.align)?;
                self.load(address, *ty)?
            }
            InstData::Store { value, base, offset, flags } => {
                let address = address(frame, *base, *offset);
                aligned(address, flags.align)?;
                self.store(address, f.ty(*value), frame.get(*value))?;
                return Ok(None);
            }
            InstData::AtomicRmw { op, base, offset, value } => {
                let (address, ty) = (address(frame, *base, *offset), f.ty(*value));
                aligned(address, ty.bytes())?;
                let old = self.load(address, ty)?;
                self.store(address, ty, atomic(*op, old, frame.get(*value)))?;
                old
            }
            InstData::AtomicCmpXchg { base, offset, expected, new } => {
                let (address, ty) = (address(frame, *base, *offset), f.ty(*expected));
                aligned(address, ty.bytes())?;
                let old = self.load(address, ty)?;
                if old == frame.get(*expected) {
                    self.store(address, ty, frame.get(*new))?;
                }
                old
            }
            InstData::Call { callee, args, .. } => {
                let args: Vec<u64> = args.iter().map(|&v| frame.get(v)).collect();
                return self.callee(host, frame, *callee, &args);
            }
            InstData::Intrinsic { op, args, .. } => return self.intrinsic(frame, *op, args),
            InstData::Asm { .. } => return Err(Fault::Assembly),
            InstData::Jump { .. }
            | InstData::Branch { .. }
            | InstData::Switch { .. }
            | InstData::Return { .. }
            | InstData::Unreachable => {
                return Err(Fault::Invalid("a terminator computes nothing".to_string()));
            }
        }))
    }

    fn callee(
        &mut self,
        host: &mut dyn Host,
        frame: &Frame<'a>,
        callee: Callee,
        args: &[u64],
    ) -> Result<Option<u64>, Fault> {
        match callee {
            Callee::Helper(id) => host.helper(&mut self.memory, id, args).map(Some),
            Callee::Func(symbol) => self.call(host, symbol, args),
            Callee::Indirect(pointer) => {
                let pointer = frame.get(pointer);
                // A small number is that of a helper, as C code spells helpers.
                if let Ok(id) = u32::try_from(pointer) {
                    return host.helper(&mut self.memory, id, args).map(Some);
                }
                let found = self.symbols.iter().find(|&(_, &address)| address == pointer);
                match found.map(|(symbol, _)| symbol) {
                    Some(symbol) => self.call(host, symbol, args),
                    None => Err(Fault::Undefined(format!("{pointer:#x}"))),
                }
            }
        }
    }

    fn load(&self, address: u64, ty: Type) -> Result<u64, Fault> {
        let bytes = self.memory.read(address, ty.bytes() as usize)?;
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        if self.options.big_endian {
            word[..bytes.len()].reverse();
        }
        Ok(u64::from_le_bytes(word))
    }

    fn store(&mut self, address: u64, ty: Type, value: u64) -> Result<(), Fault> {
        let mut word = value.to_le_bytes();
        let bytes = &mut word[..ty.bytes() as usize];
        if self.options.big_endian {
            bytes.reverse();
        }
        self.memory.write(address, bytes)
    }

    fn intrinsic(&mut self, frame: &Frame<'a>, op: Intrinsic, args: &[Value]) -> Result<Option<u64>, Fault> {
        let f = frame.f;
        let arg = |i: usize| {
            args.get(i)
                .map(|&v| frame.get(v))
                .ok_or_else(|| Fault::Invalid(format!("`{op}` lacks an operand")))
        };
        let bits = args.first().map_or(64, |&v| f.ty(v).bits());
        Ok(match op {
            Intrinsic::ConstantP => Some(args.first().is_some_and(|&v| f.constant(v).is_some()).into()),
            Intrinsic::Memcpy | Intrinsic::Memmove => {
                self.memory.copy(arg(0)?, arg(1)?, size(arg(2)?)?)?;
                None
            }
            Intrinsic::Memset => {
                let size = size(arg(2)?)?;
                if size > 0 {
                    self.memory.write(arg(0)?, &vec![arg(1)? as u8; size])?;
                }
                None
            }
            Intrinsic::Memcmp => {
                let size = size(arg(2)?)?;
                let order = if size == 0 {
                    std::cmp::Ordering::Equal
                } else {
                    self.memory.read(arg(0)?, size)?.cmp(self.memory.read(arg(1)?, size)?)
                };
                Some(order as i64 as u64)
            }
            Intrinsic::Strlen => Some(self.c_string(arg(0)?)?.len() as u64),
            Intrinsic::Strcmp => Some(self.c_string(arg(0)?)?.cmp(&self.c_string(arg(1)?)?) as i64 as u64),
            Intrinsic::Clz => Some(u64::from(arg(0)?.leading_zeros() - (64 - bits))),
            Intrinsic::Ctz => Some(u64::from(arg(0)?.trailing_zeros().min(bits))),
            Intrinsic::Popcount => Some(u64::from(arg(0)?.count_ones())),
            Intrinsic::Opaque => Some(arg(0)?),
            Intrinsic::Fence => None,
            Intrinsic::Trap => return Err(Fault::Trap),
            Intrinsic::FrameAddress
            | Intrinsic::AsmResult
            | Intrinsic::Wide
            | Intrinsic::Float
            | Intrinsic::ReturnAddress
            | Intrinsic::OddArgument
            | Intrinsic::CastAddressSpace
            | Intrinsic::OddAtomic
            | Intrinsic::VarArgs => return Err(Fault::Unsupported(op)),
        })
    }

    fn c_string(&self, address: u64) -> Result<Vec<u8>, Fault> {
        let mut text = Vec::new();
        loop {
            match self.memory.read(address.wrapping_add(text.len() as u64), 1)? {
                [0] => return Ok(text),
                bytes => text.extend_from_slice(bytes),
            }
        }
    }
}

impl Frame<'_> {
    fn get(&self, value: Value) -> u64 {
        self.values[self.f.resolve(value)]
    }
}

fn size(size: u64) -> Result<usize, Fault> {
    if size < 1 << 28 { Ok(size as usize) } else { Err(Fault::OutOfMemory) }
}

fn aligned(address: u64, align: u32) -> Result<(), Fault> {
    let known = u64::from(align.max(1));
    if address.is_multiple_of(known) { Ok(()) } else { Err(Fault::Misaligned { address, align }) }
}

fn unary(op: UnaryOp, ty: Type, x: u64) -> u64 {
    match op {
        UnaryOp::Neg => x.wrapping_neg(),
        UnaryOp::Not => !x,
        UnaryOp::Bswap => x.swap_bytes() >> (64 - ty.bits()),
    }
}

/// Operands are truncated to the type; the caller truncates the result.
fn binary(op: BinaryOp, ty: Type, x: u64, y: u64) -> u64 {
    let (sx, sy) = (ty.sign_extend(x), ty.sign_extend(y));
    let count = (y % u64::from(ty.bits())) as u32;
    match op {
        BinaryOp::Add => x.wrapping_add(y),
        BinaryOp::Sub => x.wrapping_sub(y),
        BinaryOp::Mul => x.wrapping_mul(y),
        BinaryOp::Udiv => x.checked_div(y).unwrap_or(0),
        BinaryOp::Urem => x.checked_rem(y).unwrap_or(x),
        BinaryOp::Sdiv if sy == 0 => 0,
        BinaryOp::Sdiv => sx.wrapping_div(sy) as u64,
        BinaryOp::Srem if sy == 0 => x,
        BinaryOp::Srem => sx.wrapping_rem(sy) as u64,
        BinaryOp::And => x & y,
        BinaryOp::Or => x | y,
        BinaryOp::Xor => x ^ y,
        BinaryOp::Shl => x << count,
        BinaryOp::Lshr => x >> count,
        BinaryOp::Ashr => (sx >> count) as u64,
    }
}

fn compare(op: Compare, ty: Type, x: u64, y: u64) -> bool {
    let (sx, sy) = (ty.sign_extend(x), ty.sign_extend(y));
    match op {
        Compare::Eq => x == y,
        Compare::Ne => x != y,
        Compare::Ult => x < y,
        Compare::Ule => x <= y,
        Compare::Ugt => x > y,
        Compare::Uge => x >= y,
        Compare::Slt => sx < sy,
        Compare::Sle => sx <= sy,
        Compare::Sgt => sx > sy,
        Compare::Sge => sx >= sy,
    }
}

fn atomic(op: AtomicOp, old: u64, value: u64) -> u64 {
    match op {
        AtomicOp::Add => old.wrapping_add(value),
        AtomicOp::And => old & value,
        AtomicOp::Or => old | value,
        AtomicOp::Xor => old ^ value,
        AtomicOp::Xchg => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    fn run(text: &str, args: &[u64]) -> Result<Option<u64>, Fault> {
        let module = parse(text).expect("the text parses");
        let mut interp = Interp::new(&module, Options { uninit: Uninit::Fault, ..Options::default() })?;
        let symbol = module.functions[0].symbol;
        interp.call(&mut NoHost, symbol, args)
    }

    #[test]
    fn loop_with_block_parameters() {
        let text = "function @sum(i64) -> i64 {\nblock0(v0: i64):\n  v1 = iconst.i64 0\n  v6 = iconst.i64 1\n  \
                    jump block1(v1, v1)\nblock1(v2: i64, v3: i64):\n  v4 = icmp ult v2, v0\n  \
                    br v4, block2, block3\nblock2:\n  v5 = add v2, v6\n  v7 = add v3, v5\n  jump block1(v5, v7)\n\
                    block3:\n  return v3\n}";
        assert_eq!(run(text, &[10]), Ok(Some(55)));
        assert_eq!(run(text, &[1 << 40]), Err(Fault::Budget));
    }

    #[test]
    fn memory_faults() {
        let text = |inst: &str| {
            format!(
                "function @f(i32) -> i32 {{\n  s0 = slot 8 align 8\nblock0(v0: i32):\n  v1 = slot_addr s0\n  {inst}\n  return v0\n}}"
            )
        };
        let fault = |inst: &str| run(&text(inst), &[1]).expect_err(inst);
        assert!(matches!(fault("v2 = load.i32 v1 align 4"), Fault::Uninit { size: 4, .. }));
        assert!(matches!(fault("store v0, v1+8 align 4"), Fault::Access { size: 4, .. }));
        assert!(matches!(fault("store v0, v1+2 align 4"), Fault::Misaligned { align: 4, .. }));
        assert!(matches!(fault("v2 = iconst.ptr 0\n  store v0, v2 align 1"), Fault::Access { .. }));
        assert_eq!(run(&text("store v0, v1+2 align 2"), &[7]), Ok(Some(7)));
    }

    #[test]
    fn total_arithmetic() {
        let eval = |op: &str, a: u64, b: u64| {
            let text = format!(
                "function @f(i32, i32) -> i32 {{\nblock0(v0: i32, v1: i32):\n  v2 = {op} v0, v1\n  return v2\n}}"
            );
            run(&text, &[a, b]).expect("arithmetic is total").expect("there is a result") as u32
        };
        let min = 1 << 31;
        assert_eq!(
            (eval("udiv", 7, 0), eval("urem", 7, 0), eval("sdiv", 7, 0), eval("srem", 7, 0)),
            (0, 7, 0, 7)
        );
        assert_eq!((eval("sdiv", min, u64::MAX), eval("srem", min, u64::MAX)), (1 << 31, 0));
        assert_eq!((eval("shl", 1, 33), eval("ashr", min, 31), eval("lshr", min, 31)), (2, u32::MAX, 1));
    }

    #[test]
    fn calls_addresses_and_constants() {
        let text = "func @main() -> i64 keep\nfunc @add(i64, i64) -> i64\ndata @n size 8 align 8 constant bytes \"\\x05\"\n\
                    data @p size 8 align 8 at 0 @add\nfunction @main() -> i64 {\nblock0:\n  v0 = addr @p\n  \
                    v1 = load.ptr v0 align 8\n  v2 = addr @n\n  v3 = load.i64 v2 align 8\n  \
                    v4 = call v1(v3, v3) -> i64\n  return v4\n}\nfunction @add(i64, i64) -> i64 {\n\
                    block0(v0: i64, v1: i64):\n  v2 = add v0, v1\n  return v2\n}";
        assert_eq!(run(text, &[]), Ok(Some(10)));
        let store = "data @n size 8 align 8 constant bytes \"\"\nfunction @f(i64) {\nblock0(v0: i64):\n  v1 = addr @n\n  \
                     store v0, v1 align 8\n  return\n}";
        assert!(matches!(run(store, &[1]), Err(Fault::ReadOnly { .. })));
    }
}

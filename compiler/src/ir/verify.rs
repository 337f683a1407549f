//! The verifier of the IR: what every function must satisfy before and after every pass.
//!
//! In: a module. Out: nothing, or all violations, each printed inside the text of its function.
//! A violation is always a fault of the stage that made the function, never of the C program.
//!
//! # Rules
//! Structure
//! - The function's symbol is a function and has the same signature; parameter and result types
//!   are `i32`, `i64` or `ptr`; no function is defined twice.
//! - Every block of the layout exists and stands there once. The first is the entry: its
//!   parameters have the types of the signature and nothing jumps to it.
//! - Every block ends in a terminator and has no other. An instruction stands in one place.
//! - An instruction has a result exactly when its operation yields one, of that type.
//!
//! Operands
//! - Values, slots, symbols, relocations, locations and blocks that are named exist; no operand is
//!   an alias; blocks that are jumped to are in the layout.
//! - A definition dominates its uses; in the same block it comes before them.
//! - Types are those that [`InstData`] and [`Intrinsic`] say. A block gets as many arguments as it
//!   has parameters, of the same types. `return` has a value exactly when the signature has one.
//! - Alignments are powers of two. Cases of a switch are ranges within the operand's type that do
//!   not overlap.
//! - A call of a function that is defined here has its signature.
//!
//! Option
//! - With [`Options::locs`], every load, store, atomic, call, branch, switch and return has a
//!   location.

use std::fmt;

use super::asm::{Asm, AsmOperand};
use super::entities::{Arena, Block, Inst, SrcLoc, Value};
use super::flow::Flow;
use super::function::{Function, ValueDef};
use super::inst::{BlockCall, Callee, ConvertOp, InstData, Intrinsic, SwitchCase, Type, UnaryOp};
use super::module::Module;
use super::print::print_function;

/// What to check beyond validity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Effects and branches must have locations.
    pub locs: bool,
}

/// A violated rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The instruction, if it is one's fault.
    pub inst: Option<Inst>,
    /// The block, if it is one's fault.
    pub block: Option<Block>,
    /// What is wrong.
    pub message: String,
}

/// The violations of a module, rendered in the text of their functions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

/// Checks every function of a module.
pub fn verify_module(module: &Module, options: Options) -> Result<(), Broken> {
    let mut text = String::new();
    for (i, f) in module.functions.iter().enumerate() {
        let mut violations = verify_function(module, f, options);
        if module.functions[..i].iter().any(|g| g.symbol == f.symbol) {
            violations.push(Violation { inst: None, block: None, message: "defined twice".to_string() });
        }
        if !violations.is_empty() {
            text += &render(module, f, &violations);
        }
    }
    if text.is_empty() { Ok(()) } else { Err(Broken(text)) }
}

/// The function's text with the violations as comments.
pub fn render(module: &Module, f: &Function, violations: &[Violation]) -> String {
    let mut text = String::new();
    for violation in violations.iter().filter(|v| v.inst.is_none()) {
        match violation.block {
            Some(block) => text += &format!("; error: {block}: {}\n", violation.message),
            None => text += &format!("; error: {}\n", violation.message),
        }
    }
    text + &print_function(module, f, false, &|inst| {
        let messages: Vec<_> =
            violations.iter().filter(|v| v.inst == Some(inst)).map(|v| v.message.as_str()).collect();
        if messages.is_empty() { String::new() } else { format!("error: {}", messages.join("; ")) }
    })
}

/// Checks one function.
pub fn verify_function(module: &Module, f: &Function, options: Options) -> Vec<Violation> {
    let mut checker = Checker {
        module,
        f,
        options,
        flow: None,
        layout: Arena::filled(&f.blocks, false),
        places: Arena::filled(&f.insts, None),
        at: (None, None),
        violations: Vec::new(),
    };
    checker.structure();
    // The rest walks the graph and would fail on ids that do not exist.
    if checker.violations.is_empty() {
        checker.flow = Some(Flow::new(f));
        checker.operands();
    }
    checker.violations
}

struct Checker<'a> {
    module: &'a Module,
    f: &'a Function,
    options: Options,
    flow: Option<Flow>,
    /// Is the block in the layout?
    layout: Arena<Block, bool>,
    /// Block and position of each instruction in the layout.
    places: Arena<Inst, Option<(Block, usize)>>,
    at: (Option<Block>, Option<Inst>),
    violations: Vec<Violation>,
}

impl Checker<'_> {
    fn fail(&mut self, message: impl Into<String>) {
        let (block, inst) = self.at;
        self.violations.push(Violation { inst, block, message: message.into() });
    }

    fn check(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.fail(message());
        }
    }

    fn structure(&mut self) {
        self.signature();
        for i in 0..self.f.order.len() {
            let block = self.f.order[i];
            self.at = (Some(block), None);
            match self.layout.get(block) {
                None => self.fail("the block does not exist"),
                Some(true) => self.fail("the block stands twice in the layout"),
                Some(false) => {
                    self.layout[block] = true;
                    self.block_structure(block);
                }
            }
        }
        for i in 0..self.f.order.len() {
            let block = self.f.order[i];
            if self.layout.get(block).is_some() {
                self.block_ids(block);
            }
        }
        self.at = (None, None);
        self.entry();
    }

    fn signature(&mut self) {
        let sig = &self.f.sig;
        match self.module.symbols.get(self.f.symbol).map(|_| self.module.func(self.f.symbol)) {
            Some(Some(func)) => {
                self.check(func.sig == *sig, || "the symbol has another signature".to_string());
            }
            _ => self.fail("the symbol is not a function"),
        }
        let odd = sig.params.iter().chain(&sig.ret).any(|&ty| !is_word(ty));
        self.check(!odd, || "parameters and results are `i32`, `i64` or `ptr`".to_string());
    }

    fn entry(&mut self) {
        let Some(&entry) = self.f.order.first() else {
            return self.fail("the function has no block");
        };
        let Some(data) = self.f.blocks.get(entry) else { return };
        self.at = (Some(entry), None);
        let types: Vec<_> = data.params.iter().map(|&v| self.f.values.get(v).map(|d| d.ty)).collect();
        let expected: Vec<_> = self.f.sig.params.iter().map(|&ty| Some(ty)).collect();
        self.check(types == expected, || "the parameters are not those of the signature".to_string());
        let entered =
            self.f.order.iter().any(|&b| {
                self.layout.get(b).is_some() && self.f.successors(b).any(|call| call.block == entry)
            });
        self.check(!entered, || "the entry has a predecessor".to_string());
    }

    fn block_structure(&mut self, block: Block) {
        let f = self.f;
        let data = &f.blocks[block];
        for (i, &param) in data.params.iter().enumerate() {
            let def = f.values.get(param).map(|v| v.def);
            self.check(def == Some(ValueDef::Param(block, i as u32)), || {
                format!("`{param}` is not parameter {i}")
            });
        }
        for (i, &inst) in data.insts.iter().enumerate() {
            self.at = (Some(block), Some(inst));
            if f.insts.get(inst).is_none() {
                self.at = (Some(block), None);
                self.fail(format!("`{inst}` does not exist"));
                continue;
            }
            if self.places[inst].replace((block, i)).is_some() {
                self.fail("the instruction stands in two places");
            }
            let last = i + 1 == data.insts.len();
            if f.insts[inst].is_terminator() != last {
                self.fail(if last { "the block has no terminator" } else { "a terminator inside the block" });
            }
        }
        self.at = (Some(block), None);
        self.check(!data.insts.is_empty(), || "the block is empty".to_string());
    }

    /// Ids exist, and the result is the one that the operation yields.
    fn block_ids(&mut self, block: Block) {
        let f = self.f;
        for &inst in &f.blocks[block].insts {
            let Some(data) = f.insts.get(inst) else { continue };
            self.at = (Some(block), Some(inst));
            let before = self.violations.len();
            data.for_each_operand(|v| match f.values.get(v).map(|d| d.def) {
                None => self.fail(format!("`{v}` does not exist")),
                Some(ValueDef::Alias(to)) => self.fail(format!("`{v}` is an alias of `{to}`")),
                Some(ValueDef::Param(b, i)) => {
                    let known =
                        self.layout.get(b) == Some(&true) && f.blocks[b].params.get(i as usize) == Some(&v);
                    self.check(known, || format!("`{v}` is a parameter of no block"));
                }
                Some(ValueDef::Inst(def)) => {
                    let known = self.places.get(def).is_some_and(Option::is_some) && f.result(def) == Some(v);
                    self.check(known, || format!("`{v}` is computed in no block"));
                }
            });
            for target in data.targets() {
                let known = self.layout.get(target.block) == Some(&true);
                self.check(known, || format!("`{}` is not in the layout", target.block));
            }
            self.check(self.module.locs.get(f.locs[inst]).is_some() || f.locs[inst] == SrcLoc::NONE, || {
                "the location does not exist".to_string()
            });
            if self.violations.len() == before {
                let (yields, has) = (f.result_type(data), f.result(inst).map(|v| f.ty(v)));
                self.check(yields == has, || format!("yields {}, has {}", show(yields), show(has)));
            }
        }
    }

    fn operands(&mut self) {
        let f = self.f;
        for &block in &f.order {
            for (i, &inst) in f.blocks[block].insts.iter().enumerate() {
                self.at = (Some(block), Some(inst));
                let data = &f.insts[inst];
                data.for_each_operand(|v| self.dominance(v, block, i));
                self.types(data);
                if self.options.locs && needs_location(data) && f.locs[inst] == SrcLoc::NONE {
                    self.fail("no location");
                }
            }
        }
    }

    fn dominance(&mut self, v: Value, block: Block, position: usize) {
        let Some(flow) = &self.flow else { return };
        let holds = match self.f.values[v].def {
            ValueDef::Param(def, _) => flow.dominates(def, block),
            ValueDef::Inst(inst) => match self.places[inst] {
                Some((def, i)) if def == block => i < position,
                Some((def, _)) => flow.dominates(def, block),
                None => false,
            },
            ValueDef::Alias(_) => false,
        };
        self.check(holds, || format!("`{v}` does not dominate this use"));
    }

    fn is(&mut self, v: Value, ty: Type) {
        let found = self.f.ty(v);
        self.check(found == ty, || format!("`{v}` is `{found}`, not `{ty}`"));
    }

    fn among(&mut self, v: Value, types: &[Type]) {
        let found = self.f.ty(v);
        self.check(types.contains(&found), || format!("`{v}` cannot be `{found}` here"));
    }

    fn same(&mut self, [a, b]: [Value; 2]) {
        self.is(b, self.f.ty(a));
    }

    fn align(&mut self, align: u32) {
        self.check(align.is_power_of_two(), || "the alignment is not a power of two".to_string());
    }

    fn types(&mut self, data: &InstData) {
        match data {
            InstData::Const { .. } | InstData::Unreachable => {}
            InstData::SymbolAddr { symbol, .. } => {
                let known = self.module.symbols.get(*symbol).is_some();
                self.check(known, || "the symbol does not exist".to_string());
            }
            InstData::SlotAddr { slot, .. } => {
                self.check(self.f.slots.get(*slot).is_some(), || "the slot does not exist".to_string());
            }
            InstData::Core { ty, core } => {
                let known = self.module.cores.get(*core).is_some();
                self.check(known, || "the relocation does not exist".to_string());
                self.check(INT.contains(ty), || "a relocation is `i32` or `i64`".to_string());
            }
            InstData::Unary { op: UnaryOp::Neg, arg } => self.among(*arg, &INT),
            InstData::Unary { op: UnaryOp::Not, arg } => self.among(*arg, &[Type::I1, Type::I32, Type::I64]),
            InstData::Unary { op: UnaryOp::Bswap, arg } => {
                self.among(*arg, &[Type::I16, Type::I32, Type::I64]);
            }
            InstData::Binary { args, .. } => {
                self.among(args[0], &INT);
                self.same(*args);
            }
            InstData::PtrAdd { base, offset } => {
                self.is(*base, Type::Ptr);
                self.is(*offset, Type::I64);
            }
            InstData::Convert { op, ty, arg } => self.conversion(*op, *ty, *arg),
            InstData::Compare { args, .. } => {
                self.among(args[0], &WORD);
                self.same(*args);
            }
            InstData::Select { cond, args } => {
                self.is(*cond, Type::I1);
                self.same(*args);
            }
            InstData::Load { ty, base, flags, .. } => {
                self.is(*base, Type::Ptr);
                self.align(flags.align);
                self.check(*ty != Type::I1, || "`i1` is never in memory".to_string());
            }
            InstData::Store { value, base, flags, .. } => {
                self.is(*base, Type::Ptr);
                self.align(flags.align);
                self.among(*value, &[Type::I8, Type::I16, Type::I32, Type::I64, Type::Ptr]);
            }
            InstData::AtomicRmw { base, value, .. } => {
                self.is(*base, Type::Ptr);
                self.among(*value, &INT);
            }
            InstData::AtomicCmpXchg { base, expected, new, .. } => {
                self.is(*base, Type::Ptr);
                self.among(*expected, &INT);
                self.same([*expected, *new]);
            }
            InstData::Call { callee, args, ret } => self.call(*callee, args, *ret),
            InstData::Intrinsic { op, args, ty } => self.intrinsic(*op, args, *ty),
            InstData::Asm { asm, args, targets } => self.asm(asm, args, targets),
            InstData::Jump { target } => self.target(target),
            InstData::Branch { cond, then, els } => {
                self.is(*cond, Type::I1);
                self.target(then);
                self.target(els);
            }
            InstData::Switch { value, cases, default } => {
                self.among(*value, &INT);
                self.cases(self.f.ty(*value), cases);
                self.target(default);
            }
            InstData::Return { value } => {
                let ty = value.map(|v| self.f.ty(v));
                let ret = self.f.sig.ret;
                self.check(ty == ret, || format!("returns {}, not {}", show(ty), show(ret)));
            }
        }
    }

    fn conversion(&mut self, op: ConvertOp, to: Type, arg: Value) {
        let from = self.f.ty(arg);
        let int = |ty| matches!(ty, Type::I8 | Type::I16 | Type::I32 | Type::I64);
        let holds = match op {
            ConvertOp::Zext => (int(from) || from == Type::I1) && int(to) && from.bits() < to.bits(),
            ConvertOp::Sext => int(from) && int(to) && from.bits() < to.bits(),
            ConvertOp::Trunc => int(from) && int(to) && from.bits() > to.bits(),
            ConvertOp::PtrToInt => from == Type::Ptr && to == Type::I64,
            ConvertOp::IntToPtr => from == Type::I64 && to == Type::Ptr,
        };
        self.check(holds, || format!("`{op}` does not convert `{from}` to `{to}`"));
    }

    fn target(&mut self, call: &BlockCall) {
        let f = self.f;
        let params = &f.blocks[call.block].params;
        self.check(params.len() == call.args.len(), || {
            format!("`{}` has {} parameters, not {}", call.block, params.len(), call.args.len())
        });
        for (&param, &arg) in params.iter().zip(&call.args) {
            self.is(arg, f.ty(param));
        }
    }

    fn cases(&mut self, ty: Type, cases: &[SwitchCase]) {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for case in cases {
            let within = case.lo <= case.hi && case.hi <= ty.mask();
            self.check(within, || format!("{}..{} is not a range of `{ty}`", case.lo, case.hi));
            ranges.push((case.lo, case.hi));
            self.target(&case.target);
        }
        ranges.sort_unstable();
        for pair in ranges.windows(2) {
            self.check(pair[0].1 < pair[1].0, || format!("two cases hold for {}", pair[1].0));
        }
    }

    fn call(&mut self, callee: Callee, args: &[Value], ret: Option<Type>) {
        for &arg in args {
            self.among(arg, &WORD);
        }
        let odd = ret.is_some_and(|ty| !is_word(ty));
        self.check(!odd, || "a result is `i32`, `i64` or `ptr`".to_string());
        match callee {
            Callee::Helper(_) => {}
            Callee::Indirect(pointer) => self.is(pointer, Type::Ptr),
            Callee::Func(symbol) => {
                let Some(func) = self.module.symbols.get(symbol).and_then(|_| self.module.func(symbol))
                else {
                    return self.fail("the callee is not a function");
                };
                if self.module.definition(symbol).is_some() {
                    let types: Vec<_> = args.iter().map(|&v| self.f.ty(v)).collect();
                    let fits = types == func.sig.params && ret == func.sig.ret;
                    self.check(fits, || "the call does not have the signature of the callee".to_string());
                }
            }
        }
    }

    fn asm(&mut self, asm: &Asm, args: &[Value], targets: &[BlockCall]) {
        self.check(args.len() == asm.arguments(), || format!("the assembly has {} inputs", asm.arguments()));
        for (operand, i) in asm.operands.iter().zip(0u32..) {
            if let AsmOperand::Tied(output) = *operand {
                let output = asm.operands.get(output as usize).filter(|o| o.output().is_some());
                self.check(output.is_some(), || format!("operand {i} is tied to no output"));
            }
        }
        let odd = asm.results().any(|ty| !is_word(ty));
        self.check(!odd, || "a result is `i32`, `i64` or `ptr`".to_string());
        targets.iter().for_each(|target| self.target(target));
    }

    fn intrinsic(&mut self, op: Intrinsic, args: &[Value], ty: Option<Type>) {
        let Some((params, ret)) = intrinsic_types(op) else { return };
        let required = if params.len() == 4 { 3 } else { params.len() };
        if !(required..=params.len()).contains(&args.len()) {
            return self.fail(format!("`{op}` has {} operands", params.len()));
        }
        for (&types, &arg) in params.iter().zip(args) {
            self.among(arg, types);
        }
        self.check(op == Intrinsic::Opaque || ty == ret, || format!("`{op}` yields {}", show(ret)));
    }
}

const INT: [Type; 2] = [Type::I32, Type::I64];
const WORD: [Type; 3] = [Type::I32, Type::I64, Type::Ptr];

/// A type of parameters and results.
fn is_word(ty: Type) -> bool {
    WORD.contains(&ty)
}

/// Possible types of each operand, and the type of the result.
type IntrinsicTypes = (&'static [&'static [Type]], Option<Type>);

/// `None` when operands and result are free.
fn intrinsic_types(op: Intrinsic) -> Option<IntrinsicTypes> {
    const ANY: &[Type] = Type::ALL;
    const PTR: &[Type] = &[Type::Ptr];
    const I32: &[Type] = &[Type::I32];
    const I64: &[Type] = &[Type::I64];
    Some(match op {
        Intrinsic::ConstantP => (&[ANY], Some(Type::I32)),
        Intrinsic::Memcpy | Intrinsic::Memmove => (&[PTR, PTR, I64, I64], None),
        Intrinsic::Memset => (&[PTR, I32, I64, I64], None),
        Intrinsic::Memcmp => (&[PTR, PTR, I64], Some(Type::I32)),
        Intrinsic::Strlen => (&[PTR], Some(Type::I64)),
        Intrinsic::Strcmp => (&[PTR, PTR], Some(Type::I32)),
        Intrinsic::Clz | Intrinsic::Ctz | Intrinsic::Popcount => (&[&INT], Some(Type::I32)),
        Intrinsic::Opaque => (&[&WORD], None),
        Intrinsic::Fence | Intrinsic::Trap => (&[], None),
        Intrinsic::FrameAddress => (&[], Some(Type::Ptr)),
        Intrinsic::CastAddressSpace => (&[PTR, I32], Some(Type::Ptr)),
        Intrinsic::AsmResult
        | Intrinsic::Wide
        | Intrinsic::Float
        | Intrinsic::ReturnAddress
        | Intrinsic::OddArgument
        | Intrinsic::OddAtomic
        | Intrinsic::VarArgs => return None,
    })
}

fn needs_location(data: &InstData) -> bool {
    match data {
        InstData::Load { .. }
        | InstData::Store { .. }
        | InstData::AtomicRmw { .. }
        | InstData::AtomicCmpXchg { .. }
        | InstData::Call { .. }
        | InstData::Asm { .. }
        | InstData::Branch { .. }
        | InstData::Switch { .. }
        | InstData::Return { .. } => true,
        InstData::Const { .. }
        | InstData::SymbolAddr { .. }
        | InstData::SlotAddr { .. }
        | InstData::Core { .. }
        | InstData::Unary { .. }
        | InstData::Binary { .. }
        | InstData::PtrAdd { .. }
        | InstData::Convert { .. }
        | InstData::Compare { .. }
        | InstData::Select { .. }
        | InstData::Intrinsic { .. }
        | InstData::Jump { .. }
        | InstData::Unreachable => false,
    }
}

fn show(ty: Option<Type>) -> String {
    ty.map_or("nothing".to_string(), |ty| format!("`{ty}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::parse;

    fn errors(body: &str) -> String {
        let text = format!("func @f(i32, ptr) -> i32 keep\nfunc @g(i64) local\n{body}");
        let module = parse(&text).expect("the text parses");
        let mut found = String::new();
        for f in &module.functions {
            for v in verify_function(&module, f, Options::default()) {
                found += &v.message;
                found += "\n";
            }
        }
        found.trim_end().to_string()
    }

    #[test]
    fn sample_is_valid() {
        let module = parse(include_str!("testdata/sample.ir")).expect("the sample parses");
        verify_module(&module, Options::default()).expect("the sample is valid");
        assert!(verify_module(&module, Options { locs: true }).is_err());
    }

    #[test]
    fn each_violation_is_found() {
        let head = "function @f(i32, ptr) -> i32 {\nblock0(v0: i32, v1: ptr):\n";
        let cases = [
            ("  v2 = add v0, v1\n  return v2\n}", "`v1` is `ptr`, not `i32`"),
            ("  v2 = load.i1 v1 align 1\n  return v0\n}", "`i1` is never in memory"),
            ("  v2 = zext.i16 v0\n  return v0\n}", "`zext` does not convert `i32` to `i16`"),
            ("  return\n}", "returns nothing, not `i32`"),
            ("  v2 = neg v0\n}", "the block has no terminator"),
            ("  return v0\n  return v0\n}", "a terminator inside the block"),
            ("  jump block0(v0, v1)\n}", "the entry has a predecessor"),
            ("  jump block1\nblock1(v2: i32):\n  return v2\n}", "`block1` has 1 parameters, not 0"),
            ("  jump block1(v1)\nblock1(v2: i32):\n  return v2\n}", "`v1` is `ptr`, not `i32`"),
            (
                "  v2 = icmp eq v0, v0\n  br v2, block1, block2\nblock1:\n  v3 = neg v0\n  jump block2\nblock2:\n  return v3\n}",
                "`v3` does not dominate this use",
            ),
            ("  v3 = neg v2\n  v2 = neg v0\n  return v3\n}", "`v2` does not dominate this use"),
            (
                "  switch v0, block1 [1..3: block1, 3: block1]\nblock1:\n  return v0\n}",
                "two cases hold for 3",
            ),
            ("  switch v0, block1 [5..3: block1]\nblock1:\n  return v0\n}", "5..3 is not a range of `i32`"),
            ("  memcpy(v1, v1, v0)\n  return v0\n}", "`v0` cannot be `i32` here"),
            (
                "  v2 = call v0() -> i8\n  return v0\n}",
                "a result is `i32`, `i64` or `ptr`\n`v0` is `i32`, not `ptr`",
            ),
        ];
        for (body, message) in cases {
            assert_eq!(errors(&format!("{head}{body}")), message, "{body}");
        }
        let call = "function @g(i64) {\nblock0(v0: i64):\n  return\n}\nfunction @f(i32, ptr) -> i32 {\n\
                    block0(v0: i32, v1: ptr):\n  call @g(v0)\n  return v0\n}";
        assert_eq!(errors(call), "the call does not have the signature of the callee");
        assert_eq!(
            errors("function @f(i32) -> i32 {\nblock0(v0: i32):\n  return v0\n}"),
            "the symbol has another signature"
        );
    }

    #[test]
    fn violations_are_shown_in_the_text() {
        let module = parse("function @f(i32) {\nblock0(v0: i32):\n  return v0\n}").expect("the text parses");
        let broken = verify_module(&module, Options::default()).expect_err("a value is returned");
        assert!(broken.to_string().contains("return v0  ; error: returns `i32`, not nothing"), "{broken}");
    }
}

//! The text form of the IR, written.
//!
//! In: a module or one of its functions. Out: text that [`super::parse`] reads back to an equal
//! module. Ids are printed as they are, so two dumps of a function before and after a pass can be
//! compared line by line.
//!
//! ```text
//! func @count(ptr) -> i32 keep
//! data @hits size 8 align 8
//! function @count {
//!   s0 = slot 4 align 4 "key"
//! block0(v0: ptr):
//!   v1 = iconst.i32 0 !loc1
//!   v2 = slot_addr s0 !loc1
//!   store.i32 v1, v2 align 4 !loc1
//!   v3 = call helper 1(v0, v2) -> ptr !loc2
//!   br v4, block1, block2(v3)
//! }
//! ```

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::entities::{Arena, Block, Inst, SrcLoc, SymbolId, Value};
use super::function::{Function, Signature, Unroll};
use super::inst::{BlockCall, Callee, InstData, MemFlags, Type};
use super::module::{DataSymbol, FuncSymbol, Module, SymbolKind};

/// The whole module as text. `locs` adds the table of locations and a `!locN` to each instruction.
pub fn print_module(module: &Module, locs: bool) -> String {
    let printer = Printer::new(module, locs);
    let mut out = String::new();
    printer.write_module(&mut out).expect("writing to a string succeeds");
    out
}

/// One function as text. `note` yields a comment for an instruction, or an empty string.
pub fn print_function(module: &Module, f: &Function, locs: bool, note: &dyn Fn(Inst) -> String) -> String {
    let printer = Printer::new(module, locs);
    let mut out = String::new();
    printer.write_function(&mut out, f, note).expect("writing to a string succeeds");
    out
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print_module(self, true))
    }
}

/// A string in quotes, with escapes for what is not printable ASCII.
pub(super) fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in text {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(byte.into());
            }
            b' '..=b'~' => out.push(byte.into()),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push('"');
    out
}

/// May the name be written without quotes?
pub(super) fn is_plain_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')
}

struct Printer<'a> {
    module: &'a Module,
    /// Spelling of each symbol, unique in the module.
    symbols: Arena<SymbolId, String>,
    locs: bool,
}

impl<'a> Printer<'a> {
    fn new(module: &'a Module, locs: bool) -> Self {
        let mut uses: BTreeMap<&str, u32> = BTreeMap::new();
        for symbol in module.symbols.values() {
            *uses.entry(&symbol.name).or_default() += 1;
        }
        let mut symbols = Arena::new();
        for (id, symbol) in module.symbols.iter() {
            let plain = !symbol.name.is_empty() && symbol.name.bytes().all(is_plain_name_byte);
            let mut text = if plain {
                format!("@{}", symbol.name)
            } else {
                format!("@{}", quote(symbol.name.as_bytes()))
            };
            if uses[symbol.name.as_str()] > 1 {
                let _ = write!(text, "#{}", id.index());
            }
            symbols.push(text);
        }
        Printer { module, symbols, locs }
    }

    fn write_module(&self, out: &mut String) -> fmt::Result {
        if self.locs {
            for (id, loc) in self.module.locs.iter().skip(1) {
                write!(out, "{id} = {}..{}", loc.span.lo.raw(), loc.span.hi.raw())?;
                if let Some(at) = loc.inlined_at {
                    write!(out, " at {at}")?;
                }
                writeln!(out)?;
            }
        }
        for (id, core) in self.module.cores.iter() {
            writeln!(out, "{id} = {} local {} {}", core.index, core.local, quote(core.text.as_bytes()))?;
        }
        let (mut funcs, mut datas) = (0, 0);
        for (id, symbol) in self.module.symbols.iter() {
            let next = match &symbol.kind {
                SymbolKind::Func(func) => {
                    self.write_func(out, id, func)?;
                    &mut funcs
                }
                SymbolKind::Data(data) => {
                    self.write_data(out, id, data)?;
                    &mut datas
                }
            };
            if symbol.origin != *next {
                write!(out, " origin {}", symbol.origin)?;
            }
            *next += 1;
            writeln!(out)?;
        }
        for function in &self.module.functions {
            writeln!(out)?;
            self.write_function(out, function, &|_| String::new())?;
        }
        Ok(())
    }

    fn write_func(&self, out: &mut String, id: SymbolId, func: &FuncSymbol) -> fmt::Result {
        write!(out, "func {}{}", self.symbols[id], Sig(&func.sig))?;
        let flags = [
            (func.local, "local"),
            (func.weak, "weak"),
            (func.always_inline, "always_inline"),
            (func.noinline, "noinline"),
            (func.keep, "keep"),
            (func.noreturn, "noreturn"),
            (func.naked, "naked"),
        ];
        for (_, name) in flags.iter().filter(|(set, _)| *set) {
            write!(out, " {name}")?;
        }
        if let Some(error) = &func.error {
            write!(out, " error {}", quote(error.as_bytes()))?;
        }
        Ok(())
    }

    fn write_data(&self, out: &mut String, id: SymbolId, data: &DataSymbol) -> fmt::Result {
        write!(out, "data {} size {} align {}", self.symbols[id], data.size, data.align)?;
        for (_, name) in [(data.constant, "constant"), (data.local, "local")].iter().filter(|(set, _)| *set) {
            write!(out, " {name}")?;
        }
        if let Some(bytes) = &data.bytes {
            write!(out, " bytes {}", quote(bytes))?;
        }
        for (offset, symbol, addend) in &data.addresses {
            write!(out, " at {offset} {}{}", self.symbol(*symbol), Plus(*addend))?;
        }
        Ok(())
    }

    fn symbol(&self, id: SymbolId) -> &str {
        self.symbols.get(id).map_or("@?", String::as_str)
    }

    fn write_function(&self, out: &mut String, f: &Function, note: &dyn Fn(Inst) -> String) -> fmt::Result {
        writeln!(out, "function {}{} {{", self.symbol(f.symbol), Sig(&f.sig))?;
        for (id, slot) in f.slots.iter().filter(|(_, slot)| slot.size > 0 || !slot.name.is_empty()) {
            write!(out, "  {id} = slot {} align {} {}", slot.size, slot.align, quote(slot.name.as_bytes()))?;
            self.write_loc(out, slot.loc)?;
            writeln!(out)?;
        }
        for &block in &f.order {
            self.write_block_head(out, f, block)?;
            for &inst in &f.blocks[block].insts {
                out.push_str("  ");
                if let Some(result) = f.result(inst) {
                    write!(out, "{result} = ")?;
                }
                self.write_inst(out, f, &f.insts[inst])?;
                self.write_loc(out, f.locs[inst])?;
                let note = note(inst);
                if !note.is_empty() {
                    write!(out, "  ; {note}")?;
                }
                writeln!(out)?;
            }
        }
        writeln!(out, "}}")
    }

    fn write_block_head(&self, out: &mut String, f: &Function, block: Block) -> fmt::Result {
        write!(out, "{block}")?;
        let data = &f.blocks[block];
        if !data.params.is_empty() {
            let params = data.params.iter().map(|&v| format!("{v}: {}", f.ty(v)));
            write!(out, "({})", params.collect::<Vec<_>>().join(", "))?;
        }
        match data.unroll {
            Unroll::Auto => {}
            Unroll::Full => write!(out, " unroll")?,
            Unroll::Count(n) => write!(out, " unroll {n}")?,
            Unroll::Never => write!(out, " nounroll")?,
        }
        writeln!(out, ":")
    }

    fn write_loc(&self, out: &mut String, loc: SrcLoc) -> fmt::Result {
        if self.locs && loc != SrcLoc::NONE {
            write!(out, " !{loc}")?;
        }
        Ok(())
    }

    fn write_inst(&self, out: &mut String, f: &Function, data: &InstData) -> fmt::Result {
        match data {
            InstData::Const { ty: Type::I1, value } => write!(out, "iconst.i1 {value}"),
            InstData::Const { ty, value } => write!(out, "iconst.{ty} {}", ty.sign_extend(*value)),
            InstData::SymbolAddr { symbol, offset } => {
                write!(out, "addr {}{}", self.symbol(*symbol), Plus(*offset))
            }
            InstData::SlotAddr { slot, offset } => write!(out, "slot_addr {slot}{}", Plus((*offset).into())),
            InstData::Core { ty, core } => write!(out, "core.{ty} {core}"),
            InstData::Unary { op, arg } => write!(out, "{op} {arg}"),
            InstData::Binary { op, args: [a, b] } => write!(out, "{op} {a}, {b}"),
            InstData::PtrAdd { base, offset } => write!(out, "ptr_add {base}, {offset}"),
            InstData::Convert { op, ty, arg } => write!(out, "{op}.{ty} {arg}"),
            InstData::Compare { op, args: [a, b] } => write!(out, "icmp {op} {a}, {b}"),
            InstData::Select { cond, args: [a, b] } => write!(out, "select {cond}, {a}, {b}"),
            InstData::Load { ty, base, offset, flags } => {
                write!(out, "load.{ty} {base}{}{}", Plus((*offset).into()), Flags(*flags))
            }
            InstData::Store { value, base, offset, flags } => {
                let ty = f.ty(*value);
                write!(out, "store.{ty} {value}, {base}{}{}", Plus((*offset).into()), Flags(*flags))
            }
            InstData::AtomicRmw { op, base, offset, value } => {
                write!(out, "atomic_{op} {base}{}, {value}", Plus((*offset).into()))
            }
            InstData::AtomicCmpXchg { base, offset, expected, new } => {
                write!(out, "cmpxchg {base}{}, {expected}, {new}", Plus((*offset).into()))
            }
            InstData::Call { callee, args, ret } => {
                match callee {
                    Callee::Helper(id) => write!(out, "call helper {id}")?,
                    Callee::Func(symbol) => write!(out, "call {}", self.symbol(*symbol))?,
                    Callee::Indirect(pointer) => write!(out, "call {pointer}")?,
                }
                write!(out, "({}){}", List(args), Ret(*ret))
            }
            InstData::Intrinsic { op, args, ty } => write!(out, "{op}({}){}", List(args), Ret(*ty)),
            InstData::Asm { asm, args, targets } => {
                let operands: Vec<String> = asm.operands.iter().map(|operand| operand.to_string()).collect();
                write!(out, "asm {} [{}]", quote(asm.template.as_bytes()), operands.join(", "))?;
                write!(out, "({})", List(args))?;
                if asm.clobbers != 0 {
                    write!(out, " clobbers {}", asm.clobbers)?;
                }
                out.push_str(if asm.effects { " effects" } else { "" });
                for (i, target) in targets.iter().enumerate() {
                    write!(out, "{} {}", if i == 0 { " to" } else { "," }, Target(target))?;
                }
                Ok(())
            }
            InstData::Jump { target } => write!(out, "jump {}", Target(target)),
            InstData::Branch { cond, then, els } => {
                write!(out, "br {cond}, {}, {}", Target(then), Target(els))
            }
            InstData::Switch { value, cases, default } => {
                write!(out, "switch {value}, {} [", Target(default))?;
                for (i, case) in cases.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(out, "{comma}{}", case.lo)?;
                    if case.hi != case.lo {
                        write!(out, "..{}", case.hi)?;
                    }
                    write!(out, ": {}", Target(&case.target))?;
                }
                write!(out, "]")
            }
            InstData::Return { value: Some(value) } => write!(out, "return {value}"),
            InstData::Return { value: None } => write!(out, "return"),
            InstData::Unreachable => write!(out, "unreachable"),
        }
    }
}

/// `(i32, ptr) -> i64`
struct Sig<'a>(&'a Signature);

impl fmt::Display for Sig<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<_> = self.0.params.iter().map(|ty| ty.name()).collect();
        write!(f, "({}){}", params.join(", "), Ret(self.0.ret))
    }
}

/// ` -> i64`
struct Ret(Option<Type>);

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |ty| write!(f, " -> {ty}"))
    }
}

/// `+8`, `-8`, or nothing
struct Plus(i64);

impl fmt::Display for Plus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, "{:+}", self.0) }
    }
}

/// ` align 4 volatile`
struct Flags(MemFlags);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " align {}{}", self.0.align, if self.0.volatile { " volatile" } else { "" })
    }
}

/// `v1, v2`
struct List<'a>(&'a [Value]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// `block1(v2)`
struct Target<'a>(&'a BlockCall);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.block)?;
        if self.0.args.is_empty() { Ok(()) } else { write!(f, "({})", List(&self.0.args)) }
    }
}

//! The typed program as text, for `--emit hir` and snapshots.
//!
//! The text is close to C, with everything explicit: `load`, `&`, conversions as `as type`, byte
//! offsets of members, relocations as `core#n`. It is for reading; no stage starts from it.
//!
//! ```text
//! fn drop_icmp(_0 xdp: struct xdp_md *) -> int {
//!     _1 data_end: void *;
//!     _1 = (load (*load _0)+4) as long as void *;
//! ```

use std::fmt::Write as _;

use skep_syntax::intern::{Interner, Symbol};

use crate::types::{FloatKind, IntKind, Quals, RecordKind, Type, TypeId};

use super::*;

/// The whole module.
pub fn print(module: &Module, names: &Interner) -> String {
    let mut printer = Printer { module, names, out: String::new(), depth: 0 };
    for (index, reloc) in module.core_relocs.iter().enumerate() {
        let root = printer.ty(reloc.root);
        printer
            .line(&format!("core#{index} = {:?} {root} {} local {}", reloc.kind, reloc.access, reloc.local));
    }
    for (index, global) in module.globals.iter().enumerate() {
        printer.global(index, global);
    }
    for function in &module.functions {
        printer.function(function);
    }
    printer.out
}

struct Printer<'a> {
    module: &'a Module,
    names: &'a Interner,
    out: String,
    depth: usize,
}

impl Printer<'_> {
    fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out.push_str("    ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn sym(&self, symbol: Symbol) -> &str {
        self.names.name(symbol)
    }

    // ------------------------------------------------------------ items

    fn global(&mut self, index: usize, global: &Global) {
        let mut text = format!("{:?} @{index} {}: {}", global.linkage, global.name, self.ty(global.ty));
        let _ = write!(text, " align {}", global.align);
        if let Some(section) = global.section {
            let _ = write!(text, " section {:?}", self.sym(section));
        }
        for (set, word) in [
            (global.hidden, " hidden"),
            (global.used, " used"),
            (global.literal, " literal"),
            (global.constant, " const"),
            (global.volatile, " volatile"),
        ] {
            if set {
                text.push_str(word);
            }
        }
        if let Some(init) = &global.init {
            let _ = write!(text, " = {}", self.init(init));
        }
        self.line(&text);
    }

    fn init(&self, init: &Init) -> String {
        let scalars: Vec<String> = init
            .scalars
            .iter()
            .map(|scalar| {
                let value = match &scalar.value {
                    InitValue::Int { value, size } => format!("{value}:{size}"),
                    InitValue::Bytes(bytes) => format!("\"{}\"", bytes.escape_ascii()),
                    InitValue::Address { symbol, addend: 0 } => format!("&{}", self.symbol_ref(*symbol)),
                    InitValue::Address { symbol, addend } => {
                        format!("&{}{addend:+}", self.symbol_ref(*symbol))
                    }
                };
                format!("{}: {value}", scalar.offset)
            })
            .collect();
        format!("{{{}}}", scalars.join(", "))
    }

    fn symbol_ref(&self, symbol: SymbolRef) -> String {
        match symbol {
            SymbolRef::Func(id) => self.func_name(id),
            SymbolRef::Global(id) => self.global_name(id),
        }
    }

    fn func_name(&self, id: FuncId) -> String {
        self.module.functions.get(id.index()).map_or_else(|| "?".into(), |f| self.sym(f.name).to_owned())
    }

    fn global_name(&self, id: GlobalId) -> String {
        self.module.globals.get(id.index()).map_or_else(|| "?".into(), |g| g.name.clone())
    }

    fn function(&mut self, function: &Function) {
        let mut text = format!("{:?} fn {}", function.linkage, self.sym(function.name));
        let ret = match self.module.types.get(function.ty) {
            Type::Function(ty) => {
                let names = function.body.as_ref().map(|body| &body.locals);
                let params: Vec<String> = ty
                    .params
                    .iter()
                    .enumerate()
                    .map(|(index, &param)| {
                        let name = names.and_then(|locals| locals.get(index)?.name);
                        let name = name.map_or(String::new(), |name| format!(" {}", self.sym(name)));
                        format!("_{index}{name}: {}", self.ty(param))
                    })
                    .collect();
                let dots = if ty.variadic { ", ..." } else { "" };
                let _ = write!(text, "({}{dots})", params.join(", "));
                ty.ret
            }
            _ => TypeId::ERROR,
        };
        let _ = write!(text, " -> {}", self.ty(ret));
        if let Some(section) = function.section {
            let _ = write!(text, " section {:?}", self.sym(section));
        }
        if function.inline != Inline::Auto {
            let _ = write!(text, " inline {:?}", function.inline);
        }
        for (set, word) in [
            (function.hidden, " hidden"),
            (function.naked, " naked"),
            (function.used, " used"),
            (function.noreturn, " noreturn"),
        ] {
            if set {
                text.push_str(word);
            }
        }
        let Some(body) = &function.body else {
            return self.line(&format!("{text};"));
        };
        self.line(&format!("{text} {{"));
        self.depth += 1;
        for (index, local) in body.locals.iter().enumerate().skip(body.n_params as usize) {
            let name = local.name.map_or(String::new(), |name| format!(" {}", self.sym(name)));
            let line = format!("_{index}{name}: {} align {};", self.ty(local.ty), local.align);
            self.line(&line);
        }
        self.stmts(&body.block);
        self.depth -= 1;
        self.line("}");
    }

    // ------------------------------------------------------------ statements

    fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            self.stmt(stmt);
        }
    }

    fn nested(&mut self, head: &str, stmt: &Stmt) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
        match &stmt.kind {
            StmtKind::Block(inner) => self.stmts(inner),
            _ => self.stmt(stmt),
        }
        self.depth -= 1;
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(e) => {
                let text = format!("{};", self.expr(e));
                self.line(&text);
            }
            StmtKind::Block(_) => {
                self.nested("block", stmt);
                self.line("}");
            }
            StmtKind::Declare(id) => self.line(&format!("declare _{};", id.0)),
            StmtKind::Fill { place, init } => {
                let text = format!("fill {} = {};", self.place(place), self.init(init));
                self.line(&text);
            }
            StmtKind::If { cond, then, els } => {
                let head = format!("if {}", self.expr(cond));
                self.nested(&head, then);
                if let Some(els) = els {
                    self.nested("} else", els);
                }
                self.line("}");
            }
            StmtKind::Loop(l) => self.print_loop(l),
            StmtKind::Switch { value, body } => {
                let head = format!("switch {}", self.expr(value));
                self.nested(&head, body);
                self.line("}");
            }
            StmtKind::Case { lo, hi } if lo == hi => self.line(&format!("case {lo}:")),
            StmtKind::Case { lo, hi } => self.line(&format!("case {lo} ... {hi}:")),
            StmtKind::Default => self.line("default:"),
            StmtKind::Fallthrough => self.line("fallthrough;"),
            StmtKind::Label(id) => self.line(&format!("L{}:", id.0)),
            StmtKind::Goto(id) => self.line(&format!("goto L{};", id.0)),
            StmtKind::Break => self.line("break;"),
            StmtKind::Continue => self.line("continue;"),
            StmtKind::Return(None) => self.line("return;"),
            StmtKind::Return(Some(e)) => {
                let text = format!("return {};", self.expr(e));
                self.line(&text);
            }
            StmtKind::Asm(asm) => self.asm(asm),
        }
    }

    fn print_loop(&mut self, l: &Loop) {
        let mut head = String::from(if l.test_last { "loop last" } else { "loop" });
        if l.unroll != Unroll::Auto {
            let _ = write!(head, " unroll {:?}", l.unroll);
        }
        if let Some(cond) = &l.cond {
            let _ = write!(head, " while {}", self.expr(cond));
        }
        if let Some(step) = &l.step {
            let _ = write!(head, " step {}", self.expr(step));
        }
        self.nested(&head, &l.body);
        self.line("}");
    }

    fn asm(&mut self, asm: &Asm) {
        let mut text = format!("asm{} {:?}", if asm.volatile { " volatile" } else { "" }, asm.template);
        for output in &asm.outputs {
            let mark = if output.read_write { '+' } else { '=' };
            let early = if output.early { "&" } else { "" };
            let constraint = constraint(output.constraint);
            let _ = write!(text, " out \"{mark}{early}{constraint}\" {}", self.place(&output.place));
        }
        for input in &asm.inputs {
            let _ = write!(text, " in {:?} {}", constraint(input.constraint), self.expr(&input.value));
        }
        for number in (0..16).filter(|number| asm.clobbers >> number & 1 == 1) {
            let _ = write!(text, " clobber r{number}");
        }
        text.push_str(if asm.memory { " clobber memory" } else { "" });
        for label in &asm.labels {
            let _ = write!(text, " goto L{}", label.0);
        }
        self.line(&format!("{text};"));
    }

    // ------------------------------------------------------------ expressions

    fn list(&mut self, exprs: &[Expr]) -> String {
        let texts: Vec<String> = exprs.iter().map(|e| self.expr(e)).collect();
        texts.join(", ")
    }

    fn expr(&mut self, e: &Expr) -> String {
        match &e.kind {
            ExprKind::Const(value) => match self.module.types.int_kind(e.ty) {
                Some(kind) if kind.is_signed() => {
                    let shift = 128 - kind.size() * 8;
                    format!("{}", ((*value << shift) as i128) >> shift)
                }
                Some(_) => format!("{value}u"),
                None => format!("{value:#x}"),
            },
            ExprKind::Float(value) => format!("{value:?}"),
            ExprKind::Load(place) => format!("load {}", self.place(place)),
            ExprKind::Address(place) => format!("&{}", self.place(place)),
            ExprKind::Assign { place, value } => format!("{} = {}", self.place(place), self.expr(value)),
            ExprKind::Update { place, op, value, compute, post } => format!(
                "{}{} {}= {} in {}",
                if *post { "old " } else { "" },
                self.place(place),
                op_text(*op),
                self.expr(value),
                self.ty(*compute)
            ),
            ExprKind::Unary(UnaryOp::Neg, inner) => format!("-({})", self.expr(inner)),
            ExprKind::Unary(UnaryOp::BitNot, inner) => format!("~({})", self.expr(inner)),
            ExprKind::Binary(op, a, b) => format!("({} {} {})", self.expr(a), op_text(*op), self.expr(b)),
            ExprKind::Compare(op, a, b) => {
                format!("({} {} {})", self.expr(a), compare_text(*op), self.expr(b))
            }
            ExprKind::Not(inner) => format!("!({})", self.expr(inner)),
            ExprKind::Logical { and, left, right } => {
                let op = if *and { "&&" } else { "||" };
                format!("({} {op} {})", self.expr(left), self.expr(right))
            }
            ExprKind::Cond { cond, then, els } => {
                format!("({} ? {} : {})", self.expr(cond), self.expr(then), self.expr(els))
            }
            ExprKind::CondOmitted { value, els } => format!("({} ?: {})", self.expr(value), self.expr(els)),
            ExprKind::Comma(a, b) => format!("({}, {})", self.expr(a), self.expr(b)),
            ExprKind::Convert(inner) => format!("({} as {})", self.expr(inner), self.ty(e.ty)),
            ExprKind::PtrAdd { pointer, index, scale, negate } => {
                let sign = if *negate { '-' } else { '+' };
                format!("({} {sign} {} * {scale})", self.expr(pointer), self.expr(index))
            }
            ExprKind::PtrDiff { left, right, scale } => {
                format!("(({} - {}) / {scale})", self.expr(left), self.expr(right))
            }
            ExprKind::Call { callee, args } => {
                let callee = match callee {
                    Callee::Direct(id) => self.func_name(*id),
                    Callee::Pointer(pointer) => format!("({})", self.expr(pointer)),
                };
                format!("{callee}({})", self.list(args))
            }
            ExprKind::Builtin(builtin, args) => format!("{builtin:?}({})", self.list(args)),
            ExprKind::StmtExpr(stmts, value) => self.stmt_expr(stmts, value.as_deref()),
            ExprKind::Core(id) => format!("core#{}", id.0),
            ExprKind::Error => "<error>".into(),
        }
    }

    /// Statements inside an expression keep their lines, one step further in.
    fn stmt_expr(&mut self, stmts: &[Stmt], value: Option<&Expr>) -> String {
        let outer = std::mem::take(&mut self.out);
        self.depth += 1;
        self.stmts(stmts);
        if let Some(value) = value {
            let text = self.expr(value);
            self.line(&text);
        }
        self.depth -= 1;
        let inner = std::mem::replace(&mut self.out, outer);
        format!("({{\n{inner}{}}})", "    ".repeat(self.depth))
    }

    fn place(&mut self, place: &Place) -> String {
        let volatile = self.module.types.quals(place.ty).contains(Quals::VOLATILE);
        let mark = if volatile { "volatile " } else { "" };
        let text = match &place.kind {
            PlaceKind::Local(id) => format!("_{}", id.0),
            PlaceKind::Global(id) => format!("@{}", self.global_name(*id)),
            PlaceKind::Func(id) => self.func_name(*id),
            PlaceKind::Deref(pointer) => format!("(*{})", self.expr(pointer)),
            PlaceKind::Field { base, offset } => format!("{}+{offset}", self.place(base)),
            PlaceKind::BitField { base, bit_offset, width, unit } => {
                format!("{}.bits({bit_offset}, {width}, unit {unit})", self.place(base))
            }
            PlaceKind::Index { base, index, scale } => {
                format!("{}[{} * {scale}]", self.place(base), self.expr(index))
            }
            PlaceKind::Core { base, core } => format!("(*({} + core#{}))", self.expr(base), core.0),
            PlaceKind::CoreBitField { base, core, bit_offset, width, unit } => {
                format!("(*({} + core#{})).bits({bit_offset}, {width}, unit {unit})", self.expr(base), core.0)
            }
            PlaceKind::Temporary(value) => format!("temporary({})", self.expr(value)),
        };
        format!("{mark}{text}")
    }

    // ------------------------------------------------------------ types

    fn ty(&self, ty: TypeId) -> String {
        let types = &self.module.types;
        let tagged = |word: &str, tag: Option<Symbol>| match tag {
            Some(tag) => format!("{word} {}", self.sym(tag)),
            None => format!("{word} {{}}"),
        };
        match types.get(ty) {
            Type::Error => "<error>".into(),
            Type::Void => "void".into(),
            Type::Int(kind) => int_text(*kind).into(),
            Type::Float(FloatKind::Float) => "f32".into(),
            Type::Float(FloatKind::Double | FloatKind::LongDouble) => "f64".into(),
            Type::Pointer(to) => format!("{} *", self.ty(*to)),
            Type::Array { elem, len: Some(len) } => format!("[{}; {len}]", self.ty(*elem)),
            Type::Array { elem, len: None } => format!("[{}]", self.ty(*elem)),
            Type::Function(function) => {
                let params: Vec<String> = function.params.iter().map(|&param| self.ty(param)).collect();
                format!("fn({}) -> {}", params.join(", "), self.ty(function.ret))
            }
            Type::Record(id) => match types.records.get(id.0 as usize) {
                Some(record) if record.kind == RecordKind::Union => tagged("union", record.tag),
                Some(record) => tagged("struct", record.tag),
                None => "?".into(),
            },
            Type::Enum(id) => tagged("enum", types.enums.get(id.0 as usize).and_then(|e| e.tag)),
            Type::Typedef(id) => {
                types.typedefs.get(id.0 as usize).map_or_else(|| "?".into(), |t| self.sym(t.name).to_owned())
            }
            Type::Qualified { inner, quals } => {
                let mut text = self.ty(*inner);
                for (flag, word) in
                    [(Quals::CONST, "const"), (Quals::VOLATILE, "volatile"), (Quals::RESTRICT, "restrict")]
                {
                    if quals.contains(flag) {
                        let _ = write!(text, " {word}");
                    }
                }
                text
            }
            Type::Tagged { inner, tag } => format!("{} tag({})", self.ty(*inner), self.sym(*tag)),
            Type::AddressSpace { inner, space } => format!("{} space({space})", self.ty(*inner)),
        }
    }
}

fn int_text(kind: IntKind) -> &'static str {
    match kind {
        IntKind::Bool => "bool",
        IntKind::Char => "char",
        IntKind::SChar => "i8",
        IntKind::UChar => "u8",
        IntKind::Short => "i16",
        IntKind::UShort => "u16",
        IntKind::Int => "int",
        IntKind::UInt => "u32",
        IntKind::Long => "long",
        IntKind::ULong => "ulong",
        IntKind::LongLong => "llong",
        IntKind::ULongLong => "ullong",
        IntKind::Int128 => "i128",
        IntKind::UInt128 => "u128",
    }
}

fn op_text(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Rem => "%",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::And => "&",
        BinaryOp::Or => "|",
        BinaryOp::Xor => "^",
    }
}

fn compare_text(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Eq => "==",
        CompareOp::Ne => "!=",
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
    }
}

/// A constraint as C spells it.
fn constraint(constraint: AsmConstraint) -> String {
    if let Some(output) = constraint.tied {
        return output.to_string();
    }
    let letters = [(constraint.register, "r"), (constraint.constant, "i"), (constraint.memory, "m")];
    letters.iter().filter(|(holds, _)| *holds).map(|&(_, letter)| letter).collect()
}

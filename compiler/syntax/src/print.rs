//! The syntax tree as text, for `--emit ast` and for tests.
//!
//! In: a [`Unit`] and the names. Out: one line per declaration and statement, nested by indentation;
//! types in words, read from the name outwards; expressions fully parenthesised, operator first.
//! Invariant: equal trees, equal text; positions do not show. The recursion is bounded by
//! [`MAX_HEIGHT`](crate::ast::MAX_HEIGHT).
//!
//! ```text
//! function f: function(a: int) returning pointer to char
//!   return (+ a 1)
//! ```

use crate::ast::*;
use crate::intern::{Interner, Symbol};

/// The whole unit.
pub fn unit(unit: &Unit, names: &Interner) -> String {
    let mut p = Printer { unit, ast: &unit.ast, names, out: String::new(), depth: 0 };
    for &d in &unit.decls {
        p.decl(d, "var");
    }
    p.out
}

/// One expression.
pub fn expression(ast: &Ast, names: &Interner, id: ExprId) -> String {
    let unit = Unit::default();
    let mut p = Printer { unit: &unit, ast, names, out: String::new(), depth: 0 };
    p.expr(id);
    p.out
}

struct Printer<'a> {
    unit: &'a Unit,
    ast: &'a Ast,
    names: &'a Interner,
    out: String,
    depth: usize,
}

impl Printer<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn name(&mut self, sym: Symbol) {
        let text = if sym == Symbol::EMPTY { "<missing>" } else { self.names.name(sym) };
        self.out.push_str(text);
    }

    fn start(&mut self) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
    }

    fn line(&mut self, text: &str) {
        self.start();
        self.put(text);
        self.put("\n");
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self)) {
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }

    // ------------------------------------------------------------ declarations

    /// `kind` names what the declarators declare if no storage class says so.
    fn decl(&mut self, id: DeclId, kind: &str) {
        match self.ast.decl(id) {
            DeclKind::Error => self.line("error"),
            DeclKind::Empty => self.line("empty"),
            DeclKind::Vars { specs, items } => self.vars(specs, items, kind),
            DeclKind::Function { specs, declarator, body } => {
                self.start();
                self.put("function ");
                self.declared(specs, declarator, None);
                self.put("\n");
                self.nested(|p| p.body(body));
            }
            DeclKind::StaticAssert { cond, message } => {
                self.start();
                self.put("static assert ");
                self.expr(cond);
                if let Some(message) = message {
                    self.put(" ");
                    self.string(message);
                }
                self.put("\n");
            }
            DeclKind::Asm(text) => {
                self.start();
                self.put("asm ");
                self.string(text);
                self.put("\n");
            }
        }
    }

    fn vars(&mut self, specs: SpecsId, items: List<ItemId>, kind: &str) {
        let s = self.ast.specs(specs);
        self.bodies(s.ty);
        if items.is_empty() && !matches!(s.ty, TypeSpec::Record(_) | TypeSpec::Enum(_)) {
            self.start();
            self.put("no declarator: ");
            self.specs(specs);
            self.put("\n");
        } else if items.is_empty() && !self.has_body(s.ty) {
            self.start();
            self.put("declare ");
            self.specs(specs);
            self.put("\n");
        } else if items.is_empty() && kind == "field" {
            self.line("anonymous member");
        }
        for item in self.ast.list(items) {
            let i = self.ast.item(item);
            self.start();
            self.put(if s.storage.has(Storage::TYPEDEF) { "typedef" } else { kind });
            self.put(" ");
            self.declared(specs, i.declarator, i.asm_label);
            if let Some(bits) = i.bits {
                self.put(" bits ");
                self.expr(bits);
            }
            if let Some(init) = i.init {
                self.put(" = ");
                self.init(init);
            }
            self.put("\n");
        }
    }

    /// `name: type` with storage, label and attributes.
    fn declared(&mut self, specs: SpecsId, declarator: DeclaratorId, label: Option<StrId>) {
        let d = self.ast.declarator(declarator);
        match d.name {
            Some(name) => self.name(name.sym),
            None => self.put("<unnamed>"),
        }
        self.put(": ");
        let s = self.ast.specs(specs);
        for &(flag, text) in Storage::ALL {
            if s.storage.has(flag) && flag != Storage::TYPEDEF {
                self.put(text);
                self.put(" ");
            }
        }
        self.ty(specs, declarator);
        if let Some(label) = label {
            self.put(" asm ");
            self.string(label);
        }
        self.attrs(s.attrs);
        self.attrs(d.attrs);
    }

    fn has_body(&self, ty: TypeSpec) -> bool {
        match ty {
            TypeSpec::Record(id) => self.ast.record(id).members.is_some(),
            TypeSpec::Enum(id) => self.ast.enum_spec(id).enumerators.is_some(),
            _ => false,
        }
    }

    /// The bodies of a specifier as lines of their own.
    fn bodies(&mut self, ty: TypeSpec) {
        match ty {
            TypeSpec::Record(id) => {
                let record = self.ast.record(id);
                let Some(members) = record.members else { return };
                self.start();
                self.put("define ");
                self.record_head(record);
                self.put("\n");
                self.nested(|p| p.ast.list(members).for_each(|m| p.decl(m, "field")));
            }
            TypeSpec::Enum(id) => {
                let spec = self.ast.enum_spec(id);
                let Some(enumerators) = spec.enumerators else { return };
                self.start();
                self.put("define ");
                self.enum_head(spec);
                self.put("\n");
                self.nested(|p| {
                    for e in p.ast.list(enumerators) {
                        p.enumerator(e);
                    }
                });
            }
            _ => {}
        }
    }

    fn record_head(&mut self, record: Record) {
        self.put(match record.kind {
            RecordKind::Struct => "struct",
            RecordKind::Union => "union",
        });
        if let Some(tag) = record.tag {
            self.put(" ");
            self.name(tag.sym);
        }
        if record.members.is_some() {
            if record.pack != 0 {
                self.put(&format!(" pack({})", record.pack));
            }
            if record.preserve_access_index {
                self.put(" preserve_access_index");
            }
        }
        self.attrs(record.attrs);
    }

    fn enum_head(&mut self, spec: EnumSpec) {
        self.put("enum");
        if let Some(tag) = spec.tag {
            self.put(" ");
            self.name(tag.sym);
        }
        if let Some(fixed) = spec.fixed {
            self.put(" : ");
            self.type_name(fixed);
        }
        self.attrs(spec.attrs);
    }

    fn enumerator(&mut self, id: EnumeratorId) {
        let e = self.ast.enumerator(id);
        self.start();
        self.name(e.name.sym);
        if let Some(value) = e.value {
            self.put(" = ");
            self.expr(value);
        }
        self.attrs(e.attrs);
        self.put("\n");
    }

    // ------------------------------------------------------------ types

    fn type_name(&mut self, id: TypeNameId) {
        let t = self.ast.type_name(id);
        self.ty(t.specs, t.declarator);
    }

    fn ty(&mut self, specs: SpecsId, declarator: DeclaratorId) {
        for part in self.ast.list(self.ast.declarator(declarator).parts) {
            match self.ast.part(part) {
                Part::Pointer { quals, attrs } => {
                    self.quals(quals);
                    self.put("pointer");
                    self.attrs(attrs);
                    self.put(" to ");
                }
                Part::Array { size, quals, is_static } => {
                    self.quals(quals);
                    self.put(if is_static { "array[static " } else { "array[" });
                    match size {
                        ArraySize::None => {}
                        ArraySize::Star => self.put("*"),
                        ArraySize::Expr(e) => self.expr(e),
                    }
                    self.put("] of ");
                }
                Part::Function { params, tail } => self.function(params, tail),
            }
        }
        self.specs(specs);
    }

    fn function(&mut self, params: List<ParamId>, tail: ParamTail) {
        self.put("function(");
        for (n, param) in self.ast.list(params).enumerate() {
            let param = self.ast.param(param);
            if n != 0 {
                self.put(", ");
            }
            let d = self.ast.declarator(param.declarator);
            if let Some(name) = d.name {
                self.name(name.sym);
                self.put(": ");
            }
            self.ty(param.specs, param.declarator);
            self.attrs(self.ast.specs(param.specs).attrs);
            self.attrs(d.attrs);
        }
        self.put(match tail {
            ParamTail::Fixed => "",
            ParamTail::Variadic => ", ...",
            ParamTail::Unknown => "?",
        });
        self.put(") returning ");
    }

    fn quals(&mut self, quals: Quals) {
        for &(flag, text) in Quals::ALL {
            if quals.has(flag) {
                self.put(text);
                self.put(" ");
            }
        }
    }

    fn specs(&mut self, id: SpecsId) {
        let s = self.ast.specs(id);
        self.quals(s.quals);
        match s.ty {
            TypeSpec::Error => self.put("<error>"),
            TypeSpec::None => self.put("<none>"),
            TypeSpec::Basic(basic) => self.put(basic.text()),
            TypeSpec::Name(name) => self.name(name),
            TypeSpec::Record(id) => {
                let record = Record { attrs: List::EMPTY, members: None, ..self.ast.record(id) };
                self.record_head(record);
            }
            TypeSpec::Enum(id) => {
                self.enum_head(EnumSpec { attrs: List::EMPTY, fixed: None, ..self.ast.enum_spec(id) })
            }
            TypeSpec::TypeofExpr(e) | TypeSpec::TypeofUnqualExpr(e) => {
                self.put(if matches!(s.ty, TypeSpec::TypeofExpr(_)) { "typeof " } else { "typeof_unqual " });
                self.expr(e);
            }
            TypeSpec::TypeofType(t) | TypeSpec::TypeofUnqualType(t) => {
                self.put(if matches!(s.ty, TypeSpec::TypeofType(_)) { "typeof(" } else { "typeof_unqual(" });
                self.type_name(t);
                self.put(")");
            }
            TypeSpec::Auto => self.put("__auto_type"),
            TypeSpec::Atomic(t) => {
                self.put("_Atomic(");
                self.type_name(t);
                self.put(")");
            }
        }
    }

    fn attrs(&mut self, attrs: List<AttrId>) {
        for attr in self.ast.list(attrs) {
            let attr = self.ast.attr(attr);
            self.put(" [");
            self.name(attr.name);
            for arg in self.ast.list(attr.args) {
                self.put(" ");
                match self.ast.attr_arg(arg) {
                    AttrArg::Expr(e) => self.expr(e),
                    AttrArg::Type(t) => self.type_name(t),
                }
            }
            self.put("]");
        }
    }

    // ------------------------------------------------------------ initialisers

    fn init(&mut self, id: InitId) {
        match self.ast.init(id) {
            Init::Expr(e) => self.expr(e),
            Init::List(items) => {
                self.put("{");
                for (n, item) in self.ast.list(items).enumerate() {
                    if n != 0 {
                        self.put(", ");
                    }
                    let item = self.ast.init_item(item);
                    self.designators(item.designators);
                    if !item.designators.is_empty() {
                        self.put(" = ");
                    }
                    self.init(item.value);
                }
                self.put("}");
            }
        }
    }

    fn designators(&mut self, list: List<DesignatorId>) {
        for d in self.ast.list(list) {
            match self.ast.designator(d) {
                Designator::Field(name) => {
                    self.put(".");
                    self.name(name);
                }
                Designator::Index(e) => {
                    self.put("[");
                    self.expr(e);
                    self.put("]");
                }
                Designator::Range(a, b) => {
                    self.put("[");
                    self.expr(a);
                    self.put(" ... ");
                    self.expr(b);
                    self.put("]");
                }
            }
        }
    }

    // ------------------------------------------------------------ expressions

    /// `(head a b c)`
    fn form(&mut self, head: &str, args: &[ExprId]) {
        self.put("(");
        self.put(head);
        for &arg in args {
            self.put(" ");
            self.expr(arg);
        }
        self.put(")");
    }

    /// `(head type rest)`
    fn typed(&mut self, head: &str, ty: TypeNameId, rest: impl FnOnce(&mut Self)) {
        self.put("(");
        self.put(head);
        self.put(" <");
        self.type_name(ty);
        self.put(">");
        rest(self);
        self.put(")");
    }

    fn generic(&mut self, control: Control, assocs: List<AssocId>) {
        self.put("(generic");
        match control {
            Control::Expr(control) => self.spaced(control),
            Control::Type(ty) => {
                self.put(" <");
                self.type_name(ty);
                self.put(">");
            }
        }
        for assoc in self.ast.list(assocs) {
            let assoc = self.ast.assoc(assoc);
            match assoc.ty {
                Some(ty) => {
                    self.put(" <");
                    self.type_name(ty);
                    self.put(">");
                }
                None => self.put(" default"),
            }
            self.spaced(assoc.value);
        }
        self.put(")");
    }

    fn spaced(&mut self, id: ExprId) {
        self.put(" ");
        self.expr(id);
    }

    fn expr(&mut self, id: ExprId) {
        match self.ast.expr(id) {
            ExprKind::Error => self.put("<error>"),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Int { value, decimal, suffix } => {
                let text = if decimal { value.to_string() } else { format!("{value:#x}") };
                self.put(&text);
                self.put(suffix.text());
            }
            ExprKind::Float { bits, suffix } => {
                self.put(&format!("{:?}", f64::from_bits(bits)));
                self.put(match suffix {
                    FloatSuffix::None => "",
                    FloatSuffix::F => "f",
                    FloatSuffix::L => "l",
                });
            }
            ExprKind::Char { value, prefix } => {
                self.put(prefix.text());
                self.put(&format!("'{value}'"));
            }
            ExprKind::Str(s) => self.string(s),
            ExprKind::Paren(e) => self.expr(e),
            ExprKind::Index { base, index } => self.form("index", &[base, index]),
            ExprKind::Call { callee, args } => {
                let args: Vec<ExprId> = std::iter::once(callee).chain(self.ast.list(args)).collect();
                self.form("call", &args);
            }
            ExprKind::Member { base, arrow, name, .. } => {
                self.put(if arrow { "(-> " } else { "(. " });
                self.expr(base);
                self.put(" ");
                self.name(name);
                self.put(")");
            }
            ExprKind::Unary { op, operand } => {
                let post = matches!(op, UnOp::PostInc | UnOp::PostDec);
                let head = if post { format!("post{}", op.text()) } else { op.text().to_string() };
                self.form(&head, &[operand]);
            }
            ExprKind::Binary { op, lhs, rhs, .. } => self.form(op.text(), &[lhs, rhs]),
            ExprKind::Assign { op, lhs, rhs, .. } => {
                let head = format!("{}=", op.map_or("", BinOp::text));
                self.form(&head, &[lhs, rhs]);
            }
            ExprKind::Comma { lhs, rhs } => self.form(",", &[lhs, rhs]),
            ExprKind::Cond { cond, then: Some(then), other } => self.form("?", &[cond, then, other]),
            ExprKind::Cond { cond, then: None, other } => self.form("?:", &[cond, other]),
            ExprKind::SizeofExpr(e) => self.form("sizeof", &[e]),
            ExprKind::AlignofExpr(e) => self.form("alignof", &[e]),
            ExprKind::Choose { cond, then, other } => self.form("choose", &[cond, then, other]),
            ExprKind::Cast { ty, operand } => self.typed("cast", ty, |p| p.spaced(operand)),
            ExprKind::VaArg { list, ty } => self.typed("va_arg", ty, |p| p.spaced(list)),
            ExprKind::SizeofType(ty) => self.typed("sizeof", ty, |_| {}),
            ExprKind::AlignofType(ty) => self.typed("alignof", ty, |_| {}),
            ExprKind::Compound { ty, init } => self.typed("literal", ty, |p| {
                p.put(" ");
                p.init(init);
            }),
            ExprKind::TypesCompatible(a, b) => self.typed("types_compatible", a, |p| {
                p.put(" <");
                p.type_name(b);
                p.put(">");
            }),
            ExprKind::Offsetof { ty, path } => self.typed("offsetof", ty, |p| {
                p.put(" ");
                p.designators(path);
            }),
            ExprKind::LabelAddr(label) => {
                self.put("(&& ");
                self.name(label);
                self.put(")");
            }
            ExprKind::Generic { control, assocs } => self.generic(control, assocs),
            ExprKind::StmtExpr(body) => {
                self.put("({\n");
                self.nested(|p| p.nested(|p| p.body(body)));
                self.nested(Self::start);
                self.put("})");
            }
        }
    }

    fn string(&mut self, id: StrId) {
        let s = self.ast.string(id);
        self.put(s.prefix.text());
        self.put("\"");
        for &b in self.ast.string_bytes(id) {
            self.out.extend(std::ascii::escape_default(b).map(char::from));
        }
        self.put("\"");
    }

    // ------------------------------------------------------------ statements

    /// The statements of a block, or one statement.
    fn body(&mut self, id: StmtId) {
        match self.ast.stmt(id) {
            StmtKind::Block(items) => self.ast.list(items).for_each(|s| self.stmt(s)),
            _ => self.stmt(id),
        }
    }

    fn headed(&mut self, head: &str, cond: ExprId, body: StmtId) {
        self.start();
        self.put(head);
        self.spaced(cond);
        self.put("\n");
        self.nested(|p| p.body(body));
    }

    fn stmt(&mut self, id: StmtId) {
        if let Some(unroll) = self.unit.unroll(id) {
            self.line(&format!("unroll {unroll:?}").to_lowercase());
        }
        match self.ast.stmt(id) {
            StmtKind::Error => self.line("error"),
            StmtKind::Empty => self.line("empty"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Break => self.line("break"),
            StmtKind::Default => self.line("default"),
            StmtKind::Block(_) => {
                self.line("block");
                self.nested(|p| p.body(id));
            }
            StmtKind::Decl(d) => self.decl(d, "var"),
            StmtKind::Expr(e) => {
                self.start();
                self.expr(e);
                self.put("\n");
            }
            StmtKind::If { cond, then, other } => {
                self.headed("if", cond, then);
                if let Some(other) = other {
                    self.line("else");
                    self.nested(|p| p.body(other));
                }
            }
            StmtKind::Switch { cond, body } => self.headed("switch", cond, body),
            StmtKind::While { cond, body } => self.headed("while", cond, body),
            StmtKind::DoWhile { body, cond } => self.headed("do while", cond, body),
            StmtKind::For { init, cond, step, body } => {
                self.line("for");
                self.nested(|p| {
                    match init {
                        Some(init) => p.stmt(init),
                        None => p.line("empty"),
                    }
                    for part in [cond, step] {
                        p.start();
                        match part {
                            Some(e) => p.expr(e),
                            None => p.put("empty"),
                        }
                        p.put("\n");
                    }
                    p.nested(|p| p.body(body));
                });
            }
            StmtKind::Goto(label) => self.word_and("goto ", |p| p.name(label.sym)),
            StmtKind::GotoExpr(e) => self.word_and("goto ", |p| p.form("*", &[e])),
            StmtKind::Return(None) => self.line("return"),
            StmtKind::Return(Some(e)) => self.word_and("return ", |p| p.expr(e)),
            StmtKind::Label { name } => self.word_and("label ", |p| p.name(name.sym)),
            StmtKind::Case { value, last } => self.word_and("case ", |p| {
                p.expr(value);
                if let Some(last) = last {
                    p.put(" ... ");
                    p.expr(last);
                }
            }),
            StmtKind::LocalLabels(names) => self.word_and("local labels", |p| {
                for name in p.ast.list(names) {
                    p.put(" ");
                    p.name(p.ast.name(name));
                }
            }),
            StmtKind::Attrs(attrs) => self.word_and("attributes", |p| p.attrs(attrs)),
            StmtKind::Asm(asm) => self.asm(asm),
        }
    }

    fn word_and(&mut self, word: &str, rest: impl FnOnce(&mut Self)) {
        self.start();
        self.put(word);
        rest(self);
        self.put("\n");
    }

    fn asm(&mut self, id: AsmId) {
        let asm = self.ast.asm(id);
        self.start();
        self.put("asm");
        self.put(if asm.is_volatile { " volatile" } else { "" });
        self.put(if asm.is_goto { " goto" } else { "" });
        self.put(" ");
        self.string(asm.template);
        self.put("\n");
        self.nested(|p| {
            for (word, operands) in [("out ", asm.outputs), ("in ", asm.inputs)] {
                for operand in p.ast.list(operands) {
                    let operand = p.ast.asm_operand(operand);
                    p.start();
                    p.put(word);
                    if let Some(name) = operand.name {
                        p.name(name);
                        p.put(" ");
                    }
                    p.string(operand.constraint);
                    p.spaced(operand.value);
                    p.put("\n");
                }
            }
            for clobber in p.ast.list(asm.clobbers) {
                p.word_and("clobber ", |p| p.string(clobber));
            }
            for label in p.ast.list(asm.labels) {
                p.word_and("label ", |p| p.name(p.ast.name(label)));
            }
        });
    }
}

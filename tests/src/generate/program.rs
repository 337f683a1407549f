//! Random C functions of integers, records, bit-fields and control flow.
//!
//! The programs have one meaning in every C compiler with 64-bit longs, little-endian memory and
//! wrapping signed arithmetic (`-fwrapv`): everything is initialised, divisors are positive, shift
//! counts are masked, indexes are masked, and no expression has effects that are unsequenced.
//! So a native compiler is the oracle.

use super::Random;

/// What the functions need in front of them.
pub const PREAMBLE: &str = "\
typedef unsigned char u8; typedef signed char s8; typedef unsigned short u16; typedef short s16;
typedef unsigned int u32; typedef int s32; typedef unsigned long long u64; typedef long long s64;
typedef unsigned __int128 u128;
";

const SCALARS: [&str; 9] = ["u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "_Bool"];

/// A function `u64 NAME(u64 a, u64 b)` with everything it needs, all names starting with `name`.
pub fn function(name: &str, seed: u64) -> String {
    let mut generator = Generator::new(name, seed);
    generator.records();
    generator.globals();
    for _ in 0..generator.random.below(4) {
        generator.helper();
    }
    generator.entry();
    generator.out
}

#[derive(Clone)]
enum FieldKind {
    Scalar,
    Bits,
    Array(usize),
    Record(usize),
}

#[derive(Clone)]
struct Field {
    name: String,
    kind: FieldKind,
}

/// A struct; its C name is `struct NAME_rN`.
#[derive(Clone)]
struct Record {
    tag: String,
    fields: Vec<Field>,
}

#[derive(Clone)]
enum VarKind {
    Scalar,
    Array(usize),
    Record(usize),
    /// Points to the record.
    Pointer(usize),
}

#[derive(Clone)]
struct Var {
    name: String,
    kind: VarKind,
    writable: bool,
}

#[derive(Clone)]
enum Param {
    Scalar(&'static str),
    Record(usize),
    Pointer(usize),
}

#[derive(Clone)]
struct Helper {
    name: String,
    params: Vec<Param>,
    /// The record it returns, else a scalar.
    ret: Option<usize>,
}

struct Generator {
    name: String,
    random: Random,
    out: String,
    records: Vec<Record>,
    globals: Vec<Var>,
    helpers: Vec<Helper>,
    vars: Vec<Var>,
    indent: usize,
    fresh: usize,
    /// Loops around the current statement.
    loops: usize,
    /// Statements that may still be written in this function.
    budget: usize,
}

impl Generator {
    fn new(name: &str, seed: u64) -> Generator {
        Generator {
            name: name.to_string(),
            random: Random::new(seed),
            out: String::new(),
            records: Vec::new(),
            globals: Vec::new(),
            helpers: Vec::new(),
            vars: Vec::new(),
            indent: 0,
            fresh: 0,
            loops: 0,
            budget: 0,
        }
    }

    fn line(&mut self, text: &str) {
        for _ in 0..self.indent {
            self.out.push(' ');
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn name(&mut self, prefix: &str) -> String {
        self.fresh += 1;
        format!("{prefix}{}", self.fresh)
    }

    // File scope.

    fn records(&mut self) {
        for i in 0..1 + self.random.below(3) {
            let tag = format!("{}_r{i}", self.name);
            let mut fields = Vec::new();
            let mut text = format!("struct {tag} {{");
            for j in 0..1 + self.random.below(6) {
                let name = format!("f{j}");
                let ty = *self.random.pick(&SCALARS);
                let kind = match self.random.below(8) {
                    0..=2 => FieldKind::Scalar,
                    3..=5 => FieldKind::Bits,
                    6 => FieldKind::Array(1 << self.random.below(4)),
                    _ if i > 0 => FieldKind::Record(self.random.below(i)),
                    _ => FieldKind::Scalar,
                };
                let declaration = match kind {
                    FieldKind::Scalar => format!(" {ty} {name};"),
                    FieldKind::Bits => {
                        let width = 1 + self.random.below(bits(ty));
                        let gap = self.random.below(bits(ty));
                        let unnamed =
                            if self.random.one_in(8) { format!(" {ty} : {gap};") } else { String::new() };
                        format!("{unnamed} {ty} {name} : {width};")
                    }
                    FieldKind::Array(len) => format!(" {ty} {name}[{len}];"),
                    FieldKind::Record(r) => format!(" struct {} {name};", self.records[r].tag),
                };
                text += &declaration;
                fields.push(Field { name, kind });
            }
            text += if self.random.one_in(4) { " } __attribute__((packed));" } else { " };" };
            self.line(&text);
            self.records.push(Record { tag, fields });
        }
    }

    fn globals(&mut self) {
        for i in 0..self.random.below(4) {
            let name = format!("{}_g{i}", self.name);
            let ty = *self.random.pick(&SCALARS);
            match self.random.below(3) {
                0 => {
                    let value = self.constant();
                    self.line(&format!("static {ty} {name} = ({ty}){value};"));
                    self.globals.push(Var { name, kind: VarKind::Scalar, writable: true });
                }
                1 => {
                    let values: Vec<String> = (0..8).map(|_| format!("({ty}){}", self.constant())).collect();
                    self.line(&format!("static const {ty} {name}[8] = {{ {} }};", values.join(", ")));
                    self.globals.push(Var { name, kind: VarKind::Array(8), writable: false });
                }
                _ => {
                    let r = self.random.below(self.records.len());
                    let init = self.initializer(r);
                    self.line(&format!("static struct {} {name} = {init};", self.records[r].tag));
                    self.globals.push(Var { name, kind: VarKind::Record(r), writable: true });
                }
            }
        }
    }

    /// A constant initialiser of a record, with or without designators.
    fn initializer(&mut self, r: usize) -> String {
        let fields = self.records[r].fields.clone();
        let designated = self.random.one_in(2);
        let mut items = Vec::new();
        for field in &fields {
            if designated && self.random.one_in(3) {
                continue;
            }
            let value = match field.kind {
                FieldKind::Scalar | FieldKind::Bits => self.constant(),
                FieldKind::Array(_) => format!("{{ {}, }}", self.constant()),
                FieldKind::Record(inner) => self.initializer(inner),
            };
            items.push(if designated { format!(".{} = {value}", field.name) } else { value });
        }
        format!("{{ {} }}", items.join(", "))
    }

    fn constant(&mut self) -> String {
        match self.random.below(4) {
            0 => format!("{}", self.random.below(100)),
            1 => format!("{}u", self.random.interesting() as u32),
            2 => format!("(-{})", self.random.below(1000)),
            _ => format!("{}ull", self.random.interesting()),
        }
    }

    // Functions.

    /// A function that changes nothing but its locals and what its pointers point to.
    fn helper(&mut self) {
        let name = format!("{}_h{}", self.name, self.helpers.len());
        let mut params = Vec::new();
        let mut list = Vec::new();
        self.vars = self.globals.iter().map(|v| Var { writable: false, ..v.clone() }).collect();
        for i in 0..1 + self.random.below(4) {
            let r = self.random.below(self.records.len());
            let tag = self.records[r].tag.clone();
            let (param, text, kind) = match self.random.below(4) {
                0 => (Param::Record(r), format!("struct {tag} p{i}"), VarKind::Record(r)),
                1 => (Param::Pointer(r), format!("struct {tag} *p{i}"), VarKind::Pointer(r)),
                _ => {
                    let ty = *self.random.pick(&SCALARS);
                    (Param::Scalar(ty), format!("{ty} p{i}"), VarKind::Scalar)
                }
            };
            params.push(param);
            list.push(text);
            self.vars.push(Var { name: format!("p{i}"), kind, writable: true });
        }
        let ret = self.random.one_in(3).then(|| self.random.below(self.records.len()));
        let result = match ret {
            Some(r) => format!("struct {}", self.records[r].tag),
            None => self.random.pick(&SCALARS).to_string(),
        };
        self.line(&format!("static {result} {name}({})", list.join(", ")));
        self.line("{");
        self.indent = 1;
        self.budget = 12;
        self.locals(2);
        let local = ret.map(|r| self.local_record(r));
        self.statements(3);
        match local {
            Some(local) => self.line(&format!("return {local};")),
            None => {
                let value = self.expr(2);
                self.line(&format!("return {value};"));
            }
        }
        self.indent = 0;
        self.line("}");
        self.helpers.push(Helper { name, params, ret });
    }

    fn entry(&mut self) {
        self.vars = self.globals.clone();
        for name in ["a", "b"] {
            self.vars.push(Var { name: name.to_string(), kind: VarKind::Scalar, writable: true });
        }
        let name = self.name.clone();
        self.line(&format!("u64 {name}(u64 a, u64 b)"));
        self.line("{");
        self.indent = 1;
        self.budget = 40;
        self.locals(5);
        self.statements(8);
        self.line("u64 sum = a ^ b;");
        for var in self.vars.clone() {
            self.checksum(&var.name, &var.kind);
        }
        self.line("return sum;");
        self.indent = 0;
        self.line("}");
    }

    /// Mixes every readable part of a variable into `sum`.
    fn checksum(&mut self, name: &str, kind: &VarKind) {
        match kind {
            VarKind::Scalar => self.line(&format!("sum = sum * 31 + (u64){name};")),
            VarKind::Array(len) => {
                self.line(&format!("for (u32 i = 0; i < {len}; i++) sum = sum * 31 + (u64){name}[i];"));
            }
            VarKind::Record(r) => {
                for field in self.records[*r].fields.clone() {
                    let kind = match field.kind {
                        FieldKind::Scalar | FieldKind::Bits => VarKind::Scalar,
                        FieldKind::Array(len) => VarKind::Array(len),
                        FieldKind::Record(inner) => VarKind::Record(inner),
                    };
                    self.checksum(&format!("{name}.{}", field.name), &kind);
                }
            }
            VarKind::Pointer(_) => {}
        }
    }

    fn locals(&mut self, count: usize) {
        for _ in 0..1 + self.random.below(count) {
            let ty = *self.random.pick(&SCALARS);
            let name = self.name("v");
            match self.random.below(8) {
                0 => {
                    let len = 1 << (1 + self.random.below(3));
                    let (first, second) = (self.expr(1), self.constant());
                    self.line(&format!("{ty} {name}[{len}] = {{ {first}, [1] = {second} }};"));
                    self.vars.push(Var { name, kind: VarKind::Array(len), writable: true });
                }
                1 | 2 => {
                    let r = self.random.below(self.records.len());
                    self.local_record(r);
                }
                3 => {
                    let r = self.random.below(self.records.len());
                    let target = self.local_record(r);
                    self.line(&format!("struct {} *{name} = &{target};", self.records[r].tag));
                    self.vars.push(Var { name, kind: VarKind::Pointer(r), writable: false });
                }
                4 => {
                    let value = self.expr(1);
                    self.line(&format!("volatile {ty} {name} = {value};"));
                    self.vars.push(Var { name, kind: VarKind::Scalar, writable: true });
                }
                _ => {
                    let value = self.expr(2);
                    self.line(&format!("{ty} {name} = {value};"));
                    self.vars.push(Var { name, kind: VarKind::Scalar, writable: true });
                }
            }
        }
    }

    fn local_record(&mut self, r: usize) -> String {
        let name = self.name("rec");
        let tag = self.records[r].tag.clone();
        let others = self.records_in_scope(r);
        if !others.is_empty() && self.random.one_in(3) {
            let from = self.random.pick(&others).clone();
            self.line(&format!("struct {tag} {name} = {from};"));
        } else if self.random.one_in(4) {
            self.line(&format!("struct {tag} {name};"));
            let byte = self.random.below(2);
            self.line(&format!("__builtin_memset(&{name}, {byte}, sizeof({name}));"));
        } else {
            let init = self.initializer(r);
            self.line(&format!("struct {tag} {name} = {init};"));
        }
        self.vars.push(Var { name: name.clone(), kind: VarKind::Record(r), writable: true });
        name
    }

    /// Spellings of values of a record type.
    fn records_in_scope(&self, r: usize) -> Vec<String> {
        let spell = |var: &Var| match var.kind {
            VarKind::Record(of) if of == r => Some(var.name.clone()),
            VarKind::Pointer(of) if of == r => Some(format!("*{}", var.name)),
            _ => None,
        };
        self.vars.iter().filter_map(spell).collect()
    }

    // Statements.

    fn statements(&mut self, count: usize) {
        for _ in 0..1 + self.random.below(count) {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            self.statement();
        }
    }

    fn block(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.indent += 1;
        let (vars, count) = (self.vars.len(), 1 + self.random.below(3));
        if self.random.one_in(3) {
            self.locals(1);
        }
        self.statements(count);
        self.vars.truncate(vars);
        self.indent -= 1;
        self.line("}");
    }

    fn statement(&mut self) {
        match self.random.below(18) {
            0..=4 => self.assignment(),
            5 | 6 => self.compound(),
            7 => {
                if let Some(place) = self.lvalue() {
                    let op = *self.random.pick(&["++", "--"]);
                    let text =
                        if self.random.one_in(2) { format!("{place}{op};") } else { format!("{op}{place};") };
                    self.line(&text);
                }
            }
            8 | 9 => {
                let cond = self.condition(2);
                self.block(&format!("if ({cond})"));
                if self.random.one_in(2) {
                    self.block("else");
                }
            }
            10 | 11 if self.loops < 2 => self.loop_statement(),
            12 => self.switch(),
            13 => self.copy(),
            14 => self.call_statement(),
            15 if self.loops > 0 => {
                let cond = self.condition(1);
                let way = *self.random.pick(&["break", "continue"]);
                self.line(&format!("if ({cond}) {way};"));
            }
            16 => {
                let label = self.name("out");
                let cond = self.condition(1);
                self.line(&format!("if ({cond}) goto {label};"));
                self.statements(2);
                self.line(&format!("{label}:;"));
            }
            _ => self.special(),
        }
    }

    fn assignment(&mut self) {
        if let Some(place) = self.lvalue() {
            let value = self.expr(3);
            self.line(&format!("{place} = {value};"));
        }
    }

    fn compound(&mut self) {
        let Some(place) = self.lvalue() else { return };
        let value = self.expr(2);
        let text = match self.random.below(9) {
            0 => format!("{place} /= (({value}) & 0x3f) + 1;"),
            1 => format!("{place} %= (({value}) & 0xfff) + 1;"),
            2 => format!("{place} <<= ({value}) & 7;"),
            3 => format!("{place} >>= ({value}) & 7;"),
            n => format!("{place} {}= {value};", ["+", "-", "*", "^", "|"][n - 4]),
        };
        self.line(&text);
    }

    fn loop_statement(&mut self) {
        self.loops += 1;
        let (i, n) = (self.name("i"), 1 + self.random.below(7));
        match self.random.below(3) {
            0 => {
                self.block(&format!("for (u32 {i} = 0; {i} < {n}; {i}++)"));
            }
            1 => {
                self.line(&format!("s32 {i} = {n};"));
                let cond = self.condition(1);
                self.block(&format!("while ({i}-- > 0 && ({cond}))"));
            }
            _ => {
                self.line(&format!("s64 {i} = 0;"));
                self.block("do");
                self.line(&format!("while (++{i} < {n});"));
            }
        }
        self.loops -= 1;
    }

    fn switch(&mut self) {
        let value = self.expr(2);
        let ty = *self.random.pick(&["u32", "s32", "u64", "s64", "u8", "s8"]);
        let op = *self.random.pick(&["& 7", "% 5", "", ">> 1"]);
        self.line(&format!("switch (({ty})({value}) {op}) {{"));
        let loops = std::mem::replace(&mut self.loops, 0);
        let default = self.random.below(5);
        for i in 0..1 + self.random.below(4) {
            if i == default {
                self.line("default:");
            }
            let low = i * 3;
            if self.random.one_in(3) {
                let high = low + self.random.below(3);
                self.line(&format!("case {low} ... {high}:"));
            } else {
                self.line(&format!("case {low}:"));
            }
            self.block("");
            if !self.random.one_in(4) {
                self.line("break;");
            }
        }
        self.line("}");
        self.loops = loops;
    }

    fn copy(&mut self) {
        let r = self.random.below(self.records.len());
        let targets: Vec<String> = self
            .vars
            .iter()
            .filter(|v| v.writable && matches!(v.kind, VarKind::Record(of) if of == r))
            .map(|v| v.name.clone())
            .collect();
        let sources = self.records_in_scope(r);
        if targets.is_empty() || sources.is_empty() {
            return self.assignment();
        }
        let (to, from) = (self.random.pick(&targets).clone(), self.random.pick(&sources).clone());
        let tag = &self.records[r].tag;
        let text = match self.random.below(4) {
            0 => format!("__builtin_memmove(&{to}, &({from}), sizeof(struct {tag}));"),
            1 => {
                let init = self.initializer(r);
                format!("{to} = (struct {}){init};", self.records[r].tag)
            }
            2 => {
                let (cond, other) = (self.condition(1), self.random.pick(&sources).clone());
                format!("{to} = ({cond}) ? {from} : {other};")
            }
            _ => format!("{to} = {from};"),
        };
        self.line(&text);
    }

    /// A call whose effects on records are sequenced after its arguments.
    fn call_statement(&mut self) {
        if self.helpers.is_empty() {
            return self.assignment();
        }
        let helper = self.random.pick(&self.helpers).clone();
        let Some(call) = self.call(&helper, true) else { return self.assignment() };
        match helper.ret {
            Some(r) => {
                let name = self.name("rec");
                let tag = self.records[r].tag.clone();
                self.line(&format!("{{ struct {tag} {name} = {call};"));
                let fields = self.records[r].fields.clone();
                let scalar = fields.iter().find(|f| matches!(f.kind, FieldKind::Scalar | FieldKind::Bits));
                let target = self.scalar_variable();
                if let (Some(field), Some(target)) = (scalar, target) {
                    self.line(&format!("{target} ^= {name}.{};", field.name));
                }
                self.line("}");
            }
            None => match self.scalar_variable() {
                Some(target) => self.line(&format!("{target} = {call};")),
                None => self.line(&format!("{call};")),
            },
        }
    }

    /// The text of a call; `effects` allows pointers to records.
    fn call(&mut self, helper: &Helper, effects: bool) -> Option<String> {
        let mut args = Vec::new();
        for param in &helper.params {
            args.push(match param {
                Param::Scalar(ty) => format!("({ty})({})", self.expr(1)),
                Param::Record(r) => self.pick_record(*r)?,
                Param::Pointer(_) if !effects => return None,
                Param::Pointer(r) => {
                    let r = *r;
                    let fits = |v: &Var| {
                        let writable = v.writable && matches!(v.kind, VarKind::Record(of) if of == r);
                        writable || matches!(v.kind, VarKind::Pointer(of) if of == r)
                    };
                    let found: Vec<Var> = self.vars.iter().filter(|v| fits(v)).cloned().collect();
                    if found.is_empty() {
                        return None;
                    }
                    let var = self.random.pick(&found);
                    if matches!(var.kind, VarKind::Record(_)) {
                        format!("&{}", var.name)
                    } else {
                        var.name.clone()
                    }
                }
            });
        }
        Some(format!("{}({})", helper.name, args.join(", ")))
    }

    fn pick_record(&mut self, r: usize) -> Option<String> {
        let found = self.records_in_scope(r);
        if found.is_empty() { None } else { Some(self.random.pick(&found).clone()) }
    }

    fn scalar_variable(&mut self) -> Option<String> {
        let found: Vec<String> = self
            .vars
            .iter()
            .filter(|v| v.writable && matches!(v.kind, VarKind::Scalar))
            .map(|v| v.name.clone())
            .collect();
        if found.is_empty() { None } else { Some(self.random.pick(&found).clone()) }
    }

    /// Statements around builtins and unusual types.
    fn special(&mut self) {
        let Some(target) = self.scalar_variable() else { return };
        let (x, y) = (self.expr(2), self.expr(2));
        let count = self.random.below(128);
        let ty = *self.random.pick(&SCALARS[..8]);
        let (from, to) = (*self.random.pick(&SCALARS[4..8]), *self.random.pick(&SCALARS[4..8]));
        let op = *self.random.pick(&["add", "sub", "mul"]);
        let name = self.name("t");
        let text = match self.random.below(8) {
            0 => format!(
                "{{ u128 {name} = (u128)({x}) << {count} ^ ({y}); {name} += (u128)(s64)({y}) + ({x}); \
                 {name} = ~{name} - ({y}); {target} ^= (u64)({name} >> {}) + ({name} < ({x})) + ({name} == ({y})); }}",
                count / 2
            ),
            1 => format!(
                "{{ {from} {name}; {target} ^= __builtin_{op}_overflow(({from})({x}), ({from})({y}), &{name}); \
                 {target} += {name}; }}"
            ),
            2 => format!(
                "{{ {to} {name}; {target} ^= __builtin_{op}_overflow(({})({x}), ({})({y}), &{name}); \
                 {target} += {name}; }}",
                SCALARS[count % 6],
                SCALARS[count / 6 % 6]
            ),
            3 => format!("{target} = __builtin_bswap{}({x});", [16, 32, 64][count % 3]),
            4 => format!(
                "{target} += __builtin_ctzll(({x}) | 1) + __builtin_clz((u32)({y}) | 1) + \
                 __builtin_popcountll({x}) + __builtin_ffs((s32)({y}));"
            ),
            5 => format!(
                "{{ union {{ u64 q; u32 d[2]; u16 w[4]; u8 b[8]; }} {name}; {name}.q = {x}; \
                 {name}.b[({y}) & 7] ^= 0x5a; {name}.w[1]++; {target} = {name}.d[({y}) & 1] + {name}.q; }}"
            ),
            6 => format!(
                "{{ {from} {name} = {x}; {target} ^= __sync_fetch_and_{}(&{name}, ({from})({y})); {target} += {name}; }}",
                ["add", "sub", "or", "and", "xor"][count % 5]
            ),
            _ => format!(
                "{{ {ty} {name}[4] = {{ {x}, 1, {y} }}; {ty} *q = {name} + (({y}) & 1); {target} += *q++; \
                 {target} ^= (q - {name}) + q[1] + (q > &{name}[1]) + *(q - 1); }}"
            ),
        };
        self.line(&text);
    }

    // Expressions.

    /// An object that may be assigned to.
    fn lvalue(&mut self) -> Option<String> {
        let found: Vec<Var> = self
            .vars
            .iter()
            .filter(|v| v.writable || matches!(v.kind, VarKind::Pointer(_)))
            .cloned()
            .collect();
        if found.is_empty() {
            return None;
        }
        let var = self.random.pick(&found).clone();
        Some(self.part(&var.name, &var.kind))
    }

    /// A scalar part of an object.
    fn part(&mut self, name: &str, kind: &VarKind) -> String {
        match kind {
            VarKind::Scalar => name.to_string(),
            VarKind::Array(len) => {
                let index = self.index(*len);
                format!("{name}[{index}]")
            }
            VarKind::Record(r) => self.field(name, ".", *r),
            VarKind::Pointer(r) => self.field(name, "->", *r),
        }
    }

    fn field(&mut self, name: &str, access: &str, r: usize) -> String {
        let field = self.random.pick(&self.records[r].fields).clone();
        let name = format!("{name}{access}{}", field.name);
        match field.kind {
            FieldKind::Scalar | FieldKind::Bits => name,
            FieldKind::Array(len) => {
                let index = self.index(len);
                format!("{name}[{index}]")
            }
            FieldKind::Record(inner) => self.field(&name, ".", inner),
        }
    }

    fn index(&mut self, len: usize) -> String {
        if self.random.one_in(2) {
            return self.random.below(len).to_string();
        }
        format!("({}) & {}", self.expr(1), len - 1)
    }

    fn leaf(&mut self) -> String {
        if self.vars.is_empty() || self.random.one_in(4) {
            return self.constant();
        }
        let var = self.random.pick(&self.vars).clone();
        self.part(&var.name, &var.kind)
    }

    fn condition(&mut self, depth: usize) -> String {
        let op = *self.random.pick(&["==", "!=", "<", "<=", ">", ">="]);
        match self.random.below(6) {
            0 if depth > 0 => {
                let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
                format!("({a}) {} ({b})", self.random.pick(&["&&", "||"]))
            }
            1 if depth > 0 => format!("!({})", self.condition(depth - 1)),
            2 => self.expr(depth),
            _ => format!("{} {op} {}", self.operand(depth), self.operand(depth)),
        }
    }

    fn operand(&mut self, depth: usize) -> String {
        format!("({})", self.expr(depth))
    }

    /// An integer expression without effects.
    fn expr(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(5) {
            return self.leaf();
        }
        let d = depth - 1;
        match self.random.below(14) {
            0..=4 => {
                let op = *self.random.pick(&["+", "-", "*", "&", "|", "^"]);
                format!("{} {op} {}", self.operand(d), self.operand(d))
            }
            5 => {
                let (ty, bits) = *self.random.pick(&[("u32", 31), ("s32", 31), ("u64", 63), ("s64", 63)]);
                let op = *self.random.pick(&["<<", ">>"]);
                format!("(({ty}){} {op} ({} & {bits}))", self.operand(d), self.operand(d))
            }
            6 => {
                let op = *self.random.pick(&["/", "%"]);
                let ty = *self.random.pick(&["u8", "u16"]);
                format!("{} {op} (({ty}){} + 1)", self.operand(d), self.operand(d))
            }
            7 => {
                let ty = *self.random.pick(&SCALARS);
                format!("({ty}){}", self.operand(d))
            }
            8 => format!("{}{}", self.random.pick(&["-", "~", "!"]), self.operand(d)),
            9 => format!("({} ? {} : {})", self.condition(d), self.operand(d), self.operand(d)),
            10 => format!("({} ?: {})", self.operand(d), self.operand(d)),
            11 => format!("({})", self.condition(d)),
            12 => {
                let (ty, name) = (*self.random.pick(&SCALARS), self.name("e"));
                let (first, second) = (self.expr(d), self.operand(d));
                format!("({{ {ty} {name} = {first}; {name} ^= {second}; {name}; }})")
            }
            _ => {
                let pure: Vec<Helper> = self.helpers.iter().filter(|h| h.ret.is_none()).cloned().collect();
                if pure.is_empty() {
                    return self.leaf();
                }
                let helper = self.random.pick(&pure).clone();
                self.call(&helper, false).unwrap_or_else(|| self.leaf())
            }
        }
    }
}

fn bits(ty: &str) -> usize {
    match ty {
        "_Bool" => 1,
        "u8" | "s8" => 8,
        "u16" | "s16" => 16,
        "u32" | "s32" => 32,
        _ => 64,
    }
}

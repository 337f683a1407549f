//! File scope: enumerations, typedefs, records and globals of a random program.
//!
//! Members of unions are integers, arrays of them and bit-fields, never `_Bool` or structs: every
//! byte that one member writes may be read through another, and a copy copies all of them.

use super::{Field, FieldKind, Generator, Record, Scalar, VarKind};
use super::{SCALARS, Var};

impl Generator {
    /// A typedef and an enumeration.
    pub(super) fn types(&mut self) {
        if self.random.one_in(2) {
            let (of, name) = (self.scalar(), format!("{}_t", self.name));
            self.line(&format!("typedef {} {name};", of.name));
            self.scalars.push(Scalar { name, bits: of.bits });
        }
        if self.random.one_in(2) {
            let tag = format!("{}_e", self.name);
            let names: Vec<String> = (0..2 + self.random.below(4)).map(|i| format!("{tag}{i}")).collect();
            let kind = self.random.below(4);
            let mut items = Vec::new();
            for name in &names {
                let value = match kind {
                    0 if self.random.one_in(2) => format!(" = -{}", self.random.below(300)),
                    1 if self.random.one_in(2) => format!(" = {}ull", 1u64 << self.random.below(63)),
                    _ if self.random.one_in(2) => format!(" = {}", self.random.below(5000)),
                    _ => String::new(),
                };
                items.push(format!("{name}{value}"));
            }
            // One that decides the size: no other makes it wider or narrower.
            let (last, bits) = match kind {
                0 => (format!("{tag}_last = -1"), 32),
                1 => (format!("{tag}_last = 0x7000000000000000ull"), 64),
                _ => (format!("{tag}_last = 0x7fffffff"), 32),
            };
            self.line(&format!("enum {tag} {{ {}, {last} }};", items.join(", ")));
            self.scalars.push(Scalar { name: format!("enum {tag}"), bits });
            self.enumerators = names;
        }
    }

    pub(super) fn records(&mut self) {
        for i in 0..1 + self.random.below(3) {
            let record = if self.random.one_in(4) { self.union(i) } else { self.structure(i) };
            self.records.push(record);
        }
    }

    fn union(&mut self, i: usize) -> Record {
        let spelling = format!("union {}_r{i}", self.name);
        let mut fields = Vec::new();
        let members = self.overlapping(&mut fields);
        self.line(&format!("{spelling} {{{members} }};"));
        Record { spelling, fields, plain: false, truth: false, packed: false }
    }

    /// Members that may share their bytes.
    fn overlapping(&mut self, fields: &mut Vec<Field>) -> String {
        let mut text = String::new();
        for _ in 0..2 + self.random.below(3) {
            let (name, ty) = (format!("f{}", fields.len()), self.full_scalar());
            let kind = match self.random.below(4) {
                0 => FieldKind::Bits,
                1 => FieldKind::Array(ty.clone(), 1 << self.random.below(4)),
                _ => FieldKind::Scalar(ty.clone()),
            };
            text += &self.member(&name, &ty, &kind);
            fields.push(Field { name, kind });
        }
        text
    }

    fn structure(&mut self, i: usize) -> Record {
        let spelling = format!("struct {}_r{i}", self.name);
        let (mut fields, mut text) = (Vec::new(), String::new());
        let (mut plain, mut truth) = (true, false);
        for _ in 0..1 + self.random.below(6) {
            let (name, ty) = (format!("f{}", fields.len()), self.scalar());
            let kind = match self.random.below(9) {
                0..=2 => FieldKind::Scalar(ty.clone()),
                3..=5 => FieldKind::Bits,
                6 => FieldKind::Array(ty.clone(), 1 << self.random.below(4)),
                7 if self.random.one_in(2) => {
                    plain = false;
                    let members = self.overlapping(&mut fields);
                    text += &format!(" union {{{members} }};");
                    continue;
                }
                _ if i > 0 => {
                    let inner = self.random.below(i);
                    plain &= self.records[inner].plain;
                    truth |= self.records[inner].truth;
                    FieldKind::Record(inner)
                }
                _ => FieldKind::Scalar(ty.clone()),
            };
            // A typedef may stand for `_Bool` too.
            truth |= ty.bits == 1;
            text += &self.member(&name, &ty, &kind);
            fields.push(Field { name, kind });
        }
        let packed = self.random.one_in(4);
        let end = if packed { " __attribute__((packed))" } else { "" };
        self.line(&format!("{spelling} {{{text} }}{end};"));
        Record { spelling, fields, plain, truth, packed }
    }

    fn member(&mut self, name: &str, ty: &Scalar, kind: &FieldKind) -> String {
        let of = &ty.name;
        match kind {
            FieldKind::Scalar(_) => format!(" {of} {name};"),
            FieldKind::Bits => {
                // The kernel refuses wider bit-fields of an enumeration in BTF.
                let most = if of.starts_with("enum") { 32 } else { ty.bits };
                let (width, gap) = (1 + self.random.below(most), self.random.below(most));
                let unnamed = if self.random.one_in(8) { format!(" {of} : {gap};") } else { String::new() };
                format!("{unnamed} {of} {name} : {width};")
            }
            FieldKind::Array(_, len) => format!(" {of} {name}[{len}];"),
            FieldKind::Record(r) => format!(" {} {name};", self.records[*r].spelling),
        }
    }

    pub(super) fn globals(&mut self) {
        for i in 0..self.random.below(5) {
            let (name, ty) = (format!("{}_g{i}", self.name), self.scalar());
            let of = ty.name.clone();
            let mut writable = true;
            let kind = match self.random.below(7) {
                0 => {
                    let (value, volatile) = (self.constant(), self.random.one_in(4));
                    let qualifier = if volatile { "volatile " } else { "" };
                    self.line(&format!("static {qualifier}{of} {name} = ({of}){value};"));
                    let kind = VarKind::Scalar(ty);
                    self.globals.push(Var { name, kind, writable, volatile });
                    continue;
                }
                1 => {
                    writable = false;
                    let values = self.constants(&of, 8);
                    self.line(&format!("static const {of} {name}[8] = {{ {values} }};"));
                    VarKind::Array(ty, 8)
                }
                2 => {
                    let values = self.constants(&of, 3);
                    self.line(&format!("static {of} {name}[8] = {{ {values} }};"));
                    VarKind::Array(ty, 8)
                }
                3 => {
                    let (first, second) = (self.constants(&of, 4), self.constants(&of, 2));
                    self.line(&format!(
                        "static {of} {name}[4][4] = {{ {{ {first} }}, [2] = {{ {second} }} }};"
                    ));
                    VarKind::Grid(4, 4)
                }
                4 => {
                    writable = false;
                    self.line(&format!("static const char {name}[8] = \"skep{i}\\xff\";"));
                    VarKind::Array(Scalar { name: "char".to_string(), bits: 8 }, 8)
                }
                5 => {
                    let r = self.random.below(self.records.len());
                    let init = self.static_initializer(r);
                    let init = if init.is_empty() { init } else { format!(" = {{ [1] {init} }}") };
                    self.line(&format!("static {} {name}[2]{init};", self.records[r].spelling));
                    VarKind::Records(r, 2)
                }
                _ => {
                    let r = self.random.below(self.records.len());
                    let init = self.static_initializer(r);
                    self.line(&format!("static {} {name}{init};", self.records[r].spelling));
                    VarKind::Record(r)
                }
            };
            self.globals.push(Var::new(name, kind, writable));
        }
    }

    fn constants(&mut self, of: &str, count: usize) -> String {
        let values: Vec<String> = (0..count).map(|_| format!("({of}){}", self.constant())).collect();
        values.join(", ")
    }

    /// ` = {...}`, or nothing for what an initialiser would leave undefined.
    fn static_initializer(&mut self, r: usize) -> String {
        if self.records[r].plain { format!(" = {}", self.initializer(r)) } else { String::new() }
    }

    /// A constant initialiser of a plain record, with or without designators.
    pub(super) fn initializer(&mut self, r: usize) -> String {
        let fields = self.records[r].fields.clone();
        let designated = self.random.one_in(2);
        let mut items = Vec::new();
        for field in &fields {
            if designated && self.random.one_in(3) {
                continue;
            }
            let value = match field.kind {
                FieldKind::Scalar(_) | FieldKind::Bits => self.constant(),
                FieldKind::Array(..) => format!("{{ {}, }}", self.constant()),
                FieldKind::Record(inner) => self.initializer(inner),
            };
            items.push(if designated { format!(".{} = {value}", field.name) } else { value });
        }
        format!("{{ {} }}", items.join(", "))
    }

    pub(super) fn constant(&mut self) -> String {
        if !self.enumerators.is_empty() && self.random.one_in(12) {
            return self.random.pick(&self.enumerators).clone();
        }
        match self.random.below(5) {
            0 => format!("{}", self.random.below(100)),
            1 => format!("{}u", self.random.interesting() as u32),
            2 => format!("(-{})", self.random.below(1000)),
            3 => format!("'{}'", self.random.pick(&["a", "\\n", "\\xff", "\\0", "Z"])),
            _ => format!("{}ull", self.random.interesting()),
        }
    }

    /// The bits of one of the usual types.
    pub(super) fn bits(ty: &str) -> usize {
        SCALARS.iter().find(|(name, _)| *name == ty).map_or(64, |(_, bits)| *bits)
    }
}

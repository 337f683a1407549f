//! Functions of a random program: helpers that it calls, and the one that is called from outside.

use super::{FieldKind, Generator, Helper, Param, Var, VarKind};

impl Generator {
    /// A function that changes nothing but its locals and what its pointers point to.
    pub(super) fn helper(&mut self) {
        let name = format!("{}_h{}", self.name, self.helpers.len());
        let (mut params, mut list) = (Vec::new(), Vec::new());
        self.vars = self.globals.iter().map(|v| Var { writable: false, ..v.clone() }).collect();
        for i in 0..1 + self.random.below(4) {
            let (param, text, kind) = self.parameter(&format!("p{i}"));
            let writable = !matches!(kind, VarKind::Slice(..));
            params.push(param);
            list.push(text);
            self.vars.push(Var::new(format!("p{i}"), kind, writable));
        }
        let ret = self.random.one_in(3).then(|| self.random.below(self.records.len()));
        let result = match ret {
            Some(r) => self.records[r].spelling.clone(),
            None => self.scalar().name,
        };
        // Only what fits registers can be passed without inlining.
        let simple = ret.is_none() && params.iter().all(|param| !matches!(param, Param::Record(_)));
        let attribute = match self.random.below(5) {
            0 | 1 if simple => "__attribute__((noinline)) ",
            2 => "inline __attribute__((always_inline)) ",
            _ => "",
        };
        self.line(&format!("static {attribute}{result} {name}({})", list.join(", ")));
        self.line("{");
        self.indent = 1;
        self.budget = 12;
        self.locals(2);
        let local = ret.map(|r| self.local_record(r));
        self.statements(3);
        if local.is_none() && self.random.one_in(4) {
            let (cond, value) = (self.condition(1), self.expr(1));
            self.line(&format!("if ({cond}) return {value};"));
            self.statements(2);
        }
        let value = local.unwrap_or_else(|| self.expr(2));
        self.line(&format!("return {value};"));
        self.indent = 0;
        self.line("}");
        self.helpers.push(Helper { name, params, ret });
    }

    fn parameter(&mut self, name: &str) -> (Param, String, VarKind) {
        let r = self.random.below(self.records.len());
        let record = self.records[r].spelling.clone();
        let ty = self.scalar();
        match self.random.below(6) {
            0 => (Param::Record(r), format!("{record} {name}"), VarKind::Record(r)),
            1 => (Param::Pointer(r), format!("{record} *{name}"), VarKind::Pointer(r)),
            2 => (Param::Slice(ty.clone(), 4), format!("const {} *{name}", ty.name), VarKind::Slice(ty, 4)),
            _ => (Param::Scalar(ty.clone()), format!("{} {name}", ty.name), VarKind::Scalar(ty)),
        }
    }

    pub(super) fn entry(&mut self) {
        self.vars = self.globals.clone();
        for name in ["a", "b"] {
            let ty = super::Scalar { name: "u64".to_string(), bits: 64 };
            self.vars.push(Var::new(name, VarKind::Scalar(ty), true));
        }
        let name = self.name.clone();
        self.line(&format!("u64 {name}(u64 a, u64 b)"));
        self.line("{");
        self.indent = 1;
        self.budget = 40;
        if self.random.one_in(6) {
            let (ty, name, value) = (self.scalar(), self.name("kept"), self.constant());
            self.line(&format!("static {} {name} = {value};", ty.name));
            self.vars.push(Var::new(name, VarKind::Scalar(ty), true));
        }
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
            VarKind::Scalar(_) => self.line(&format!("sum = sum * 31 + (u64){name};")),
            VarKind::Array(_, len) => {
                self.line(&format!("for (u32 i = 0; i < {len}; i++) sum = sum * 31 + (u64){name}[i];"));
            }
            VarKind::Grid(rows, columns) => self.line(&format!(
                "for (u32 i = 0; i < {rows}; i++) for (u32 j = 0; j < {columns}; j++) \
                 sum = sum * 31 + (u64){name}[i][j];"
            )),
            VarKind::Records(r, len) => {
                for i in 0..*len {
                    self.checksum(&format!("{name}[{i}]"), &VarKind::Record(*r));
                }
            }
            VarKind::Record(r) => {
                for field in self.records[*r].fields.clone() {
                    let name = format!("{name}.{}", field.name);
                    match field.kind {
                        FieldKind::Scalar(_) | FieldKind::Bits => {
                            self.line(&format!("sum = sum * 31 + (u64){name};"));
                        }
                        FieldKind::Array(of, len) => self.checksum(&name, &VarKind::Array(of, len)),
                        FieldKind::Record(inner) => self.checksum(&name, &VarKind::Record(inner)),
                    }
                }
            }
            VarKind::Pointer(_) => {}
            VarKind::Ref | VarKind::Slice(..) => self.line(&format!("sum = sum * 31 + (u64)*{name};")),
        }
    }

    pub(super) fn locals(&mut self, count: usize) {
        for _ in 0..1 + self.random.below(count) {
            self.local();
        }
    }

    fn local(&mut self) {
        let (ty, name) = (self.scalar(), self.name("v"));
        let of = ty.name.clone();
        let mut var = Var::new(name.clone(), VarKind::Scalar(ty.clone()), true);
        match self.random.below(13) {
            0 => {
                let len = 1 << (1 + self.random.below(3));
                let (first, second) = (self.expr(1), self.constant());
                self.line(&format!("{of} {name}[{len}] = {{ {first}, [1] = {second} }};"));
                var.kind = VarKind::Array(ty, len);
            }
            1 => {
                let (first, second) = (self.expr(1), self.expr(1));
                self.line(&format!("{of} {name}[2][4] = {{ {{ {first} }}, {{ 1, {second}, }} }};"));
                var.kind = VarKind::Grid(2, 4);
            }
            2 | 3 => {
                let r = self.random.below(self.records.len());
                self.local_record(r);
                return;
            }
            4 => {
                let r = self.random.below(self.records.len());
                let target = self.local_record(r);
                self.line(&format!("{} *{name} = &{target};", self.records[r].spelling));
                var.kind = VarKind::Pointer(r);
            }
            5 => {
                let value = self.expr(1);
                self.line(&format!("volatile {of} {name} = {value};"));
                var.volatile = true;
            }
            6 => return self.reference(name),
            7 => return self.slice(name),
            8 => {
                self.line(&format!("char {name}[8] = \"bytes\";"));
                var.kind = VarKind::Array(super::Scalar { name: "char".to_string(), bits: 8 }, 8);
            }
            _ => {
                let value = self.expr(2);
                self.line(&format!("{of} {name} = {value};"));
            }
        }
        self.vars.push(var);
    }

    /// A pointer to one of the integers in scope, or to one of two of the same type.
    fn reference(&mut self, name: String) {
        let found: Vec<(String, super::Scalar)> = self
            .vars
            .iter()
            .filter(|var| var.writable && !var.volatile)
            .flat_map(|var| match &var.kind {
                VarKind::Scalar(ty) => vec![(var.name.clone(), ty.clone())],
                VarKind::Record(r) if !self.records[*r].packed => {
                    let scalar = |field: &super::Field| match &field.kind {
                        FieldKind::Scalar(ty) => Some((format!("{}.{}", var.name, field.name), ty.clone())),
                        FieldKind::Bits | FieldKind::Array(..) | FieldKind::Record(_) => None,
                    };
                    self.records[*r].fields.iter().filter_map(scalar).collect()
                }
                _ => Vec::new(),
            })
            .collect();
        if found.is_empty() {
            return;
        }
        let (target, ty) = self.random.pick(&found).clone();
        let same: Vec<String> = found.into_iter().filter(|(_, of)| *of == ty).map(|(name, _)| name).collect();
        let other = self.random.pick(&same).clone();
        let value = if self.random.one_in(3) {
            format!("{} ? &{target} : &{other}", self.operand(1))
        } else {
            format!("&{target}")
        };
        self.line(&format!("{} *{name} = {value};", ty.name));
        self.vars.push(Var::new(name, VarKind::Ref, true));
    }

    /// A pointer into an array.
    fn slice(&mut self, name: String) {
        let Some(array) = self.pick_var(|var| matches!(var.kind, VarKind::Array(..))) else { return };
        let VarKind::Array(ty, len) = array.kind else { return };
        let visible = 1 << self.random.below(len.ilog2() as usize + 1);
        let start = self.random.below(len - visible + 1);
        let qualifier = if array.writable { "" } else { "const " };
        self.line(&format!("{qualifier}{} *{name} = {} + {start};", ty.name, array.name));
        self.vars.push(Var::new(name, VarKind::Slice(ty, visible), array.writable));
    }

    pub(super) fn local_record(&mut self, r: usize) -> String {
        let name = self.name("rec");
        let record = self.records[r].clone();
        let (spelling, others) = (record.spelling, self.records_in_scope(r));
        if !others.is_empty() && self.random.one_in(3) {
            let from = self.random.pick(&others).clone();
            self.line(&format!("{spelling} {name} = {from};"));
        } else if !record.plain || self.random.one_in(4) {
            self.line(&format!("{spelling} {name};"));
            let byte = if record.truth { self.random.below(2) } else { self.random.below(256) };
            self.line(&format!("__builtin_memset(&{name}, {byte}, sizeof({name}));"));
        } else {
            let init = self.initializer(r);
            self.line(&format!("{spelling} {name} = {init};"));
        }
        self.vars.push(Var::new(name.clone(), VarKind::Record(r), true));
        name
    }
}

//! Statements of a random program. Every loop ends: its counter is not written in its body.

use std::collections::BTreeSet;

use super::{Generator, SCALARS, Var, VarKind, WIDE};

impl Generator {
    pub(super) fn statements(&mut self, count: usize) {
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
        match self.random.below(24) {
            0..=4 => self.assignment(),
            5 | 6 => self.compound(),
            7 => {
                if let Some(place) = self.lvalue() {
                    let op = *self.random.pick(&["++", "--"]);
                    let before = self.random.one_in(2);
                    self.line(&if before { format!("{op}{place};") } else { format!("{place}{op};") });
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
                let (label, cond) = (self.name("out"), self.condition(1));
                self.line(&format!("if ({cond}) goto {label};"));
                self.statements(2);
                self.line(&format!("{label}:;"));
            }
            17 => self.sequence(),
            18 => self.sparse_switch(),
            19 => self.bytes(),
            20 => self.walk(),
            21 => self.repoint(),
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

    /// Assignments whose values are used; what is written twice is written in sequence.
    fn sequence(&mut self) {
        let Some(target) = self.scalar_variable() else { return };
        let Some(place) = self.unshared(&target) else { return };
        let (value, other) = (self.expr(2), self.expr(1));
        let op = *self.random.pick(&["+", "-", "^", "|", "*"]);
        let text = match self.random.below(6) {
            0 => format!("{target} = {place}++;"),
            1 => format!("{target} = --{place};"),
            2 => format!("{target} = ({place} {op}= {value});"),
            3 => format!("{target} = {place} = {value};"),
            4 => format!("({}) && ({place} {op}= {value});", self.condition(1)),
            _ => format!("{target} = ({place} {op}= {value}, {other});"),
        };
        self.line(&text);
    }

    fn loop_statement(&mut self) {
        self.loops += 1;
        let (i, n) = (self.name("i"), 1 + self.random.below(7));
        let vars = self.vars.len();
        // The body may read the counter.
        let ty = super::Scalar { name: "u32".to_string(), bits: 32 };
        self.line("{");
        match self.random.below(8) {
            0 | 1 => {
                let (of, _) = SCALARS[self.random.below(8)];
                self.vars.push(Var::new(i.clone(), VarKind::Scalar(ty), false));
                self.block(&format!("for ({of} {i} = 0; {i} < {n}; {i}++)"));
            }
            2 => {
                self.line(&format!("s32 {i} = {n};"));
                let cond = self.condition(1);
                self.block(&format!("while ({i}-- > 0 && ({cond}))"));
            }
            3 => {
                let of = *self.random.pick(&["s8", "s16", "s32", "s64"]);
                let step = 1 + self.random.below(3);
                self.vars.push(Var::new(i.clone(), VarKind::Scalar(ty), false));
                self.block(&format!("for ({of} {i} = {n}; {i} >= -2; {i} -= {step})"));
            }
            4 => {
                let (of, bound) = (SCALARS[self.random.below(8)].0, self.expr(1));
                self.vars.push(Var::new(i.clone(), VarKind::Scalar(ty), false));
                self.block(&format!("for ({of} {i} = 0; {i} < (({bound}) & 7); {i}++)"));
            }
            5 => {
                let (again, cond) = (self.name("again"), self.condition(1));
                self.line(&format!("u32 {i} = 0; {again}:;"));
                let around = std::mem::replace(&mut self.loops, 2);
                // No `break`: this is no loop to the compiler's parser.
                self.jump_block();
                self.loops = around;
                self.line(&format!("if ({i}++ < {n} && ({cond})) goto {again};"));
            }
            6 => {
                let value = self.expr(1);
                self.line(&format!("u32 {i} = 0; switch (({value}) & 3) {{ case 0: do {{"));
                self.block("");
                self.line("case 1:");
                self.block("");
                self.line("default:");
                self.block("");
                self.line(&format!("}} while (++{i} < {n}); }}"));
            }
            _ => {
                self.line(&format!("s64 {i} = 0;"));
                self.block("do");
                self.line(&format!("while (++{i} < {n});"));
            }
        }
        self.line("}");
        self.vars.truncate(vars);
        self.loops -= 1;
    }

    /// Statements that stay where they are.
    fn jump_block(&mut self) {
        self.line("{");
        for _ in 0..1 + self.random.below(2) {
            if self.random.one_in(2) { self.assignment() } else { self.compound() }
        }
        self.line("}");
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

    /// A switch over numbers far from each other.
    fn sparse_switch(&mut self) {
        let ty = *self.random.pick(&WIDE);
        let count = 1 + self.random.below(9);
        let spread = |bits: u64| if ty.ends_with("32") { bits & 0xffff_ffff } else { bits };
        let values: BTreeSet<u64> = (0..count).map(|_| spread(self.random.interesting())).collect();
        let mut values: Vec<u64> = values.into_iter().collect();
        let (usual, hit) = (self.expr(2), *self.random.pick(&values));
        let cond = self.condition(1);
        self.line(&format!("switch (({ty})(({cond}) ? {hit}ull : ({usual}))) {{"));
        let loops = std::mem::replace(&mut self.loops, 0);
        // The order of the cases is not that of their values.
        let rotation = self.random.below(values.len());
        values.rotate_left(rotation);
        for value in values {
            self.line(&format!("case ({ty}){value}ull:"));
            if self.random.one_in(5) {
                continue;
            }
            self.assignment();
            if !self.random.one_in(4) {
                self.line("break;");
            }
        }
        self.line("default:");
        self.assignment();
        self.line("}");
        self.loops = loops;
    }

    fn copy(&mut self) {
        let r = self.random.below(self.records.len());
        let fits = |var: &Var| var.writable && matches!(var.kind, VarKind::Record(of) if of == r);
        let (Some(to), Some(from), Some(other)) =
            (self.pick_var(fits), self.pick_record(r), self.pick_record(r))
        else {
            return self.assignment();
        };
        let (to, spelling) = (to.name, self.records[r].spelling.clone());
        let text = match self.random.below(4) {
            0 => format!("__builtin_memmove(&{to}, &({from}), sizeof({spelling}));"),
            1 if self.records[r].plain => format!("{to} = ({spelling}){};", self.initializer(r)),
            2 => format!("{to} = ({}) ? {from} : {other};", self.condition(1)),
            _ => format!("{to} = {from};"),
        };
        self.line(&text);
    }

    /// Changes bytes of integers and arrays.
    fn bytes(&mut self) {
        let Some(var) = self.pick_var(|var| {
            let sized = match &var.kind {
                VarKind::Scalar(ty) => ty.bits >= 8,
                VarKind::Array(ty, len) => ty.bits >= 8 && *len >= 2,
                _ => false,
            };
            sized && var.writable && !var.volatile
        }) else {
            return;
        };
        let (name, value) = (&var.name, self.expr(2));
        let text = match &var.kind {
            VarKind::Array(_, len) => match self.random.below(3) {
                0 => format!("__builtin_memmove({name} + 1, {name}, sizeof({name}[0]) * {});", len - 1),
                1 => format!("__builtin_memmove({name}, {name} + 1, sizeof({name}[0]) * {});", len - 1),
                _ => format!("__builtin_memset({name}, {}, sizeof({name}));", self.random.below(256)),
            },
            _ => format!("((u8 *)&{name})[({value}) & (sizeof({name}) - 1)] ^= {};", self.random.below(256)),
        };
        self.line(&text);
    }

    /// A loop over an array by pointers.
    fn walk(&mut self) {
        let Some(target) = self.scalar_variable() else { return };
        let Some(array) = self.pick_var(|var| matches!(var.kind, VarKind::Array(..))) else { return };
        let VarKind::Array(ty, len) = &array.kind else { return };
        let (name, of, p) = (&array.name, &ty.name, self.name("at"));
        let op = *self.random.pick(&["+", "^", "*", "-"]);
        let test = *self.random.pick(&["<", "!="]);
        let text = match self.random.below(3) {
            0 => format!(
                "for (const {of} *{p} = {name}; {p} {test} {name} + {len}; {p}++) {target} {op}= *{p};"
            ),
            1 => format!("for (const {of} *{p} = {name} + {len}; {p} > {name};) {target} {op}= *--{p};"),
            _ => format!(
                "{{ const {of} *{p} = {name}; u32 n = 0; while (n++ < {len}) {{ {target} = {target} * 3 {op} *{p}++; }} \
                 {target} += {p} - {name}; }}"
            ),
        };
        self.line(&text);
    }

    /// Moves a pointer to another place of an array that lives at least as long.
    fn repoint(&mut self) {
        let Some(slice) = self.pick_var(|var| matches!(var.kind, VarKind::Slice(..)) && var.writable) else {
            return;
        };
        let VarKind::Slice(ty, visible) = &slice.kind else { return };
        let at = self.vars.iter().position(|var| var.name == slice.name).unwrap_or(0);
        let older = self.vars[..at].iter().filter(|var| var.writable);
        let arrays: Vec<(String, usize)> = older
            .filter_map(|var| match &var.kind {
                VarKind::Array(of, len) if of == ty && len >= visible => Some((var.name.clone(), *len)),
                _ => None,
            })
            .collect();
        if arrays.is_empty() {
            return;
        }
        let (array, len) = self.random.pick(&arrays).clone();
        let value = self.expr(1);
        self.line(&format!("{} = {array} + (u32)({value}) % {};", slice.name, len - visible + 1));
    }

    /// A call whose effects on records are sequenced after its arguments.
    fn call_statement(&mut self) {
        if self.helpers.is_empty() {
            return self.assignment();
        }
        let helper = self.random.pick(&self.helpers).clone();
        let Some(call) = self.call(&helper, true) else { return self.assignment() };
        let Some(r) = helper.ret else {
            let target = self.scalar_variable();
            return self.line(&target.map_or(format!("{call};"), |target| format!("{target} = {call};")));
        };
        let (name, record) = (self.name("rec"), self.records[r].clone());
        self.line(&format!("{{ {} {name} = {call};", record.spelling));
        let target = self.scalar_variable();
        let integer = |field: &&super::Field| {
            matches!(field.kind, super::FieldKind::Scalar(_) | super::FieldKind::Bits)
        };
        if let (Some(field), Some(target)) = (record.fields.iter().find(integer), target) {
            self.line(&format!("{target} ^= {name}.{};", field.name));
        }
        self.line("}");
    }

    /// Statements around builtins and unusual types.
    fn special(&mut self) {
        let Some(target) = self.scalar_variable() else { return };
        let (x, y) = (self.expr(2), self.expr(2));
        let count = self.random.below(128);
        let (ty, _) = SCALARS[self.random.below(8)];
        let (from, to) = (*self.random.pick(&WIDE), *self.random.pick(&WIDE));
        let op = *self.random.pick(&["add", "sub", "mul"]);
        let name = self.name("t");
        let text = match self.random.below(11) {
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
                SCALARS[count % 6].0,
                SCALARS[count / 6 % 6].0
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
            7 => format!(
                "{{ {from} {name} = {x}; {target} ^= __sync_val_compare_and_swap(&{name}, ({from})({y}), {count}); \
                 {target} += __sync_lock_test_and_set(&{name}, ({from})({y})); {target} ^= {name}; }}"
            ),
            8 => format!(
                "{{ u64 {name} = {x}; {target} ^= ({name} << {0} | {name} >> {1}) + ((u32){name} >> {2} | (u32){name} << {3}); }}",
                1 + count / 3,
                63 - count / 3,
                1 + count / 5,
                31 - count / 5
            ),
            9 => format!(
                "{{ struct {{ {ty} x : {}; {ty} y; }} {name} = {{ {x}, {y} }}, *q = &{name}; {target} += q->x--; \
                 {target} ^= (q->x += q->y); {target} -= ({name}.y = -q->x); }}",
                1 + count % Generator::bits(ty)
            ),
            _ => format!(
                "{{ {ty} {name}[4] = {{ {x}, 1, {y} }}; {ty} *q = {name} + (({y}) & 1); {target} += *q++; \
                 {target} ^= (q - {name}) + q[1] + (q > &{name}[1]) + *(q - 1); }}"
            ),
        };
        self.line(&text);
    }
}

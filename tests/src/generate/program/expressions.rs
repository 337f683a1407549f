//! Expressions of a random program. They have no effects, but on variables of their own.

use super::{FieldKind, Generator, Helper, Param, SCALARS, Var, VarKind, WIDE};

impl Generator {
    /// An object that may be assigned to.
    pub(super) fn lvalue(&mut self) -> Option<String> {
        let var = self.pick_var(|var| var.writable || matches!(var.kind, VarKind::Pointer(_)))?;
        Some(self.part(&var))
    }

    /// An object that no pointer of the program leads to: it is not changed while another is.
    pub(super) fn unshared(&mut self, except: &str) -> Option<String> {
        let var = self.pick_var(|var| var.writable && !var.is_pointer() && var.name != except)?;
        Some(self.part(&var))
    }

    /// A scalar part of an object.
    fn part(&mut self, var: &Var) -> String {
        let name = &var.name;
        match &var.kind {
            VarKind::Scalar(_) => name.clone(),
            VarKind::Array(_, len) | VarKind::Slice(_, len) => {
                let index = self.index(*len);
                if self.random.one_in(6) {
                    format!("(*({name} + ({index})))")
                } else {
                    format!("{name}[{index}]")
                }
            }
            VarKind::Grid(rows, columns) => {
                let (row, column) = (self.index(*rows), self.index(*columns));
                format!("{name}[{row}][{column}]")
            }
            VarKind::Record(r) => self.field(name, ".", *r),
            VarKind::Records(r, len) => {
                let index = self.index(*len);
                self.field(&format!("{name}[{index}]"), ".", *r)
            }
            VarKind::Pointer(r) => self.field(name, "->", *r),
            VarKind::Ref => format!("(*{name})"),
        }
    }

    fn field(&mut self, name: &str, access: &str, r: usize) -> String {
        let field = self.random.pick(&self.records[r].fields).clone();
        let name = format!("{name}{access}{}", field.name);
        match field.kind {
            FieldKind::Scalar(_) | FieldKind::Bits => name,
            FieldKind::Array(_, len) => {
                let index = self.index(len);
                format!("{name}[{index}]")
            }
            FieldKind::Record(inner) => self.field(&name, ".", inner),
        }
    }

    fn index(&mut self, len: usize) -> String {
        // An index may hold elements with indexes of their own: somewhere that ends.
        if self.nested == 3 || self.random.one_in(2) {
            return self.random.below(len).to_string();
        }
        self.nested += 1;
        let index = format!("({}) & {}", self.expr(1), len - 1);
        self.nested -= 1;
        index
    }

    fn leaf(&mut self) -> String {
        if self.vars.is_empty() || self.random.one_in(4) {
            return self.constant();
        }
        let var = self.random.pick(&self.vars).clone();
        self.part(&var)
    }

    pub(super) fn condition(&mut self, depth: usize) -> String {
        let op = *self.random.pick(&["==", "!=", "<", "<=", ">", ">="]);
        match self.random.below(7) {
            0 if depth > 0 => {
                let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
                format!("({a}) {} ({b})", self.random.pick(&["&&", "||"]))
            }
            1 if depth > 0 => format!("!({})", self.condition(depth - 1)),
            2 => self.expr(depth),
            3 => {
                // A range, as programs check lengths and ports.
                let (value, ty) = (self.expr(depth.min(1)), *self.random.pick(&WIDE));
                let (low, high) = (self.random.below(40), 40 + self.random.below(4000));
                format!(
                    "({ty})({value}) {} {low} && ({ty})({value}) < {high}",
                    self.random.pick(&[">", ">="])
                )
            }
            _ => format!("{} {op} {}", self.operand(depth), self.operand(depth)),
        }
    }

    pub(super) fn operand(&mut self, depth: usize) -> String {
        format!("({})", self.expr(depth))
    }

    /// An integer expression without effects.
    pub(super) fn expr(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(5) {
            return self.leaf();
        }
        let d = depth - 1;
        match self.random.below(19) {
            0..=4 => {
                let op = *self.random.pick(&["+", "-", "*", "&", "|", "^"]);
                format!("{} {op} {}", self.operand(d), self.operand(d))
            }
            5 => {
                let ty = *self.random.pick(&WIDE);
                let (op, mask) = (*self.random.pick(&["<<", ">>"]), Generator::bits(ty) - 1);
                format!("(({ty}){} {op} ({} & {mask}))", self.operand(d), self.operand(d))
            }
            6 => self.division(d),
            7 | 8 => format!("({}){}", self.scalar().name, self.operand(d)),
            9 => format!("{}{}", self.random.pick(&["-", "~", "!"]), self.operand(d)),
            10 => format!("({} ? {} : {})", self.condition(d), self.operand(d), self.operand(d)),
            11 => format!("({} ?: {})", self.operand(d), self.operand(d)),
            12 => format!("({})", self.condition(d)),
            13 => {
                let (mut ty, name) = (self.scalar().name, self.name("e"));
                let (mut first, second) = (self.operand(d), self.operand(d));
                if self.random.one_in(4) {
                    // Not of a bit-field itself.
                    (ty, first) = ("__auto_type".to_string(), format!("+{first}"));
                }
                format!("({{ {ty} {name} = {first}; {name} ^= {second}; {name}; }})")
            }
            14 => {
                // Shifts of what is promoted, by less than its size.
                let (ty, bits) = SCALARS[self.random.below(4)];
                let op = *self.random.pick(&["<<", ">>"]);
                format!("(({ty}){} {op} ({} & {}))", self.operand(d), self.operand(d), bits - 1)
            }
            15 => self.type_of(d),
            16 => self.view(),
            _ => self.pure_call().unwrap_or_else(|| self.leaf()),
        }
    }

    /// Quotients and remainders that are defined: no zero, no smallest number by minus one.
    fn division(&mut self, depth: usize) -> String {
        let op = *self.random.pick(&["/", "%"]);
        let (left, right) = (self.operand(depth), self.operand(depth));
        let ty = *self.random.pick(&WIDE);
        match self.random.below(4) {
            0 => {
                let divisor =
                    *self.random.pick(&["-7", "3", "10", "-2", "64", "1000", "0x80000000", "-100000"]);
                format!("(({ty}){left} {op} ({divisor}))")
            }
            1 => {
                let ty = *self.random.pick(&["s32", "s64"]);
                format!("(({ty}){left} {op} ((s32)({right} & 0xff) - 300))")
            }
            2 => format!("(({ty}){left} {op} ((({ty}){right} & 0x7fffffff) | 1))"),
            _ => {
                let ty = *self.random.pick(&["u8", "u16"]);
                format!("{left} {op} (({ty}){right} + 1)")
            }
        }
    }

    /// What depends on the type of an expression.
    fn type_of(&mut self, depth: usize) -> String {
        let (left, right) = (self.operand(depth), self.operand(depth));
        let op = *self.random.pick(&["+", "&", "<<", "<", "*"]);
        match self.random.below(3) {
            0 => format!("sizeof({left} {op} {right})"),
            1 => format!(
                "_Generic({left} {op} {right}, int: 3, unsigned int: 5, long: 7, unsigned long: 11, \
                 long long: 13, unsigned long long: 17, default: 19)"
            ),
            _ => format!("(__typeof__({left} + 0)){right}"),
        }
    }

    /// A part of the bytes of integers and arrays.
    fn view(&mut self) -> String {
        let sized = |var: &Var| matches!(var.kind, VarKind::Scalar(_) | VarKind::Array(..));
        let Some(var) = self.pick_var(|var| !var.volatile && sized(var)) else { return self.leaf() };
        let (name, byte) = (&var.name, self.operand(1));
        match &var.kind {
            VarKind::Array(ty, len) if ty.bits >= 8 && ty.bits / 8 * len >= 8 => {
                let space = ty.bits / 8 * len;
                let (from, to) = (*self.random.pick(&WIDE), self.name("w"));
                let at = self.random.below(space - Generator::bits(from) / 8 + 1);
                if self.random.one_in(3) {
                    let other = self.random.below(space - 3);
                    return format!(
                        "(__builtin_memcmp((u8 *){name} + {at}, (u8 *){name} + {other}, {}) > 0)",
                        1 + self.random.below(space - at.max(other))
                    );
                }
                format!(
                    "({{ {from} {to}; __builtin_memcpy(&{to}, (u8 *){name} + {at}, sizeof {to}); {to}; }})"
                )
            }
            _ => format!("((u8 *)&{name})[{byte} & (sizeof({name}) - 1)]"),
        }
    }

    fn pure_call(&mut self) -> Option<String> {
        let pure: Vec<Helper> = self.helpers.iter().filter(|h| h.ret.is_none()).cloned().collect();
        if pure.is_empty() {
            return None;
        }
        let helper = self.random.pick(&pure).clone();
        self.call(&helper, false)
    }

    /// The text of a call; `effects` allows pointers to what it may change.
    pub(super) fn call(&mut self, helper: &Helper, effects: bool) -> Option<String> {
        let mut args = Vec::new();
        for param in &helper.params {
            args.push(match param {
                Param::Scalar(ty) => format!("({})({})", ty.name, self.expr(1)),
                Param::Record(r) => self.pick_record(*r)?,
                Param::Pointer(_) if !effects => return None,
                Param::Pointer(r) => {
                    let var = self.pick_var(|var| match var.kind {
                        VarKind::Record(of) => var.writable && of == *r,
                        VarKind::Pointer(of) => of == *r,
                        _ => false,
                    })?;
                    if var.is_pointer() { var.name } else { format!("&{}", var.name) }
                }
                Param::Slice(ty, wanted) => {
                    let var = self.pick_var(|var| match &var.kind {
                        VarKind::Array(of, len) | VarKind::Slice(of, len) => of == ty && len >= wanted,
                        _ => false,
                    })?;
                    var.name
                }
            });
        }
        Some(format!("{}({})", helper.name, args.join(", ")))
    }
}

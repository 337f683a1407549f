//! Types as C declarations, in an order in which C accepts them.
//!
//! In: a [`Btf`]. Out: the text of a header, as `bpftool btf dump format c` writes it. Whatever a
//! declaration needs comes before it: the full definition if a value of the type is contained,
//! `struct name;` if there is only a pointer to it. Padding that C would not insert by itself is
//! written out as unnamed bit-fields, so the compiled types have the recorded offsets and sizes.
//!
//! Names that several types have get a suffix from the second on (`name___2`), which CO-RE
//! ignores.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::*;

/// Nesting of types beyond which a file counts as malformed; no compiler makes half of it.
const MAX_DEPTH: usize = 200;

/// A typedef that every compiler predefines: its target is written in its place.
const VA_LIST: &str = "__builtin_va_list";

/// Text before and after the types of a whole `vmlinux.h`.
const PROLOGUE: &str = "\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

";
const EPILOGUE: &str = "\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
";

/// All types as a complete header for CO-RE programs.
pub fn header(btf: &Btf) -> String {
    let mut printer = Printer::new(btf);
    printer.out.push_str(PROLOGUE);
    btf.ids().for_each(|id| printer.top_level(id));
    printer.out.push_str(EPILOGUE);
    printer.out
}

/// These types and all that they need, without header guards.
pub fn types(btf: &Btf, ids: &[TypeId]) -> String {
    let mut printer = Printer::new(btf);
    ids.iter().for_each(|&id| printer.top_level(id));
    printer.out
}

/// A declaration of `name` with this type, such as `struct sock *sk` or `int (*fn)(void)`.
pub fn declaration(btf: &Btf, id: TypeId, name: &str) -> String {
    Printer::new(btf).declare(id, name.into(), 0, 0)
}

/// The same inside of something that is indented `level` tabs, and without `const`, `volatile` and
/// `restrict`: for whoever shares memory with a program and may write what the program may not.
pub fn plain_declaration(btf: &Btf, id: TypeId, name: &str, level: usize) -> String {
    let mut printer = Printer::new(btf);
    printer.plain = true;
    printer.declare(id, name.into(), level, 0)
}

/// How much of a type has been written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    /// `struct name;`
    Announced,
    /// Being written: what it contains comes first.
    InProgress,
    /// `struct name;` was needed and written while it was in progress.
    InProgressAnnounced,
    Defined,
}

struct Printer<'a> {
    btf: &'a Btf,
    out: String,
    state: Vec<State>,
    /// Final names of types whose own name was taken.
    renamed: BTreeMap<TypeId, String>,
    named: Vec<bool>,
    /// How often a name was used: tags of structures, and all other identifiers.
    tags: BTreeMap<&'a str, u32>,
    identifiers: BTreeMap<String, u32>,
    /// Anonymous enumerations that some other type contains: written there, not on their own.
    contained: Vec<bool>,
    /// Bodies of anonymous types that may still be written. They are written wherever they are
    /// used, so a malformed file of a few lines could ask for any amount of text.
    fuel: u32,
    /// Leave qualifiers out.
    plain: bool,
}

impl<'a> Printer<'a> {
    fn new(btf: &'a Btf) -> Printer<'a> {
        let count = btf.len() as usize;
        let mut contained = alloc::vec![false; count];
        let mut mark = |id: TypeId| {
            if let Some(slot) = contained.get_mut(id.index()) {
                *slot = true;
            }
        };
        for id in btf.ids() {
            match btf.kind(id) {
                Some(Kind::Struct | Kind::Union) => btf.members(id).for_each(|m| mark(m.ty)),
                Some(Kind::FuncProto) => {
                    if let Some(Type::FuncProto { ret, params }) = btf.ty(id) {
                        mark(ret);
                        params.iter().for_each(|param| mark(param.ty));
                    }
                }
                _ => {
                    if let Some(target) = btf.target(id) {
                        mark(target);
                    }
                }
            }
        }
        Printer {
            btf,
            out: String::new(),
            state: alloc::vec![State::Nothing; count],
            renamed: BTreeMap::new(),
            named: alloc::vec![false; count],
            tags: BTreeMap::new(),
            identifiers: BTreeMap::new(),
            contained,
            fuel: btf.len().saturating_mul(4),
            plain: false,
        }
    }

    fn state(&self, id: TypeId) -> State {
        self.state.get(id.index()).copied().unwrap_or(State::Defined)
    }

    fn set(&mut self, id: TypeId, state: State) {
        if let Some(slot) = self.state.get_mut(id.index()) {
            *slot = state;
        }
    }

    fn top_level(&mut self, id: TypeId) {
        match self.btf.kind(id) {
            Some(Kind::Struct | Kind::Union | Kind::Fwd) if self.btf.name(id).is_empty() => {}
            Some(Kind::Enum | Kind::Enum64) if self.btf.name(id).is_empty() => {
                let contained = self.contained.get(id.index()).copied().unwrap_or(true);
                if !contained {
                    let text = self.enumeration(id, 0);
                    self.write(&format!("{text};\n\n"));
                }
            }
            Some(Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef | Kind::Fwd) => {
                self.need(id, true, 0)
            }
            _ => {}
        }
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Writes what a use of `id` needs: its definition if `complete`, else that its name is known.
    fn need(&mut self, id: TypeId, complete: bool, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let btf = self.btf;
        let Some(kind) = btf.kind(id) else { return };
        let named = !btf.name(id).is_empty();
        match kind {
            Kind::Void | Kind::Int | Kind::Float => {}
            Kind::Ptr => self.need_target(id, false, depth),
            Kind::Array => self.need_target(id, true, depth),
            Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag => {
                self.need_target(id, complete, depth);
            }
            Kind::FuncProto => {
                self.need_target(id, false, depth);
                if let Some(Type::FuncProto { params, .. }) = btf.ty(id) {
                    params.iter().for_each(|param| self.need(param.ty, false, depth + 1));
                }
            }
            Kind::Struct | Kind::Union if !named => {
                if self.state(id) == State::Nothing {
                    self.set(id, State::InProgress);
                    self.need_members(id, TypeId::VOID, depth);
                    self.set(id, State::Defined);
                }
            }
            Kind::Struct | Kind::Union if complete => self.define(id, depth),
            Kind::Struct | Kind::Union | Kind::Fwd => self.announce(id),
            Kind::Enum | Kind::Enum64 => {
                if named && self.state(id) == State::Nothing {
                    self.set(id, State::Defined);
                    let text = self.enumeration(id, 0);
                    self.write(&format!("{text};\n\n"));
                }
            }
            Kind::Typedef => self.typedef(id, complete, depth),
            Kind::Func | Kind::Var | Kind::Datasec | Kind::DeclTag => {}
        }
    }

    fn need_target(&mut self, id: TypeId, complete: bool, depth: usize) {
        if let Some(target) = self.btf.target(id) {
            self.need(target, complete, depth + 1);
        }
    }

    /// What the members of `id` need; pointers straight to `owner` need nothing.
    fn need_members(&mut self, id: TypeId, owner: TypeId, depth: usize) {
        let btf = self.btf;
        for member in btf.members(id) {
            if owner == TypeId::VOID || !self.points_to(member.ty, owner) {
                self.need(member.ty, true, depth + 1);
            }
        }
    }

    fn announce(&mut self, id: TypeId) {
        let next = match self.state(id) {
            State::Nothing => State::Announced,
            State::InProgress => State::InProgressAnnounced,
            State::Announced | State::InProgressAnnounced | State::Defined => return,
        };
        self.set(id, next);
        let text = format!("{} {};\n\n", self.keyword(id), self.tag(id));
        self.write(&text);
    }

    fn define(&mut self, id: TypeId, depth: usize) {
        if !matches!(self.state(id), State::Nothing | State::Announced) {
            return;
        }
        // A structure that its own members mention by pointer must be announced only if the
        // mention is outside of it, in the typedef or definition of another type.
        let announced = self.state(id) == State::Announced;
        self.set(id, if announced { State::InProgressAnnounced } else { State::InProgress });
        self.need_members(id, id, depth);
        let body = self.body(id, 0, depth);
        let text = format!("{} {} {body};\n\n", self.keyword(id), self.tag(id));
        self.write(&text);
        self.set(id, State::Defined);
    }

    fn points_to(&self, mut from: TypeId, to: TypeId) -> bool {
        for _ in 0..8 {
            match self.btf.kind(from) {
                Some(Kind::Ptr | Kind::Const | Kind::Volatile) => {}
                _ => break,
            }
            from = self.btf.target(from).unwrap_or_default();
        }
        from == to
    }

    fn typedef(&mut self, id: TypeId, complete: bool, depth: usize) {
        let Some(target) = self.btf.target(id) else { return };
        if self.state(id) == State::Nothing {
            self.set(id, State::InProgress);
            self.need(target, false, depth + 1);
            if self.btf.name(id) != VA_LIST {
                let name = self.tag(id).into_owned();
                let text = format!("typedef {};\n\n", self.declare(target, name, 0, depth));
                self.write(&text);
            }
            self.set(id, State::Defined);
        }
        if complete {
            self.need(target, true, depth + 1);
        }
    }

    fn keyword(&self, id: TypeId) -> &'static str {
        match self.btf.kind(id) {
            Some(Kind::Union) => "union",
            Some(Kind::Enum | Kind::Enum64) => "enum",
            Some(Kind::Fwd) => match self.btf.ty(id) {
                Some(Type::Fwd { union: true, .. }) => "union",
                _ => "struct",
            },
            _ => "struct",
        }
    }

    /// The name of a type in the output, chosen when it is first used.
    fn tag(&mut self, id: TypeId) -> Cow<'a, str> {
        let name = self.btf.name(id);
        let kind = self.btf.kind(id);
        if kind == Some(Kind::Fwd) {
            return name.into();
        }
        if !self.named.get(id.index()).copied().unwrap_or(true) {
            self.named[id.index()] = true;
            let count = if kind == Some(Kind::Typedef) {
                count_use(&mut self.identifiers, name)
            } else {
                let count = self.tags.entry(name).or_insert(0);
                *count += 1;
                *count
            };
            if count > 1 {
                self.renamed.insert(id, format!("{name}___{count}"));
            }
        }
        match self.renamed.get(&id) {
            Some(renamed) => renamed.clone().into(),
            None => name.into(),
        }
    }

    /// A declaration of `inner` with type `id`; C reads from the inside out, so each step wraps.
    fn declare(&mut self, id: TypeId, mut inner: String, level: usize, depth: usize) -> String {
        let btf = self.btf;
        let mut id = id;
        let mut qualifiers = String::new();
        for _ in 0..MAX_DEPTH {
            let Some(ty) = btf.ty(id) else { break };
            match ty {
                Type::Const(target) | Type::Volatile(target) | Type::Restrict(target) if self.plain => {
                    id = target;
                }
                Type::Const(target) => {
                    qualify(&mut qualifiers, "const ");
                    id = target;
                }
                Type::Volatile(target) => {
                    qualify(&mut qualifiers, "volatile ");
                    id = target;
                }
                Type::Restrict(target) => {
                    qualify(&mut qualifiers, "restrict ");
                    id = target;
                }
                // The attribute is written by programs that want it; headers do without.
                Type::TypeTag { ty, .. } => id = ty,
                // The kernel's compiler and BPF's mean different types by this name.
                Type::Typedef { name: VA_LIST, ty } => id = ty,
                Type::Ptr(target) => {
                    let tail = core::mem::take(&mut qualifiers);
                    let space = if tail.is_empty() { "" } else { " " };
                    inner = if inner.is_empty() {
                        format!("*{space}{}", tail.trim_end())
                    } else {
                        format!("*{space}{tail}{inner}")
                    };
                    id = target;
                }
                Type::Array { elem, count, .. } => {
                    inner = format!("{}[{count}]", parenthesised(inner));
                    id = elem;
                }
                Type::FuncProto { ret, params } => {
                    let params = self.parameters(&params, level, depth);
                    inner = format!("{}({params})", parenthesised(inner));
                    id = ret;
                }
                _ => break,
            }
        }
        let base = self.base_type(id, level, depth);
        let space = if inner.is_empty() { "" } else { " " };
        format!("{qualifiers}{base}{space}{inner}")
    }

    fn parameters(&mut self, params: &[Param<'a>], level: usize, depth: usize) -> String {
        if depth > MAX_DEPTH {
            return String::new();
        }
        let mut text = String::new();
        for (n, param) in params.iter().enumerate() {
            if n > 0 {
                text.push_str(", ");
            }
            if param.is_ellipsis() && n + 1 == params.len() {
                // `f(...)` alone is not C: a function without prototype has no parameters.
                text.push_str(if n == 0 { "" } else { "..." });
            } else {
                text.push_str(&self.declare(param.ty, param.name.into(), level, depth + 1));
            }
        }
        if params.is_empty() { "void".into() } else { text }
    }

    /// What stands before the declarator: a name, or the body of an anonymous type.
    fn base_type(&mut self, id: TypeId, level: usize, depth: usize) -> String {
        let name = self.btf.name(id);
        match self.btf.kind(id) {
            None | Some(Kind::Void) => "void".into(),
            Some(Kind::Struct | Kind::Union) if name.is_empty() => {
                let keyword = self.keyword(id);
                self.fuel = self.fuel.saturating_sub(1);
                if depth > MAX_DEPTH || self.fuel == 0 {
                    return format!("{keyword} {{}}");
                }
                format!("{keyword} {}", self.body(id, level, depth + 1))
            }
            Some(Kind::Enum | Kind::Enum64) if name.is_empty() => self.enumeration(id, level),
            Some(Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Fwd) => {
                format!("{} {}", self.keyword(id), self.tag(id))
            }
            Some(Kind::Typedef) => self.tag(id).into_owned(),
            Some(_) => name.into(),
        }
    }

    fn enumeration(&mut self, id: TypeId, level: usize) -> String {
        let Some(Type::Enum(e)) = self.btf.ty(id) else { return String::new() };
        let mut text = String::from("enum ");
        if !e.name.is_empty() {
            let _ = write!(text, "{} ", self.tag(id));
        }
        if e.values.is_empty() && !e.name.is_empty() {
            // Only its name is known, and C has no incomplete enumerations.
            text.pop();
            return text;
        }
        text.push_str("{\n");
        for value in &e.values {
            indent(&mut text, level + 1);
            text.push_str(value.name);
            let count = count_use(&mut self.identifiers, value.name);
            if count > 1 {
                let _ = write!(text, "___{count}");
            }
            let suffix = match (e.size, e.signed) {
                (8, true) => "LL",
                (8, false) => "ULL",
                _ => "",
            };
            let _ = if e.signed {
                writeln!(text, " = {}{suffix},", value.value)
            } else {
                writeln!(text, " = {}{suffix},", value.value as u64)
            };
        }
        indent(&mut text, level);
        text.push('}');
        let mode = match e.size {
            1 => " __attribute__((mode(byte)))",
            2 => " __attribute__((mode(HI)))",
            _ => "",
        };
        text.push_str(mode);
        text
    }

    /// `{ members }` with the padding that makes C agree on the layout.
    fn body(&mut self, id: TypeId, level: usize, depth: usize) -> String {
        let btf = self.btf;
        let Some(Type::Struct(composite) | Type::Union(composite)) = btf.ty(id) else {
            return "{}".into();
        };
        let is_struct = btf.kind(id) == Some(Kind::Struct);
        if composite.members.is_empty() && composite.size == 0 {
            return "{}".into();
        }
        let packed = is_packed(btf, &composite, is_struct);
        let mut text = String::from("{\n");
        let mut end = 0u64;
        let mut align = 1;
        for member in &composite.members {
            let unit = btf.size_of(member.ty).unwrap_or(0) * 8;
            let own = if packed { 1 } else { btf.align_of(member.ty) };
            align = align.max(own);
            let start = u64::from(member.bit_offset);
            if is_struct {
                let natural = match member.bit_size {
                    Some(width) if !packed => {
                        let width = u64::from(width);
                        if unit > 0 && end / unit != (end + width - 1) / unit {
                            end.next_multiple_of(unit)
                        } else {
                            end
                        }
                    }
                    Some(_) => end,
                    None => end.next_multiple_of(u64::from(own) * 8),
                };
                if natural < start {
                    padding(&mut text, level + 1, end, start);
                }
            }
            indent(&mut text, level + 1);
            text.push_str(&self.declare(member.ty, member.name.into(), level + 1, depth + 1));
            end = start
                + match member.bit_size {
                    Some(width) => {
                        let _ = write!(text, ": {width}");
                        u64::from(width)
                    }
                    None => unit,
                };
            text.push_str(";\n");
        }
        let size = u64::from(composite.size) * 8;
        if is_struct && end.next_multiple_of(u64::from(align) * 8) < size {
            padding(&mut text, level + 1, end, size);
        }
        indent(&mut text, level);
        text.push('}');
        if packed {
            text.push_str(" __attribute__((packed))");
        }
        text
    }
}

fn count_use(names: &mut BTreeMap<String, u32>, name: &str) -> u32 {
    if let Some(count) = names.get_mut(name) {
        *count += 1;
        return *count;
    }
    names.insert(name.into(), 1);
    1
}

/// Adds a qualifier, once: an array and its elements may both carry it.
fn qualify(qualifiers: &mut String, qualifier: &str) {
    if !qualifiers.contains(qualifier) {
        qualifiers.insert_str(0, qualifier);
    }
}

fn parenthesised(inner: String) -> String {
    if inner.starts_with('*') { format!("({inner})") } else { inner }
}

fn indent(text: &mut String, level: usize) {
    (0..level.min(MAX_DEPTH)).for_each(|_| text.push('\t'));
}

/// Types for padding, widest first.
const PADS: [(u64, &str); 4] = [(64, "long"), (32, "int"), (16, "short"), (8, "char")];

/// Unnamed bit-fields from bit `from` to bit `to`. A file that claims gigabytes of padding gets
/// an array for the whole bytes instead of millions of lines.
fn padding(text: &mut String, level: usize, from: u64, to: u64) {
    let mut at = from;
    while at < to {
        let inside = |&&(bits, _): &&(u64, &str)| at / bits == (to - 1) / bits;
        let fits = |&&(bits, _): &&(u64, &str)| at.is_multiple_of(bits) && at + bits <= to;
        // The whole rest in one unit, else the widest unit that starts here, else up to a byte.
        let rest = PADS.iter().rev().find(inside).filter(|(bits, _)| (to - at) < *bits);
        let (name, width) = match (rest, PADS.iter().find(fits)) {
            (Some((_, name)), _) => (*name, to - at),
            (None, Some((bits, name))) => (*name, *bits),
            (None, None) => ("char", (at / 8 * 8 + 8).min(to) - at),
        };
        indent(text, level);
        if at.is_multiple_of(8) && to - at > 1 << 16 {
            let bytes = (to - at) / 8;
            let _ = writeln!(text, "char __padding_at_{}[{bytes}];", at / 8);
            at += bytes * 8;
            continue;
        }
        let _ = writeln!(text, "{name}: {width};");
        at += width;
    }
}

/// Whether C reaches this layout only with `packed`.
fn is_packed(btf: &Btf, composite: &Composite<'_>, is_struct: bool) -> bool {
    let mut align = 1;
    for member in &composite.members {
        let own = u64::from(btf.align_of(member.ty));
        let start = u64::from(member.bit_offset);
        match member.bit_size {
            None if start % (own * 8) != 0 => return true,
            Some(width) if is_struct => {
                let unit = btf.size_of(member.ty).unwrap_or(1).max(1) * 8;
                if start % unit + u64::from(width) > unit {
                    return true;
                }
            }
            _ => {}
        }
        align = align.max(own);
    }
    u64::from(composite.size) % align != 0
}

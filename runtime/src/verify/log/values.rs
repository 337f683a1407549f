//! What registers and stack hold, as the kernel's log shows it (`print_verifier_state` in
//! `kernel/bpf/log.c`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use skep_stdlib::btf::TypeId;
use skep_stdlib::features::Feature;

use super::super::Context;
use super::super::args::BUFFER;
use super::super::dynptr::Behind;
use super::super::fields;
use super::super::reg::{Hold, INNER, Link, Pointer, PtrKind, Reg, Step};
use super::super::report::terms::{log_type, tnum};
use super::super::scalar::Scalar;
use super::super::state::{Byte, Role, StackSlot, State};

/// Characters of a map's name that the kernel keeps (`BPF_OBJ_NAME_LEN`).
const NAME_LEN: usize = 15;

/// Numbers up to here are decimal.
const DECIMAL: u64 = u16::MAX as u64;

/// Which registers and slots of a frame are shown, and what is said of them.
#[derive(Clone, Copy)]
pub struct Which {
    /// Registers.
    pub regs: u16,
    /// Stack slots.
    pub slots: u64,
    /// Registers and slots that were written since the state before was kept; kernels before 6.18 say so.
    pub written: (u16, u64),
    /// Numbers that are known to matter.
    pub precise: (u16, u64),
}

/// A frame of a state, each part after a blank.
pub fn frame(cx: &Context<'_>, state: &State, depth: usize, which: &Which) -> String {
    let (mut text, frame) = (String::new(), &state.frames[depth]);
    let out = &mut text;
    if depth > 0 {
        add(out, format_args!(" frame{depth}:"));
    }
    for (number, reg) in frame.regs.iter().enumerate() {
        let has = |set: u16| set & (1 << number) != 0;
        if *reg != Reg::Uninit && has(which.regs) {
            let mark = if has(which.written.0) { "_w" } else { "" };
            add(out, format_args!(" R{number}{mark}="));
            register(out, cx, reg, depth, has(which.precise.0));
        }
    }
    for (index, slot) in frame.stack.iter().enumerate() {
        let has = |set: u64| set & (1 << index) != 0;
        if has(which.slots)
            && let Some(text) = stack_slot(cx, slot, depth, has(which.precise.1))
        {
            let mark = if has(which.written.1) { "_w" } else { "" };
            add(out, format_args!(" fp-{}{mark}={text}", 8 * (index + 1)));
        }
    }
    // Since sections without interrupts are among what is held, so are locks.
    let locks = state.locks.iter().filter(|_| cx.target.has(Feature::LocalIrq)).map(|lock| lock.id);
    let held = state.references.iter().chain(&state.interrupts).map(|held| held.id).chain(locks);
    let held: Vec<String> = held.filter(|&id| id != 0).map(|id| id.to_string()).collect();
    if !held.is_empty() {
        add(out, format_args!(" refs={}", held.join(",")));
    }
    if frame.callback.is_some() {
        out.push_str(" cb");
    }
    if depth == 0 && matches!(state.role, Role::Later | Role::InTask) {
        out.push_str(" async_cb");
    }
    text
}

/// Writing to a string does not fail.
fn add(out: &mut String, text: core::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// A slot of the stack; none if nothing was ever written there.
fn stack_slot(cx: &Context<'_>, slot: &StackSlot, depth: usize, precise: bool) -> Option<String> {
    if slot.bytes == [Byte::Invalid; 8] {
        return None;
    }
    // The kernel counts from the top.
    let mut text: String = slot.bytes.iter().rev().map(|&byte| letter(byte)).collect();
    match (slot.bytes[0], &slot.spilled) {
        (Byte::Spilled, spilled) => {
            text.truncate(text.find('r').unwrap_or(text.len()));
            register(&mut text, cx, spilled, depth, precise);
        }
        (Byte::Dynptr, Reg::Pointer(p)) => {
            let PtrKind::Dynptr(behind) = p.kind else { return Some(text) };
            // The lower one of the two slots says it.
            if p.off != 0 {
                return None;
            }
            let mut list = List::new(format!("dynptr_{}(", dynptr(behind)));
            list.add_if(p.id != 0, format_args!("id={}", p.id));
            list.add_if(p.reference != 0, format_args!("ref_id={}", p.reference));
            text = list.close();
        }
        (Byte::Held, Reg::Pointer(p)) => {
            let PtrKind::Iter { ty, active, depth } = p.kind else { return Some(text) };
            if p.off != 0 {
                return None;
            }
            let name = cx.btf.map_or("", |btf| btf.name(TypeId(ty)));
            let name = name.strip_prefix("bpf_iter_").unwrap_or(name);
            let now = if active { "active" } else { "drained" };
            text = format!("iter_{name}(ref_id={},state={now},depth={depth})", p.reference);
        }
        _ => {}
    }
    Some(text)
}

fn letter(byte: Byte) -> char {
    match byte {
        Byte::Invalid => '?',
        Byte::Misc => 'm',
        Byte::Zero => '0',
        Byte::Spilled => 'r',
        Byte::Held => 'i',
        Byte::Dynptr => 'd',
    }
}

fn dynptr(behind: Behind) -> &'static str {
    match behind {
        Behind::Local => "local",
        Behind::Ringbuf => "ringbuf",
        Behind::Skb => "skb",
        Behind::Xdp => "xdp",
    }
}

/// What a register of the frame at this depth holds.
fn register(out: &mut String, cx: &Context<'_>, reg: &Reg, depth: usize, precise: bool) {
    match reg {
        Reg::Uninit => {}
        Reg::Scalar(num) => {
            if precise {
                out.push('P');
            }
            match num.value.value() {
                Some(value) => out.push_str(&signed(value as i64)),
                None => {
                    let mut list = List::new("scalar(".to_string());
                    list.add_link(num.link);
                    list.add_ranges(&num.value);
                    out.push_str(&list.close());
                }
            }
        }
        Reg::Pointer(p) => pointer(out, cx, p, depth),
    }
}

fn pointer(out: &mut String, cx: &Context<'_>, p: &Pointer, depth: usize) {
    // What is counted stays valid in a section of RCU when a lock no longer keeps it.
    let is_counted = has_field(cx, p, "bpf_refcount");
    let is_borrowed = match p.kind {
        PtrKind::Object { hold: Hold::Borrowed, .. } => true,
        PtrKind::Object { hold: Hold::Rcu, .. } => is_counted,
        _ => false,
    };
    if is_counted && matches!(p.kind, PtrKind::Object { hold: Hold::Borrowed, .. }) {
        out.push_str("rcu_");
    }
    out.push_str(&log_type(&Reg::Pointer(*p)));
    match p.kind {
        PtrKind::Arena => return,
        PtrKind::Stack(of) => {
            if of as usize != depth {
                add(out, format_args!("[{of}]"));
            }
            if let Some(var) = p.var.value() {
                out.push_str(&signed((var as i64).saturating_add(p.off.into())));
                return;
            }
        }
        PtrKind::Btf { ty, .. } | PtrKind::Remote { ty, .. } => {
            out.push_str(cx.btf.map_or("", |btf| btf.name(TypeId(ty))));
        }
        PtrKind::Object { ty, .. } => {
            out.push_str(cx.image.btf.as_deref().map_or("", |btf| btf.name(TypeId(ty))));
        }
        _ => {}
    }
    let mut list = List::new("(".to_string());
    list.add_if(p.id != 0, format_args!("id={}", p.id));
    list.add_if(p.reference != 0, format_args!("ref_obj_id={}", p.reference));
    list.add_if(is_borrowed, format_args!("non_own_ref"));
    if let PtrKind::Map(map) | PtrKind::MapValue(map) = p.kind
        // One that may not be there is still an element of the outer map.
        && let map = if p.nullable { map & !INNER } else { map }
        && let Some(def) = cx.map(map)
    {
        let name = def.name.get(..NAME_LEN).unwrap_or(&def.name);
        // What is inside a map of maps has none.
        list.add_if(map & INNER == 0, format_args!("map={name}"));
        list.add(format_args!("ks={},vs={}", def.key_size, def.value_size));
    }
    list.add_if(p.off != 0, format_args!("off={}", signed(p.off.into())));
    match p.kind {
        PtrKind::Packet(proven) | PtrKind::PacketMeta(proven) => {
            list.add(format_args!("r={}", unsigned(i64::from(proven) as u64)));
        }
        PtrKind::Mem { size: BUFFER, .. } => {}
        PtrKind::Mem { size, .. } | PtrKind::Ringbuf(size) => {
            list.add(format_args!("sz={}", unsigned(size.into())));
        }
        PtrKind::Dynptr(behind) => list.add(format_args!("type={}", dynptr(behind))),
        _ => {}
    }
    match p.var.value() {
        Some(0) => {}
        Some(value) => list.add(format_args!("imm={}", signed(value as i64))),
        None => list.add_ranges(&p.var),
    }
    out.push_str(&list.close());
}

/// Has what it points to a field of this kind?
fn has_field(cx: &Context<'_>, p: &Pointer, name: &str) -> bool {
    let fields = match (p.kind, cx.image.btf.as_deref()) {
        (PtrKind::MapValue(map), Some(btf)) => cx.map(map).map(|def| fields::of_value(btf, def)),
        (PtrKind::Object { ty, .. }, Some(btf)) => Some(fields::of_object(btf, TypeId(ty))),
        _ => None,
    };
    fields.is_some_and(|fields| fields.iter().any(|it| it.name.ends_with(name)))
}

/// A list in parentheses.
struct List {
    text: String,
    is_empty: bool,
}

impl List {
    /// One that begins so.
    fn new(text: String) -> List {
        List { text, is_empty: true }
    }

    fn add(&mut self, entry: core::fmt::Arguments<'_>) {
        if !core::mem::take(&mut self.is_empty) {
            self.text.push(',');
        }
        let _ = self.text.write_fmt(entry);
    }

    fn add_if(&mut self, condition: bool, entry: core::fmt::Arguments<'_>) {
        if condition {
            self.add(entry);
        }
    }

    fn close(mut self) -> String {
        self.text.push(')');
        self.text
    }

    /// The number that this one is a copy of.
    fn add_link(&mut self, link: Link) {
        if link.id == 0 {
            return;
        }
        self.add(format_args!("id={}", link.id));
        if link.step != Step::Copy {
            let _ = write!(self.text, "{:+}", link.delta);
        }
    }

    /// The bounds that say something; those with one value share it.
    fn add_ranges(&mut self, value: &Scalar) {
        let (wide, narrow) = (value.r64, value.r32);
        let lower = |value: i64| match is_decimal(value) {
            true => value,
            // Digits are those of the lower half.
            false => i64::from(value as u32),
        };
        // By name: the value, whether it is signed, whether it says nothing.
        let mut bounds = [
            ("smin", wide.smin as u64, true, wide.smin == i64::MIN),
            ("smax", wide.smax as u64, true, wide.smax == i64::MAX),
            ("umin", wide.umin, false, wide.umin == 0),
            ("umax", wide.umax, false, wide.umax == u64::MAX),
            ("smin32", lower(narrow.smin) as u64, true, narrow.smin == i64::from(i32::MIN)),
            ("smax32", lower(narrow.smax) as u64, true, narrow.smax == i64::from(i32::MAX)),
            ("umin32", narrow.umin, false, narrow.umin == 0),
            ("umax32", narrow.umax, false, narrow.umax == u64::from(u32::MAX)),
        ];
        for at in 0..bounds.len() {
            let (name, value, is_signed, omitted) = bounds[at];
            if omitted {
                continue;
            }
            let is_negative = |is_signed: bool| is_signed && (value as i64) < 0;
            let mut names = format!("{name}=");
            for other in bounds[at..].iter_mut().skip(2).step_by(2) {
                if !other.3 && other.1 == value && is_negative(other.2) == is_negative(is_signed) {
                    other.3 = true;
                    names.push_str(other.0);
                    names.push('=');
                }
            }
            match is_signed {
                true => self.add(format_args!("{names}{}", signed(value as i64))),
                false => self.add(format_args!("{names}{}", unsigned(value))),
            }
        }
        if value.tnum.mask != u64::MAX {
            self.add(format_args!("var_off={}", tnum(value)));
        }
    }
}

fn is_decimal(value: i64) -> bool {
    i16::try_from(value).is_ok()
}

fn signed(value: i64) -> String {
    if is_decimal(value) { value.to_string() } else { format!("{value:#x}") }
}

fn unsigned(value: u64) -> String {
    if value <= DECIMAL { value.to_string() } else { format!("{value:#x}") }
}

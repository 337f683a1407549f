//! An assembler for the part of A64 that translated programs need.
//!
//! In: one call for each machine instruction, labels. Out ([`Asm::finish`]): words that may be placed
//! anywhere, for everything they refer to is relative. Conditional jumps reach 1 MiB; those that might not
//! reach their targets become the opposite jump over a far one. No distance more than doubles by that, so
//! what is nearer than half of the reach stays as it is, and one pass is enough.

use alloc::vec::Vec;

use super::encode::*;
use crate::vm::jit::labels::{Assembled, Label, LabelRow, UNBOUND};

/// A register of the processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gpr(u8);

#[allow(missing_docs)]
impl Gpr {
    pub const LINK: Gpr = Gpr(30);
    /// Zero, or nowhere; in sums with numbers and as a base, the stack pointer.
    pub const ZERO: Gpr = Gpr(31);
    pub const SP: Gpr = Gpr(31);

    /// The register with this number.
    pub const fn x(number: u8) -> Gpr {
        Gpr(number & 31)
    }

    const fn at(self, bit: u32) -> u32 {
        (self.0 as u32) << bit
    }
}

/// Bytes that a conditional jump may be away from its target before others grow.
const NEAR: i64 = 1 << 19;

/// Where memory is accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// At a register plus a number for which [`Place::reaches`] holds.
    Base(Gpr, i32),
    /// At the sum of two registers.
    Sum(Gpr, Gpr),
}

impl Place {
    /// Can an access of so many bytes have this displacement?
    pub const fn reaches(bytes: u32, displacement: i32) -> bool {
        let is_scaled = displacement >= 0
            && (displacement as u32).is_multiple_of(bytes)
            && (displacement as u32) < bytes << 12;
        is_scaled || (-256 <= displacement && displacement < 256)
    }
}

/// A jump whose distance is not known yet.
struct Jump {
    /// Number of its word.
    at: u32,
    to: Label,
    /// Does it reach only 1 MiB?
    is_conditional: bool,
}

/// The code so far.
#[derive(Default)]
pub struct Asm {
    words: Vec<u32>,
    /// Number of the word, by label.
    labels: Vec<u32>,
    jumps: Vec<Jump>,
}

const fn wide_bit(wide: bool) -> u32 {
    (wide as u32) << 31
}

impl Asm {
    /// With room for the code of so many BPF instructions.
    pub fn for_insns(count: usize) -> Asm {
        Asm { words: Vec::with_capacity(count * 2 + 256), ..Asm::default() }
    }

    /// A new label.
    pub fn label(&mut self) -> Label {
        self.label_row(1).at(0)
    }

    /// As many new labels, in a row.
    pub fn label_row(&mut self, count: usize) -> LabelRow {
        let first = self.labels.len();
        self.labels.resize(first + count, UNBOUND);
        LabelRow { first: first as u32, count: count as u32 }
    }

    /// Lets the label stand for the place reached.
    pub fn bind(&mut self, label: Label) {
        let here = self.words.len() as u32;
        if let Some(place) = self.labels.get_mut(label.0 as usize) {
            *place = here;
        }
    }

    fn put(&mut self, word: u32) {
        self.words.push(word);
    }

    /// `dst = a op b`
    pub fn op(&mut self, wide: bool, op: Op, dst: Gpr, a: Gpr, b: Gpr) {
        self.put(wide_bit(wide) | op as u32 | b.at(16) | a.at(5) | dst.at(0));
    }

    /// `dst = base + (index << shift)`
    pub fn sum_shifted(&mut self, dst: Gpr, base: Gpr, index: Gpr, shift: u32) {
        self.put(wide_bit(true) | Op::Add as u32 | index.at(16) | shift << 10 | base.at(5) | dst.at(0));
    }

    /// `dst = a op value` in one instruction; says whether there is one. Of sums, 31 is the stack pointer.
    pub fn op_imm(&mut self, wide: bool, op: Op, dst: Gpr, a: Gpr, value: u64) -> bool {
        let word = match (op.with_number(), op.with_pattern()) {
            (Some(form), _) => number(value).map(|field| form | field),
            (None, Some(form)) => pattern(wide, value).map(|field| form | field),
            (None, None) => None,
        };
        if let Some(word) = word {
            self.put(wide_bit(wide) | word | a.at(5) | dst.at(0));
        }
        word.is_some()
    }

    /// `dst = src`, the upper half of a narrow result being zero.
    pub fn mov(&mut self, wide: bool, dst: Gpr, src: Gpr) {
        self.op(wide, Op::Orr, dst, Gpr::ZERO, src);
    }

    /// `dst = src`, where one is the stack pointer.
    pub fn mov_stack(&mut self, dst: Gpr, src: Gpr) {
        self.op_imm(true, Op::Add, dst, src, 0);
    }

    /// `dst = value`, by as few instructions as there are.
    pub fn mov_imm(&mut self, dst: Gpr, value: u64) {
        let wide = value >> 32 != 0;
        let parts =
            |of: u64| (0..4).map(move |at| (at, (of >> (16 * at)) as u16)).filter(|&(_, part)| part != 0);
        let (set, unset) = (parts(value).count(), parts(!value).count());
        if set > 1 && unset > 1 && self.op_imm(wide, Op::Orr, dst, Gpr::ZERO, value) {
            return;
        }
        let (mut form, given) = if unset < set { (Wide::Inverted, !value) } else { (Wide::Zero, value) };
        if given == 0 {
            return self.mov_part(true, form, dst, 0, 0);
        }
        for (at, part) in parts(given) {
            let part = if form == Wide::Keep { (value >> (16 * at)) as u16 } else { part };
            self.mov_part(true, form, dst, at, part);
            form = Wide::Keep;
        }
    }

    fn mov_part(&mut self, wide: bool, form: Wide, dst: Gpr, at: u32, part: u16) {
        self.put(wide_bit(wide) | form as u32 | at << 21 | u32::from(part) << 5 | dst.at(0));
    }

    /// `dst = with + a * b`, or minus.
    pub fn product(&mut self, wide: bool, form: Product, dst: Gpr, with: Gpr, (a, b): (Gpr, Gpr)) {
        self.put(wide_bit(wide) | form as u32 | b.at(16) | with.at(10) | a.at(5) | dst.at(0));
    }

    /// `dst = ` bits of `src`, rotated right by `rotation`, up to bit `last` of the source.
    pub fn field(&mut self, wide: bool, field: Field, dst: Gpr, src: Gpr, (rotation, last): (u32, u32)) {
        let word = wide_bit(wide) | field as u32 | u32::from(wide) << 22;
        self.put(word | rotation << 16 | last << 10 | src.at(5) | dst.at(0));
    }

    /// `dst = src << count`, which is less than the width.
    pub fn shift_left(&mut self, wide: bool, dst: Gpr, src: Gpr, count: u32) {
        let last = if wide { 63 } else { 31 };
        self.field(wide, Field::Unsigned, dst, src, (count.wrapping_neg() & last, last - count));
    }

    /// `dst = src >> count`, which is less than the width; with the sign or without.
    pub fn shift_right(&mut self, wide: bool, field: Field, dst: Gpr, src: Gpr, count: u32) {
        self.field(wide, field, dst, src, (count, if wide { 63 } else { 31 }));
    }

    /// Rewrites bytes.
    pub fn unary(&mut self, form: Unary, dst: Gpr, src: Gpr) {
        self.put(form as u32 | src.at(5) | dst.at(0));
    }

    /// Loads or stores so many bytes; a load writes all of the register.
    pub fn access(&mut self, access: Access, bytes: u32, reg: Gpr, place: Place) {
        // There is no sign to extend from eight bytes.
        let access = if bytes == 8 && access == Access::LoadSigned { Access::Load } else { access };
        let word = bytes.trailing_zeros() << 30 | (access as u32) << 22 | reg.at(0);
        self.put(match place {
            Place::Sum(base, index) => word | INDEXED | index.at(16) | base.at(5),
            Place::Base(base, by) if by >= 0 && (by as u32).is_multiple_of(bytes) => {
                word | SCALED | (by as u32 / bytes) << 10 | base.at(5)
            }
            Place::Base(base, by) => word | UNSCALED | (by as u32 & 0x1ff) << 12 | base.at(5),
        });
    }

    /// Loads or stores two registers at the stack pointer plus a multiple of eight less than 512.
    pub fn pair(&mut self, form: Pair, (a, b): (Gpr, Gpr), by: i32) {
        self.put(form as u32 | (by as u32 >> 3 & 0x7f) << 15 | b.at(10) | Gpr::SP.at(5) | a.at(0));
    }

    /// An access in order, at the address in a register.
    pub fn ordered(&mut self, form: Ordered, bytes: u32, reg: Gpr, base: Gpr) {
        self.put(bytes.trailing_zeros() << 30 | form as u32 | base.at(5) | reg.at(0));
    }

    /// Stores if nobody else did since the load; `status` is 0 if so.
    pub fn store_exclusive(&mut self, form: Exclusive, bytes: u32, status: Gpr, reg: Gpr, base: Gpr) {
        self.put(bytes.trailing_zeros() << 30 | form as u32 | status.at(16) | base.at(5) | reg.at(0));
    }

    /// Changes memory by `operand`; what was there goes to `reg`. A swap that compares does so with `operand`,
    /// stores `reg`, and gives to `operand`.
    pub fn at_once(&mut self, form: AtOnce, bytes: u32, operand: Gpr, reg: Gpr, base: Gpr) {
        self.put(bytes.trailing_zeros() << 30 | form as u32 | operand.at(16) | base.at(5) | reg.at(0));
    }

    /// Puts accesses in order.
    pub fn barrier(&mut self) {
        self.put(BARRIER);
    }

    /// `dst = ` the place of this instruction plus so many bytes, plus the code's offset.
    pub fn address(&mut self, dst: Gpr, by: i32) {
        let by = by as u32;
        self.put(ADDRESS | (by & 3) << 29 | (by >> 2 & 0x7_ffff) << 5 | dst.at(0));
    }

    /// Bytes of code so far.
    pub fn len(&self) -> u32 {
        self.words.len() as u32 * 4
    }

    /// Calls the function whose address is in a register.
    pub fn call_reg(&mut self, to: Gpr) {
        self.put(CALL_REGISTER | to.at(5));
    }

    /// Jumps to the address in a register.
    pub fn jump_reg(&mut self, to: Gpr) {
        self.put(JUMP_REGISTER | to.at(5));
    }

    /// Returns.
    pub fn ret(&mut self) {
        self.put(RETURN);
    }

    /// Jumps to a label.
    pub fn jump(&mut self, to: Label) {
        self.transfer(JUMP, to, false);
    }

    /// Calls a label.
    pub fn call(&mut self, to: Label) {
        self.transfer(CALL, to, false);
    }

    /// Jumps to a label if the condition holds.
    pub fn jump_if(&mut self, cc: Cc, to: Label) {
        self.transfer(JUMP_IF | cc as u32, to, true);
    }

    /// Jumps to a label if the register is zero, or if it is not.
    pub fn jump_zero(&mut self, wide: bool, zero: bool, reg: Gpr, to: Label) {
        let form = if zero { JUMP_IF_ZERO } else { JUMP_IF_NOT_ZERO };
        self.transfer(wide_bit(wide) | form | reg.at(0), to, true);
    }

    fn transfer(&mut self, word: u32, to: Label, is_conditional: bool) {
        self.jumps.push(Jump { at: self.words.len() as u32, to, is_conditional });
        self.put(word);
    }

    /// Words from a jump to its target.
    fn distance(&self, jump: &Jump) -> i64 {
        i64::from(self.labels[jump.to.0 as usize]) - i64::from(jump.at)
    }

    /// Fills in distances. Where the data is, code knows by a register.
    pub fn finish(mut self, _data_size: u32) -> Assembled {
        let is_far = |jump: &&Jump| jump.is_conditional && (self.distance(jump) * 4).abs() >= NEAR;
        let far: Vec<u32> = self.jumps.iter().filter(is_far).map(|jump| jump.at).collect();
        if !far.is_empty() {
            self.make_far(&far);
        }
        for at in 0..self.jumps.len() {
            let jump = &self.jumps[at];
            let (distance, place) = (self.distance(jump) as u32, jump.at as usize);
            self.words[place] |= match jump.is_conditional {
                true => (distance & 0x7_ffff) << 5,
                false => distance & 0x3ff_ffff,
            };
        }
        let bytes = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let offset = |&word: &u32| if word == UNBOUND { word } else { word * 4 };
        Assembled { bytes, labels: self.labels.iter().map(offset).collect() }
    }

    /// Makes these conditional jumps, ascending, the opposite ones over far ones.
    fn make_far(&mut self, far: &[u32]) {
        let grown = |place: u32| place + far.partition_point(|&at| at < place) as u32;
        let mut words = Vec::with_capacity(self.words.len() + far.len());
        for (at, &word) in self.words.iter().enumerate() {
            match far.binary_search(&(at as u32)) {
                Ok(_) => words.extend([opposite(word) | 2 << 5, JUMP]),
                Err(_) => words.push(word),
            }
        }
        for place in self.labels.iter_mut().filter(|place| **place != UNBOUND) {
            *place = grown(*place);
        }
        for jump in &mut self.jumps {
            let is_far = far.binary_search(&jump.at).is_ok();
            jump.at = grown(jump.at) + u32::from(is_far);
            jump.is_conditional &= !is_far;
        }
        self.words = words;
    }
}

/// The conditional jump that is made where this one is not.
fn opposite(word: u32) -> u32 {
    match word >> 24 {
        0x54 => word ^ 1,
        _ => word ^ 1 << 24,
    }
}

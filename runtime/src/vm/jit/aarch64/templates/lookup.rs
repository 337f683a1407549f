//! Look-ups in maps without a call, where the map's layout allows it.
//!
//! In: the layout; where in the frame the key is, if it is there. Out: code that leaves the value's address in
//! `r0`, or 0. What is outside of the arena is left to the host.

use skep_stdlib::isa::{Reg, Size};

use super::{ARENA, AT, Cold, FRAME_PLACE, NUMBER, R0, SITE, STATUS, Translator, VALUE, gpr};
use crate::maps::index::{MULTIPLIER, ROW_BITS};
use crate::maps::{ArrayLayout, IndexLayout};
use crate::object::Program;
use crate::vm::interp::FRAME_SIZE;
use crate::vm::jit::aarch64::asm::{Gpr, Place};
use crate::vm::jit::aarch64::encode::{Access, Cc, Field, Op, Product};
use crate::vm::jit::labels::Label;
use crate::vm::jit::lookup;

impl Translator<'_> {
    /// Loads the key. One that is not known to be in the frame is compared with the arena's end, and the host told
    /// by the label where it is outside.
    fn load_key(&mut self, size: Size, key: Option<i32>, to: Gpr) -> Option<Label> {
        let above = lookup::in_frame(size, key).map(|key| key + FRAME_SIZE as i32);
        let (place, outside) = match above {
            Some(above) if Place::reaches(size.bytes(), above) => (Place::Base(FRAME_PLACE, above), None),
            Some(above) => {
                self.add(true, AT, FRAME_PLACE, above.into());
                (Place::Base(AT, 0), None)
            }
            None => {
                let outside = self.compared(size, Reg::R2, 0);
                (Place::Sum(ARENA, gpr(Reg::R2)), Some(outside))
            }
        };
        self.asm.access(Access::Load, size.bytes(), to, place);
        outside
    }

    /// The address of an array's element, without a call, unless the key lies outside of the arena.
    /// Returns the slot after what was translated.
    pub fn look_up_array(
        &mut self,
        program: &Program,
        site: u32,
        array: ArrayLayout,
        key: Option<i32>,
    ) -> u32 {
        let outside = self.load_key(Size::W, key, R0);
        let slot = self.sites[site as usize].slot;
        let asked = if outside.is_none() { self.asked(program, slot) } else { None };
        let (absent, back) = (self.asm.label(), self.asm.label());
        if !self.asm.op_imm(false, Op::Subs, Gpr::ZERO, R0, array.count.into()) {
            self.asm.mov_imm(NUMBER, array.count.into());
            self.asm.op(false, Op::Subs, Gpr::ZERO, R0, NUMBER);
        }
        self.asm.jump_if(Cc::AboveEqual, absent);
        self.asm.mov_imm(VALUE, array.start);
        match array.stride.is_power_of_two() {
            true => self.asm.sum_shifted(R0, VALUE, R0, array.stride.trailing_zeros()),
            false => {
                self.asm.mov_imm(NUMBER, array.stride.into());
                self.asm.product(true, Product::Added, R0, VALUE, (R0, NUMBER));
            }
        }
        if let Some(Err(present)) = asked {
            self.asm.jump(present);
        }
        self.asm.bind(back);
        let after_absent = asked.and_then(Result::ok).unwrap_or(back);
        self.cold.push((absent, Cold::Absent { back: after_absent }));
        self.cold.extend(outside.map(|outside| (outside, Cold::Helper { site, back })));
        slot + if asked.is_some() { 2 } else { 1 }
    }

    /// The address of a value by a key of 4 or 8 bytes, from the map's index.
    pub fn look_up_index(&mut self, site: u32, index: IndexLayout, key: Option<i32>) {
        let outside = self.load_key(index.key(), key, VALUE);
        let (again, other, back) = (self.asm.label(), self.asm.label(), self.asm.label());
        let rows = ((1u64 << index.bits) - 1) << ROW_BITS;
        self.asm.mov_imm(NUMBER, MULTIPLIER);
        self.asm.product(true, Product::Added, AT, Gpr::ZERO, (NUMBER, VALUE));
        self.asm.shift_right(true, Field::Unsigned, AT, AT, 64 - index.bits - ROW_BITS);
        self.row_of(rows);
        self.asm.mov_imm(NUMBER, index.start);
        self.asm.op(true, Op::Add, NUMBER, ARENA, NUMBER);
        self.asm.bind(again);
        self.asm.op(true, Op::Add, STATUS, NUMBER, AT);
        self.asm.access(Access::Load, 4, R0, Place::Base(STATUS, 8));
        self.asm.access(Access::Load, 8, SITE, Place::Base(STATUS, 0));
        self.asm.op(true, Op::Subs, Gpr::ZERO, VALUE, SITE);
        self.asm.jump_if(Cc::NotEqual, other);
        self.asm.bind(back);
        self.cold.push((other, Cold::NextRow { rows, again, back }));
        self.cold.extend(outside.map(|outside| (outside, Cold::Helper { site, back })));
    }

    /// Cuts what is in `x11` to the distance of a row; a single row has none.
    fn row_of(&mut self, rows: u64) {
        if !self.asm.op_imm(true, Op::And, AT, AT, rows) {
            self.asm.mov_imm(AT, 0);
        }
    }

    /// Goes on with the next row, if this one, whose address is in `r0`, was not empty.
    pub fn next_row(&mut self, rows: u64, again: Label, back: Label) {
        self.asm.jump_zero(false, true, R0, back);
        self.add(true, AT, AT, 1 << ROW_BITS);
        self.row_of(rows);
        self.asm.jump(again);
    }
}

//! Look-ups in maps without a call, where the map's layout allows it.
//!
//! In: the layout; where in the frame the key is, if it is there. Out: code that leaves the value's address in
//! `r0`, or 0. What is outside of the arena is left to the host.

use skep_stdlib::isa::Size;

use super::asm::{Cc, Gpr, Op, Rm, Shift};
use super::{ARENA, Cold, Translator};
use crate::maps::index::{MULTIPLIER, ROW_BITS};
use crate::maps::{ArrayLayout, IndexLayout};
use crate::object::Program;
use crate::vm::jit::exec::field;
use crate::vm::jit::labels::Label;
use crate::vm::jit::lookup;
use crate::vm::memory::BASE;

impl Translator<'_> {
    /// Where the key is. One that is not known to be in the frame is compared with the arena's end, and
    /// the host told by the label where it is outside.
    fn key(&mut self, size: Size, key: Option<i32>) -> (Rm, Option<Label>) {
        if let Some(place) = in_frame(size, key) {
            return (place, None);
        }
        let outside = self.asm.label();
        self.asm.lea(true, Gpr::R11, Rm::Base(Gpr::RSI, -(BASE as i32)));
        self.asm.cmp_mem(true, Gpr::R11, Rm::Data(field::limit(size)));
        self.asm.jump_if(Cc::Above, outside);
        (Rm::Index(ARENA, Gpr::RSI, 0, 0), Some(outside))
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
        let (key, outside) = self.key(Size::W, key);
        let slot = self.sites[site as usize].slot;
        let asked = if outside.is_none() { self.asked(program, slot) } else { None };
        let (absent, back) = (self.asm.label(), self.asm.label());
        let (asm, start) = (&mut self.asm, array.start as i32);
        asm.load(4, false, Gpr::RAX, key);
        asm.op_imm(false, Op::Cmp, Rm::Reg(Gpr::RAX), array.count as i32);
        asm.jump_if(Cc::AboveEqual, absent);
        match (array.stride.is_power_of_two(), array.stride.trailing_zeros() as u8) {
            (true, shift @ 0..=3) => asm.scale(Gpr::RAX, Gpr::RAX, shift, start),
            (true, shift) => {
                asm.shift_imm(true, Shift::Shl, Gpr::RAX, shift);
                asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RAX), start);
            }
            (false, _) => {
                asm.imul_imm(true, Gpr::RAX, Gpr::RAX, array.stride as i32);
                asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RAX), start);
            }
        }
        if let Some(Err(present)) = asked {
            asm.jump(present);
        }
        asm.bind(back);
        let after_absent = asked.and_then(Result::ok).unwrap_or(back);
        self.cold.push((absent, Cold::Absent { back: after_absent }));
        self.cold.extend(outside.map(|outside| (outside, Cold::Helper { site, back })));
        slot + if asked.is_some() { 2 } else { 1 }
    }

    /// The address of a value by a key of 4 or 8 bytes, from the map's index. The argument registers
    /// are free: what is proven does not read them after a call.
    pub fn look_up_index(&mut self, site: u32, index: IndexLayout, key: Option<i32>) {
        let (from, outside) = self.key(index.key(), key);
        let (key, row) = (Gpr::RDX, Gpr::R11);
        let (again, other, back) = (self.asm.label(), self.asm.label(), self.asm.label());
        let rows = (((1u32 << index.bits) - 1) << ROW_BITS) as i32;
        let place = |displacement: u64| Rm::Index(ARENA, row, 0, (index.start + displacement) as i32);
        let asm = &mut self.asm;
        asm.load(index.key_size, false, key, from);
        asm.mov_imm(row, MULTIPLIER);
        asm.imul(true, row, key);
        asm.shift_imm(true, Shift::Shr, row, (64 - index.bits - ROW_BITS) as u8);
        asm.op_imm(false, Op::And, Rm::Reg(row), rows);
        asm.bind(again);
        asm.load(4, false, Gpr::RAX, place(8));
        asm.cmp_mem(true, key, place(0));
        asm.jump_if(Cc::NotEqual, other);
        asm.bind(back);
        self.cold.push((other, Cold::NextRow { rows, again, back }));
        self.cold.extend(outside.map(|outside| (outside, Cold::Helper { site, back })));
    }

    /// Goes on with the next row, if this one, whose address is in `r0`, was not empty.
    pub fn next_row(&mut self, rows: i32, again: Label, back: Label) {
        self.asm.test(false, Gpr::RAX, Gpr::RAX);
        self.asm.jump_if(Cc::Equal, back);
        self.asm.op_imm(false, Op::Add, Rm::Reg(Gpr::R11), 1 << ROW_BITS);
        self.asm.op_imm(false, Op::And, Rm::Reg(Gpr::R11), rows);
        self.asm.jump(again);
    }
}

/// Where a key of this size is that has this distance from the frame pointer, if that is in the frame.
fn in_frame(size: Size, key: Option<i32>) -> Option<Rm> {
    lookup::in_frame(size, key).map(|key| Rm::Index(ARENA, Gpr::RBP, 0, key))
}

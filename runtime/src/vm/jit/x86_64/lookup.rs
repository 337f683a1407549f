//! Look-ups in maps that the program names, without a call where the map's layout allows it.
//!
//! In: the call's slot; the instructions in front of it say which map and, mostly, where in the frame
//! the key is. Out: code that leaves the value's address in `r0`, or 0. What is outside of the arena, and
//! what has no layout, is left to the host.

use skep_stdlib::isa::{AluOp, Imm64, Insn, Operand, Reg, Size, Width};

use super::{ARENA, Cold, Translator};
use crate::maps::index::MULTIPLIER;
use crate::maps::{ArrayLayout, IndexLayout};
use crate::object::Program;
use crate::vm::interp::FRAME_SIZE;
use crate::vm::jit::What;
use crate::vm::jit::asm::{Cc, Gpr, Label, Op, Rm, Shift};
use crate::vm::jit::exec::field;
use crate::vm::jit::flow::{Effects, bit};
use crate::vm::memory::BASE;

/// Instructions that are looked back at for the arguments.
const HORIZON: usize = 16;

/// What a call's arguments are known to be.
#[derive(Clone, Copy, Default)]
struct Arguments {
    /// The map in `r1`.
    map: Option<u32>,
    /// The distance of the key in `r2` from the frame pointer.
    key: Option<i32>,
}

impl Translator<'_> {
    /// The last write of `reg` that control has passed when it comes to `slot`, and its slot.
    fn origin(&self, program: &Program, slot: u32, reg: Reg) -> Option<(u32, Insn)> {
        let mut at = slot;
        for _ in 0..HORIZON {
            if at == self.function.start || self.is_leader[at as usize] {
                return None;
            }
            at -= 1;
            let Some(&insn) = program.code.at(at) else { continue };
            let is_call = matches!(insn, Insn::Call(_) | Insn::LoadAbs { .. } | Insn::LoadInd { .. });
            if Effects::of(&insn).writes & bit(reg) != 0 {
                return Some((at, insn));
            }
            if is_call {
                return None;
            }
        }
        None
    }

    fn arguments(&self, program: &Program, slot: u32) -> Arguments {
        let mut arguments = Arguments::default();
        if let Some((_, Insn::LoadImm64 { value: Imm64::MapIdx(index), .. })) =
            self.origin(program, slot, Reg::R1)
        {
            arguments.map = u32::try_from(index).ok();
        }
        let (mut at, mut distance) = (slot, 0i32);
        while let Some((from, insn)) = self.origin(program, at, Reg::R2) {
            match insn {
                Insn::Alu { width: Width::W64, op: AluOp::Add, src: Operand::Imm(imm), .. } => {
                    (at, distance) = (from, distance.saturating_add(imm));
                }
                Insn::Mov { width: Width::W64, src: Operand::Reg(Reg::FP), .. } => {
                    arguments.key = Some(distance);
                    break;
                }
                _ => break,
            }
        }
        arguments
    }

    pub(super) fn look_up(&mut self, program: &Program, slot: u32, what: What) {
        let arguments = self.arguments(program, slot);
        let map = arguments.map.filter(|&map| self.source.maps.holds_values(map));
        let array = map.and_then(|map| self.source.maps.array_layout(map));
        let site = self.site(slot, map.map_or(what, What::Lookup));
        if let Some(array) = array {
            return self.look_up_array(site, array, arguments.key);
        }
        // What others have written into an index would keep its code from ending.
        let index = map.and_then(|map| self.source.maps.index_layout(map));
        if let Some(index) = index.filter(|_| self.is_proven()) {
            return self.look_up_index(site, index, arguments.key);
        }
        self.call_site(site, false);
    }

    /// Where the key is. One that is not known to be in the frame is compared with the arena's end, and
    /// the host told by the label where it is outside.
    fn key(&mut self, size: Size, key: Option<i32>) -> (Rm, Option<Label>) {
        if let Some(key) = key.filter(|&key| key >= -(FRAME_SIZE as i32) && key <= -(size.bytes() as i32)) {
            return (Rm::Index(ARENA, Gpr::RBP, 0, key), None);
        }
        let outside = self.asm.label();
        self.asm.lea(true, Gpr::R11, Rm::Base(Gpr::RSI, -(BASE as i32)));
        self.asm.cmp_mem(true, Gpr::R11, Rm::Data(field::limit(size)));
        self.asm.jump_if(Cc::Above, outside);
        (Rm::Index(ARENA, Gpr::RSI, 0, 0), Some(outside))
    }

    /// The address of an array's element, without a call, unless the key lies outside of the arena.
    fn look_up_array(&mut self, site: u32, array: ArrayLayout, key: Option<i32>) {
        let (key, outside) = self.key(Size::W, key);
        let (absent, back) = (self.asm.label(), self.asm.label());
        let asm = &mut self.asm;
        asm.load(4, false, Gpr::RAX, key);
        asm.op_imm(false, Op::Cmp, Rm::Reg(Gpr::RAX), array.count as i32);
        asm.jump_if(Cc::AboveEqual, absent);
        match array.stride {
            stride if stride.is_power_of_two() => {
                asm.shift_imm(true, Shift::Shl, Gpr::RAX, stride.trailing_zeros() as u8);
            }
            stride => asm.imul_imm(true, Gpr::RAX, Gpr::RAX, stride as i32),
        }
        asm.op_imm(true, Op::Add, Rm::Reg(Gpr::RAX), array.start as i32);
        asm.bind(back);
        self.cold.push((absent, Cold::Absent { back }));
        self.cold.extend(outside.map(|outside| (outside, Cold::Helper { site, back })));
    }

    /// The address of a value by a key of 4 or 8 bytes, from the map's index. The argument registers
    /// are free: what is proven does not read them after a call.
    fn look_up_index(&mut self, site: u32, index: IndexLayout, key: Option<i32>) {
        let size = if index.key_size == 4 { Size::W } else { Size::DW };
        let (from, outside) = self.key(size, key);
        let (key, row, offset) = (Gpr::RDX, Gpr::R11, Gpr::R10);
        let back = self.asm.label();
        let (again, other) = (self.asm.label(), self.asm.label());
        let place = |displacement: u64| Rm::Index(ARENA, offset, 0, (index.start + displacement) as i32);
        let asm = &mut self.asm;
        asm.load(size.bytes(), false, key, from);
        asm.mov_imm(row, MULTIPLIER);
        asm.imul(true, row, key);
        asm.shift_imm(true, Shift::Shr, row, (64 - index.bits) as u8);
        asm.bind(again);
        asm.mov(true, offset, row);
        asm.shift_imm(true, Shift::Shl, offset, 4);
        asm.load(4, false, Gpr::RAX, place(8));
        asm.cmp_mem(true, key, place(0));
        asm.jump_if(Cc::NotEqual, other);
        // 0 was never used, 1 was removed.
        asm.op_imm(false, Op::Cmp, Rm::Reg(Gpr::RAX), 1);
        asm.jump_if(Cc::Above, back);
        asm.bind(other);
        asm.test(false, Gpr::RAX, Gpr::RAX);
        asm.jump_if(Cc::Equal, back);
        asm.op_imm(false, Op::Add, Rm::Reg(row), 1);
        asm.op_imm(false, Op::And, Rm::Reg(row), (1 << index.bits) - 1);
        asm.jump(again);
        asm.bind(back);
        self.cold.extend(outside.map(|outside| (outside, Cold::Helper { site, back })));
    }
}

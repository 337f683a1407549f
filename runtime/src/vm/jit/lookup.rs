//! Look-ups in maps that the program names: which map, and which key or where in the frame it is.
//!
//! In: the call's slot; the proof or the instructions in front of it say the rest. Machines make code of it that
//! calls nobody. Where nobody but the host needs the pointer to the map it is not loaded.

use skep_stdlib::isa::{AluOp, CallTarget, Cond, Imm64, Insn, Operand, Reg, Size, Width};

use super::What;
use super::arch;
use super::flow::{Effects, bit};
use super::labels::Label;
use super::translate::{MAP_LOOKUP, Translator};
use crate::maps::{ArrayLayout, IndexLayout};
use crate::object::Program;
use crate::vm::interp::FRAME_SIZE;

/// Instructions that are looked back at for the arguments.
const HORIZON: usize = 16;

/// What a call's arguments are known to be.
#[derive(Clone, Copy, Default)]
struct Arguments {
    /// The map in `r1`.
    map: Option<u32>,
    /// The distance of the key in `r2` from the frame pointer.
    key: Option<i32>,
    /// The key itself.
    constant: Option<u32>,
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
        let proven = self.facts.and_then(|facts| facts.look_up(slot));
        let mut arguments = Arguments {
            map: proven.map(|proven| proven.map),
            key: None,
            constant: proven.and_then(|proven| proven.key),
        };
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

    /// Is the pointer to a map that is loaded into `r1` at `slot` only for a look-up that does without?
    pub fn is_spared(&self, program: &Program, slot: u32) -> bool {
        let call = slot + 2;
        let is_lookup = matches!(program.code.at(call), Some(Insn::Call(CallTarget::Helper(MAP_LOOKUP))));
        // What is proven does not read `r1` after the call.
        if !is_lookup || !self.is_proven() || self.is_leader[call as usize] || call >= self.function.end {
            return false;
        }
        let Arguments { map, key, constant } = self.arguments(program, call);
        map.is_some_and(|map| {
            match (self.source.maps.array_layout(map), self.source.maps.index_layout(map)) {
                (Some(_), _) => constant.is_some() || in_frame(Size::W, key).is_some(),
                (None, Some(index)) => in_frame(index.key(), key).is_some(),
                (None, None) => false,
            }
        })
    }

    /// Is what is in `r2` at `slot` only for a look-up that follows and knows it? Then nothing else is read
    /// there before it is written again.
    pub fn is_spared_key(&self, program: &Program, slot: u32) -> bool {
        let is_map = |insn: &Insn| matches!(insn, Insn::LoadImm64 { dst: Reg::R1, value: Imm64::MapIdx(_) });
        program.code.at(slot).is_some_and(is_map)
            && !self.is_leader[slot as usize]
            && self.is_spared(program, slot)
    }

    /// Translates the call at `slot`, and what follows if that looks whether there was a value. Returns
    /// the slot after it.
    pub fn look_up(&mut self, program: &Program, slot: u32, what: What) -> u32 {
        let arguments = self.arguments(program, slot);
        let map = arguments.map.filter(|&map| self.source.maps.holds_values(map));
        let array = map.and_then(|map| self.source.maps.array_layout(map));
        if let (Some(array), Some(key)) = (array, arguments.constant) {
            return self.look_up_constant(program, slot, array.address(key));
        }
        let site = self.site(slot, map.map_or(what, What::Lookup));
        if let Some(array) = array {
            return self.look_up_array(program, site, array, arguments.key);
        }
        // What others have written into an index would keep its code from ending.
        let index = map.and_then(|map| self.source.maps.index_layout(map));
        match index.filter(|_| self.is_proven()) {
            Some(index) => self.look_up_index(site, index, arguments.key),
            None => self.call_site(site, false),
        }
        slot + 1
    }

    /// The address of an element that is the same in every run; none if the array has no such element.
    fn look_up_constant(&mut self, program: &Program, slot: u32, address: Option<u64>) -> u32 {
        self.constant(arch::gpr(Reg::R0), address.unwrap_or(0));
        match (self.asked(program, slot), address) {
            (Some(Ok(absent)), None) => self.asm.jump(absent),
            (Some(Err(present)), Some(_)) => self.asm.jump(present),
            (Some(_), _) => {}
            (None, _) => return slot + 1,
        }
        slot + 2
    }

    /// The branch behind the call at a slot, if it asks whether there is a value: where it leads when
    /// there is none, else where it leads when there is one.
    pub fn asked(&mut self, program: &Program, call: u32) -> Option<Result<Label, Label>> {
        let slot = call + 1;
        let Insn::Branch { width: Width::W64, cond, dst: Reg::R0, src: Operand::Imm(0), off } =
            *program.code.at(slot).filter(|_| slot < self.function.end)?
        else {
            return None;
        };
        if self.is_leader[slot as usize] || !self.is_proven() {
            return None;
        }
        if !matches!(cond, Cond::Eq | Cond::Ne) {
            return None;
        }
        let to = self.target(slot, off.into(), self.known.called());
        Some(if cond == Cond::Eq { Ok(to) } else { Err(to) })
    }
}

/// The distance of a key of this size from the frame pointer, if that is in the frame.
pub fn in_frame(size: Size, key: Option<i32>) -> Option<i32> {
    key.filter(|&key| key >= -(FRAME_SIZE as i32) && key <= -(size.bytes() as i32))
}

impl ArrayLayout {
    /// Where the element with this key is, if there is one.
    fn address(&self, key: u32) -> Option<u64> {
        (key < self.count).then(|| self.start + u64::from(key) * u64::from(self.stride))
    }
}

impl IndexLayout {
    /// The size of keys.
    pub fn key(&self) -> Size {
        if self.key_size == 4 { Size::W } else { Size::DW }
    }
}

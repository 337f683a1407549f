//! Constants of programs under masks: `mov r9d, value ^ mask; xor r9d, mask`.

use super::Translator;
use super::asm::{Gpr, Op, Rm};

impl Translator<'_> {
    /// `to = value`, a constant of the program. Changes the flags, and `r9` if the value is long.
    pub fn constant(&mut self, to: Gpr, value: u64) {
        let Some(mask) = self.masks.take() else { return self.asm.mov_imm(to, value) };
        let is_signed = i64::from(value as i32) as u64 == value;
        if is_signed || u32::try_from(value).is_ok() {
            let mask = mask as u32;
            self.asm.mov_imm(to, u64::from(value as u32 ^ mask));
            self.asm.op_imm(false, Op::Xor, Rm::Reg(to), mask as i32);
            if is_signed {
                self.asm.load(4, true, to, Rm::Reg(to));
            }
            return;
        }
        self.asm.mov_imm(to, value ^ mask);
        self.asm.mov_imm(Gpr::R9, mask);
        self.asm.op(true, Op::Xor, to, Gpr::R9);
    }

    /// An immediate in a register, for an operation that must not have it in itself.
    pub fn blinded(&mut self, imm: i32) -> Gpr {
        self.constant(Gpr::R9, i64::from(imm) as u64);
        Gpr::R9
    }
}

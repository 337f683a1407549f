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

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use skep_stdlib::isa::asm;

    use super::super::Features;
    use crate::helpers::HelperTable;
    use crate::maps::MapSet;
    use crate::object::{Code, Image};
    use crate::vm::jit::{Source, translate::translate};

    /// The program's code without a proof, with what is behind the function.
    fn code(text: &str, seed: Option<u64>) -> Vec<u8> {
        let image = Image::bare("xdp", Code::new(asm::assemble(text).unwrap())).unwrap();
        let (maps, helpers) = (MapSet::default(), HelperTable::new(&Default::default()));
        let source = Source {
            image: &image,
            facts: None,
            helpers: &helpers,
            maps: &maps,
            stack: 0x1000_0000,
            frames: 8,
            soft_faults: false,
            features: Features { bmi2: true },
            seed,
        };
        translate(&source).code
    }

    #[test]
    fn no_constant_is_in_the_code() {
        let instructions = [
            "r1 = 0x11223344",
            "w1 = 0x11223344",
            "r1 += 0x11223344",
            "w1 -= 0x11223344",
            "r1 &= 0x11223344",
            "r1 *= 0x11223344",
            "r1 /= 0x11223344",
            "r1 s%= 0x11223344",
            "if r1 > 0x11223344 goto out",
            "if r1 & 0x11223344 goto out",
            "if w1 s< 0x11223344 goto out",
            "*(u32 *)(r10 - 4) = 0x11223344",
            "*(u64 *)(r1 + 0) = 0x11223344",
            "r2 = r1; r2 += 0x11223344",
            "r1 = 0x1122334455667788 ll",
            "r0 = *(u32 *)skb[0x11223344]",
            "r0 = *(u32 *)skb[r1 + 0x11223344]",
        ];
        let chosen = [&[0x44u8, 0x33, 0x22, 0x11][..], &[0x88, 0x77, 0x66, 0x55]];
        for text in instructions {
            let text = alloc::format!("{text}; out: exit");
            let has = |seed| {
                let code = code(&text, seed);
                chosen.iter().any(|chosen| code.windows(4).any(|bytes| bytes == *chosen))
            };
            assert!(has(None), "{text}");
            assert!(!has(Some(7)), "{text}");
        }
    }
}

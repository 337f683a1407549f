//! Masks for constant blinding: the constants of a program are not in its code.
//!
//! Who chooses a program chooses the bytes of its constants, and could jump into the middle of them if
//! something else let him jump anywhere. So with a seed each constant is in the code under a mask of its own,
//! and taken out of it in a scratch register. Distances of jumps, offsets of accesses and counts of shifts
//! stay, as they do in the kernel: too few of their bits are free.

/// Where masks come from.
pub struct Masks {
    /// The state of SplitMix64; none where nothing is blinded.
    state: Option<u64>,
}

impl Masks {
    /// Those that follow from a seed, if there is one.
    pub fn new(seed: Option<u64>) -> Masks {
        Masks { state: seed }
    }

    /// Are there any?
    pub fn are_wanted(&self) -> bool {
        self.state.is_some()
    }

    /// Another one, if they are wanted.
    pub fn take(&mut self) -> Option<u64> {
        let state = self.state?.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state = Some(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use skep_stdlib::isa::asm;

    use crate::helpers::HelperTable;
    use crate::maps::MapSet;
    use crate::object::{Code, Image};
    use crate::vm::jit::translate::translate;
    use crate::vm::jit::{Features, Source};

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
            features: Features::here(),
            seed,
        };
        translate(&source).code
    }

    /// Is this number in the code, as an operand of four bytes?
    #[cfg(target_arch = "x86_64")]
    fn holds(code: &[u8], chosen: u32) -> bool {
        code.windows(4).any(|bytes| bytes == chosen.to_le_bytes())
    }

    /// Is this number in the code, as the operand of a move of 16 bits?
    #[cfg(target_arch = "aarch64")]
    fn holds(code: &[u8], chosen: u32) -> bool {
        let words = code.chunks_exact(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
        words.into_iter().any(|word| word >> 23 & 0x3f == 0x25 && word >> 5 & 0xffff == chosen & 0xffff)
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
        for text in instructions {
            let text = alloc::format!("{text}; out: exit");
            let has = |seed| {
                let code = code(&text, seed);
                [0x1122_3344, 0x5566_7788].iter().any(|&chosen| holds(&code, chosen))
            };
            assert!(has(None), "{text}");
            assert!(!has(Some(7)), "{text}");
        }
    }
}

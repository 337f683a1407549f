//! Programs that are nearly right: an instruction of one that is right, changed a little.

use crate::random::Random;

/// Immediate values at which checks change their mind.
const IMMEDIATES: &[i32] =
    &[0, 1, -1, 2, 3, 7, 8, -8, 16, 31, 32, 63, 64, 255, 256, 511, 512, 4096, i32::MAX, i32::MIN];

/// Codes of binary arithmetic and of conditions, as the upper four bits of an opcode.
const OPERATIONS: &[u8] = &[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12];
const CONDITIONS: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13];

/// Changes one instruction of a program, of little-endian bytes, or swaps two.
pub fn change(bytes: &mut [u8], random: &mut Random) {
    let count = bytes.len() / 8;
    let at = random.below(count) * 8;
    let code = bytes[at];
    match random.below(8) {
        0 => bytes[at + 1] = (bytes[at + 1] & 0xf0) | random.below(11) as u8,
        1 => bytes[at + 1] = (bytes[at + 1] & 0x0f) | ((random.below(11) as u8) << 4),
        2 => bytes[at + 4..at + 8].copy_from_slice(&random.pick(IMMEDIATES).to_le_bytes()),
        3 => {
            let old = i16::from_le_bytes([bytes[at + 2], bytes[at + 3]]);
            let new = old.wrapping_add(*random.pick(&[1, -1, 2, -2, 4, -4, 8, -8]));
            bytes[at + 2..at + 4].copy_from_slice(&new.to_le_bytes());
        }
        4 => {
            bytes[at] = match code & 7 {
                4 | 7 => (code & 0x0f) | (*random.pick(OPERATIONS) << 4),
                5 | 6 => (code & 0x0f) | (*random.pick(CONDITIONS) << 4),
                // Another size of access.
                _ => (code & !0x18) | ((random.below(4) as u8) << 3),
            };
        }
        // The other width of arithmetic or comparison; a load becomes a store.
        5 => bytes[at] ^= 3,
        // An immediate becomes a register, or the reverse.
        6 => bytes[at] ^= 8,
        _ => {
            let other = random.below(count) * 8;
            for byte in 0..8 {
                bytes.swap(at + byte, other + byte);
            }
        }
    }
}

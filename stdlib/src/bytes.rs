//! Byte order, and bounds-checked reads and writes in it.
//!
//! BPF objects exist in both orders (`bpfel`, `bpfeb`), whatever the machine that reads them.
//! Every binary reader of this crate goes through these functions, so no index is derived from
//! input without a check.

use alloc::vec::Vec;

/// The order in which a BPF object stores multi-byte values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum ByteOrder {
    /// Least significant byte first (`bpfel`, `bpf` on most machines).
    #[default]
    Little,
    /// Most significant byte first (`bpfeb`).
    Big,
}

impl ByteOrder {
    /// The order of the machine this code runs on.
    pub const HOST: ByteOrder = if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };

    /// The 16-bit value at `at`, if the bytes reach that far.
    pub fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw = array(bytes, at)?;
        Some(match self {
            ByteOrder::Little => u16::from_le_bytes(raw),
            ByteOrder::Big => u16::from_be_bytes(raw),
        })
    }

    /// The 32-bit value at `at`, if the bytes reach that far.
    pub fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw = array(bytes, at)?;
        Some(match self {
            ByteOrder::Little => u32::from_le_bytes(raw),
            ByteOrder::Big => u32::from_be_bytes(raw),
        })
    }

    /// The 64-bit value at `at`, if the bytes reach that far.
    pub fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let raw = array(bytes, at)?;
        Some(match self {
            ByteOrder::Little => u64::from_le_bytes(raw),
            ByteOrder::Big => u64::from_be_bytes(raw),
        })
    }

    /// Appends a 16-bit value.
    pub fn put_u16(self, out: &mut Vec<u8>, value: u16) {
        out.extend_from_slice(&match self {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        });
    }

    /// Appends a 32-bit value.
    pub fn put_u32(self, out: &mut Vec<u8>, value: u32) {
        out.extend_from_slice(&match self {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        });
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

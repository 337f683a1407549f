//! Kernel functions that can be executed: those that need nothing of a kernel.
//!
//! They are known by name; a program calls them by the number that the target's BTF gives them.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Space;

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_iter_num_new", iter_num_new),
    ("bpf_iter_num_next", iter_num_next),
    ("bpf_iter_num_destroy", iter_num_destroy),
    ("bpf_iter_bits_new", iter_bits_new),
    ("bpf_iter_bits_next", iter_bits_next),
    ("bpf_iter_bits_destroy", iter_bits_destroy),
    ("bpf_throw", |_, [number, ..]| Err(Stop::Throw(number))),
    ("bpf_rcu_read_lock", |_, _| Ok(0)),
    ("bpf_rcu_read_unlock", |_, _| Ok(0)),
    ("bpf_preempt_disable", |_, _| Ok(0)),
    ("bpf_preempt_enable", |_, _| Ok(0)),
    ("bpf_res_spin_lock", take_lock),
    ("bpf_res_spin_lock_irqsave", take_lock),
    ("bpf_res_spin_unlock", give_lock_back),
    ("bpf_res_spin_unlock_irqrestore", give_lock_back),
];

/// Most words of an iterator over bits.
const MAX_WORDS: u32 = 511;
/// Most steps of a number iterator.
const MAX_LOOPS: i64 = 1 << 23;

/// `struct bpf_iter_num` in the program's stack: the current number and the end.
fn write_iter(cx: &mut Cx<'_>, at: u64, current: i32, end: i32) -> Result<(), Stop> {
    cx.write(at, &current.to_le_bytes())?;
    cx.write(at + 4, &end.to_le_bytes())
}

/// Takes a resilient lock. Nothing else runs meanwhile: one that is held is held by the program itself.
fn take_lock(cx: &mut Cx<'_>, [lock, ..]: [u64; 5]) -> Result<u64, Stop> {
    let held = cx.bytes(lock, 4)?.iter().any(|&byte| byte != 0);
    if held {
        // A number of 32 bits, as in the kernel.
        return Ok(Errno::EDEADLK.int());
    }
    cx.write(lock, &1u32.to_le_bytes())?;
    Ok(0)
}

fn give_lock_back(cx: &mut Cx<'_>, [lock, ..]: [u64; 5]) -> Result<u64, Stop> {
    cx.write(lock, &[0; 4])?;
    Ok(0)
}

fn iter_num_new(cx: &mut Cx<'_>, [at, start, end, ..]: [u64; 5]) -> Result<u64, Stop> {
    let (start, end) = (start as i32, end as i32);
    let (answer, current, end) = if start > end {
        (Errno::EINVAL.code(), 0, 0)
    } else if i64::from(end) - i64::from(start) > MAX_LOOPS {
        (Errno::E2BIG.code(), 0, 0)
    } else {
        (0, start.wrapping_sub(1), end)
    };
    write_iter(cx, at, current, end)?;
    Ok(answer)
}

/// The address of the current number, or null at the end.
fn iter_num_next(cx: &mut Cx<'_>, [at, ..]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(at, 8)?;
    let word =
        |from: usize| bytes.get(from..).and_then(|rest| rest.first_chunk()).map(|w| i32::from_le_bytes(*w));
    let (current, end) = (word(0).unwrap_or(0), word(4).unwrap_or(0));
    let next = current.wrapping_add(1);
    if next >= end {
        write_iter(cx, at, 0, 0)?;
        return Ok(0);
    }
    write_iter(cx, at, next, end)?;
    Ok(at)
}

fn iter_num_destroy(cx: &mut Cx<'_>, [at, ..]: [u64; 5]) -> Result<u64, Stop> {
    write_iter(cx, at, 0, 0)?;
    Ok(0)
}

/// `struct bpf_iter_bits` in the program's stack: the address of a copy of the bits, how many there
/// are, and the current one.
fn write_bits(cx: &mut Cx<'_>, at: u64, copy: u64, count: u32, current: i32) -> Result<(), Stop> {
    cx.write(at, &copy.to_le_bytes())?;
    write_iter(cx, at + 8, count as i32, current)
}

fn iter_bits_new(cx: &mut Cx<'_>, [at, bits, words, ..]: [u64; 5]) -> Result<u64, Stop> {
    let words = words as u32;
    write_bits(cx, at, 0, 0, -1)?;
    if bits == 0 || words == 0 {
        return Ok(Errno::EINVAL.code());
    }
    if words > MAX_WORDS {
        return Ok(Errno::E2BIG.code());
    }
    let len = u64::from(words) * 8;
    let own = cx.env.memory.read(bits, len);
    let Some(bytes) = own.or_else(|| cx.env.memory.foreign.read(Space::Kernel, bits, len)) else {
        return Ok(Errno::EFAULT.code());
    };
    let bytes = bytes.to_vec();
    let Some(copy) = super::control::scratch(cx.env, &bytes) else { return Ok(Errno::ENOMEM.code()) };
    write_bits(cx, at, copy, words * 64, -1)?;
    Ok(0)
}

/// The address of the number of the next bit that is set, or null.
fn iter_bits_next(cx: &mut Cx<'_>, [at, ..]: [u64; 5]) -> Result<u64, Stop> {
    let state = cx.bytes(at, 16)?;
    let word = |from: usize| {
        state.get(from..).and_then(|rest| rest.first_chunk()).map_or(0, |w| u32::from_le_bytes(*w))
    };
    let (copy, count, current) = (u64::from(word(0)), word(8), word(12));
    for bit in current.wrapping_add(1)..count {
        let byte = cx.bytes(copy + u64::from(bit / 8), 1)?;
        if byte.first().is_some_and(|byte| byte >> (bit % 8) & 1 != 0) {
            cx.write(at + 12, &bit.to_le_bytes())?;
            return Ok(at + 12);
        }
    }
    write_bits(cx, at, copy, 0, -1)?;
    Ok(0)
}

fn iter_bits_destroy(cx: &mut Cx<'_>, [at, ..]: [u64; 5]) -> Result<u64, Stop> {
    let copy = cx.bytes(at, 8)?.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    if copy != 0 {
        cx.env.memory.free(copy);
    }
    write_bits(cx, at, 0, 0, -1)?;
    Ok(0)
}

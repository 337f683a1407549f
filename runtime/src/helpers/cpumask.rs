//! Sets of processors: those that programs make, and those that they find in the kernel's structures.

use alloc::vec::Vec;

use super::object::{acquire, drop, place};
use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::{Layout, Space};

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_cpumask_create", create),
    ("bpf_cpumask_acquire", acquire),
    ("bpf_cpumask_release", |cx, [mask, ..]| drop(cx, mask)),
    ("bpf_cpumask_first", |cx, [mask, ..]| first(cx, &mask_at(cx, mask)?, true)),
    ("bpf_cpumask_first_zero", |cx, [mask, ..]| first(cx, &mask_at(cx, mask)?, false)),
    ("bpf_cpumask_first_and", |cx, [a, b, ..]| first(cx, &join(cx, a, b, |a, b| a & b)?, true)),
    ("bpf_cpumask_any_distribute", |cx, [mask, ..]| first(cx, &mask_at(cx, mask)?, true)),
    ("bpf_cpumask_any_and_distribute", |cx, [a, b, ..]| first(cx, &join(cx, a, b, |a, b| a & b)?, true)),
    ("bpf_cpumask_set_cpu", |cx, [cpu, mask, ..]| change(cx, cpu, mask, Some(true)).map(|_| 0)),
    ("bpf_cpumask_clear_cpu", |cx, [cpu, mask, ..]| change(cx, cpu, mask, Some(false)).map(|_| 0)),
    ("bpf_cpumask_test_cpu", |cx, [cpu, mask, ..]| change(cx, cpu, mask, None)),
    ("bpf_cpumask_test_and_set_cpu", |cx, [cpu, mask, ..]| change(cx, cpu, mask, Some(true))),
    ("bpf_cpumask_test_and_clear_cpu", |cx, [cpu, mask, ..]| change(cx, cpu, mask, Some(false))),
    ("bpf_cpumask_setall", |cx, [mask, ..]| put(cx, mask, &all(cx)).map(|_| 0)),
    ("bpf_cpumask_clear", |cx, [mask, ..]| put(cx, mask, &[]).map(|_| 0)),
    ("bpf_cpumask_and", |cx, [to, a, b, ..]| put(cx, to, &join(cx, a, b, |a, b| a & b)?)),
    ("bpf_cpumask_or", |cx, [to, a, b, ..]| put(cx, to, &join(cx, a, b, |a, b| a | b)?).map(|_| 0)),
    ("bpf_cpumask_xor", |cx, [to, a, b, ..]| put(cx, to, &join(cx, a, b, |a, b| a ^ b)?).map(|_| 0)),
    ("bpf_cpumask_copy", |cx, [to, from, ..]| put(cx, to, &mask_at(cx, from)?).map(|_| 0)),
    ("bpf_cpumask_equal", |cx, [a, b, ..]| Ok(u64::from(is_empty(&join(cx, a, b, |a, b| a ^ b)?)))),
    ("bpf_cpumask_intersects", |cx, [a, b, ..]| Ok(u64::from(!is_empty(&join(cx, a, b, |a, b| a & b)?)))),
    ("bpf_cpumask_subset", |cx, [a, b, ..]| Ok(u64::from(is_empty(&join(cx, a, b, |a, b| a & !b)?)))),
    ("bpf_cpumask_empty", |cx, [mask, ..]| Ok(u64::from(is_empty(&mask_at(cx, mask)?)))),
    ("bpf_cpumask_full", |cx, [mask, ..]| Ok(u64::from(mask_at(cx, mask)? == all(cx)))),
    ("bpf_cpumask_weight", |cx, [mask, ..]| {
        Ok(mask_at(cx, mask)?.iter().map(|byte| u64::from(byte.count_ones())).sum())
    }),
    ("bpf_cpumask_populate", populate),
];

/// Bytes of a `struct bpf_cpumask`: the bits of the most processors there can be, and its references.
const SIZE: u32 = 1024 + 8;

fn create(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    Ok(place(cx, Layout::bytes(SIZE), 0).unwrap_or(0))
}

/// All processors.
fn all(cx: &Cx<'_>) -> Vec<u8> {
    let cpus = cx.env.host.cpus();
    (0..cpus.div_ceil(8)).map(|byte| u8::MAX >> (8 - (cpus - byte * 8).min(8))).collect()
}

fn is_empty(mask: &[u8]) -> bool {
    mask.iter().all(|&byte| byte == 0)
}

/// The processors in a set, in the program's memory or the kernel's; none where there is no memory.
fn mask_at(cx: &Cx<'_>, at: u64) -> Result<Vec<u8>, Stop> {
    let known = cx.foreign_rest(at, &[Space::Kernel]).unwrap_or_default();
    let bytes = known.iter().chain(core::iter::repeat(&0));
    Ok(all(cx).iter().zip(bytes).map(|(all, byte)| all & byte).collect())
}

fn join(cx: &Cx<'_>, a: u64, b: u64, op: impl Fn(u8, u8) -> u8) -> Result<Vec<u8>, Stop> {
    let (a, b) = (mask_at(cx, a)?, mask_at(cx, b)?);
    Ok(a.iter().zip(&b).zip(all(cx)).map(|((&a, &b), all)| op(a, b) & all).collect())
}

/// Says whether anything is in the set.
fn put(cx: &mut Cx<'_>, at: u64, mask: &[u8]) -> Result<u64, Stop> {
    let len = all(cx).len();
    let bytes = mask.iter().copied().chain(core::iter::repeat(0));
    for (to, from) in cx.bytes_mut(at, len as u64)?.iter_mut().zip(bytes) {
        *to = from;
    }
    Ok(u64::from(!is_empty(mask)))
}

/// The first processor that is in the set, or is not; as many as there are if there is none.
fn first(cx: &Cx<'_>, mask: &[u8], is_in: bool) -> Result<u64, Stop> {
    let cpus = cx.env.host.cpus();
    let holds = |cpu: u32| mask.get((cpu / 8) as usize).is_some_and(|byte| byte >> (cpu % 8) & 1 != 0);
    Ok(u64::from((0..cpus).find(|&cpu| holds(cpu) == is_in).unwrap_or(cpus)))
}

/// Puts a processor in or takes it out. Says whether it was in.
fn change(cx: &mut Cx<'_>, cpu: u64, at: u64, to: Option<bool>) -> Result<u64, Stop> {
    let cpu = cpu as u32;
    if cpu >= cx.env.host.cpus() {
        return Ok(0);
    }
    let mut mask = mask_at(cx, at)?;
    let Some(byte) = mask.get_mut((cpu / 8) as usize) else { return Ok(0) };
    let was_in = *byte >> (cpu % 8) & 1 != 0;
    match to {
        Some(true) => *byte |= 1 << (cpu % 8),
        Some(false) => *byte &= !(1 << (cpu % 8)),
        None => return Ok(u64::from(was_in)),
    }
    put(cx, at, &mask)?;
    Ok(u64::from(was_in))
}

fn populate(cx: &mut Cx<'_>, [to, from, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let words = u64::from(cx.env.host.cpus().div_ceil(64));
    if size < words * 8 {
        return Ok(Errno::EACCES.int());
    }
    let bytes = cx.bytes(from, words * 8)?;
    put(cx, to, &bytes)?;
    Ok(0)
}

//! Helpers that steer the program: loops, callbacks, tail calls; and locks, which one thread
//! always gets.

use skep_stdlib::maps::MapType;

use super::{Cx, Entry, Stop, bad};
use crate::maps::Errno;
use crate::vm::{Env, FaultKind, Layout};

pub(super) const HELPERS: &[Entry] = &[
    ("loop", bpf_loop),
    ("for_each_map_elem", for_each_map_elem),
    ("tail_call", tail_call),
    ("spin_lock", spin_lock),
    ("spin_unlock", spin_lock),
    ("kptr_xchg", kptr_xchg),
    ("get_attach_cookie", |cx, _| Ok(cx.env.cookie)),
    ("per_cpu_ptr", per_cpu_ptr),
    ("this_cpu_ptr", |cx, [pointer, ..]| Ok(own_copy(cx, pointer, cx.env.host.cpu()))),
];

/// Most iterations of `bpf_loop`.
const MAX_LOOPS: u64 = 1 << 23;

fn bpf_loop(cx: &mut Cx<'_>, [count, function, data, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let count = u64::from(count as u32);
    if flags != 0 {
        return Ok(Errno::EINVAL.code());
    }
    if count > MAX_LOOPS {
        return Ok(Errno::E2BIG.code());
    }
    for index in 0..count {
        if cx.caller.call_back(cx.env, function, [index, data, 0, 0, 0])? != 0 {
            return Ok(index + 1);
        }
    }
    Ok(count)
}

/// The callback gets the key in memory of its own, as long as the iteration lasts.
fn for_each_map_elem(cx: &mut Cx<'_>, [map, function, data, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let cpu = cx.env.host.cpu();
    let (entry, memory) = cx.map(map, "for_each_map_elem", 1)?;
    let iterable = matches!(
        entry.def.ty,
        MapType::Array
            | MapType::PercpuArray
            | MapType::Hash
            | MapType::PercpuHash
            | MapType::LruHash
            | MapType::LruPercpuHash
    );
    if flags != 0 || !iterable {
        return Ok(Errno::EINVAL.code());
    }
    let keys = entry.keys();
    let scratch = memory.alloc(Layout::bytes(entry.def.key_size), true);
    let Ok(scratch) = scratch else { return Ok(Errno::ENOMEM.code()) };
    let result = each(cx, [map, function, data, scratch], keys, cpu);
    cx.env.memory.free(scratch);
    result
}

fn each(
    cx: &mut Cx<'_>,
    [map, function, data, scratch]: [u64; 4],
    keys: alloc::vec::Vec<alloc::vec::Vec<u8>>,
    cpu: u32,
) -> Result<u64, Stop> {
    let mut visited = 0;
    for key in keys {
        let (entry, memory) = cx.map(map, "for_each_map_elem", 1)?;
        // An earlier callback may have deleted it.
        let Some(value) = entry.lookup(&key, cpu) else { continue };
        let size = key.len() as u64;
        memory.fill(scratch, &key).ok_or(FaultKind::Access { address: scratch, size, write: true })?;
        visited += 1;
        if cx.caller.call_back(cx.env, function, [map, scratch, value, data, 0])? != 0 {
            break;
        }
    }
    Ok(visited)
}

/// Returns only if there is no program to go to.
fn tail_call(cx: &mut Cx<'_>, [_, map, index, ..]: [u64; 5]) -> Result<u64, Stop> {
    let (entry, _) = cx.map(map, "tail_call", 2)?;
    if entry.def.ty != MapType::ProgArray {
        return Err(bad("tail_call", 2, "is not a program array"));
    }
    match entry.handle(&(index as u32).to_le_bytes()) {
        Some(program) if cx.caller.may_tail_call(program) => Err(Stop::TailCall(program as usize)),
        _ => Ok(Errno::ENOENT.code()),
    }
}

fn spin_lock(cx: &mut Cx<'_>, [lock, ..]: [u64; 5]) -> Result<u64, Stop> {
    cx.bytes_mut(lock, 4)?;
    Ok(0)
}

fn kptr_xchg(cx: &mut Cx<'_>, [place, new, ..]: [u64; 5]) -> Result<u64, Stop> {
    let bytes = cx.bytes(place, 8)?;
    cx.write(place, &new.to_le_bytes())?;
    Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
}

/// The copy of an object that a processor has.
fn own_copy(cx: &Cx<'_>, pointer: u64, cpu: u32) -> u64 {
    let stride = cx.env.objects.get(&pointer).map_or(0, |object| object.stride);
    pointer + u64::from(cpu) * u64::from(stride)
}

/// Bytes in memory of their own, to be freed by who asked.
pub(super) fn scratch(env: &mut Env, bytes: &[u8]) -> Option<u64> {
    let address = env.memory.alloc(Layout::bytes(bytes.len() as u32), true).ok()?;
    env.memory.fill(address, bytes)?;
    Some(address)
}

/// Kernel variables have one copy here, which every CPU sees.
fn per_cpu_ptr(cx: &mut Cx<'_>, [pointer, cpu, ..]: [u64; 5]) -> Result<u64, Stop> {
    let cpu = cpu as u32;
    Ok(if cpu < cx.env.host.cpus() { own_copy(cx, pointer, cpu) } else { 0 })
}

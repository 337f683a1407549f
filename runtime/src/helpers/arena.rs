//! Pages of arenas.

use super::{Cx, Entry, Stop, bad};
use crate::maps::Arena;
use crate::vm::{FaultKind, Memory};

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_arena_alloc_pages", |cx, [map, address, pages, _, flags]| {
        let (arena, memory) = arena(cx, map, "bpf_arena_alloc_pages")?;
        if flags != 0 {
            return Ok(0);
        }
        let taken = arena.take(memory, address, pages as u32);
        taken.map_or_else(|| absent(arena, address, pages, 0), Ok)
    }),
    ("bpf_arena_free_pages", |cx, [map, address, pages, ..]| {
        let (arena, memory) = arena(cx, map, "bpf_arena_free_pages")?;
        if address != 0 {
            arena.give(memory, address, pages as u32);
        }
        Ok(0)
    }),
    ("bpf_arena_reserve_pages", |cx, [map, address, pages, ..]| {
        let (arena, memory) = arena(cx, map, "bpf_arena_reserve_pages")?;
        let done = if pages as u32 == 0 { Ok(()) } else { arena.reserve(memory, address, pages as u32) };
        done.map_or_else(|errno| absent(arena, address, pages, errno.int()), |()| Ok(0))
    }),
];

/// What a program gets that does not get pages: that there are fewer of them here must not pass for an answer.
fn absent(arena: &Arena, address: u64, pages: u64, answer: u64) -> Result<u64, Stop> {
    match arena.lacks(address, pages as u32) {
        true => Err(FaultKind::Unsupported("a page of an arena behind its first 16 MB".into()).into()),
        false => Ok(answer),
    }
}

fn arena<'c>(
    cx: &'c mut Cx<'_>,
    map: u64,
    name: &'static str,
) -> Result<(&'c mut Arena, &'c mut Memory), Stop> {
    let (entry, memory) = cx.map(map, name, 1)?;
    Ok((entry.ops().arena().ok_or(bad(name, 1, "is not an arena"))?, memory))
}

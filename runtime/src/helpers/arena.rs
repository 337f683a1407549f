//! Pages of arenas.

use super::{Cx, Entry, Stop, bad};
use crate::maps::{Arena, Errno};
use crate::vm::Memory;

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_arena_alloc_pages", |cx, [map, address, pages, _, flags]| {
        let (arena, memory) = arena(cx, map, "bpf_arena_alloc_pages")?;
        Ok(if flags == 0 { arena.take(memory, address, pages as u32).unwrap_or(0) } else { 0 })
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
        Ok(done.map_or_else(Errno::int, |()| 0))
    }),
];

fn arena<'c>(
    cx: &'c mut Cx<'_>,
    map: u64,
    name: &'static str,
) -> Result<(&'c mut Arena, &'c mut Memory), Stop> {
    let (entry, memory) = cx.map(map, name, 1)?;
    Ok((entry.ops().arena().ok_or(bad(name, 1, "is not an arena"))?, memory))
}

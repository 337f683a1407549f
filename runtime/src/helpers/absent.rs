//! What a kernel answers that has none of it: no branch records, no measured files, no module symbols, one
//! level of control groups. And names that the kernel's types or the mocked memory tell.

use alloc::string::String;
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Kind};

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::verify::members::named;
use crate::vm::Space;

pub(super) const HELPERS: &[Entry] = &[
    ("get_branch_snapshot", |_, [_, _, flags, ..]| {
        Ok(if flags == 0 { Errno::ENOENT.code() } else { Errno::EINVAL.code() })
    }),
    ("read_branch_records", |_, [_, _, _, flags, _]| {
        Ok(if flags & !BRANCH_SIZE == 0 { Errno::ENOENT.code() } else { Errno::EINVAL.code() })
    }),
    ("perf_prog_read_value", perf_prog_read_value),
    ("ima_inode_hash", |_, _| Ok(Errno::EOPNOTSUPP.code())),
    ("ima_file_hash", |_, _| Ok(Errno::EOPNOTSUPP.code())),
    ("sock_from_file", |_, _| Ok(0)),
    ("get_route_realm", |_, _| Ok(0)),
    ("skb_cgroup_classid", |_, _| Ok(0)),
    ("skb_get_xfrm_state", skb_get_xfrm_state),
    ("get_current_ancestor_cgroup_id", |cx, [level, ..]| Ok(ancestor(cx, level))),
    ("sk_ancestor_cgroup_id", |cx, [_, level, ..]| Ok(ancestor(cx, level))),
    ("skb_ancestor_cgroup_id", |cx, [_, level, ..]| Ok(ancestor(cx, level))),
    ("btf_find_by_name_kind", btf_find_by_name_kind),
    ("kallsyms_lookup_name", kallsyms_lookup_name),
    ("d_path", d_path),
];

/// `BPF_F_GET_BRANCH_RECORDS_SIZE`
const BRANCH_SIZE: u64 = 1;
/// Bytes of `struct bpf_perf_event_value`.
const EVENT_VALUE: u64 = 24;
/// The control group that all others are in.
const ROOT: u64 = 1;
/// Most directories of a path.
const MAX_NAMES: usize = 64;

/// The group itself is one level below the root.
fn ancestor(cx: &Cx<'_>, level: u64) -> u64 {
    match (level as i32, cx.env.host.task().cgroup_id) {
        (0, _) => ROOT,
        (1, id) if id != ROOT => id,
        _ => 0,
    }
}

/// Nothing is counted.
fn perf_prog_read_value(cx: &mut Cx<'_>, [_, to, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    cx.bytes_mut(to, size)?.fill(0);
    Ok(if size == EVENT_VALUE { 0 } else { Errno::EINVAL.code() })
}

fn skb_get_xfrm_state(cx: &mut Cx<'_>, [_, _, to, size, _]: [u64; 5]) -> Result<u64, Stop> {
    cx.bytes_mut(to, u64::from(size as u32))?.fill(0);
    Ok(Errno::EINVAL.code())
}

/// A terminated name of which the length is given; none if it is empty or does not end there.
fn name(cx: &Cx<'_>, at: u64, size: u64) -> Result<Option<String>, Stop> {
    let bytes = cx.bytes(at, u64::from(size as u32))?;
    Ok(match bytes.split_last() {
        Some((0, name)) if !name.is_empty() => {
            let len = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
            name.get(..len).and_then(|name| String::from_utf8(name.to_vec()).ok())
        }
        _ => None,
    })
}

fn btf_find_by_name_kind(cx: &mut Cx<'_>, [at, size, kind, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let Some(name) = name(cx, at, size)?.filter(|_| flags == 0) else { return Ok(Errno::EINVAL.code()) };
    let found = cx.env.kernel_btf.as_ref().and_then(|btf| btf.find(&name, Kind::from_number(kind as u32)?));
    Ok(found.map_or(Errno::ENOENT.code(), |id| u64::from(id.0)))
}

/// Only variables that the program refers to have addresses.
fn kallsyms_lookup_name(cx: &mut Cx<'_>, [at, size, flags, to, _]: [u64; 5]) -> Result<u64, Stop> {
    let Some(name) = name(cx, at, size)?.filter(|_| flags == 0) else { return Ok(Errno::EINVAL.code()) };
    let id = cx.env.kernel_btf.as_ref().and_then(|btf| btf.find(&name, Kind::Var));
    let address = id.and_then(|id| cx.env.kernel_symbols.get(&(id.0 as i32)).copied());
    cx.write(to, &address.unwrap_or(0).to_le_bytes())?;
    Ok(if address.is_some() { 0 } else { Errno::ENOENT.code() })
}

/// The sum of offsets of members of the kernel's structures.
fn offset(btf: &Btf, path: &[(&str, &str)]) -> Option<u64> {
    let one = |&(structure, name): &(&str, &str)| {
        let (offset, _) = named(btf, btf.find(structure, Kind::Struct)?, name)?;
        Some(u64::from(offset))
    };
    path.iter().map(one).sum()
}

/// The names from the root to a directory entry, as far as the mocked memory has them.
fn names(cx: &Cx<'_>, path: u64) -> Option<Vec<Vec<u8>>> {
    let btf = cx.env.kernel_btf.as_ref()?;
    let entry = offset(btf, &[("path", "dentry")])?;
    let parent = offset(btf, &[("dentry", "d_parent")])?;
    let name = offset(btf, &[("dentry", "d_name"), ("qstr", "name")])?;
    let load = |address: u64| {
        let bytes = cx.foreign_rest(address, &[Space::Kernel])?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes)).filter(|&pointer| pointer != 0)
    };
    let mut names = Vec::new();
    let mut at = load(path + entry);
    while let Some(here) = at.filter(|_| names.len() < MAX_NAMES) {
        at = load(here + parent).filter(|&above| above != here);
        let known = load(here + name).and_then(|name| cx.foreign_string(name, &[Space::Kernel, Space::User]));
        names.extend(known.filter(|name| !matches!(name.as_slice(), b"" | b"/")));
    }
    names.reverse();
    Some(names)
}

/// Returns the length with the terminator.
pub(super) fn d_path(cx: &mut Cx<'_>, [path, to, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    if size == 0 {
        return Ok(0);
    }
    let mut text = Vec::new();
    for name in names(cx, path).unwrap_or_default() {
        text.push(b'/');
        text.extend(name);
    }
    if text.is_empty() {
        text.push(b'/');
    }
    text.push(0);
    if text.len() as u64 > size {
        return Ok(Errno::ENAMETOOLONG.code());
    }
    cx.bytes_mut(to, size)?;
    cx.write(to, &text)?;
    Ok(text.len() as u64)
}

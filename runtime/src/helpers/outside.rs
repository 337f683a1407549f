//! Kernel functions about what is outside of a program: tasks, control groups, files, keys, connections.
//! There is one task; of everything else there is nothing, and that is the answer.

use super::{Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::Space;

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_task_from_vpid", |_, _| Ok(0)),
    ("bpf_task_get_cgroup1", |_, _| Ok(0)),
    ("bpf_task_under_cgroup", |_, _| Ok(0)),
    ("bpf_cgroup_ancestor", |_, _| Ok(0)),
    ("bpf_get_task_exe_file", |_, _| Ok(0)),
    ("bpf_get_kmem_cache", |_, _| Ok(0)),
    ("bpf_lookup_user_key", |_, _| Ok(0)),
    ("bpf_get_file_xattr", |_, _| Ok(Errno::EOPNOTSUPP.int())),
    ("bpf_get_dentry_xattr", |_, _| Ok(Errno::EOPNOTSUPP.int())),
    ("bpf_set_dentry_xattr", |_, _| Ok(Errno::EOPNOTSUPP.int())),
    ("bpf_remove_dentry_xattr", |_, _| Ok(Errno::EOPNOTSUPP.int())),
    ("bpf_put_file", |_, _| Ok(0)),
    ("bpf_path_d_path", |cx, [path, to, size, ..]| match size {
        0 => Ok(Errno::EINVAL.int()),
        size => super::absent::d_path(cx, [path, to, size, 0, 0]),
    }),
    // No driver has put anything in front of a packet.
    ("bpf_xdp_metadata_rx_timestamp", |_, _| Ok(Errno::EOPNOTSUPP.int())),
    ("bpf_xdp_metadata_rx_hash", |_, _| Ok(Errno::EOPNOTSUPP.int())),
    ("bpf_xdp_metadata_rx_vlan_tag", |_, _| Ok(Errno::EOPNOTSUPP.int())),
    ("bpf_skb_ct_lookup", no_connection),
    ("bpf_xdp_ct_lookup", no_connection),
    ("bpf_iter_task_new", task_new),
    ("bpf_iter_task_next", task_next),
    ("bpf_iter_task_destroy", |_, _| Ok(0)),
    ("bpf_iter_task_vma_new", |_, _| Ok(Errno::ENOENT.int())),
    ("bpf_iter_task_vma_next", |_, _| Ok(0)),
    ("bpf_iter_task_vma_destroy", |_, _| Ok(0)),
    ("bpf_iter_css_new", |_, _| Ok(0)),
    ("bpf_iter_css_next", |_, _| Ok(0)),
    ("bpf_iter_css_destroy", |_, _| Ok(0)),
    ("bpf_iter_kmem_cache_new", |_, _| Ok(0)),
    ("bpf_iter_kmem_cache_next", |_, _| Ok(0)),
    ("bpf_iter_kmem_cache_destroy", |_, _| Ok(0)),
    ("bpf_iter_dmabuf_new", |_, _| Ok(0)),
    ("bpf_iter_dmabuf_next", |_, _| Ok(0)),
    ("bpf_iter_dmabuf_destroy", |_, _| Ok(0)),
    ("bpf_session_is_return", |cx, _| Ok(u64::from(cx.env.ret.is_some()))),
    ("bpf_session_cookie", session_cookie),
    ("bpf_send_signal_task", send_signal_task),
    ("bpf_copy_from_user_str", copy_from_user_str),
    ("bpf_copy_from_user_task_str", |cx, [to, size, from, _, flags]| {
        copy_from_user_str(cx, [to, size, from, flags, 0])
    }),
    ("bpf_stream_vprintk_impl", stream_vprintk),
    ("bpf_xdp_pull_data", pull_data),
];

/// `BPF_TASK_ITER_PROC_THREADS`: the last way to go through tasks.
const LAST_WAY: u32 = 2;

/// The current task is the first and last; the iterator's word counts.
fn task_new(cx: &mut Cx<'_>, [at, _, way, ..]: [u64; 5]) -> Result<u64, Stop> {
    let is_known = way as u32 <= LAST_WAY;
    cx.write(at, &u64::from(!is_known).to_le_bytes())?;
    Ok(if is_known { 0 } else { Errno::EINVAL.int() })
}

fn task_next(cx: &mut Cx<'_>, [at, ..]: [u64; 5]) -> Result<u64, Stop> {
    let is_over = cx.bytes(at, 8)?.iter().any(|&byte| byte != 0);
    cx.write(at, &1u64.to_le_bytes())?;
    Ok(if is_over { 0 } else { cx.env.current_task() })
}

/// Bytes of `struct bpf_ct_opts`, of now and at first; and of what names a connection, by version of IP.
const OPTIONS: [u64; 2] = [12, 16];
const TUPLES: [u64; 2] = [12, 36];
/// Where the error goes in the options.
const ERROR: u64 = 4;

fn no_connection(
    cx: &mut Cx<'_>,
    [_, tuple, tuple_len, options, options_len]: [u64; 5],
) -> Result<u64, Stop> {
    let (tuple_len, options_len) = (u64::from(tuple_len as u32), u64::from(options_len as u32));
    cx.bytes(tuple, tuple_len)?;
    if options_len >= ERROR + 4 {
        let is_sound = TUPLES.contains(&tuple_len) && OPTIONS.contains(&options_len);
        let errno = if is_sound { Errno::ENOENT } else { Errno::EINVAL };
        cx.write(options + ERROR, &(errno.code() as u32).to_le_bytes())?;
    }
    Ok(0)
}

/// A word that the calls at a function's entry and at its return share; it stays from run to run.
fn session_cookie(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    if cx.env.session_cookie == 0 {
        cx.env.session_cookie = super::control::scratch(cx.env, &[0; 8]).unwrap_or(0);
    }
    Ok(cx.env.session_cookie)
}

fn send_signal_task(cx: &mut Cx<'_>, [_, signal, kind, value, _]: [u64; 5]) -> Result<u64, Stop> {
    // A thread, or all of its group.
    if kind as u32 > 1 {
        return Ok(Errno::EINVAL.int());
    }
    let request = alloc::format!("send_signal_task({}, {}, {value:#x})", signal as u32, kind as u32);
    Ok(cx.request(request, 0))
}

/// `BPF_F_PAD_ZEROS`
const PAD: u64 = 1;

/// Returns the length with the terminator.
pub(super) fn copy_from_user_str(cx: &mut Cx<'_>, [to, size, from, flags, _]: [u64; 5]) -> Result<u64, Stop> {
    let size = u64::from(size as u32);
    if flags & !PAD != 0 {
        return Ok(Errno::EINVAL.int());
    }
    let Some(room) = usize::try_from(size).ok().and_then(|size| size.checked_sub(1)) else { return Ok(0) };
    let rest = cx.foreign_rest(from, &[Space::User]);
    let text = rest.and_then(|rest| {
        let end = rest.iter().position(|&byte| byte == 0).or((rest.len() >= room).then_some(room))?;
        Some(rest.get(..end.min(room))?.to_vec())
    });
    let place = cx.bytes_mut(to, size)?;
    let Some(text) = text else {
        place.fill(0);
        return Ok(Errno::EFAULT.int());
    };
    let (front, behind) = place.split_at_mut(text.len());
    front.copy_from_slice(&text);
    let padded = if flags & PAD != 0 { behind.len() } else { 1 };
    behind.iter_mut().take(padded).for_each(|byte| *byte = 0);
    Ok(text.len() as u64 + 1)
}

/// The standard streams of a program: its output and its errors.
fn stream_vprintk(cx: &mut Cx<'_>, [stream, fmt, data, len, _]: [u64; 5]) -> Result<u64, Stop> {
    if !matches!(stream as u32, 1 | 2) {
        return Ok(Errno::ENOENT.int());
    }
    let Some(args) = super::trace::words(cx, data, len)? else { return Ok(Errno::EINVAL.int()) };
    let fmt = cx.string(fmt)?;
    match super::format::format_args(&fmt, &args, cx) {
        Ok(text) => {
            cx.env.output.printed.extend(text);
            Ok(0)
        }
        Err(errno) => Ok(errno.int()),
    }
}

/// Packets are in one piece.
fn pull_data(cx: &mut Cx<'_>, [_, len, ..]: [u64; 5]) -> Result<u64, Stop> {
    let whole = cx.env.packet.map_or(0, |packet| packet.end - packet.data);
    Ok(if u64::from(len as u32) > whole { Errno::EINVAL.int() } else { 0 })
}

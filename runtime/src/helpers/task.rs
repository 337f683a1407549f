//! Clocks, random numbers, and who runs: answers of the [`Host`](crate::host::Host).

use super::{Cx, Entry, Stop};
use crate::maps::Errno;

pub(super) const HELPERS: &[Entry] = &[
    ("ktime_get_ns", |cx, _| Ok(cx.env.host.monotonic_ns())),
    ("ktime_get_coarse_ns", |cx, _| Ok(cx.env.host.monotonic_ns())),
    ("ktime_get_boot_ns", |cx, _| Ok(cx.env.host.boot_ns())),
    ("ktime_get_tai_ns", |cx, _| Ok(cx.env.host.realtime_ns())),
    ("jiffies64", |cx, _| Ok(cx.env.host.monotonic_ns() / NS_PER_JIFFY)),
    ("get_prandom_u32", |cx, _| Ok(u64::from(cx.env.host.random_u32()))),
    ("get_smp_processor_id", |cx, _| Ok(u64::from(cx.env.host.cpu()))),
    ("get_numa_node_id", |cx, _| Ok(u64::from(cx.env.host.numa_node()))),
    ("get_current_pid_tgid", get_current_pid_tgid),
    ("get_current_uid_gid", get_current_uid_gid),
    ("get_current_comm", get_current_comm),
    ("get_current_cgroup_id", |cx, _| Ok(cx.env.host.task().cgroup_id)),
    ("get_current_task", |cx, _| Ok(cx.env.current_task())),
    ("get_current_task_btf", |cx, _| Ok(cx.env.current_task())),
    ("get_func_ip", |cx, _| Ok(cx.env.function_ip)),
    ("get_func_arg", get_func_arg),
    ("get_func_ret", get_func_ret),
    ("get_func_arg_cnt", |cx, _| Ok(cx.env.args.len() as u64)),
];

/// At the 250 Hz that most distributions build with.
const NS_PER_JIFFY: u64 = 4_000_000;

fn get_current_pid_tgid(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    let task = cx.env.host.task();
    Ok(u64::from(task.tgid) << 32 | u64::from(task.pid))
}

fn get_current_uid_gid(cx: &mut Cx<'_>, _: [u64; 5]) -> Result<u64, Stop> {
    let task = cx.env.host.task();
    Ok(u64::from(task.gid) << 32 | u64::from(task.uid))
}

/// The name is cut to the buffer and always terminated; the rest is zero.
fn get_current_comm(cx: &mut Cx<'_>, [to, size, ..]: [u64; 5]) -> Result<u64, Stop> {
    let comm = cx.env.host.task().comm;
    let buffer = cx.bytes_mut(to, size)?;
    buffer.fill(0);
    for (byte, &from) in buffer.iter_mut().zip(&comm) {
        *byte = from;
    }
    if let Some(last) = buffer.last_mut() {
        *last = 0;
    }
    Ok(0)
}

fn get_func_arg(cx: &mut Cx<'_>, [_, n, to, ..]: [u64; 5]) -> Result<u64, Stop> {
    let arg = usize::try_from(n as u32).ok().and_then(|n| cx.env.args.get(n).copied());
    let Some(arg) = arg else { return Ok(Errno::EINVAL.code()) };
    cx.write(to, &arg.to_le_bytes())?;
    Ok(0)
}

fn get_func_ret(cx: &mut Cx<'_>, [_, to, ..]: [u64; 5]) -> Result<u64, Stop> {
    let Some(ret) = cx.env.ret else { return Ok(Errno::EOPNOTSUPP.code()) };
    cx.write(to, &ret.to_le_bytes())?;
    Ok(0)
}

//! Timers, work queues and work of tasks: functions of the program that run later.
//!
//! Nothing runs by itself here: what is due is run before the next run of a program, with the clock as
//! it is then ([`due`]). Timers live in map values and are known by their addresses; one whose element
//! is gone never runs.

use alloc::vec::Vec;

use super::{Caller, Cx, Entry, Stop};
use crate::maps::Errno;
use crate::vm::{Env, map_address, map_of_address};

pub(super) const HELPERS: &[Entry] = &[
    ("timer_init", |cx, [timer, map, flags, ..]| init(cx, timer, map, CLOCKS.contains(&flags))),
    ("timer_set_callback", set_callback),
    ("timer_start", start),
    ("timer_cancel", cancel),
];

pub(super) const KFUNCS: &[Entry] = &[
    ("bpf_wq_init", |cx, [queue, map, flags, ..]| init(cx, queue, map, flags == 0)),
    ("bpf_wq_set_callback_impl", set_callback),
    ("bpf_wq_start", |cx, [queue, flags, ..]| match flags {
        0 => start(cx, [queue, 0, 0, 0, 0]),
        _ => Ok(Errno::EINVAL.code()),
    }),
    ("bpf_task_work_schedule_resume_impl", schedule),
    ("bpf_task_work_schedule_signal_impl", schedule),
];

/// `CLOCK_REALTIME`, `CLOCK_MONOTONIC`, `CLOCK_BOOTTIME`.
const CLOCKS: [u64; 3] = [0, 1, 7];
/// `BPF_F_TIMER_ABS`, and `BPF_F_TIMER_CPU_PIN`, which changes nothing here.
const ABSOLUTE: u64 = 1;
const FLAGS: u64 = 3;

/// A timer that was initialised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Timer {
    map: u32,
    /// The function; 0 before one is set.
    callback: u64,
    /// When it runs.
    due: Option<u64>,
}

fn init(cx: &mut Cx<'_>, timer: u64, map: u64, valid: bool) -> Result<u64, Stop> {
    let Some(map) = map_of_address(map).filter(|_| valid) else { return Ok(Errno::EINVAL.code()) };
    if cx.env.timers.contains_key(&timer) {
        return Ok(Errno::EBUSY.code());
    }
    cx.env.timers.insert(timer, Timer { map, callback: 0, due: None });
    Ok(0)
}

fn set_callback(cx: &mut Cx<'_>, [timer, callback, ..]: [u64; 5]) -> Result<u64, Stop> {
    match cx.env.timers.get_mut(&timer) {
        Some(timer) => {
            timer.callback = callback;
            Ok(0)
        }
        None => Ok(Errno::EINVAL.code()),
    }
}

fn start(cx: &mut Cx<'_>, [timer, after, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    let known = cx.env.timers.get(&timer).is_some_and(|timer| timer.callback != 0);
    if !known || flags & !FLAGS != 0 {
        return Ok(Errno::EINVAL.code());
    }
    let due = match flags & ABSOLUTE {
        0 => cx.env.host.monotonic_ns().saturating_add(after),
        _ => after,
    };
    if let Some(timer) = cx.env.timers.get_mut(&timer) {
        timer.due = Some(due);
    }
    Ok(0)
}

/// Work of a task runs once for each time that it is scheduled.
fn schedule(cx: &mut Cx<'_>, [_, work, map, callback, _]: [u64; 5]) -> Result<u64, Stop> {
    let Some(map) = map_of_address(map) else { return Ok(Errno::EINVAL.code()) };
    if cx.env.timers.get(&work).is_some_and(|work| work.due.is_some()) {
        return Ok(Errno::EBUSY.code());
    }
    let due = Some(cx.env.host.monotonic_ns());
    cx.env.timers.insert(work, Timer { map, callback, due });
    Ok(0)
}

/// Was it going to run?
fn cancel(cx: &mut Cx<'_>, [timer, ..]: [u64; 5]) -> Result<u64, Stop> {
    match cx.env.timers.get_mut(&timer) {
        Some(timer) => Ok(u64::from(timer.due.take().is_some())),
        None => Ok(Errno::EINVAL.code()),
    }
}

/// Runs what is due, the earliest first. A function may start its timer again, but not for now.
pub(crate) fn due(env: &mut Env, caller: &mut dyn Caller) -> Result<(), Stop> {
    if env.timers.values().all(|timer| timer.due.is_none()) {
        return Ok(());
    }
    let now = env.host.monotonic_ns();
    let timers = env.timers.iter();
    let mut ready: Vec<(u64, u64)> =
        timers.filter_map(|(&at, timer)| Some((timer.due.filter(|&due| due <= now)?, at))).collect();
    ready.sort_unstable();
    for (_, at) in ready {
        let Some(timer) = env.timers.get_mut(&at) else { continue };
        timer.due = None;
        let timer = *timer;
        let Some((key, value)) = element(env, timer.map, at) else {
            env.timers.remove(&at);
            continue;
        };
        let Some(key) = super::control::scratch(env, &key) else { continue };
        let called = caller.call_back(env, timer.callback, [map_address(timer.map), key, value, 0, 0]);
        env.memory.free(key);
        called?;
    }
    Ok(())
}

/// Key and value's address of the element that an address is in.
fn element(env: &Env, map: u32, at: u64) -> Option<(Vec<u8>, u64)> {
    let entry = env.maps.get(map)?;
    let size = u64::from(entry.def.value_size);
    entry.keys().into_iter().find_map(|key| {
        let value = entry.values(&key).into_iter().find(|&value| (value..value + size).contains(&at))?;
        Some((key, value))
    })
}

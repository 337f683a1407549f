//! What a program asks the kernel to do: written down, not done. The answer is the one of a kernel that
//! has done it, or the error that bad arguments give.

use alloc::format;

use super::{Cx, Entry, Stop};
use crate::maps::Errno;

pub(super) const HELPERS: &[Entry] = &[
    ("send_signal", |cx, args| send_signal(cx, "send_signal", args[0])),
    ("send_signal_thread", |cx, args| send_signal(cx, "send_signal_thread", args[0])),
    ("override_return", override_return),
    ("bprm_opts_set", bprm_opts_set),
    ("rc_keydown", |cx, [_, protocol, code, toggle, _]| {
        let (protocol, toggle) = (protocol as u32, toggle as u32);
        Ok(cx.request(format!("rc_keydown({protocol}, {code:#x}, {toggle})"), 0))
    }),
    ("rc_repeat", |cx, _| Ok(cx.request("rc_repeat()".into(), 0))),
    ("rc_pointer_rel", |cx, [_, x, y, ..]| {
        let (x, y) = (x as i32, y as i32);
        Ok(cx.request(format!("rc_pointer_rel({x}, {y})"), 0))
    }),
    ("tcp_send_ack", |cx, [_, next, ..]| Ok(cx.request(format!("tcp_send_ack({})", next as u32), 0))),
    // No file is open.
    ("sys_close", |cx, [fd, ..]| Ok(cx.request(format!("sys_close({})", fd as u32), Errno::EBADF.code()))),
];

/// Signals there are.
const SIGNALS: u32 = 64;
/// `BPF_F_BPRM_SECUREEXEC`
const SECURE_EXEC: u64 = 1;
/// Offset of the register with the result in x86-64's `struct pt_regs`.
const PT_REGS_RET: u64 = 80;

impl Cx<'_> {
    pub(super) fn request(&mut self, what: alloc::string::String, answer: u64) -> u64 {
        self.env.output.requests.push(what);
        answer
    }
}

fn send_signal(cx: &mut Cx<'_>, name: &str, signal: u64) -> Result<u64, Stop> {
    let signal = signal as u32;
    if signal > SIGNALS {
        return Ok(Errno::EINVAL.code());
    }
    Ok(cx.request(format!("{name}({signal})"), 0))
}

/// The traced function is not called, and its caller finds this result.
fn override_return(cx: &mut Cx<'_>, [registers, result, ..]: [u64; 5]) -> Result<u64, Stop> {
    let place = cx.env.memory.hidden_mut(registers.wrapping_add(PT_REGS_RET), 8);
    if let Some(place) = place {
        place.copy_from_slice(&result.to_le_bytes());
    }
    Ok(cx.request(format!("override_return({})", result as i64), 0))
}

fn bprm_opts_set(cx: &mut Cx<'_>, [_, flags, ..]: [u64; 5]) -> Result<u64, Stop> {
    if flags & !SECURE_EXEC != 0 {
        return Ok(Errno::EINVAL.code());
    }
    Ok(cx.request(format!("bprm_opts_set({flags})"), 0))
}

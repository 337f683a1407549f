//! The log of a walk in the form of the kernel's: each instruction with what it read and wrote, where
//! paths part, meet and end, calls with the registers of both sides, and the search for what decided
//! something (`log_level` of `bpf(2)`; kernel `do_check`, `kernel/bpf/log.c`).
//!
//! A line is an instruction; what it made of registers is added to the line before the next one is
//! printed, or, if something else was said in between, as a line of its own. Left out of what kernels
//! print are the liveness of registers and slots.

mod insn;
mod search;
mod values;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use skep_stdlib::btf::StrOff;
use skep_stdlib::features::Feature;
use skep_stdlib::isa::{CallTarget, Insn};

use super::access::access;
use super::liveness::effects;
use super::prune::slots_between;
use super::reg::PtrKind;
use super::report::Report;
use super::state::{STACK_SIZE, State};
use super::walk::Walk;
use super::{Options, begin};
use crate::object::Image;
use insn::Shown;
use values::Which;

/// Which paths are logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Only the one that fails (1).
    Failure,
    /// All of them, and how what matters is looked for (2).
    All,
}

/// Bytes of a log of which only the end is kept: about that of the largest buffer that loaders use.
const MOST: usize = 1 << 26;

/// Columns of an instruction's line before what it did: at least, and always a multiple of.
const ALIGN: (usize, usize) = (40, 8);

/// Walks the program with this index, and logs it.
pub fn log(image: &Image, index: usize, options: &Options, level: Level) -> (Result<(), Report>, String) {
    let mut walk = match begin(image, index, options) {
        Ok(walk) => walk,
        Err(report) => {
            let words = report.cause.kernel_log().join("\n") + "\n";
            return (Err(*report), words);
        }
    };
    walk.log = Some(Log::new(level).into());
    walk.log_functions();
    let result = walk.run().map_err(|report| *report);
    let mut text = walk.log.take().map_or_else(String::new, |log| log.text);
    match &result {
        Err(report) => {
            for line in report.cause.kernel_log() {
                text.push_str(&line);
                text.push('\n');
            }
        }
        Ok(()) if level == Level::Failure => text.clear(),
        Ok(()) => {}
    }
    text.push_str(&walk.summary());
    (result, text)
}

/// The line of the instruction at `slot` of the program with this index; empty if there is none.
pub fn instruction(image: &Image, index: usize, slot: u32) -> String {
    let Some(program) = image.programs.get(index) else { return String::new() };
    let shown = program.code.at(slot).map(|insn| Shown { image, program, slot, insn });
    shown.map_or_else(String::new, |shown| format!("{slot}: {shown}"))
}

/// What was logged, and what the next line depends on.
pub struct Log {
    level: Level,
    text: String,
    /// Where the text ended after an instruction's line, and how long that was.
    line: (usize, usize),
    /// Registers and stack slots that the last instructions read or wrote.
    touched: (u16, u64),
    /// A path begins, or goes on after a call: its state is shown.
    is_new: bool,
    /// The instruction before.
    previous: Option<u32>,
    /// The line of source that was quoted last.
    quoted: Option<(StrOff, u32)>,
    /// The frame that a return leaves.
    left: String,
}

impl Log {
    fn new(level: Level) -> Log {
        Log {
            level,
            text: String::new(),
            line: (usize::MAX, 0),
            touched: TOUCHED,
            is_new: false,
            previous: None,
            quoted: None,
            left: String::new(),
        }
    }

    fn say(&mut self, text: core::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.text.write_fmt(text);
        self.text.push('\n');
        if self.text.len() > MOST && self.level == Level::All {
            let end = self.text[MOST / 2..].find('\n').map_or(0, |at| MOST / 2 + at + 1);
            self.text.replace_range(..end, "(what is before this was dropped)\n");
        }
    }

    /// The number of the instruction before; -1 at the start of a function.
    fn previous(&self) -> i64 {
        self.previous.map_or(-1, i64::from)
    }
}

/// All registers and slots.
const TOUCHED: (u16, u64) = (u16::MAX, u64::MAX);

impl Walk<'_> {
    /// Logs something, if a log is kept.
    #[inline]
    pub(super) fn log(&mut self, write: impl FnOnce(&mut Log, &Walk<'_>)) {
        if let Some(mut log) = self.log.take() {
            write(&mut log, self);
            self.log = Some(log);
        }
    }

    /// Something is said that is not about one instruction.
    pub(super) fn log_line(&mut self, line: impl FnOnce(&Walk<'_>) -> String) {
        self.log(|log, walk| log.say(format_args!("{}", line(walk))));
    }

    /// Logs a line if all is logged.
    pub(super) fn log_all(&mut self, line: impl FnOnce(&Walk<'_>) -> String) {
        self.log(|log, walk| {
            if log.level == Level::All {
                log.say(format_args!("{}", line(walk)));
            }
        });
    }

    /// How much was logged: where the log of a path that waits goes on.
    pub(super) fn log_len(&self) -> usize {
        self.log.as_ref().map_or(0, |log| log.text.len())
    }

    fn log_functions(&mut self) {
        self.log(|log, walk| {
            if log.level == Level::All {
                for (index, function) in walk.cx.program.functions.iter().enumerate() {
                    log.say(format_args!("func#{index} @{}", function.start));
                }
            }
        });
    }

    /// The paths from the start of the function at `slot` are walked.
    pub(super) fn log_start(&mut self, slot: u32) {
        self.log(|log, walk| {
            (log.touched, log.is_new, log.previous, log.quoted) = (TOUCHED, false, None, None);
            if slot > 0 {
                let (index, name) = walk.function(slot);
                log.say(format_args!("Validating {name}() func#{index}..."));
            }
        });
    }

    /// All of them were.
    pub(super) fn log_function_is_safe(&mut self, slot: u32) {
        self.log(|log, walk| {
            let (index, name) = walk.function(slot);
            log.say(format_args!("Func#{index} ('{name}') is safe for any args that match its prototype"));
        });
    }

    /// A path that waited is walked: it left the one that was logged, when the log was so long, at `from`.
    pub(super) fn log_resumed(&mut self, from: u32, len: usize) {
        self.log(|log, _| {
            if log.level == Level::Failure {
                log.text.truncate(len);
            }
            (log.touched, log.is_new, log.previous) = (TOUCHED, true, Some(from));
        });
    }

    /// The path ends before this instruction, at a state that is known.
    pub(super) fn log_safe(&mut self, slot: u32, guessed: bool) {
        self.log(|log, _| match log.is_new {
            true => {
                let (from, guess) = (log.previous(), guess(guessed));
                log.say(format_args!("\nfrom {from} to {slot}{guess}: safe"));
            }
            false => log.say(format_args!("{slot}: safe")),
        });
    }

    /// An instruction is about to be executed.
    pub(super) fn log_before(&mut self, state: &State, slot: u32, insn: &Insn) {
        self.log(|log, walk| {
            let depth = state.frames.len() - 1;
            if log.is_new && log.level == Level::All {
                let text = walk.frame(state, depth, TOUCHED);
                let (from, guess) = (log.previous(), guess(state.guessed));
                log.say(format_args!("\nfrom {from} to {slot}{guess}:{text}"));
            }
            log.is_new = false;
            walk.add_values(log, state, slot);
            walk.quote(log, slot);
            let shown = Shown { image: walk.cx.image, program: walk.cx.program, slot, insn };
            let line = format!("{slot}: {shown}");
            log.say(format_args!("{line}"));
            log.line = (log.text.len(), line.len() + 1);
            log.touched.1 |= slots_accessed(state, insn);
        });
    }

    /// The running function returns.
    pub(super) fn log_return(&mut self, state: &State) {
        self.log(|log, walk| log.left = walk.frame(state, state.frames.len() - 1, TOUCHED));
    }

    /// It did, and the caller goes on at this slot.
    pub(super) fn log_returned(&mut self, state: &State, to: u32) {
        let now = state.frames.len() - 1;
        if self.log.is_some() {
            let assigned = &mut self.at.assigned;
            assigned[now] = (assigned[now] & !1) | (assigned[now + 1] & 1);
        }
        self.log(|log, walk| {
            let left = core::mem::take(&mut log.left);
            let caller = walk.frame(state, now, TOUCHED);
            log.say(format_args!("returning from callee:\n{left}\nto caller at {to}:\n{caller}"));
        });
    }

    /// It was, in the frame at this depth: control goes on with this state, if it does.
    pub(super) fn log_after(&mut self, state: &State, slot: u32, insn: &Insn, depth: usize) {
        if self.log.is_none() {
            return;
        }
        let (reads, writes) = effects(insn);
        let now = state.frames.len() - 1;
        let assigned = &mut self.at.assigned;
        assigned[depth] |= writes;
        if now > depth {
            // Parameters are the caller's arguments.
            assigned[now] = assigned[depth] & 0b11_1110;
        }
        self.log(|log, walk| {
            if !matches!(insn, Insn::Exit) {
                log.touched.0 |= reads | writes;
            }
            log.previous = Some(slot);
            match insn {
                Insn::Branch { .. } => walk.add_values(log, state, slot),
                Insn::Call(CallTarget::Local(_)) if now > depth => {
                    let frames = [depth, now].map(|frame| walk.frame(state, frame, TOUCHED));
                    log.say(format_args!("caller:\n{}\ncallee:\n{}", frames[0], frames[1]));
                    log.touched = TOUCHED;
                }
                Insn::Exit if now < depth => log.is_new = true,
                _ => {}
            }
        });
    }

    /// The running instruction changes the stack from `start` to `end`, or sees that it need not.
    pub(super) fn log_stack(&mut self, start: i32, end: i32) {
        self.log(|log, _| log.touched.1 |= slots_between(start, end).fold(0, |set, at| set | 1 << at));
    }

    /// The running instruction makes a frame for a function that is entered later.
    pub(super) fn log_frame(&mut self) {
        self.log(|log, _| log.touched = TOUCHED);
    }

    /// Adds what is touched to the line of the last instruction, or says it on one of its own.
    fn add_values(&self, log: &mut Log, state: &State, slot: u32) {
        let touched = core::mem::take(&mut log.touched);
        if touched == (0, 0) {
            return;
        }
        let text = self.frame(state, state.frames.len() - 1, touched);
        let (end, width) = log.line;
        match end == log.text.len() {
            true => {
                log.text.pop();
                let (least, step) = ALIGN;
                let column = (width + step / 2).max(least).next_multiple_of(step) - width - 1;
                log.say(format_args!("{:column$};{text}", ' '));
            }
            false => log.say(format_args!("{slot}:{text}")),
        }
    }

    /// Quotes the line of source that an instruction is of, unless that was quoted last.
    fn quote(&self, log: &mut Log, slot: u32) {
        let Some(line) = self.cx.program.line_at(slot) else { return };
        let place = Some((line.file_at, line.line));
        if log.quoted != place {
            log.quoted = place;
            let file = line.file.rsplit('/').next().unwrap_or_default();
            log.say(format_args!("; {} @ {file}:{}", line.text.trim_start(), line.line));
        }
    }

    /// These registers and slots of a frame of the running path.
    fn frame(&self, state: &State, depth: usize, (regs, slots): (u16, u64)) -> String {
        let written = self.shown_written((self.at.assigned[depth], self.at.written[depth]));
        values::frame(&self.cx, state, depth, &Which { regs, slots, written, precise: (0, 0) })
    }

    /// Of what was written, what the target's kernel says so of.
    fn shown_written(&self, written: (u16, u64)) -> (u16, u64) {
        if self.cx.target.has(Feature::LogsWithoutLiveness) { (0, 0) } else { written }
    }

    /// Does a part of the program throw an exception?
    fn throws(&self) -> bool {
        self.cx.program.code.iter().any(|(_, insn)| match insn {
            Insn::Call(CallTarget::Kfunc { id, .. }) => {
                self.cx.image.kfuncs.get(id).is_some_and(|name| name == "bpf_throw")
            }
            _ => false,
        })
    }

    /// What the kernel says last.
    fn summary(&self) -> String {
        let stats = self.stats;
        let functions = self.cx.program.functions.iter();
        let depth = |start: u32| self.depths.get(&start).map_or(0, |it| it.next_multiple_of(8)).to_string();
        let mut depths: Vec<String> = functions.map(|function| depth(function.start)).collect();
        if self.handler.is_none() && self.throws() {
            // The function that the kernel adds to handle exceptions.
            depths.push("0".into());
        }
        format!(
            "stack depth {}\nprocessed {} insns (limit {}) max_states_per_insn {} total_states {} \
             peak_states {} mark_read 0\n",
            depths.join("+"),
            stats.insns,
            self.cx.limit,
            stats.crowd,
            stats.states,
            stats.peak
        )
    }
}

fn guess(guessed: bool) -> &'static str {
    if guessed { " (speculative execution)" } else { "" }
}

/// The stack slots that an instruction accesses: by their index, in whatever frame.
fn slots_accessed(state: &State, insn: &Insn) -> u64 {
    let (base, off, size, reads) = match *insn {
        Insn::Load { base, off, size, .. } | Insn::LoadAcquire { base, off, size, .. } => {
            (base, off, size, true)
        }
        Insn::Store { base, off, size, .. }
        | Insn::StoreRelease { base, off, size, .. }
        | Insn::Atomic { base, off, size, .. } => (base, off, size, false),
        _ => return 0,
    };
    let pointer = state.frame().regs[base.index()].as_pointer();
    let Some(p) = pointer.filter(|p| matches!(p.kind, PtrKind::Stack(_))) else { return 0 };
    let access = access(p, base, off, size.bytes(), !reads);
    // Whether it is in the frame is checked later. Of what is read only the first is said.
    let inside = |offset: i64| offset.clamp(i64::from(-STACK_SIZE), -1) as i32;
    let last = inside(if reads { access.min } else { access.max });
    slots_between(inside(access.min), last + 1).fold(0, |set, at| set | 1 << at)
}

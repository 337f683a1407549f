//! The kernel's words for a rejection: what its log ends with.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Access, Cause};

impl Cause {
    /// The kernel's words for it, a line each.
    pub fn kernel_log(&self) -> Vec<String> {
        let one = |text: String| alloc::vec![text];
        match self {
            Cause::PacketBounds { access, proven } => alloc::vec![
                format!(
                    "invalid access to packet, off={} size={}, R{}(id={},off={},r={proven})",
                    access.min, access.size, access.reg, access.id, access.fixed
                ),
                format!("R{} offset is outside of the packet", access.reg),
            ],
            Cause::MapValueBounds { access, value_size, .. } => alloc::vec![
                format!(
                    "invalid access to map value, value_size={value_size} off={} size={}",
                    access.edge(),
                    access.size
                ),
                format!("R{} {} is outside of the allowed memory range", access.reg, access.edge_name()),
            ],
            Cause::MemBounds { access, limit } => alloc::vec![
                format!(
                    "invalid access to memory, mem_size={limit} off={} size={}",
                    access.edge(),
                    access.size
                ),
                format!("R{} {} is outside of the allowed memory range", access.reg, access.edge_name()),
            ],
            Cause::StackBounds { access } => {
                let verb = if access.write { "write to" } else { "read from" };
                one(format!("invalid {verb} stack R{} off={} size={}", access.reg, access.min, access.size))
            }
            Cause::StackUninit { offset, start, size } => {
                one(format!("invalid read from stack off {start}+{} size {size}", offset - start))
            }
            Cause::CtxAccess { access, .. } => {
                one(format!("invalid bpf_context access off={} size={}", access.min, access.size))
            }
            Cause::MaybeNull { access } => {
                one(format!("R{} invalid mem access '{}_or_null'", access.reg, access.kind.kernel_name()))
            }
            Cause::NotAPointer { reg, .. } => one(format!("R{reg} invalid mem access 'scalar'")),
            Cause::Opaque { access } => {
                one(format!("R{} invalid mem access '{}'", access.reg, access.kind.kernel_name()))
            }
            Cause::Uninit { reg } => one(format!("R{reg} !read_ok")),
            Cause::FramePointer {} => one("frame pointer is read only".into()),
            Cause::UnknownHelper { id } => one(format!("invalid func unknown#{id}")),
            Cause::HelperNotAllowed { helper, .. } => {
                one(format!("program of this type cannot use helper bpf_{helper}"))
            }
            Cause::HelperGpl { .. } => {
                one("cannot call GPL-restricted function from non-GPL compatible program".into())
            }
            Cause::ReturnPointer {} => one("R0 leaks addr as return value".into()),
            Cause::MixedAccess { .. } => one("same insn cannot be used with different pointers".into()),
            Cause::MovedContext { access } => {
                one(format!("dereference of modified ctx ptr R{} off={} disallowed", access.reg, access.min))
            }
            Cause::SpecialField { field, .. } => {
                one(format!("{field} cannot be accessed directly by load/store"))
            }
            Cause::MapField { field, .. } => one(format!("tracing progs cannot use {field} yet")),
            Cause::Locked { .. } => one("function calls are not allowed while holding a lock".into()),
            Cause::DynptrOverwritten { .. } => one("cannot overwrite referenced dynptr".into()),
            Cause::StackReturned {} => one("cannot return stack pointer to the caller".into()),
            Cause::Leak { acquired } => one(format!("Unreleased reference alloc_insn={acquired}")),
            Cause::EndlessLoop {} => one("infinite loop detected".into()),
            Cause::Complexity { limit } => {
                one(format!("BPF program is too large. Processed {} insn", limit.saturating_add(1)))
            }
            Cause::FallsOff {} => one("last insn is not an exit or jmp".into()),
            Cause::Unreachable {} => one("unreachable insn".into()),
            Cause::DivisionByZero {} => one("div by zero".into()),
            Cause::ShiftTooFar { amount } => one(format!("invalid shift {amount}")),
            other => one(other.message()),
        }
    }
}

impl Access {
    /// The end of the range that lies outside, as the kernel reports it: the start when negative.
    fn edge(&self) -> i64 {
        if self.min < 0 { self.min } else { self.max }
    }

    fn edge_name(&self) -> &'static str {
        match (self.min == self.max, self.min < 0) {
            (true, _) => "min value",
            (false, true) => "min value",
            (false, false) => "max value",
        }
    }
}

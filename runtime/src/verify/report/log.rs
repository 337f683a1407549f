//! The kernel's words for a rejection: what its log ends with.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use skep_stdlib::helpers::Helper;

use super::super::kfunc::OF_DEVICES;
use super::super::reg::PtrKind;
use super::{Access, Caller, Cause, Leaving};

impl Cause {
    /// The kernel's words for it, a line each.
    pub fn kernel_log(&self) -> Vec<String> {
        let one = |text: String| alloc::vec![text];
        match self {
            Cause::PacketBounds { access, .. } if access.starts_negative() => one(access.negative()),
            Cause::PacketBounds { access, proven } => alloc::vec![
                format!(
                    "invalid access to packet, off={} size={}, R{}(id={},off={},r={proven})",
                    access.min, access.size, access.reg, access.id, access.fixed
                ),
                format!("R{} offset is outside of the packet", access.reg),
            ],
            Cause::MapValueBounds { access, value_size, .. } => {
                access.outside(*value_size, "map value, value_size")
            }
            Cause::MemBounds { access, limit } => match access.kind {
                PtrKind::FlowKeys => {
                    one(format!("invalid access to flow keys off={} size={}", access.min, access.size))
                }
                _ => access.outside(*limit, "memory, mem_size"),
            },
            Cause::StackBounds { access } => one(access.outside_stack()),
            Cause::StackUninit { offset, start, size, indirect } => one(match indirect {
                Some(reg) => {
                    format!(
                        "invalid indirect read from stack R{reg} off {start}+{} size {size}",
                        offset - start
                    )
                }
                None => format!("invalid read from stack off {start}+{} size {size}", offset - start),
            }),
            Cause::CtxAccess { access, .. } => one(match access.kind {
                PtrKind::Socket(_) => format!(
                    "R{} invalid {} access off={} size={}",
                    access.reg,
                    access.kind.kernel_name(),
                    access.min,
                    access.size
                ),
                _ => format!("invalid bpf_context access off={} size={}", access.min, access.size),
            }),
            Cause::ReadOnly { access, limit } => one(match access.kind {
                PtrKind::MapValue(_) => format!(
                    "write into map forbidden, value_size={limit} off={} size={}",
                    access.min, access.size
                ),
                PtrKind::Packet(_) | PtrKind::PacketMeta(_) => "cannot write into packet".into(),
                PtrKind::Btf { .. } | PtrKind::Object { .. } => "only read is supported".into(),
                PtrKind::Mem { .. } => {
                    format!("R{} cannot write into rdonly_{}", access.reg, access.kind.kernel_name())
                }
                kind => format!("R{} cannot write into {}", access.reg, kind.kernel_name()),
            }),
            Cause::WriteOnly { access, limit } => one(format!(
                "read from map forbidden, value_size={limit} off={} size={}",
                access.min, access.size
            )),
            Cause::MaybeNull { access } => {
                one(format!("R{} invalid mem access '{}_or_null'", access.reg, access.kind.kernel_name()))
            }
            Cause::NotAPointer { reg, .. } => one(format!("R{reg} invalid mem access 'scalar'")),
            Cause::Opaque { access, log } if log.is_empty() => one(match access.kind {
                PtrKind::Map(_) if access.write => "only read from bpf_array is supported".into(),
                PtrKind::Socket(_) if access.write => {
                    format!("R{} cannot write into {}", access.reg, access.kind.kernel_name())
                }
                kind => format!("R{} invalid mem access '{}'", access.reg, kind.kernel_name()),
            }),
            Cause::Opaque { log, .. }
            | Cause::PointerArithmetic { log, .. }
            | Cause::MapKind { log, .. }
            | Cause::ReturnPointer { log }
            | Cause::PointerLeak { log, .. }
            | Cause::Unmasked { log, .. }
            | Cause::BtfBounds { log, .. }
            | Cause::Hook { log, .. }
            | Cause::DirectValue { log }
            | Cause::ObjectType { log, .. }
            | Cause::MovedContext { log, .. }
            | Cause::Unlocked { log, .. } => one(log.clone()),
            Cause::Argument { log, .. }
            | Cause::UnboundedOffset { log, .. }
            | Cause::Unbalanced { log, .. } => log.lines().map(String::from).collect(),
            Cause::Misaligned { access } => one(access.misaligned()),
            Cause::Uninit { reg } => one(format!("R{reg} !read_ok")),
            Cause::FramePointer {} => one("frame pointer is read only".into()),
            Cause::UnknownHelper { id } => one(format!("invalid func unknown#{id}")),
            Cause::HelperNotAllowed { helper, by } => one(match by {
                Caller::Hook => "helper call is not allowed in probe".into(),
                Caller::Handler => "cannot tail call within exception cb".into(),
                _ => format!("program of this type cannot use helper bpf_{helper}"),
            }),
            Cause::HelperGpl { .. } => {
                one("cannot call GPL-restricted function from non-GPL compatible program".into())
            }
            Cause::KfuncNotAllowed { function, .. } if function.starts_with(OF_DEVICES) => {
                one("metadata kfuncs require device-bound program".into())
            }
            Cause::KfuncNotAllowed { function: "bpf_dynptr_slice_rdwr", .. } => {
                one("the prog does not allow writes to packet data".into())
            }
            Cause::KfuncNotAllowed { function, .. } if function.starts_with("bpf_iter_css_task_") => {
                one("css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable progs".into())
            }
            Cause::KfuncNotAllowed { function, .. } | Cause::KfuncTooNew { function, .. } => {
                one(format!("calling kernel function {function} is not allowed"))
            }
            Cause::MixedAccess { .. } => one("same insn cannot be used with different pointers".into()),
            Cause::SpecialField { access, field } if access.write && field.ends_with("kptr") => {
                one("store to referenced kptr disallowed".into())
            }
            Cause::SpecialField { field, .. } => {
                one(format!("{field} cannot be accessed directly by load/store"))
            }
            Cause::MapField { field, .. } => one(format!("tracing progs cannot use {field} yet")),
            Cause::Locked { callee, .. } if !callee.starts_with("bpf_") => {
                one("global function calls are not allowed while holding a lock,".into())
            }
            Cause::Locked { .. } => one("function calls are not allowed while holding a lock".into()),
            Cause::Deadlock { .. } => one("Acquiring the same lock again, AA deadlock detected".into()),
            Cause::NotStatic { .. } => one("callback function not static".into()),
            Cause::DynptrOverwritten { .. } => one("cannot overwrite referenced dynptr".into()),
            Cause::StackReturned {} => one("cannot return stack pointer to the caller".into()),
            Cause::Leak { acquired, id, before } => {
                let held = format!("Unreleased reference id={id} alloc_insn={acquired}");
                match before {
                    Leaving::End | Leaving::Throw => one(held),
                    Leaving::TailCall => alloc::vec![held, "tail_call would lead to reference leak".into()],
                    Leaving::PacketLoad => {
                        alloc::vec![held, "BPF_LD_[ABS|IND] cannot be mixed with socket references".into()]
                    }
                }
            }
            Cause::SizeArgument { argument, min, max, .. } => one(match (*min, *max) {
                (..0, _) => {
                    format!("R{argument} min value is negative, either use unsigned or 'var &= const'")
                }
                (0, 0..SIZE_LIMIT) => format!("R{argument} invalid zero-sized read: u64=[{min},{max}]"),
                _ => {
                    format!("R{argument} unbounded memory access, use 'var &= const' or 'if (var < const)'")
                }
            }),
            Cause::ReturnRange { min, max, low, high, when, reg } => {
                let low = if *low == i64::MIN { String::new() } else { format!(" smin={low}") };
                let high = if *high == i64::MAX { String::new() } else { format!(" smax={high}") };
                let known = match low.is_empty() && high.is_empty() {
                    true => " unknown scalar value".into(),
                    false => low + &high,
                };
                one(format!("{when} the register R{reg} has{known} should have been in [{min}, {max}]"))
            }
            Cause::Sleeps { callee } if !callee.starts_with("bpf_") => {
                one("global function calls are not allowed with preemption disabled,".into())
            }
            Cause::Sleeps { callee } => {
                one(match callee.strip_prefix("bpf_").is_some_and(|name| Helper::from_name(name).is_some()) {
                    true => "helper call might sleep in a non-sleepable prog".into(),
                    false => format!("program must be sleepable to call sleepable kfunc {callee}"),
                })
            }
            Cause::Prototype { log, .. } => one(log.clone()),
            Cause::PacketLoad { log, .. } => one((*log).into()),
            Cause::IndirectCall {} => one("unknown opcode 8d".into()),
            Cause::EndsEarly { what, .. } => one(match *what {
                super::super::versions::TAIL_CALL => {
                    "tail_call is only allowed in functions that return 'int'.".into()
                }
                _ => "LD_ABS is only allowed in functions that return 'int'.".into(),
            }),
            Cause::ProgramGpl { program, .. } => one(match *program {
                "struct_ops" => "struct ops programs must have a GPL compatible license".into(),
                _ => "LSM programs must have a GPL compatible license".into(),
            }),
            Cause::ThrowInCallback { slot, function } => one(format!(
                "bpf_throw kfunc (insn {slot}) cannot be called from callback subprog {function}"
            )),
            Cause::Arena { log, .. } => one((*log).into()),
            Cause::EndlessLoop { slot } => one(format!("infinite loop detected at insn {slot}")),
            Cause::Complexity { limit } => {
                one(format!("BPF program is too large. Processed {} insn", limit.saturating_add(1)))
            }
            Cause::FallsOff {} => one("last insn is not an exit or jmp".into()),
            Cause::Unreachable { slot } => one(format!("unreachable insn {slot}")),
            Cause::CallDepth {} => one("the call stack of 8 frames is too deep !".into()),
            Cause::StackDepth { bytes, calls } => one(match calls {
                1 => format!("stack size of subprog 0 is {bytes}. Too large"),
                calls => format!("combined stack size of {calls} calls is {bytes}. Too large"),
            }),
            Cause::DivisionByZero {} => one("div by zero".into()),
            Cause::ShiftTooFar { amount } => one(format!("invalid shift {amount}")),
            Cause::PointerCompare { reg } => one(format!("R{reg} pointer comparison prohibited")),
            Cause::Capability { log, .. } if !log.is_empty() => one(log.clone()),
            Cause::Jumps { waiting } => one(format!("The sequence of {waiting} jumps is too complex.")),
            Cause::TailCallMaps {} => one("tail_call abusing map_ptr".into()),
            Cause::BackEdge { from, to } => one(format!("back-edge from insn {from} to {to}")),
            Cause::BadJump { target } => one(format!("jump out of range to insn {target}")),
            other => one(other.message()),
        }
    }
}

/// Sizes are smaller (kernel `BPF_MAX_VAR_SIZ`).
const SIZE_LIMIT: u64 = 1 << 29;

impl Access {
    /// The smallest variable part of the offset.
    fn variable(&self) -> i64 {
        self.min.saturating_sub(self.fixed)
    }

    /// May the variable part make the offset negative?
    fn starts_negative(&self) -> bool {
        self.variable() < 0 && self.min < 0
    }

    fn negative(&self) -> String {
        format!(
            "R{} min value is negative, either use unsigned index or do a if (index >=0) check.",
            self.reg
        )
    }

    /// An access to memory of `limit` bytes, which is called so.
    fn outside(&self, limit: u32, what: &str) -> Vec<String> {
        if self.starts_negative() {
            return alloc::vec![self.negative()];
        }
        let low = self.min < 0 || self.min.saturating_add(i64::from(self.size)) > i64::from(limit);
        let (off, end) = if low { (self.min, "min") } else { (self.max, "max") };
        alloc::vec![
            format!("invalid access to {what}={limit} off={off} size={}", self.size),
            format!("R{} {end} value is outside of the allowed memory range", self.reg),
        ]
    }

    /// The lines for a variable offset that is not bounded, in memory of `limit` bytes.
    pub fn unbounded(&self, limit: u32, what: &str) -> String {
        let below = self.min < 0 || self.min.saturating_add(i64::from(self.size)) > i64::from(limit);
        match below {
            true => self.outside(limit, what).join("\n"),
            false => {
                format!("R{} unbounded memory access, make sure to bounds check any such access", self.reg)
            }
        }
    }

    fn outside_stack(&self) -> String {
        let verb = match (self.indirect, self.write) {
            (true, _) => "indirect access to",
            (false, true) => "write to",
            (false, false) => "read from",
        };
        const FARTHEST: i64 = 1 << 29;
        let (reg, size) = (self.reg, self.size);
        match self.min == self.max {
            true => format!("invalid {verb} stack R{reg} off={} size={size}", self.min),
            false if self.min <= -FARTHEST || self.max >= FARTHEST => {
                format!("invalid unbounded variable-offset {verb} stack R{reg}")
            }
            false => format!(
                "invalid variable-offset {verb} stack R{reg} off={} size={size}",
                if self.min < -512 { self.min } else { self.max }
            ),
        }
    }

    fn misaligned(&self) -> String {
        let (what, start) = match self.kind {
            PtrKind::Stack(_) => ("stack ", ""),
            PtrKind::Packet(_) | PtrKind::PacketMeta(_) => ("packet ", "2+"),
            PtrKind::MapValue(_) => ("value ", ""),
            _ => ("", ""),
        };
        let variable = match self.min == self.max {
            true => format!("{:#x}", self.variable()).replace("0x0", "0"),
            false => {
                let (low, high) = (self.variable(), self.max.saturating_sub(self.fixed));
                format!("({low:#x}; {:#x})", low ^ high)
            }
        };
        let moved = self.fixed - self.off;
        format!("misaligned {what}access off {start}{variable}+{moved}+{} size {}", self.off, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An access of 4 bytes through `R2` at `fixed` plus a variable part from `low` to `high`.
    fn access(kind: PtrKind, fixed: i64, low: i64, high: i64) -> Access {
        Access {
            reg: 2,
            kind,
            size: 4,
            write: true,
            indirect: false,
            off: 0,
            min: fixed + low,
            max: fixed + high,
            id: 0,
            fixed,
            born: 0,
        }
    }

    fn value(fixed: i64, low: i64, high: i64) -> Vec<String> {
        let access = access(PtrKind::MapValue(0), fixed, low, high);
        Cause::MapValueBounds { access, map: 0, value_size: 48 }.kernel_log()
    }

    #[test]
    fn the_end_that_lies_outside_is_named() {
        assert_eq!(value(-4, 0, 0)[1], "R2 min value is outside of the allowed memory range");
        assert_eq!(value(48, 0, 0)[1], "R2 min value is outside of the allowed memory range");
        assert_eq!(
            value(0, 0, 48),
            [
                "invalid access to map value, value_size=48 off=48 size=4",
                "R2 max value is outside of the allowed memory range"
            ]
        );
        assert!(value(0, -1, 4)[0].starts_with("R2 min value is negative"));
        // What is added makes up for it.
        assert_eq!(value(8, -1, 48)[1], "R2 max value is outside of the allowed memory range");
    }

    #[test]
    fn sizes_are_negative_zero_or_too_large() {
        let words = |min, max| Cause::SizeArgument { callee: "f".into(), argument: 3, min, max }.kernel_log();
        assert!(words(-1, u64::MAX)[0].starts_with("R3 min value is negative"));
        assert_eq!(words(0, 4), ["R3 invalid zero-sized read: u64=[0,4]"]);
        assert!(words(0, u64::MAX)[0].starts_with("R3 unbounded memory access"));
        assert!(words(1, 1 << 29)[0].starts_with("R3 unbounded memory access"));
    }

    #[test]
    fn results_say_what_is_known() {
        let words = |low, high| {
            let when = "At program exit";
            Cause::ReturnRange { min: 0, max: 1, low, high, when, reg: 0 }.kernel_log().remove(0)
        };
        assert!(words(2, 2).contains("R0 has smin=2 smax=2 should have been in [0, 1]"));
        assert!(words(2, i64::MAX).contains("R0 has smin=2 should"));
        assert!(words(i64::MIN, i64::MAX).contains("R0 has unknown scalar value should"));
    }

    #[test]
    fn stack_is_left_by_known_and_unknown_offsets() {
        let words = |fixed, low, high| {
            let access = access(PtrKind::Stack(0), fixed, low, high);
            Cause::StackBounds { access }.kernel_log().remove(0)
        };
        assert_eq!(words(-516, 0, 0), "invalid write to stack R2 off=-516 size=4");
        assert!(words(-8, 0, 8).starts_with("invalid variable-offset write to stack R2"));
        assert!(words(-8, 0, 1 << 30).starts_with("invalid unbounded variable-offset write to stack R2"));
        let access = Access { indirect: true, ..access(PtrKind::Stack(0), 0, 0, 0) };
        let words = Cause::StackBounds { access }.kernel_log();
        assert_eq!(words, ["invalid indirect access to stack R2 off=0 size=4"]);
    }
}

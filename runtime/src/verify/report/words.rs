//! What a rejection is called, for someone who never saw a verifier's log: a sentence, a label for the
//! place, the other places that explain it, advice.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use skep_stdlib::helpers::Helper;
use skep_stdlib::programs::PROGRAMS;

use super::super::reg::PtrKind;
use super::{Access, Caller, Cause, Note};

impl Cause {
    /// Our sentence: lower-case, names in backquotes, no final dot.
    pub fn message(&self) -> String {
        match self {
            Cause::PacketBounds { access, .. } => {
                format!("{} of {} may pass the end of the packet", access.verb(), access.bytes())
            }
            Cause::MapValueBounds { access, .. } => format!("{} outside the map value", access.verb()),
            Cause::StackBounds { access } => format!("{} outside the stack frame", access.verb()),
            Cause::StackUninit { .. } => "memory of the stack is read that was never written".into(),
            Cause::MemBounds { access, .. } => format!("{} outside the memory", access.verb()),
            Cause::CtxAccess { access, context } => {
                let verb = if access.write { "write to" } else { "read of" };
                format!("{verb} {} at offset {} of `{context}` is not allowed", access.bytes(), access.min)
            }
            Cause::ReadOnly { access, .. } => format!("write to {}, which is read-only", access.kind.noun()),
            Cause::MaybeNull { access } => format!("the pointer to {} may be null here", access.kind.noun()),
            Cause::NotAPointer { .. } => "a number is used as an address".into(),
            Cause::Opaque { access, .. } => {
                format!("{} cannot be read or written directly", access.kind.noun())
            }
            Cause::Misaligned { access } => format!("{} of {} is not aligned", access.verb(), access.bytes()),
            Cause::BtfBounds { access, .. } => format!("{} outside the kernel structure", access.verb()),
            Cause::MixedAccess { access } => {
                format!("{} here, but another kind of memory on another path", access.kind.noun())
            }
            Cause::MovedContext { .. } => "the pointer to the context was moved before it is followed".into(),
            Cause::SpecialField { access, field } => {
                format!("{} of a field of type `{field}`, which only helpers may touch", access.verb())
            }
            Cause::WriteOnly { access, .. } => format!("read of {}, which is write-only", access.kind.noun()),
            Cause::Prototype { function, why, .. } => {
                format!("the global function `{function}` cannot be verified on its own: {why}")
            }
            Cause::KfuncNotAllowed { function, by } => format!("`{function}` cannot be called from {by}"),
            Cause::KfuncTooNew { function, since } => format!("`{function}` exists since Linux {since}"),
            Cause::TooNew { what, since } => format!("{what} exists since Linux {since}"),
            Cause::Arena { why, .. } | Cause::PacketLoad { why, .. } => (*why).into(),
            Cause::IndirectCall {} => "a function is called whose address is in a register".into(),
            Cause::Hook { what, .. } => what.clone(),
            Cause::EndsEarly { function, what } => {
                format!("`{function}` may end at {what}, so it must return an integer")
            }
            Cause::ProgramGpl { program, license } => {
                format!(
                    "programs of type `{program}` need a GPL-compatible license, this object's is `{license}`"
                )
            }
            Cause::Sleeps { callee } => format!("`{callee}` may sleep, which is not allowed here"),
            Cause::Unbalanced { what, .. } => format!("{what} is entered without being left, or the reverse"),
            Cause::ThrowInCallback { .. } => {
                "an exception is thrown in a function that a helper calls".into()
            }
            Cause::DirectValue { .. } => "only an array of one entry has a value with a fixed address".into(),
            Cause::StructureGpl { license } => {
                format!("kernel structures need a GPL-compatible license, this object's is `{license}`")
            }
            Cause::DynptrOverwritten { .. } => {
                "a dynamic pointer that holds a record is overwritten before it is given back".into()
            }
            Cause::Uninit { reg: 0 } => "there is no result: nothing was put into `r0`".into(),
            Cause::Uninit { reg } => format!("`r{reg}` is used, but nothing was put into it"),
            Cause::PointerArithmetic { kind, why, .. } => format!("{why} on a pointer to {}", kind.noun()),
            Cause::UnboundedOffset { kind, .. } => {
                format!("the number that is added to a pointer to {} is not bounded", kind.noun())
            }
            Cause::FramePointer {} => "the frame pointer cannot be changed".into(),
            Cause::PointerCompare { .. } => "this comparison of pointers is not allowed".into(),
            Cause::PointerLeak { .. } => "an address would become visible outside the program".into(),
            Cause::Unmasked { .. } => {
                "a wrong guess of the processor may lead this pointer out of bounds".into()
            }
            Cause::Capability { what, needs, .. } => {
                format!("{what} needs `{needs}`, which the user has not")
            }
            Cause::Jumps { waiting } => {
                format!("{waiting} jumps on the way here have a side that is not walked yet")
            }
            Cause::TailCallMaps {} => "this tail call has another map on another path".into(),
            Cause::BackEdge { .. } => {
                "this leads back, which is refused before anything is known of the loop".into()
            }
            Cause::ShiftTooFar { amount } => format!("shift by {amount}"),
            Cause::DivisionByZero {} => "division by zero".into(),
            Cause::UnknownHelper { id } => format!("there is no helper number {id}"),
            Cause::HelperNotAllowed { helper, by } => format!("`bpf_{helper}` cannot be called from {by}"),
            Cause::HelperGpl { helper, license } => {
                format!("`bpf_{helper}` needs a GPL-compatible license, this object's is `{license}`")
            }
            Cause::Argument { callee, argument, wanted, got, .. } => {
                format!("argument {argument} of `{callee}` must be {wanted}, not {got}")
            }
            Cause::MapKind { helper, .. } => format!("`bpf_{helper}` does not take maps of this type"),
            Cause::SizeArgument { callee, argument, .. } => {
                format!("argument {argument} of `{callee}`, a size, is out of range")
            }
            Cause::HelperTooNew { helper, since } => format!("`bpf_{helper}` exists since Linux {since}"),
            Cause::Locked { callee, .. } => format!("`{callee}` is called while a spin lock is held"),
            Cause::Deadlock { .. } => "the lock is taken again while it is held".into(),
            Cause::NotStatic { function } => {
                format!("`{function}` is handed to the kernel to be called, but it is not static")
            }
            Cause::MapField { field, program, .. } => {
                format!("a program of type `{program}` cannot use a map whose value has a `{field}`")
            }
            Cause::Unlocked { callee, .. } => {
                format!("`{callee}` is called without holding the lock of the list or tree")
            }
            Cause::ObjectType { why, .. } => format!("no object of this type can be allocated: {why}"),
            Cause::ReturnRange { min, max, .. } if min == max => format!("the program must return {min}"),
            Cause::ReturnRange { min, max, .. } => format!("the program must return {min} to {max}"),
            Cause::Leak { .. } => "a reference is still held when the program ends".into(),
            Cause::ReturnPointer { .. } => "the program returns an address".into(),
            Cause::StackReturned {} => "the function returns an address of its own stack".into(),
            Cause::BadJump { target } => format!("jump to slot {target}, where no instruction starts"),
            Cause::Unreachable { .. } => "this instruction cannot be reached".into(),
            Cause::FallsOff {} => "control runs past the end of the function".into(),
            Cause::EndlessLoop { .. } => "this loop has no end that can be proven".into(),
            Cause::CallDepth {} => "more than 8 nested calls".into(),
            Cause::StackDepth { bytes, .. } => {
                format!("nested calls use {bytes} bytes of stack, the limit is 512")
            }
            Cause::Complexity { limit } => format!("not proven safe within {limit} instructions"),
            Cause::CorePoison {} => "a CO-RE relocation of this instruction found no match".into(),
            Cause::Unsupported { what } => format!("{what} is not supported by this verifier yet"),
        }
    }

    /// What is known at the failing instruction, as a short label.
    pub fn label(&self) -> String {
        match self {
            Cause::PacketBounds { access, proven } => {
                format!("needs {} bytes of the packet, {proven} are proven", access.end())
            }
            Cause::MapValueBounds { access, value_size, .. } => {
                format!("{}, the value has {value_size} bytes", access.span())
            }
            Cause::MemBounds { access, limit } | Cause::BtfBounds { access, size: limit, .. } => {
                format!("{}, there are {limit}", access.span())
            }
            Cause::StackBounds { access } => format!("{}, the frame is -512 to -1", access.span()),
            Cause::StackUninit { offset, start, size, .. } => {
                format!("{size} bytes are read; nothing was written to byte {} of them", offset - start)
            }
            Cause::MaybeNull { .. } => "followed without a comparison with null".into(),
            Cause::NotAPointer { value: Some(0), .. } => "this address is null".into(),
            Cause::NotAPointer { .. } => "no pointer as far as the verifier knows".into(),
            Cause::ReturnRange { low, high, .. } => match low == high {
                true => format!("returns {low}"),
                false => format!("returns {low} to {high}"),
            },
            Cause::SizeArgument { min, .. } if *min < 0 => format!("may be negative, as low as {min}"),
            Cause::SizeArgument { min, max, .. } => format!("may be {min} to {max}"),
            Cause::Leak { .. } => "the program ends here".into(),
            Cause::UnboundedOffset { min: i64::MIN, .. } => "may be any number".into(),
            Cause::UnboundedOffset { min, .. } if *min < 0 => format!("may be negative, as low as {min}"),
            Cause::UnboundedOffset { min, max, .. } => format!("may be {min} to {max}"),
            Cause::Unmasked { why, .. } => (*why).into(),
            // The sentence says all there is to say.
            _ => String::new(),
        }
    }

    /// Places that explain the failure.
    pub fn notes(&self) -> Vec<Note> {
        let born = |slot: u32, text: String| alloc::vec![Note { slot, text }];
        match self {
            Cause::PacketBounds { access, .. } => {
                born(access.born, "the pointer into the packet comes from here".into())
            }
            Cause::MaybeNull { access } => {
                born(access.born, format!("this returns null when there is no such {}", access.kind.thing()))
            }
            Cause::MapValueBounds { access, .. }
            | Cause::MemBounds { access, .. }
            | Cause::BtfBounds { access, .. }
            | Cause::Opaque { access, .. } => born(access.born, "the pointer comes from here".into()),
            Cause::NotAPointer { born: slot, .. } => born(*slot, "the number comes from here".into()),
            Cause::Argument { born: slot, .. } => born(*slot, "the argument comes from here".into()),
            Cause::BackEdge { to, .. } => born(*to, "the loop begins here".into()),
            Cause::DynptrOverwritten { made } => born(*made, "the dynamic pointer is made here".into()),
            Cause::Locked { taken, .. } | Cause::Deadlock { taken } => {
                born(*taken, "the lock is taken here".into())
            }
            Cause::Leak { acquired, .. } => born(*acquired, "the reference is acquired here".into()),
            _ => Vec::new(),
        }
    }

    /// What to do.
    pub fn help(&self) -> Option<String> {
        let fixed = match self {
            Cause::PacketBounds { access, .. } if access.min == access.max => {
                return Some(format!(
                    "compare with the end of the packet first: `if (data + {} > data_end) return ...;`",
                    access.end()
                ));
            }
            Cause::MapValueBounds { value_size, .. } => {
                let last = value_size.saturating_sub(1);
                return Some(format!("bound the offset: the last byte of the value is at {last}"));
            }
            Cause::HelperNotAllowed { helper, by: Caller::Type(program) } => {
                return callers(helper, program);
            }
            Cause::PacketBounds { .. } => {
                "compare this very pointer plus the size with `data_end` before the access"
            }
            Cause::MaybeNull { .. } => "compare it with null first: `if (!p) return 0;`",
            Cause::NotAPointer { .. } => {
                "kernel memory of which only the address is known is read with `bpf_probe_read_kernel` or \
                 `BPF_CORE_READ`"
            }
            Cause::Leak { .. } => "give back what was acquired on every path to the end",
            Cause::HelperGpl { .. } | Cause::ProgramGpl { .. } | Cause::StructureGpl { .. } => {
                "`char LICENSE[] SEC(\"license\") = \"GPL\";`"
            }
            Cause::EndlessLoop { .. } => "give the loop a constant bound, or use `bpf_loop`",
            Cause::Complexity { .. } | Cause::Jumps { .. } => {
                "shorten loops, or move their bodies into functions that are not `static` nor inlined: those \
                 are verified once"
            }
            Cause::StackUninit { .. } => "initialise the whole variable, padding included: `= {}`",
            Cause::Uninit { reg: 0 } => "return a value on every path",
            Cause::Uninit { reg: 1..=5 } => {
                "a program gets one argument, its context, in r1; every call destroys r1 to r5"
            }
            Cause::StackDepth { .. } => "move large variables into a per-CPU array map of one element",
            Cause::StackBounds { access } if access.min < -512 => {
                "move large variables into a per-CPU array map of one element"
            }
            Cause::SizeArgument { .. } => "compare the size with its bounds, in the variable that is passed",
            Cause::UnboundedOffset { .. } => "compare the number with its bounds before it is added",
            Cause::CtxAccess { .. } => "read whole fields, as the context's structure declares them",
            Cause::Unmasked { .. } => {
                "index an array in the map by a variable that is compared with its bounds just before, on one \
                 path, and without negative numbers"
            }
            Cause::TailCallMaps {} => "call through one map, with one index or another",
            Cause::BackEdge { .. } => {
                "`#pragma unroll` the loop, or load the program with `CAP_BPF` on Linux 6.7 or newer"
            }
            Cause::DivisionByZero {} => "the divisor is the constant 0 here: is the macro that names it set?",
            Cause::SpecialField { .. } => "copy the other members one by one, not the whole structure",
            Cause::Locked { .. } => "move the call in front of `bpf_spin_lock` or behind `bpf_spin_unlock`",
            Cause::NotStatic { .. } => "declare the function `static`",
            Cause::PacketLoad { .. } => "copy from the packet, or compare a pointer into it with its end",
            Cause::IndirectCall {} => "choose between calls of the functions themselves",
            _ => return None,
        };
        Some(fixed.into())
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caller::Type(name) => write!(f, "a program of type `{name}`"),
            Caller::Kind => f.write_str("this kind of hook"),
            Caller::Hook => f.write_str("this hook"),
            Caller::Awake => f.write_str("this hook by a program that may not sleep"),
            Caller::Unbound => f.write_str("a program that was not loaded for a device"),
            Caller::Handler => f.write_str("the function that handles an exception"),
        }
    }
}

/// Who may call the helper, if not such a program?
fn callers(helper: &str, refused: &str) -> Option<String> {
    let row = Helper::from_name(helper)?;
    let may = PROGRAMS.iter().filter(|program| row.programs.contains(program.ty));
    if may.clone().any(|program| program.name == refused) {
        return Some("programs of this type may call it on newer kernels".into());
    }
    let types: Vec<&str> = may.map(|program| program.name).take(CALLERS).collect();
    (!types.is_empty()).then(|| format!("programs of these types may call it: {}", types.join(", ")))
}

/// So many types are named.
const CALLERS: usize = 8;

impl Access {
    fn verb(&self) -> &'static str {
        if self.write { "write" } else { "read" }
    }

    fn bytes(&self) -> String {
        if self.size == 1 { "1 byte".to_string() } else { format!("{} bytes", self.size) }
    }

    /// The bytes that may be accessed.
    fn span(&self) -> String {
        match self.min == self.max {
            true => format!("accesses {} at offset {}", self.bytes(), self.min),
            false => format!("accesses {} at offset {} to {}", self.bytes(), self.min, self.max),
        }
    }
}

impl PtrKind {
    /// What is absent when a pointer of this kind is null.
    const fn thing(self) -> &'static str {
        match self {
            PtrKind::MapValue(_) => "element",
            PtrKind::Ringbuf(_) => "space",
            _ => "object",
        }
    }
}

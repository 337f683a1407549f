//! What a rejection is called, for someone who never saw a verifier's log: a sentence, a label for the
//! place, the other places that explain it, advice.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::reg::PtrKind;
use super::{Access, Cause, Note};

impl Cause {
    /// Our sentence: lower-case, names in backquotes, no final dot.
    pub fn message(&self) -> String {
        match self {
            Cause::PacketBounds { access, .. } => {
                format!("{} of {} may pass the end of the packet", access.verb(), access.bytes())
            }
            Cause::MapValueBounds { access, .. } => format!("{} outside the map value", access.verb()),
            Cause::StackBounds { access } => format!("{} outside the stack frame", access.verb()),
            Cause::StackUninit { offset, .. } => {
                format!("the stack at {offset} from the frame pointer is read but was never written")
            }
            Cause::MemBounds { access, .. } => format!("{} outside the memory", access.verb()),
            Cause::CtxAccess { access, context } => {
                let verb = if access.write { "write to" } else { "read of" };
                format!("{verb} {} at offset {} of `{context}` is not allowed", access.bytes(), access.min)
            }
            Cause::ReadOnly { access } => format!("write to {}, which is read-only", access.kind.noun()),
            Cause::MaybeNull { access } => format!("pointer to {} may be null here", access.kind.noun()),
            Cause::NotAPointer { .. } => "a number is used as an address".into(),
            Cause::Opaque { access } => format!("{} cannot be read or written directly", access.kind.noun()),
            Cause::Misaligned { access } => format!("{} of {} is not aligned", access.verb(), access.bytes()),
            Cause::BtfBounds { access, .. } => format!("{} outside the kernel structure", access.verb()),
            Cause::MixedAccess { access } => {
                format!("{} here, but another kind of memory on another path", access.kind.noun())
            }
            Cause::MovedContext { .. } => "the pointer to the context was moved before it is followed".into(),
            Cause::SpecialField { access, field } => {
                format!("{} of a field of type `{field}`, which only helpers may touch", access.verb())
            }
            Cause::WriteOnly { access } => format!("read of {}, which is write-only", access.kind.noun()),
            Cause::Prototype { function, why } => {
                format!("the global function `{function}` cannot be verified on its own: {why}")
            }
            Cause::KfuncNotAllowed { function, program } => {
                format!("`{function}` cannot be called from a program of type `{program}`")
            }
            Cause::KfuncTooNew { function, since } => format!("`{function}` exists since Linux {since}"),
            Cause::TooNew { what, since } => format!("{what} exists since Linux {since}"),
            Cause::Hook { what } => what.clone(),
            Cause::ProgramGpl { program, license } => {
                format!(
                    "programs of type `{program}` need a GPL-compatible license, this object's is `{license}`"
                )
            }
            Cause::Sleeps { callee } => format!("`{callee}` may sleep, which is not allowed here"),
            Cause::Unbalanced { what } => format!("{what} is entered without being left, or the reverse"),
            Cause::ThrowInCallback {} => "an exception is thrown in a function that a helper calls".into(),
            Cause::DirectValue {} => "only an array of one entry has a value with a fixed address".into(),
            Cause::StructureGpl { license } => {
                format!("kernel structures need a GPL-compatible license, this object's is `{license}`")
            }
            Cause::DynptrOverwritten { .. } => {
                "a dynamic pointer that holds a record is overwritten before it is given back".into()
            }
            Cause::Uninit { reg } => format!("`r{reg}` is used but holds nothing"),
            Cause::PointerArithmetic { kind, why, .. } => format!("{why} on a pointer to {}", kind.noun()),
            Cause::UnboundedOffset { kind, .. } => {
                format!("the offset added to a pointer to {} has no known bounds", kind.noun())
            }
            Cause::FramePointer {} => "the frame pointer cannot be changed".into(),
            Cause::PointerCompare { .. } => "this comparison of pointers is not allowed".into(),
            Cause::PointerLeak { .. } => "an address would become visible outside the program".into(),
            Cause::ShiftTooFar { amount } => format!("shift by {amount}"),
            Cause::DivisionByZero {} => "division by zero".into(),
            Cause::UnknownHelper { id } => format!("there is no helper number {id}"),
            Cause::HelperNotAllowed { helper, program } => {
                format!("`bpf_{helper}` cannot be called from a program of type `{program}`")
            }
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
            Cause::MapField { field, program, .. } => {
                format!("a program of type `{program}` cannot use a map whose value has a `{field}`")
            }
            Cause::Unlocked { callee } => {
                format!("`{callee}` is called without holding the lock of the list or tree")
            }
            Cause::ObjectType { why } => format!("no object of this type can be allocated: {why}"),
            Cause::ReturnRange { min, max, .. } => format!("the program must return {min} to {max}"),
            Cause::Leak { .. } => "a reference is still held when the program ends".into(),
            Cause::ReturnPointer {} => "the program returns an address".into(),
            Cause::StackReturned {} => "the function returns an address of its own stack".into(),
            Cause::BadJump { target } => format!("jump to slot {target}, where no instruction starts"),
            Cause::Unreachable {} => "this instruction cannot be reached".into(),
            Cause::FallsOff {} => "control runs past the end of the function".into(),
            Cause::EndlessLoop {} => "this loop has no end that can be proven".into(),
            Cause::CallDepth {} => "more than 8 nested calls".into(),
            Cause::StackDepth { bytes } => {
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
            Cause::MemBounds { access, limit } | Cause::BtfBounds { access, size: limit } => {
                format!("{}, there are {limit}", access.span())
            }
            Cause::StackBounds { access } => format!("{}, the frame is -512 to -1", access.span()),
            Cause::StackUninit { start, size, .. } => format!("reads {size} bytes from {start}"),
            Cause::ReturnRange { low, high, .. } => match low == high {
                true => format!("returns {low}"),
                false => format!("returns {low} to {high}"),
            },
            Cause::SizeArgument { min, max, .. } => format!("may be {min} to {max}"),
            Cause::UnboundedOffset { min, max, .. } => format!("between {min} and {max}"),
            other => other.message(),
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
            | Cause::Opaque { access } => born(access.born, "the pointer comes from here".into()),
            Cause::NotAPointer { born: slot, .. } => born(*slot, "the number comes from here".into()),
            Cause::Argument { born: slot, .. } => born(*slot, "the argument comes from here".into()),
            Cause::DynptrOverwritten { made } => born(*made, "the dynamic pointer is made here".into()),
            Cause::Locked { taken, .. } => born(*taken, "the lock is taken here".into()),
            Cause::Leak { acquired } => born(*acquired, "the reference is acquired here".into()),
            _ => Vec::new(),
        }
    }

    /// What to do.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Cause::PacketBounds { access, .. } if access.min == access.max => format!(
                "compare with the end of the packet first: `if (data + {} > data_end) return ...;`",
                access.end()
            ),
            Cause::PacketBounds { .. } => {
                "compare this very pointer plus the size with `data_end` before the access".into()
            }
            Cause::MaybeNull { .. } => "compare it with null first: `if (!p) return 0;`".into(),
            Cause::MapValueBounds { value_size, .. } => {
                format!("bound the offset: the last byte of the value is at {}", value_size.saturating_sub(1))
            }
            Cause::Leak { .. } => "give it back on every path: submit or discard the record".into(),
            Cause::HelperGpl { .. } | Cause::ProgramGpl { .. } | Cause::StructureGpl { .. } => {
                "`char LICENSE[] SEC(\"license\") = \"GPL\";`".into()
            }
            Cause::EndlessLoop {} => "give the loop a constant bound, or use `bpf_loop`".into(),
            Cause::StackUninit { .. } => "initialise the whole variable, padding included: `= {}`".into(),
            _ => return None,
        })
    }
}

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

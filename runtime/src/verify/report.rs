//! Why a program is rejected: data, and its wordings.
//!
//! A [`Cause`] holds what the check knew when it failed. From it derive the rule (a row of
//! [`RULES`] with a stable code), the kernel's own words, our sentence, the places that explain it
//! and the advice. Nothing here knows C: whoever renders adds source lines by instruction.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::reg::PtrKind;

/// A row: one way to be unsafe.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable code, `V0101`.
    pub code: &'static str,
    /// What it says in general.
    pub title: &'static str,
}

/// A rejection.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// Index of the program in the image.
    pub program: usize,
    /// The instruction that failed.
    pub slot: u32,
    /// Why.
    pub cause: Cause,
    /// The jumps that led here, first to last.
    pub path: Vec<Step>,
}

/// A conditional jump on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The jump.
    pub slot: u32,
    /// Whether its condition held.
    pub taken: bool,
}

/// A place that helps to understand, with what happened there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// The instruction.
    pub slot: u32,
    /// What happened, as a phrase.
    pub text: String,
}

/// A memory access: bytes from the pointer's origin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Register number of the address.
    pub reg: u8,
    /// What the pointer points to.
    pub kind: PtrKind,
    /// Bytes accessed.
    pub size: u32,
    /// Whether it writes.
    pub write: bool,
    /// Smallest offset of the first byte from the origin.
    pub min: i64,
    /// Largest offset of the first byte.
    pub max: i64,
    /// The pointer's id.
    pub id: u32,
    /// The pointer's fixed offset.
    pub fixed: i64,
    /// The instruction that made the pointer.
    pub born: u32,
}

macro_rules! causes {
    ($($code:literal $title:literal $(#[$doc:meta])* $name:ident { $($field:ident : $ty:ty),* $(,)? })*) => {
        /// Why a check failed, with what it knew.
        #[derive(Clone, PartialEq, Debug)]
        #[allow(missing_docs)]
        pub enum Cause {
            $($(#[$doc])* $name { $($field: $ty),* },)*
        }

        /// Every rule, in order of its code.
        pub static RULES: &[Rule] = &[$(Rule { code: $code, title: $title }),*];

        impl Cause {
            /// The rule that was broken.
            pub fn rule(&self) -> &'static Rule {
                let code = match self {
                    $(Cause::$name { .. } => $code,)*
                };
                // Both lists are made from the same rows.
                RULES.iter().find(|rule| rule.code == code).unwrap_or(&RULES[0])
            }
        }
    };
}

causes! {
    "V0101" "access past the proven part of the packet"
    /// `proven` bytes from the origin are known to be in the packet.
    PacketBounds { access: Access, proven: u32 }
    "V0102" "access outside a map value"
    MapValueBounds { access: Access, map: u32, value_size: u32 }
    "V0103" "access outside the stack frame"
    StackBounds { access: Access }
    "V0104" "read of stack that was never written"
    /// `offset` is that of the first unwritten byte.
    StackUninit { offset: i32, start: i32, size: u32 }
    "V0105" "access outside a block of memory"
    MemBounds { access: Access, limit: u32 }
    "V0106" "access to the context that is not allowed"
    CtxAccess { access: Access, context: &'static str }
    "V0107" "write to read-only memory"
    ReadOnly { access: Access }
    "V0108" "access through a pointer that may be null"
    MaybeNull { access: Access }
    "V0109" "access through a number"
    NotAPointer { reg: u8, born: u32, value: Option<u64> }
    "V0110" "access through a pointer that cannot be followed"
    Opaque { access: Access }
    "V0111" "unaligned access"
    Misaligned { access: Access }
    "V0112" "access outside a kernel structure"
    BtfBounds { access: Access, size: u32 }
    "V0113" "one instruction, several kinds of pointers"
    MixedAccess { access: Access }
    "V0114" "access through a moved pointer to the context"
    MovedContext { access: Access }
    "V0115" "field of a map value that only helpers may touch"
    SpecialField { access: Access, field: &'static str }
    "V0116" "read of memory that may only be written"
    WriteOnly { access: Access }
    "V0117" "address of the value of a map that has no single one"
    DirectValue { }
    "V0118" "store over a dynamic pointer that holds a record"
    /// It was made at this instruction.
    DynptrOverwritten { made: u32 }
    "V0119" "kernel structure read by a program without a GPL-compatible license"
    StructureGpl { license: String }
    "V0201" "register that holds nothing"
    Uninit { reg: u8 }
    "V0202" "arithmetic on a pointer that is not allowed"
    PointerArithmetic { reg: u8, kind: PtrKind, why: &'static str }
    "V0203" "pointer moved by an unbounded number"
    UnboundedOffset { reg: u8, kind: PtrKind, min: i64, max: u64 }
    "V0204" "write to the frame pointer"
    FramePointer { }
    "V0205" "comparison of a pointer that is not allowed"
    PointerCompare { reg: u8 }
    "V0206" "address written to where others can read it"
    PointerLeak { reg: u8 }
    "V0207" "shift by more than the width"
    ShiftTooFar { amount: i64 }
    "V0208" "division by the constant zero"
    DivisionByZero { }
    "V0301" "helper that does not exist"
    UnknownHelper { id: i32 }
    "V0302" "helper that this program type may not call"
    HelperNotAllowed { helper: &'static str, program: &'static str }
    "V0303" "helper for GPL-compatible programs"
    HelperGpl { helper: &'static str, license: String }
    "V0304" "argument of the wrong kind"
    Argument { callee: String, argument: u8, wanted: &'static str, got: &'static str, born: u32 }
    "V0305" "map of a type that the helper does not take"
    MapKind { helper: &'static str, map: u32 }
    "V0306" "size argument out of range"
    SizeArgument { callee: String, argument: u8, min: i64, max: u64 }
    "V0307" "helper that the target kernel does not have"
    HelperTooNew { helper: &'static str, since: String }
    "V0308" "global function whose prototype the kernel does not take"
    Prototype { function: String, why: &'static str }
    "V0309" "kernel function that this program type may not call"
    KfuncNotAllowed { function: &'static str, program: &'static str }
    "V0310" "kernel function that the target kernel does not have"
    KfuncTooNew { function: &'static str, since: String }
    "V0311" "call that may sleep where that is not allowed"
    Sleeps { callee: String }
    "V0312" "exception in a function that a helper calls"
    ThrowInCallback { }
    "V0313" "call while a spin lock is held"
    /// It was taken at this instruction.
    Locked { taken: u32, callee: String }
    "V0314" "map with a field that this program type may not use"
    MapField { map: u32, field: &'static str, program: &'static str }
    "V0315" "list or tree whose lock is not held"
    Unlocked { callee: String }
    "V0316" "type of which no object can be allocated"
    ObjectType { why: String }
    "V0317" "something that the target kernel does not have"
    TooNew { what: String, since: String }
    "V0401" "return value out of range"
    ReturnRange { min: i32, max: i32, low: i64, high: i64 }
    "V0402" "reference that is not given back"
    Leak { acquired: u32 }
    "V0403" "return of an address"
    ReturnPointer { }
    "V0404" "return of an address of the function's own stack"
    StackReturned { }
    "V0405" "section that is not entered or not left"
    Unbalanced { what: &'static str }
    "V0501" "jump to where no instruction starts"
    BadJump { target: i64 }
    "V0502" "instructions that cannot be reached"
    Unreachable { }
    "V0503" "last instruction is not an exit or a jump"
    FallsOff { }
    "V0504" "endless loop"
    EndlessLoop { }
    "V0505" "calls nested too deeply"
    CallDepth { }
    "V0506" "too much stack over all nested calls"
    StackDepth { bytes: u32 }
    "V0601" "program too complex"
    Complexity { limit: u32 }
    "V0602" "CO-RE relocation without a match"
    CorePoison { }
    "V0901" "not supported by this verifier yet"
    Unsupported { what: String }
}

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
            Cause::HelperGpl { .. } => "`char LICENSE[] SEC(\"license\") = \"GPL\";`".into(),
            Cause::EndlessLoop {} => "give the loop a constant bound, or use `bpf_loop`".into(),
            Cause::StackUninit { .. } => "initialise the whole variable, padding included: `= {}`".into(),
            _ => return None,
        })
    }

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
    fn verb(&self) -> &'static str {
        if self.write { "write" } else { "read" }
    }

    fn bytes(&self) -> String {
        if self.size == 1 { "1 byte".to_string() } else { format!("{} bytes", self.size) }
    }

    /// One past the last byte that may be accessed.
    pub fn end(&self) -> i64 {
        self.max + i64::from(self.size)
    }

    /// The bytes that may be accessed.
    fn span(&self) -> String {
        match self.min == self.max {
            true => format!("accesses {} at offset {}", self.bytes(), self.min),
            false => format!("accesses {} at offset {} to {}", self.bytes(), self.min, self.max),
        }
    }

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

//! Why a program is rejected: data.
//!
//! A [`Cause`] holds what the check knew when it failed. From it derive the rule (a row of
//! [`RULES`] with a stable code), our sentence, the places that explain it and the advice (`words`),
//! and the kernel's own words (`log`). Nothing here knows C: whoever renders adds source lines by
//! instruction.

mod log;
pub mod terms;
mod words;

use alloc::string::String;
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
    /// No run takes it: only a processor that guesses wrong.
    pub guessed: bool,
}

impl Report {
    /// One that no path led to.
    pub fn at(program: usize, slot: u32, cause: Cause) -> Report {
        Report { program, slot, cause, path: Vec::new(), guessed: false }
    }
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

/// From where a helper or kernel function may not be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caller {
    /// Any program of the type with this name.
    Type(&'static str),
    /// One at this kind of hook.
    Kind,
    /// One at this very hook.
    Hook,
    /// One at this hook that may not sleep.
    Awake,
    /// One that was not loaded for a device.
    Unbound,
    /// The function that handles an exception.
    Handler,
}

/// What a reference would be left behind by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaving {
    /// The end of the program, or of a function that a helper calls.
    End,
    /// An exception.
    Throw,
    /// A program that is called in its place.
    TailCall,
    /// A load from the packet, which ends the program where there is none.
    PacketLoad,
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
    /// Whether a callee makes it.
    pub indirect: bool,
    /// The offset that the instruction adds.
    pub off: i64,
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
    StackUninit { offset: i32, start: i32, size: u32, indirect: Option<u8> }
    "V0105" "access outside a block of memory"
    MemBounds { access: Access, limit: u32 }
    "V0106" "access to the context that is not allowed"
    CtxAccess { access: Access, context: &'static str }
    "V0107" "write to read-only memory"
    /// The memory has `limit` bytes, where that is known.
    ReadOnly { access: Access, limit: u32 }
    "V0108" "access through a pointer that may be null"
    MaybeNull { access: Access }
    "V0109" "access through a number"
    NotAPointer { reg: u8, born: u32, value: Option<u64> }
    "V0110" "access through a pointer that cannot be followed"
    /// What the kernel says if it is not the usual.
    Opaque { access: Access, log: String }
    "V0111" "unaligned access"
    Misaligned { access: Access }
    "V0112" "access outside a kernel structure"
    BtfBounds { access: Access, size: u32, log: String }
    "V0113" "one instruction, several kinds of pointers"
    MixedAccess { access: Access }
    "V0114" "access through a moved pointer to the context"
    MovedContext { access: Access, log: String }
    "V0115" "field of a map value that only helpers may touch"
    SpecialField { access: Access, field: &'static str }
    "V0116" "read of memory that may only be written"
    WriteOnly { access: Access, limit: u32 }
    "V0117" "address of the value of a map that has no single one"
    DirectValue { log: String }
    "V0118" "store over a dynamic pointer that holds a record"
    /// It was made at this instruction.
    DynptrOverwritten { made: u32 }
    "V0119" "kernel structure read by a program without a GPL-compatible license"
    StructureGpl { license: String }
    "V0201" "register that holds nothing"
    Uninit { reg: u8 }
    "V0202" "arithmetic on a pointer that is not allowed"
    PointerArithmetic { reg: u8, kind: PtrKind, why: &'static str, log: String }
    "V0203" "pointer moved by an unbounded number"
    UnboundedOffset { reg: u8, kind: PtrKind, min: i64, max: u64, log: String }
    "V0204" "write to the frame pointer"
    FramePointer { }
    "V0205" "comparison of a pointer that is not allowed"
    PointerCompare { reg: u8 }
    "V0206" "address written to where others can read it"
    PointerLeak { reg: u8, log: String }
    "V0207" "shift by more than the width"
    ShiftTooFar { amount: i64 }
    "V0208" "division by the constant zero"
    DivisionByZero { }
    "V0209" "pointer that a wrong guess of the processor leads out of bounds"
    Unmasked { reg: u8, why: &'static str, log: String }
    "V0301" "helper that does not exist"
    UnknownHelper { id: i32 }
    "V0302" "helper that this program type may not call"
    HelperNotAllowed { helper: &'static str, by: Caller }
    "V0303" "helper for GPL-compatible programs"
    HelperGpl { helper: &'static str, license: String }
    "V0304" "argument of the wrong kind"
    /// `log` is what the kernel says.
    Argument { callee: String, argument: u8, wanted: &'static str, got: &'static str, born: u32, log: String }
    "V0305" "map of a type that the helper does not take"
    MapKind { helper: &'static str, map: u32, log: String }
    "V0306" "size argument out of range"
    SizeArgument { callee: String, argument: u8, min: i64, max: u64 }
    "V0307" "helper that the target kernel does not have"
    HelperTooNew { helper: &'static str, since: String }
    "V0308" "global function whose prototype the kernel does not take"
    /// `log` is what the kernel says.
    Prototype { function: String, why: &'static str, log: String }
    "V0309" "kernel function that this program type may not call"
    KfuncNotAllowed { function: &'static str, by: Caller }
    "V0310" "kernel function that the target kernel does not have"
    KfuncTooNew { function: &'static str, since: String }
    "V0311" "call that may sleep where that is not allowed"
    Sleeps { callee: String }
    "V0312" "exception in a function that a helper calls"
    ThrowInCallback { slot: u32, function: u32 }
    "V0313" "call while a spin lock is held"
    /// It was taken at this instruction.
    Locked { taken: u32, callee: String }
    "V0314" "map with a field that this program type may not use"
    MapField { map: u32, field: &'static str, program: &'static str }
    "V0315" "list or tree whose lock is not held"
    Unlocked { callee: String, log: String }
    "V0316" "type of which no object can be allocated"
    ObjectType { why: String, log: String }
    "V0317" "something that the target kernel does not have"
    TooNew { what: String, since: String }
    "V0318" "hook that such a program cannot be attached to"
    Hook { what: String, log: String }
    "V0319" "program that needs a GPL-compatible license"
    ProgramGpl { program: &'static str, license: String }
    "V0320" "function that may end early and does not return an integer"
    EndsEarly { function: String, what: &'static str }
    "V0321" "arena that is not there"
    /// `log` is what the kernel says.
    Arena { why: &'static str, log: &'static str }
    "V0322" "something that the user has no capability for"
    /// `log` is what the kernel says, if it says anything.
    Capability { what: String, needs: &'static str, log: String }
    "V0323" "tail call that has several maps"
    TailCallMaps { }
    "V0324" "lock that is held already"
    /// It was taken at this instruction.
    Deadlock { taken: u32 }
    "V0325" "address of a function that is not static"
    NotStatic { function: String }
    "V0326" "packet loaded by an instruction that this program may not use"
    /// `log` is what the kernel says.
    PacketLoad { why: &'static str, log: &'static str }
    "V0327" "call through a register"
    IndirectCall { }
    "V0401" "return value out of range"
    /// `when` the register `reg` was asked for it.
    ReturnRange { min: i32, max: i32, low: i64, high: i64, when: &'static str, reg: u8 }
    "V0402" "reference that is not given back"
    /// `before` what.
    Leak { acquired: u32, id: u32, before: Leaving }
    "V0403" "return of an address"
    ReturnPointer { log: String }
    "V0404" "return of an address of the function's own stack"
    StackReturned { }
    "V0405" "section that is not entered or not left"
    Unbalanced { what: &'static str, log: String }
    "V0501" "jump to where no instruction starts"
    BadJump { target: i64 }
    "V0502" "instructions that cannot be reached"
    Unreachable { slot: u32 }
    "V0503" "last instruction is not an exit or a jump"
    FallsOff { }
    "V0504" "endless loop"
    EndlessLoop { slot: u32 }
    "V0505" "calls nested too deeply"
    CallDepth { }
    "V0506" "too much stack over all nested calls"
    /// Of so many calls.
    StackDepth { bytes: u32, calls: usize }
    "V0507" "loop that is refused whatever it does"
    BackEdge { from: u32, to: u32 }
    "V0601" "program too complex"
    Complexity { limit: u32 }
    "V0602" "CO-RE relocation without a match"
    CorePoison { }
    "V0603" "too many jumps whose other side waits"
    Jumps { waiting: usize }
    "V0901" "not supported by this verifier yet"
    Unsupported { what: String }
}

impl Cause {
    /// The same, for which the kernel's log has these words.
    pub fn logged(mut self, words: impl Into<String>) -> Cause {
        if let Cause::Argument { log, .. }
        | Cause::Opaque { log, .. }
        | Cause::MapKind { log, .. }
        | Cause::Unbalanced { log, .. }
        | Cause::Unlocked { log, .. } = &mut self
        {
            *log = words.into();
        }
        self
    }
}

impl Access {
    /// One past the last byte that may be accessed.
    pub fn end(&self) -> i64 {
        self.max.saturating_add(i64::from(self.size))
    }
}

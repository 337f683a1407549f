//! The linked form that verifier, interpreter and kernel back end share.
//!
//! In an [`Image`] nothing refers to the file any more:
//! - a program is one body of instructions; the subprograms it calls are appended to it, and calls
//!   and function addresses are distances inside that body (`CallTarget::Local`, `Imm64::Func`);
//! - a reference to a map is `Imm64::MapIdx(i)`, one to a global variable is
//!   `Imm64::MapIdxValue { index: i, offset }`, with `i` an index into [`Image::maps`];
//! - CO-RE relocations are applied; one without a match has become a call of
//!   [`CORE_POISON`], which no verifier accepts and which faults if it is reached;
//! - kernel functions and variables are BTF ids of the target BTF.
//!
//! Instructions are addressed by **slot**, as the instruction set and the kernel's messages count
//! them: a `LoadImm64` takes two, and its second slot holds no instruction.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use skep_stdlib::ByteOrder;
use skep_stdlib::btf::{Btf, StrOff, TypeId};
use skep_stdlib::isa::Insn;
use skep_stdlib::maps::MapType;
use skep_stdlib::programs::{AttachType, ProgType};

/// Helper number that marks an instruction whose CO-RE relocation found no match.
pub const CORE_POISON: i32 = 195_896_080;

/// Helper number that marks a call of a weak kernel function that the target does not have.
pub const KFUNC_POISON: i32 = 2_002_000_000;

/// A linked object.
#[derive(Clone, Debug)]
pub struct Image {
    /// Byte order of data and, in the file, of instructions.
    pub order: ByteOrder,
    /// The entry programs in file order.
    pub programs: Vec<Program>,
    /// All maps: those of `.maps` first, then the data sections.
    pub maps: Vec<MapDef>,
    /// The object's BTF, with section sizes and offsets filled in.
    pub btf: Option<Arc<Btf>>,
    /// The BTF that CO-RE and externs were resolved against; none if the object's own.
    pub target_btf: Option<Arc<Btf>>,
    /// Kernel functions that the programs call, by the id in their calls.
    pub kfuncs: BTreeMap<i32, String>,
    /// Kernel variables that the programs refer to, by the id in `Imm64::BtfId`.
    pub ksyms: BTreeMap<i32, String>,
    /// The text of the `license` section.
    pub license: String,
    /// The number in the `version` section.
    pub kernel_version: Option<u32>,
}

/// One entry program with the subprograms it reaches.
#[derive(Clone, Debug)]
pub struct Program {
    /// Name of the C function.
    pub name: String,
    /// The section it was in, as written (`?` prefix included).
    pub section: String,
    /// Its type, from the section's name.
    pub ty: ProgType,
    /// Where it attaches, if the section's name says so.
    pub attach: Option<AttachType>,
    /// The rest of the section's name: function, event, category and event.
    pub target: Option<String>,
    /// The member of a kernel interface that it implements.
    pub implements: Option<Member>,
    /// Whether it may sleep.
    pub sleepable: bool,
    /// Whether it is only loaded on demand (`?` prefix).
    pub optional: bool,
    /// Its instructions.
    pub code: Code,
    /// Functions in `code` in order of their start; the first is the entry.
    pub functions: Vec<Function>,
    /// Names of the functions that shall handle its exceptions; the kernel takes one.
    pub handlers: Vec<String>,
    /// Source lines by first slot, ascending; empty without `.BTF.ext`.
    pub lines: Vec<Line>,
}

impl Program {
    /// First slot of the function that handles its exceptions, if it names one that may.
    pub fn handler(&self) -> Option<u32> {
        let [name] = self.handlers.as_slice() else { return None };
        let found = self.functions.iter().find(|function| function.name == *name);
        found.filter(|function| function.global).map(|function| function.start)
    }
}

/// A member of one of the kernel's interfaces: of a structure of functions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The structure, as the program names it.
    pub structure: String,
    /// The member.
    pub name: String,
}

/// A function inside a program's code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// First slot.
    pub start: u32,
    /// Slot after the last.
    pub end: u32,
    /// Its FUNC in the object's BTF.
    pub btf_func: Option<TypeId>,
    /// Whether it may be verified on its own, by its prototype.
    pub global: bool,
    /// Its section in the file, and its first slot there.
    pub origin: (String, u32),
}

/// The source line that begins at a slot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// First slot.
    pub slot: u32,
    /// File name as the compiler wrote it.
    pub file: Arc<str>,
    /// Text of the line.
    pub text: Arc<str>,
    /// Line number, from 1.
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
    /// Where `file` is in the object's BTF.
    pub file_at: StrOff,
    /// Where `text` is in the object's BTF.
    pub text_at: StrOff,
}

/// Instructions by slot.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Code {
    slots: Vec<Option<Insn>>,
}

impl Code {
    /// Lays out `insns`, giving each its slots.
    pub fn new(insns: impl IntoIterator<Item = Insn>) -> Code {
        let mut code = Code::default();
        for insn in insns {
            code.push(insn);
        }
        code
    }

    /// Appends an instruction and returns its slot.
    pub fn push(&mut self, insn: Insn) -> u32 {
        let slot = self.slots.len() as u32;
        self.slots.push(Some(insn));
        for _ in 1..insn.slots() {
            self.slots.push(None);
        }
        slot
    }

    /// Number of slots.
    pub fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Whether there are no instructions.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The instruction that starts at `slot`: none past the end and none in the second slot of a
    /// `LoadImm64`.
    pub fn at(&self, slot: u32) -> Option<&Insn> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// As [`Code::at`], to change it; the replacement must take as many slots.
    pub fn at_mut(&mut self, slot: u32) -> Option<&mut Insn> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// All slots; `None` is the second slot of a `LoadImm64`.
    pub fn slots(&self) -> &[Option<Insn>] {
        &self.slots
    }

    /// The instructions with their slots, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Insn)> {
        self.slots.iter().enumerate().filter_map(|(slot, insn)| Some((slot as u32, insn.as_ref()?)))
    }
}

impl Program {
    /// The function that contains `slot`.
    pub fn function_at(&self, slot: u32) -> Option<&Function> {
        self.functions.iter().find(|f| f.start <= slot && slot < f.end)
    }

    /// Does a global function start at `slot`?
    pub fn is_global(&self, slot: u32) -> bool {
        self.functions.iter().any(|f| f.start == slot && f.global)
    }

    /// The source line that `slot` belongs to: the last one that begins at or before it, in the
    /// same function.
    pub fn line_at(&self, slot: u32) -> Option<&Line> {
        let after = self.lines.partition_point(|line| line.slot <= slot);
        let line = self.lines.get(after.checked_sub(1)?)?;
        (line.slot >= self.function_at(slot)?.start).then_some(line)
    }
}

/// What a map holds in place of user data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapRole {
    /// Declared in `.maps`.
    Declared,
    /// `.data` and its variants: initialised, writable.
    Data,
    /// `.rodata` and its variants: frozen after loading.
    Rodata,
    /// `.bss` and its variants: zero.
    Bss,
    /// `.kconfig`: values of the kernel's configuration, frozen.
    Kconfig,
}

/// A map of the image, before it exists.
#[derive(Clone, PartialEq, Debug)]
pub struct MapDef {
    /// Name of the C variable, or the section's name for a data section.
    pub name: String,
    /// What it is for.
    pub role: MapRole,
    /// Its type.
    pub ty: MapType,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// Most entries it can hold; ring buffers: bytes.
    pub max_entries: u32,
    /// `BPF_F_*` creation flags.
    pub flags: u32,
    /// Type-specific extra (`map_extra`).
    pub extra: u64,
    /// `__uint(pinning, ..)`; noted, never acted upon.
    pub pinning: u32,
    /// The key's type in the object's BTF, `VOID` if unknown.
    pub btf_key: TypeId,
    /// The value's type (the DATASEC for data sections), `VOID` if unknown.
    pub btf_value: TypeId,
    /// The single value's initial bytes, for data sections; otherwise empty.
    pub contents: Vec<u8>,
    /// Template of the inner maps of a map-in-map.
    pub inner: Option<alloc::boxed::Box<MapDef>>,
    /// Static initialisers: map-in-map slots (index, map) and program-array slots (index, program).
    pub slots: Vec<(u32, Slot)>,
}

/// A statically initialised element of a map of maps or of programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// Index into [`Image::maps`].
    Map(u32),
    /// Index into [`Image::programs`].
    Program(u32),
}

impl MapDef {
    /// Whether programs may only read it, so that the verifier may take its contents as constants.
    pub fn is_frozen(&self) -> bool {
        match self.role {
            MapRole::Rodata | MapRole::Kconfig => true,
            MapRole::Declared | MapRole::Data | MapRole::Bss => false,
        }
    }
}

//! Programs of instructions that aim at the verifier: nearly all of what they do is nearly right.
//!
//! The bytes of an input are choices, so that a fuzzer can steer and any bytes are a program. A program
//! is a list of ideas ([`ideas`], [`helpers`]): arithmetic, bounds, spills, packets, map values, loops,
//! functions, helpers. The writer keeps roughly in mind what each register holds, mostly picks one that
//! fits, and sometimes one that does not.

mod helpers;
mod ideas;

use std::collections::VecDeque;
use std::sync::Arc;

use skep_runtime::Image;
use skep_runtime::object::{Code, Function, MapDef, MapRole};
use skep_stdlib::ByteOrder;
use skep_stdlib::btf::{Btf, Builder, Encoding, Linkage, Type, TypeId};
use skep_stdlib::isa::{
    AluOp, CallTarget, Imm64, Insn, Operand, Reg, Size, Width, decode_program, encode_program,
};
use skep_stdlib::maps::MapType;
use skep_test_tools::mutate::change;

use crate::generate::Random;

/// The kind of program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// Packets before the network stack.
    Xdp,
    /// Packets inside of it.
    Tc,
}

impl Section {
    /// Where in the context `data`, `data_end` and a number of which nothing is known are.
    const fn fields(self) -> [i16; 3] {
        match self {
            Section::Xdp => [0, 4, 16],
            Section::Tc => [76, 80, 8],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Section::Xdp => "xdp",
            Section::Tc => "tc",
        }
    }
}

/// The maps, by index: key and value size, elements.
const ARRAY: i32 = 0;
const HASH: i32 = 1;
const RING: i32 = 2;
const MAPS: [(MapType, u32, u32, u32); 3] =
    [(MapType::Array, 4, 24, 1), (MapType::Hash, 8, 16, 4), (MapType::Ringbuf, 0, 0, 4096)];

/// Most slots.
const LONGEST: usize = 220;
/// Where the context is kept.
const CONTEXT: Reg = Reg::R6;
/// What may be written to.
const SCRATCH: [Reg; 9] = [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R7, Reg::R8, Reg::R9];
/// What survives calls.
const KEPT: [Reg; 3] = [Reg::R7, Reg::R8, Reg::R9];

/// What a register holds, as far as the writer knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Nothing,
    Number,
    Stack,
    Value,
    Packet,
}

/// Choices, taken from the bytes; zeros when they are used up.
struct Choices(VecDeque<u8>);

impl Choices {
    fn byte(&mut self) -> u8 {
        self.0.pop_front().unwrap_or(0)
    }

    /// A number below `n`.
    fn below(&mut self, n: u8) -> i16 {
        i16::from(self.byte() % n.max(1))
    }

    /// Once in `n` times; never when the bytes are used up.
    fn one_in(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::from(self.byte()) % items.len()]
    }

    fn imm(&mut self) -> i32 {
        let interesting = [0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 255, 4096, -1, -8, i32::MAX, i32::MIN];
        match self.byte() {
            wild @ 0..24 => i32::from(wild) << (self.byte() % 27),
            _ => self.pick(&interesting),
        }
    }

    fn width(&mut self) -> Width {
        self.pick(&[Width::W64, Width::W64, Width::W32])
    }

    fn size(&mut self) -> Size {
        self.pick(&[Size::B, Size::H, Size::W, Size::DW])
    }
}

/// Writes a program.
struct Writer {
    from: Choices,
    section: Section,
    kinds: [Kind; 11],
    /// Functions that are called, and whether as callbacks, in the order in which they are written.
    functions: Vec<bool>,
    /// Stack slots that hold something: the distance below the frame's end, and what.
    stored: Vec<(i16, Kind)>,
    /// What must come before the idea that is being written.
    before: Vec<Insn>,
    /// May there be instructions that came late?
    is_new: bool,
    /// Ideas inside of each other.
    nesting: u32,
    /// Slots so far, about.
    length: usize,
}

impl Writer {
    fn kind(&self, reg: Reg) -> Kind {
        self.kinds[reg.index()]
    }

    fn set(&mut self, reg: Reg, kind: Kind) {
        self.kinds[reg.index()] = kind;
    }

    /// Mostly a register of this kind; if there is none, one is made so first.
    fn reg_of(&mut self, kind: Kind) -> Reg {
        if self.from.one_in(100) {
            return self.from.pick(&SCRATCH);
        }
        let fitting: Vec<Reg> = SCRATCH.into_iter().filter(|reg| self.kind(*reg) == kind).collect();
        if !fitting.is_empty() {
            return self.from.pick(&fitting);
        }
        let reg = self.from.pick(&SCRATCH);
        let (kind, made) = match kind {
            Kind::Number | Kind::Nothing => (Kind::Number, vec![mov(reg, Operand::Imm(self.from.imm()))]),
            Kind::Stack => {
                let off = Operand::Imm(-8 * (1 + i32::from(self.from.below(8))));
                let add = Insn::Alu { width: Width::W64, op: AluOp::Add, dst: reg, src: off };
                (Kind::Stack, vec![mov(reg, Operand::Reg(Reg::FP)), add])
            }
            Kind::Value | Kind::Packet => {
                let value = Imm64::MapIdxValue { index: ARRAY, offset: 0 };
                (Kind::Value, vec![Insn::LoadImm64 { dst: reg, value }])
            }
        };
        self.before.extend(made);
        self.set(reg, kind);
        reg
    }

    fn operand(&mut self) -> Operand {
        if self.from.byte() & 1 == 0 {
            Operand::Imm(self.from.imm())
        } else {
            Operand::Reg(self.reg_of(Kind::Number))
        }
    }

    /// A call was made.
    fn called(&mut self) {
        self.kinds[..6].fill(Kind::Nothing);
        self.set(Reg::R0, Kind::Number);
    }

    /// Some ideas, one after the other.
    fn ideas(&mut self, most: u8) -> Vec<Insn> {
        let count = 1 + self.from.below(most);
        self.nesting += 1;
        let mut insns = Vec::new();
        for _ in 0..count {
            insns.extend(self.idea());
        }
        self.nesting -= 1;
        insns
    }

    /// Some ideas that are not always reached: what they change is not known afterwards.
    fn branch(&mut self, most: u8) -> Vec<Insn> {
        let before = (self.kinds, self.stored.len());
        let insns = self.ideas(most);
        for (kind, old) in self.kinds.iter_mut().zip(before.0) {
            if *kind != old {
                *kind = Kind::Nothing;
            }
        }
        self.stored.truncate(before.1);
        insns
    }

    /// A whole function: what r1 to r5 hold is known.
    fn function(&mut self, start: &[Kind], prologue: Vec<Insn>, most: usize) -> Vec<Insn> {
        self.kinds = [Kind::Nothing; 11];
        self.kinds[1..=start.len()].copy_from_slice(start);
        self.stored.clear();
        let mut insns = prologue;
        let limit = self.length + most;
        while !self.from.0.is_empty() && self.length < limit {
            let idea = self.idea();
            self.length += slots(&idea);
            insns.extend(idea);
        }
        insns
    }
}

fn mov(dst: Reg, src: Operand) -> Insn {
    Insn::Mov { width: Width::W64, dst, src }
}

/// The slots of instructions.
fn slots(insns: &[Insn]) -> usize {
    insns.iter().map(|insn| insn.slots()).sum()
}

/// The distance of a jump over these instructions.
fn over(insns: &[Insn]) -> i16 {
    i16::try_from(slots(insns)).unwrap_or(i16::MAX)
}

/// The program of these bytes, with its maps; of instructions that old kernels have, too, unless `is_new`.
pub fn image(bytes: &[u8], is_new: bool) -> Image {
    let mut from = Choices(bytes.iter().copied().collect());
    let section = from.pick(&[Section::Xdp, Section::Tc]);
    let mut writer = Writer {
        from,
        section,
        kinds: [Kind::Nothing; 11],
        functions: Vec::new(),
        stored: Vec::new(),
        before: Vec::new(),
        is_new,
        nesting: 0,
        length: 0,
    };
    let mut insns = program(&mut writer);
    if writer.from.one_in(3) {
        insns = mutated(insns, &mut Random::new(writer.from.byte().into()));
    }
    let code = Code::new(insns);
    let mut image = Image::bare(section.name(), code).expect("there are such programs");
    let (btf, ids) = types();
    image.programs[0].functions = Function::called(&image.programs[0].code, section.name());
    for (at, function) in image.programs[0].functions.iter_mut().enumerate() {
        function.btf_func = Some(ids[at.min(1)]);
    }
    image.btf = Some(Arc::new(btf));
    image.maps = MAPS.iter().enumerate().map(map).collect();
    image
}

/// The program with an instruction or two changed, if that still is one.
fn mutated(insns: Vec<Insn>, random: &mut Random) -> Vec<Insn> {
    let Ok(mut bytes) = encode_program(&insns, ByteOrder::Little) else { return insns };
    for _ in 0..1 + random.below(2) {
        change(&mut bytes, random);
    }
    decode_program(&bytes, ByteOrder::Little).unwrap_or(insns)
}

/// Types, without which a kernel takes no callbacks: the main function's and that of all others.
fn types() -> (Btf, [TypeId; 2]) {
    let mut builder = Builder::new(ByteOrder::Little);
    let encoding = Encoding::SIGNED;
    let ret = builder.add(&Type::Int { name: "int", size: 4, encoding, offset: 0, bits: 32 });
    let proto = builder.add(&Type::FuncProto { ret, params: Vec::new() });
    let mut function = |name, linkage| builder.add(&Type::Func { name, proto, linkage });
    let ids = [function("main", Linkage::Global), function("callee", Linkage::Static)];
    (Btf::parse(builder.finish()).expect("our own"), ids)
}

fn map((index, &(ty, key_size, value_size, max_entries)): (usize, &(MapType, u32, u32, u32))) -> MapDef {
    MapDef {
        name: format!("map{index}"),
        role: MapRole::Declared,
        ty,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        extra: 0,
        pinning: 0,
        btf_key: TypeId(0),
        btf_value: TypeId(0),
        contents: Vec::new(),
        inner: None,
        slots: Vec::new(),
    }
}

/// The instructions: the main function, then those that it calls.
fn program(writer: &mut Writer) -> Vec<Insn> {
    let mut prologue = vec![mov(CONTEXT, Operand::Reg(Reg::R1))];
    let [_, _, number] = writer.section.fields();
    prologue.push(Insn::Load { size: Size::W, signed: false, dst: Reg::R9, base: CONTEXT, off: number });
    for reg in [Reg::R0, Reg::R7, Reg::R8] {
        prologue.push(mov(reg, Operand::Imm(i32::from(reg.number()))));
    }
    let mut main = writer.function(&[], prologue, LONGEST);
    main.extend(writer.end());
    let mut starts = Vec::new();
    let mut insns = main;
    // A function may call another one, which then is written after it.
    let mut at = 0;
    while let Some(&is_callback) = writer.functions.get(at) {
        starts.push(slots(&insns));
        let function = writer.callee(is_callback);
        insns.extend(function);
        at += 1;
    }
    let mut slot = 0;
    for insn in &mut insns {
        slot += insn.slots();
        let distance = |function: i32| starts[function as usize] as i32 - slot as i32;
        match insn {
            Insn::Call(CallTarget::Local(function)) => *function = distance(*function),
            // The distance counts from the load's first slot.
            Insn::LoadImm64 { value: Imm64::Func(function), .. } => *function = distance(*function) + 1,
            _ => {}
        }
    }
    insns
}

impl Writer {
    /// Returns a number.
    fn end(&mut self) -> Vec<Insn> {
        let result = match self.from.one_in(3) {
            true => Operand::Reg(self.reg_of(Kind::Number)),
            false => Operand::Imm(1),
        };
        let mut insns = std::mem::take(&mut self.before);
        insns.extend([mov(Reg::R0, result), Insn::Exit]);
        insns
    }

    /// A function that is called, with a number in r2, and what the caller chose in r1; or, as a callback, a
    /// number in r1 and the caller's stack in r2.
    fn callee(&mut self, is_callback: bool) -> Vec<Insn> {
        let start = if is_callback { [Kind::Number, Kind::Stack] } else { [Kind::Value, Kind::Number] };
        let mut prologue = vec![mov(Reg::R7, Operand::Reg(Reg::R1)), mov(Reg::R8, Operand::Reg(Reg::R2))];
        prologue.push(mov(Reg::R9, Operand::Imm(3)));
        prologue.push(mov(CONTEXT, Operand::Imm(0)));
        let mut insns = self.function(&start, prologue, 30);
        match is_callback {
            true => insns.extend([mov(Reg::R0, Operand::Imm(self.from.below(2).into())), Insn::Exit]),
            false => insns.extend(self.end()),
        }
        insns
    }
}

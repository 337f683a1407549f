//! Programs of instructions out of bytes, shaped so that the verifier accepts a good part of them.
//!
//! What it accepts must run without a fault on any packet: the verifier and the interpreter share the
//! instruction table and nothing else, and the interpreter checks every access.

use skep_runtime::Image;
use skep_runtime::host::{Deterministic, Host};
use skep_runtime::object::{Code, MapDef, MapRole};
use skep_runtime::verify;
use skep_runtime::vm::{Engine, FaultKind, Input, Vm};
use skep_stdlib::btf::TypeId;
use skep_stdlib::isa::{AluOp, AtomicOp, CallTarget, Cond, Imm64, Insn, Operand, Reg, Size, Width};
use skep_stdlib::maps::MapType;

/// Choices, taken from the bytes; zeros when they are used up.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::from(self.byte()) % items.len()]
    }

    fn is_over(&self) -> bool {
        self.0.len() == 0
    }

    fn reg(&mut self) -> Reg {
        self.pick(&[Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R7, Reg::R8, Reg::R9])
    }

    fn imm(&mut self) -> i32 {
        let interesting = [0, 1, 2, 7, 8, 14, 16, 31, 32, 63, 64, 255, 4096, -1, -8, i32::MAX, i32::MIN];
        match self.byte() {
            wild @ 0..32 => i32::from(wild) << (self.byte() % 27),
            _ => self.pick(&interesting),
        }
    }

    fn operand(&mut self) -> Operand {
        if self.byte() & 1 == 0 { Operand::Imm(self.imm()) } else { Operand::Reg(self.reg()) }
    }

    fn width(&mut self) -> Width {
        self.pick(&[Width::W64, Width::W64, Width::W32])
    }

    fn size(&mut self) -> Size {
        self.pick(&[Size::B, Size::H, Size::W, Size::DW])
    }
}

const OPS: [AluOp; 13] = [
    AluOp::Add,
    AluOp::Sub,
    AluOp::Mul,
    AluOp::Div,
    AluOp::Or,
    AluOp::And,
    AluOp::Lsh,
    AluOp::Rsh,
    AluOp::Mod,
    AluOp::Xor,
    AluOp::Arsh,
    AluOp::Sdiv,
    AluOp::Smod,
];

const CONDS: [Cond; 11] = [
    Cond::Eq,
    Cond::Gt,
    Cond::Ge,
    Cond::Set,
    Cond::Ne,
    Cond::Sgt,
    Cond::Sge,
    Cond::Lt,
    Cond::Le,
    Cond::Slt,
    Cond::Sle,
];

/// Offsets of `data` and `data_end` in `struct xdp_md`.
const DATA: i16 = 0;
const DATA_END: i16 = 4;
/// The map of the program: an array of one value.
const VALUE_SIZE: u32 = 24;

fn mov(dst: Reg, src: Operand) -> Insn {
    Insn::Mov { width: Width::W64, dst, src }
}

fn alu(op: AluOp, dst: Reg, src: Operand) -> Insn {
    Insn::Alu { width: Width::W64, op, dst, src }
}

/// One idea of a program, as a few instructions.
fn idea(from: &mut Choices<'_>) -> Vec<Insn> {
    match from.byte() % 14 {
        0 | 1 => {
            let (op, width) = (from.pick(&OPS), from.width());
            vec![Insn::Alu { width, op, dst: from.reg(), src: from.operand() }]
        }
        2 => vec![Insn::Mov { width: from.width(), dst: from.reg(), src: from.operand() }],
        3 => {
            let off = -i16::from(from.byte() % 80);
            vec![Insn::Store { size: from.size(), base: Reg::FP, off, src: from.operand() }]
        }
        4 => {
            let (off, signed) = (-i16::from(from.byte() % 80), from.byte() & 7 == 0);
            let size = if signed { from.pick(&[Size::B, Size::H, Size::W]) } else { from.size() };
            vec![Insn::Load { size, signed, dst: from.reg(), base: Reg::FP, off }]
        }
        5 | 6 => {
            let off = i16::from(from.byte() % 48) - 4;
            vec![Insn::Load { size: from.size(), signed: false, dst: from.reg(), base: from.reg(), off }]
        }
        7 => {
            let off = i16::from(from.byte() % 48) - 4;
            vec![Insn::Store { size: from.size(), base: from.reg(), off, src: from.operand() }]
        }
        // The packet, and a proof of some of its bytes in a register that may then move.
        8 => packet(from),
        9 | 10 => {
            let (width, cond) = (from.width(), from.pick(&CONDS));
            let off = i16::from(from.byte() % 12);
            vec![Insn::Branch { width, cond, dst: from.reg(), src: from.operand(), off }]
        }
        11 => map_value(from),
        12 => {
            let size = from.pick(&[Size::W, Size::DW]);
            let op = from.pick(&[
                AtomicOp::Add { fetch: false },
                AtomicOp::Add { fetch: true },
                AtomicOp::And { fetch: true },
                AtomicOp::Xchg,
                AtomicOp::CmpXchg,
            ]);
            let (base, off) = (from.pick(&[Reg::FP, Reg::R7, Reg::R8]), -8 * i16::from(from.byte() % 9));
            vec![Insn::Atomic { size, op, base, off, src: from.reg() }]
        }
        _ => {
            // A helper without arguments: clobbers r1 to r5.
            vec![Insn::Call(CallTarget::Helper(from.pick(&[5, 7, 8])))]
        }
    }
}

fn packet(from: &mut Choices<'_>) -> Vec<Insn> {
    let (data, end, checked) = (from.pick(&[Reg::R7, Reg::R8]), Reg::R3, Reg::R4);
    let field = |dst, off| Insn::Load { size: Size::W, signed: false, dst, base: Reg::R6, off };
    let mut insns = vec![field(data, DATA), field(end, DATA_END)];
    if from.byte() & 1 == 0 {
        // A variable distance, cut to some bits.
        insns.push(alu(AluOp::And, Reg::R5, Operand::Imm(from.imm())));
        insns.push(alu(AluOp::Add, data, Operand::Reg(Reg::R5)));
    }
    insns.push(mov(checked, Operand::Reg(data)));
    insns.push(alu(AluOp::Add, checked, Operand::Imm(i32::from(from.byte() % 40))));
    let (cond, off) =
        (from.pick(&[Cond::Gt, Cond::Gt, Cond::Le, Cond::Ge, Cond::Lt]), i16::from(from.byte() % 10));
    insns.push(Insn::Branch { width: Width::W64, cond, dst: checked, src: Operand::Reg(end), off });
    insns
}

fn map_value(from: &mut Choices<'_>) -> Vec<Insn> {
    let value = from.pick(&[Reg::R7, Reg::R8, Reg::R9]);
    if from.byte() & 1 == 0 {
        let offset = u32::from(from.byte()) % (VALUE_SIZE + 2);
        return vec![Insn::LoadImm64 { dst: value, value: Imm64::MapIdxValue { index: 0, offset } }];
    }
    let mut insns = vec![
        Insn::Store { size: Size::W, base: Reg::FP, off: -4, src: Operand::Imm(from.imm() & 1) },
        mov(Reg::R2, Operand::Reg(Reg::FP)),
        alu(AluOp::Add, Reg::R2, Operand::Imm(-4)),
        Insn::LoadImm64 { dst: Reg::R1, value: Imm64::MapIdx(0) },
        Insn::Call(CallTarget::Helper(1)),
    ];
    if !from.byte().is_multiple_of(8) {
        let off = i16::from(from.byte() % 8);
        let src = Operand::Imm(0);
        insns.push(Insn::Branch { width: Width::W64, cond: Cond::Eq, dst: Reg::R0, src, off });
    }
    insns.push(mov(value, Operand::Reg(Reg::R0)));
    if from.byte() & 1 == 0 {
        insns.push(alu(AluOp::And, Reg::R9, Operand::Imm(from.imm())));
        insns.push(alu(AluOp::Add, value, Operand::Reg(Reg::R9)));
    }
    insns
}

/// The instructions: registers set, the ideas, a result.
fn program(bytes: &[u8]) -> Code {
    let mut from = Choices(bytes.iter());
    let mut insns = vec![mov(Reg::R6, Operand::Reg(Reg::R1))];
    for reg in [Reg::R0, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R7, Reg::R8, Reg::R9] {
        insns.push(mov(reg, Operand::Imm(i32::from(reg.number()))));
    }
    // A number of which nothing is known.
    insns.push(Insn::Load { size: Size::W, signed: false, dst: Reg::R9, base: Reg::R6, off: 16 });
    while !from.is_over() && insns.len() < 200 {
        insns.extend(idea(&mut from));
    }
    // Jumps may lead here from any of the last ideas.
    insns.extend((0..12).map(|_| mov(Reg::R0, Operand::Imm(2))));
    insns.push(Insn::Exit);
    Code::new(insns)
}

fn image(code: Code) -> Image {
    let map = MapDef {
        name: "values".into(),
        role: MapRole::Declared,
        ty: MapType::Array,
        key_size: 4,
        value_size: VALUE_SIZE,
        max_entries: 1,
        flags: 0,
        extra: 0,
        pinning: 0,
        btf_key: TypeId(0),
        btf_value: TypeId(0),
        contents: Vec::new(),
        inner: None,
        slots: Vec::new(),
    };
    Image { maps: vec![map], ..Image::bare("xdp", code).expect("there are such programs") }
}

fn listing(image: &Image) -> String {
    let code = image.programs[0].code.iter();
    code.map(|(slot, insn)| format!("{slot}: {insn}\n")).collect()
}

/// Runs what the verifier accepts on packets of several lengths: no fault, and the same from all
/// engines with and without the proof. True if it was accepted.
pub fn accept_and_run(bytes: &[u8]) -> bool {
    let image = image(program(bytes));
    let options = verify::Options { limit: 20_000, ..verify::Options::default() };
    let Ok(verified) = verify::verify(image.clone(), &options) else { return false };
    let host = || -> Box<dyn Host> { Box::new(Deterministic::default()) };
    let mut engines = Vm::every(&image, Some(verified), &host).expect("an accepted program loads");
    let (plain, others) = engines.split_first_mut().expect("there is one");
    for length in [0, 1, 13, 14, 34, 60, 200] {
        let data: Vec<u8> = (0..length).map(|at: u32| (at * 37 + 11) as u8).collect();
        let input = Input { data, ..Input::default() };
        let outcome = plain.run(0, &input).expect("an XDP program takes a packet");
        for other in &mut *others {
            let found = other.run(0, &input).expect("an XDP program takes a packet");
            let name = other.name();
            assert!(found.same_effects(&outcome), "{name}: {found:#?}\n{outcome:#?}\n{}", listing(&image));
        }
        match outcome.result.map_err(|fault| fault.kind) {
            Ok(_) | Err(FaultKind::Unsupported(_) | FaultKind::HelperNotImplemented(_)) => {}
            Err(kind) => {
                panic!("accepted, but with {length} bytes: {kind}\n{}", listing(&image));
            }
        }
    }
    true
}

/// What the verifier accepts runs without a fault.
pub fn accepted_never_faults(bytes: &[u8]) {
    accept_and_run(bytes);
}

//! What programs do with helpers: maps, records, memory of variable length, callbacks.

use skep_stdlib::isa::{AluOp, CallTarget, Cond, Imm64, Insn, Operand, Reg, Size, Width};

use super::{ARRAY, CONTEXT, HASH, KEPT, Kind, RING, Section, Writer, mov, over};

/// Arguments of helpers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arg {
    Context,
    /// The map with this index.
    Map(i32),
    /// So many bytes of the stack, which are written first.
    Bytes(i16),
    /// Memory whose length the next argument says.
    Memory,
    /// That length: at most so much.
    Length(i16),
    /// A number between these.
    Number(i32, i32),
    /// Any number.
    Any,
}

use Arg::{Any, Bytes, Context, Length, Map, Memory, Number};

/// A helper: its number, where it may be called if not everywhere, its arguments.
type Row = (i32, Option<Section>, &'static [Arg]);

const HELPERS: &[Row] = &[
    // ktime_get_ns, get_prandom_u32, get_smp_processor_id
    (5, None, &[]),
    (7, None, &[]),
    (8, None, &[]),
    // map_update_elem, map_delete_elem
    (2, None, &[Map(ARRAY), Bytes(4), Bytes(24), Number(0, 2)]),
    (2, None, &[Map(HASH), Bytes(8), Bytes(16), Number(0, 3)]),
    (3, None, &[Map(HASH), Bytes(8)]),
    // csum_diff
    (28, None, &[Memory, Length(32), Memory, Length(16), Any]),
    // strtol
    (105, None, &[Memory, Length(16), Number(0, 16), Bytes(8)]),
    // ringbuf_output
    (130, None, &[Map(RING), Memory, Length(32), Number(0, 2)]),
    // xdp_adjust_head, xdp_adjust_meta, xdp_adjust_tail, xdp_load_bytes, xdp_store_bytes
    (44, Some(Section::Xdp), &[Context, Number(-16, 16)]),
    (54, Some(Section::Xdp), &[Context, Number(-8, 0)]),
    (65, Some(Section::Xdp), &[Context, Number(-8, 8)]),
    (189, Some(Section::Xdp), &[Context, Number(0, 40), Memory, Length(32)]),
    (190, Some(Section::Xdp), &[Context, Number(0, 40), Memory, Length(32)]),
    // skb_store_bytes, skb_load_bytes, get_hash_recalc, skb_pull_data
    (9, Some(Section::Tc), &[Context, Number(0, 40), Memory, Length(32), Number(0, 2)]),
    (26, Some(Section::Tc), &[Context, Any, Memory, Length(32)]),
    (34, Some(Section::Tc), &[Context]),
    (39, Some(Section::Tc), &[Context, Number(0, 40)]),
];

/// Helpers from this number on came late.
const LATE: i32 = 160;

const ARGUMENTS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

fn add(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Operand::Imm(imm) }
}

fn helper(id: i32) -> Insn {
    Insn::Call(CallTarget::Helper(id))
}

fn the_map(dst: Reg, index: i32) -> Insn {
    Insn::LoadImm64 { dst, value: Imm64::MapIdx(index) }
}

impl Writer {
    /// The address of so many bytes of the stack, of which each was written.
    fn bytes(&mut self, dst: Reg, count: i16) -> Vec<Insn> {
        let slots = (count + 7) / 8;
        let lowest = -8 * (slots + self.from.below(6));
        let mut insns = Vec::new();
        for slot in 0..slots {
            let (off, src) = (lowest + 8 * slot, Operand::Imm(self.from.imm() & 3));
            insns.push(Insn::Store { size: Size::DW, base: Reg::FP, off, src });
            self.stored.push((off, Kind::Number));
        }
        insns.extend([mov(dst, Operand::Reg(Reg::FP)), add(dst, lowest.into())]);
        insns
    }

    /// Calls a helper.
    pub fn help(&mut self) -> Vec<Insn> {
        let section = self.section;
        let fits = |row: &&Row| row.1.is_none_or(|only| only == section);
        let is_there = |row: &&Row| self.is_new || row.0 < LATE;
        let rows: Vec<&Row> = HELPERS.iter().filter(fits).filter(is_there).collect();
        let &(id, _, arguments) = self.from.pick(&rows);
        let mut insns = Vec::new();
        for (reg, argument) in ARGUMENTS.into_iter().zip(arguments) {
            match *argument {
                Context => insns.push(mov(reg, Operand::Reg(CONTEXT))),
                Map(index) => insns.push(the_map(reg, index)),
                Bytes(count) => insns.extend(self.bytes(reg, count)),
                Memory => {
                    let kind = self.from.pick(&[Kind::Stack, Kind::Value, Kind::Packet, Kind::Stack]);
                    match KEPT.into_iter().find(|kept| self.kind(*kept) == kind) {
                        Some(kept) => insns.push(mov(reg, Operand::Reg(kept))),
                        None => insns.extend(self.bytes(reg, 32)),
                    }
                }
                Length(most) => insns.extend(self.length(reg, most)),
                Number(low, high) => {
                    let wide = i32::from(self.from.byte()) % (high - low + 1);
                    insns.push(mov(reg, Operand::Imm(low + wide)));
                }
                Any => {
                    let number = KEPT.into_iter().find(|kept| self.kind(*kept) == Kind::Number);
                    insns.push(mov(reg, number.map_or(Operand::Imm(1), Operand::Reg)));
                }
            }
        }
        insns.push(helper(id));
        self.called();
        // These make pointers into the packet stale.
        if [44, 54, 65, 9, 39].contains(&id) {
            self.forget(Kind::Packet);
        }
        insns
    }

    fn forget(&mut self, kind: Kind) {
        self.kinds.iter_mut().filter(|known| **known == kind).for_each(|known| *known = Kind::Nothing);
        self.stored.retain(|(_, known)| *known != kind);
    }

    /// A length: a constant, or a number that is bounded in one of the ways people use.
    fn length(&mut self, reg: Reg, most: i16) -> Vec<Insn> {
        let number = KEPT.into_iter().find(|kept| self.kind(*kept) == Kind::Number);
        let Some(number) = number.filter(|_| self.from.byte() & 1 == 0) else {
            let length = 4 * self.from.below(most as u8 / 4 + 1);
            return vec![mov(reg, Operand::Imm(length.into()))];
        };
        let (width, most) = (self.from.width(), i32::from(most));
        let and = |imm| Insn::Alu { width, op: AluOp::And, dst: reg, src: Operand::Imm(imm) };
        let mut insns = vec![Insn::Mov { width: self.from.width(), dst: reg, src: Operand::Reg(number) }];
        match self.from.byte() % 4 {
            0 => insns.push(and(most - 4)),
            1 => insns.extend([and(most - 1), add(reg, 1)]),
            2 => {
                let leave = [mov(Reg::R0, Operand::Imm(1)), Insn::Exit];
                let cond = self.from.pick(&[Cond::Le, Cond::Lt, Cond::Sle]);
                let src = Operand::Imm(most);
                insns.push(Insn::Branch { width, cond, dst: reg, src, off: over(&leave) });
                insns.extend(leave);
            }
            _ => insns.extend([and(most * 2 - 1)]),
        }
        insns
    }

    /// Looks a value up, and mostly asks whether it is there.
    pub fn look_up(&mut self) -> Vec<Insn> {
        let (value, map) = (self.from.pick(&KEPT), self.from.pick(&[ARRAY, ARRAY, HASH]));
        let mut insns = self.bytes(Reg::R2, if map == ARRAY { 4 } else { 8 });
        insns.extend([the_map(Reg::R1, map), helper(1)]);
        self.called();
        insns.extend(self.unless_null(Vec::new()));
        insns.push(mov(value, Operand::Reg(Reg::R0)));
        self.set(Reg::R0, Kind::Value);
        self.set(value, Kind::Value);
        insns
    }

    /// Leaves, after what must be done before, if r0 is null.
    fn unless_null(&mut self, before: Vec<Insn>) -> Vec<Insn> {
        if self.from.one_in(16) {
            return Vec::new();
        }
        let mut leave = before;
        leave.extend([mov(Reg::R0, Operand::Imm(1)), Insn::Exit]);
        let src = Operand::Imm(0);
        let mut insns =
            vec![Insn::Branch { width: Width::W64, cond: Cond::Ne, dst: Reg::R0, src, off: over(&leave) }];
        insns.extend(leave);
        insns
    }

    /// Calls a function of the program through a helper, some times.
    pub fn call_back(&mut self) -> Vec<Insn> {
        if !self.functions.is_empty() || !self.is_new {
            return Vec::new();
        }
        self.functions.push(true);
        let mut insns = self.bytes(Reg::R3, 8);
        let times = match self.from.byte() & 1 {
            0 => Operand::Imm(self.from.below(6).into()),
            _ => Operand::Reg(self.reg_of(Kind::Number)),
        };
        insns.push(mov(Reg::R1, times));
        if let Operand::Reg(_) = times {
            let mask = Operand::Imm(15);
            insns.push(Insn::Alu { width: Width::W64, op: AluOp::And, dst: Reg::R1, src: mask });
        }
        insns.extend([
            Insn::LoadImm64 { dst: Reg::R2, value: Imm64::Func(0) },
            mov(Reg::R4, Operand::Imm(0)),
            helper(181),
        ]);
        self.called();
        insns
    }

    /// Reserves a record of the ring buffer, fills it, and hands it over.
    pub fn record(&mut self) -> Vec<Insn> {
        let (record, size) = (self.from.pick(&KEPT), self.from.pick(&[8, 16, 24]));
        let mut insns =
            vec![the_map(Reg::R1, RING), mov(Reg::R2, Operand::Imm(size)), mov(Reg::R3, Operand::Imm(0))];
        insns.push(helper(131));
        self.called();
        insns.extend(self.unless_null(Vec::new()));
        insns.push(mov(record, Operand::Reg(Reg::R0)));
        self.set(Reg::R0, Kind::Value);
        self.set(record, Kind::Value);
        if self.nesting < 2 {
            insns.extend(self.branch(2));
        }
        let give_back = self.from.pick(&[132, 132, 133]);
        if !self.from.one_in(16) {
            insns.extend([
                mov(Reg::R1, Operand::Reg(record)),
                mov(Reg::R2, Operand::Imm(0)),
                helper(give_back),
            ]);
            self.called();
        }
        self.set(record, Kind::Nothing);
        insns
    }
}

//! Arithmetic: on numbers through [`Scalar`], on pointers by the kernel's rules
//! (`adjust_ptr_min_max_vals`).
//!
//! Pointers may be moved by numbers with known bounds, subtracted from each other when both point
//! into the packet, and copied whole. Anything else makes them useless or is refused.

use alloc::format;
use alloc::string::String;

use skep_stdlib::isa::{ALU_OPS, AluOp, Imm64, Operand, Reg as R, Width};
use skep_stdlib::maps::MapType;

use super::reg::{Num, Pointer, PtrKind, Reg};
use super::report::Cause;
use super::report::terms::log_type;
use super::scalar::Scalar;
use super::state::State;
use super::walk::{Check, Walk, read, write};

/// Pointers cannot be moved further than this (kernel `BPF_MAX_VAR_OFF`).
const MAX_OFFSET: i64 = 1 << 29;

/// Why an operation is refused.
const NEITHER: &str = "an operation that is neither addition nor subtraction";

impl Walk<'_> {
    pub(super) fn operand(&self, state: &State, slot: u32, operand: Operand) -> Check<Reg> {
        match operand {
            Operand::Reg(reg) => read(state, reg),
            Operand::Imm(imm) => Ok(Reg::constant(imm as i64 as u64, slot)),
        }
    }

    pub(super) fn alu(
        &mut self,
        state: &mut State,
        slot: u32,
        width: Width,
        op: AluOp,
        dst: R,
        src: Operand,
    ) -> Check {
        let right = self.operand(state, slot, src)?;
        let left = read(state, dst)?;
        check_immediate(op, width, src)?;
        let result = match (left, right) {
            (Reg::Scalar(a), Reg::Scalar(b)) => {
                let mut value = a.value;
                value.alu(op, &b.value, width);
                // Moving a number by a constant keeps what is known of its copies apart.
                Reg::Scalar(Num { value, id: 0, slot })
            }
            // Any arithmetic on addresses of an arena gives such an address.
            (Reg::Pointer(p), Reg::Scalar(_) | Reg::Pointer(_)) if p.kind == PtrKind::Arena => left,
            (Reg::Scalar(_) | Reg::Pointer(_), Reg::Pointer(p)) if p.kind == PtrKind::Arena => right,
            (Reg::Pointer(a), Reg::Pointer(_)) => pointer_difference(&a, op, dst, slot)?,
            (Reg::Pointer(p), Reg::Scalar(n)) => {
                self.need_operand(state, src);
                self.move_pointer(p, &n, op, width, dst, slot)?
            }
            (Reg::Scalar(n), Reg::Pointer(p)) if op == AluOp::Add => {
                self.need(state, dst);
                self.move_pointer(p, &n, op, width, dst, slot)?
            }
            (Reg::Scalar(_), Reg::Pointer(_))
                if op == AluOp::Sub && width == Width::W32 && self.cx.privileged =>
            {
                Reg::unknown(slot)
            }
            (Reg::Scalar(_), Reg::Pointer(p)) => {
                let log = match op {
                    AluOp::Sub => "tried to subtract pointer from scalar".into(),
                    AluOp::And | AluOp::Or | AluOp::Xor => {
                        format!("bitwise operator {} on pointer prohibited", sign(op))
                    }
                    _ => format!("pointer arithmetic with {} operator prohibited", sign(op)),
                };
                return Err(forbidden(&p, dst, NEITHER, &log));
            }
            (Reg::Uninit, _) | (_, Reg::Uninit) => return Err(Cause::Uninit { reg: dst.number() }),
        };
        write(state, dst, result)
    }

    pub(super) fn mov(&mut self, state: &mut State, slot: u32, width: Width, dst: R, src: Operand) -> Check {
        let value = self.operand(state, slot, src)?;
        let value = match (value, width, src) {
            (Reg::Scalar(num), Width::W64, Operand::Reg(from)) => Reg::Scalar(self.share(state, from, num)),
            (Reg::Scalar(mut num), Width::W32, _) => {
                let whole = num.value.r64.umax <= u64::from(u32::MAX);
                if let (true, Operand::Reg(from)) = (whole, src) {
                    Reg::Scalar(self.share(state, from, num))
                } else {
                    num.value.truncate(4);
                    Reg::Scalar(Num { id: 0, slot, ..num })
                }
            }
            (Reg::Pointer(_), Width::W32, _) => Reg::scalar(Scalar::of_bytes(4), slot),
            (value, _, _) => value,
        };
        write(state, dst, value)
    }

    /// The number as a copy: it and the original share an id from now on.
    fn share(&mut self, state: &mut State, from: R, num: Num) -> Num {
        if num.id != 0 || num.value.value().is_some() {
            return num;
        }
        let num = Num { id: self.fresh_id(), ..num };
        state.frame_mut().regs[from.index()] = Reg::Scalar(num);
        num
    }

    pub(super) fn mov_sign_extend(
        &mut self,
        state: &mut State,
        slot: u32,
        width: Width,
        bits: u8,
        dst: R,
        src: R,
    ) -> Check {
        let num = match read(state, src)? {
            Reg::Scalar(num) => num,
            _ if self.cx.privileged => return write(state, dst, Reg::unknown(slot)),
            _ => return Err(Cause::PointerLeak { reg: src.number() }),
        };
        let mut value = num.value;
        value.sign_extend(bits.into(), width);
        write(state, dst, Reg::scalar(value, slot))
    }

    pub(super) fn neg(&mut self, state: &mut State, slot: u32, width: Width, dst: R) -> Check {
        let num = match read(state, dst)? {
            Reg::Scalar(num) => num,
            _ if self.cx.privileged => return write(state, dst, Reg::unknown(slot)),
            _ => return Err(Cause::PointerLeak { reg: dst.number() }),
        };
        let mut value = Scalar::constant(0);
        value.alu(AluOp::Sub, &num.value, width);
        write(state, dst, Reg::scalar(value, slot))
    }

    /// A byte swap keeps nothing but the width.
    pub(super) fn swap(&mut self, state: &mut State, slot: u32, bits: u8, dst: R) -> Check {
        if let (Reg::Pointer(_), false) = (read(state, dst)?, self.cx.privileged) {
            return Err(Cause::PointerLeak { reg: dst.number() });
        }
        write(state, dst, Reg::scalar(Scalar::of_bytes(u32::from(bits) / 8), slot))
    }

    pub(super) fn load_imm64(&mut self, state: &mut State, slot: u32, dst: R, value: Imm64) -> Check {
        let value = match value {
            Imm64::Const(value) => Reg::constant(value, slot),
            Imm64::MapIdx(index) => {
                self.check_map_fields(index as u32)?;
                Reg::pointer(PtrKind::Map(index as u32), slot)
            }
            Imm64::MapIdxValue { index, .. } if self.cx.is_arena(index as u32) => Reg::unknown(slot),
            Imm64::MapIdxValue { index, offset } => {
                let Reg::Pointer(mut pointer) = Reg::pointer(PtrKind::MapValue(index as u32), slot) else {
                    return Ok(());
                };
                self.check_map_fields(index as u32)?;
                let def = self.cx.map(index as u32);
                if def.is_some_and(|def| def.ty != MapType::Array || def.max_entries != 1) {
                    return Err(Cause::DirectValue {});
                }
                let value_size = def.map_or(0, |def| def.value_size);
                if offset >= value_size {
                    let kind = pointer.kind;
                    let (min, max) = (offset.into(), offset.into());
                    let log =
                        format!("invalid access to map value pointer, value_size={value_size} off={offset}");
                    return Err(Cause::UnboundedOffset { reg: dst.number(), kind, min, max, log });
                }
                pointer.off = offset as i32;
                Reg::Pointer(pointer)
            }
            Imm64::Func(distance) => {
                let start = i64::from(slot) + 2 + i64::from(distance) - 1;
                Reg::pointer(PtrKind::Func(start as u32), slot)
            }
            Imm64::BtfId { id, .. } => self.kernel_variable(slot, id as u32),
            Imm64::MapFd(_) | Imm64::MapValue { .. } => {
                return Err(Cause::Unsupported { what: "a map by file descriptor".into() });
            }
        };
        write(state, dst, value)
    }

    /// `pointer op number`.
    fn move_pointer(
        &mut self,
        p: Pointer,
        n: &Num,
        op: AluOp,
        width: Width,
        dst: R,
        slot: u32,
    ) -> Check<Reg> {
        if width == Width::W32 {
            return match op == AluOp::Sub && self.cx.privileged {
                true => Ok(Reg::unknown(slot)),
                false => Err(forbidden(&p, dst, "32-bit arithmetic", "32-bit pointer arithmetic prohibited")),
            };
        }
        if p.nullable {
            let log = format!(
                "pointer arithmetic on {} prohibited, null-check it first",
                log_type(&Reg::Pointer(p))
            );
            return Err(forbidden(&p, dst, "arithmetic before the null check", &log));
        }
        match p.kind {
            // Nothing is added to a map.
            PtrKind::Map(_) if op == AluOp::Add && n.value.value() == Some(0) => {}
            PtrKind::FlowKeys if n.value.value().is_some() => {}
            PtrKind::Map(_)
            | PtrKind::PacketEnd
            | PtrKind::Func(_)
            | PtrKind::Arena
            | PtrKind::Iter { .. }
            | PtrKind::Remote { .. }
            | PtrKind::Dynptr(_)
            | PtrKind::Socket(_)
            | PtrKind::FlowKeys => {
                let name = log_type(&Reg::Pointer(p));
                let log = match (p.kind, n.value.value().map(|value| value as i64)) {
                    // The kernel says so when it is used.
                    (PtrKind::Dynptr(_), Some(off @ ..0)) => {
                        format!("negative offset {name} ptr R{} off={off} disallowed", dst.number())
                    }
                    (PtrKind::Dynptr(_), Some(off)) => {
                        format!("dereference of modified {name} ptr R{} off={off} disallowed", dst.number())
                    }
                    _ => format!("pointer arithmetic on {name} prohibited"),
                };
                return Err(forbidden(&p, dst, "arithmetic", &log));
            }
            PtrKind::Ctx
            | PtrKind::Stack(_)
            | PtrKind::MapValue(_)
            | PtrKind::Packet(_)
            | PtrKind::PacketMeta(_)
            | PtrKind::Mem { .. }
            | PtrKind::Ringbuf(_)
            | PtrKind::Object { .. }
            | PtrKind::Btf { .. } => {}
        }
        let negative = match op {
            AluOp::Add => false,
            AluOp::Sub => true,
            AluOp::And | AluOp::Or | AluOp::Xor => {
                let log = format!("bitwise operator {} on pointer prohibited", sign(op));
                return Err(forbidden(&p, dst, NEITHER, &log));
            }
            _ => {
                let log = format!("pointer arithmetic with {} operator prohibited", sign(op));
                return Err(forbidden(&p, dst, NEITHER, &log));
            }
        };
        if negative && matches!(p.kind, PtrKind::Stack(_)) {
            return Err(forbidden(&p, dst, "subtraction", "subtraction from stack pointer prohibited"));
        }
        let bounds = n.value.r64;
        if bounds.smin <= -MAX_OFFSET || bounds.smax >= MAX_OFFSET {
            let (min, max) = (bounds.smin, bounds.umax);
            let name = log_type(&Reg::Pointer(p));
            let log = match (n.value.value(), min) {
                (Some(amount), _) => {
                    format!("math between {name} pointer and {} is not allowed", amount as i64)
                }
                (None, i64::MIN) => format!(
                    "math between {name} pointer and register with unbounded min value is not allowed"
                ),
                (None, min) if min > -MAX_OFFSET => unbounded_later(&p, dst),
                (None, min) => format!("value {min} makes {name} pointer be out of bounds"),
            };
            return Err(Cause::UnboundedOffset { reg: dst.number(), kind: p.kind, min, max, log });
        }
        let mut moved = p;
        if let Some(amount) = n.value.value() {
            let amount = if negative { -(amount as i64) } else { amount as i64 };
            let off = i64::from(p.off) + amount;
            if off.abs() >= MAX_OFFSET {
                let (min, max) = (bounds.smin, bounds.umax);
                let log = format!("{} pointer offset {off} is not allowed", log_type(&Reg::Pointer(p)));
                return Err(Cause::UnboundedOffset { reg: dst.number(), kind: p.kind, min, max, log });
            }
            moved.off = off as i32;
            return Ok(Reg::Pointer(moved));
        }
        moved.var.alu(op, &n.value, Width::W64);
        if let PtrKind::Packet(_) | PtrKind::PacketMeta(_) = p.kind {
            // What is proven of the old pointer says nothing of one moved by a variable.
            moved.id = self.fresh_id();
            moved.kind = match p.kind {
                PtrKind::Packet(_) => PtrKind::Packet(0),
                _ => PtrKind::PacketMeta(0),
            };
        }
        moved.slot = slot;
        Ok(Reg::Pointer(moved))
    }
}

/// `pointer - pointer` is a number of which nothing is known, for a privileged program; everything
/// else on two pointers is refused.
fn pointer_difference(a: &Pointer, op: AluOp, dst: R, slot: u32) -> Check<Reg> {
    match op {
        AluOp::Sub => Ok(Reg::unknown(slot)),
        _ => Err(forbidden(a, dst, NEITHER, &format!("pointer {} pointer prohibited", sign(op)))),
    }
}

fn forbidden(pointer: &Pointer, reg: R, why: &'static str, log: &str) -> Cause {
    let log = format!("R{} {log}", reg.number());
    Cause::PointerArithmetic { reg: reg.number(), kind: pointer.kind, why, log }
}

/// The kernel lets a pointer be moved too far up, and refuses what is then done with it.
fn unbounded_later(p: &Pointer, dst: R) -> String {
    let reg = dst.number();
    match p.kind {
        PtrKind::Stack(_) => format!("invalid unbounded variable-offset indirect access to stack R{reg}"),
        PtrKind::Packet(_) | PtrKind::PacketMeta(_) => {
            format!("invalid access to packet, off={} size=0, R{reg}(id={},off={},r=0)", p.off, p.id, p.off)
        }
        _ => format!("R{reg} unbounded memory access, make sure to bounds check any such access"),
    }
}

/// Constant operands that the kernel refuses: division by zero, shifts past the width.
fn check_immediate(op: AluOp, width: Width, src: Operand) -> Check {
    let Operand::Imm(imm) = src else { return Ok(()) };
    match op {
        AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod if imm == 0 => Err(Cause::DivisionByZero {}),
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh if imm < 0 || imm as u32 >= width.bits() => {
            Err(Cause::ShiftTooFar { amount: imm.into() })
        }
        _ => Ok(()),
    }
}

/// The operator as it is written.
fn sign(op: AluOp) -> &'static str {
    ALU_OPS.iter().find(|row| row.op == op).map_or("", |row| row.symbol)
}

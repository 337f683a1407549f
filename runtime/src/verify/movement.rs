//! Pointers that are moved: by how much, and which may be (kernel `adjust_ptr_min_max_vals`).

use alloc::format;

use skep_stdlib::isa::{ALU_OPS, AluOp, Reg as R, Width};

use super::reg::{Num, Pointer, PtrKind, Reg};
use super::report::Cause;
use super::report::terms::log_type;
use super::scalar::Scalar;
use super::walk::{Check, Walk};

/// Pointers cannot be moved further than this (kernel `BPF_MAX_VAR_OFF`).
const MAX_OFFSET: i64 = 1 << 29;

/// Why an operation is refused.
pub const NEITHER: &str = "an operation that is neither addition nor subtraction";

impl Walk<'_> {
    /// `pointer op number`.
    pub(super) fn move_pointer(
        &mut self,
        p: Pointer,
        n: &Num,
        op: AluOp,
        width: Width,
        dst: R,
        slot: u32,
    ) -> Check<Reg> {
        if width == Width::W32 {
            return match op == AluOp::Sub && self.cx.leaks() {
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
        check_kind(&p, n, op, dst)?;
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
        if !n.value.is_sound() {
            // No run comes here: the kernel makes nothing of it.
            return Ok(Reg::unknown(slot));
        }
        check_sane(&p, &n.value, dst)?;
        let mut moved = p;
        if let Some(amount) = n.value.value() {
            let amount = if negative { -(amount as i64) } else { amount as i64 };
            let off = i64::from(p.off) + amount;
            if off.abs() >= MAX_OFFSET {
                let (min, max) = (n.value.r64.smin, n.value.r64.umax);
                let log = format!("{} pointer offset {off} is not allowed", log_type(&Reg::Pointer(p)));
                return Err(Cause::UnboundedOffset { reg: dst.number(), kind: p.kind, min, max, log });
            }
            moved.off = off as i32;
            if let PtrKind::Packet(proven) = &mut moved.kind {
                // Where it was before says nothing of where it is.
                *proven = (*proven).max(0);
            }
            return Ok(Reg::Pointer(moved));
        }
        moved.var.alu(op, &n.value, Width::W64);
        self.reconcile(&mut moved.var);
        if let PtrKind::Packet(_) | PtrKind::PacketMeta(_) = p.kind {
            // What is proven of the old pointer says nothing of one moved by a variable.
            moved.id = self.fresh_id();
            moved.kind = match p.kind {
                PtrKind::Packet(_) => PtrKind::Packet(0),
                _ => PtrKind::PacketMeta(0),
            };
        }
        moved.slot = slot;
        check_sane(&p, &moved.var, dst)?;
        Ok(Reg::Pointer(moved))
    }
}

/// May a pointer of this kind be moved?
fn check_kind(p: &Pointer, n: &Num, op: AluOp, dst: R) -> Check {
    match p.kind {
        // Nothing is added to a map.
        PtrKind::Map(_) if op == AluOp::Add && n.value.value() == Some(0) => {}
        PtrKind::FlowKeys if n.value.value().is_some() => {}
        PtrKind::Map(_)
        | PtrKind::PacketEnd
        | PtrKind::Func(_)
        | PtrKind::Arena
        | PtrKind::Iter { .. }
        | PtrKind::Irq { .. }
        | PtrKind::Remote { .. }
        | PtrKind::Dynptr(_)
        | PtrKind::Socket(_)
        | PtrKind::FlowKeys => {
            let name = log_type(&Reg::Pointer(*p));
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
            return Err(forbidden(p, dst, "arithmetic", &log));
        }
        PtrKind::Ctx
        | PtrKind::Stack(_)
        | PtrKind::MapValue(_)
        | PtrKind::Packet(_)
        | PtrKind::PacketMeta(_)
        | PtrKind::Mem { .. }
        | PtrKind::Probed
        | PtrKind::Ringbuf(_)
        | PtrKind::Object { .. }
        | PtrKind::Btf { .. } => {}
    }
    Ok(())
}

/// Is what is added to a pointer, now or in all, not too far down, and what is known not too far up (kernel
/// `check_reg_sane_offset`)? What may be too far up is refused when the pointer is used.
fn check_sane(p: &Pointer, added: &Scalar, dst: R) -> Check {
    let (min, max) = (added.r64.smin, added.r64.umax);
    if min > -MAX_OFFSET && min < MAX_OFFSET {
        return Ok(());
    }
    let name = log_type(&Reg::Pointer(*p));
    let log = match (added.value(), min) {
        (Some(amount), _) => format!("math between {name} pointer and {} is not allowed", amount as i64),
        (None, i64::MIN) => {
            format!("math between {name} pointer and register with unbounded min value is not allowed")
        }
        (None, min) => format!("value {min} makes {name} pointer be out of bounds"),
    };
    Err(Cause::UnboundedOffset { reg: dst.number(), kind: p.kind, min, max, log })
}

/// An operation on a pointer that is refused, in our words and in the kernel's.
pub fn forbidden(pointer: &Pointer, reg: R, why: &'static str, log: &str) -> Cause {
    let log = format!("R{} {log}", reg.number());
    Cause::PointerArithmetic { reg: reg.number(), kind: pointer.kind, why, log }
}

/// The operator as it is written.
pub fn sign(op: AluOp) -> &'static str {
    ALU_OPS.iter().find(|row| row.op == op).map_or("", |row| row.symbol)
}

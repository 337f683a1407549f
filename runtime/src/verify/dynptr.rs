//! Dynamic pointers: made in the program's stack, read and written by functions, and what is known
//! of the memory behind them.
//!
//! A dynamic pointer takes two slots of stack. Stores over it destroy it; one that holds a record of
//! a ring buffer must be given back first. A slice is a plain pointer into the memory behind it, good
//! as long as the dynamic pointer is, and if that is a packet's, as long as the packet is not moved
//! (kernel `process_dynptr_func`).

use alloc::format;

use skep_stdlib::helpers::Arg;

use super::home::Home;
use super::reg::{Pointer, PtrKind, Reg};
use super::region::Callee;
use super::report::{Cause, terms};
use super::scalar::Scalar;
use super::state::{Byte, Reference, StackSlot, State};
use super::walk::{Check, Walk};

/// Bytes of `struct bpf_dynptr`.
const SIZE: u32 = 16;

/// What is behind a dynamic pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behind {
    /// Memory of the program's.
    Local,
    /// A reserved record of a ring buffer.
    Ringbuf,
    /// A packet in an `sk_buff`.
    Skb,
    /// A packet of XDP.
    Xdp,
}

impl Behind {
    /// Is it a packet, which may be moved?
    pub const fn is_packet(self) -> bool {
        match self {
            Behind::Skb | Behind::Xdp => true,
            Behind::Local | Behind::Ringbuf => false,
        }
    }
}

/// A dynamic pointer that exists.
#[derive(Clone, Copy, Debug)]
pub struct Dynptr {
    /// What is behind it.
    pub behind: Behind,
    /// Its number, which its slices have as owner.
    pub id: u32,
    /// The reference that it holds, 0 for none.
    pub reference: u32,
}

/// Functions that make one: the name, what is behind it.
const MAKERS: &[(&str, Behind)] = &[
    ("dynptr_from_mem", Behind::Local),
    ("ringbuf_reserve_dynptr", Behind::Ringbuf),
    ("bpf_dynptr_from_skb", Behind::Skb),
    ("bpf_dynptr_from_skb_meta", Behind::Skb),
    ("bpf_dynptr_from_xdp", Behind::Xdp),
];

/// What is behind the dynamic pointer that the function with this name makes.
pub fn made_by(name: &str) -> Option<Behind> {
    MAKERS.iter().find(|row| row.0 == name).map(|row| row.1)
}

impl Walk<'_> {
    /// The dynamic pointer in argument `number`.
    pub(super) fn dynptr(&mut self, state: &State, callee: &Callee<'_>, number: u8) -> Check<Dynptr> {
        const WANTED: &str = "the address of a dynamic pointer that was made";
        let reg = state.frame().regs[usize::from(number)];
        if let Reg::Pointer(p) = reg
            && let PtrKind::Dynptr(behind) = p.kind
        {
            return match p.off == 0 && p.is_fixed() {
                true => Ok(Dynptr { behind, id: p.id, reference: 0 }),
                false => Err(callee
                    .wrong(number, WANTED, &reg)
                    .logged(terms::moved(&p, number, false).unwrap_or_default())),
            };
        }
        let releases = matches!(callee, Callee::Helper(helper) if helper.args.contains(&Arg::DynptrRelease));
        let home = self.home(state, callee, number, SIZE, WANTED).map_err(|cause| {
            let Reg::Pointer(p) = reg else { return cause };
            let cause = match cause {
                Cause::StackBounds { .. } => callee.wrong(number, WANTED, &reg),
                other => other,
            };
            match (p.kind, callee) {
                (PtrKind::Stack(_), _) if !p.is_fixed() => {
                    cause.logged("dynptr has to be at a constant offset")
                }
                (PtrKind::Stack(_), _) => {
                    cause.logged(format!("cannot pass in dynptr at an offset={}", p.off))
                }
                (_, Callee::Helper(_)) => cause,
                (_, Callee::Function(_)) => cause.logged(format!(
                    "arg#{} expected pointer to stack or const struct bpf_dynptr",
                    number - 1
                )),
            }
        })?;
        self.read_home(home);
        let at = dynptr_at(state, home.depth, home.start);
        let log = || match at {
            Some(_) => format!("cannot pass in dynptr at an offset={}", home.start),
            None if releases => format!("arg {number} is an unacquired reference"),
            None => format!("Expected an initialized dynptr as arg #{}", number - 1),
        };
        match at.filter(|found| found.1 == home.start) {
            Some((p, _)) => match p.kind {
                PtrKind::Dynptr(behind) => Ok(Dynptr { behind, id: p.id, reference: p.reference }),
                _ => Err(callee.wrong(number, WANTED, &reg)),
            },
            None => Err(callee.wrong(number, WANTED, &reg).logged(log())),
        }
    }

    /// Makes one where argument `number` points to. A copy shares the reference of its original.
    pub(super) fn make_dynptr(
        &mut self,
        state: &mut State,
        slot: u32,
        callee: &Callee<'_>,
        number: u8,
        behind: Behind,
        copied: Option<u32>,
    ) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        const PLACE: &str = "an aligned place on the stack";
        let home = self.home(state, callee, number, SIZE, PLACE).map_err(|cause| {
            match reg.as_pointer().map(|p| p.kind) {
                Some(PtrKind::Stack(_)) if matches!(cause, Cause::StackBounds { .. }) => {
                    let off = reg.as_pointer().map_or(0, |p| p.off);
                    callee
                        .wrong(number, PLACE, &reg)
                        .logged(format!("cannot pass in dynptr at an offset={off}"))
                }
                Some(PtrKind::Stack(_)) => cause.logged("dynptr has to be at a constant offset"),
                Some(PtrKind::Dynptr(_)) => cause.logged("Dynptr has to be an uninitialized dynptr"),
                _ => cause,
            }
        })?;
        self.destroy_dynptrs(state, slot, home.depth, home.start, home.start + home.size)?;
        self.wrote_home(home);
        let id = self.fresh_id();
        let reference = match (behind, copied) {
            (_, Some(reference)) => reference,
            (Behind::Ringbuf, None) => {
                let id = self.fresh_id();
                state.references.push(Reference { id, slot });
                id
            }
            (Behind::Local | Behind::Skb | Behind::Xdp, None) => 0,
        };
        for (index, offset) in (0..).zip(home.offsets()) {
            let Reg::Pointer(p) = Reg::pointer(PtrKind::Dynptr(behind), slot) else { continue };
            let spilled = Reg::Pointer(Pointer { off: index, id, reference, ..p });
            *state.frames[home.depth as usize].slot_mut(offset) =
                StackSlot { bytes: [Byte::Dynptr; 8], spilled };
        }
        Ok(())
    }

    /// It is given back: it, its copies and all their slices are gone.
    pub(super) fn release_dynptr(&mut self, state: &mut State, slot: u32, dynptr: &Dynptr) {
        self.release(state, slot, dynptr.reference);
        let mut gone = alloc::vec![dynptr.id];
        for frame in &mut state.frames {
            for stored in &mut frame.stack {
                if let (Byte::Dynptr, Reg::Pointer(p)) = (stored.bytes[0], stored.spilled)
                    && p.reference == dynptr.reference
                {
                    gone.push(p.id);
                    *stored = StackSlot::default();
                }
            }
        }
        gone.into_iter().for_each(|id| self.forget_owned(state, slot, id));
    }

    /// A store to the stack from `start` to `end` destroys the dynamic pointers that it touches.
    pub(super) fn destroy_dynptrs(
        &mut self,
        state: &mut State,
        slot: u32,
        depth: u32,
        start: i32,
        end: i32,
    ) -> Check {
        for offset in (start.div_euclid(8) * 8..end).step_by(8) {
            let Some((p, first)) = dynptr_at(state, depth, offset) else { continue };
            let home = Home { depth, start: first, size: SIZE as i32 };
            self.read_home(home);
            if p.reference != 0 {
                return Err(Cause::DynptrOverwritten { made: p.slot });
            }
            home.clear(state);
            self.forget_owned(state, slot, p.id);
        }
        Ok(())
    }

    /// Nothing that is good only together with the thing of this number may be used any more.
    pub(super) fn forget_owned(&self, state: &mut State, slot: u32, owner: u32) {
        let stale = self.cx.stale(slot);
        state.for_each_reg(|reg| {
            if owner != 0 && reg.as_pointer().is_some_and(|p| p.owner == owner) {
                *reg = stale;
            }
        });
    }

    /// A slice of this many bytes, or null.
    pub(super) fn slice_or_null(&mut self, slot: u32, dynptr: &Dynptr, size: u32, writable: bool) -> Reg {
        let id = self.fresh_id();
        let in_packet = dynptr.behind.is_packet();
        match Reg::or_null(PtrKind::Mem { size, writable }, id, 0, slot) {
            Reg::Pointer(p) => {
                Reg::Pointer(Pointer { owner: dynptr.id, reference: dynptr.reference, in_packet, ..p })
            }
            other => other,
        }
    }

    /// A dynamic pointer that is handed to a function, which cannot change it.
    pub(super) fn const_dynptr(&mut self, slot: u32) -> Reg {
        let id = self.fresh_id();
        let var = Scalar::constant(0);
        match Reg::pointer(PtrKind::Dynptr(Behind::Local), slot) {
            Reg::Pointer(p) => Reg::Pointer(Pointer { id, var, ..p }),
            other => other,
        }
    }
}

/// The dynamic pointer with a byte in the slot at `offset`, and the offset of its first byte.
fn dynptr_at(state: &State, depth: u32, offset: i32) -> Option<(Pointer, i32)> {
    let stored = state.frames.get(depth as usize)?.slot(offset)?;
    let p = stored.spilled.as_pointer().filter(|_| stored.bytes[0] == Byte::Dynptr)?;
    let start = offset.div_euclid(8) * 8;
    Some((*p, start - 8 * p.off))
}

//! Loads from and stores to the stack, byte by byte.
//!
//! A register stored whole to an aligned slot is kept as it is and comes back as it was. Pointers
//! can only be spilled so. Other stores leave bytes of which only "written" or "zero" is known.

use super::marks::Place;
use super::reg::{Link, Num, Reg};
use super::report::{Access, Cause};
use super::scalar::Scalar;
use super::state::{Byte, Frame, STACK_SIZE, StackSlot, State};
use super::walk::Check;

/// What a program may do with stack that holds nothing, or addresses.
#[derive(Clone, Copy, Debug)]
pub struct Trust {
    /// Read bytes that were never written: what is there is of no use to the privileged.
    pub uninit: bool,
    /// Read addresses as numbers, and overwrite them in part.
    pub leaks: bool,
    /// Get back what is known of a number that was stored.
    pub numbers: bool,
    /// The same of a part of it, and of a number of which nothing is known that it is the same.
    pub parts: bool,
}

/// Is the access inside the frame? Its offsets, as `i32`.
pub fn bounds(access: &Access) -> Check<(i32, i32)> {
    // Even of no bytes the address must be one of the frame's.
    if access.min < i64::from(-STACK_SIZE) || access.min >= 0 || access.end() > 0 {
        return Err(Cause::StackBounds { access: *access });
    }
    Ok((access.min as i32, access.end() as i32))
}

/// What a load of the bytes at `access` gives, and whether it comes from a spilled register.
pub fn load(state: &State, slot: u32, depth: u32, access: &Access, trust: Trust) -> Check<(Reg, bool)> {
    let (start, end) = bounds(access)?;
    let frame = &state.frames[depth as usize];
    if access.min != access.max {
        check_written(frame, start, end, trust, None)?;
        return Ok((Reg::scalar(Scalar::of_bytes(access.size), slot), false));
    }
    let nothing = StackSlot::default();
    let stored = frame.slot(start).unwrap_or(&nothing);
    let first = byte_index(start);
    let bytes = &stored.bytes[first..first + access.size as usize];
    if bytes.iter().all(|&byte| byte == Byte::Spilled) {
        let width = stored.bytes.iter().filter(|&&byte| byte == Byte::Spilled).count();
        return match stored.spilled {
            Reg::Scalar(num) if first == 0 && width == access.size as usize => {
                Ok((Reg::Scalar(part(&num, first, access.size, num.slot)), true))
            }
            Reg::Pointer(_) if access.size == 8 => Ok((stored.spilled, true)),
            Reg::Scalar(_) if !trust.parts => Ok((Reg::scalar(Scalar::of_bytes(access.size), slot), false)),
            Reg::Scalar(num) => Ok((Reg::Scalar(part(&num, first, access.size, slot)), true)),
            _ => Err(leak(access, "invalid size of register fill")),
        };
    }
    check_written(frame, start, end, trust, None)?;
    if bytes.iter().all(|&byte| byte == Byte::Zero) {
        return Ok((Reg::constant(0, slot), false));
    }
    Ok((Reg::scalar(Scalar::of_bytes(access.size), slot), false))
}

/// What is known of some bytes of a spilled number: of it all is known, even if but its lower bytes were
/// stored.
fn part(num: &Num, first: usize, size: u32, slot: u32) -> Num {
    let mut value = num.value;
    let zero = value.value() == Some(0);
    if first != 0 && !zero {
        value = Scalar::of_bytes(size);
    }
    // All of it: still a copy.
    let is_copy = first == 0 && fits(num, size as usize);
    value.truncate(size);
    Num { value, link: if is_copy { num.link } else { Link::NONE }, slot }
}

/// Stores a value.
pub fn store(state: &mut State, depth: u32, access: &Access, value: Reg, trust: Trust) -> Check {
    let (start, end) = bounds(access)?;
    let frame = &mut state.frames[depth as usize];
    if access.min != access.max {
        smear(frame, start, end, value.value() == Some(0), trust);
        return Ok(());
    }
    let size = access.size as usize;
    let first = byte_index(start);
    let target = frame.slot_mut(start);
    if !trust.leaks && size != 8 && holds_pointer(target) {
        return Err(leak(access, CORRUPTS));
    }
    let is_kept = match value {
        // Old kernels keep those of which something is known, and a zero as bytes.
        Reg::Scalar(Num { value, .. }) if !trust.parts => {
            trust.numbers && value != Scalar::UNKNOWN && value.value() != Some(0)
        }
        Reg::Scalar(_) => trust.numbers,
        Reg::Pointer(_) | Reg::Uninit => size == 8,
    };
    let whole = first == 0 && is_kept;
    match value {
        Reg::Pointer(_) if size != 8 => Err(leak(access, "invalid size of register spill")),
        _ if whole => {
            // What was spilled here before is gone, even its bytes that stay.
            forget_number(target);
            target.bytes[..size].fill(Byte::Spilled);
            target.spilled = match value {
                Reg::Scalar(num) if size < 8 && !(trust.parts && fits(&num, size)) => {
                    Reg::Scalar(Num { link: Link::NONE, ..num })
                }
                value => value,
            };
            Ok(())
        }
        value => {
            let byte = if value.value() == Some(0) { Byte::Zero } else { Byte::Misc };
            demote(target);
            target.bytes[first..first + size].fill(byte);
            Ok(())
        }
    }
}

/// Are the upper bytes of a number zero, but for so many?
fn fits(num: &Num, size: usize) -> bool {
    size == 8 || num.value.r64.umax >> (8 * size) == 0
}

/// A slot that is written in part: if a register is spilled there, all that remains is that bytes were
/// written (kernel `scrub_special_slot`).
fn demote(target: &mut StackSlot) {
    if matches!(target.bytes[0], Byte::Spilled | Byte::Held | Byte::Dynptr) {
        // Even of a zero no more is known: that would make its value matter.
        for byte in target.bytes.iter_mut().filter(|byte| **byte != Byte::Invalid) {
            *byte = Byte::Misc;
        }
        target.spilled = Reg::Uninit;
    }
}

/// A store to one of several places: every byte there may be the old or the new one.
fn smear(frame: &mut Frame, start: i32, end: i32, zero: bool, trust: Trust) {
    for offset in start..end {
        let target = frame.slot_mut(offset);
        let is_spilled = target.bytes[byte_index(offset)] == Byte::Spilled;
        if zero && is_spilled && target.spilled.value() == Some(0) {
            // A zero over a zero.
            continue;
        }
        demote(target);
        let byte = &mut target.bytes[byte_index(offset)];
        *byte = match *byte {
            // Not written for sure: it stays unreadable to those who may not read what was not.
            Byte::Invalid if !trust.uninit => Byte::Invalid,
            Byte::Zero if zero => Byte::Zero,
            Byte::Invalid | Byte::Misc | Byte::Zero | Byte::Spilled | Byte::Held | Byte::Dynptr => Byte::Misc,
        };
    }
}

/// Marks bytes as written by someone else (a helper).
pub fn fill(state: &mut State, depth: u32, start: i32, end: i32) {
    let frame = &mut state.frames[depth as usize];
    for offset in start..end {
        let target = frame.slot_mut(offset);
        demote(target);
        target.bytes[byte_index(offset)] = Byte::Misc;
    }
}

/// Were all bytes from `start` to `end` written, or does it not matter? A callee that reads them was
/// given this register.
pub fn check_written(frame: &Frame, start: i32, end: i32, trust: Trust, callee: Option<u8>) -> Check {
    for offset in start..end {
        let byte = byte_at(frame, offset);
        let object = matches!(byte, Byte::Held | Byte::Dynptr);
        if object || (byte == Byte::Invalid && !trust.uninit) {
            let size = (end - start) as u32;
            return Err(Cause::StackUninit { offset, start, size, indirect: callee });
        }
    }
    Ok(())
}

/// Is no byte from `start` to `end` part of a dynamic pointer?
pub fn check_no_dynptr(frame: &Frame, start: i32, end: i32, callee: u8) -> Check {
    let dynptr = |&offset: &i32| {
        frame.slot(offset).is_some_and(|stored| stored.bytes[byte_index(offset)] == Byte::Dynptr)
    };
    match (start..end).find(dynptr) {
        Some(offset) => {
            let size = (end - start) as u32;
            Err(Cause::StackUninit { offset, start, size, indirect: Some(callee) })
        }
        None => Ok(()),
    }
}

/// The kernel's words for a store over a part of an address.
pub const CORRUPTS: &str = "attempt to corrupt spilled pointer on stack";

/// An address would become a number, or a number an address.
pub fn leak(access: &Access, log: &str) -> Cause {
    Cause::PointerLeak { reg: access.reg, log: log.into() }
}

/// Is an address spilled to the slot?
fn holds_pointer(stored: &StackSlot) -> bool {
    stored.bytes[7] == Byte::Spilled && matches!(stored.spilled, Reg::Pointer(_))
}

/// Is a byte of a spilled pointer between `start` and `end`?
pub fn spilled_pointer(frame: &Frame, start: i32, end: i32) -> bool {
    (start..end).any(|offset| {
        frame.slot(offset).is_some_and(|stored| {
            stored.bytes[byte_index(offset)] == Byte::Spilled && matches!(stored.spilled, Reg::Pointer(_))
        })
    })
}

/// The slot with the byte at `offset`.
pub fn place(depth: u32, offset: i32) -> Place {
    Place::Slot(depth as u8, ((-offset - 1) / 8) as u8)
}

/// What is known of the byte at `offset`.
pub fn byte_at(frame: &Frame, offset: i32) -> Byte {
    frame.slot(offset).map_or(Byte::Invalid, |stored| stored.bytes[byte_index(offset)])
}

/// The index of a byte within its slot.
fn byte_index(offset: i32) -> usize {
    offset.rem_euclid(8) as usize
}

/// Only that bytes were written remains of a spilled number.
fn forget_number(stored: &mut StackSlot) {
    for byte in &mut stored.bytes {
        if *byte == Byte::Spilled {
            *byte = Byte::Misc;
        }
    }
    stored.spilled = Reg::Uninit;
}

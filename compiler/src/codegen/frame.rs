//! Places of variables and spilled registers in the frame.
//!
//! Objects that are never named take no place. The frame of a function ends at the 512 bytes that
//! the kernel gives each one.

use super::mir::Func;
use super::{Limit, LimitKind};

/// Bytes of stack that a function has.
pub const STACK_LIMIT: u32 = 512;

/// Gives every object of the frame its place.
pub fn lay_out(func: &mut Func, name: &str, limits: &mut Vec<Limit>) {
    let mut used = crate::ir::Arena::filled(&func.objects, false);
    for &block in &func.order {
        for inst in &func.blocks[block].insts {
            if let Some(object) = inst.op.object() {
                used[object] = true;
            }
        }
    }
    let mut depth = 0u32;
    for object in func.objects.keys() {
        if used[object] {
            let data = &mut func.objects[object];
            depth = depth.saturating_add(data.size).next_multiple_of(data.align);
            data.place = Some(-(depth as i32));
        }
    }
    if depth > STACK_LIMIT {
        let message = format!("`{name}` needs {depth} bytes of stack, the kernel allows {STACK_LIMIT}");
        let loc = crate::ir::SrcLoc::NONE;
        limits.push(Limit { kind: LimitKind::Stack, loc, message, notes: Vec::new() });
    }
}

/// Bytes of stack that the function uses.
pub fn depth(func: &Func) -> u32 {
    func.objects.values().filter_map(|data| data.place).map(i32::unsigned_abs).max().unwrap_or(0)
}

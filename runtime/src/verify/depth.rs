//! Stack and nesting over the call graph (kernel `check_max_stack_depth`): from every function,
//! whether or not a path reaches the call, at most 8 frames with 512 bytes together.
//!
//! In: the program, and the bytes of stack that each function was seen to use. Out: the most bytes
//! that are ever in use at once.

use alloc::collections::{BTreeMap, BTreeSet};

use skep_stdlib::isa::{CallTarget, Imm64, Insn};

use super::report::{Caller, Cause};
use super::state::{MAX_FRAMES, STACK_SIZE};
use crate::object::Program;

/// A compiled engine rounds every frame up to this.
const FRAME_UNIT: u32 = 16;
/// Stack in use where a function that makes a tail call is called.
const TAIL_CALL_LIMIT: u32 = 256;
/// The number of the helper `tail_call`.
pub const TAIL_CALL: i32 = 12;

/// A chain of calls being followed.
struct Chain<'a> {
    program: &'a Program,
    used: &'a BTreeMap<u32, u32>,
    /// Functions that the kernel calls later, on a stack of their own.
    later: &'a BTreeSet<u32>,
    /// Is it a chain of the function that handles exceptions?
    handles: bool,
    /// For each function the most bytes and frames with which it was entered and found fine.
    entered: BTreeMap<u32, (u32, usize)>,
    most: u32,
}

/// Checks a program; an error has the slot of the call.
pub fn check(
    program: &Program,
    used: &BTreeMap<u32, u32>,
    later: &BTreeSet<u32>,
    handler: Option<u32>,
) -> Result<u32, (u32, Cause)> {
    let mut chain = Chain { program, used, later, handles: false, entered: BTreeMap::new(), most: 0 };
    chain.enter(0, 0, 1)?;
    for &start in later {
        chain.enter(start, 0, 1)?;
    }
    if let Some(start) = handler {
        // What was fine elsewhere may not be here.
        chain.entered.clear();
        chain.handles = true;
        chain.enter(start, 0, 1)?;
    }
    Ok(chain.most)
}

impl Chain<'_> {
    /// Is what this address of a function stands for called later only?
    fn is_later(&self, slot: u32, distance: i32) -> bool {
        let start = u32::try_from(i64::from(slot) + 1 + i64::from(distance));
        start.is_ok_and(|start| self.later.contains(&start))
    }

    /// The function at `start` is entered with `bytes` in use, as the frame with this number.
    fn enter(&mut self, start: u32, bytes: u32, frames: usize) -> Result<(), (u32, Cause)> {
        let Some(function) = self.program.function_at(start) else { return Ok(()) };
        if self.entered.get(&start).is_some_and(|known| known.0 >= bytes && known.1 >= frames) {
            return Ok(());
        }
        let own = self.used.get(&start).copied().unwrap_or(0);
        let total = bytes + own.next_multiple_of(FRAME_UNIT);
        self.most = self.most.max(total);
        if total > STACK_SIZE.unsigned_abs() {
            return Err((start, Cause::StackDepth { bytes: total, calls: frames }));
        }
        for slot in function.start..function.end {
            let target = match self.program.code.at(slot) {
                Some(Insn::Call(CallTarget::Local(distance))) => distance,
                Some(Insn::LoadImm64 { value: Imm64::Func(distance), .. })
                    if !self.is_later(slot, *distance) =>
                {
                    distance
                }
                Some(Insn::Call(CallTarget::Helper(TAIL_CALL))) if frames > 1 && self.handles => {
                    return Err((slot, Cause::HelperNotAllowed { helper: "tail_call", by: Caller::Handler }));
                }
                Some(Insn::Call(CallTarget::Helper(TAIL_CALL))) if frames > 1 && bytes >= TAIL_CALL_LIMIT => {
                    return Err((slot, Cause::StackDepth { bytes, calls: frames }));
                }
                _ => continue,
            };
            if frames >= MAX_FRAMES {
                return Err((slot, Cause::CallDepth {}));
            }
            if let Ok(callee) = u32::try_from(i64::from(slot) + 1 + i64::from(*target)) {
                self.enter(callee, total, frames + 1)?;
            }
        }
        self.entered.insert(start, (bytes, frames));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::*;
    use crate::object::{Code, Function};
    use skep_stdlib::programs::ProgType;

    /// A program of functions `call next; exit`, the last of which calls the one with this index.
    fn chain(count: u32, back_to: Option<u32>) -> Program {
        let mut code = Code::default();
        let mut functions = Vec::new();
        for index in 0..count {
            let start = 2 * index;
            let target = if index + 1 < count { Some(index + 1) } else { back_to };
            let distance = target.map_or(0, |target| 2 * target as i32 - start as i32 - 1);
            code.push(match target {
                Some(_) => Insn::Call(CallTarget::Local(distance)),
                None => Insn::Exit,
            });
            code.push(Insn::Exit);
            functions.push(Function {
                name: index.to_string(),
                start,
                end: start + 2,
                btf_func: None,
                global: false,
                origin: (index.to_string(), 0),
            });
        }
        Program {
            name: "test".into(),
            section: "socket".into(),
            ty: ProgType::SocketFilter,
            attach: None,
            target: None,
            implements: None,
            sleepable: false,
            optional: false,
            code,
            functions,
            handlers: Vec::new(),
            lines: Vec::new(),
        }
    }

    #[test]
    fn eight_frames_are_the_most() {
        assert_eq!(check(&chain(8, None), &BTreeMap::new(), &BTreeSet::new(), None), Ok(0));
        assert_eq!(
            check(&chain(9, None), &BTreeMap::new(), &BTreeSet::new(), None),
            Err((14, Cause::CallDepth {}))
        );
    }

    #[test]
    fn recursion_is_too_deep() {
        assert!(matches!(
            check(&chain(2, Some(0)), &BTreeMap::new(), &BTreeSet::new(), None),
            Err((_, Cause::CallDepth {}))
        ));
    }

    #[test]
    fn stack_is_added_up_over_the_deepest_chain() {
        let used = |bytes| BTreeMap::from([(0, 250), (2, 16), (4, bytes)]);
        assert_eq!(check(&chain(3, None), &used(240), &BTreeSet::new(), None), Ok(512));
        assert_eq!(
            check(&chain(3, None), &used(241), &BTreeSet::new(), None),
            Err((4, Cause::StackDepth { bytes: 528, calls: 3 }))
        );
    }
}

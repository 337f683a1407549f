//! Arenas: memory that a program shares with user space, as it sees it through pointers of their own
//! address space.
//!
//! Any number may be taken for such a pointer: what it names is an address of the arena or none, and an
//! access to none does nothing. So nothing is checked but that the program has one arena (kernel
//! `PTR_TO_ARENA`).

use alloc::collections::BTreeSet;

use skep_stdlib::isa::{Imm64, Insn, Reg as R};
use skep_stdlib::maps::MapType;

use super::Context;
use super::reg::{PtrKind, Reg};
use super::report::Cause;
use super::state::State;
use super::walk::{Check, Walk, read, write};

/// A cast from the arena's address space, 1, to the program's, 0.
const TO_PROGRAM: i32 = 1;
/// A cast the other way.
const TO_ARENA: i32 = 1 << 16;

impl Context<'_> {
    /// Is this map an arena?
    pub(super) fn is_arena(&self, map: u32) -> bool {
        self.map(map).is_some_and(|def| def.ty == MapType::Arena)
    }

    /// The arenas that the program names.
    fn arenas(&self) -> BTreeSet<u32> {
        let maps = self.program.code.iter().filter_map(|(_, insn)| match insn {
            Insn::LoadImm64 { value: Imm64::MapIdx(index) | Imm64::MapIdxValue { index, .. }, .. } => {
                u32::try_from(*index).ok()
            }
            _ => None,
        });
        maps.filter(|&map| self.is_arena(map)).collect()
    }
}

/// Has the program one arena, if it needs one?
pub fn check(cx: &Context<'_>) -> Check {
    let arenas = cx.arenas().len();
    let casts = cx.program.code.iter().any(|(_, insn)| matches!(insn, Insn::AddrSpaceCast { .. }));
    match arenas {
        0 if casts => Err(Cause::Arena {
            why: "a pointer to an arena is used, but no arena",
            log: "addr_space_cast insn can only be used in a program that has an associated arena",
        }),
        0 | 1 => Ok(()),
        _ => Err(Cause::Arena { why: "more than one arena is used", log: "Only one arena per program" }),
    }
}

impl Walk<'_> {
    /// A cast between address spaces.
    pub(super) fn cast_space(&mut self, state: &mut State, slot: u32, dst: R, src: R, spaces: i32) -> Check {
        read(state, src)?;
        let value = match spaces {
            TO_PROGRAM => Reg::pointer(PtrKind::Arena, slot),
            TO_ARENA => Reg::unknown(slot),
            _ => {
                return Err(Cause::Arena {
                    why: "a cast between other address spaces than 0 and 1",
                    log: "addr_space_cast insn can only convert between address space 1 and 0",
                });
            }
        };
        write(state, dst, value)
    }
}

//! What a program needs its user's capabilities for, before its first instruction is walked.
//!
//! In: a program, and the capabilities of who loads it. Out: the first thing for which they are not
//! enough. What is asked for at single instructions, and what an instruction may do with addresses,
//! stands where those are walked.

use alloc::format;
use alloc::string::String;

use skep_stdlib::capabilities::{Capabilities, Capability};
use skep_stdlib::features::Feature;
use skep_stdlib::helpers::Helper;
use skep_stdlib::isa::{CallTarget, Imm64, Insn};

use super::Context;
use super::fields;
use super::report::Cause;
use crate::object::MapDef;

/// Most instructions of a program without `CAP_BPF` (kernel `BPF_MAXINSNS`).
const MOST: u32 = 4096;
/// Creation flag of hashes that are not seeded (`BPF_F_ZERO_SEED`).
const ZERO_SEED: u32 = 1 << 6;

impl Context<'_> {
    /// Has the user this capability?
    #[inline]
    pub(super) fn may(&self, capability: Capability) -> bool {
        self.user.has(capability)
    }

    /// May addresses be looked at: compared, stored, and gone on from where a processor guesses?
    #[inline]
    pub(super) fn leaks(&self) -> bool {
        self.may(Capability::Perfmon)
    }

    /// Refuses what the user lacks a capability for; the kernel says `log`.
    pub(super) fn need(
        &self,
        needs: &[Capability],
        what: impl Fn() -> (String, String),
    ) -> Result<(), Cause> {
        match needs.iter().find(|&&needs| !self.may(needs)) {
            Some(needs) => {
                let (what, log) = what();
                Err(Cause::Capability { what, needs: needs.name(), log })
            }
            None => Ok(()),
        }
    }

    /// May the user call the helper?
    pub(super) fn check_user_of(&self, helper: &Helper) -> Result<(), Cause> {
        if self.user == Capabilities::ALL {
            return Ok(());
        }
        self.need(helper.needs(), || {
            let log = format!("program of this type cannot use helper bpf_{}", helper.name);
            (format!("a call of `bpf_{}`", helper.name), log)
        })
    }

    /// May the user look into the kernel's structures?
    pub(super) fn check_looks_inside<'n>(&self, name: impl Fn() -> &'n str) -> Result<(), Cause> {
        self.need(&[Capability::Perfmon], || {
            let name = name();
            let log = format!("'struct {name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN");
            ("what kernel structures and allocated objects hold".into(), log)
        })
    }
}

/// Checks a program; an error has the slot of the instruction.
pub fn check(cx: &Context<'_>) -> Result<(), (u32, Cause)> {
    if cx.user == Capabilities::ALL {
        return Ok(());
    }
    let info = cx.prog_type.info();
    let of_type = || (format!("a program of type `{}`", info.name), String::new());
    cx.need(cx.prog_type.needs(), of_type).map_err(|cause| (0, cause))?;
    for (slot, insn) in cx.program.code.iter() {
        let cause = match *insn {
            Insn::LoadImm64 { value: Imm64::MapIdx(index) | Imm64::MapIdxValue { index, .. }, .. } => {
                cx.map(index as u32).and_then(|map| check_map(cx, map).err())
            }
            Insn::LoadImm64 { value: Imm64::Func(_), .. }
            | Insn::Call(CallTarget::Local(_) | CallTarget::Kfunc { .. }) => {
                cx.need(&[Capability::Bpf], calls).err()
            }
            _ => None,
        };
        if let Some(cause) = cause {
            return Err((slot, cause));
        }
    }
    if cx.may(Capability::Bpf) {
        return Ok(());
    }
    if cx.program.code.len() > MOST {
        let what = format!("a program of more than {MOST} instructions");
        return Err((MOST, Cause::Capability { what, needs: Capability::Bpf.name(), log: String::new() }));
    }
    Ok(())
}

fn calls() -> (String, String) {
    let log = "loading/calling other bpf or kernel functions are allowed for CAP_BPF and CAP_SYS_ADMIN";
    ("a call of a function of the program or of the kernel".into(), log.into())
}

/// May the user make the map, and the maps inside it?
fn check_map(cx: &Context<'_>, map: &MapDef) -> Result<(), Cause> {
    let of_map = |what: &str| (format!("{what} (`{}`)", map.name), String::new());
    let bpf = &[Capability::Bpf];
    cx.need(map.ty.needs().as_slice(), || of_map(&format!("a map of type `{}`", map.ty.info().name)))?;
    if map.flags & ZERO_SEED != 0 {
        cx.need(bpf, || of_map("a hash without a seed"))?;
    }
    if map.is_frozen() && !cx.target.has(Feature::UnprivilegedFreeze) {
        cx.need(bpf, || of_map("a map that is frozen"))?;
    }
    let btf = cx.image.btf.as_deref();
    if btf.is_some_and(|btf| !fields::special(btf, map.btf_value).is_empty()) {
        cx.need(bpf, || of_map("a map with a field that belongs to the kernel"))?;
    }
    map.inner.as_deref().map_or(Ok(()), |inner| check_map(cx, inner))
}

//! What the target kernel is too old for: instructions, program types and maps that came later.
//!
//! In: a program and the target. Out: the first thing in it that the kernel does not know. Helpers and
//! kernel functions have rows of their own and are checked where they are called.

use alloc::format;
use alloc::string::String;

use skep_stdlib::features::{Feature, Kernel};
use skep_stdlib::isa::{AluOp, AtomicOp, CallTarget, Endian, Insn, Width};

use skep_stdlib::btf::{Kind, Type};

use super::Context;
use super::report::Cause;
use crate::object::Function;

/// Checks a program; an error has the slot of the instruction.
pub fn check(cx: &Context<'_>) -> Result<(), (u32, Cause)> {
    let kernel = cx.target.kernel;
    let too_new = |what: String, since: Kernel| Cause::TooNew { what, since: format!("{since}") };
    let info = cx.prog_type.info();
    if info.since > kernel {
        return Err((0, too_new(format!("the program type `{}`", info.name), info.since)));
    }
    if let Some(map) = cx.image.maps.iter().find(|map| map.ty.info().since > kernel) {
        let info = map.ty.info();
        return Err((0, too_new(format!("the map type `{}` of `{}`", info.name, map.name), info.since)));
    }
    for (slot, insn) in cx.program.code.iter() {
        if let Some(what) = ends_early(insn)
            && let Some(function) = cx.program.function_at(slot).filter(|function| function.start > 0)
            && !cx.returns_integer(function)
        {
            return Err((slot, Cause::EndsEarly { function: function.name.clone(), what }));
        }
        if let Some((feature, what)) = feature_of(insn)
            && !cx.target.has(feature)
        {
            return Err((slot, too_new(what.into(), feature.since())));
        }
        if let Insn::Call(CallTarget::Reg(_)) = insn {
            return Err((slot, Cause::IndirectCall {}));
        }
        // Also where it is never reached.
        if let Insn::Call(CallTarget::Kfunc { id, module }) = insn
            && (*id, *module) != (0, 0)
            && !(*module == 0 && cx.image.kfuncs.contains_key(id))
        {
            // An image has descriptors of no modules.
            let module = if *module == 0 { String::new() } else { format!(" of the module {module}") };
            let what = format!("the kernel function with the id {id}{module}");
            return Err((slot, Cause::Unsupported { what }));
        }
    }
    Ok(())
}

/// What may end a function early.
pub const TAIL_CALL: &str = "the tail call";

/// May the function end at this instruction, by what it does?
fn ends_early(insn: &Insn) -> Option<&'static str> {
    match insn {
        Insn::LoadAbs { .. } | Insn::LoadInd { .. } => Some("a load from the packet"),
        Insn::Call(CallTarget::Helper(super::depth::TAIL_CALL)) => Some(TAIL_CALL),
        _ => None,
    }
}

impl Context<'_> {
    /// Is the function's result an integer, as far as there are types?
    fn returns_integer(&self, function: &Function) -> bool {
        let Some((btf, id)) = self.image.btf.as_deref().zip(function.btf_func) else { return true };
        let proto = btf.target(id).and_then(|proto| btf.ty(proto));
        let Some(Type::FuncProto { ret, .. }) = proto else { return true };
        let kind = btf.resolve(ret).and_then(|ret| btf.kind(ret));
        matches!(kind, Some(Kind::Int | Kind::Enum | Kind::Enum64))
    }
}

/// What an instruction needs of the kernel beyond the first set, and what to call it.
fn feature_of(insn: &Insn) -> Option<(Feature, &'static str)> {
    let v4 = |what| Some((Feature::CpuV4, what));
    match insn {
        Insn::Alu { op: AluOp::Sdiv | AluOp::Smod, .. } => v4("signed division"),
        Insn::MovSx { .. } => v4("a move that extends the sign"),
        Insn::Load { signed: true, .. } => v4("a load that extends the sign"),
        Insn::Swap { kind: Endian::Bswap, .. } => v4("an unconditional swap of bytes"),
        Insn::Jump { long: true, .. } => v4("a long jump"),
        Insn::Branch { width: Width::W32, .. } => Some((Feature::Jmp32, "a comparison of 32 bits")),
        Insn::Atomic { op: AtomicOp::Add { fetch: false }, .. } => None,
        Insn::Atomic { .. } => Some((Feature::Atomics, "this atomic operation")),
        Insn::LoadAcquire { .. } | Insn::StoreRelease { .. } => {
            Some((Feature::AcquireRelease, "a load that acquires or a store that releases"))
        }
        Insn::AddrSpaceCast { .. } => Some((Feature::Arena, "a cast between address spaces")),
        Insn::MayGoto { .. } => Some((Feature::MayGoto, "`may_goto`")),
        Insn::Call(CallTarget::Local(_)) => {
            Some((Feature::LocalCalls, "a call of a function of the program"))
        }
        Insn::Call(CallTarget::Kfunc { .. }) => Some((Feature::Kfuncs, "a call of a kernel function")),
        Insn::Call(CallTarget::Helper(_) | CallTarget::Reg(_))
        | Insn::Alu { .. }
        | Insn::Mov { .. }
        | Insn::Neg { .. }
        | Insn::Swap { .. }
        | Insn::LoadImm64 { .. }
        | Insn::Load { .. }
        | Insn::Store { .. }
        | Insn::LoadAbs { .. }
        | Insn::LoadInd { .. }
        | Insn::Jump { .. }
        | Insn::Branch { .. }
        | Insn::Exit => None,
    }
}

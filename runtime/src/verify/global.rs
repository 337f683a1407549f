//! Global functions: verified once, by their prototype, apart from those who call them.
//!
//! A parameter is a number, the program's context, or memory of the size that its type says (which
//! may be null unless a tag says otherwise); a call is checked against the same prototype, and
//! nothing is known of its result but that it is a number (kernel `btf_prepare_func_args`).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::btf::{self, Btf, Kind, TypeId};
use skep_stdlib::features::Feature;
use skep_stdlib::helpers::{Access as MemAccess, Helper};
use skep_stdlib::isa::{CallTarget, Imm64, Insn};
use skep_stdlib::kfuncs::{Flags, Kfunc};
use skep_stdlib::programs::Context as CtxKind;

use super::Context;
use super::call::{Call, moves_packet};
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::region::{Callee, reg_of};
use super::report::Cause;
use super::report::terms::{self, log_type};
use super::scalar::Scalar;
use super::state::{Frame, Role, State};
use super::walk::{Check, Walk};
use crate::object::Function;

/// What a parameter may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Param {
    /// Any number.
    Number,
    /// The program's context.
    Ctx,
    /// Memory of this many bytes.
    Memory {
        /// Bytes.
        size: u32,
        /// It may be null.
        nullable: bool,
    },
    /// A dynamic pointer, which the function cannot change.
    Dynptr,
    /// An address of the arena, or a number.
    Arena,
    /// A pointer to the kernel structure with this type.
    Kernel {
        /// Its type in the kernel's BTF.
        ty: u32,
        /// It may be null.
        nullable: bool,
        /// Whether it is sure to be there; if not, anything may be handed over.
        trust: Trust,
    },
    /// An address from which may be read, whatever it is.
    Probed,
}

impl Context<'_> {
    /// The parameters of a global function, which must return a number.
    pub fn parameters(&self, function: &Function) -> Check<Vec<Param>> {
        let name = &function.name;
        let refused = |why, log: &str| refused(name, why, log.to_string());
        let no_type = || refused("it has no type", "Global functions need valid BTF");
        let found = self.image.btf.as_deref().zip(function.btf_func);
        let (btf, id) = found.ok_or_else(no_type)?;
        let proto = btf.target(id).and_then(|proto| btf.ty(proto));
        let Some(btf::Type::FuncProto { ret, params }) = proto else { return Err(no_type()) };
        if !is_number(btf, ret) {
            let log = format!("Global function {name}() doesn't return scalar. Only those are supported.");
            return Err(refused("its result is not a number", &log));
        }
        if params.len() > 5 {
            let log = format!("Global function {name}() with {} > 5 args. Buggy compiler.", params.len());
            return Err(refused("it has more than 5 parameters", &log));
        }
        let param = |(index, param): (usize, &btf::Param<'_>)| {
            self.parameter(btf, name, index, param.ty, &tags(btf, id, index as u32))
        };
        params.iter().enumerate().map(param).collect()
    }

    /// A parameter of this type with these tags.
    fn parameter(&self, btf: &Btf, name: &str, index: usize, ty: TypeId, tags: &[&str]) -> Check<Param> {
        let refused = |why, log: &str| refused(name, why, format!("arg#{index} {log}"));
        let has = |tag: &str| tags.contains(&tag);
        let alone = |tag: &str| tags.iter().all(|other| *other == tag);
        let mixed =
            || refused("the tags of a parameter contradict each other", "has invalid combination of tags");
        let probes = self.target.has(Feature::ProbedMemory);
        if tags.iter().any(|tag| !TAGS.contains(tag) || (*tag == "untrusted" && !probes)) {
            return Err(refused(
                "a parameter has a tag that the kernel does not know",
                "has unsupported set of tags",
            ));
        }
        let pointer = btf.resolve(ty).filter(|&ty| btf.kind(ty) == Some(Kind::Ptr));
        let Some(target) = pointer.and_then(|ty| btf.target(ty)) else {
            let log = "has pointer tag, but is not a pointer type";
            return match (tags, is_number(btf, ty)) {
                ([], true) => Ok(Param::Number),
                ([], false) => {
                    Err(refused("a parameter is neither a number nor a pointer", "is not supported yet."))
                }
                _ => Err(refused("a parameter that is no pointer has a tag of pointers", log)),
            };
        };
        let resolved = btf.resolve(target);
        if has("ctx") || self.is_context(btf, target) {
            return match alone("ctx") {
                true => Ok(Param::Ctx),
                false => Err(mixed()),
            };
        }
        let structure = resolved.map_or("", |ty| btf.name(ty));
        if structure == "bpf_dynptr" {
            return if tags.is_empty() { Ok(Param::Dynptr) } else { Err(mixed()) };
        }
        let kernel = || {
            let name = btf::essential_name(structure);
            let kernel = self.btf.ok_or_else(|| Cause::Unsupported {
                what: "a parameter of the kernel's types without its BTF".to_string(),
            })?;
            kernel.find(name, Kind::Struct).map(|ty| ty.0).ok_or_else(|| {
                let log = format!("reference type('STRUCT {structure}') has no matches");
                refused("the kernel has no structure of the name of a parameter's", &log)
            })
        };
        if has("trusted") {
            let kernel =
                || Ok(Param::Kernel { ty: kernel()?, nullable: has("nullable"), trust: Trust::Trusted });
            return if has("nonnull") { Err(mixed()) } else { kernel() };
        }
        if has("untrusted") {
            let is_plain =
                resolved.is_none_or(|ty| matches!(btf.kind(ty), Some(Kind::Void)) || is_number(btf, ty));
            return match (alone("untrusted"), is_plain) {
                (false, _) => Err(mixed()),
                (true, true) => Ok(Param::Probed),
                (true, false) => {
                    Ok(Param::Kernel { ty: kernel()?, nullable: false, trust: Trust::Untrusted })
                }
            };
        }
        if has("arena") {
            return if alone("arena") { Ok(Param::Arena) } else { Err(mixed()) };
        }
        if has("nullable") {
            return Err(mixed());
        }
        match resolved.and_then(|ty| btf.size_of(ty)).and_then(|size| u32::try_from(size).ok()) {
            Some(size) => Ok(Param::Memory { size, nullable: !has("nonnull") }),
            None => Err(refused(
                "the size of what a parameter points to is not known",
                &format!("reference type('FWD {structure}') size cannot be determined: -22"),
            )),
        }
    }

    /// Is it what the program's context is called?
    fn is_context(&self, btf: &Btf, target: TypeId) -> bool {
        let is_struct = |name: &str| {
            btf.resolve(target).is_some_and(|ty| btf.kind(ty) == Some(Kind::Struct) && btf.name(ty) == name)
        };
        match self.prog_type.info().context {
            CtxKind::Fields(name) => is_struct(name),
            CtxKind::Registers => {
                btf.kind(target) == Some(Kind::Typedef) && btf.name(target) == "bpf_user_pt_regs_t"
                    || is_struct("bpf_user_pt_regs_t")
                    || is_struct("pt_regs")
                    || is_struct("user_pt_regs")
            }
            CtxKind::RawArguments => is_struct("bpf_raw_tracepoint_args"),
            CtxKind::Record | CtxKind::TypedArguments | CtxKind::Opaque | CtxKind::Replaced => false,
        }
    }
}

/// What may be said of a parameter, behind `arg:`.
const TAGS: &[&str] = &["ctx", "nonnull", "nullable", "trusted", "untrusted", "arena"];

/// The `arg:` tags of a function's parameter.
fn tags(btf: &Btf, function: TypeId, index: u32) -> Vec<&str> {
    btf.tags(function, Some(index)).filter_map(|tag| tag.strip_prefix("arg:")).collect()
}

fn refused(function: &str, why: &'static str, log: String) -> Cause {
    Cause::Prototype { function: function.to_string(), why, log }
}

fn is_number(btf: &Btf, ty: TypeId) -> bool {
    let kind = btf.resolve(ty).and_then(|ty| btf.kind(ty));
    matches!(kind, Some(Kind::Int | Kind::Enum | Kind::Enum64))
}

impl Walk<'_> {
    /// The state in which a global function begins.
    pub(super) fn global_state(&mut self, function: &Function) -> Check<State> {
        let params = self.cx.parameters(function)?;
        let mut frame = Frame::new(0, function.start, None);
        for (param, number) in params.iter().zip(1..) {
            let id = self.fresh_id();
            let pointer = |kind, nullable| match nullable {
                true => Reg::or_null(kind, id, 0, function.start),
                false => Reg::pointer(kind, function.start),
            };
            frame.regs[number] = match *param {
                Param::Number => Reg::scalar(Scalar::UNKNOWN, function.start),
                Param::Ctx => Reg::pointer(PtrKind::Ctx, function.start),
                Param::Dynptr => self.const_dynptr(function.start),
                Param::Arena => Reg::pointer(PtrKind::Arena, function.start),
                Param::Memory { size, nullable } => pointer(PtrKind::Mem { size, writable: true }, nullable),
                Param::Kernel { ty, nullable, trust } => pointer(PtrKind::Btf { ty, trust }, nullable),
                Param::Probed => Reg::pointer(PtrKind::Probed, function.start),
            };
        }
        let sleepable = self.cx.program.sleepable;
        Ok(State { frames: alloc::vec![frame], sleepable, role: Role::Global, ..State::default() })
    }

    /// A call of a global function.
    pub(super) fn call_global(&mut self, state: &mut State, slot: u32, function: &Function) -> Check {
        self.check_unlocked(state, &Callee::Function(&function.name))?;
        let forbidden = match self.cx.target.has(Feature::SleepInGlobalFunctions) {
            true => !state.may_sleep() && self.calls_in(function.start, |call| self.sleeps(call)),
            false => state.preempt > 0,
        };
        if forbidden {
            return Err(Cause::Sleeps { callee: function.name.clone() });
        }
        let params = self.cx.parameters(function)?;
        let callee = Callee::Function(&function.name);
        let mut call = Call::default();
        for (param, number) in params.iter().zip(1..) {
            self.check_parameter(state, &callee, *param, number, &mut call).map_err(|cause| {
                let (number, name) = self.function(function.start);
                let caller = alloc::format!("Caller passes invalid args into func#{number} ('{name}')");
                match cause.kernel_log().first() {
                    Some(first) => cause.logged(alloc::format!("{first}\n{caller}")),
                    None => cause,
                }
            })?;
        }
        self.fill(state, &call);
        self.log_line(|walk| {
            let (number, name) = walk.function(function.start);
            alloc::format!("Func#{number} ('{name}') is global and assumed valid.")
        });
        self.globals.insert(function.start);
        self.depths.entry(function.start).or_default();
        let moves = |call: CallTarget| helper_of(call).is_some_and(moves_packet);
        if self.calls_in(function.start, moves) {
            self.forget_packet(state, slot);
        }
        state.clobber(Reg::unknown(slot));
        Ok(())
    }

    fn check_parameter(
        &mut self,
        state: &mut State,
        callee: &Callee<'_>,
        param: Param,
        number: u8,
        call: &mut Call,
    ) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        if reg == Reg::Uninit {
            return Err(Cause::Uninit { reg: number });
        }
        let nullable = |nullable: bool| nullable && matches!(reg, Reg::Pointer(p) if p.nullable);
        match param {
            Param::Number => match reg {
                Reg::Scalar(_) => Ok(()),
                _ => {
                    let log = alloc::format!("R{number} is not a scalar");
                    Err(callee.wrong(number, "a number", &reg).logged(log))
                }
            },
            Param::Ctx => match reg {
                Reg::Pointer(p) if p.kind == PtrKind::Ctx && p.off == 0 && p.is_fixed() => Ok(()),
                Reg::Pointer(p) if p.kind == PtrKind::Ctx => Err(callee
                    .wrong(number, "the program's context, unmodified", &reg)
                    .logged(terms::moved(&p, number, false).unwrap_or_default())),
                _ => Err(callee
                    .wrong(number, "the program's context, unmodified", &reg)
                    .logged(alloc::format!("arg#{} expects pointer to ctx", number - 1))),
            },
            Param::Probed | Param::Kernel { trust: Trust::Untrusted, .. } => Ok(()),
            Param::Dynptr => self.dynptr(state, callee, number).map(|_| ()),
            Param::Arena => match reg {
                Reg::Scalar(_) | Reg::Pointer(Pointer { kind: PtrKind::Arena, .. }) => Ok(()),
                _ => Err(callee
                    .wrong(number, "an address of the arena", &reg)
                    .logged(alloc::format!("R{number} is not a pointer to arena or scalar."))),
            },
            Param::Memory { nullable: true, .. } | Param::Kernel { nullable: true, .. }
                if reg.value() == Some(0) =>
            {
                self.need(state, reg_of(number));
                Ok(())
            }
            Param::Memory { size, nullable: may_be_null } => {
                let was = nullable(may_be_null);
                if was && let Reg::Pointer(p) = &mut state.frame_mut().regs[usize::from(number)] {
                    // The callee checks it.
                    p.nullable = false;
                }
                let checked = self.check_memory(state, callee, number, size, MemAccess::ReadWrite, call);
                if was {
                    state.frame_mut().regs[usize::from(number)] = reg;
                }
                checked
            }
            Param::Kernel { ty, nullable: may_be_null, .. } => match reg {
                // Of which the callee believes more than the kernel asks of the caller.
                Reg::Pointer(p)
                    if matches!(p.kind, PtrKind::Btf { ty: own, trust } if own == ty && trust != Trust::Untrusted)
                        && p.off == 0
                        && (may_be_null || !p.nullable) =>
                {
                    Ok(())
                }
                _ => Err(callee.wrong(number, "a trusted pointer to this kernel structure", &reg).logged(
                    alloc::format!("R{number} type={} expected=ptr_, trusted_ptr_, rcu_ptr_", log_type(&reg)),
                )),
            },
        }
    }

    /// A global function ends: its result is a number.
    pub(super) fn check_global_end(&self, result: &Reg) -> Check {
        match result {
            Reg::Scalar(_) => Ok(()),
            Reg::Uninit => Err(Cause::Uninit { reg: 0 }),
            Reg::Pointer(_) => Err(Cause::ReturnPointer {
                log: alloc::format!(
                    "At subprogram exit the register R0 is not a scalar value ({})",
                    log_type(result)
                ),
            }),
        }
    }

    /// May it sleep where it may be called?
    fn sleeps(&self, call: CallTarget) -> bool {
        match call {
            CallTarget::Helper(_) => helper_of(call).is_some_and(|helper| helper.sleeps),
            CallTarget::Kfunc { id, .. } => {
                let row = self.cx.image.kfuncs.get(&id).and_then(|name| Kfunc::from_name(name));
                row.is_none_or(|row| row.flags.has(Flags::SLEEPABLE))
            }
            CallTarget::Local(_) | CallTarget::Reg(_) => false,
        }
    }

    /// Is there such a call in the function, or in one that it calls or has called?
    fn calls_in(&self, start: u32, is_such: impl Fn(CallTarget) -> bool) -> bool {
        let mut seen = alloc::collections::BTreeSet::new();
        let mut work = alloc::vec![start];
        while let Some(start) = work.pop() {
            let Some(function) = self.cx.program.function_at(start).filter(|_| seen.insert(start)) else {
                continue;
            };
            for slot in function.start..function.end {
                match self.cx.program.code.at(slot) {
                    Some(
                        Insn::Call(CallTarget::Local(distance))
                        | Insn::LoadImm64 { value: Imm64::Func(distance), .. },
                    ) => {
                        work.extend(u32::try_from(i64::from(slot) + 1 + i64::from(*distance)));
                    }
                    Some(Insn::Call(call)) if is_such(*call) => return true,
                    _ => {}
                }
            }
        }
        false
    }
}

fn helper_of(call: CallTarget) -> Option<&'static Helper> {
    match call {
        CallTarget::Helper(id) => u32::try_from(id).ok().and_then(Helper::from_id),
        CallTarget::Local(_) | CallTarget::Kfunc { .. } | CallTarget::Reg(_) => None,
    }
}

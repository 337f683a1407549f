//! Arguments of kernel functions: by the function's prototype in the target's BTF, by the suffixes of its
//! parameters' names, and by its flags.

use alloc::format;
use alloc::string::String;

use skep_stdlib::btf::{Kind, TypeId};
use skep_stdlib::helpers::{Access as MemAccess, Arg};
use skep_stdlib::kfuncs::Flags;
use skep_stdlib::programs::Context as CtxKind;

use super::call::Call;
use super::graph;
use super::kfunc::{Prototype, pointee};
use super::later;
use super::lock::Locks;
use super::members;
use super::objects::{MAX_DEPTH, is_of_scalars};
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::region::{Callee, reg_of};
use super::report::Cause;
use super::report::terms::{self, log_type};
use super::state::State;
use super::walk::{Check, Walk};

/// Ends the names of structures that are not yet initialised.
const INIT: &str = "___init";

impl Walk<'_> {
    /// The argument for the parameter with this index.
    pub(super) fn check_parameter_of_kernel(
        &mut self,
        state: &mut State,
        proto: &Prototype<'_>,
        slot: u32,
        index: usize,
        call: &mut Call,
    ) -> Check {
        let param = proto.params[index];
        let number = index as u8 + 1;
        let callee = Callee::Function(proto.row.name);
        let reg = state.frame().regs[usize::from(number)];
        let wrong = |wanted: &'static str| callee.wrong(number, wanted, &reg);
        if ["__ign", "__prog"].into_iter().any(|suffix| param.name.ends_with(suffix)) {
            return Ok(());
        }
        if reg == Reg::Uninit {
            return Err(Cause::Uninit { reg: number });
        }
        let Some(target) = pointee(proto.btf, param.ty) else {
            return self.check_number(state, proto, index, call);
        };
        let may_be_null = ["__opt", "__nullable"].into_iter().any(|suffix| param.name.ends_with(suffix));
        if may_be_null && reg.value() == Some(0) {
            self.need(state, reg_of(number));
            return Ok(());
        }
        let name = proto.btf.name(target);
        if name == "bpf_dynptr" {
            match param.name.ends_with("__uninit") {
                true => call.makes = Some(number),
                false => {
                    let dynptr = self.dynptr(state, &callee, number)?;
                    call.dynptr.get_or_insert(dynptr);
                }
            }
            return Ok(());
        }
        if self.kept_parameter(state, proto, slot, index, name, call)? {
            return Ok(());
        }
        if proto.btf.kind(target) == Some(Kind::FuncProto) {
            call.callback = Some(self.callback(&reg).ok_or_else(|| {
                wrong("a function of the program").logged(format!("arg{index} expected pointer to func"))
            })?);
            return Ok(());
        }
        let sized = proto.params.get(index + 1).is_some_and(|next| next.name.contains("__sz"));
        if param.name.ends_with("__str") {
            let string = self.check_string(&reg);
            return string.ok_or_else(|| wrong("a constant string in read-only data"));
        }
        if param.name.ends_with("__uninit") {
            return Err(proto.unsupported("this parameter"));
        }
        if param.name.ends_with("__map") || name == "bpf_map" {
            return self.map_parameter(proto, number, target, &reg, call);
        }
        if sized {
            // Checked with the size that follows.
            return match reg {
                Reg::Pointer(_) => Ok(()),
                _ => Err(wrong("a pointer to memory")),
            };
        }
        let is_context = proto.row.name == "bpf_cast_to_kern_ctx"
            || matches!(self.cx.prog_type.info().context, CtxKind::Fields(context) if context == name);
        if is_context {
            return match reg {
                Reg::Pointer(p) if p.kind == PtrKind::Ctx && p.off == 0 && p.is_fixed() => Ok(()),
                Reg::Pointer(p) if p.kind == PtrKind::Ctx => {
                    Err(wrong(UNMODIFIED).logged(terms::moved(&p, number, false).unwrap_or_default()))
                }
                _ => Err(wrong(UNMODIFIED)
                    .logged(format!("arg#{index} expected pointer to ctx, but got {}", log_type(&reg)))),
            };
        }
        let is_object = matches!(reg, Reg::Pointer(p) if matches!(p.kind, PtrKind::Btf { .. }));
        let memory = match proto.btf.kind(target) {
            Some(Kind::Struct | Kind::Union) if is_object => None,
            Some(Kind::Struct | Kind::Union) if !is_of_scalars(proto.btf, target, MAX_DEPTH) => None,
            Some(Kind::Struct | Kind::Union | Kind::Int | Kind::Enum | Kind::Enum64) => {
                proto.btf.size_of(target)
            }
            _ => return Err(proto.unsupported("this parameter")),
        };
        match memory.and_then(|size| u32::try_from(size).ok()) {
            Some(size) => self.check_memory(state, &callee, number, size, MemAccess::ReadWrite, call),
            None => self.check_kernel_object(proto, number, target, &reg, call),
        }
    }

    /// Something that belongs to the kernel, or to the program by a reference: checked if the parameter
    /// with this index, which points to a structure of this name, is one.
    fn kept_parameter(
        &mut self,
        state: &mut State,
        proto: &Prototype<'_>,
        slot: u32,
        index: usize,
        structure: &str,
        call: &mut Call,
    ) -> Check<bool> {
        let (param, number) = (proto.params[index], index as u8 + 1);
        let callee = Callee::Function(proto.row.name);
        if param.name.ends_with("__alloc") {
            self.dropped(state, proto.row.name, number, call)?;
        } else if param.name.ends_with("__refcounted_kptr") {
            self.counted(state, proto.row.name, number, call)?;
        } else if param.name.ends_with("__irq_flag") {
            call.interrupts = Some(number);
        } else if let Some(field) = graph::field_of(structure) {
            self.graph_argument(state, proto.row.name, number, field, call)?;
        } else if let Some(field) = later::field_of(structure) {
            call.deferred = Some(self.deferred(state, &callee, number, field)?);
        } else if structure == "bpf_res_spin_lock" {
            call.lock = Some(self.lock(state, slot, &callee, number, Locks::Resilient)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// A map, or a trusted pointer to the kernel's structure of one.
    fn map_parameter(
        &self,
        proto: &Prototype<'_>,
        number: u8,
        target: TypeId,
        reg: &Reg,
        call: &Call,
    ) -> Check {
        let callee = Callee::Function(proto.row.name);
        let wrong = |wanted: &'static str| callee.wrong(number, wanted, reg);
        match *reg {
            Reg::Pointer(Pointer { kind: PtrKind::Map(_), nullable: false, .. }) => {
                Self::check_same_map(&callee, number, reg, call)
            }
            Reg::Pointer(p) if is_trusted(&p) && self.is_kernel_object(reg, Arg::Map, "bpf_map") => Ok(()),
            Reg::Pointer(p) if matches!(p.kind, PtrKind::Btf { .. }) && is_trusted(&p) => {
                Err(wrong("a map").logged(another_structure(proto, number, target, &p)))
            }
            Reg::Pointer(p) if matches!(p.kind, PtrKind::Btf { .. }) => {
                Err(wrong("a map").logged(format!("R{number} must be referenced or trusted")))
            }
            _ => Err(wrong("a map").logged(format!("pointer in R{number} isn't map pointer"))),
        }
    }

    fn check_number(
        &mut self,
        state: &mut State,
        proto: &Prototype<'_>,
        index: usize,
        call: &mut Call,
    ) -> Check {
        let param = proto.params[index];
        let number = index as u8 + 1;
        let callee = Callee::Function(proto.row.name);
        let reg = state.frame().regs[usize::from(number)];
        let Reg::Scalar(num) = reg else {
            return Err(callee.wrong(number, "a number", &reg).logged(format!("R{number} is not a scalar")));
        };
        let constant = ["__k", "__szk"].into_iter().any(|suffix| param.name.ends_with(suffix));
        if constant || param.name.contains("__sz") {
            self.need(state, reg_of(number));
        }
        if param.name.contains("__sz") {
            // The kernel looks at the memory twice: as what is read, and as what is written.
            self.need(state, reg_of(number));
        }
        if constant {
            call.constant = num.value.value().and_then(|value| u32::try_from(value).ok());
        }
        if constant && num.value.value().is_none() {
            let log = match num.value.r64.umax >> 29 {
                0 => "must be a known constant",
                _ => "unbounded memory access, use 'var &= const' or 'if (var < const)'",
            };
            return Err(callee.wrong(number, "a constant", &reg).logged(format!("R{number} {log}")));
        }
        if param.name.contains("__sz") {
            call.constant = num.value.value().and_then(|size| u32::try_from(size).ok());
            let before = index.checked_sub(1).map(|index| proto.params[index].name);
            let optional = before.is_some_and(|name| name.ends_with("__opt"));
            let absent = optional && state.frame().regs[index].value() == Some(0);
            let memory = (!absent).then_some((MemAccess::ReadWrite, false));
            return self.check_size(state, &callee, number, memory, true, call);
        }
        Ok(())
    }

    /// A trusted pointer to a kernel structure of this type.
    fn check_kernel_object(
        &self,
        proto: &Prototype<'_>,
        number: u8,
        target: TypeId,
        reg: &Reg,
        call: &mut Call,
    ) -> Check {
        let wrong = || {
            Callee::Function(proto.row.name).wrong(number, "a trusted pointer to this kernel structure", reg)
        };
        let not_structure = || {
            wrong().logged(format!(
                "arg#{} pointer type STRUCT {} must point to scalar, or struct with scalar",
                number - 1,
                proto.btf.name(target)
            ))
        };
        let Reg::Pointer(p) = reg else { return Err(not_structure()) };
        let PtrKind::Btf { ty, trust } = p.kind else { return Err(not_structure()) };
        // What must be valid must be so beyond doubt; of the rest the kernel asks less.
        let strict = proto.has(Flags::TRUSTED_ARGS) || proto.has(Flags::RELEASE);
        let valid = match trust {
            _ if p.reference != 0 => true,
            Trust::Trusted => true,
            Trust::Rcu => !strict || proto.has(Flags::RCU),
            Trust::Plain => !strict && !proto.has(Flags::RCU),
            Trust::Untrusted => false,
        };
        // What is given back must be what the function calls it, not what begins with such a thing.
        let exact = proto.has(Flags::RELEASE) && p.reference != 0
            || is_same_but_for_init(proto.btf.name(TypeId(ty)), proto.btf.name(target));
        let fits = u32::try_from(p.off).is_ok_and(|off| {
            members::holds(proto.btf, TypeId(ty), off, target, exact)
                || off == 0 && is_seen_as(proto.btf.name(TypeId(ty)), proto.btf.name(target))
        });
        if !valid {
            let log = match proto.has(Flags::RCU) {
                true => "must be a rcu pointer",
                false => "must be referenced or trusted",
            };
            return Err(wrong().logged(format!("R{number} {log}")));
        }
        if !fits || p.nullable || !p.is_fixed() {
            return Err(wrong().logged(another_structure(proto, number, target, p)));
        }
        if p.reference != 0 {
            call.reference = p.reference;
        }
        Ok(())
    }
}

/// Are they views of one structure, of which one is not yet initialised?
fn is_same_but_for_init(a: &str, b: &str) -> bool {
    a.strip_suffix(INIT) == Some(b) || b.strip_suffix(INIT) == Some(a)
}

/// What is wanted of a context.
const UNMODIFIED: &str = "the program's context, unmodified";

/// The kernel looks for null before anything else where an argument must be valid.
pub fn explain_null(state: &State, proto: &Prototype<'_>, index: usize, cause: Cause) -> Cause {
    let reg = state.frame().regs[index + 1];
    let null = reg.value() == Some(0) || reg.as_pointer().is_some_and(|p| p.nullable);
    let is_pointer = pointee(proto.btf, proto.params[index].ty).is_some();
    let valid = [Flags::TRUSTED_ARGS, Flags::RELEASE, Flags::RCU].into_iter().any(|flag| proto.has(flag));
    match null && is_pointer && valid {
        true => cause.logged(format!("Possibly NULL pointer passed to trusted arg{index}")),
        false => cause,
    }
}

/// The kernel's words for a pointer to another structure than is wanted.
fn another_structure(proto: &Prototype<'_>, number: u8, target: TypeId, p: &Pointer) -> String {
    let found = match p.kind {
        PtrKind::Btf { ty, .. } => proto.btf.name(TypeId(ty)),
        _ => "",
    };
    format!(
        "kernel function {} args#{} expected pointer to STRUCT {} but R{number} has a pointer to STRUCT {found}",
        proto.row.name,
        number - 1,
        proto.btf.name(target),
    )
}

/// Is what it points to sure to be there?
fn is_trusted(pointer: &Pointer) -> bool {
    pointer.reference != 0 || matches!(pointer.kind, PtrKind::Btf { trust: Trust::Trusted, .. })
}

/// Is it a structure that programs see as the other one?
fn is_seen_as(kernel: &str, program: &str) -> bool {
    [("sk_buff", "__sk_buff"), ("xdp_buff", "xdp_md")].contains(&(kernel, program))
}

//! Calls of kernel functions: arguments by the function's prototype in the target's BTF, by the
//! suffixes of its parameters' names and by the flags in its row of the table.
//!
//! Functions without a row, and parameters of kinds that are not modelled (dynamic pointers, lists,
//! trees, allocated objects), are refused as such.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::btf::{self, Btf, Kind, TypeId};
use skep_stdlib::helpers::{Access as MemAccess, Arg};
use skep_stdlib::kfuncs::{Flags, Kfunc};
use skep_stdlib::programs::{AttachType, Context as CtxKind, ProgType};

use super::call::Call;
use super::dynptr;
use super::fields::Field;
use super::graph;
use super::held;
use super::later;
use super::members;
use super::objects::{MAX_DEPTH, is_of_scalars};
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::region::{Callee, reg_of};
use super::report::Cause;
use super::report::terms::{self, log_type};
use super::stack;
use super::state::{Reference, State};
use super::walk::{Check, Next, Walk};

/// Structures whose functions are not modelled.
const NOT_MODELLED: &[&str] = &["bpf_timer", "bpf_res_spin_lock", "bpf_task_work"];

/// Functions that give a slice of a dynamic pointer, and whether it may be written.
const SLICES: &[(&str, bool)] = &[("bpf_dynptr_slice", false), ("bpf_dynptr_slice_rdwr", true)];

/// Functions for programs of one attach type only.
const ONLY_ATTACHED: &[(&str, AttachType)] = &[("bpf_sock_destroy", AttachType::TraceIter)];

/// Ends the names of structures that are not yet initialised.
const INIT: &str = "___init";

/// What the kernel has in place of the contexts that programs see (include/linux/bpf_types.h).
const KERNEL_CONTEXTS: &[(&str, &str)] = &[
    ("__sk_buff", "sk_buff"),
    ("xdp_md", "xdp_buff"),
    ("pt_regs", "pt_regs"),
    ("bpf_sock", "sock"),
    ("bpf_sock_addr", "bpf_sock_addr_kern"),
    ("bpf_sock_ops", "bpf_sock_ops_kern"),
    ("sk_msg_md", "sk_msg"),
    ("bpf_perf_event_data", "bpf_perf_event_data_kern"),
    ("bpf_cgroup_dev_ctx", "bpf_cgroup_dev_ctx"),
    ("bpf_sysctl", "bpf_sysctl_kern"),
    ("bpf_sockopt", "bpf_sockopt_kern"),
    ("sk_reuseport_md", "sk_reuseport_kern"),
    ("bpf_sk_lookup", "bpf_sk_lookup_kern"),
    ("bpf_nf_ctx", "bpf_nf_ctx"),
];
/// The flow dissector has a context of its own behind the fields of `__sk_buff`.
const DISSECTOR_CONTEXT: &str = "bpf_flow_dissector";

/// A kernel function as the target declares it.
struct Prototype<'a> {
    btf: &'a Btf,
    row: &'static Kfunc,
    ret: TypeId,
    params: Vec<btf::Param<'a>>,
}

impl Prototype<'_> {
    fn has(&self, flag: Flags) -> bool {
        self.row.flags.has(flag)
    }

    fn unsupported(&self, what: &str) -> Cause {
        Cause::Unsupported { what: alloc::format!("{what} of `{}`", self.row.name) }
    }
}

impl<'a> Walk<'a> {
    /// The row of the kernel function with this id.
    pub(super) fn kfunc(&self, id: i32) -> Option<&'static Kfunc> {
        Kfunc::from_name(self.cx.image.kfuncs.get(&id)?)
    }

    /// A call.
    pub(super) fn call_kfunc(&mut self, state: &mut State, slot: u32, id: i32) -> Check<Next> {
        let proto = self.kfunc_prototype(id)?;
        self.check_callable(state, &proto)?;
        match proto.row.name {
            "bpf_rcu_read_lock" => state.rcu += 1,
            "bpf_rcu_read_unlock" => held::leave_rcu(state)?,
            "bpf_preempt_disable" => state.preempt += 1,
            "bpf_preempt_enable" => held::leave_preempt(state)?,
            "bpf_throw" => return self.throw(state, slot),
            _ => return self.call_with_arguments(state, slot, &proto),
        }
        state.clobber(Reg::Uninit);
        Ok(Next::To(slot + 1))
    }

    fn call_with_arguments(&mut self, state: &mut State, slot: u32, proto: &Prototype<'_>) -> Check<Next> {
        let iterator = [Flags::ITER_NEW, Flags::ITER_NEXT, Flags::ITER_DESTROY];
        let iterates = iterator.into_iter().any(|flag| proto.has(flag));
        let mut call = Call::default();
        for index in usize::from(iterates)..proto.params.len() {
            self.check_parameter_of_kernel(state, proto, index, &mut call)
                .map_err(|cause| explain_null(state, proto, index, cause))?;
        }
        for &(depth, start, end) in &call.fills {
            stack::fill(state, depth, start, end);
        }
        if let Some(start) = call.callback {
            match later::sets(proto.row.name) {
                Some(_) => self.call_later(proto.row.name, start, &call)?,
                None if graph::compares(proto.row.name) => {
                    return self.compare_nodes(state, slot, proto.row.name, &call, start);
                }
                None => return Err(proto.unsupported("the function argument")),
            }
        }
        let callee = Callee::Function(proto.row.name);
        if let Some(number) = call.makes {
            let copied = call.dynptr.filter(|_| proto.row.name == "bpf_dynptr_clone");
            let behind = copied.map(|dynptr| dynptr.behind).or_else(|| dynptr::made_by(proto.row.name));
            let behind = behind.ok_or_else(|| proto.unsupported("this parameter"))?;
            let reference = copied.map(|dynptr| dynptr.reference);
            self.make_dynptr(state, slot, &callee, number, behind, reference)?;
        }
        let result = |walk: &mut Self, state: &mut State| {
            walk.kfunc_result(state, slot, proto.btf, proto.row, proto.ret, &call)
        };
        if iterates {
            let size = proto.params.first().and_then(|param| pointee(proto.btf, param.ty));
            let (ty, size) =
                size.and_then(|ty| Some((ty.0, proto.btf.size_of(ty)? as u32))).unwrap_or((0, 8));
            let made = if proto.has(Flags::ITER_NEXT) { result(self, state)? } else { Reg::Uninit };
            return self.iterate(state, slot, proto.row, ty, size, made);
        }
        if proto.has(Flags::RELEASE) {
            if call.reference == 0 {
                let reg = state.frame().regs[1];
                let name = proto.row.name;
                let log = format!("release kernel function {name} expects refcounted PTR_TO_BTF_ID");
                return Err(Callee::Function(name).wrong(1, "an object that was acquired", &reg).logged(log));
            }
            self.release(state, slot, call.reference);
        }
        let made = result(self, state)?;
        state.clobber(made);
        Ok(Next::To(slot + 1))
    }

    fn kfunc_prototype(&self, id: i32) -> Check<Prototype<'a>> {
        let name = self.cx.image.kfuncs.get(&id).map_or("", String::as_str);
        let unsupported = |what: String| Cause::Unsupported { what };
        let row =
            self.kfunc(id).ok_or_else(|| unsupported(alloc::format!("the kernel function `{name}`")))?;
        let btf = self
            .cx
            .btf
            .ok_or_else(|| unsupported("a kernel function without the kernel's BTF".to_string()))?;
        let proto = btf.find(name, Kind::Func).and_then(|func| btf.target(func)).and_then(|ty| btf.ty(ty));
        match proto {
            Some(btf::Type::FuncProto { ret, params }) if params.len() <= 5 => {
                Ok(Prototype { btf, row, ret, params })
            }
            _ => Err(unsupported(alloc::format!("the prototype of `{name}`"))),
        }
    }

    /// May this program call it here?
    fn check_callable(&self, state: &State, proto: &Prototype<'_>) -> Check {
        let row = proto.row;
        self.check_unlocked(state, row.name)?;
        if !row.programs.contains(self.cx.prog_type) {
            let program = self.cx.prog_type.info().name;
            return Err(Cause::KfuncNotAllowed { function: row.name, program });
        }
        let attach = self.cx.section.section.attach;
        if ONLY_ATTACHED.iter().any(|only| only.0 == row.name && attach != Some(only.1)) {
            let program = "another attach type";
            return Err(Cause::KfuncNotAllowed { function: row.name, program });
        }
        if row.name.starts_with("bpf_iter_css_task_")
            && self.cx.prog_type != ProgType::Lsm
            && attach != Some(AttachType::TraceIter)
            && !state.may_sleep()
        {
            let program = "another hook, and that may not sleep";
            return Err(Cause::KfuncNotAllowed { function: row.name, program });
        }
        if row.since > self.cx.target.kernel {
            let since = alloc::format!("{}", row.since);
            return Err(Cause::KfuncTooNew { function: row.name, since });
        }
        let sleeps = proto.has(Flags::SLEEPABLE);
        if sleeps && !state.may_sleep() {
            return Err(Cause::Sleeps { callee: row.name.to_string() });
        }
        if proto.has(Flags::RCU_PROTECTED) {
            held::check_rcu(state, row.name)?;
        }
        Ok(())
    }

    fn check_parameter_of_kernel(
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
        let wrong = |wanted: &'static str| callee.wrong(number, wanted, &reg);
        if param.name.ends_with("__ign") {
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
        if param.name.ends_with("__alloc") {
            return self.dropped(state, proto.row.name, number, call);
        }
        if param.name.ends_with("__refcounted_kptr") {
            return self.counted(state, proto.row.name, number, call);
        }
        if let Some(field) = graph::field_of(name) {
            return self.graph_argument(state, proto.row.name, number, field, call);
        }
        if name == "bpf_wq" {
            call.deferred = Some(self.deferred(state, &callee, number, Field::Work)?);
            return Ok(());
        }
        if proto.btf.kind(target) == Some(Kind::FuncProto) {
            call.callback = Some(self.callback(&reg).ok_or_else(|| {
                wrong("a function of the program").logged(format!("arg{index} expected pointer to func"))
            })?);
            return Ok(());
        }
        let sized = proto.params.get(index + 1).is_some_and(|next| next.name.contains("__sz"));
        if NOT_MODELLED.contains(&name)
            || ["__uninit", "__str"].into_iter().any(|suffix| param.name.ends_with(suffix))
        {
            return Err(proto.unsupported("this parameter"));
        }
        if param.name.ends_with("__map") || name == "bpf_map" {
            return match reg {
                Reg::Pointer(Pointer { kind: PtrKind::Map(_), nullable: false, .. }) => {
                    Self::check_same_map(&callee, number, &reg, call)
                }
                Reg::Pointer(p) if is_trusted(&p) && self.is_kernel_object(&reg, Arg::Map, "bpf_map") => {
                    Ok(())
                }
                Reg::Pointer(p) if matches!(p.kind, PtrKind::Btf { .. }) && is_trusted(&p) => {
                    Err(wrong("a map").logged(another_structure(proto, number, target, &p)))
                }
                Reg::Pointer(p) if matches!(p.kind, PtrKind::Btf { .. }) => {
                    Err(wrong("a map").logged(format!("R{number} must be referenced or trusted")))
                }
                _ => Err(wrong("a map").logged(format!("pointer in R{number} isn't map pointer"))),
            };
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
            Some(Kind::Struct) if is_object => None,
            Some(Kind::Struct) if !is_of_scalars(proto.btf, target, MAX_DEPTH) => None,
            Some(Kind::Struct | Kind::Int | Kind::Enum | Kind::Enum64) => proto.btf.size_of(target),
            _ => return Err(proto.unsupported("this parameter")),
        };
        match memory.and_then(|size| u32::try_from(size).ok()) {
            Some(size) => self.check_memory(state, &callee, number, size, MemAccess::ReadWrite, call),
            None => self.check_kernel_object(proto, number, target, &reg, call),
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

    /// What the function leaves in r0.
    fn kfunc_result(
        &mut self,
        state: &mut State,
        slot: u32,
        btf: &Btf,
        row: &'static Kfunc,
        ret: TypeId,
        call: &Call,
    ) -> Check<Reg> {
        let unsupported = || Cause::Unsupported { what: alloc::format!("the result of `{}`", row.name) };
        if let (Some((_, writable)), Some(dynptr)) =
            (SLICES.iter().find(|slice| slice.0 == row.name), &call.dynptr)
        {
            if *writable && !self.cx.may_write_packet() {
                let program = self.cx.prog_type.info().name;
                return Err(Cause::KfuncNotAllowed { function: row.name, program });
            }
            return Ok(self.slice_or_null(slot, dynptr, call.constant.unwrap_or(0), *writable));
        }
        if let Some(reg) = self.graph_result(state, slot, row.name, call) {
            return Ok(reg);
        }
        if let Some(reg) = self.object_result(state, slot, row.name, call)? {
            return Ok(reg);
        }
        match row.name {
            "bpf_rdonly_cast" => {
                let ty = TypeId(call.constant.unwrap_or(0));
                return match btf.kind(ty) {
                    Some(Kind::Struct | Kind::Union) => {
                        let kind = PtrKind::Btf { ty: ty.0, trust: Trust::Untrusted };
                        Ok(Reg::pointer(kind, slot))
                    }
                    _ => Err(unsupported()),
                };
            }
            "bpf_cast_to_kern_ctx" => {
                let row = KERNEL_CONTEXTS.iter().find(|row| row.0 == self.cx.context_name());
                let name = match self.cx.prog_type {
                    ProgType::FlowDissector => DISSECTOR_CONTEXT,
                    _ => row.ok_or_else(unsupported)?.1,
                };
                let kind = self.kernel_structure(name)?;
                return Ok(Reg::pointer(kind, slot));
            }
            _ => {}
        }
        if btf.resolve(ret) == Some(TypeId::VOID) {
            return Ok(Reg::Uninit);
        }
        let Some(target) = pointee(btf, ret) else { return Ok(Reg::unknown(slot)) };
        let held = row.flags.has(Flags::ACQUIRE);
        let kind = match btf.kind(target) {
            Some(Kind::Struct) => {
                let valid = held || row.flags.has(Flags::ITER_NEXT);
                PtrKind::Btf { ty: target.0, trust: if valid { Trust::Trusted } else { Trust::Plain } }
            }
            Some(Kind::Int | Kind::Enum | Kind::Enum64) => {
                let size = btf.size_of(target).ok_or_else(unsupported)? as u32;
                PtrKind::Mem { size, writable: false }
            }
            // An address of which nothing is known.
            Some(Kind::Void) => return Ok(Reg::unknown(slot)),
            _ => return Err(unsupported()),
        };
        let id = self.fresh_id();
        if held {
            state.references.push(Reference { id, slot });
        }
        let reference = if held { id } else { 0 };
        Ok(match Reg::or_null(kind, id, reference, slot) {
            Reg::Pointer(p) if !row.flags.has(Flags::RET_NULL) => {
                Reg::Pointer(Pointer { nullable: false, ..p })
            }
            reg => reg,
        })
    }
}

/// Are they views of one structure, of which one is not yet initialised?
fn is_same_but_for_init(a: &str, b: &str) -> bool {
    a.strip_suffix(INIT) == Some(b) || b.strip_suffix(INIT) == Some(a)
}

/// What is wanted of a context.
const UNMODIFIED: &str = "the program's context, unmodified";

/// The kernel looks for null before anything else where an argument must be valid.
fn explain_null(state: &State, proto: &Prototype<'_>, index: usize, cause: Cause) -> Cause {
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

/// What a pointer type points to, through typedefs and qualifiers.
fn pointee(btf: &Btf, ty: TypeId) -> Option<TypeId> {
    let pointer = btf.resolve(ty).filter(|&ty| btf.kind(ty) == Some(Kind::Ptr))?;
    btf.resolve(btf.target(pointer)?)
}

//! Calls of kernel functions: arguments by the function's prototype in the target's BTF, by the
//! suffixes of its parameters' names and by the flags in its row of the table.
//!
//! Functions without a row, and parameters of kinds that are not modelled, are refused as such.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::btf::{self, Btf, Kind, TypeId};
use skep_stdlib::features::Feature;
use skep_stdlib::kfuncs::{Flags, Kfunc};
use skep_stdlib::programs::{AttachType, ProgType};

use super::call::Call;
use super::dynptr;
use super::graph;
use super::held;
use super::later;
use super::lock;
use super::params::explain_null;
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::region::Callee;
use super::report::{Caller, Cause};
use super::state::{Reference, State};
use super::walk::{Check, Next, Walk};

/// Functions that give a slice of a dynamic pointer, and whether it may be written.
const SLICES: &[(&str, bool)] = &[("bpf_dynptr_slice", false), ("bpf_dynptr_slice_rdwr", true)];

/// Functions for programs that are bound to a device when they are loaded, as none here is.
pub const OF_DEVICES: &str = "bpf_xdp_metadata_rx_";

/// Functions that write through a dynamic pointer: what is behind it may be in another place then.
const WRITERS: &[&str] = &[
    "bpf_copy_from_user_dynptr",
    "bpf_copy_from_user_str_dynptr",
    "bpf_copy_from_user_task_dynptr",
    "bpf_copy_from_user_task_str_dynptr",
    "bpf_dynptr_copy",
    "bpf_dynptr_memset",
    "bpf_probe_read_kernel_dynptr",
    "bpf_probe_read_kernel_str_dynptr",
    "bpf_probe_read_user_dynptr",
    "bpf_probe_read_user_str_dynptr",
];

/// Functions for programs of one attach type only.
const ONLY_ATTACHED: &[(&str, AttachType)] = &[
    ("bpf_sock_destroy", AttachType::TraceIter),
    ("bpf_session_cookie", AttachType::TraceKprobeSession),
    ("bpf_session_is_return", AttachType::TraceKprobeSession),
];

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
pub struct Prototype<'a> {
    /// The target's types.
    pub btf: &'a Btf,
    /// What is known of it besides.
    pub row: &'static Kfunc,
    ret: TypeId,
    /// Its parameters.
    pub params: Vec<btf::Param<'a>>,
}

impl Prototype<'_> {
    /// Does the kernel declare this of it?
    pub fn has(&self, flag: Flags) -> bool {
        self.row.flags.has(flag)
    }

    /// Something about it that is not modelled.
    pub fn unsupported(&self, what: &str) -> Cause {
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
            "bpf_throw" => {
                self.check_parameter_of_kernel(state, &proto, slot, 0, &mut Call::default())?;
                return self.throw(state, slot);
            }
            _ => return self.call_with_arguments(state, slot, &proto),
        }
        state.clobber(Reg::Uninit);
        Ok(Next::To(slot + 1))
    }

    fn call_with_arguments(&mut self, state: &mut State, slot: u32, proto: &Prototype<'_>) -> Check<Next> {
        let iterator = [Flags::ITER_NEW, Flags::ITER_NEXT, Flags::ITER_DESTROY];
        let iterates = iterator.into_iter().any(|flag| proto.has(flag));
        // A lock that cannot be taken leaves everything as it is.
        let failed = lock::may_fail(proto.row.name).then(|| state.clone());
        let mut call = Call::default();
        for index in usize::from(iterates)..proto.params.len() {
            self.check_parameter_of_kernel(state, proto, slot, index, &mut call)
                .map_err(|cause| explain_null(state, proto, index, cause))?;
        }
        self.fill(state, &call);
        if let Some(start) = call.callback {
            match later::setter(proto.row.name) {
                Some(setter) => self.call_later(state, setter, start, &call)?,
                None if graph::compares(proto.row.name) => {
                    return self.compare_nodes(state, slot, proto.row.name, &call, start);
                }
                None => return Err(proto.unsupported("the function argument")),
            }
        }
        self.use_lock(state, slot, &Callee::Function(proto.row.name), &call)?;
        if let Some(number) = call.interrupts {
            self.use_interrupts(state, slot, proto.row.name, number)?;
        }
        if let Some(mut failed) = failed {
            failed.clobber(lock::failure(slot));
            state.clobber(Reg::constant(0, slot));
            return Ok(Next::Both(slot + 1, slot + 1, Box::new(failed)));
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
        let writes = call.dynptr.is_some_and(|dynptr| dynptr.behind == dynptr::Behind::Skb)
            && WRITERS.contains(&proto.row.name);
        if writes || proto.row.name == "bpf_xdp_pull_data" {
            self.forget_packet(state, slot);
        }
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
        match declared(btf, name) {
            Some((ret, params)) if params.len() <= 5 => Ok(Prototype { btf, row, ret, params }),
            _ => Err(unsupported(alloc::format!("the prototype of `{name}`"))),
        }
    }

    /// May this program call it here?
    fn check_callable(&self, state: &State, proto: &Prototype<'_>) -> Check {
        let row = proto.row;
        self.check_unlocked(state, &Callee::Function(row.name))?;
        if !row.programs_on(self.cx.target.kernel).contains(self.cx.prog_type) {
            let by = Caller::Type(self.cx.prog_type.info().name);
            return Err(Cause::KfuncNotAllowed { function: row.name, by });
        }
        let attach = self.cx.section.section.attach;
        if ONLY_ATTACHED.iter().any(|only| only.0 == row.name && attach != Some(only.1)) {
            return Err(Cause::KfuncNotAllowed { function: row.name, by: Caller::Kind });
        }
        if row.name.starts_with(OF_DEVICES) {
            return Err(Cause::KfuncNotAllowed { function: row.name, by: Caller::Unbound });
        }
        if row.name.starts_with("bpf_iter_css_task_")
            && self.cx.prog_type != ProgType::Lsm
            && attach != Some(AttachType::TraceIter)
            && !state.may_sleep()
        {
            return Err(Cause::KfuncNotAllowed { function: row.name, by: Caller::Awake });
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
                let by = Caller::Type(self.cx.prog_type.info().name);
                return Err(Cause::KfuncNotAllowed { function: row.name, by });
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
                // Of the number, 32 bits count.
                let reg = state.frame().regs[2];
                let number = reg.value().unwrap_or(0);
                let ty = TypeId(number as u32);
                return match btf.kind(ty) {
                    Some(Kind::Struct | Kind::Union) => {
                        let kind = PtrKind::Btf { ty: ty.0, trust: Trust::Untrusted };
                        Ok(Reg::pointer(kind, slot))
                    }
                    Some(Kind::Void) if self.cx.target.has(Feature::ProbedMemory) => {
                        Ok(Reg::pointer(PtrKind::Probed, slot))
                    }
                    kind => {
                        let log = match kind {
                            Some(_) => {
                                "kfunc bpf_rdonly_cast type ID argument must be of a struct or void".into()
                            }
                            None => {
                                format!("Unknown type ID {} passed to kfunc bpf_rdonly_cast", number as i64)
                            }
                        };
                        let wanted = "the number of a structure's type, or 0";
                        Err(Callee::Function(row.name).wrong(2, wanted, &reg).logged(log))
                    }
                };
            }
            "bpf_cast_to_kern_ctx" => {
                let row = KERNEL_CONTEXTS.iter().find(|row| row.0 == self.cx.context_name());
                let name = match self.cx.prog_type {
                    ProgType::FlowDissector => DISSECTOR_CONTEXT,
                    _ => row.ok_or_else(unsupported)?.1,
                };
                let kind = self.kernel_structure(name, Trust::Trusted)?;
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
                let trust = match held || row.flags.has(Flags::ITER_NEXT) {
                    true => Trust::Trusted,
                    false if row.name == "bpf_get_kmem_cache" => Trust::Untrusted,
                    false => Trust::Plain,
                };
                PtrKind::Btf { ty: target.0, trust }
            }
            Some(Kind::Int | Kind::Enum | Kind::Enum64) => {
                let size = btf.size_of(target).ok_or_else(unsupported)? as u32;
                PtrKind::Mem { size, writable: row.name == "bpf_session_cookie" }
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
                Reg::Pointer(Pointer { nullable: false, id: 0, ..p })
            }
            reg => reg,
        })
    }
}

/// The result and the parameters of the kernel function with this name.
pub fn declared<'a>(btf: &'a Btf, name: &str) -> Option<(TypeId, Vec<btf::Param<'a>>)> {
    match btf.ty(btf.target(btf.find(name, Kind::Func)?)?)? {
        btf::Type::FuncProto { ret, params } => Some((ret, params)),
        _ => None,
    }
}

/// What a pointer type points to, through typedefs and qualifiers.
pub fn pointee(btf: &Btf, ty: TypeId) -> Option<TypeId> {
    let pointer = btf.resolve(ty).filter(|&ty| btf.kind(ty) == Some(Kind::Ptr))?;
    btf.resolve(btf.target(pointer)?)
}

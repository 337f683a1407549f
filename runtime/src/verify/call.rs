//! Calls of helpers: may this program call it, are the arguments what it wants, what comes back.
//!
//! Everything derives from the row in the helper table; the few helpers whose result or effect
//! depends on more than their prototype are named in [`Walk::result`] and [`moves_packet`].

use skep_stdlib::helpers::{Access as MemAccess, Arg, Helper, Ret};
use skep_stdlib::isa::Reg as R;
use skep_stdlib::maps::MapType;
use skep_stdlib::programs::{AttachType, ProgType};

use super::dynptr::{self, Dynptr};
use super::fields::{Field, Special};
use super::held;
use super::hook;
use super::later;
use super::lock::Lock;
use super::reg::{Num, Pointer, PtrKind, Reg, Sock, Trust};
use super::region::{Callee, reg_of};
use super::report::terms::log_type;
use super::report::{Cause, Leaving};
use super::scalar::Scalar;
use super::stack;
use super::state::{Role, State};
use super::walk::{Check, Next, Walk, read};
use crate::object::CORE_POISON;

/// Helpers after which every pointer into the packet is stale (kernel
/// `bpf_helper_changes_pkt_data`).
const MOVES_PACKET: &[&str] = &[
    "skb_vlan_push",
    "skb_vlan_pop",
    "skb_store_bytes",
    "skb_change_proto",
    "skb_change_head",
    "skb_change_tail",
    "skb_pull_data",
    "clone_redirect",
    "l3_csum_replace",
    "l4_csum_replace",
    "xdp_adjust_head",
    "xdp_adjust_meta",
    "xdp_adjust_tail",
    "msg_pull_data",
    "msg_push_data",
    "msg_pop_data",
    "lwt_push_encap",
    "lwt_seg6_store_bytes",
    "lwt_seg6_adjust_srh",
    "lwt_seg6_action",
    "skb_adjust_room",
    "store_hdr_opt",
    "sk_assign",
    // A program that is called in the tail of a subprogram may move the packet.
    "tail_call",
];

/// What a program is of that is attached elsewhere than a helper needs.
pub const OTHER_HOOK: &str = "another hook";
/// The same where an exception is handled.
pub const IN_HANDLER: &str = "handler of exceptions";

/// Whether pointers into the packet are stale after a call of this helper.
pub fn moves_packet(helper: &Helper) -> bool {
    MOVES_PACKET.contains(&helper.name)
}

/// What a call takes away from the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// Pointers into the packet, which may be in another place now.
    Packet,
    /// What it was given, which belongs to the kernel again.
    Given,
}

/// What a program has no more after a call of this helper.
pub fn loses(helper: &Helper) -> Option<Loss> {
    let gives = |arg: &Arg| matches!(arg, Arg::RingbufMem | Arg::BtfSockRelease | Arg::DynptrRelease);
    match helper.args.iter().any(gives) {
        true => Some(Loss::Given),
        false => moves_packet(helper).then_some(Loss::Packet),
    }
}

/// What a call has learned of its arguments so far.
#[derive(Default)]
pub struct Call {
    /// The map among the arguments.
    pub map: Option<u32>,
    /// The function that the helper calls.
    pub callback: Option<u32>,
    /// The spin lock among the arguments.
    pub lock: Option<Lock>,
    /// The map of the value with the timer or work among the arguments, and the number of an inner
    /// map.
    pub deferred: Option<(u32, u32)>,
    /// The constant behind the key among the arguments.
    pub key: Option<u64>,
    /// The constant size to reserve.
    alloc: Option<u32>,
    /// The constant among the arguments: a size of memory, the number of a type.
    pub constant: Option<u32>,
    /// The head of a list or root of a tree among the arguments.
    pub root: Option<Special>,
    /// The allocated object among the arguments.
    pub object: Option<Pointer>,
    /// The pointer to memory of each processor among the arguments.
    pub percpu: Option<PtrKind>,
    /// The place for a pointer to a kernel object among the arguments.
    pub kptr: Option<Special>,
    /// The reference that an argument gives back.
    pub release: Option<u32>,
    /// The reference that the first object among the arguments holds.
    pub reference: u32,
    /// The first dynamic pointer among the arguments.
    pub dynptr: Option<Dynptr>,
    /// The argument in which one is made.
    pub makes: Option<u8>,
    /// Stack bytes that the helper writes: depth, start, end.
    pub fills: alloc::vec::Vec<(u32, i32, i32)>,
}

impl Walk<'_> {
    pub(super) fn call_helper(&mut self, state: &mut State, slot: u32, id: i32) -> Check<Next> {
        if id == CORE_POISON {
            return Err(Cause::CorePoison {});
        }
        let helper = u32::try_from(id).ok().and_then(Helper::from_id).ok_or(Cause::UnknownHelper { id })?;
        self.check_allowed(state, helper)?;
        self.check_unlocked(state, &alloc::format!("bpf_{}", helper.name))?;
        if helper.sleeps && !state.may_sleep() {
            return Err(Cause::Sleeps { callee: alloc::format!("bpf_{}", helper.name) });
        }
        let args = helper.args_in(self.cx.prog_type);
        let mut call = Call::default();
        for (index, &arg) in args.iter().enumerate() {
            self.check_argument(state, slot, helper, args, index, arg, &mut call)?;
        }
        if let (Some(map), true) = (call.map, args.contains(&Arg::Map)) {
            let ty = self.map_type(map);
            if ty.is_none_or(|ty| !ty.accepts(helper.name)) {
                let log = alloc::format!(
                    "cannot pass map_type {} into func bpf_{}#{}",
                    ty.map_or(0, |ty| ty as u32),
                    helper.name,
                    helper.id
                );
                return Err(Cause::MapKind { helper: helper.name, map, log });
            }
        }
        self.check_sockmap(helper, &call)?;
        if helper.name == "get_local_storage" {
            self.need(state, R::R2);
            let reg = state.frame().regs[2];
            if reg.value() != Some(0) {
                let callee = Callee::of(helper);
                let log = "get_local_storage() doesn't support non-zero flags";
                return Err(callee.wrong(2, "the constant 0", &reg).logged(log));
            }
        }
        for &(depth, start, end) in &call.fills {
            stack::fill(state, depth, start, end);
        }
        if let Some(reference) = call.release {
            self.release(state, slot, reference);
        }
        self.use_dynptrs(state, slot, helper, &call)?;
        self.use_lock(state, slot, helper.name, &call)?;
        if helper.name == "tail_call" {
            held::check_nothing(state, Leaving::TailCall)?;
        }
        if moves_packet(helper) {
            self.forget_packet(state, slot);
        }
        if let Some(start) = call.callback {
            if later::sets(helper.name).is_some() {
                self.call_later(helper.name, start, &call)?;
                state.clobber(Reg::unknown(slot));
                return Ok(Next::To(slot + 1));
            }
            return self.call_back(state, slot, helper, &call, start);
        }
        let result = self.result(state, slot, helper, &call)?;
        state.clobber(result);
        match helper.name {
            // The program that is called in its place returns to the function's caller.
            "tail_call" => self.or_leave(state, slot, Reg::unknown(slot)),
            _ => Ok(Next::To(slot + 1)),
        }
    }

    /// What the helper does with dynamic pointers.
    fn use_dynptrs(&mut self, state: &mut State, slot: u32, helper: &'static Helper, call: &Call) -> Check {
        let callee = Callee::of(helper);
        if let Some(number) = call.makes {
            let memory = state.frame().regs[1];
            let in_map = matches!(memory, Reg::Pointer(p) if matches!(p.kind, PtrKind::MapValue(_)));
            let behind = dynptr::made_by(helper.name)
                .ok_or_else(|| Cause::Unsupported { what: alloc::format!("`bpf_{}`", helper.name) })?;
            if behind == dynptr::Behind::Local && !in_map {
                let log =
                    alloc::format!("Unsupported reg type {} for bpf_dynptr_from_mem data", log_type(&memory));
                return Err(callee.wrong(1, "memory in a map value", &memory).logged(log));
            }
            return self.make_dynptr(state, slot, &callee, number, behind, None);
        }
        let Some(dynptr) = &call.dynptr else { return Ok(()) };
        if helper.args.contains(&Arg::DynptrRelease) {
            self.release_dynptr(state, slot, dynptr);
        } else if helper.name == "dynptr_write" && dynptr.behind == dynptr::Behind::Skb {
            // What is written may be in another place than before.
            self.forget_packet(state, slot);
        }
        Ok(())
    }

    /// No pointer into the packet may be used any more.
    pub(super) fn forget_packet(&self, state: &mut State, slot: u32) {
        let stale = self.cx.stale(slot);
        state.for_each_reg(|reg| {
            if let Reg::Pointer(pointer) = reg
                && (pointer.in_packet
                    || matches!(
                        pointer.kind,
                        PtrKind::Packet(_) | PtrKind::PacketMeta(_) | PtrKind::PacketEnd
                    ))
            {
                *reg = stale;
            }
        });
    }

    fn check_allowed(&self, state: &State, helper: &'static Helper) -> Check {
        if !helper.programs.contains(self.cx.prog_type) {
            let program = self.cx.prog_type.info().name;
            return Err(Cause::HelperNotAllowed { helper: helper.name, program });
        }
        let iterates = self.cx.section.section.attach == Some(AttachType::TraceIter);
        let of_socket = matches!(helper.name, "setsockopt" | "getsockopt");
        if self.cx.prog_type == ProgType::Tracing
            && of_socket
            && !(iterates && matches!(self.cx.section.target, Some("tcp" | "unix")))
        {
            let program = self.cx.prog_type.info().name;
            return Err(Cause::HelperNotAllowed { helper: helper.name, program });
        }
        if helper.name == "tail_call" && state.role == Role::Handler {
            return Err(Cause::HelperNotAllowed { helper: helper.name, program: IN_HANDLER });
        }
        if !hook::may_call(&self.cx, helper.name) {
            return Err(Cause::HelperNotAllowed { helper: helper.name, program: OTHER_HOOK });
        }
        if helper.since > self.cx.target.kernel {
            let since = alloc::format!("{}", helper.since);
            return Err(Cause::HelperTooNew { helper: helper.name, since });
        }
        if helper.gpl_only && !is_gpl(&self.cx.image.license) {
            return Err(Cause::HelperGpl { helper: helper.name, license: self.cx.image.license.clone() });
        }
        Ok(())
    }

    /// Who may change a map of sockets?
    fn check_sockmap(&self, helper: &'static Helper, call: &Call) -> Check {
        let Some(map) = call.map.filter(|&map| self.map_type(map).is_some_and(is_sockmap)) else {
            return Ok(());
        };
        let allowed = match self.cx.prog_type {
            ProgType::SocketFilter
            | ProgType::SchedCls
            | ProgType::SchedAct
            | ProgType::Xdp
            | ProgType::SkReuseport
            | ProgType::FlowDissector
            | ProgType::SkLookup => true,
            ProgType::Tracing => self.cx.section.section.attach == Some(AttachType::TraceIter),
            ProgType::SockOps => helper.name == "map_delete_elem",
            _ => false,
        };
        match allowed || !matches!(helper.name, "map_update_elem" | "map_delete_elem") {
            true => Ok(()),
            false => {
                let log = "cannot update sockmap in this context".into();
                Err(Cause::MapKind { helper: helper.name, map, log })
            }
        }
    }

    fn map_type(&self, map: u32) -> Option<MapType> {
        Some(self.cx.map(map)?.ty)
    }

    #[allow(clippy::too_many_arguments)]
    fn check_argument(
        &mut self,
        state: &mut State,
        slot: u32,
        helper: &'static Helper,
        args: &[Arg],
        index: usize,
        arg: Arg,
        call: &mut Call,
    ) -> Check {
        let number = index as u8 + 1;
        let reg = state.frame().regs[usize::from(number)];
        let callee = Callee::of(helper);
        let wrong = |wanted: &'static str| callee.wrong(number, wanted, &reg);
        if reg == Reg::Uninit {
            return Err(Cause::Uninit { reg: number });
        }
        if !matches!(arg, Arg::Any | Arg::Scalar) {
            self.need(state, reg_of(number));
        }
        match arg {
            Arg::Any => match reg {
                Reg::Pointer(_) if !self.cx.privileged => Err(Cause::PointerLeak { reg: number }),
                _ => Ok(()),
            },
            Arg::Scalar => reg.as_scalar().map(|_| ()).ok_or_else(|| wrong("a number")),
            Arg::Ctx | Arg::CtxOrNull => match reg {
                Reg::Pointer(p) if p.kind == PtrKind::Ctx && p.off == 0 && p.is_fixed() => Ok(()),
                _ if arg == Arg::CtxOrNull && reg.value() == Some(0) => Ok(()),
                _ => Err(wrong("the program's context, unmodified")),
            },
            Arg::Map => match reg {
                Reg::Pointer(Pointer { kind: PtrKind::Map(map), nullable: false, .. }) => {
                    Self::check_same_map(&callee, number, &reg, call)?;
                    call.map = Some(map);
                    Ok(())
                }
                _ => Err(wrong("a map")),
            },
            Arg::MapKey | Arg::MapValue | Arg::MapValueUninit | Arg::MapValueOrNull => {
                if arg == Arg::MapValueOrNull && reg.value() == Some(0) {
                    return Ok(());
                }
                let def = call.map.and_then(|map| self.cx.map(map));
                if arg != Arg::MapKey && def.is_some_and(|def| is_sockmap(def.ty)) {
                    return match self.check_socket(&reg, true) {
                        true => Ok(()),
                        false => Err(wrong("a socket that is not null")),
                    };
                }
                let size =
                    def.map_or(0, |def| if arg == Arg::MapKey { def.key_size } else { def.value_size });
                let access = match arg {
                    Arg::MapValueUninit => MemAccess::Uninit,
                    _ => MemAccess::Read,
                };
                self.check_memory(state, &callee, number, size, access, call)?;
                if arg == Arg::MapKey && helper.name == "map_lookup_elem" && self.may_have_every_key(call.map)
                {
                    call.key = self.constant_key(state, &reg, size);
                }
                Ok(())
            }
            Arg::Fixed(access, size) => {
                self.check_memory(state, &callee, number, size, access, call)?;
                self.check_result_alignment(&reg, number, access, size)
            }
            // Checked with the size that follows.
            Arg::Mem(_) | Arg::MemOrNull(_) => match reg {
                Reg::Scalar(num) if matches!(arg, Arg::MemOrNull(_)) && num.value.value() == Some(0) => {
                    Ok(())
                }
                Reg::Pointer(_) => Ok(()),
                _ => Err(wrong("a pointer to memory")),
            },
            Arg::Size | Arg::SizeOrZero => {
                let access = match args.get(index.wrapping_sub(1)) {
                    Some(&Arg::Mem(access)) => Some((access, false)),
                    Some(&Arg::MemOrNull(access)) => Some((access, true)),
                    _ => None,
                };
                self.check_size(state, &callee, number, access, arg == Arg::SizeOrZero, call)
            }
            Arg::AllocSize => match reg.value().and_then(|value| u32::try_from(value).ok()) {
                Some(size) => {
                    call.alloc = Some(size);
                    Ok(())
                }
                None => Err(wrong("a constant")),
            },
            Arg::RingbufMem => {
                call.release = Some(
                    reserved_record(&reg, number)
                        .map_err(|cause| cause.unwrap_or_else(|| wrong("the record that was reserved")))?,
                );
                Ok(())
            }
            Arg::SocketOrNull | Arg::BtfSockOrNull if reg.value() == Some(0) => Ok(()),
            Arg::SockCommon | Arg::BtfSock | Arg::BtfSockOrNull | Arg::BtfSockRelease | Arg::SocketOrNull => {
                let by_type = !matches!(arg, Arg::SockCommon | Arg::SocketOrNull);
                let full = matches!(reg, Reg::Pointer(p) if p.kind == PtrKind::Socket(Sock::Full));
                if !self.check_socket(&reg, by_type) || (arg == Arg::SocketOrNull && !full) {
                    return Err(wrong("a socket that is not null"));
                }
                let reference = reg.as_pointer().map_or(0, |pointer| pointer.reference);
                if arg == Arg::BtfSockRelease {
                    if reference == 0 {
                        return Err(wrong("a socket that was acquired"));
                    }
                    call.release = Some(reference);
                }
                call.reference = reference;
                Ok(())
            }
            Arg::ConstStr => {
                self.check_string(&reg).ok_or_else(|| wrong("a constant string in read-only data"))
            }
            Arg::BtfOrNull(_) if reg.value() == Some(0) => Ok(()),
            Arg::Btf(name) | Arg::BtfOrNull(name) => match self.is_kernel_object(&reg, arg, name) {
                true => Ok(()),
                false => Err(wrong("a valid pointer to this kernel structure")),
            },
            Arg::StackOrNull => match reg {
                Reg::Pointer(Pointer { kind: PtrKind::Stack(_), .. }) => Ok(()),
                _ if reg.value() == Some(0) => Ok(()),
                _ => Err(wrong("a pointer to the stack or null")),
            },
            Arg::Callback => {
                call.callback = Some(self.callback(&reg).ok_or_else(|| wrong("a function of the program"))?);
                Ok(())
            }
            Arg::Dynptr => {
                call.dynptr = Some(self.dynptr(state, &callee, number)?);
                Ok(())
            }
            Arg::DynptrUninit => {
                call.makes = Some(number);
                Ok(())
            }
            Arg::DynptrRelease => {
                let dynptr = self.dynptr(state, &callee, number)?;
                if dynptr.reference == 0 {
                    return Err(wrong("a dynamic pointer to a reserved record"));
                }
                call.dynptr = Some(dynptr);
                Ok(())
            }
            Arg::SpinLock => {
                call.lock = Some(self.lock(state, slot, &callee, number)?);
                Ok(())
            }
            Arg::Timer => {
                call.deferred = Some(self.deferred(state, &callee, number, Field::Timer)?);
                Ok(())
            }
            Arg::KptrSlot => {
                call.kptr = Some(self.kptr_slot(state, &callee, number)?);
                Ok(())
            }
            Arg::KptrOrNull => self.kptr_given(state, &callee, number, call),
            Arg::PercpuVar => {
                call.percpu =
                    Some(self.per_cpu(&reg).ok_or_else(|| wrong("the address of memory of each processor"))?);
                Ok(())
            }
        }
    }

    /// Is it a string that ends inside a frozen map?
    fn check_string(&self, reg: &Reg) -> Option<()> {
        let pointer = reg.as_pointer().filter(|p| !p.nullable && p.is_fixed())?;
        let PtrKind::MapValue(map) = pointer.kind else { return None };
        let def = self.cx.map(map).filter(|def| def.is_frozen())?;
        let text = def.contents.get(usize::try_from(pointer.off).ok()?..)?;
        text.contains(&0).then_some(())
    }

    /// What the call leaves in r0.
    fn result(&mut self, state: &mut State, slot: u32, helper: &'static Helper, call: &Call) -> Check<Reg> {
        Ok(match helper.ret {
            Ret::Integer => Reg::Scalar(Num { value: self.integer_result(state, helper), id: 0, slot }),
            Ret::Void => Reg::Uninit,
            Ret::MapValue => Reg::pointer(PtrKind::MapValue(call.map.unwrap_or(u32::MAX)), slot),
            Ret::MapValueOrNull => self.element_or_null(state, slot, call),
            Ret::RingbufMemOrNull => {
                let kind = PtrKind::Ringbuf(call.alloc.unwrap_or(0));
                self.object_or_null(state, slot, helper, call, kind)
            }
            Ret::SocketOrNull => self.object_or_null(state, slot, helper, call, PtrKind::Socket(Sock::Full)),
            Ret::SockCommonOrNull => {
                self.object_or_null(state, slot, helper, call, PtrKind::Socket(Sock::Common))
            }
            Ret::TcpSockOrNull => self.object_or_null(state, slot, helper, call, PtrKind::Socket(Sock::Tcp)),
            Ret::Btf("task_struct") => {
                Reg::pointer(PtrKind::Btf { ty: self.cx.task_type(), trust: Trust::Trusted }, slot)
            }
            Ret::Btf(name) => Reg::pointer(self.kernel_structure(name)?, slot),
            Ret::BtfOrNull(name) => {
                let kind = self.kernel_structure(name)?;
                self.object_or_null(state, slot, helper, call, kind)
            }
            Ret::DynptrMemOrNull => match &call.dynptr {
                Some(dynptr) => self.slice_or_null(slot, dynptr, call.alloc.unwrap_or(0), true),
                None => Reg::unknown(slot),
            },
            Ret::KptrOrNull => match &call.kptr {
                Some(field) => self.kptr_taken(state, slot, field)?,
                None => Reg::unknown(slot),
            },
            Ret::PercpuVar => self.copy_of(slot, call, false),
            Ret::PercpuVarOrNull => self.copy_of(slot, call, true),
        })
    }

    /// The reference is given back: nothing that holds it may be used any more.
    pub(super) fn release(&self, state: &mut State, slot: u32, reference: u32) {
        let stale = self.cx.stale(slot);
        state.references.retain(|held| held.id != reference);
        state.for_each_reg(|reg| {
            if reg.as_pointer().is_some_and(|pointer| pointer.reference == reference && reference != 0) {
                *reg = stale;
            }
        });
    }

    /// A load from the packet by the instructions that classic programs had: r6 is the context,
    /// and the function ends, with the result 0, if the packet is too short.
    pub(super) fn load_packet(&mut self, state: &mut State, slot: u32, index: Option<R>) -> Check<Next> {
        let allowed =
            matches!(self.cx.prog_type, ProgType::SocketFilter | ProgType::SchedCls | ProgType::SchedAct);
        if !allowed {
            let what = "a load from the packet in a program of this type".into();
            return Err(Cause::Unsupported { what });
        }
        if state.frames.iter().any(|frame| frame.callback.is_some()) {
            let what = "a load from the packet in a function that a helper calls".into();
            return Err(Cause::Unsupported { what });
        }
        held::check_nothing(state, Leaving::PacketLoad)?;
        match read(state, R::R6)? {
            Reg::Pointer(p) if p.kind == PtrKind::Ctx && p.off == 0 && p.is_fixed() => {}
            Reg::Pointer(Pointer { slot: born, .. }) | Reg::Scalar(Num { slot: born, .. }) => {
                return Err(Cause::NotAPointer { reg: 6, born, value: None });
            }
            Reg::Uninit => return Err(Cause::Uninit { reg: 6 }),
        }
        if let Some(index) = index {
            read(state, index)?;
        }
        state.clobber(Reg::unknown(slot));
        self.or_leave(state, slot, Reg::constant(0, slot))
    }

    /// Bounds of a result (kernel `do_refine_retval_range`).
    fn integer_result(&self, state: &State, helper: &Helper) -> Scalar {
        let size_of = |number: usize| state.frame().regs[number].as_scalar().map(|num| num.value.r64.smax);
        match helper.name {
            "get_stack" | "get_task_stack" => Scalar::signed(-4095, size_of(3).unwrap_or(i64::MAX)),
            "probe_read_str" | "probe_read_kernel_str" | "probe_read_user_str" => {
                Scalar::signed(-4095, size_of(2).unwrap_or(i64::MAX))
            }
            "get_smp_processor_id" => Scalar::unsigned(0, u64::from(u16::MAX)),
            _ => Scalar::UNKNOWN,
        }
    }
}

fn is_sockmap(ty: MapType) -> bool {
    matches!(ty, MapType::Sockmap | MapType::Sockhash)
}

/// The reference of the ring buffer record in a register; the error is `None` when it is something
/// else.
fn reserved_record(reg: &Reg, number: u8) -> Result<u32, Option<Cause>> {
    match reg {
        Reg::Pointer(p) if matches!(p.kind, PtrKind::Ringbuf(_)) && p.nullable => {
            Err(Some(Cause::MaybeNull { access: super::mem::access(p, reg_of(number), 0, 1, false) }))
        }
        Reg::Pointer(p) if matches!(p.kind, PtrKind::Ringbuf(_)) && p.off == 0 && p.is_fixed() => {
            Ok(p.reference)
        }
        _ => Err(None),
    }
}

/// Licenses that the kernel counts as GPL-compatible (include/linux/license.h).
pub fn is_gpl(license: &str) -> bool {
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"]
        .contains(&license)
}

//! Calls of helpers: may this program call it, are the arguments what it wants, what comes back.
//!
//! Everything derives from the row in the helper table; the few helpers whose result or effect
//! depends on more than their prototype are named in [`Walk::result`] and [`moves_packet`].

use skep_stdlib::helpers::{Arg, Helper, Ret};
use skep_stdlib::isa::Reg as R;
use skep_stdlib::maps::MapType;
use skep_stdlib::programs::{AttachType, ProgType};

use super::arguments::is_sockmap;
use super::dynptr::{self, Dynptr};
use super::facts::LookUp;
use super::fields::Special;
use super::held;
use super::hook;
use super::later::{self, Deferred};
use super::lock::Lock;
use super::reg::{INNER, Num, Pointer, PtrKind, Reg, Sock, Trust};
use super::region::Callee;
use super::report::terms::log_type;
use super::report::{Caller, Cause, Leaving};
use super::scalar::Scalar;
use super::state::State;
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
    // A program that is called in the tail of a subprogram may move the packet.
    "tail_call",
];

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
    /// The timer or work among the arguments.
    pub deferred: Option<Deferred>,
    /// The argument with the flags of interrupts.
    pub interrupts: Option<u8>,
    /// The constant behind the key among the arguments.
    pub key: Option<u64>,
    /// The constant size to reserve.
    pub alloc: Option<u32>,
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

/// At most one argument may be of what must be given back: the helper's result could depend on two.
fn check_references(state: &State, helper: &'static Helper, args: &[Arg]) -> Check {
    let mut first = None;
    for (number, arg) in (1..).zip(args) {
        let reg = state.frame().regs[usize::from(number)];
        let Reg::Pointer(Pointer { reference: id @ 1.., .. }) = reg else { continue };
        if matches!(arg, Arg::Any | Arg::KptrSlot) {
            continue;
        }
        if let Some(first) = first.replace(id) {
            let log = alloc::format!("more than one arg with ref_obj_id R{number} {id} {first}");
            let wanted = "memory that need not be given back, as another argument must";
            return Err(Callee::of(helper).wrong(number, wanted, &reg).logged(log));
        }
    }
    Ok(())
}

/// What a call looks up; a map inside of another is not one that is known.
fn look_up(call: &Call) -> Option<LookUp> {
    let map = call.map.filter(|map| map & INNER == 0)?;
    Some(LookUp { map, key: call.key.and_then(|key| u32::try_from(key).ok()) })
}

impl Walk<'_> {
    pub(super) fn call_helper(&mut self, state: &mut State, slot: u32, id: i32) -> Check<Next> {
        if id == CORE_POISON {
            return Err(Cause::CorePoison {});
        }
        let helper = u32::try_from(id).ok().and_then(Helper::from_id).ok_or(Cause::UnknownHelper { id })?;
        self.check_allowed(helper)?;
        let callee = Callee::of(helper);
        self.check_unlocked(state, &callee)?;
        if helper.sleeps && !state.may_sleep() {
            return Err(Cause::Sleeps { callee: alloc::format!("bpf_{}", helper.name) });
        }
        let args = helper.args_in(self.cx.prog_type);
        let mut call = Call::default();
        for (index, &arg) in args.iter().enumerate() {
            self.check_argument(state, slot, helper, args, index, arg, &mut call)?;
        }
        check_references(state, helper, args)?;
        if helper.name == "map_lookup_elem" {
            self.look_ups.add(slot, look_up(&call));
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
            self.note_store(state, slot, (depth, start, end), false);
        }
        self.fill(state, &call);
        if let Some(reference) = call.release {
            self.release(state, slot, reference);
        }
        self.use_dynptrs(state, slot, helper, &call)?;
        self.use_lock(state, slot, &callee, &call)?;
        if helper.name == "tail_call" {
            held::check_nothing(state, Leaving::TailCall)?;
            self.note_program(state, &call);
            self.note_tail_call(slot, call.map, state.guessed);
        }
        if moves_packet(helper) {
            self.forget_packet(state, slot);
        }
        if let Some(start) = call.callback {
            if let Some(setter) = later::setter(helper.name) {
                self.call_later(state, setter, start, &call)?;
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

    /// A tail call of a program whose number is known becomes a jump to it: the number matters
    /// (kernel `record_func_key`).
    fn note_program(&mut self, state: &State, call: &Call) {
        let count = call.map.and_then(|map| self.cx.map(map)).map_or(0, |def| def.max_entries);
        let index = state.frame().regs[3].as_scalar().and_then(|num| num.value.value());
        if index.is_some_and(|index| index < u64::from(count)) {
            self.need(state, R::R3);
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

    fn check_allowed(&self, helper: &'static Helper) -> Check {
        let kernel = self.cx.target.kernel;
        if !helper.programs_on(kernel).contains(self.cx.prog_type) {
            let by = Caller::Type(self.cx.prog_type.info().name);
            return Err(Cause::HelperNotAllowed { helper: helper.name, by });
        }
        let iterates = self.cx.section.section.attach == Some(AttachType::TraceIter);
        let of_socket = matches!(helper.name, "setsockopt" | "getsockopt");
        if self.cx.prog_type == ProgType::Tracing
            && of_socket
            && !(iterates && matches!(self.cx.section.target, Some("tcp" | "unix")))
        {
            let by = Caller::Type(self.cx.prog_type.info().name);
            return Err(Cause::HelperNotAllowed { helper: helper.name, by });
        }
        let attach = self.cx.section.section.attach;
        if !helper.is_at(self.cx.prog_type, attach, kernel) {
            return Err(Cause::HelperNotAllowed { helper: helper.name, by: Caller::Kind });
        }
        if !hook::may_call(&self.cx, helper.name) {
            return Err(Cause::HelperNotAllowed { helper: helper.name, by: Caller::Hook });
        }
        self.cx.check_user_of(helper)?;
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

    /// What the call leaves in r0.
    fn result(&mut self, state: &mut State, slot: u32, helper: &'static Helper, call: &Call) -> Check<Reg> {
        Ok(match helper.ret {
            Ret::Integer => Reg::scalar(self.integer_result(state, helper), slot),
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
            Ret::Btf(name) => Reg::pointer(self.kernel_structure(name, Trust::Plain)?, slot),
            Ret::BtfOrNull(name) => {
                let kind = self.kernel_structure(name, Trust::Plain)?;
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
            return Err(Cause::PacketLoad {
                why: "a program of this type cannot load from the packet by this instruction",
                log: "BPF_LD_[ABS|IND] instructions not allowed for this program type",
            });
        }
        if state.frames.iter().any(|frame| frame.callback.is_some()) {
            return Err(Cause::PacketLoad {
                why: "a function that a helper calls cannot load from the packet by this instruction",
                log: "cannot use BPF_LD_[ABS|IND] within callback",
            });
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

/// Licenses that the kernel counts as GPL-compatible (include/linux/license.h).
pub fn is_gpl(license: &str) -> bool {
    ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"]
        .contains(&license)
}

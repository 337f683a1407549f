//! Arguments of traced functions, hooks, tracepoints and iterators, by the target's types: which are
//! pointers to kernel structures, and whether those are sure to be there (kernel `btf_ctx_access`).

use alloc::format;
use alloc::string::String;

use skep_stdlib::btf::{self, Btf, Kind, TypeId};
use skep_stdlib::programs::{AttachType, ProgType};
use skep_stdlib::tracing::{self, IterArg};

use super::Context;
use super::members::{self, Tag};
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::report::{Access, Cause};
use super::scalar::Scalar;
use super::walk::{Check, Walk};
use crate::object::Member;

/// Arguments a traced function may have, 8 bytes each.
pub const RAW_ARGS_SIZE: i64 = 12 * 8;
/// What the kernel adds to the target's name, by the attach type.
const PREFIXES: &[(AttachType, &str)] = &[
    (AttachType::TraceIter, "bpf_iter_"),
    (AttachType::LsmMac, "bpf_lsm_"),
    (AttachType::LsmCgroup, "bpf_lsm_"),
];
/// Bytes of a buffer whose size is known when the program is attached.
pub const BUFFER: u32 = 1 << 29;

/// The function in whose place a program is called.
struct Target<'a> {
    btf: &'a Btf,
    proto: btf::Type<'a>,
    /// Parameters that the program does not see.
    hidden: usize,
    /// The kernel's stand-in for the function, whose parameters' names say more.
    stub: Option<btf::Type<'a>>,
}

impl<'a> Target<'a> {
    /// A parameter as the stand-in declares it.
    fn declared(&self, index: usize) -> Option<btf::Param<'a>> {
        match &self.stub {
            Some(btf::Type::FuncProto { params, .. }) => params.get(index).copied(),
            _ => None,
        }
    }
}

/// The function that a member of an interface points to.
fn interface_member<'a>(btf: &'a Btf, member: &Member) -> Option<Target<'a>> {
    let structure = btf::essential_name(&member.structure);
    let ty = btf.find(structure, Kind::Struct)?;
    let found = btf.members(ty).find(|row| row.name == member.name)?;
    let proto = btf.target(btf.resolve(found.ty)?)?;
    let stub = btf.find(&format!("{structure}__{}", member.name), Kind::Func);
    let stub = stub.and_then(|stub| btf.ty(btf.target(stub)?));
    Some(Target { btf, proto: btf.ty(btf.resolve(proto)?)?, hidden: 0, stub })
}

impl<'a> Context<'a> {
    /// What the kernel calls the function in whose place a program is called.
    fn target_name(&self) -> String {
        if let Some(member) = &self.program.implements {
            return member.name.clone();
        }
        let attach = self.section.section.attach;
        let prefix = PREFIXES.iter().find(|row| attach == Some(row.0)).map_or("", |row| row.1);
        format!("{prefix}{}", self.section.target.unwrap_or_default())
    }

    /// What a program that is called like a function is called as.
    fn target_function(&self) -> Option<Target<'a>> {
        let btf = self.btf?;
        if let Some(member) = &self.program.implements {
            return interface_member(btf, member);
        }
        let target = self.section.target?;
        let attach = self.section.section.attach;
        if attach == Some(AttachType::TraceRawTp) {
            // A tracepoint's probe is a pointer to a function whose first parameter is its own data.
            let ty = btf.find(&format!("btf_trace_{target}"), Kind::Typedef)?;
            let proto = btf.target(btf.resolve(ty)?)?;
            return Some(Target { btf, proto: btf.ty(proto)?, hidden: 1, stub: None });
        }
        let func = btf.find(&self.target_name(), Kind::Func)?;
        Some(Target { btf, proto: btf.ty(btf.target(func)?)?, hidden: 0, stub: None })
    }

    /// Is the program called as a function whose result is nothing?
    pub(super) fn returns_nothing(&self) -> bool {
        if !matches!(self.prog_type, ProgType::StructOps | ProgType::Lsm) {
            return false;
        }
        let target = self.target_function().filter(|_| {
            // What hooks of control groups return is the verdict in any case.
            self.section.section.attach != Some(AttachType::LsmCgroup)
        });
        target.is_some_and(|target| matches!(target.proto, btf::Type::FuncProto { ret: TypeId::VOID, .. }))
    }

    /// Does the program also see what the function returned?
    fn sees_return_value(&self) -> bool {
        let attach = self.section.section.attach;
        matches!(
            attach,
            Some(
                AttachType::TraceFexit
                    | AttachType::ModifyReturn
                    | AttachType::LsmMac
                    | AttachType::LsmCgroup
            )
        )
    }

    /// What a hook may have returned before: the return value that the program sees is one that it
    /// may return itself.
    fn earlier_result(&self) -> Option<(i32, i32)> {
        let attach = self.section.section.attach;
        let range = || self.prog_type.return_range(attach);
        (attach == Some(AttachType::LsmMac)).then(range).flatten()
    }

    /// Programs that control congestion see every socket as one of TCP.
    fn promoted(&self, btf: &Btf, pointee: TypeId) -> TypeId {
        let member = self.program.implements.as_ref();
        match member.is_some_and(|member| btf::essential_name(&member.structure) == "tcp_congestion_ops")
            && btf.name(pointee) == "sock"
        {
            true => btf.find("tcp_sock", Kind::Struct).unwrap_or(pointee),
            false => pointee,
        }
    }

    /// Are the target's arguments sure to be there?
    fn trusts_arguments(&self) -> bool {
        match self.prog_type {
            ProgType::Tracing => {
                let attach = self.section.section.attach;
                matches!(attach, Some(AttachType::TraceRawTp | AttachType::TraceIter))
            }
            ProgType::Lsm => {
                let target = self.section.target.unwrap_or_default();
                !tracing::UNTRUSTED_HOOKS.contains(&target)
            }
            ProgType::StructOps => true,
            _ => false,
        }
    }
}

impl Walk<'_> {
    /// An argument of the traced function.
    pub(super) fn load_argument(&mut self, slot: u32, access: &Access, refused: Cause) -> Check<Reg> {
        let size = i64::from(access.size);
        if access.min % 8 != 0 || access.min % size != 0 || access.end() > RAW_ARGS_SIZE {
            return Err(refused);
        }
        let Some(target) = self.cx.target_function() else {
            // Without the target's types an argument is a number: that is less than the kernel knows.
            return Ok(Reg::scalar(Scalar::of_bytes(access.size), slot));
        };
        let (btf, index) = (target.btf, (access.min / 8) as usize);
        let btf::Type::FuncProto { ret, params } = &target.proto else { return Err(refused) };
        let count = params.len().saturating_sub(target.hidden);
        let (ty, name) = match params.get(index + target.hidden) {
            Some(param) => (param.ty, target.declared(index).map_or(param.name, |stub| stub.name)),
            None if index == count && self.cx.sees_return_value() => (*ret, ""),
            None => return Err(refused),
        };
        let number = match self.cx.earlier_result().filter(|_| index == count) {
            Some((min, max)) => Scalar::signed(min.into(), max.into()),
            None => Scalar::of_bytes(access.size),
        };
        let number = Reg::scalar(number, slot);
        let ty = btf.resolve(ty).ok_or(refused.clone())?;
        let pointed = match btf.ty(ty) {
            Some(btf::Type::Ptr(pointed)) if access.size == 8 => pointed,
            Some(btf::Type::Ptr(_)) => return Err(refused),
            _ => return Ok(number),
        };
        if let Some(reg) = self.iterator_argument(btf, slot, index, pointed) {
            return Ok(reg);
        }
        let pointee = btf.resolve(pointed).ok_or(refused.clone())?;
        if !members::is_composite(btf, pointee) {
            // Pointers to numbers and to nothing known are numbers; others are no arguments.
            let opaque = matches!(btf.kind(pointee), Some(Kind::Int | Kind::Void));
            return if opaque { Ok(number) } else { Err(refused) };
        }
        let (null, error) = match self.cx.section.section.attach {
            Some(AttachType::TraceRawTp) => {
                tracing::null_or_error(self.cx.section.target.unwrap_or_default(), index)
            }
            _ => (false, false),
        };
        if error {
            return Ok(number);
        }
        let pointee = self.cx.promoted(btf, pointee);
        self.log_line(|walk| {
            let kind = if btf.kind(pointee) == Some(Kind::Union) { "UNION" } else { "STRUCT" };
            let (function, name) = (walk.cx.target_name(), btf.name(pointee));
            format!("func '{function}' arg{index} has btf_id {} type {kind} '{name}'", pointee.0)
        });
        let trust = if self.cx.trusts_arguments() { Trust::Trusted } else { Trust::Plain };
        let kind = match members::tag_of(btf, pointed) {
            Tag::User => PtrKind::Remote { ty: pointee.0, percpu: false },
            Tag::PerCpu => PtrKind::Remote { ty: pointee.0, percpu: true },
            Tag::None | Tag::Rcu => PtrKind::Btf { ty: pointee.0, trust },
        };
        Ok(self.argument(slot, kind, null || name.ends_with("__nullable")))
    }

    /// An argument of an iterator that is not what its type says.
    fn iterator_argument(&mut self, btf: &Btf, slot: u32, index: usize, target: TypeId) -> Option<Reg> {
        let attach = self.cx.section.section.attach;
        let iterator = self.cx.section.target.filter(|_| attach == Some(AttachType::TraceIter))?;
        let kind = match tracing::iter_argument(iterator, index)? {
            IterArg::Trusted => PtrKind::Btf { ty: btf.resolve(target)?.0, trust: Trust::Trusted },
            IterArg::Plain => PtrKind::Btf { ty: btf.resolve(target)?.0, trust: Trust::Plain },
            IterArg::Buffer(writable) => PtrKind::Mem { size: BUFFER, writable },
        };
        Some(self.argument(slot, kind, true))
    }

    fn argument(&mut self, slot: u32, kind: PtrKind, nullable: bool) -> Reg {
        if !nullable {
            return Reg::pointer(kind, slot);
        }
        match Reg::or_null(kind, self.fresh_id(), 0, slot) {
            Reg::Pointer(p) => Reg::Pointer(Pointer { nullable, ..p }),
            other => other,
        }
    }
}

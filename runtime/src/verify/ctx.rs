//! The program's context: what it may read and write there, and what a load yields.

use skep_stdlib::btf::{self, Btf, TypeId};
use skep_stdlib::contexts::{self, Yield};
use skep_stdlib::programs::{Context as CtxKind, ProgType};

use super::reg::{Pointer, PtrKind, Reg, Sock, Trust};
use super::report::{Access, Cause};
use super::scalar::Scalar;
use super::walk::{Check, Walk};

/// Bytes of `struct pt_regs` on x86-64.
const PT_REGS_SIZE: i64 = 168;
/// The most bytes that a tracepoint record or raw arguments may have.
const RECORD_SIZE: i64 = 8192;
/// Arguments a traced function may have, 8 bytes each.
const RAW_ARGS_SIZE: i64 = 12 * 8;

impl Walk<'_> {
    pub(super) fn load_context(&mut self, slot: u32, pointer: &Pointer, access: &Access) -> Check<Reg> {
        let access = *access;
        let context = self.cx.context_name();
        let refused = Cause::CtxAccess { access, context };
        if pointer.off != 0 || !pointer.is_fixed() {
            return Err(Cause::MovedContext { access });
        }
        if access.min < 0 {
            return Err(refused);
        }
        let limit = match self.cx.prog_type.info().context {
            CtxKind::Fields(name) => return self.load_field(slot, name, &access, refused),
            CtxKind::Registers => PT_REGS_SIZE,
            // The first bytes are the kernel's own.
            CtxKind::Record if access.min < 8 => return Err(refused),
            CtxKind::Record => RECORD_SIZE,
            CtxKind::RawArguments => RAW_ARGS_SIZE,
            CtxKind::TypedArguments => return self.load_argument(slot, &access, refused),
            CtxKind::Opaque | CtxKind::Replaced => u16::MAX.into(),
        };
        match access.end() <= limit && access.min % i64::from(access.size) == 0 {
            true => Ok(Reg::scalar(Scalar::of_bytes(access.size), slot)),
            false => Err(refused),
        }
    }

    pub(super) fn store_context(&mut self, pointer: &Pointer, access: &Access) -> Check {
        let access = *access;
        let refused = Cause::CtxAccess { access, context: self.cx.context_name() };
        if pointer.off != 0 || !pointer.is_fixed() {
            return Err(Cause::MovedContext { access });
        }
        if access.min < 0 {
            return Err(refused);
        }
        match self.cx.prog_type.info().context {
            CtxKind::Fields(name) => self.field(name, &access, refused).map(|_| ()),
            CtxKind::Opaque if self.cx.prog_type == ProgType::Syscall => Ok(()),
            CtxKind::Registers
            | CtxKind::Record
            | CtxKind::RawArguments
            | CtxKind::TypedArguments
            | CtxKind::Opaque
            | CtxKind::Replaced => Err(refused),
        }
    }

    /// What an access of a context with fields gives, if it is allowed.
    fn field(&self, name: &str, access: &Access, refused: Cause) -> Check<Yield> {
        let program = Some((self.cx.prog_type, self.cx.section.section.attach));
        let Ok(offset) = u32::try_from(access.min) else { return Err(refused) };
        contexts::access(name, program, offset, access.size, access.write).ok_or(refused)
    }

    fn load_field(&mut self, slot: u32, name: &str, access: &Access, refused: Cause) -> Check<Reg> {
        Ok(match self.field(name, access, refused)? {
            Yield::Scalar => Reg::scalar(Scalar::of_bytes(access.size), slot),
            Yield::Packet => Reg::pointer(PtrKind::Packet(0), slot),
            Yield::PacketMeta => Reg::pointer(PtrKind::PacketMeta(0), slot),
            Yield::PacketEnd => Reg::pointer(PtrKind::PacketEnd, slot),
            Yield::Socket => Reg::pointer(PtrKind::Socket(Sock::Full), slot),
            Yield::SocketOrNull => Reg::or_null(PtrKind::Socket(Sock::Full), self.fresh_id(), 0, slot),
            Yield::SockCommonOrNull => Reg::or_null(PtrKind::Socket(Sock::Common), self.fresh_id(), 0, slot),
            Yield::FlowKeys => Reg::pointer(PtrKind::FlowKeys, slot),
            Yield::Btf(name) => Reg::pointer(self.kernel_structure(name)?, slot),
        })
    }

    /// An argument of the traced function, typed by the target's BTF when that is known.
    fn load_argument(&mut self, slot: u32, access: &Access, refused: Cause) -> Check<Reg> {
        if access.size != 8 || access.min % 8 != 0 {
            return Err(refused);
        }
        let Some((btf, proto)) = self.cx.target_function() else {
            // Without the target's types an argument is a number: that is less than the kernel knows.
            return match access.end() <= RAW_ARGS_SIZE {
                true => Ok(Reg::unknown(slot)),
                false => Err(refused),
            };
        };
        let index = (access.min / 8) as usize;
        let btf::Type::FuncProto { ret, params } = proto else { return Err(refused) };
        let ty = match params.get(index) {
            Some(param) => param.ty,
            None if index == params.len() && self.cx.sees_return_value() => ret,
            None => return Err(refused),
        };
        Ok(match struct_behind(btf, ty) {
            Some(ty) => Reg::pointer(PtrKind::Btf { ty: ty.0, trust: Trust::Trusted }, slot),
            None => Reg::unknown(slot),
        })
    }

    /// A load from a kernel structure: it cannot fault, but must stay inside.
    pub(super) fn load_btf(
        &mut self,
        slot: u32,
        pointer: &Pointer,
        ty: u32,
        trust: Trust,
        access: &Access,
    ) -> Check<Reg> {
        let access = *access;
        if pointer.nullable {
            return Err(Cause::MaybeNull { access });
        }
        let Some(btf) = self.cx.btf else {
            return Err(Cause::Unsupported { what: "a kernel structure without the kernel's BTF".into() });
        };
        let size = btf.size_of(TypeId(ty)).unwrap_or(0) as u32;
        if access.min != access.max || access.min < 0 || access.end() > i64::from(size) {
            return Err(Cause::BtfBounds { access, size });
        }
        let walked = match trust {
            Trust::Untrusted => Trust::Untrusted,
            Trust::Trusted | Trust::Rcu | Trust::Plain => Trust::Plain,
        };
        let member = (access.size == 8).then(|| member_at(btf, TypeId(ty), access.min as u32)).flatten();
        Ok(match member.and_then(|member| struct_behind(btf, member)) {
            Some(ty) => Reg::pointer(PtrKind::Btf { ty: ty.0, trust: walked }, slot),
            None => Reg::scalar(Scalar::of_bytes(access.size), slot),
        })
    }
}

/// The structure that a pointer type points to, through typedefs and qualifiers.
fn struct_behind(btf: &Btf, ty: TypeId) -> Option<TypeId> {
    let btf::Type::Ptr(target) = btf.ty(btf.resolve(ty)?)? else { return None };
    let target = btf.resolve(target)?;
    matches!(btf.ty(target)?, btf::Type::Struct(_) | btf::Type::Union(_)).then_some(target)
}

/// The type of the pointer-sized member at this byte of a structure, looking into nested ones.
fn member_at(btf: &Btf, mut ty: TypeId, mut offset: u32) -> Option<TypeId> {
    // Deeper nesting than this is a cycle in broken input.
    for _ in 0..32 {
        let (btf::Type::Struct(composite) | btf::Type::Union(composite)) = btf.ty(btf.resolve(ty)?)? else {
            return (offset == 0).then_some(ty);
        };
        let inside = composite.members.iter().find(|member| {
            let size = btf.size_of(member.ty).unwrap_or(0) as u32;
            member.bit_size.is_none()
                && member.byte_offset().is_some_and(|start| start <= offset && offset - start < size)
        })?;
        offset -= inside.byte_offset()?;
        ty = inside.ty;
    }
    None
}

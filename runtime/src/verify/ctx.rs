//! The program's context: what it may read and write there, and what a load yields.

use skep_stdlib::capabilities::Capability;
use skep_stdlib::contexts::{self, Yield};
use skep_stdlib::programs::{Context as CtxKind, ProgType};

use super::args::RAW_ARGS_SIZE;
use super::reg::{Pointer, PtrKind, Reg, Sock, Trust};
use super::report::terms;
use super::report::{Access, Cause};
use super::scalar::Scalar;
use super::walk::{Check, Walk};

/// Bytes of `struct pt_regs` on x86-64.
const PT_REGS_SIZE: i64 = 168;
/// The most bytes that a tracepoint record or raw arguments may have.
const RECORD_SIZE: i64 = 8192;
/// Where `tstamp` is in `struct __sk_buff`.
const TSTAMP: i64 = 152;

impl Walk<'_> {
    pub(super) fn load_context(&mut self, slot: u32, pointer: &Pointer, access: &Access) -> Check<Reg> {
        let access = *access;
        let context = self.cx.context_name();
        let refused = Cause::CtxAccess { access, context };
        if pointer.off != 0 || !pointer.is_fixed() {
            return Err(moved_context(pointer, access));
        }
        if access.min < 0 || access.min % i64::from(access.size) != 0 {
            return Err(refused);
        }
        let bytes = match self.cx.prog_type.info().context {
            CtxKind::Fields(name) => return self.load_field(slot, name, &access, refused),
            CtxKind::Registers => 0..PT_REGS_SIZE,
            // The first bytes are the kernel's own.
            CtxKind::Record => 8..RECORD_SIZE,
            CtxKind::RawArguments => 0..RAW_ARGS_SIZE,
            CtxKind::TypedArguments => return self.load_argument(slot, &access, refused),
            CtxKind::Opaque | CtxKind::Replaced => 0..u16::MAX.into(),
        };
        match bytes.start <= access.min && access.end() <= bytes.end {
            true => Ok(Reg::scalar(Scalar::of_bytes(access.size), slot)),
            false => Err(refused),
        }
    }

    pub(super) fn store_context(&mut self, pointer: &Pointer, access: &Access) -> Check {
        let access = *access;
        let refused = Cause::CtxAccess { access, context: self.cx.context_name() };
        if pointer.off != 0 || !pointer.is_fixed() {
            return Err(moved_context(pointer, access));
        }
        if access.min < 0 || access.min % i64::from(access.size) != 0 {
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
        let found = contexts::access(name, program, offset, access.size, access.write);
        let found = found.ok_or_else(|| refused.clone())?;
        let packet =
            matches!(found, Yield::Packet | Yield::PacketEnd) || (access.write && access.min == TSTAMP);
        match self.cx.prog_type == ProgType::CgroupSkb && packet && !self.cx.may(Capability::Bpf) {
            true => Err(refused),
            false => Ok(found),
        }
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
            Yield::Btf(name) => Reg::pointer(self.kernel_structure(name, Trust::Trusted)?, slot),
        })
    }
}

fn moved_context(pointer: &Pointer, access: Access) -> Cause {
    let log = terms::moved(pointer, access.reg, false).unwrap_or_default();
    Cause::MovedContext { access, log }
}

//! Pointers followed from kernel structures: whether what a member points to is sure to be there
//! (kernel `check_ptr_to_btf_access`).
//!
//! Most of what is reached through a valid structure may be gone a moment later. Of some members the
//! kernel knows better: its BTF names them in structures like `task_struct__safe_rcu`.

use alloc::format;
use alloc::string::String;

use skep_stdlib::btf::{Btf, Kind, TypeId};
use skep_stdlib::features::Feature;

use super::call::is_gpl;
use super::members::{self, Found, Tag};
use super::reg::{Pointer, PtrKind, Reg, Trust};
use super::report::{Access, Cause, terms};
use super::scalar::Scalar;
use super::state::State;
use super::walk::{Check, Walk};

/// What is known of a pointer that was followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Followed {
    trust: Trust,
    nullable: bool,
}

impl Walk<'_> {
    /// Kernel structures are for GPL-compatible programs.
    pub(super) fn check_license(&self) -> Check {
        match is_gpl(&self.cx.image.license) {
            true => Ok(()),
            false => Err(Cause::StructureGpl { license: self.cx.image.license.clone() }),
        }
    }

    /// A load from a kernel structure by a program that may look into those.
    pub(super) fn load_structure(
        &mut self,
        state: &State,
        slot: u32,
        pointer: &Pointer,
        access: &Access,
    ) -> Check<Reg> {
        let PtrKind::Btf { ty, trust } = pointer.kind else {
            return Err(Cause::Opaque { access: *access, log: String::new() });
        };
        self.check_license()?;
        self.cx.check_looks_inside(|| self.cx.btf.map_or("", |btf| btf.name(TypeId(ty))))?;
        self.load_btf(state, slot, pointer, (ty, trust), access)
    }

    /// A load from a kernel structure: it cannot fault, but must stay inside.
    pub(super) fn load_btf(
        &mut self,
        state: &State,
        slot: u32,
        pointer: &Pointer,
        (ty, trust): (u32, Trust),
        access: &Access,
    ) -> Check<Reg> {
        let access = *access;
        if pointer.nullable {
            return Err(Cause::MaybeNull { access });
        }
        let Some(btf) = self.cx.btf else {
            return Err(Cause::Unsupported { what: "a kernel structure without the kernel's BTF".into() });
        };
        let ty = TypeId(ty);
        let size = btf.size_of(ty).unwrap_or(0) as u32;
        let outside = || Cause::BtfBounds { access, size, log: beyond(btf, ty, pointer, &access) };
        if access.min != access.max || access.min < 0 || access.min > i64::from(u32::MAX) {
            return Err(outside());
        }
        match members::at(btf, ty, access.min as u32, access.size) {
            None => Err(outside()),
            Some(Found::Leaf) if self.cx.target.has(Feature::ProbedMemory) => {
                Ok(Reg::pointer(PtrKind::Probed, slot))
            }
            Some(Found::Number | Found::Leaf) => Ok(Reg::scalar(Scalar::of_bytes(access.size), slot)),
            Some(Found::Pointer { target, name, tag, in_union }) => {
                let followed = follow(btf, state, ty, trust, target, name, tag, in_union);
                let kind = match (tag, followed.trust) {
                    (Tag::User, Trust::Trusted | Trust::Rcu | Trust::Plain) => {
                        PtrKind::Remote { ty: target.0, percpu: false }
                    }
                    (Tag::PerCpu, Trust::Trusted | Trust::Rcu | Trust::Plain) => {
                        PtrKind::Remote { ty: target.0, percpu: true }
                    }
                    (_, trust) => PtrKind::Btf { ty: target.0, trust },
                };
                let id = if followed.nullable { self.fresh_id() } else { 0 };
                Ok(match Reg::or_null(kind, id, 0, slot) {
                    Reg::Pointer(p) => Reg::Pointer(Pointer { nullable: followed.nullable, ..p }),
                    other => other,
                })
            }
        }
    }
}

/// The kernel's words for an access that is not one to a member.
fn beyond(btf: &Btf, ty: TypeId, pointer: &Pointer, access: &Access) -> String {
    let (structure, reg) = (btf.name(ty), access.reg);
    if access.min != access.max {
        let (off, var) = (access.fixed, terms::tnum(&pointer.var));
        return format!("R{reg} is ptr_{structure} invalid variable offset: off={off}, var_off={var}");
    }
    if access.min < 0 {
        let kind = if let PtrKind::Map(_) = pointer.kind { "" } else { "ptr_" };
        return format!("R{reg} is {kind}{structure} invalid negative access: off={}", access.min);
    }
    let inside = btf.members(ty).find_map(|member| {
        let start = i64::from(member.byte_offset()?);
        let end = start + i64::try_from(btf.size_of(member.ty)?).ok()?;
        (start <= access.min && access.min < end).then_some((member, start, end))
    });
    match inside {
        Some((member, start, _)) if btf.resolve(member.ty).and_then(|ty| btf.kind(ty)) == Some(Kind::Ptr) => {
            format!(
                "cannot access ptr member {} with moff {start} in struct {structure} with off {} size {}",
                member.name, access.min, access.size
            )
        }
        Some((member, _, end)) => format!(
            "access beyond the end of member {} (mend:{end}) in struct {structure} with off {} size {}",
            member.name, access.min, access.size
        ),
        None => format!("access beyond struct {structure} at off {} size {}", access.min, access.size),
    }
}

/// What is known of the pointer in member `name` of a structure of type `ty`.
#[allow(clippy::too_many_arguments)]
fn follow(
    btf: &Btf,
    state: &State,
    ty: TypeId,
    trust: Trust,
    target: TypeId,
    name: &str,
    tag: Tag,
    in_union: bool,
) -> Followed {
    let listed = |list: &str| is_listed(btf, ty, target, name, list);
    let known = |trust, nullable| Followed { trust, nullable };
    // Which member of a union is in use is not known.
    let within = |trust| if in_union { Trust::Untrusted } else { trust };
    let plain = within(Trust::Plain);
    match trust {
        Trust::Untrusted => known(Trust::Untrusted, false),
        // What old programs rely on.
        Trust::Plain => known(plain, false),
        Trust::Trusted | Trust::Rcu if listed("__safe_trusted") => known(within(Trust::Trusted), false),
        Trust::Trusted | Trust::Rcu if listed("__safe_trusted_or_null") => {
            known(within(Trust::Trusted), true)
        }
        Trust::Trusted | Trust::Rcu if !state.in_rcu() => known(Trust::Untrusted, false),
        Trust::Trusted | Trust::Rcu if listed("__safe_rcu") => known(within(Trust::Rcu), false),
        Trust::Trusted | Trust::Rcu if listed("__safe_rcu_or_null") => known(Trust::Rcu, true),
        Trust::Trusted | Trust::Rcu if tag == Tag::Rcu && !in_union => known(Trust::Rcu, true),
        Trust::Trusted | Trust::Rcu => known(plain, false),
    }
}

/// Does the kernel's list of this name for the structure have the member?
fn is_listed(btf: &Btf, ty: TypeId, target: TypeId, name: &str, list: &str) -> bool {
    let (Some(kind), structure) = (btf.kind(ty), btf.name(ty)) else { return false };
    let Some(row) = btf.find(&alloc::format!("{structure}{list}"), kind) else { return false };
    btf.members(row).any(|member| {
        member.name == name
            && btf.resolve(member.ty).and_then(|ptr| btf.target(ptr)).and_then(|ty| btf.resolve(ty))
                == Some(target)
    })
}

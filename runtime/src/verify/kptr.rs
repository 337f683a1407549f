//! Pointers to objects that are kept in map values: exchanged by a helper, which hands one reference
//! over for another, and read like any field, for as long as RCU keeps the object
//! (kernel `process_kptr_func`, `check_map_kptr_access`).

use alloc::format;

use skep_stdlib::btf::{Kind, TypeId};

use super::call::Call;
use super::fields::{Field, Keeps, Special};
use super::reg::{Hold, Pointer, PtrKind, Reg, Trust};
use super::region::Callee;
use super::report::{Access, Cause, terms};
use super::state::State;
use super::walk::{Check, Walk};

/// Kernel structures that are freed only after a grace period of RCU.
const BY_RCU: &[&str] = &["cgroup", "bpf_cpumask", "task_struct", "bpf_crypto_ctx", "cpumask"];

impl Walk<'_> {
    /// The place in argument `number` of the helper that exchanges pointers.
    pub(super) fn kptr_slot(&mut self, state: &State, callee: &Callee<'_>, number: u8) -> Check<Special> {
        let reg = state.frame().regs[usize::from(number)];
        let wrong = || callee.wrong(number, "a place for a pointer to a kernel object", &reg);
        let Reg::Pointer(p) = reg else { return Err(wrong()) };
        match p.kind {
            PtrKind::MapValue(_) | PtrKind::Object { hold: Hold::Owned, percpu: false, .. } => {}
            _ => return Err(wrong()),
        }
        [Keeps::Reference, Keeps::PerCpu]
            .into_iter()
            .find_map(|keeps| self.field_at(&p, Field::Pointer(keeps)))
            .ok_or_else(wrong)
    }

    /// The pointer in argument `number` that goes there: null, or one with a reference, which it
    /// gives away.
    pub(super) fn kptr_given(
        &mut self,
        state: &State,
        callee: &Callee<'_>,
        number: u8,
        call: &mut Call,
    ) -> Check {
        let reg = state.frame().regs[usize::from(number)];
        let wrong = || callee.wrong(number, "null or an acquired object of the pointer's type", &reg);
        if reg.value() == Some(0) {
            return Ok(());
        }
        let (Some(field), Reg::Pointer(p)) = (call.kptr, reg) else { return Err(wrong()) };
        let kind = self.kept(&field, Trust::Trusted, Hold::Owned)?;
        if p.kind != kind {
            let name = |kind: PtrKind| match kind {
                PtrKind::Btf { ty, .. } => self.cx.btf.map_or("", |btf| btf.name(TypeId(ty))),
                PtrKind::Object { ty, .. } => {
                    self.cx.image.btf.as_deref().map_or("", |btf| btf.name(TypeId(ty)))
                }
                _ => "",
            };
            let log = format!(
                "invalid kptr access, R{number} type={}{} expected=ptr_{}",
                terms::log_type(&Reg::Pointer(Pointer { nullable: false, ..p })),
                name(p.kind),
                name(kind)
            );
            return Err(if p.nullable { wrong() } else { wrong().logged(log) });
        }
        if p.nullable || p.off != 0 || !p.is_fixed() || p.reference == 0 {
            return Err(wrong());
        }
        call.release = Some(p.reference);
        Ok(())
    }

    /// What was there, or null.
    pub(super) fn kptr_taken(&mut self, state: &mut State, slot: u32, field: &Special) -> Check<Reg> {
        let kind = self.kept(field, Trust::Trusted, Hold::Owned)?;
        Ok(self.acquired(state, slot, kind, 0, true))
    }

    /// A load of a pointer field, if these bytes are one.
    pub(super) fn load_kptr(
        &mut self,
        state: &State,
        slot: u32,
        pointer: &Pointer,
        access: &Access,
    ) -> Check<Option<Reg>> {
        let Some((field, keeps)) = self.kptr_at(pointer, access) else { return Ok(None) };
        let safe = match keeps {
            Keeps::Nothing => false,
            Keeps::Reference => self.is_freed_by_rcu(&field),
            Keeps::PerCpu => true,
            Keeps::User => {
                let size = self.cx.image.btf.as_deref().and_then(|btf| btf.size_of(field.ty)).unwrap_or(0);
                let kind = PtrKind::Mem { size: size as u32, writable: true };
                return Ok(Some(Reg::or_null(kind, self.fresh_id(), 0, slot)));
            }
        };
        let safe = safe && state.in_rcu();
        let (trust, hold) = if safe { (Trust::Rcu, Hold::Rcu) } else { (Trust::Untrusted, Hold::Untrusted) };
        let kind = self.kept(&field, trust, hold)?;
        Ok(Some(Reg::or_null(kind, self.fresh_id(), 0, slot)))
    }

    /// Is this a store to a pointer field that may be stored to: one that keeps nothing alive, of a pointer
    /// that fits or null? Any other touches the field as no access may.
    pub(super) fn store_kptr(&mut self, pointer: &Pointer, access: &Access, value: &Reg) -> Check<bool> {
        let Some((field, Keeps::Nothing)) = self.kptr_at(pointer, access) else { return Ok(false) };
        let wanted = match self.kept(&field, Trust::Trusted, Hold::Owned)? {
            PtrKind::Btf { ty, .. } => ty,
            _ => return Ok(false),
        };
        Ok(match value {
            Reg::Pointer(p) => {
                p.off == 0 && p.is_fixed() && matches!(p.kind, PtrKind::Btf { ty, .. } if ty == wanted)
            }
            value => value.value() == Some(0),
        })
    }

    /// The pointer field that an access touches, if it is an access of exactly that.
    fn kptr_at(&mut self, pointer: &Pointer, access: &Access) -> Option<(Special, Keeps)> {
        if pointer.nullable || access.min != access.max || access.size != 8 {
            return None;
        }
        let PtrKind::MapValue(_) = pointer.kind else { return None };
        let fields = self.fields_behind(pointer);
        let field = fields.iter().find(|field| i64::from(field.offset) == access.min)?;
        match field.field {
            Field::Pointer(keeps) => Some((*field, keeps)),
            _ => None,
        }
    }

    /// What a pointer kept in a field points to: a kernel structure, or an object of the program's.
    fn kept(&self, field: &Special, trust: Trust, hold: Hold) -> Check<PtrKind> {
        let percpu = field.field == Field::Pointer(Keeps::PerCpu);
        Ok(match self.kernel_type(field) {
            Some(ty) if !percpu => PtrKind::Btf { ty: ty.0, trust },
            _ if self.cx.btf.is_none() => {
                return Err(Cause::Unsupported { what: "a kernel pointer without the kernel's BTF".into() });
            }
            _ => PtrKind::Object { ty: field.ty.0, hold, percpu },
        })
    }

    /// The kernel's structure of the name of what a field points to.
    fn kernel_type(&self, field: &Special) -> Option<TypeId> {
        let name = self.cx.image.btf.as_deref()?.name(field.ty);
        self.cx.btf?.find(name, Kind::Struct)
    }

    fn is_freed_by_rcu(&self, field: &Special) -> bool {
        let name = self.cx.image.btf.as_deref().map_or("", |btf| btf.name(field.ty));
        self.kernel_type(field).is_none() || BY_RCU.contains(&name)
    }
}

//! Objects that a program allocates, of types of its own: what it may read and write there.

use super::reg::{Pointer, PtrKind};
use super::report::{Access, Cause};
use super::walk::{Check, Walk};
use skep_stdlib::btf::TypeId;

impl Walk<'_> {
    /// May these bytes of an allocated object be accessed?
    pub(super) fn check_object(&mut self, pointer: &Pointer, access: &Access) -> Check {
        let access = *access;
        if pointer.nullable {
            return Err(Cause::MaybeNull { access });
        }
        let PtrKind::Object { ty, .. } = pointer.kind else { return Err(Cause::Opaque { access }) };
        let btf = self.cx.image.btf.as_deref();
        let size = btf.and_then(|btf| btf.size_of(TypeId(ty))).unwrap_or(0) as u32;
        if access.min != access.max || access.min < 0 || access.end() > i64::from(size) {
            return Err(Cause::MemBounds { access, limit: size });
        }
        let fields = self.fields_behind(pointer);
        match fields.iter().find(|field| field.overlaps(access.min, access.end())) {
            Some(field) => Err(Cause::SpecialField { access, field: field.name }),
            None => Ok(()),
        }
    }
}

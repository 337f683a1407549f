//! Completes the types that BTF will describe.
//!
//! Records are completed when the program needs their size or a member. BTF needs more: all that
//! is reached from variables, functions and CO-RE roots, except through a pointer in a member to
//! a named record, which BTF prunes to a forward declaration. This walks the same routes.

use std::collections::HashSet;

use crate::hir::Linkage;
use crate::types::{RecordId, Type, TypeId};

use super::Sema;

impl Sema<'_, '_> {
    /// Completes every record that BTF may describe in full.
    pub(super) fn complete_described_types(&mut self) {
        if !self.cx.options.debug_info {
            return;
        }
        let mut work: Vec<TypeId> = Vec::new();
        for function in &self.functions {
            let described =
                function.body.is_some() || matches!(function.linkage, Linkage::Extern | Linkage::ExternWeak);
            if described {
                work.push(function.ty);
            }
        }
        work.extend(self.globals.iter().filter(|global| !global.literal).map(|global| global.ty));
        work.extend(self.core_relocs.iter().map(|reloc| reloc.root));
        let mut seen: HashSet<TypeId> = HashSet::new();
        while let Some(ty) = work.pop() {
            if seen.insert(ty) {
                self.push_described(ty, &mut work);
            }
        }
    }

    fn push_described(&mut self, ty: TypeId, work: &mut Vec<TypeId>) {
        match self.types.get(ty) {
            Type::Error | Type::Void | Type::Int(_) | Type::Float(_) | Type::Enum(_) => {}
            Type::Pointer(to) => work.push(*to),
            Type::Array { elem, .. } => work.push(*elem),
            Type::Function(function) => {
                work.push(function.ret);
                work.extend(function.params.iter().copied());
            }
            Type::Typedef(id) => work.push(self.types.typedefs[id.0 as usize].target),
            Type::Qualified { inner, .. } | Type::Tagged { inner, .. } | Type::AddressSpace { inner, .. } => {
                work.push(*inner);
            }
            Type::Record(record) => {
                let record = *record;
                self.complete_record(record);
                self.push_members(record, work);
            }
        }
    }

    fn push_members(&self, record: RecordId, work: &mut Vec<TypeId>) {
        let Some(body) = &self.types.records[record.0 as usize].body else { return };
        for field in &body.fields {
            if !self.is_pruned(field.ty) {
                work.push(field.ty);
            }
        }
    }

    /// A pointer, as a member, to a record with a tag.
    fn is_pruned(&self, ty: TypeId) -> bool {
        let Some(to) = self.types.pointee(ty) else { return false };
        let Some(record) = self.types.record_of(to) else { return false };
        self.types.records[record.0 as usize].tag.is_some()
    }
}

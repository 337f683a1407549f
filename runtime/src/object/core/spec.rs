//! Access specifications: from indices to names in the local BTF, and by name in the target's.
//!
//! `0:1:2` of `struct s` means `((struct s *)p)[0].<member 1>.<member 2 of that>`. Anonymous
//! members have an index but no name; what is looked for in the target are the named members and
//! array elements only.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use skep_stdlib::btf::ext::{CoreKind, CoreRelo};
use skep_stdlib::btf::{Btf, Kind, Member, Type, TypeId, essential_name};

use super::compat;

/// Longest access that is followed.
const MAX_STEPS: usize = 64;
/// Levels of anonymous members.
const MAX_DEPTH: u32 = 32;

/// One step of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step<'a> {
    /// The element of the pointer the access starts from, or of an array.
    Index(u64),
    /// A named member.
    Member(&'a str),
}

/// An access that was followed in one BTF.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Spec<'a> {
    /// The type it starts from, with typedefs.
    pub root: TypeId,
    pub steps: Vec<Step<'a>>,
    /// Types that the steps have arrived at; as many as steps.
    pub types: Vec<TypeId>,
    pub bit_offset: u64,
    /// Width of the last member, if it is a bit-field.
    pub bits: Option<u8>,
    /// The enumerator's name and value.
    pub enumerator: Option<(&'a str, i64)>,
}

impl<'a> Spec<'a> {
    fn new(root: TypeId) -> Spec<'a> {
        Spec { root, steps: Vec::new(), types: Vec::new(), bit_offset: 0, bits: None, enumerator: None }
    }

    /// Follows a record's indices in the BTF it was written for.
    pub fn parse(btf: &'a Btf, relo: &CoreRelo) -> Option<Spec<'a>> {
        let text = btf.string(relo.access)?;
        let mut indices = Vec::new();
        for part in text.split(':') {
            indices.push(part.parse::<u32>().ok()?);
        }
        if indices.len() > MAX_STEPS {
            return None;
        }
        let mut spec = Spec::new(relo.ty);
        match relo.kind {
            CoreKind::TypeIdLocal
            | CoreKind::TypeIdTarget
            | CoreKind::TypeExists
            | CoreKind::TypeSize
            | CoreKind::TypeMatches => {
                btf.kind(relo.ty)?;
                (indices == [0]).then_some(spec)
            }
            CoreKind::EnumvalExists | CoreKind::EnumvalValue => {
                let Type::Enum(enumeration) = btf.ty(btf.resolve(relo.ty)?)? else { return None };
                let index = *indices.first().filter(|_| indices.len() == 1)?;
                let value = enumeration.values.get(index as usize)?;
                spec.enumerator = Some((value.name, value.value));
                Some(spec)
            }
            CoreKind::FieldByteOffset
            | CoreKind::FieldByteSize
            | CoreKind::FieldExists
            | CoreKind::FieldSigned
            | CoreKind::FieldLshiftU64
            | CoreKind::FieldRshiftU64 => spec.follow(btf, &indices).map(|()| spec),
        }
    }

    fn follow(&mut self, btf: &'a Btf, indices: &[u32]) -> Option<()> {
        let (&first, rest) = indices.split_first()?;
        self.enter_element(btf, self.root, u64::from(first))?;
        for &index in rest {
            let at = btf.resolve(*self.types.last()?)?;
            match btf.kind(at)? {
                Kind::Struct | Kind::Union => {
                    let member = btf.members(at).nth(index as usize)?;
                    self.bit_offset = self.bit_offset.checked_add(u64::from(member.bit_offset))?;
                    self.bits = member.bit_size.filter(|&bits| bits > 0);
                    if member.name.is_empty() {
                        // The next index is inside of it; nothing to look for by name.
                        *self.types.last_mut()? = member.ty;
                    } else {
                        self.steps.push(Step::Member(member.name));
                        self.types.push(member.ty);
                    }
                }
                Kind::Array => {
                    let Type::Array { elem, count, .. } = btf.ty(at)? else { return None };
                    // Arrays at the end of structures may be longer than they say.
                    if index >= count && count > 1 {
                        return None;
                    }
                    self.enter_element(btf, elem, u64::from(index))?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn enter_element(&mut self, btf: &Btf, ty: TypeId, index: u64) -> Option<()> {
        let bits = if index == 0 { 0 } else { btf.size_of(ty)?.checked_mul(8)?.checked_mul(index)? };
        self.bit_offset = self.bit_offset.checked_add(bits)?;
        self.bits = None;
        self.steps.push(Step::Index(index));
        self.types.push(ty);
        Some(())
    }

    /// The same access in a candidate type of another BTF.
    pub fn find_in<'t>(
        &self,
        local: &Btf,
        target: &'t Btf,
        candidate: TypeId,
        kind: CoreKind,
    ) -> Option<Spec<'t>> {
        let mut spec = Spec::new(candidate);
        match kind {
            CoreKind::TypeMatches => compat::types_match(local, self.root, target, candidate).then_some(spec),
            CoreKind::TypeIdLocal | CoreKind::TypeIdTarget | CoreKind::TypeExists | CoreKind::TypeSize => {
                compat::types_compatible(local, self.root, target, candidate).then_some(spec)
            }
            CoreKind::EnumvalExists | CoreKind::EnumvalValue => {
                let Type::Enum(enumeration) = target.ty(target.resolve(candidate)?)? else { return None };
                let wanted = essential_name(self.enumerator?.0);
                let value = enumeration.values.iter().find(|value| essential_name(value.name) == wanted)?;
                spec.enumerator = Some((value.name, value.value));
                Some(spec)
            }
            CoreKind::FieldByteOffset
            | CoreKind::FieldByteSize
            | CoreKind::FieldExists
            | CoreKind::FieldSigned
            | CoreKind::FieldLshiftU64
            | CoreKind::FieldRshiftU64 => {
                for (index, (step, &ty)) in self.steps.iter().zip(&self.types).enumerate() {
                    match *step {
                        Step::Index(element) if index == 0 => {
                            spec.enter_element(target, candidate, element)?;
                        }
                        Step::Index(element) => spec.element(target, element)?,
                        Step::Member(name) => spec.member(local, ty, target, name)?,
                    }
                }
                Some(spec)
            }
        }
    }

    fn element(&mut self, target: &Btf, index: u64) -> Option<()> {
        let at = target.resolve(*self.types.last()?)?;
        let Type::Array { elem, count, .. } = target.ty(at)? else { return None };
        if index >= u64::from(count) && count > 1 {
            return None;
        }
        self.enter_element(target, elem, index)
    }

    /// The member of this name in the type arrived at; its type must fit the local member's.
    fn member(&mut self, local: &Btf, local_ty: TypeId, target: &'a Btf, name: &str) -> Option<()> {
        let at = target.resolve(*self.types.last()?)?;
        let (member, offset) = find_member(target, at, name, 0, MAX_DEPTH)?;
        if !compat::fields_compatible(local, local_ty, target, member.ty) {
            return None;
        }
        self.bit_offset = self.bit_offset.checked_add(offset)?;
        self.bits = member.bit_size.filter(|&bits| bits > 0);
        self.steps.push(Step::Member(member.name));
        self.types.push(member.ty);
        Some(())
    }

    /// `.member[2].other`, for messages.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Index(0) if index == 0 => {}
                Step::Index(element) => path += &format!("[{element}]"),
                Step::Member(name) => path += &format!(".{name}"),
            }
        }
        if let Some((name, _)) = self.enumerator {
            path += &format!("::{name}");
        }
        path
    }
}

/// A member by name, also of anonymous members, with its offset in bits.
fn find_member<'t>(
    btf: &'t Btf,
    at: TypeId,
    name: &str,
    offset: u64,
    depth: u32,
) -> Option<(Member<'t>, u64)> {
    for member in btf.members(at) {
        let offset = offset + u64::from(member.bit_offset);
        if member.name.is_empty() {
            if let Some(inner) = btf.resolve(member.ty).filter(|_| depth > 0)
                && let Some(found) = find_member(btf, inner, name, offset, depth - 1)
            {
                return Some(found);
            }
        } else if member.name == name {
            return Some((member, offset));
        }
    }
    None
}

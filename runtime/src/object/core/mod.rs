//! CO-RE: makes instructions fit the target kernel's types.
//!
//! In: relocation records of `.BTF.ext`, the object's BTF, a target BTF, decoded functions. Out:
//! the same functions with offsets and immediates set. Semantics follow libbpf:
//!
//! - candidates for a local type are the target's types of the same kind and name, both without
//!   their `___flavour`;
//! - a member is found in a candidate by its name, and its type must be compatible;
//! - all candidates that match must give the same value;
//! - without a match, existence and type queries give 0, and any other instruction is replaced by
//!   a call of [`CORE_POISON`](super::CORE_POISON).
//!
//! `spec` finds members, `compat` compares types, `value` computes what a record asks for.

mod compat;
mod spec;
mod value;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::ByteOrder;
use skep_stdlib::btf::ext::{CoreKind, CoreRelo};
use skep_stdlib::btf::{Btf, Kind, TypeId, essential_name};
use skep_stdlib::isa::{CallTarget, Imm64, Insn, Operand, Size};

use super::elf::Object;
use super::functions::Body;
use super::link::{Info, LinkOptions};
use super::{CORE_POISON, LoadError, Place};
use spec::Spec;
use value::Value;

/// Applies all relocations to the functions they are in.
pub(super) fn apply(
    object: &Object,
    info: &Info,
    options: &LinkOptions,
    bodies: &mut [Body],
) -> Result<(), LoadError> {
    let Some(local) = info.btf.as_deref() else { return Ok(()) };
    let target = options.target_btf.as_deref().unwrap_or(local);
    let mut relocator = Relocator { local, target, order: object.order, candidates: BTreeMap::new() };
    // Functions by section and first slot, to find the one that contains an offset.
    let mut starts: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    for (index, body) in bodies.iter().enumerate() {
        let section = object.sections.get(body.section).map_or("", |section| section.name.as_str());
        starts.insert((section, body.start), index);
    }
    for section in &info.ext.relos {
        let name = local.string(section.name).unwrap_or_default();
        for relo in &section.records {
            let slot = relo.insn_off / 8;
            let found = starts.range((name, 0)..=(name, slot)).next_back().map(|(_, &index)| index);
            let body = found.and_then(|index| bodies.get_mut(index)).filter(|body| slot < body.end);
            // Functions that were dropped leave their records behind.
            let Some(body) = body else { continue };
            let slot = slot - body.start;
            relocator.relocate(body, slot, relo)?;
        }
    }
    Ok(())
}

struct Relocator<'a> {
    local: &'a Btf,
    target: &'a Btf,
    order: ByteOrder,
    candidates: BTreeMap<TypeId, Vec<TypeId>>,
}

/// What becomes of an instruction.
enum Patch {
    Set(Value),
    Poison,
}

impl<'a> Relocator<'a> {
    fn relocate(&mut self, body: &mut Body, slot: u32, relo: &CoreRelo) -> Result<(), LoadError> {
        let place = Place::Insn { function: body.name.clone(), slot };
        let spec = Spec::parse(self.local, relo)
            .ok_or_else(|| LoadError::malformed(place.clone(), self.describe(relo, "does not parse")))?;
        let local_value = value::of(&spec, relo.kind, self.local, self.order)
            .map_err(|why| LoadError::malformed(place.clone(), self.describe(relo, why)))?;
        let patch = if relo.kind == CoreKind::TypeIdLocal {
            Patch::Set(Value::plain(u64::from(relo.ty.0)))
        } else {
            self.resolve(relo, &spec, &place)?
        };
        let Ok(at) = body.insns.binary_search_by_key(&slot, |&(slot, _)| slot) else {
            return Err(LoadError::malformed(place, "CO-RE relocation inside of an instruction"));
        };
        let Some(&(_, insn)) = body.insns.get(at) else { return Ok(()) };
        let patched = match patch {
            Patch::Set(value) => match set(insn, &local_value, &value, relo.kind) {
                Ok(insn) => Some(insn),
                Err(Refusal::Width) => None,
                Err(Refusal::Why(why)) => {
                    return Err(LoadError::malformed(place, self.describe(relo, &why)));
                }
            },
            Patch::Poison => None,
        };
        match (patched, body.insns.get_mut(at)) {
            (Some(patched), Some((_, insn))) => *insn = patched,
            (None, Some((_, insn))) => {
                let second = matches!(insn, Insn::LoadImm64 { .. });
                let poison = Insn::Call(CallTarget::Helper(CORE_POISON));
                *insn = poison;
                if second {
                    body.insns.insert(at + 1, (slot + 1, poison));
                }
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// Looks the local type up in the target.
    fn resolve(&mut self, relo: &CoreRelo, spec: &Spec<'_>, place: &Place) -> Result<Patch, LoadError> {
        let mut found: Option<Value> = None;
        for candidate in self.candidates_of(relo.ty) {
            let Some(matched) = spec.find_in(self.local, self.target, candidate, relo.kind) else { continue };
            let value = value::of(&matched, relo.kind, self.target, self.order)
                .map_err(|why| LoadError::malformed(place.clone(), self.describe(relo, why)))?;
            match &found {
                Some(other) if other.number != value.number => {
                    let why = format!(
                        "is ambiguous: candidates in the target give {} and {}",
                        other.number, value.number
                    );
                    return Err(LoadError::unresolved(place.clone(), self.describe(relo, &why)));
                }
                Some(_) => {}
                None => found = Some(value),
            }
        }
        Ok(match (found, relo.kind) {
            (Some(value), _) => Patch::Set(value),
            (
                None,
                CoreKind::FieldExists
                | CoreKind::EnumvalExists
                | CoreKind::TypeExists
                | CoreKind::TypeMatches
                | CoreKind::TypeSize
                | CoreKind::TypeIdTarget,
            ) => Patch::Set(Value::plain(0)),
            (
                None,
                CoreKind::FieldByteOffset
                | CoreKind::FieldByteSize
                | CoreKind::FieldSigned
                | CoreKind::FieldLshiftU64
                | CoreKind::FieldRshiftU64
                | CoreKind::EnumvalValue
                | CoreKind::TypeIdLocal,
            ) => Patch::Poison,
        })
    }

    fn candidates_of(&mut self, local: TypeId) -> Vec<TypeId> {
        if let Some(known) = self.candidates.get(&local) {
            return known.clone();
        }
        let name = essential_name(self.local.name(local));
        let kind = self.local.kind(local);
        let found: Vec<TypeId> = if name.is_empty() {
            Vec::new()
        } else {
            let same = self.target.candidates(name);
            same.filter(|&id| kinds_agree(kind, self.target.kind(id)))
                .filter(|&id| essential_name(self.target.name(id)) == name)
                .collect()
        };
        self.candidates.insert(local, found.clone());
        found
    }

    /// `field_exists of struct task_struct, 0:1:2 <why>`.
    fn describe(&self, relo: &CoreRelo, why: &str) -> String {
        let kind = relo.kind.name();
        let access = self.local.string(relo.access).unwrap_or_default();
        let word = match self.local.kind(relo.ty) {
            Some(kind @ (Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Typedef)) => {
                format!("{} ", kind.name().to_lowercase())
            }
            _ => String::new(),
        };
        let mut path = String::new();
        if let Some(spec) = Spec::parse(self.local, relo) {
            path = spec.path();
        }
        let name = self.local.name(relo.ty).to_string() + &path;
        format!("CO-RE relocation `{kind}` of `{word}{name}` ({access}) {why}")
    }
}

/// Whether kinds are the same, or both are enumerations.
fn kinds_agree(a: Option<Kind>, b: Option<Kind>) -> bool {
    let is_enum = |kind| matches!(kind, Some(Kind::Enum | Kind::Enum64));
    a == b || (is_enum(a) && is_enum(b))
}

/// Why an instruction cannot take a value.
enum Refusal {
    /// The field has another width and a load of that width would mean something else.
    Width,
    Why(String),
}

/// The instruction with the target's value in place of the local one.
fn set(insn: Insn, local: &Value, target: &Value, kind: CoreKind) -> Result<Insn, Refusal> {
    let wrong = |got: i64| {
        let why = format!("expects {} in the instruction, which has {got}", local.number as i64);
        Err(Refusal::Why(why))
    };
    // Bit-fields and type ids are not what compilers put there first.
    let check = local.checked;
    match insn {
        Insn::Mov { width, dst, src: Operand::Imm(imm) } => {
            if check && imm as u32 != local.number as u32 {
                return wrong(i64::from(imm));
            }
            Ok(Insn::Mov { width, dst, src: Operand::Imm(target.number as i32) })
        }
        Insn::Alu { width, op, dst, src: Operand::Imm(imm) } => {
            if check && imm as u32 != local.number as u32 {
                return wrong(i64::from(imm));
            }
            Ok(Insn::Alu { width, op, dst, src: Operand::Imm(target.number as i32) })
        }
        Insn::LoadImm64 { dst, value: Imm64::Const(old) } => {
            if check && old != local.number {
                return wrong(old as i64);
            }
            Ok(Insn::LoadImm64 { dst, value: Imm64::Const(target.number) })
        }
        Insn::Load { off, .. } | Insn::Store { off, .. } | Insn::Atomic { off, .. } => {
            if check && i64::from(off) != local.number as i64 {
                return wrong(i64::from(off));
            }
            let Ok(off) = i16::try_from(target.number) else {
                let why = format!("gives offset {}, which does not fit the instruction", target.number);
                return Err(Refusal::Why(why));
            };
            let resize = kind == CoreKind::FieldByteOffset && local.size != target.size;
            access(insn, off, if resize { Some((local, target)) } else { None })
        }
        _ => Err(Refusal::Why("is at an instruction that cannot be relocated".into())),
    }
}

/// The memory access at another offset and, if the field's width differs, of another width.
fn access(insn: Insn, off: i16, resize: Option<(&Value, &Value)>) -> Result<Insn, Refusal> {
    let new_size = |size: Size| match resize {
        None => Ok(size),
        Some((local, target)) if local.resizable && target.resizable => {
            Size::of_bytes(target.size).ok_or(Refusal::Width)
        }
        Some(_) => Err(Refusal::Width),
    };
    Ok(match insn {
        Insn::Load { size, signed, dst, base, .. } => {
            Insn::Load { size: new_size(size)?, signed, dst, base, off }
        }
        Insn::Store { size, base, src, .. } => Insn::Store { size: new_size(size)?, base, off, src },
        Insn::Atomic { size, op, base, src, .. } => {
            Insn::Atomic { size: new_size(size)?, op, base, off, src }
        }
        other => other,
    })
}

#[cfg(test)]
mod tests;

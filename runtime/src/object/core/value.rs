//! What a CO-RE record asks for, computed from an access in one BTF.

use skep_stdlib::ByteOrder;
use skep_stdlib::btf::ext::CoreKind;
use skep_stdlib::btf::{Btf, Type};

use super::spec::{Spec, Step};

/// An answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Value {
    /// The number that goes into the instruction.
    pub number: u64,
    /// Bytes of the field; 0 where that is not asked.
    pub size: u64,
    /// Whether the instruction must already have the local answer.
    pub checked: bool,
    /// Whether loading the field with its own width and no sign is right: unsigned integers and
    /// pointers.
    pub resizable: bool,
}

impl Value {
    /// A number alone.
    pub fn plain(number: u64) -> Value {
        Value { number, size: 0, checked: true, resizable: false }
    }
}

/// The answer to `kind` for an access that was found, in the BTF where it was found.
pub(super) fn of(
    spec: &Spec<'_>,
    kind: CoreKind,
    btf: &Btf,
    order: ByteOrder,
) -> Result<Value, &'static str> {
    match kind {
        CoreKind::FieldExists | CoreKind::EnumvalExists | CoreKind::TypeExists | CoreKind::TypeMatches => {
            Ok(Value::plain(1))
        }
        CoreKind::TypeSize => btf.size_of(spec.root).map(Value::plain).ok_or("has no size"),
        // Compilers write the type's number before it is final.
        CoreKind::TypeIdLocal | CoreKind::TypeIdTarget => {
            Ok(Value { checked: false, ..Value::plain(u64::from(spec.root.0)) })
        }
        CoreKind::EnumvalValue => match spec.enumerator {
            Some((_, value)) => Ok(Value::plain(value as u64)),
            None => Err("names no enumerator"),
        },
        CoreKind::FieldByteOffset
        | CoreKind::FieldByteSize
        | CoreKind::FieldSigned
        | CoreKind::FieldLshiftU64
        | CoreKind::FieldRshiftU64 => field(spec, kind, btf, order),
    }
}

fn field(spec: &Spec<'_>, kind: CoreKind, btf: &Btf, order: ByteOrder) -> Result<Value, &'static str> {
    let (Some(step), Some(&ty)) = (spec.steps.last(), spec.types.last()) else {
        return Err("names no member");
    };
    let size = btf.size_of(ty);
    if let Step::Index(_) = step {
        return match kind {
            CoreKind::FieldByteOffset => {
                Ok(Value { size: size.unwrap_or(0), ..Value::plain(spec.bit_offset / 8) })
            }
            CoreKind::FieldByteSize => size.map(Value::plain).ok_or("has no size"),
            _ => Err("asks of an array element what only members have"),
        };
    }
    let size = size.ok_or("has no size")?;
    let resolved = btf.resolve(ty).and_then(|id| btf.ty(id));
    let (bits, bytes, offset) = match spec.bits {
        Some(bits) => {
            let (bytes, offset) = container(spec.bit_offset, u64::from(bits), size)?;
            (u64::from(bits), bytes, offset)
        }
        None => (size.saturating_mul(8), size, spec.bit_offset / 8),
    };
    let checked = spec.bits.is_none();
    let resizable = match resolved {
        Some(Type::Ptr(_)) => true,
        Some(Type::Int { encoding, .. }) => !encoding.is_signed(),
        _ => false,
    };
    let answer = |number| Value { number, size: bytes, checked, resizable };
    match kind {
        CoreKind::FieldByteOffset => Ok(answer(offset)),
        CoreKind::FieldByteSize => Ok(Value { size: 0, ..answer(bytes) }),
        CoreKind::FieldSigned => {
            let signed = match resolved {
                Some(Type::Enum(enumeration)) => enumeration.signed,
                Some(Type::Int { encoding, .. }) => encoding.is_signed(),
                _ => false,
            };
            Ok(Value::plain(u64::from(signed)))
        }
        CoreKind::FieldLshiftU64 => {
            let inside = spec.bit_offset.saturating_sub(offset * 8);
            let shift = match order {
                ByteOrder::Little => 64u64.checked_sub(inside + bits),
                ByteOrder::Big => 8u64.checked_sub(bytes).map(|rest| rest * 8 + inside),
            };
            Ok(Value { size: 0, ..answer(shift.ok_or("is wider than 64 bits")?) })
        }
        CoreKind::FieldRshiftU64 => {
            let shift = 64u64.checked_sub(bits).ok_or("is wider than 64 bits")?;
            Ok(Value { size: 0, ..answer(shift) })
        }
        _ => Err("is not about a field"),
    }
}

/// The aligned word that holds a bit-field: bytes and byte offset.
fn container(bit_offset: u64, bits: u64, size: u64) -> Result<(u64, u64), &'static str> {
    let mut bytes = size.max(1);
    loop {
        let offset = bit_offset / 8 / bytes * bytes;
        if bit_offset + bits - offset * 8 <= bytes * 8 {
            return Ok((bytes, offset));
        }
        if bytes >= 8 {
            return Err("is a bit-field that no aligned word holds");
        }
        bytes *= 2;
    }
}

//! Types as a listing, one record after another, as `bpftool btf dump format raw` prints them.
//!
//! ```text
//! [1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
//! [2] STRUCT 'pair' size=8 vlen=2
//!         'a' type_id=1 bits_offset=0
//! ```

use core::fmt::{self, Write};

use super::*;

/// Writes the listing of all types of this file.
pub fn print(btf: &Btf, out: &mut impl Write) -> fmt::Result {
    btf.ids().try_for_each(|id| print_type(btf, id, out))
}

/// Writes one record; nothing for an id that does not exist.
pub fn print_type(btf: &Btf, id: TypeId, out: &mut impl Write) -> fmt::Result {
    let Some(ty) = btf.ty(id) else { return Ok(()) };
    write!(out, "{id} {} '{}'", ty.kind().name(), quoted(ty.name()))?;
    match &ty {
        Type::Void => writeln!(out),
        Type::Int { size, encoding, offset, bits, .. } => {
            let encoding = match *encoding {
                Encoding::SIGNED => "SIGNED",
                Encoding::CHAR => "CHAR",
                Encoding::BOOL => "BOOL",
                Encoding::UNSIGNED => "(none)",
                _ => "UNKN",
            };
            let end = format_args!("nr_bits={bits} encoding={encoding}");
            writeln!(out, " size={size} bits_offset={offset} {end}")
        }
        Type::Ptr(ty)
        | Type::Volatile(ty)
        | Type::Const(ty)
        | Type::Restrict(ty)
        | Type::Typedef { ty, .. }
        | Type::TypeTag { ty, .. } => writeln!(out, " type_id={}", ty.0),
        Type::Array { elem, index, count } => {
            writeln!(out, " type_id={} index_type_id={} nr_elems={count}", elem.0, index.0)
        }
        Type::Struct(composite) | Type::Union(composite) => print_composite(composite, out),
        Type::Enum(enumeration) => print_enumeration(enumeration, out),
        Type::Fwd { union, .. } => {
            writeln!(out, " fwd_kind={}", if *union { "union" } else { "struct" })
        }
        Type::Func { proto, linkage, .. } => {
            writeln!(out, " type_id={} linkage={}", proto.0, linkage_name(*linkage))
        }
        Type::FuncProto { ret, params } => {
            writeln!(out, " ret_type_id={} vlen={}", ret.0, params.len())?;
            params
                .iter()
                .try_for_each(|param| writeln!(out, "\t'{}' type_id={}", quoted(param.name), param.ty.0))
        }
        Type::Var { ty, linkage, .. } => {
            writeln!(out, " type_id={}, linkage={}", ty.0, linkage_name(*linkage))
        }
        Type::Datasec { size, vars, .. } => {
            writeln!(out, " size={size} vlen={}", vars.len())?;
            for var in vars {
                write!(out, "\ttype_id={} offset={} size={}", var.ty.0, var.offset, var.size)?;
                let kind = btf.kind(var.ty).map_or("", Kind::name);
                writeln!(out, " ({kind} '{}')", btf.name(var.ty))?;
            }
            Ok(())
        }
        Type::Float { size, .. } => writeln!(out, " size={size}"),
        Type::DeclTag { ty, component, .. } => {
            let component = component.map_or(-1, i64::from);
            writeln!(out, " type_id={} component_idx={component}", ty.0)
        }
    }
}

fn print_composite(composite: &Composite<'_>, out: &mut impl Write) -> fmt::Result {
    writeln!(out, " size={} vlen={}", composite.size, composite.members.len())?;
    for member in &composite.members {
        let (name, ty) = (quoted(member.name), member.ty.0);
        write!(out, "\t'{name}' type_id={ty} bits_offset={}", member.bit_offset)?;
        if let Some(width) = member.bit_size {
            write!(out, " bitfield_size={width}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn print_enumeration(enumeration: &Enumeration<'_>, out: &mut impl Write) -> fmt::Result {
    let Enumeration { size, signed, values, .. } = enumeration;
    let encoding = if *signed { "SIGNED" } else { "UNSIGNED" };
    writeln!(out, " encoding={encoding} size={size} vlen={}", values.len())?;
    for value in values {
        let name = quoted(value.name);
        if *signed {
            writeln!(out, "\t'{name}' val={}", value.value)?;
        } else if *size == 8 {
            writeln!(out, "\t'{name}' val={}ULL", value.value as u64)?;
        } else {
            writeln!(out, "\t'{name}' val={}", value.value)?;
        }
    }
    Ok(())
}

fn linkage_name(linkage: Linkage) -> &'static str {
    match linkage {
        Linkage::Static => "static",
        Linkage::Global => "global",
        Linkage::Extern => "extern",
    }
}

fn quoted(name: &str) -> &str {
    if name.is_empty() { "(anon)" } else { name }
}

//! Externs: kernel configuration, kernel variables and functions.
//!
//! In: the object's BTF (`.kconfig` and `.ksyms`), a [`LinkOptions`] with what the kernel would
//! know. Out: for each name what a reference to it becomes. A weak extern that nothing resolves is
//! absent; any other is an error that names it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;

use skep_stdlib::btf::{Btf, Kind, Linkage, SecVar, Type, TypeId, essential_name};
use skep_stdlib::elf::{KCONFIG, KSYMS};
use skep_stdlib::features::Kernel;
use skep_stdlib::isa::Imm64;
use skep_stdlib::maps::MapType;

use super::elf::{Bind, Home, Object};
use super::maps::{Maps, RDONLY_PROG, blank};
use super::{LinkOptions, LoadError, MapRole, Place, Variable};

/// What an extern stands for.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Resolved {
    /// A function of the kernel.
    Kfunc { id: i32 },
    /// A variable: what its address loads.
    Variable(Imm64),
    /// A weak extern that is not there.
    Absent,
}

/// All externs by name, and the names behind BTF ids.
#[derive(Default)]
pub(super) struct Externs {
    by_name: BTreeMap<String, Resolved>,
    pub kfuncs: BTreeMap<i32, String>,
    pub ksyms: BTreeMap<i32, String>,
}

impl Externs {
    pub fn get(&self, name: &str) -> Option<&Resolved> {
        self.by_name.get(name)
    }
}

/// One extern as BTF declares it.
struct Extern<'a> {
    name: &'a str,
    ty: TypeId,
    weak: bool,
}

impl Extern<'_> {
    fn unresolved(&self, why: impl Into<String>) -> LoadError {
        LoadError::unresolved(Place::Extern(self.name.to_string()), why)
    }
}

/// Resolves all externs; a `.kconfig` section adds a map.
pub(super) fn resolve(
    object: &Object,
    btf: Option<&Btf>,
    options: &LinkOptions,
    maps: &mut Maps,
) -> Result<Externs, LoadError> {
    let mut externs = Externs::default();
    let Some(btf) = btf else { return Ok(externs) };
    for id in btf.ids() {
        let Some(Type::Datasec { name, vars, .. }) = btf.ty(id) else { continue };
        match name {
            KCONFIG => kconfig(&declared(object, btf, &vars), id, btf, options, maps, &mut externs)?,
            KSYMS => {
                for symbol in &declared(object, btf, &vars) {
                    ksym(symbol, btf, options, &mut externs)?;
                }
            }
            _ => {}
        }
    }
    Ok(externs)
}

/// The variables of `.kconfig` where libbpf places them, and the section's type.
pub(super) fn kconfig_variables(
    object: &Object,
    btf: &Btf,
) -> Result<Option<(TypeId, Vec<Variable>)>, LoadError> {
    for id in btf.ids() {
        let Some(Type::Datasec { name: KCONFIG, vars, .. }) = btf.ty(id) else { continue };
        let declared = declared(object, btf, &vars);
        let variable = |&(offset, size, symbol): &(usize, usize, &Extern<'_>)| Variable {
            name: symbol.name.to_string(),
            ty: symbol.ty,
            offset: offset as u32,
            size: size as u32,
        };
        return Ok(Some((id, lay_out(&declared, btf)?.iter().map(variable).collect())));
    }
    Ok(None)
}

/// The externs that a section lists.
fn declared<'a>(object: &Object, btf: &'a Btf, vars: &[SecVar]) -> Vec<Extern<'a>> {
    let mut declared = Vec::new();
    for var in vars {
        let (name, ty, linkage) = match btf.ty(var.ty) {
            Some(Type::Var { name, ty, linkage }) => (name, ty, linkage),
            Some(Type::Func { name, proto, linkage }) => (name, proto, linkage),
            _ => continue,
        };
        if linkage == Linkage::Extern {
            declared.push(Extern { name, ty, weak: is_weak(object, name) });
        }
    }
    declared
}

fn is_weak(object: &Object, name: &str) -> bool {
    let mut undefined = object.symbols.iter().filter(|symbol| symbol.home == Home::Undefined);
    undefined.any(|symbol| symbol.name == name && symbol.bind == Bind::Weak)
}

/// A kernel function or variable: by BTF where it has a type, by address where it has none.
fn ksym(
    symbol: &Extern<'_>,
    btf: &Btf,
    options: &LinkOptions,
    externs: &mut Externs,
) -> Result<(), LoadError> {
    let is_function = btf.kind(symbol.ty) == Some(Kind::FuncProto);
    let typed = is_function || btf.resolve(symbol.ty) != Some(TypeId::VOID);
    let name = essential_name(symbol.name);
    let resolved = if typed {
        let kind = if is_function { Kind::Func } else { Kind::Var };
        let found = options.target_btf.as_deref().unwrap_or(btf).find(name, kind);
        found.map(|id| {
            let id = id.0 as i32;
            if is_function {
                externs.kfuncs.insert(id, name.to_string());
                Resolved::Kfunc { id }
            } else {
                externs.ksyms.insert(id, name.to_string());
                Resolved::Variable(Imm64::BtfId { id, module: 0 })
            }
        })
    } else {
        options.ksyms.get(name).map(|&address| Resolved::Variable(Imm64::Const(address)))
    };
    let resolved = match resolved {
        Some(resolved) => resolved,
        None if symbol.weak => Resolved::Absent,
        None => return Err(symbol.unresolved("the target kernel has no such symbol")),
    };
    externs.by_name.insert(symbol.name.to_string(), resolved);
    Ok(())
}

/// What loaders answer themselves.
fn known(name: &str, kernel: Kernel) -> Option<String> {
    match name {
        "LINUX_KERNEL_VERSION" => Some(format!("{}", u32::from(kernel.0) << 16 | u32::from(kernel.1) << 8)),
        // True on every machine and kernel that programs are run for here.
        "LINUX_HAS_BPF_COOKIE" | "LINUX_HAS_SYSCALL_WRAPPER" => Some("y".to_string()),
        _ => None,
    }
}

/// Gives each variable its offset and size, as libbpf does: by falling alignment, then rising size,
/// then by name.
fn lay_out<'e, 'a>(
    declared: &'e [Extern<'a>],
    btf: &Btf,
) -> Result<Vec<(usize, usize, &'e Extern<'a>)>, LoadError> {
    let mut sized = Vec::new();
    for symbol in declared {
        let size = btf.size_of(symbol.ty).and_then(|size| usize::try_from(size).ok());
        let Some(size) = size.filter(|size| (1..=4096).contains(size)) else {
            return Err(symbol.unresolved("has a type that configuration values cannot have"));
        };
        sized.push((btf.align_of(symbol.ty).max(1) as usize, size, symbol));
    }
    sized.sort_by_key(|&(align, size, symbol)| (Reverse(align), size, symbol.name));
    let mut end = 0usize;
    let place = |(align, size, symbol): (usize, usize, &'e Extern<'a>)| {
        let offset = end.next_multiple_of(align);
        end = offset + size;
        (offset, size, symbol)
    };
    Ok(sized.into_iter().map(place).collect())
}

/// Lays the variables out and fills in their values.
fn kconfig(
    declared: &[Extern<'_>],
    datasec: TypeId,
    btf: &Btf,
    options: &LinkOptions,
    maps: &mut Maps,
    externs: &mut Externs,
) -> Result<(), LoadError> {
    let index = maps.defs.len() as i32;
    let mut contents: Vec<u8> = Vec::new();
    for (offset, size, symbol) in lay_out(declared, btf)? {
        contents.resize(offset + size, 0);
        let given = options.kconfig.get(symbol.name).cloned().or_else(|| known(symbol.name, options.kernel));
        let resolved = match &given {
            Some(text) => {
                let value = config_value(symbol, btf, size, text)?;
                if let Some(place) = contents.get_mut(offset..offset + value.len()) {
                    place.copy_from_slice(&value);
                }
                Resolved::Variable(Imm64::MapIdxValue { index, offset: offset as u32 })
            }
            None if symbol.weak => Resolved::Variable(Imm64::MapIdxValue { index, offset: offset as u32 }),
            None => return Err(symbol.unresolved("no value is given for this configuration option")),
        };
        externs.by_name.insert(symbol.name.to_string(), resolved);
    }
    let mut def = blank(KCONFIG.to_string(), MapRole::Kconfig);
    def.ty = MapType::Array;
    def.key_size = 4;
    def.value_size = contents.len() as u32;
    def.max_entries = 1;
    def.flags = RDONLY_PROG;
    def.btf_value = datasec;
    def.contents = contents;
    maps.defs.push(def);
    Ok(())
}

/// A configuration value as in `.config`: `y`, `m`, `n`, a number, or a quoted string.
fn config_value(symbol: &Extern<'_>, btf: &Btf, size: usize, text: &str) -> Result<Vec<u8>, LoadError> {
    let bad = |what: &str| Err(symbol.unresolved(format!("`{text}` is not {what}")));
    match btf.resolve(symbol.ty).and_then(|id| btf.ty(id)) {
        Some(Type::Array { .. }) => {
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
            let mut bytes = inner.as_bytes().to_vec();
            bytes.truncate(size - 1);
            Ok(bytes)
        }
        Some(Type::Enum(_)) => match text {
            // `enum libbpf_tristate`.
            "n" => Ok(0u32.to_le_bytes().to_vec()),
            "y" => Ok(1u32.to_le_bytes().to_vec()),
            "m" => Ok(2u32.to_le_bytes().to_vec()),
            _ => bad("`y`, `m` or `n`"),
        },
        Some(Type::Int { encoding, .. }) if encoding.is_bool() => match text {
            "y" => Ok([1].to_vec()),
            "n" => Ok([0].to_vec()),
            _ => bad("`y` or `n`"),
        },
        Some(Type::Int { .. }) if size == 1 && matches!(text, "y" | "m" | "n") => {
            Ok(text.as_bytes().to_vec())
        }
        Some(Type::Int { encoding, .. }) if size <= 8 => {
            let digits = text.strip_prefix("0x");
            let value = match digits {
                Some(hex) => u64::from_str_radix(hex, 16).ok(),
                None => text.parse::<i64>().map(|v| v as u64).or_else(|_| text.parse()).ok(),
            };
            let Some(value) = value else { return bad("a number") };
            let bits = 64 - size as u32 * 8;
            let back = if encoding.is_signed() {
                ((value << bits) as i64 >> bits) as u64
            } else {
                value << bits >> bits
            };
            if back != value {
                return bad("a number that fits");
            }
            Ok(value.to_le_bytes().get(..size).unwrap_or_default().to_vec())
        }
        _ => bad("a value for a variable of this type"),
    }
}

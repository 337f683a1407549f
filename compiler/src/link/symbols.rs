//! Who defines what.
//!
//! In: the symbols of all files, in order. Out: the symbols of the result, what each old one became, and
//! [`Globals`]. Names that are not local mean the same thing in every file: at most one of them may be a
//! strong definition, which wins over weak ones, of which the first counts; declarations take what there is.
//! What one file hides is hidden. What nobody defines stays a declaration, for the loader or a later link.

use std::collections::BTreeMap;

use skep_stdlib::btf::{Btf, Linkage, Type, TypeId};
use skep_stdlib::elf::MAPS;

use super::agree;
use super::elf::{Bind, Elf, Home, Symbol, SymbolKind};
use super::{Error, Unit};

/// Where compilers list declarations that have no section of their own.
pub(super) const EXTERN: &str = ".extern";

/// Names that all files share.
pub(super) type Globals = BTreeMap<String, Global>;

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Global {
    /// Its symbol in the result.
    pub symbol: usize,
    /// The file that defines it, or declares it first.
    pub unit: usize,
    /// Its type in that file, if it says.
    pub ty: Option<TypeId>,
    /// Whether some file defines it.
    pub defined: bool,
    /// The section it is in, or belongs to.
    section: Option<String>,
}

/// Resolves the symbols of all files.
pub(super) fn resolve(units: &mut [Unit<'_>], out: &mut Elf) -> Result<Globals, Error> {
    let mut globals = Globals::new();
    let mut of_sections: BTreeMap<usize, usize> = BTreeMap::new();
    for index in 0..units.len() {
        for number in 0..units[index].elf.symbols.len() {
            let unit = &units[index];
            let mut symbol = unit.elf.symbols[number].clone();
            if let Home::Section(old) = symbol.home {
                // What was left out takes its symbols with it.
                let Some((section, base)) = unit.places[old] else { continue };
                symbol.home = Home::Section(section);
                symbol.value = symbol.value.wrapping_add(base);
            }
            let new = match (symbol.kind, symbol.section(), symbol.bind) {
                (SymbolKind::SECTION, Some(section), _) => {
                    symbol.value = 0;
                    *of_sections.entry(section).or_insert_with(|| append(out, symbol))
                }
                (_, _, Bind::Local) => append(out, symbol),
                (_, _, Bind::Global | Bind::Weak) => global(units, index, symbol, &mut globals, out)?,
            };
            units[index].symbols[number] = Some(new);
        }
    }
    Ok(globals)
}

fn append(out: &mut Elf, symbol: Symbol) -> usize {
    out.symbols.push(symbol);
    out.symbols.len() - 1
}

/// A name that all files share: joins it with what is known of it.
fn global(
    units: &[Unit<'_>],
    index: usize,
    symbol: Symbol,
    globals: &mut Globals,
    out: &mut Elf,
) -> Result<usize, Error> {
    let unit = &units[index];
    let name = symbol.name.clone();
    let (ty, listed) = unit.btf.as_ref().map_or((None, None), |btf| described(btf, &name));
    let defined = symbol.home != Home::Undefined;
    if !defined && unit.btf.is_none() {
        return unit.fail(format!("`{name}` is declared, but of which type is not said (compile with `-g`)"));
    }
    let section = match symbol.section() {
        Some(section) => Some(out.sections[section].name.clone()),
        None => listed.filter(|section| section != EXTERN),
    };
    let Some(known) = globals.get_mut(&name) else {
        let number = append(out, symbol);
        globals.insert(name, Global { symbol: number, unit: index, ty, defined, section });
        return Ok(number);
    };
    let place = &mut out.symbols[known.symbol];
    if defined && known.defined && place.bind != Bind::Weak && symbol.bind != Bind::Weak {
        return unit.fail(format!("`{name}` is defined here and in `{}`", units[known.unit].name));
    }
    let types =
        known.ty.zip(ty).and_then(|(a, b)| Some((units[known.unit].btf.as_ref()?, a, unit.btf.as_ref()?, b)));
    let Some((btf, known_type, own, own_type)) = types else {
        return unit
            .fail(format!("`{name}` is in several files, but of which type is not said in all of them"));
    };
    let is_map = [&known.section, &section].into_iter().flatten().any(|section| section == MAPS);
    let agreed = match is_map {
        true => agree::maps(btf, known_type, own, own_type),
        false => agree::types(btf, known_type, own, own_type),
    };
    if let Err(why) = agreed {
        return unit.fail(format!("`{name}` is not what it is in `{}`: {why}", units[known.unit].name));
    }
    if let (Some(here), Some(there)) = (&section, &known.section)
        && here != there
    {
        return unit.fail(format!(
            "`{name}` is in section `{here}` here and in `{there}` in `{}`",
            units[known.unit].name
        ));
    }
    place.hidden |= symbol.hidden;
    // A weak definition gives way to a strong one, a declaration to any.
    let wins = defined && (!known.defined || symbol.bind == Bind::Global && place.bind == Bind::Weak);
    if symbol.bind == Bind::Global {
        place.bind = Bind::Global;
    }
    if wins {
        (place.kind, place.home, place.value, place.size) =
            (symbol.kind, symbol.home, symbol.value, symbol.size);
        (known.unit, known.ty, known.defined) = (index, ty, true);
    }
    known.section = known.section.take().or(section);
    Ok(known.symbol)
}

/// The type of a name that is not static, and the section that lists it.
fn described(btf: &Btf, name: &str) -> (Option<TypeId>, Option<String>) {
    let id = btf.named(name).find(|&id| match btf.ty(id) {
        Some(Type::Var { linkage, .. } | Type::Func { linkage, .. }) => linkage != Linkage::Static,
        _ => false,
    });
    let Some(id) = id else { return (None, None) };
    let section = btf.ids().find_map(|section| match btf.ty(section) {
        Some(Type::Datasec { name, vars, .. }) if vars.iter().any(|var| var.ty == id) => {
            Some(name.to_owned())
        }
        _ => None,
    });
    (Some(id), section)
}

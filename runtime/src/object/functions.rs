//! The functions of an object: code sections cut at symbols, decoded, references resolved.
//!
//! In: sections, symbols, relocations, maps, externs. Out: [`Body`]s in which every reference is
//! a map index, an extern, or the index of another function; distances to functions are left to
//! `link`, which decides where each function goes.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::isa::{CallTarget, DecodeError, Imm64, Insn, decode};

use super::elf::{Bind, Home, Object, Reloc, Section, Symbol, SymbolKind};
use super::externs::{Externs, Resolved};
use super::maps::Maps;
use super::{LoadError, Place};

/// `R_BPF_64_64`: the address in a `ld_imm64`.
const R_BPF_64_64: u32 = 1;
/// `R_BPF_64_32`: the distance of a call.
const R_BPF_64_32: u32 = 10;

/// Most slots of one function: what the kernel takes of one program.
const MAX_SLOTS: u64 = 1_000_000;

/// A function of the object.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub name: String,
    /// ELF index of its section.
    pub section: usize,
    /// First slot in the section.
    pub start: u32,
    /// Slot after the last.
    pub end: u32,
    pub bind: Bind,
    /// Instructions with their slots in the function.
    pub insns: Vec<(u32, Insn)>,
    /// Calls and addresses of functions: slot in this function, index of the other.
    pub calls: Vec<(u32, usize)>,
}

/// What references are resolved against.
pub(super) struct Context<'a> {
    pub object: &'a Object,
    pub maps: &'a Maps,
    pub externs: &'a Externs,
}

/// Functions by section and first slot.
type Starts = BTreeMap<(usize, u32), usize>;

/// All functions in file order.
pub(super) fn collect(cx: &Context<'_>) -> Result<Vec<Body>, LoadError> {
    let mut bodies = Vec::new();
    for (index, section) in cx.object.sections.iter().enumerate() {
        if section.executable && section.size > 0 {
            cut(cx.object, index, section, &mut bodies)?;
        }
    }
    let starts = bodies.iter().enumerate().map(|(at, body)| ((body.section, body.start), at)).collect();
    for at in 0..bodies.len() {
        let filled = fill(cx, &bodies, &starts, at)?;
        if let Some(body) = bodies.get_mut(at) {
            (body.insns, body.calls) = filled;
        }
    }
    Ok(bodies)
}

/// The functions of one section, by its symbols; they may not overlap.
fn cut(object: &Object, index: usize, section: &Section, bodies: &mut Vec<Body>) -> Result<(), LoadError> {
    let place = |offset: u64| Place::Section { name: section.name.clone(), offset };
    let bytes = object.bytes(section);
    if !bytes.len().is_multiple_of(8) {
        return Err(LoadError::malformed(place(section.size), "code is not a multiple of 8 bytes"));
    }
    let mut symbols: Vec<&Symbol> = object
        .symbols
        .iter()
        .filter(|symbol| symbol.home == Home::Section(index) && symbol.kind == SymbolKind::Function)
        .collect();
    symbols.sort_by_key(|symbol| symbol.value);
    let mut last_end = 0;
    for symbol in symbols {
        let (start, size) = (symbol.value, symbol.size);
        let end = start.checked_add(size).filter(|&end| end <= bytes.len() as u64);
        let end = end.ok_or_else(|| {
            LoadError::malformed(place(start), format!("function `{}` lies outside of it", symbol.name))
        })?;
        if start % 8 != 0 || size % 8 != 0 || size == 0 || start < last_end {
            let why = format!("function `{}` has bad bounds ({size} bytes)", symbol.name);
            return Err(LoadError::malformed(place(start), why));
        }
        if size / 8 > MAX_SLOTS {
            let why = format!("function `{}` has more than {MAX_SLOTS} instructions", symbol.name);
            return Err(LoadError::limit(place(start), why));
        }
        last_end = end;
        bodies.push(Body {
            name: symbol.name.clone(),
            section: index,
            start: (start / 8) as u32,
            end: (end / 8) as u32,
            bind: symbol.bind,
            insns: Vec::new(),
            calls: Vec::new(),
        });
    }
    Ok(())
}

/// Decodes a function and resolves its references.
#[allow(clippy::type_complexity)]
fn fill(
    cx: &Context<'_>,
    bodies: &[Body],
    starts: &Starts,
    at: usize,
) -> Result<(Vec<(u32, Insn)>, Vec<(u32, usize)>), LoadError> {
    let (mut insns, mut calls) = (Vec::new(), Vec::new());
    let Some(body) = bodies.get(at) else { return Ok((insns, calls)) };
    let Some(section) = cx.object.sections.get(body.section) else { return Ok((insns, calls)) };
    let (start, end) = (u64::from(body.start) * 8, u64::from(body.end) * 8);
    let from = section.relocs.partition_point(|reloc| reloc.offset < start);
    let to = section.relocs.partition_point(|reloc| reloc.offset < end);
    let mut relocs = section.relocs.get(from..to).unwrap_or_default().iter().peekable();
    let mut bytes = cx.object.bytes(section).get(start as usize..end as usize).unwrap_or_default();
    let mut slot = 0;
    while !bytes.is_empty() {
        let place = || Place::Insn { function: body.name.clone(), slot };
        let (insn, slots) = decode(bytes, cx.object.order).map_err(|error| undecodable(place(), &error))?;
        let offset = start + u64::from(slot) * 8;
        let reloc = relocs.next_if(|reloc| reloc.offset <= offset + 4);
        let resolver = Resolver { cx, starts, body, slot };
        let insn = match reloc {
            Some(reloc) if reloc.offset == offset => resolver.relocated(insn, reloc, &mut calls)?,
            Some(_) => return Err(LoadError::malformed(place(), "relocation inside of an instruction")),
            None => resolver.plain(insn, &mut calls)?,
        };
        insns.push((slot, insn));
        slot += slots as u32;
        bytes = bytes.get(slots * 8..).unwrap_or_default();
    }
    if relocs.next().is_some() {
        let place = Place::Insn { function: body.name.clone(), slot };
        return Err(LoadError::malformed(place, "relocation inside of an instruction"));
    }
    Ok((insns, calls))
}

fn undecodable(place: Place, error: &DecodeError) -> LoadError {
    LoadError::malformed(place, format!("{error}"))
}

/// Resolves the references of one instruction.
struct Resolver<'a> {
    cx: &'a Context<'a>,
    starts: &'a Starts,
    body: &'a Body,
    slot: u32,
}

impl Resolver<'_> {
    fn place(&self) -> Place {
        Place::Insn { function: self.body.name.clone(), slot: self.slot }
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, LoadError> {
        Err(LoadError::malformed(self.place(), message))
    }

    /// The function that begins at a slot of a section.
    fn function(&self, section: usize, slot: i64) -> Result<usize, LoadError> {
        let found = u32::try_from(slot).ok().and_then(|slot| self.starts.get(&(section, slot)).copied());
        found.map_or_else(|| self.fail(format!("refers to slot {slot}, where no function begins")), Ok)
    }

    /// An instruction without relocation: only calls inside the section refer to anything.
    fn plain(&self, insn: Insn, calls: &mut Vec<(u32, usize)>) -> Result<Insn, LoadError> {
        let distance = match insn {
            Insn::Call(CallTarget::Local(distance)) => distance,
            Insn::LoadImm64 { value: Imm64::Func(distance), .. } => distance,
            _ => return Ok(insn),
        };
        let target = i64::from(self.body.start) + i64::from(self.slot) + 1 + i64::from(distance);
        calls.push((self.slot, self.function(self.body.section, target)?));
        Ok(insn)
    }

    fn relocated(&self, insn: Insn, reloc: &Reloc, calls: &mut Vec<(u32, usize)>) -> Result<Insn, LoadError> {
        let Some(symbol) = self.cx.object.symbols.get(reloc.symbol) else {
            return self.fail("relocation of a symbol that is not there");
        };
        match (reloc.kind, insn) {
            (R_BPF_64_64, Insn::LoadImm64 { dst, value }) => {
                let addend = match value {
                    Imm64::Const(value) => value as u32,
                    Imm64::MapFd(value) | Imm64::Func(value) => value as u32,
                    _ => return self.fail("relocated `ld_imm64` of an unexpected kind"),
                };
                let value = self.address(symbol, addend, calls)?;
                Ok(Insn::LoadImm64 { dst, value })
            }
            (R_BPF_64_32, Insn::Call(CallTarget::Local(imm))) => self.call(symbol, imm, calls),
            // An extern function called through `call 0` by older compilers.
            (R_BPF_64_32, Insn::Call(CallTarget::Helper(imm))) => self.call(symbol, imm, calls),
            (kind, _) => self.fail(format!(
                "relocation type {kind} against `{}` does not fit the instruction",
                self.cx.object.symbol_name(symbol)
            )),
        }
    }

    fn call(&self, symbol: &Symbol, imm: i32, calls: &mut Vec<(u32, usize)>) -> Result<Insn, LoadError> {
        let section = match symbol.home {
            Home::Section(section) => section,
            Home::Undefined => return self.extern_call(symbol),
            Home::Elsewhere => return self.fail(format!("`{}` is not a function", symbol.name)),
        };
        if !self.cx.object.sections.get(section).is_some_and(|section| section.executable) {
            return self.fail(format!("calls `{}`, which is not code", self.cx.object.symbol_name(symbol)));
        }
        let target = (symbol.value / 8) as i64 + i64::from(imm) + 1;
        calls.push((self.slot, self.function(section, target)?));
        Ok(Insn::Call(CallTarget::Local(0)))
    }

    fn extern_call(&self, symbol: &Symbol) -> Result<Insn, LoadError> {
        match self.cx.externs.get(&symbol.name) {
            Some(Resolved::Kfunc { id }) => Ok(Insn::Call(CallTarget::Kfunc { id: *id, module: 0 })),
            // As libbpf poisons calls of weak functions that the kernel does not have.
            Some(Resolved::Absent) => Ok(Insn::Call(CallTarget::Helper(super::KFUNC_POISON))),
            Some(Resolved::Variable(_)) => self.fail(format!("calls variable `{}`", symbol.name)),
            None => self.unresolved(symbol),
        }
    }

    fn unresolved<T>(&self, symbol: &Symbol) -> Result<T, LoadError> {
        let message = format!("refers to `{}`, which is not defined", symbol.name);
        Err(LoadError::unresolved(self.place(), message))
    }

    /// What a `ld_imm64` of `symbol` plus `addend` loads.
    fn address(
        &self,
        symbol: &Symbol,
        addend: u32,
        calls: &mut Vec<(u32, usize)>,
    ) -> Result<Imm64, LoadError> {
        let index = match symbol.home {
            Home::Section(index) => index,
            Home::Undefined => {
                return match self.cx.externs.get(&symbol.name) {
                    Some(Resolved::Variable(value)) => Ok(*value),
                    Some(Resolved::Kfunc { id }) => Ok(Imm64::BtfId { id: *id, module: 0 }),
                    Some(Resolved::Absent) => Ok(Imm64::Const(0)),
                    None => self.unresolved(symbol),
                };
            }
            Home::Elsewhere => return self.fail(format!("`{}` has no address", symbol.name)),
        };
        let Some(section) = self.cx.object.sections.get(index) else {
            return self.fail("refers to a section that is not there");
        };
        let offset = symbol.value.wrapping_add(u64::from(addend));
        if section.executable {
            if offset % 8 != 0 {
                return self.fail("address inside of an instruction");
            }
            calls.push((self.slot, self.function(index, (offset / 8) as i64)?));
            return Ok(Imm64::Func(0));
        }
        if section.name == ".maps" {
            let found = self.cx.maps.declared.iter().find(|(at, ..)| *at == offset);
            return match found {
                Some((_, _, map)) => Ok(Imm64::MapIdx(*map as i32)),
                None => self.fail(format!("refers to `.maps`+{offset:#x}, where no map begins")),
            };
        }
        match self.cx.maps.data.iter().find(|(data, _)| *data == index) {
            Some((_, map)) if offset <= section.size => {
                Ok(Imm64::MapIdxValue { index: *map as i32, offset: offset as u32 })
            }
            Some(_) => self.fail(format!("address past the end of section `{}`", section.name)),
            None => self.fail(format!("refers to section `{}`, which is not data", section.name)),
        }
    }
}

/// The bytes of a section before its first terminator, as text.
pub(super) fn text_of(bytes: &[u8]) -> String {
    let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..len).unwrap_or_default()).to_string()
}

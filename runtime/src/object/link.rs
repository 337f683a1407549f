//! From an [`Object`] to an [`Image`]: the order of the steps, and the placing of subprograms.
//!
//! In: an object and what the target kernel knows ([`LinkOptions`]). Out: an image, or the first
//! thing that does not resolve. Each entry program becomes one body: its own instructions, then
//! every function it reaches, each once, in the order in which it is first referred to.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use skep_stdlib::btf::ext::{Ext, LineInfo};
use skep_stdlib::btf::{Btf, BtfError, Linkage, StrOff, Type, TypeId};
use skep_stdlib::features::Kernel;
use skep_stdlib::isa::{CallTarget, Imm64, Insn};
use skep_stdlib::programs::sections;

use super::elf::{Bind, Home, Object};
use super::functions::{self, Body, text_of};
use super::maps::Maps;
use super::{Code, Function, Image, Line, LoadError, Place, Program, Slot, btf_fix, core, externs, maps};

/// Most slots of a linked program.
const MAX_SLOTS: u32 = 1_000_000;
/// Most slots of all programs together.
const MAX_TOTAL: u32 = 16_000_000;

/// What the target kernel knows.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// Its version: what `LINUX_KERNEL_VERSION` says unless it is given.
    pub kernel: Kernel,
    /// Its types; none to resolve against the object's own.
    pub target_btf: Option<Arc<Btf>>,
    /// Its configuration: `CONFIG_HZ` to `250`, as in `.config`.
    pub kconfig: BTreeMap<String, String>,
    /// Addresses of its symbols.
    pub ksyms: BTreeMap<String, u64>,
}

impl Default for LinkOptions {
    fn default() -> LinkOptions {
        LinkOptions {
            kernel: Kernel::LATEST,
            target_btf: None,
            kconfig: BTreeMap::new(),
            ksyms: BTreeMap::new(),
        }
    }
}

/// The type information of an object.
pub(super) struct Info {
    pub btf: Option<Arc<Btf>>,
    pub ext: Ext,
    /// FUNC by section and first slot.
    funcs: BTreeMap<(String, u32), TypeId>,
    /// Line records by section, ascending.
    lines: BTreeMap<String, Vec<LineInfo>>,
}

impl Info {
    fn new(btf: Option<Arc<Btf>>, ext: Ext) -> Info {
        let name = |at| btf.as_ref().and_then(|btf| btf.string(at)).unwrap_or_default().to_owned();
        let mut funcs = BTreeMap::new();
        for section in &ext.funcs {
            let name = name(section.name);
            funcs.extend(section.records.iter().map(|r| ((name.clone(), r.insn_off / 8), r.ty)));
        }
        let mut lines: BTreeMap<String, Vec<LineInfo>> = BTreeMap::new();
        for section in &ext.lines {
            lines.entry(name(section.name)).or_default().extend(&section.records);
        }
        // Compilers write them in order; files need not be.
        lines.values_mut().for_each(|lines| lines.sort_by_key(|line| line.insn_off));
        Info { btf, ext, funcs, lines }
    }
}

impl Object {
    /// Links the object for a target.
    pub fn link(&self, options: &LinkOptions) -> Result<Image, LoadError> {
        let info = self.info()?;
        let btf = info.btf.as_deref();
        let mut maps = maps::collect(self, btf)?;
        let externs = externs::resolve(self, btf, options, &mut maps)?;
        let cx = functions::Context { object: self, maps: &maps, externs: &externs };
        let mut bodies = functions::collect(&cx)?;
        core::apply(self, &info, options, &mut bodies)?;
        let programs = self.programs(&info, &bodies)?;
        self.static_slots(&mut maps, &programs)?;
        let section = |name| self.section_bytes(name).unwrap_or_default();
        Ok(Image {
            order: self.order,
            programs,
            maps: maps.defs,
            btf: info.btf,
            target_btf: options.target_btf.clone(),
            kfuncs: externs.kfuncs,
            ksyms: externs.ksyms,
            license: text_of(section("license")),
            kernel_version: self.order.u32(section("version"), 0),
        })
    }

    /// The object's BTF, completed, if it has any.
    pub fn btf(&self) -> Result<Option<Btf>, LoadError> {
        let Some(bytes) = self.section_bytes(".BTF") else { return Ok(None) };
        let btf = Btf::parse(btf_fix::complete(self, bytes)).map_err(|error| bad_btf(".BTF", error))?;
        Ok(Some(btf))
    }

    fn info(&self) -> Result<Info, LoadError> {
        let btf = self.btf()?.map(Arc::new);
        let ext = match self.section_bytes(".BTF.ext") {
            Some(bytes) if btf.is_some() => Ext::parse(bytes).map_err(|error| bad_btf(".BTF.ext", error))?,
            _ => Ext::default(),
        };
        Ok(Info::new(btf, ext))
    }

    /// Links every entry program.
    fn programs(&self, info: &Info, bodies: &[Body]) -> Result<Vec<Program>, LoadError> {
        let mut programs = Vec::new();
        let mut total = 0u32;
        for (index, body) in bodies.iter().enumerate() {
            let Some(section) = self.sections.get(body.section) else { continue };
            if section.name == ".text" {
                continue;
            }
            let Some(found) = sections::find(&section.name) else {
                let place = Place::Section { name: section.name.clone(), offset: 0 };
                return Err(LoadError::unsupported(place, "no program type has sections of this name"));
            };
            if body.bind == Bind::Local {
                let place = Place::Insn { function: body.name.clone(), slot: 0 };
                return Err(LoadError::unsupported(place, "a static function cannot be an entry program"));
            }
            let mut linker =
                Linker { object: self, info, bodies, starts: BTreeMap::new(), order: vec![], slots: 0 };
            let func = linker.btf_func(body);
            let named = info.btf.as_deref().zip(func);
            let handlers = named.map(|(btf, func)| exception_handlers(btf, func)).unwrap_or_default();
            let (code, functions, lines) = linker.link(index, &handlers)?;
            total = total.saturating_add(code.len());
            if total > MAX_TOTAL {
                let place = Place::Insn { function: body.name.clone(), slot: 0 };
                let what = format!("the programs have more than {MAX_TOTAL} instructions in all");
                return Err(LoadError::limit(place, what));
            }
            programs.push(Program {
                name: body.name.clone(),
                section: section.name.clone(),
                ty: found.section.ty,
                attach: found.section.attach,
                target: found.target.map(ToOwned::to_owned),
                implements: info.btf.as_ref().and_then(|btf| self.implemented(btf, &body.name)),
                sleepable: found.section.sleepable,
                optional: found.optional,
                code,
                functions,
                handlers: handlers.iter().map(|&name| name.to_owned()).collect(),
                lines,
            });
        }
        Ok(programs)
    }

    /// Static initialisers of maps of maps and of programs: relocations inside `.maps`.
    fn static_slots(&self, maps: &mut Maps, programs: &[Program]) -> Result<(), LoadError> {
        let Some((home, section)) = self.sections.iter().enumerate().find(|(_, s)| s.name == ".maps") else {
            return Ok(());
        };
        for reloc in &section.relocs {
            let place = Place::Section { name: ".maps".into(), offset: reloc.offset };
            let owner = maps.values.iter().rev().find(|(start, _)| *start <= reloc.offset);
            let (Some(&(start, owner)), Some(symbol)) = (owner, self.symbols.get(reloc.symbol)) else {
                return Err(LoadError::malformed(place, "relocation outside of any `values`"));
            };
            let target = match symbol.home {
                Home::Section(index) if index == home => maps
                    .declared
                    .iter()
                    .find(|(at, ..)| *at == symbol.value)
                    .map(|&(_, _, index)| Slot::Map(index)),
                Home::Section(_) => {
                    let found = programs.iter().position(|program| program.name == symbol.name);
                    found.map(|index| Slot::Program(index as u32))
                }
                Home::Undefined | Home::Elsewhere => None,
            };
            let Some(target) = target else {
                let what = format!("`{}` is neither a map nor a program", self.symbol_name(symbol));
                return Err(LoadError::unresolved(place, what));
            };
            let index = ((reloc.offset - start) / 8) as u32;
            if let Some(def) = maps.defs.get_mut(owner as usize) {
                def.slots.push((index, target));
                def.max_entries = def.max_entries.max(index + 1);
            }
        }
        Ok(())
    }
}

fn bad_btf(section: &str, error: BtfError) -> LoadError {
    let place = Place::Section { name: section.to_string(), offset: error.offset as u64 };
    LoadError::malformed(place, format!("{error}"))
}

/// The functions that a function's tags name to handle its exceptions.
fn exception_handlers(btf: &Btf, function: TypeId) -> Vec<&str> {
    btf.tags(function, None).filter_map(|tag| tag.strip_prefix("exception_callback:")).collect()
}

/// Puts together one program.
struct Linker<'a> {
    object: &'a Object,
    info: &'a Info,
    bodies: &'a [Body],
    /// Start in the program by function.
    starts: BTreeMap<usize, u32>,
    order: Vec<usize>,
    /// Slots of those.
    slots: u32,
}

impl Linker<'_> {
    /// The program that starts with a function; these handle its exceptions.
    fn link(
        &mut self,
        entry: usize,
        handlers: &[&str],
    ) -> Result<(Code, Vec<Function>, Vec<Line>), LoadError> {
        self.place(vec![entry])?;
        // What handles its exceptions is called by nobody.
        let handles = |body: &Body| body.bind != Bind::Local && handlers.contains(&body.name.as_str());
        self.place((0..self.bodies.len()).filter(|&index| handles(&self.bodies[index])).collect())?;
        let mut code = Code::default();
        let (mut functions, mut lines) = (Vec::new(), Vec::new());
        for &index in &self.order {
            let Some(body) = self.bodies.get(index) else { continue };
            let start = code.len();
            for &(slot, insn) in &body.insns {
                let insn = match body.calls.binary_search_by_key(&slot, |&(at, _)| at) {
                    Ok(found) => self.retarget(insn, start + slot, body.calls.get(found).map(|call| call.1)),
                    Err(_) => insn,
                };
                code.push(insn);
            }
            functions.push(Function {
                name: body.name.clone(),
                start,
                end: code.len(),
                btf_func: self.btf_func(body),
                global: self.is_global(body),
                origin: (self.section_name(body).to_string(), body.start),
            });
            self.lines_of(body, start, &mut lines);
        }
        Ok((code, functions, lines))
    }

    /// Gives the functions and all they reach their starts, in order of first reference.
    fn place(&mut self, mut pending: Vec<usize>) -> Result<(), LoadError> {
        while let Some(index) = pending.pop() {
            let Some(body) = self.bodies.get(index) else { continue };
            if self.starts.contains_key(&index) {
                continue;
            }
            self.starts.insert(index, self.slots);
            self.order.push(index);
            self.slots = self.slots.saturating_add(body.end - body.start);
            if self.slots > MAX_SLOTS {
                let place = Place::Insn { function: body.name.clone(), slot: 0 };
                let what = format!("the linked program has more than {MAX_SLOTS} instructions");
                return Err(LoadError::limit(place, what));
            }
            pending.extend(body.calls.iter().rev().map(|&(_, callee)| callee));
        }
        Ok(())
    }

    /// The instruction with the distance from `slot` to the function it refers to.
    fn retarget(&self, insn: Insn, slot: u32, callee: Option<usize>) -> Insn {
        let start = callee.and_then(|callee| self.starts.get(&callee)).copied().unwrap_or(0);
        let distance = (i64::from(start) - i64::from(slot) - 1) as i32;
        match insn {
            Insn::Call(CallTarget::Local(_)) => Insn::Call(CallTarget::Local(distance)),
            Insn::LoadImm64 { dst, value: Imm64::Func(_) } => {
                Insn::LoadImm64 { dst, value: Imm64::Func(distance) }
            }
            other => other,
        }
    }

    fn section_name(&self, body: &Body) -> &str {
        self.object.sections.get(body.section).map_or("", |section| &section.name)
    }

    /// Is it verified apart? That the types say, if there are any.
    fn is_global(&self, body: &Body) -> bool {
        let ty = self.info.btf.as_deref().zip(self.btf_func(body)).and_then(|(btf, id)| btf.ty(id));
        match ty {
            Some(Type::Func { linkage, .. }) => linkage == Linkage::Global,
            _ => body.bind != Bind::Local,
        }
    }

    fn btf_func(&self, body: &Body) -> Option<TypeId> {
        self.info.funcs.get(&(self.section_name(body).to_owned(), body.start)).copied()
    }

    fn lines_of(&self, body: &Body, start: u32, lines: &mut Vec<Line>) {
        let Some(btf) = self.info.btf.as_deref() else { return };
        let Some(records) = self.info.lines.get(self.section_name(body)) else { return };
        let mut texts: BTreeMap<StrOff, Arc<str>> = BTreeMap::new();
        let mut text = |at: StrOff| -> Arc<str> {
            texts.entry(at).or_insert_with(|| Arc::from(btf.string(at).unwrap_or_default())).clone()
        };
        let from = records.partition_point(|record| record.insn_off / 8 < body.start);
        let to = records.partition_point(|record| record.insn_off / 8 < body.end);
        for record in records.get(from..to).unwrap_or_default() {
            lines.push(Line {
                slot: start + record.insn_off / 8 - body.start,
                file: text(record.file),
                text: text(record.text),
                line: record.line,
                column: record.column,
                file_at: record.file,
                text_at: record.text,
            });
        }
    }
}

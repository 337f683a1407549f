//! `.BTF.ext`: functions, source lines and CO-RE relocations by instruction.
//!
//! In: the code's side lists. Out: records by section, sorted by offset, as the kernel demands:
//! line records have strictly increasing offsets and every function starts with one.

use std::collections::BTreeMap;

use skep_stdlib::btf::TypeId;
use skep_stdlib::btf::ext::{CoreRelo, Ext, ExtSection, FuncInfo, LineInfo};
use skep_syntax::source::Loc;

use crate::codegen::code::FuncCode;
use crate::hir::SymbolRef;
use crate::ir::SrcLoc;
use crate::sections::symbol_ref;

use super::Input;
use super::types::TypeWriter;

/// Builds all records; may add the types that relocations start from.
pub fn build(input: &Input<'_>, types: &mut TypeWriter<'_>, ids: &BTreeMap<SymbolRef, TypeId>) -> Ext {
    let mut ext = Ext::default();
    for (index, section) in input.layout.sections.iter().enumerate() {
        let name = types.string(&section.name);
        let (mut funcs, mut lines, mut relos) = (Vec::new(), Vec::new(), Vec::new());
        for func in &input.code.functions {
            let symbol = symbol_ref(&input.ir.symbols[func.symbol]);
            let Some(place) = input.layout.places.get(&symbol).filter(|place| place.section == index) else {
                continue;
            };
            let base = place.offset as u32;
            if let Some(&ty) = ids.get(&symbol) {
                funcs.push(FuncInfo { insn_off: base, ty });
            }
            add_lines(input, types, func, symbol, base, &mut lines);
            add_relos(input, types, func, base, &mut relos);
        }
        ext.funcs.push(ExtSection { name, records: funcs });
        ext.lines.push(ExtSection { name, records: lines });
        ext.relos.push(ExtSection { name, records: relos });
    }
    ext
}

fn add_lines(
    input: &Input<'_>,
    types: &mut TypeWriter<'_>,
    func: &FuncCode,
    symbol: SymbolRef,
    base: u32,
    lines: &mut Vec<LineInfo>,
) {
    let declared = match symbol {
        SymbolRef::Func(id) => input.module.functions[id.index()].span.lo,
        SymbolRef::Global(_) => Loc::NONE,
    };
    let mut last = None;
    for (index, &(slot, loc)) in func.lines.iter().enumerate() {
        let mut at = position(input, loc);
        if index == 0 && !at.is_some() {
            at = declared;
        }
        if !at.is_some() || last == Some(at) {
            continue;
        }
        if let Some(line) = line_info(input, types, base + slot * 8, at) {
            last = Some(at);
            lines.push(line);
        }
    }
}

/// Where a location is in a file: of a macro, the place of its invocation.
fn position(input: &Input<'_>, loc: SrcLoc) -> Loc {
    if loc == SrcLoc::NONE {
        return Loc::NONE;
    }
    let span = input.ir.locs[loc].span;
    input.session.source.invocation(span.lo).lo
}

fn line_info(input: &Input<'_>, types: &mut TypeWriter<'_>, insn_off: u32, at: Loc) -> Option<LineInfo> {
    let source = &input.session.source;
    let (file, place) = source.presumed(at)?;
    let file = types.string(&portable_name(file, input.main));
    let text = types.string(source.line_text(at).trim_end());
    Some(LineInfo { insn_off, file, text, line: place.line, column: place.col })
}

/// A file name that does not depend on where the source tree lies: relative to the main file's
/// directory when it is below that, else without its directory when it is absolute.
pub fn portable_name(file: &str, main: &str) -> String {
    let directory = main.rfind('/').map_or("", |end| &main[..=end]);
    match file.strip_prefix(directory) {
        Some(below) if !below.starts_with('/') => below.to_owned(),
        _ if file.starts_with('/') => file.rsplit('/').next().unwrap_or(file).to_owned(),
        _ => file.to_owned(),
    }
}

fn add_relos(
    input: &Input<'_>,
    types: &mut TypeWriter<'_>,
    func: &FuncCode,
    base: u32,
    relos: &mut Vec<CoreRelo>,
) {
    for &(slot, core) in &func.cores {
        let index = input.ir.cores[core].index as usize;
        let Some(reloc) = input.module.core_relocs.get(index) else { continue };
        let ty = types.full(reloc.root);
        let access = types.string(&reloc.access);
        relos.push(CoreRelo { insn_off: base + slot * 8, ty, access, kind: reloc.kind });
    }
}

#[cfg(test)]
mod tests {
    use super::portable_name;

    #[test]
    fn names_do_not_depend_on_the_directory() {
        let cases = [
            ("a/x.bpf.c", "a/x.bpf.c", "x.bpf.c"),
            ("/home/me/x.bpf.c", "/home/me/x.bpf.c", "x.bpf.c"),
            ("/home/me/inc/x.h", "/home/me/x.bpf.c", "inc/x.h"),
            ("/usr/include/bpf/bpf_helpers.h", "x.bpf.c", "bpf_helpers.h"),
            ("../x.h", "x.bpf.c", "../x.h"),
        ];
        for (file, main, expected) in cases {
            assert_eq!(portable_name(file, main), expected);
        }
    }
}

//! From an instruction to the C that it came from.
//!
//! For objects that we compiled, the compiler's own tables give the exact expression and the calls
//! that were inlined around it. For any other object there are the line records of `.BTF.ext`.

use skep_compiler::Compiled;
use skep_compiler::ir::SrcLoc;
use skep_compiler::sections::symbol_ref;
use skep_runtime::object::Program;
use skep_syntax::source::Span;

/// The C expression of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The expression.
    pub span: Span,
    /// The calls around it that were inlined, innermost first.
    pub inlined_at: Vec<Span>,
}

/// Where the instruction at `slot` of a linked program came from, in what we compiled.
pub fn origin(compiled: &Compiled, program: &Program, slot: u32) -> Option<Origin> {
    let function = program.function_at(slot)?;
    let (section, first) = &function.origin;
    let slot = first + (slot - function.start);
    for code in &compiled.code.functions {
        let place = compiled.layout.places.get(&symbol_ref(&compiled.ir.symbols[code.symbol]))?;
        let start = (place.offset / 8) as u32;
        let end = start + (place.size / 8) as u32;
        if compiled.layout.sections[place.section].name == *section && (start..end).contains(&slot) {
            let after = code.lines.partition_point(|&(at, _)| at <= slot - start);
            let (_, loc) = *code.lines.get(after.checked_sub(1)?)?;
            return resolve(compiled, loc);
        }
    }
    None
}

fn resolve(compiled: &Compiled, loc: SrcLoc) -> Option<Origin> {
    let data = compiled.ir.locs.get(loc)?;
    let mut inlined_at = Vec::new();
    let mut call = data.inlined_at;
    while let Some(data) = call.and_then(|loc| compiled.ir.locs.get(loc)) {
        inlined_at.push(data.span);
        call = data.inlined_at;
    }
    data.span.is_some().then_some(Origin { span: data.span, inlined_at })
}

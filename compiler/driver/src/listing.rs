//! Instructions as text, with the C lines they came from.

use std::fmt::Write;

use skep_compiler::Compiled;
use skep_compiler::sections::symbol_ref;
use skep_syntax::Session;
use skep_syntax::source::Loc;

/// The code of a compiled unit: functions, source lines, instructions with their slots.
pub fn assembly(compiled: &Compiled, session: &Session<'_>) -> String {
    let mut text = String::new();
    for func in &compiled.code.functions {
        let symbol = &compiled.ir.symbols[func.symbol];
        let section = compiled
            .layout
            .places
            .get(&symbol_ref(symbol))
            .map_or("", |place| compiled.layout.sections[place.section].name.as_str());
        let _ = writeln!(text, "{}: # section `{section}`, stack {}", symbol.name, func.stack);
        let mut lines = func.lines.iter().peekable();
        let mut relocs = func.relocs.iter().peekable();
        let mut cores = func.cores.iter().peekable();
        let mut words = func.words.iter().peekable();
        let mut slot = 0;
        for insn in &func.insns {
            while let Some((_, loc)) = lines.next_if(|(at, _)| *at <= slot) {
                let at = compiled.ir.locs.get(*loc).map_or(Loc::NONE, |data| data.span.lo);
                write_line(&mut text, session, at);
            }
            let _ = match words.next_if(|(at, _)| *at == slot) {
                Some((_, word)) => write!(text, "{slot:6}: .byte {:02x?}", word.little),
                None => write!(text, "{slot:6}: {insn}"),
            };
            if let Some(reloc) = relocs.next_if(|reloc| reloc.slot == slot) {
                let _ = write!(text, "  # {}", compiled.ir.symbols[reloc.symbol].name);
            }
            if let Some((_, core)) = cores.next_if(|(at, _)| *at == slot) {
                let _ = write!(text, "  # CO-RE {}", compiled.ir.cores[*core].text);
            }
            text.push('\n');
            slot += insn.slots() as u32;
        }
    }
    text
}

fn write_line(text: &mut String, session: &Session<'_>, at: Loc) {
    let at = session.source.invocation(at).lo;
    if let Some((file, place)) = session.source.presumed(at) {
        let _ = writeln!(text, "; {} @ {file}:{}", session.source.line_text(at).trim(), place.line);
    }
}

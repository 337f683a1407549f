//! Inline assembly: operands become places and values; the template is left as it is.

use skep_syntax::ast::{AsmId, AsmOperandId, StrId};
use skep_syntax::diag::codes;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{Asm, AsmInput, AsmOutput, Stmt, StmtKind};

use super::Sema;
use super::access::Operand;

impl Sema<'_, '_> {
    /// An `asm` statement.
    pub(super) fn asm(&mut self, id: AsmId, span: Span, out: &mut Vec<Stmt>) {
        let asm = self.ast.asm(id);
        let mut template = self.text(asm.template);
        if !asm.is_extended {
            // Without operands there is nothing that `%` could introduce.
            template = template.replace('%', "%%");
        }
        let mut outputs = Vec::new();
        for operand in self.ast.list(asm.outputs) {
            outputs.extend(self.asm_output(operand));
        }
        let names: Vec<Option<Symbol>> =
            self.ast.list(asm.outputs).map(|operand| self.ast.asm_operand(operand).name).collect();
        let mut inputs = Vec::new();
        for operand in self.ast.list(asm.inputs) {
            inputs.extend(self.asm_input(operand, &names));
        }
        let clobbers: Vec<String> = self.ast.list(asm.clobbers).map(|text| self.text(text)).collect();
        let labels: Vec<_> =
            self.ast.list(asm.labels).map(|name| (self.ast.name(name), self.ast.name_span(name))).collect();
        let mut targets = Vec::new();
        for (name, at) in labels {
            let label = self.label(name, at);
            let from = self.cleanup_now();
            if let Some(f) = &mut self.ctx.function {
                let region = f.labels.region;
                if let Some(info) = f.labels.info.get_mut(label.index()) {
                    info.uses.push((at, region));
                }
            }
            targets.push(self.landing_pad(label, from, at));
        }
        let volatile = asm.is_volatile || asm.is_goto || outputs.is_empty();
        let asm = Asm { template, volatile, outputs, inputs, clobbers, labels: targets };
        out.push(Stmt { kind: StmtKind::Asm(Box::new(asm)), span });
    }

    fn text(&self, id: StrId) -> String {
        String::from_utf8_lossy(self.ast.string_bytes(id)).into_owned()
    }

    fn asm_output(&mut self, id: AsmOperandId) -> Option<AsmOutput> {
        let operand = self.ast.asm_operand(id);
        let constraint = self.text(operand.constraint);
        let target = self.operand(operand.value);
        if !constraint.starts_with(['=', '+']) {
            let message =
                format!("the constraint `{constraint}` of an output starts with neither `=` nor `+`");
            self.error(&codes::ASM, self.ast.string_span(operand.constraint), message);
            return None;
        }
        let place = if let Operand::Place(lvalue) = &target
            && !self.is_scalar(lvalue.ty)
            && constraint.contains('m')
        {
            self.operand_place(target)
        } else {
            self.modifiable(target)?
        };
        let read_write = constraint.starts_with('+');
        let constraint = constraint.trim_start_matches(['=', '+', '&']).to_owned();
        Some(AsmOutput { name: operand.name, constraint, read_write, place })
    }

    fn asm_input(&mut self, id: AsmOperandId, outputs: &[Option<Symbol>]) -> Option<AsmInput> {
        let operand = self.ast.asm_operand(id);
        let mut constraint = self.text(operand.constraint);
        if constraint.starts_with(['=', '+']) {
            let message = format!("the constraint `{constraint}` of an input starts like that of an output");
            self.error(&codes::ASM, self.ast.string_span(operand.constraint), message);
            return None;
        }
        if let Some(name) = constraint.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let tied = self.cx.names.lookup(name.as_bytes());
            match outputs.iter().position(|&output| output.is_some() && output == tied) {
                Some(index) => constraint = index.to_string(),
                None => {
                    let message = format!("there is no output named `{name}`");
                    self.error(&codes::ASM, self.ast.string_span(operand.constraint), message);
                    return None;
                }
            }
        }
        let value = self.operand(operand.value);
        let memory_only = constraint.contains('m') && !constraint.contains(['r', 'i', 'g', 'n']);
        let value = match value {
            Operand::Place(_) if memory_only => {
                let span = value.span();
                self.take_address(value, span)
            }
            other => self.value(other),
        };
        if self.is_error(value.ty) {
            return None;
        }
        if !self.is_scalar(value.ty) {
            let message = format!("an operand of type {} fits no register", self.shown(value.ty));
            self.error(&codes::ASM, value.span, message);
            return None;
        }
        Some(AsmInput { name: operand.name, constraint, value })
    }
}

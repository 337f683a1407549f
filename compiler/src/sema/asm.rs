//! Inline assembly: operands become places and values, their constraints and the clobbers are
//! decoded, and the names in the template become numbers.

use skep_syntax::ast::{AsmId, AsmOperandId, StrId};
use skep_syntax::diag::codes;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{Asm, AsmConstraint, AsmInput, AsmOutput, Expr, ExprKind, LabelId, Stmt, StmtKind};

use super::Sema;
use super::access::Operand;
use super::consteval::truncate;
use super::scope::Binding;

/// What a template may refer to.
struct Names {
    /// Names of the operands.
    operands: Vec<Option<Symbol>>,
    /// Outputs that are read as well: they count once more before the labels.
    read_write: usize,
    labels: Vec<Symbol>,
}

impl Sema<'_, '_> {
    /// An `asm` statement.
    pub(super) fn asm(&mut self, id: AsmId, span: Span, out: &mut Vec<Stmt>) {
        let asm = self.ast.asm(id);
        let mut template = self.text(asm.template);
        let mut outputs = Vec::new();
        for operand in self.ast.list(asm.outputs) {
            outputs.extend(self.asm_output(operand));
        }
        let mut names: Vec<Option<Symbol>> =
            self.ast.list(asm.outputs).map(|operand| self.ast.asm_operand(operand).name).collect();
        let mut inputs = Vec::new();
        for operand in self.ast.list(asm.inputs) {
            inputs.extend(self.asm_input(operand, &names));
        }
        names.extend(self.ast.list(asm.inputs).map(|operand| self.ast.asm_operand(operand).name));
        let (clobbers, memory) = self.clobbers(asm.clobbers);
        let labels: Vec<_> =
            self.ast.list(asm.labels).map(|name| (self.ast.name(name), self.ast.name_span(name))).collect();
        let names = Names {
            operands: names,
            read_write: outputs.iter().filter(|output| output.read_write).count(),
            labels: labels.iter().map(|&(name, _)| name).collect(),
        };
        let targets = labels.into_iter().map(|(name, at)| self.asm_target(name, at)).collect();
        if asm.is_extended {
            template = self.numbered(&template, &names, self.ast.string_span(asm.template));
        } else {
            // Without operands there is nothing that `%` could introduce.
            template = template.replace('%', "%%");
        }
        self.mention_symbols(&template);
        let volatile = asm.is_volatile || asm.is_goto || outputs.is_empty();
        let asm = Asm { template, volatile, outputs, inputs, clobbers, memory, labels: targets };
        out.push(Stmt { kind: StmtKind::Asm(Box::new(asm)), span });
    }

    fn text(&self, id: StrId) -> String {
        String::from_utf8_lossy(self.ast.string_bytes(id)).into_owned()
    }

    /// Declares what the text of assembly names, so that the object has a symbol for it.
    fn mention_symbols(&mut self, template: &str) {
        for word in template.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            if let Some(name) = self.cx.names.lookup(word.as_bytes())
                && let Some((Binding::Func(func), _)) = self.entity(name)
            {
                self.queue_function(func);
            }
        }
    }

    fn asm_target(&mut self, name: Symbol, at: Span) -> LabelId {
        let label = self.label(name, at);
        let from = self.cleanup_now();
        if let Some(f) = &mut self.ctx.function {
            let region = f.labels.region;
            if let Some(info) = f.labels.info.get_mut(label.index()) {
                info.uses.push((at, region));
            }
        }
        self.landing_pad(label, from, at)
    }

    /// The destroyed registers, one bit each, and whether memory is.
    fn clobbers(&mut self, list: skep_syntax::ast::List<StrId>) -> (u16, bool) {
        let (mut registers, mut memory) = (0, false);
        for id in self.ast.list(list) {
            let name = self.text(id);
            let number = name.strip_prefix(['r', 'w']).and_then(|number| number.parse::<u16>().ok());
            match (name.as_str(), number) {
                ("memory", _) => memory = true,
                ("cc", _) => {}
                (_, Some(number)) if number <= 11 => registers |= 1 << number,
                _ => {
                    let message = format!("there is no register `{name}`");
                    self.error(&codes::ASM, self.ast.string_span(id), message);
                }
            }
        }
        (registers, memory)
    }

    /// The template with numbers for names, and labels counted from 0.
    fn numbered(&mut self, template: &str, names: &Names, span: Span) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            out.push('%');
            let modifier = after.chars().next().filter(|c| !c.is_ascii_digit() && *c != '[');
            let after = &after[modifier.map_or(0, char::len_utf8)..];
            out.extend(modifier);
            rest = after;
            if let Some('%' | '=') = modifier {
                continue;
            }
            let number = if let Some((name, after)) = after.strip_prefix('[').and_then(|a| a.split_once(']'))
            {
                rest = after;
                self.asm_name(name, modifier == Some('l'), names).ok_or(name)
            } else {
                let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
                rest = &after[digits..];
                let first = if modifier == Some('l') { names.operands.len() } else { 0 };
                let number =
                    after[..digits].parse::<usize>().ok().and_then(|number| number.checked_sub(first));
                // Read-write operands count twice.
                let number = number.map(|number| {
                    if first > 0 && number >= names.read_write { number - names.read_write } else { number }
                });
                let count = if modifier == Some('l') { names.labels.len() } else { names.operands.len() };
                number.filter(|&number| number < count).ok_or(&after[..digits])
            };
            match number {
                Ok(number) => out.push_str(&number.to_string()),
                Err(name) => {
                    let message = format!("the assembly has no operand `{name}`");
                    self.error(&codes::ASM, span, message);
                    return String::new();
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// The number of an operand or label by its name.
    fn asm_name(&self, name: &str, label: bool, names: &Names) -> Option<usize> {
        let name = self.cx.names.lookup(name.as_bytes())?;
        if label {
            return names.labels.iter().position(|&known| known == name);
        }
        names.operands.iter().position(|&known| known == Some(name))
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
        Some(AsmOutput {
            constraint: decoded(&constraint),
            read_write: constraint.starts_with('+'),
            early: constraint.contains('&'),
            place,
        })
    }

    fn asm_input(&mut self, id: AsmOperandId, outputs: &[Option<Symbol>]) -> Option<AsmInput> {
        let operand = self.ast.asm_operand(id);
        let text = self.text(operand.constraint);
        let mut constraint = decoded(&text);
        if text.starts_with(['=', '+']) {
            let message = format!("the constraint `{text}` of an input starts like that of an output");
            self.error(&codes::ASM, self.ast.string_span(operand.constraint), message);
            return None;
        }
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let tied = self.cx.names.lookup(name.as_bytes());
            match outputs.iter().position(|&output| output.is_some() && output == tied) {
                Some(index) => constraint = AsmConstraint { tied: Some(index as u32), ..Default::default() },
                None => {
                    let message = format!("there is no output named `{name}`");
                    self.error(&codes::ASM, self.ast.string_span(operand.constraint), message);
                    return None;
                }
            }
        }
        if constraint.tied.is_some_and(|output| output as usize >= outputs.len()) {
            let message = format!("there is no output number {text}");
            self.error(&codes::ASM, self.ast.string_span(operand.constraint), message);
            return None;
        }
        let value = match self.operand(operand.value) {
            value @ Operand::Place(_) if constraint.memory => {
                let span = value.span();
                self.take_address(value, span)
            }
            other => self.value(other),
        };
        // What the loader would compute has its local value here, as in other constants.
        let number = if constraint.register { None } else { self.required_int(&value) };
        let value = match number.zip(self.scalar_kind(value.ty)) {
            Some((number, kind)) if constraint.constant => {
                Expr { kind: ExprKind::Const(truncate(number as u128, kind)), ..value }
            }
            _ => value,
        };
        if self.is_error(value.ty) {
            return None;
        }
        if !self.is_scalar(value.ty) {
            let message = format!("an operand of type {} fits no register", self.shown(value.ty));
            self.error(&codes::ASM, value.span, message);
            return None;
        }
        Some(AsmInput { constraint, value })
    }
}

/// What a constraint allows; letters that mean nothing here are ignored.
fn decoded(text: &str) -> AsmConstraint {
    let register = text.contains(['r', 'w', 'g', 'p']);
    let constant = text.contains(['i', 'n', 's', 'g']);
    AsmConstraint {
        register,
        constant,
        memory: text.contains('m') && !register && !constant,
        tied: text.parse().ok(),
    }
}

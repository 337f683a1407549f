//! Reporting: errors, warnings that system headers do not cause, and the common wordings.

use skep_syntax::diag::{Code, Diag, Severity, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::{Loc, Span};

use crate::types::TypeId;

use super::{Definition, Sema};

impl Sema<'_, '_> {
    /// Reports an error.
    pub(super) fn error(&mut self, code: &'static Code, span: Span, message: impl Into<String>) {
        self.report(Diag::new(code, span, message));
    }

    /// Reports a diagnostic, unless it is a warning about a header that the user did not write.
    pub(super) fn report(&mut self, diag: Diag) {
        let is_error = diag.severity == Severity::Error;
        // Of a text that was not understood, doubts would be about what is not there.
        if !is_error && (self.is_broken || self.is_quiet(diag.span().lo)) {
            return;
        }
        self.cx.diags.push(diag);
    }

    /// Reports a warning.
    pub(super) fn warn(&mut self, code: &'static Code, span: Span, message: impl Into<String>) {
        self.report(Diag::new(code, span, message));
    }

    /// Reports something that is C but that no BPF program can have, or that is not built yet.
    pub(super) fn unsupported(&mut self, span: Span, what: &str) {
        self.error(&codes::UNSUPPORTED, span, format!("{what} is not supported"));
    }

    /// The spelling of a name.
    pub(super) fn name(&self, symbol: Symbol) -> &str {
        self.cx.names.name(symbol)
    }

    /// Is the file of this position one that the user did not write?
    pub(super) fn is_quiet(&mut self, loc: Loc) -> bool {
        let Some(file) = self.cx.source.file_of(loc) else { return false };
        if let Some(&quiet) = self.quiet_files.get(&file) {
            return quiet;
        }
        // A kernel's dumped types are no more the user's than the system's headers are, but
        // they usually lie beside the program.
        let name = self.cx.source.name(file);
        let quiet = self.cx.source.is_system(file) || name.rsplit('/').next() == Some("vmlinux.h");
        self.quiet_files.insert(file, quiet);
        quiet
    }

    /// Reports the use of a type that is not complete.
    pub(super) fn incomplete(&mut self, span: Span, ty: TypeId, what: &str) {
        if self.is_error(ty) {
            return;
        }
        let mut diag =
            Diag::new(&codes::INCOMPLETE, span, format!("{what} has the incomplete type {}", self.shown(ty)));
        if let Some(record) = self.types.record_of(ty) {
            let declared = self.types.records[record.0 as usize].span;
            diag = match self.record_defs[record.0 as usize] {
                Definition::Busy => diag
                    .with_label(declared, "its definition ends only after this")
                    .with_help("a struct can hold a pointer to its own type, but not itself"),
                Definition::None | Definition::At(_) | Definition::Done => {
                    diag.with_label(declared, "only declared here, never defined")
                }
            };
        }
        self.report(diag);
    }

    /// Is it the erroneous type, or made of it?
    pub(super) fn is_error(&self, ty: TypeId) -> bool {
        self.types.canonical(ty) == TypeId::ERROR
    }
}

//! Diagnostics: data first, text only at the end.
//!
//! In: [`Diag`] values from every stage. Out: an ordered, deduplicated list, and its rendering by
//! codespan-reporting, with the macro and include backtraces added here and nowhere else.
//! A kind of diagnostic is one row of the table in `codes`; its number never changes.

mod excerpt;

use crate::intern::Interner;
use crate::source::{Loc, SourceMap, Span};
use crate::warnings::{Level, Policy, Regions};
use codespan_reporting::diagnostic as cs;
use codespan_reporting::term::{self, termcolor};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;

use excerpt::Excerpt;

pub use crate::codes::{self, Code};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// For information.
    Note,
    /// Suspicious, but the program means something.
    Warning,
    /// The program cannot be compiled.
    Error,
}

impl Severity {
    /// The word printed for it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// A marked range with a remark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// What is marked.
    pub span: Span,
    /// The remark; may be empty.
    pub message: String,
    /// Whether this is where the trouble is (one per diagnostic), or only related.
    pub primary: bool,
}

/// One diagnostic.
#[derive(Clone, Debug)]
pub struct Diag {
    /// Its row in the table.
    pub code: &'static Code,
    /// How bad; starts as the row says.
    pub severity: Severity,
    /// One line: lower-case, names in backquotes, no final dot.
    pub message: String,
    /// Marked ranges.
    pub labels: Vec<Label>,
    /// Further remarks.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diag {
    /// A diagnostic at `span`.
    pub fn new(code: &'static Code, span: Span, message: impl Into<String>) -> Diag {
        let labels = if span.is_some() {
            vec![Label { span, message: String::new(), primary: true }]
        } else {
            Vec::new()
        };
        Diag { code, severity: code.severity, message: message.into(), labels, notes: Vec::new(), help: None }
    }

    /// Puts a remark at the primary range.
    pub fn with_remark(mut self, message: impl Into<String>) -> Diag {
        if let Some(label) = self.labels.iter_mut().find(|l| l.primary) {
            label.message = message.into();
        }
        self
    }

    /// Marks another range.
    pub fn with_label(mut self, span: Span, message: impl Into<String>) -> Diag {
        if span.is_some() {
            self.labels.push(Label { span, message: message.into(), primary: false });
        }
        self
    }

    /// Adds a remark below.
    pub fn with_note(mut self, note: impl Into<String>) -> Diag {
        self.notes.push(note.into());
        self
    }

    /// Says what to do.
    pub fn with_help(mut self, help: impl Into<String>) -> Diag {
        self.help = Some(help.into());
        self
    }

    /// The primary range.
    pub fn span(&self) -> Span {
        self.labels.iter().find(|l| l.primary).map_or(Span::NONE, |l| l.span)
    }
}

/// Collects what the stages report.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    list: Vec<Diag>,
    policy: Rc<Policy>,
    /// What pragmas change about it, and where.
    pub regions: Regions,
    seen: BTreeSet<(&'static str, Span, String)>,
    errors: usize,
    limit: usize,
}

impl Default for Diagnostics {
    fn default() -> Diagnostics {
        Diagnostics::new(20)
    }
}

impl Diagnostics {
    /// A sink that keeps at most `limit` errors (0: no limit).
    pub fn new(limit: usize) -> Diagnostics {
        Diagnostics {
            list: Vec::new(),
            policy: Rc::default(),
            regions: Regions::default(),
            seen: BTreeSet::new(),
            errors: 0,
            limit,
        }
    }

    /// Changes how bad the kinds of diagnostics are from now on.
    pub fn set_policy(&mut self, policy: Rc<Policy>) {
        self.policy = policy;
    }

    /// How bad the kinds of diagnostics are.
    pub fn policy(&self) -> Rc<Policy> {
        self.policy.clone()
    }

    /// Whether anything is wrong that is wrong by itself, and not only because of `-Werror`.
    pub fn is_broken(&self) -> bool {
        self.list.iter().any(|diag| diag.code.severity == Severity::Error && diag.severity == Severity::Error)
    }

    /// Whether such a diagnostic can come to anything, whatever pragmas say.
    pub fn may_say(&self, code: &Code) -> bool {
        !self.regions.is_empty() || self.policy.level(code, &[]).severity.is_some()
    }

    /// Whether such a diagnostic at this place comes to anything.
    pub fn says(&self, code: &Code, span: Span) -> bool {
        self.severity(code, span).is_some()
    }

    /// How bad such a diagnostic is at this place; `None` when it is dropped.
    pub fn severity(&self, code: &Code, at: Span) -> Option<Severity> {
        self.policy.level(code, self.regions.at(at.lo)).severity
    }

    /// Forgets what was reported since `before` was a copy of this.
    pub fn rewind(&mut self, before: &Diagnostics) {
        let regions = std::mem::take(&mut self.regions);
        *self = Diagnostics { regions, ..before.clone() };
    }

    /// Takes one diagnostic; the same one twice counts once.
    pub fn push(&mut self, mut diag: Diag) {
        let Level { severity, remark } = self.policy.level(diag.code, self.regions.at(diag.span().lo));
        let Some(severity) = severity else { return };
        diag.severity = severity;
        if !remark.is_empty() {
            diag.message = format!("{} {remark}", diag.message);
        }
        if diag.severity == Severity::Error {
            if self.at_limit() {
                self.errors += 1;
                return;
            }
        } else if self.list.len() > 4096 {
            return;
        }
        if !self.seen.insert((diag.code.id, diag.span(), diag.message.clone())) {
            return;
        }
        if diag.severity == Severity::Error {
            self.errors += 1;
        }
        self.list.push(diag);
    }

    /// Whether the error limit was reached: stages may stop early.
    pub fn at_limit(&self) -> bool {
        self.limit != 0 && self.errors >= self.limit
    }

    /// Number of errors seen, also those above the limit.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Whether there was any error.
    pub fn has_errors(&self) -> bool {
        self.errors != 0
    }

    /// The diagnostics in order of arrival.
    pub fn iter(&self) -> std::slice::Iter<'_, Diag> {
        self.list.iter()
    }

    /// Renders all of them, and how many errors were left out.
    pub fn render(&self, source: &SourceMap, names: &Interner, style: Style) -> String {
        let mut out = String::new();
        for diag in &self.list {
            out.push_str(&render(diag, source, names, style));
        }
        let shown = self.list.iter().filter(|d| d.severity == Severity::Error).count();
        if self.errors > shown {
            let _ = writeln!(out, "too many errors: {} more not shown", self.errors - shown);
        }
        out
    }
}

/// How to render.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// One line per diagnostic: `file:line:col: error[E0001]: ...`.
    pub short: bool,
    /// ANSI colours.
    pub color: bool,
}

/// Renders one diagnostic.
pub fn render(diag: &Diag, source: &SourceMap, names: &Interner, style: Style) -> String {
    if style.short {
        return render_short(diag, source);
    }
    let mut built = build(diag, source, names);
    let excerpt = Excerpt::new(source, &mut built.labels);
    let config = term::Config::default();
    let text = if style.color {
        let mut out = termcolor::Buffer::ansi();
        term::emit_to_write_style(&mut out, &config, &excerpt, &built)
            .map(|()| String::from_utf8_lossy(out.as_slice()).into_owned())
    } else {
        term::emit_into_string(&config, &excerpt, &built)
    };
    // A position that cannot be shown must not hide the message.
    text.unwrap_or_else(|_| render_short(diag, source))
}

fn render_short(diag: &Diag, source: &SourceMap) -> String {
    let mut out = String::new();
    if let Some((name, at)) = source.presumed(best(source, diag.span()).lo) {
        let _ = write!(out, "{name}:{}:{}: ", at.line, at.col);
    }
    let _ = writeln!(out, "{}[{}]: {}", diag.severity.word(), diag.code.id, diag.message);
    out
}

/// What to point at: tokens that were written as arguments of the outermost macro are shown where they
/// were written; anything else as that whole invocation.
fn best(source: &SourceMap, span: Span) -> Span {
    let hi = if span.hi.is_some() { span.hi } else { span.lo };
    let outer = |loc: Loc| (source.invocation(loc), source.spelling(loc));
    let ((lo_inv, lo), (hi_inv, hi)) = (outer(span.lo), outer(hi));
    let inside = |inv: Span, at: Loc| inv.lo <= at && at <= inv.hi;
    if inside(lo_inv, lo) && inside(hi_inv, hi) && lo <= hi {
        return Span::new(lo, hi);
    }
    Span::new(lo_inv.lo, hi_inv.hi)
}

fn build(diag: &Diag, source: &SourceMap, names: &Interner) -> cs::Diagnostic<crate::source::FileId> {
    let severity = match diag.severity {
        Severity::Note => cs::Severity::Note,
        Severity::Warning => cs::Severity::Warning,
        Severity::Error => cs::Severity::Error,
    };
    let mut labels = Vec::new();
    let mut notes = Vec::new();
    for label in &diag.labels {
        let shown = best(source, label.span);
        let Some((file, range)) = source.file_range(shown) else { continue };
        let style = if label.primary { cs::LabelStyle::Primary } else { cs::LabelStyle::Secondary };
        labels.push(cs::Label::new(style, file, range.clone()).with_message(&label.message));
        if !label.primary {
            continue;
        }
        macro_trace(source, names, label.span, &mut labels, &mut notes);
        include_trace(source, file, &mut notes);
    }
    notes.extend(diag.notes.iter().cloned());
    notes.extend(diag.help.iter().map(|h| format!("help: {h}")));
    cs::Diagnostic::new(severity)
        .with_code(diag.code.id)
        .with_message(&diag.message)
        .with_labels(labels)
        .with_notes(notes)
}

/// Steps of a backtrace that are shown; of longer ones the rest is counted.
const SHOWN: usize = 6;

/// The includes that led to `file`.
fn include_trace(source: &SourceMap, file: crate::source::FileId, notes: &mut Vec<String>) {
    let chain = source.include_chain(file);
    for (name, at) in chain.iter().take(SHOWN).filter_map(|from| source.presumed(*from)) {
        notes.push(format!("included from {name}:{}", at.line));
    }
    if chain.len() > SHOWN {
        notes.push(format!("... and through {} more files", chain.len() - SHOWN));
    }
}

/// The expansions that led to `span`: the innermost spelling as a label, each step as a note.
fn macro_trace(
    source: &SourceMap,
    names: &Interner,
    span: Span,
    labels: &mut Vec<cs::Label<crate::source::FileId>>,
    notes: &mut Vec<String>,
) {
    let chain = source.expansion_chain(span.lo);
    if chain.is_empty() {
        return;
    }
    if let Some((file, range)) = source.spelling_range(span)
        && labels.iter().all(|l| l.file_id != file || l.range != range)
    {
        let name = chain.first().and_then(|&e| source.expansion(e)).map_or("", |e| names.name(e.name));
        labels
            .push(cs::Label::secondary(file, range).with_message(format!("in expansion of macro `{name}`")));
    }
    for (i, exp) in chain.iter().filter_map(|&e| source.expansion(e)).enumerate() {
        if i == SHOWN && chain.len() > SHOWN + 1 {
            notes.push(format!("... and {} more macro expansions", chain.len() - SHOWN));
            break;
        }
        let mut note = format!("in expansion of macro `{}`", names.name(exp.name));
        if let Some((name, at)) = source.presumed(exp.def) {
            let _ = write!(note, ", defined at {name}:{}", at.line);
        }
        notes.push(note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Session;
    use crate::pp::{MemoryFiles, Options, preprocess};

    fn session<'a>(memory: &'a mut MemoryFiles) -> Session<'a> {
        memory.add("main.c", "#define ADD(x) (x + missing)\n#define TWICE(y) ADD(y) * 2\n#include \"h.h\"\n");
        memory.add("h.h", "int a = TWICE(\u{fc} + b);\n");
        Session::new(memory, Options::default())
    }

    fn find(cx: &Session<'_>, toks: &crate::token::Tokens, text: &str) -> Span {
        Span::at(toks.toks.iter().find(|t| cx.text(t) == text.as_bytes()).expect("there").loc)
    }

    #[test]
    fn macro_and_include_backtrace() {
        let mut memory = MemoryFiles::new();
        let mut cx = session(&mut memory);
        let toks = preprocess(&mut cx, "main.c");
        let span = find(&cx, &toks, "missing");
        let diag = Diag::new(&codes::USER_ERROR, span, "unknown name `missing`").with_help("declare it");
        let text = render(&diag, &cx.source, &cx.names, Style::default());
        insta::assert_snapshot!(text, @r"
        error[E0040]: unknown name `missing`
          ┌─ ./h.h:1:9
          │
        1 │ int a = TWICE(ü + b);
          │         ^^^^^^^^^^^^
          │
          ┌─ main.c:1:21
          │
        1 │ #define ADD(x) (x + missing)
          │                     ------- in expansion of macro `ADD`
          │
          = in expansion of macro `ADD`, defined at main.c:1
          = in expansion of macro `TWICE`, defined at main.c:2
          = included from main.c:3
          = help: declare it
        ");
        let short = render(&diag, &cx.source, &cx.names, Style { short: true, color: false });
        assert_eq!(short, "./h.h:1:9: error[E0040]: unknown name `missing`\n");
        let color = render(&diag, &cx.source, &cx.names, Style { short: false, color: true });
        assert!(color.contains("\u{1b}["));
    }

    #[test]
    fn arguments_are_shown_where_they_are_written() {
        let mut memory = MemoryFiles::new();
        let mut cx = session(&mut memory);
        let toks = preprocess(&mut cx, "main.c");
        let span = find(&cx, &toks, "\u{fc}").to(find(&cx, &toks, "b"));
        let diag = Diag::new(&codes::USER_ERROR, span, "odd sum").with_remark("here");
        let text = render(&diag, &cx.source, &cx.names, Style::default());
        insta::assert_snapshot!(text, @r"
        error[E0040]: odd sum
          ┌─ ./h.h:1:15
          │
        1 │ int a = TWICE(ü + b);
          │               ^^^^^ here
          │
          = in expansion of macro `ADD`, defined at main.c:1
          = in expansion of macro `TWICE`, defined at main.c:2
          = included from main.c:3
        ");
    }

    #[test]
    fn the_sink_drops_repetitions_and_stops_at_the_limit() {
        let mut sink = Diagnostics::new(2);
        let diag = |n: u32| Diag::new(&codes::USER_ERROR, Span::NONE, format!("number {n}"));
        sink.push(diag(1));
        sink.push(diag(1));
        assert!(!sink.at_limit());
        sink.push(diag(2));
        sink.push(diag(3));
        assert_eq!((sink.iter().count(), sink.errors(), sink.at_limit()), (2, 3, true));
    }
}

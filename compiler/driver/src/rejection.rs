//! What the verifier refuses, drawn on the C source.
//!
//! In: a [`Report`] and either the compiler's tables (our own objects: exact expressions) or the
//! line records of the object (any other). Out: text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::OnceLock;

use codespan_reporting::diagnostic::{Diagnostic, Label};
use codespan_reporting::files::{Error as FilesError, Files};
use codespan_reporting::term::{self, termcolor};
use skep_compiler::Compiled;
use skep_runtime::object::{Image, Line, Program};
use skep_runtime::verify::log::instruction;
use skep_runtime::verify::reg::PtrKind;
use skep_runtime::verify::{Cause, Loss, Note, RULES, Report, loses};
use skep_stdlib::btf::Type;
use skep_stdlib::helpers::Helper;
use skep_stdlib::isa::{CallTarget, Insn};
use skep_syntax::Session;
use skep_syntax::codes::Code;
use skep_syntax::diag::{self, Diag, Severity, Style};
use skep_syntax::pp::Files as _;

use crate::edit::{self, Edit};
use crate::io::DiskFiles;
use crate::kernel_log::{self, Failure};
use crate::locate;

/// The rule's code as the diagnostics of the compiler have them.
fn code(report: &Report) -> &'static Code {
    static CODES: OnceLock<Vec<Code>> = OnceLock::new();
    let codes = CODES.get_or_init(|| {
        let code = |rule: &skep_runtime::verify::Rule| Code {
            id: rule.code,
            title: rule.title,
            severity: Severity::Error,
        };
        RULES.iter().map(code).collect()
    });
    let rule = report.cause.rule();
    codes.iter().find(|code| code.id == rule.code).unwrap_or(&codes[0])
}

/// Draws a rejection of a program that we compiled.
pub fn render_compiled(
    report: &Report,
    image: &Image,
    compiled: &Compiled,
    session: &Session<'_>,
    style: Style,
) -> String {
    let program = &image.programs[report.program];
    let Some(origin) = locate::origin(compiled, program, report.slot) else {
        return render_object(report, image, style);
    };
    let mut diag =
        Diag::new(code(report), origin.span, headline(report, image)).with_remark(label(report, program));
    for note in notes(report, program) {
        if let Some(place) = locate::origin(compiled, program, note.slot).filter(|place| *place != origin) {
            diag = diag.with_label(place.span, note.text);
        }
    }
    for call in &origin.inlined_at {
        diag = diag.with_label(*call, "inlined here");
    }
    diag = diag.with_note(format!("in program `{}`, instruction {}", program.name, report.slot));
    let mut read = |path: &str| {
        let is_it = |file: &skep_syntax::source::FileId| {
            let name = session.source.name(*file);
            name == path || name.strip_suffix(path).is_some_and(|folder| folder.ends_with('/'))
        };
        let file = session.source.file_ids().find(is_it)?;
        Some(String::from_utf8_lossy(session.source.text(file)).into_owned())
    };
    let edit = edit::suggest(report, program, &mut read);
    for note in remarks(report, image).into_iter().chain(advice(report, program, edit)) {
        diag = diag.with_note(note);
    }
    diag::render(&diag, &session.source, &session.names, style)
}

/// Draws a rejection of any object by its line records.
pub fn render_object(report: &Report, image: &Image, style: Style) -> String {
    let program = &image.programs[report.program];
    let disk = DiskFiles::default();
    let edit = edit::suggest(report, program, &mut |path| {
        let bytes = disk.read(path).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    });
    let mut places = vec![(report.slot, label(report, program))];
    places.extend(notes(report, program).into_iter().map(|note| (note.slot, note.text)));
    let picture = Picture {
        code: Some(report.cause.rule().code),
        message: headline(report, image),
        places,
        notes: remarks(report, image).into_iter().chain(advice(report, program, edit)).collect(),
    };
    draw(&picture, program, style)
}

/// What to do: a change of the source if there is one, otherwise in general.
fn advice(report: &Report, program: &Program, edit: Option<Edit>) -> Vec<String> {
    match edit {
        Some(edit) => edit.describe(),
        None => match loss(report, program) {
            Some((_, Loss::Packet)) => {
                vec!["help: read `data` and `data_end` again after the call, and compare again".into()]
            }
            Some((_, Loss::Given)) => vec!["help: use it before the call that gives it back".into()],
            None => report.cause.help().map(|help| format!("help: {help}")).into_iter().collect(),
        },
    }
}

/// Of a path that only a processor takes that guesses wrong.
const GUESSED: &str =
    "no run comes here: a processor that guesses a jump wrong does, and what it reads can be measured";

/// What else there is to know: the path, and which map it is.
fn remarks(report: &Report, image: &Image) -> Vec<String> {
    let program = &image.programs[report.program];
    let map = match &report.cause {
        Cause::MapKind { map, .. } | Cause::MapValueBounds { map, .. } | Cause::MapField { map, .. } => {
            Some(*map)
        }
        Cause::ReadOnly { access, .. } | Cause::SpecialField { access, .. } => match access.kind {
            PtrKind::MapValue(map) => Some(map),
            _ => None,
        },
        _ => None,
    };
    let map = map.and_then(|map| image.maps.get(map as usize));
    let map = map.map(|map| format!("the map is `{}`, of type `{}`", map.name, map.ty.info().name));
    let guessed = report.guessed.then(|| GUESSED.to_owned());
    way(report, program).into_iter().chain(guessed).chain(map).collect()
}

/// The call that took away what was a pointer before it.
fn loss(report: &Report, program: &Program) -> Option<(u32, Loss)> {
    let Cause::NotAPointer { born, value: None, .. } = report.cause else { return None };
    let Some(Insn::Call(CallTarget::Helper(id))) = program.code.at(born) else { return None };
    Some((born, loses(Helper::from_id(u32::try_from(*id).ok()?)?)?))
}

/// The label of the place.
fn label(report: &Report, program: &Program) -> String {
    if loss(report, program).is_some() { "used here".into() } else { report.cause.label() }
}

/// The places that explain it.
fn notes(report: &Report, program: &Program) -> Vec<Note> {
    let text = match loss(report, program) {
        None => return report.cause.notes(),
        Some((_, Loss::Packet)) => "this call may move the packet: pointers into it are of no use afterwards",
        Some((_, Loss::Given)) => "this call gives it back to the kernel",
    };
    loss(report, program).into_iter().map(|(slot, _)| Note { slot, text: text.into() }).collect()
}

/// The sentence: what is called a register there has a name here if it is a parameter.
fn headline(report: &Report, image: &Image) -> String {
    let program = &image.programs[report.program];
    match loss(report, program) {
        Some((_, Loss::Packet)) => return "this pointer into the packet is no longer valid".into(),
        Some((_, Loss::Given)) => {
            return "this pointer is no longer valid: what it points to was given back".into();
        }
        None => {}
    }
    parameter(report, image, program).map_or_else(
        || report.cause.message(),
        |name| format!("the parameter `{name}` has no value: the kernel passes the context alone"),
    )
}

/// The parameter of the program's function that was used where nothing but the context was passed.
fn parameter(report: &Report, image: &Image, program: &Program) -> Option<String> {
    let Cause::Uninit { reg: reg @ 2..=5 } = report.cause else { return None };
    let function = program.functions.first().filter(|entry| report.slot < entry.end)?;
    // Calls destroy what was passed.
    let called = |(slot, insn): (u32, &Insn)| slot < report.slot && matches!(insn, Insn::Call(_));
    if program.code.iter().any(called) {
        return None;
    }
    let btf = image.btf.as_deref()?;
    let Type::FuncProto { params, .. } = btf.ty(btf.target(function.btf_func?)?)? else { return None };
    params.get(usize::from(reg) - 1).map(|param| param.name.to_owned()).filter(|name| !name.is_empty())
}

/// So many jumps are told, the last ones.
const JUMPS: usize = 6;

/// How control got there: from which lines to which, where it did not just go on.
fn way(report: &Report, program: &Program) -> Option<String> {
    let here = program.line_at(report.slot)?;
    let line_of =
        |slot| Some(program.line_at(slot)?).filter(|line| line.file == here.file).map(|line| line.line);
    let mut jumps: Vec<(u32, u32)> = Vec::new();
    for step in &report.path {
        let Some(Insn::Branch { off, .. }) = program.code.at(step.slot) else { continue };
        let off = if step.taken { i64::from(*off) } else { 0 };
        let Ok(target) = u32::try_from(i64::from(step.slot) + 1 + off) else { continue };
        if let (Some(from), Some(to)) = (line_of(step.slot), line_of(target))
            && from != to
            && jumps.last() != Some(&(from, to))
        {
            jumps.push((from, to));
        }
    }
    let told: Vec<String> = jumps
        .iter()
        .skip(jumps.len().saturating_sub(JUMPS))
        .map(|(from, to)| format!("{from} to {to}"))
        .collect();
    let dots = if jumps.len() > JUMPS { "... " } else { "" };
    (!told.is_empty()).then(|| format!("on the path that goes from line {dots}{}", told.join(", then ")))
}

/// Draws what a kernel said of a program.
pub fn render_words(failure: &Failure, image: &Image, index: usize, style: Style) -> String {
    let code = kernel_log::rule_of(&failure.words);
    let mut words = failure.words.iter();
    let message = words.next().map_or("the log ends here", String::as_str);
    let mut notes: Vec<String> = words.map(|line| format!("the kernel says: {line}")).collect();
    notes.extend(code.map(|code| format!("help: `skep explain {code}`")));
    let places = vec![(failure.slot, String::new())];
    draw(&Picture { code, message: message.to_owned(), places, notes }, &image.programs[index], style)
}

/// What is drawn: the first place is where it failed, the others explain it.
struct Picture {
    code: Option<&'static str>,
    message: String,
    places: Vec<(u32, String)>,
    notes: Vec<String>,
}

fn draw(picture: &Picture, program: &Program, style: Style) -> String {
    let mut places: Vec<(&Line, &String)> = Vec::new();
    let failed = picture.places.first().map_or(0, |place| place.0);
    for (index, (slot, text)) in picture.places.iter().enumerate() {
        let line = program.line_at(*slot).filter(|line| index == 0 || Some(*line) != program.line_at(failed));
        places.extend(line.map(|line| (line, text)));
    }
    let files = QuotedFiles::of(places.iter().map(|(line, _)| *line));
    let labels = places.iter().enumerate().map(|(index, (line, text))| {
        let make = if index == 0 { Label::primary } else { Label::secondary };
        let (file, range) = files.rest_of_line(line);
        make(file, range).with_message(text)
    });
    let labels: Vec<Label<usize>> = labels.collect();
    let mut notes =
        vec![format!("in program `{}`, instruction {failed}: {}", program.name, insn(program, failed))];
    notes.extend(picture.notes.iter().cloned());
    let mut diagnostic =
        Diagnostic::error().with_message(&picture.message).with_labels(labels).with_notes(notes);
    diagnostic.code = picture.code.map(str::to_owned);
    let config = term::Config::default();
    let text = if style.color {
        let mut out = termcolor::Buffer::ansi();
        term::emit_to_write_style(&mut out, &config, &files, &diagnostic)
            .map(|()| String::from_utf8_lossy(out.as_slice()).into_owned())
    } else {
        term::emit_into_string(&config, &files, &diagnostic)
    };
    text.unwrap_or_else(|_| format!("error: {}\n", picture.message))
}

fn insn(program: &Program, slot: u32) -> String {
    program.code.at(slot).map_or_else(String::new, |insn| insn.to_string())
}

/// The kernel's words for a rejection, with the instruction as its log shows it.
pub fn kernel_log(report: &Report, image: &Image) -> String {
    let program = &image.programs[report.program];
    let mut text = String::new();
    if let Some(line) = program.line_at(report.slot) {
        let _ = writeln!(text, "; {}", line.text.trim());
    }
    let _ = writeln!(text, "{}", instruction(image, report.program, report.slot));
    for line in report.cause.kernel_log() {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Files of which only the lines that records quote are known: those follow each other, each with
/// its own number.
struct QuotedFiles {
    files: Vec<QuotedFile>,
}

struct QuotedFile {
    name: String,
    text: String,
    /// Line number and start in `text` of each quoted line.
    lines: Vec<(usize, usize)>,
}

impl QuotedFiles {
    fn of<'l>(lines: impl Iterator<Item = &'l Line>) -> QuotedFiles {
        let mut by_file: BTreeMap<&str, BTreeMap<usize, &str>> = BTreeMap::new();
        for line in lines {
            by_file.entry(&line.file).or_default().insert(line.line as usize, line.text.trim_end());
        }
        let quote = |(name, quoted): (&str, BTreeMap<usize, &str>)| {
            let mut file = QuotedFile { name: name.to_owned(), text: String::new(), lines: Vec::new() };
            for (number, text) in quoted {
                file.lines.push((number, file.text.len()));
                file.text.push_str(text);
                file.text.push('\n');
            }
            file
        };
        QuotedFiles { files: by_file.into_iter().map(quote).collect() }
    }

    /// From the record's column to the end of its line.
    fn rest_of_line(&self, line: &Line) -> (usize, Range<usize>) {
        let id = self.files.iter().position(|file| *file.name == *line.file).unwrap_or(0);
        let lines = self.files.get(id).map_or(&[][..], |file| &file.lines);
        let start =
            lines.iter().find(|(number, _)| *number == line.line as usize).map_or(0, |(_, start)| *start);
        let text = line.text.trim_end();
        let indent = text.len() - text.trim_start().len();
        let column = (line.column as usize).saturating_sub(1).clamp(indent, text.len());
        let column = if text.is_char_boundary(column) { column } else { indent };
        (id, start + column..start + text.len())
    }

    fn file(&self, id: usize) -> Result<&QuotedFile, FilesError> {
        self.files.get(id).ok_or(FilesError::FileMissing)
    }
}

impl<'a> Files<'a> for QuotedFiles {
    type FileId = usize;
    type Name = &'a str;
    type Source = &'a str;

    fn name(&'a self, id: usize) -> Result<&'a str, FilesError> {
        Ok(&self.file(id)?.name)
    }

    fn source(&'a self, id: usize) -> Result<&'a str, FilesError> {
        Ok(&self.file(id)?.text)
    }

    fn line_index(&'a self, id: usize, byte: usize) -> Result<usize, FilesError> {
        Ok(self.file(id)?.lines.partition_point(|(_, start)| *start <= byte).saturating_sub(1))
    }

    fn line_number(&'a self, id: usize, index: usize) -> Result<usize, FilesError> {
        Ok(self.file(id)?.lines.get(index).map_or(index + 1, |(number, _)| *number))
    }

    fn line_range(&'a self, id: usize, index: usize) -> Result<Range<usize>, FilesError> {
        let file = self.file(id)?;
        let max = file.lines.len();
        let start = file.lines.get(index).ok_or(FilesError::LineTooLarge { given: index, max })?.1;
        let end = file.lines.get(index + 1).map_or(file.text.len(), |(_, next)| *next);
        Ok(start..end)
    }
}

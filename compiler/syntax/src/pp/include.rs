//! `#include`: names, the search path, include guards.
//!
//! In: the rest of an include directive. Out: an opened file.
//! The search order is clang's: the directory of the including file (quoted names only), `-iquote`,
//! `-I`, `-isystem` and the standard directories, `-idirafter`; a directory given twice counts once.
//! Invariant: a file that is guarded or marked `once` is not lexed a second time.

use super::directive::After;
use super::{Files, Options, Pp, ReadError};
use crate::diag::{Diag, codes};
use crate::intern::{Symbol, sym};
use crate::source::{Loc, Span, Text};
use crate::token::{Token, TokenKind};
use std::collections::HashMap;

/// How deeply files may include files.
const DEPTH_LIMIT: usize = 200;
/// How many inclusions one compilation may do.
const COUNT_LIMIT: usize = 1 << 14;

/// One directory of the search path.
struct Dir {
    path: String,
    is_system: bool,
}

/// A file that was read.
struct Known {
    text: Text,
    /// The macro that guards it, once known.
    guard: Option<Symbol>,
    once: bool,
}

/// A file the program depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dep {
    /// The path it was found at.
    pub path: String,
    /// Whether it is a system header (`-MMD` leaves these out).
    pub is_system: bool,
}

/// The search path and all files read so far.
#[derive(Default)]
pub(super) struct Search {
    dirs: Vec<Dir>,
    /// Index of the first directory for `<..>` names.
    angled: usize,
    known: Vec<Known>,
    /// Looked up, never iterated.
    by_path: HashMap<String, Result<usize, ReadError>>,
    by_identity: HashMap<String, usize>,
    pub(super) deps: Vec<Dep>,
    opened: usize,
}

/// A file the search found.
pub(super) struct Found {
    path: String,
    known: usize,
    dir: Option<usize>,
    is_system: bool,
}

/// A file name as written.
pub(super) struct HeaderName {
    pub(super) name: String,
    pub(super) angled: bool,
    pub(super) span: Span,
}

impl Search {
    pub(super) fn new(options: &Options) -> Search {
        let mut dirs: Vec<Dir> = Vec::new();
        let group = |list: &[String], is_system: bool, dirs: &mut Vec<Dir>| {
            for path in list {
                dirs.push(Dir { path: path.clone(), is_system });
            }
        };
        group(&options.quote_dirs, false, &mut dirs);
        let quoted = dirs.len();
        group(&options.include_dirs, false, &mut dirs);
        group(&options.system_dirs, true, &mut dirs);
        group(&options.after_dirs, true, &mut dirs);
        let angled_dirs = unique(dirs.split_off(quoted));
        let mut dirs = unique(dirs);
        let angled = dirs.len();
        dirs.extend(angled_dirs);
        Search {
            dirs,
            angled,
            known: Vec::new(),
            by_path: HashMap::new(),
            by_identity: HashMap::new(),
            deps: Vec::new(),
            opened: 0,
        }
    }

    pub(super) fn set_guard(&mut self, known: usize, name: Symbol) {
        if let Some(k) = self.known.get_mut(known) {
            k.guard = Some(name);
        }
    }

    pub(super) fn set_once(&mut self, known: usize) {
        if let Some(k) = self.known.get_mut(known) {
            k.once = true;
        }
    }

    /// The file at `path`, read at most once.
    pub(super) fn read(&mut self, files: &dyn Files, path: &str) -> Result<usize, ReadError> {
        if let Some(known) = self.by_path.get(path) {
            return known.clone();
        }
        let result = files.read(path).map(|text| {
            let identity = files.identity(path);
            *self.by_identity.entry(identity).or_insert_with(|| {
                self.known.push(Known { text, guard: None, once: false });
                self.known.len() - 1
            })
        });
        self.by_path.insert(path.to_string(), result.clone());
        result
    }

    fn find(
        &mut self,
        files: &dyn Files,
        header: &HeaderName,
        from: Start,
        here: Option<(&str, bool)>,
    ) -> Result<Option<Found>, (String, String)> {
        if header.name.starts_with('/') {
            return self.candidate(files, header.name.clone(), None, false);
        }
        if let (Start::Normal, false, Some((dir, is_system))) = (&from, header.angled, here) {
            let found = self.candidate(files, join(dir, &header.name), None, is_system)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let first = match from {
            Start::After(dir) => dir + 1,
            Start::Normal if header.angled => self.angled,
            Start::Normal => 0,
        };
        for at in first..self.dirs.len() {
            let Some(dir) = self.dirs.get(at) else { break };
            let (path, is_system) = (join(&dir.path, &header.name), dir.is_system);
            let found = self.candidate(files, path, Some(at), is_system)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The file at `path`, if there is one; an error says which file cannot be read and why.
    fn candidate(
        &mut self,
        files: &dyn Files,
        path: String,
        dir: Option<usize>,
        is_system: bool,
    ) -> Result<Option<Found>, (String, String)> {
        match self.read(files, &path) {
            Ok(known) => Ok(Some(Found { path, known, dir, is_system })),
            Err(ReadError::NotFound) => Ok(None),
            Err(ReadError::Failed(why)) => Err((path, why)),
        }
    }
}

/// Where the search starts.
enum Start {
    Normal,
    /// Behind this directory (`#include_next`).
    After(usize),
}

/// Directories in order without repetition; one that is also a system directory counts as that.
fn unique(dirs: Vec<Dir>) -> Vec<Dir> {
    let mut out: Vec<Dir> = Vec::new();
    let same = |a: &Dir, b: &Dir| super::normalize(&a.path) == super::normalize(&b.path);
    for dir in dirs {
        match out.iter().position(|d| same(d, &dir)) {
            Some(at) if dir.is_system && out.get(at).is_some_and(|d| !d.is_system) => {
                out.remove(at);
                out.push(dir);
            }
            Some(_) => {}
            None => out.push(dir),
        }
    }
    out
}

fn join(dir: &str, name: &str) -> String {
    match dir {
        "" => name.to_string(),
        _ if dir.ends_with('/') => [dir, name].concat(),
        _ => [dir, "/", name].concat(),
    }
}

impl Pp<'_, '_> {
    /// `#include`, `#include_next`, `#import`
    pub(super) fn include(&mut self, hash: Token, tok: Token) -> After {
        let word = self.cx.names.name(tok.sym()).to_string();
        if self.collecting != 0 {
            let message = format!("`#{word}` inside the arguments of a macro");
            self.error(&codes::DIRECTIVE_IN_ARGS, Span::at(hash.loc), message);
            return After::Nothing;
        }
        let next = self.file_token();
        let Some(header) = self.header_name(next) else {
            let at = if next.kind == TokenKind::Eod { tok } else { next };
            let message = format!("`#{word}` needs \"FILE\" or <FILE>");
            self.error(&codes::INCLUDE_FORM, Span::at(at.loc), message);
            return After::Nothing;
        };
        self.expect_eod(&word);
        if header.name.is_empty() {
            self.error(&codes::INCLUDE_FORM, header.span, format!("empty file name in `#{word}`"));
            return After::Nothing;
        }
        let next_only = tok.is(sym::INCLUDE_NEXT);
        let Some(found) = self.resolve(&header, next_only, tok) else { return After::Nothing };
        if tok.is(sym::IMPORT) {
            let skip = self.search.known.get(found.known).is_some_and(|k| k.once);
            self.search.set_once(found.known);
            if skip {
                return After::Nothing;
            }
            return After::Open(found);
        }
        if self.is_guarded(&found) { After::Nothing } else { After::Open(found) }
    }

    fn is_guarded(&self, found: &Found) -> bool {
        let Some(known) = self.search.known.get(found.known) else { return false };
        known.once || known.guard.is_some_and(|name| self.macros.find(name).is_some())
    }

    /// Finds the file or reports why not.
    fn resolve(&mut self, header: &HeaderName, next_only: bool, tok: Token) -> Option<Found> {
        if next_only && self.files.len() == 1 {
            let message = "`#include_next` in the main file works like `#include`";
            self.report(Diag::new(&codes::INCLUDE_NEXT_MAIN, Span::at(tok.loc), message));
        }
        match self.find_header(header, next_only) {
            Ok(Some(found)) => Some(found),
            Ok(None) if self.cx.options.missing_headers => {
                self.add_dep(&header.name.clone(), false);
                None
            }
            Ok(None) => {
                let message = format!("file `{}` not found", header.name);
                let mut diag = Diag::new(&codes::INCLUDE_NOT_FOUND, header.span, message);
                if self.search.dirs.is_empty() {
                    diag = diag.with_help("no include directory was given; add one with `-I DIR`");
                } else {
                    let dirs: Vec<&str> = self.search.dirs.iter().map(|d| d.path.as_str()).collect();
                    diag = diag.with_note(format!("searched in {}", dirs.join(", ")));
                }
                self.report(diag);
                // What follows from a missing file is noise.
                self.stopped = true;
                None
            }
            Err((path, why)) => {
                let message = format!("cannot read `{path}`: {why}");
                self.error(&codes::INCLUDE_READ, header.span, message);
                self.stopped = true;
                None
            }
        }
    }

    /// Looks a header up; an error names the path and the reason.
    pub(super) fn find_header(
        &mut self,
        header: &HeaderName,
        next_only: bool,
    ) -> Result<Option<Found>, (String, String)> {
        let frame = self.files.last();
        let from = match frame.and_then(|f| f.dir) {
            Some(dir) if next_only => Start::After(dir),
            _ => Start::Normal,
        };
        let name = frame.map(|f| self.cx.source.name(f.file).to_string()).unwrap_or_default();
        let is_system = frame.is_some_and(|f| self.cx.source.is_system(f.file));
        let dir = match name.rfind('/') {
            Some(0) => "/",
            Some(at) => name.get(..at).unwrap_or(""),
            None => ".",
        };
        // What `-include` names is the user's, though nobody wrote the text that includes it.
        let asked = self.at_command_line && self.files.len() == 1;
        let (dir, is_system) = if asked { ("", false) } else { (dir, is_system) };
        self.search.find(self.cx.files, header, from, Some((dir, is_system)))
    }

    /// Opens a found file in place of its include directive.
    pub(super) fn open(&mut self, found: Found, from: Loc) {
        if self.files.len() > DEPTH_LIMIT {
            let message = format!("inclusion nested deeper than {DEPTH_LIMIT} files");
            self.error(&codes::INCLUDE_DEPTH, Span::at(from), message);
            self.stopped = true;
            return;
        }
        let Some(known) = self.search.known.get(found.known) else { return };
        let text = known.text.clone();
        self.search.opened += 1;
        let file = self.cx.source.add_file(&found.path, text.clone(), from, found.is_system);
        let Some(file) = file.filter(|_| self.search.opened <= COUNT_LIMIT) else {
            self.error(&codes::SOURCE_LIMIT, Span::at(from), "the program includes too much");
            self.stopped = true;
            return;
        };
        self.add_dep(&found.path, found.is_system);
        self.push_file(file, text, found.dir, Some(found.known));
    }

    pub(super) fn add_dep(&mut self, path: &str, is_system: bool) {
        if self.search.deps.iter().all(|d| d.path != path) {
            self.search.deps.push(Dep { path: path.to_string(), is_system });
        }
    }

    /// A program also depends on files it only asks for.
    pub(super) fn found_dep(&mut self, found: &Found) {
        self.add_dep(&found.path, found.is_system);
    }

    /// The main file comes first whatever was read before it.
    pub(super) fn add_dep_first(&mut self, path: &str) {
        self.search.deps.insert(0, Dep { path: path.to_string(), is_system: false });
    }

    /// The text of a known file.
    pub(super) fn known_text(&self, known: usize) -> Option<Text> {
        self.search.known.get(known).map(|k| k.text.clone())
    }

    /// Reads a header name that starts with `tok`: from the text of the line, or from macros.
    pub(super) fn header_name(&mut self, tok: Token) -> Option<HeaderName> {
        if tok.loc.is_macro() || tok.kind == TokenKind::Ident {
            return self.computed_header_name(tok);
        }
        let (_, offset) = self.cx.source.offset(tok.loc)?;
        let frame = self.files.last_mut()?;
        let rest = frame.text.get(offset..)?;
        let close = match rest.first()? {
            b'<' => b'>',
            b'"' => b'"',
            _ => return None,
        };
        let line = memchr::memchr(b'\n', rest).map_or(rest, |n| rest.get(..n).unwrap_or(rest));
        let end = 1 + memchr::memchr(close, line.get(1..)?)?;
        let name = String::from_utf8_lossy(line.get(1..end)?).into_owned();
        let angled = close == b'>';
        // The lexer may have seen comments or quotes in the name; then it starts again behind it.
        let plain = !name.contains("//") && !name.contains("/*") && !name.contains(['\'', '"', '\\']);
        let file = frame.file;
        let past = offset + end + 1;
        let past_loc = self.cx.source.loc(file, past);
        let frame = self.files.last_mut()?;
        if !(plain && frame.skip_to(past_loc)) {
            frame.seek(past);
        }
        let last = if angled { self.cx.source.loc(file, past - 1) } else { tok.loc };
        Some(HeaderName { name, angled, span: Span::new(tok.loc, last) })
    }

    /// A header name that macros make: a string, or `<` tokens `>`.
    fn computed_header_name(&mut self, first: Token) -> Option<HeaderName> {
        let mut tok = first;
        if !first.loc.is_macro() && first.kind == TokenKind::Ident {
            // The name was read raw; expand it now.
            self.unread(first);
            tok = self.expanded();
        }
        if tok.kind == TokenKind::Str {
            let text = String::from_utf8_lossy(self.cx.text(&tok)).into_owned();
            let name = text.strip_prefix('"')?.strip_suffix('"')?.to_string();
            return Some(HeaderName { name, angled: false, span: Span::at(tok.loc) });
        }
        if tok.kind != TokenKind::Lt {
            return None;
        }
        let mut name = String::new();
        loop {
            let part = self.expanded();
            match part.kind {
                TokenKind::Eod | TokenKind::Eof => return None,
                TokenKind::Gt => {
                    return Some(HeaderName { name, angled: true, span: Span::new(tok.loc, part.loc) });
                }
                _ => {
                    if part.flags.space() && !name.is_empty() {
                        name.push(' ');
                    }
                    name.push_str(&String::from_utf8_lossy(self.cx.text(&part)));
                }
            }
        }
    }

    /// Marks the current file `#pragma once`.
    pub(super) fn pragma_once(&mut self) {
        if let Some(known) = self.files.last().and_then(|f| f.known) {
            self.search.set_once(known);
        }
    }
}

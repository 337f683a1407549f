//! Declarations and definitions of headers that wait until something needs them.
//!
//! In: the text of a header, file level. Out: for each declaration either a [`Chunk`] that says where it is,
//! or the order to read it now. [`super::lazy`] reads chunks later.
//! A declaration may wait when leaving it out cannot change the program unless its names appear: types, tags,
//! enumerators, prototypes, `extern` declarations, static functions and plain static variables. A macro where
//! the declaration shows its names, its storage class or its end makes it one that cannot wait.
//! Invariant: reading every chunk at its place gives the token stream that reading in order gives.

use super::Pp;
use super::macros::Kind;
use super::skim::{self, Next, Outline, Space, Storage};
use super::stream::{FileFrame, Guard};
use crate::intern::{self, Symbol, class, kw};
use crate::source::{FileId, Text};
use crate::token::TokenKind;
use std::ops::Range;

/// How many macros deep an attribute may hide.
const MACRO_DEPTH: u32 = 8;

/// A declaration that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) file: FileId,
    /// Its first byte, and behind its last.
    pub(super) text: (usize, usize),
    /// It starts a line.
    pub(super) bol: bool,
    /// Its place: before this token, behind so many pragmas.
    pub(super) index: usize,
    pub(super) pragmas: usize,
    /// The state of the macros there.
    pub(super) time: usize,
    /// It holds code.
    pub(super) body: bool,
}

/// A name that a chunk declares. Most are never used, so they are not interned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    pub(super) hash: u32,
    /// Where it stands in the file of the chunk.
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) space: Space,
    pub(super) chunk: u32,
}

/// All that waits.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) chunks: Vec<Chunk>,
    /// What they declare, in order.
    pub(super) names: Vec<Declared>,
    /// Reused from one declaration to the next.
    outline: Outline,
    /// Tokens looked at for brackets, and how many are open there.
    counted: usize,
    open: i64,
}

impl Default for Later {
    fn default() -> Later {
        // As much as the usual headers hold: memory that is not used costs nothing, moving it does.
        let (chunks, names) = (Vec::with_capacity(1 << 10), Vec::with_capacity(1 << 12));
        Later { chunks, names, outline: Outline::default(), counted: 0, open: 0 }
    }
}

impl Pp<'_, '_> {
    /// Whether the file that is about to be opened stands between declarations.
    pub(super) fn may_wait(&mut self) -> bool {
        match self.files.last() {
            // The main file is read as it is; the definitions made up before it may wait.
            None => self.out.toks.is_empty() && !self.in_main,
            Some(includer) if includer.is_lazy() => includer.inside.is_none(),
            Some(_) => self.collecting == 0 && self.exps.is_empty() && self.between_declarations(),
        }
    }

    /// Whether all brackets are closed and the last declaration has ended.
    fn between_declarations(&mut self) -> bool {
        let Some(later) = &mut self.later else { return false };
        for tok in self.out.toks.get(later.counted..).unwrap_or(&[]) {
            later.open += match tok.kind {
                TokenKind::LBrace | TokenKind::LParen | TokenKind::LBracket => 1,
                TokenKind::RBrace | TokenKind::RParen | TokenKind::RBracket => -1,
                _ => 0,
            };
        }
        later.counted = self.out.toks.len();
        let last = self.out.toks.last().map(|tok| tok.kind);
        later.open == 0 && matches!(last, None | Some(TokenKind::Semi | TokenKind::RBrace))
    }

    /// Where a skimmed file waits: passes over what can wait, and opens what cannot for reading.
    pub(super) fn skim(&mut self) {
        let Some((_, text)) = self.waiting_file() else { return };
        let Some(mut later) = self.later.take() else { return };
        while let Some(at) = self.files.last().and_then(FileFrame::waits_at) {
            let cut = self.files.last().is_some_and(|f| f.inside.is_some());
            if !cut
                && let Some((name, end)) = skim::plain_define(&text, at)
                && self.define_later(&text, name, end)
            {
                continue;
            }
            match skim::next(&text, at, cut) {
                Next::End => self.read_next(at, text.len(), true),
                Next::Directive(hash) => {
                    let end = skim::line_end(&text, hash);
                    if skim::defined_name(&text, hash).is_some_and(|name| self.define_later(&text, name, end))
                    {
                        continue;
                    }
                    self.read_next(hash, end, true);
                }
                Next::Declaration(start, bol) => {
                    let inside = self.files.last_mut().and_then(|f| f.inside.take());
                    match inside {
                        Some(open) => skim::rest(&text, start, open, &mut later.outline),
                        None => skim::outline(&text, start, &mut later.outline),
                    }
                    if self.can_wait(&text, &later.outline) {
                        self.wait(&mut later, (start, bol));
                        continue;
                    }
                    self.read_next(start, later.outline.end, bol);
                    if let Some(frame) = self.files.last_mut() {
                        frame.inside = later.outline.cut;
                    }
                }
            }
            break;
        }
        self.later = Some(later);
    }

    /// In a group that is being skipped: passes over everything up to the next directive.
    pub(super) fn skim_skipped(&mut self) {
        let Some((at, text)) = self.waiting_file() else { return };
        match skim::next_directive(&text, at) {
            Some(hash) => self.read_next(hash, skim::line_end(&text, hash), true),
            None => self.read_next(text.len(), text.len(), true),
        }
    }

    fn waiting_file(&self) -> Option<(usize, Text)> {
        let frame = self.files.last().filter(|_| !self.stopped)?;
        Some((frame.waits_at()?, frame.text.clone()))
    }

    fn read_next(&mut self, from: usize, to: usize, bol: bool) {
        if let Some(frame) = self.files.last_mut() {
            frame.read(from, to, bol);
        }
    }

    /// Passes over text that is not read now.
    fn pass(&mut self, to: usize) {
        if let Some(frame) = self.files.last_mut() {
            frame.leave_out(to);
            if frame.conds.is_empty() {
                frame.guard = Guard::Broken;
            }
        }
    }

    /// Takes note of a `#define` of a new name, which goes on until `end`; `false` if the name is not new.
    fn define_later(&mut self, text: &[u8], name: Range<usize>, end: usize) -> bool {
        let Some(file) = self.files.last().map(|f| f.file) else { return false };
        let (start, len) = (name.start, name.len());
        let sym = self.cx.names.intern_at(text, start, len, intern::hash(text, start, len));
        if self.cx.names.class(sym) & (class::MACRO | class::POISONED) != 0 || super::macros::is_reserved(sym)
        {
            return false;
        }
        let def = self.cx.source.loc(file, name.start);
        self.macros.insert_unread(&self.cx.names, sym, def);
        self.pass(end);
        true
    }

    /// Adds the outlined declaration to what waits.
    fn wait(&mut self, later: &mut Later, (start, bol): (usize, bool)) {
        let Some(file) = self.files.last().map(|f| f.file) else { return };
        let at = later.chunks.len() as u32;
        let outline = &later.outline;
        later.chunks.push(Chunk {
            file,
            text: (start, outline.end),
            bol,
            index: self.out.toks.len(),
            pragmas: self.out.pragmas.len(),
            time: self.macros.time(),
            body: outline.body,
        });
        later.names.extend(outline.names.iter().map(|name| Declared {
            hash: name.hash,
            start: name.range.start as u32,
            len: name.range.len() as u32,
            space: name.space,
            chunk: at,
        }));
        let end = outline.end;
        self.pass(end);
    }

    /// Whether the program means the same without the declaration as long as its names do not appear.
    fn can_wait(&mut self, text: &[u8], outline: &Outline) -> bool {
        if outline.odd || outline.cut.is_some() {
            return false;
        }
        let declares = outline.names.iter().any(|name| name.space == Space::Ordinary);
        let variable = !outline.body && (!outline.function || outline.pointer);
        let may = match outline.storage {
            Storage::Typedef | Storage::Extern => declares && !outline.init && !outline.body,
            // Attributes of a static variable may be what it is there for.
            Storage::Static => declares && (!variable || outline.attributes.is_empty()),
            Storage::None => !outline.init && !outline.body && !(variable && outline.declarators != 0),
        };
        let emits = matches!(outline.storage, Storage::Static | Storage::None);
        let hash = |word: &Range<usize>| intern::hash(text, word.start, word.len());
        may && outline
            .names
            .iter()
            .all(|name| self.known(text, &name.range, name.hash).is_none_or(|sym| self.is_itself(sym)))
            && outline.others.iter().all(|other| match self.known(text, other, hash(other)) {
                Some(sym) => self.is_harmless(sym, emits, MACRO_DEPTH),
                None => !(emits && is_emitting(text.get(other.clone()).unwrap_or(&[]))),
            })
            && !(emits && outline.attributes.iter().any(|range| skim::words(text, range).any(is_emitting)))
    }

    /// The symbol of a word, if it has one: macros and keywords have.
    fn known(&self, text: &[u8], word: &Range<usize>, hash: u32) -> Option<Symbol> {
        self.cx.names.lookup_at(text, word.start, word.len(), hash)
    }

    /// Whether a name stands for itself, be it through a macro (`#define NAME NAME`, as kernel headers have it).
    fn is_itself(&mut self, name: Symbol) -> bool {
        if name.is_keyword() {
            return false;
        }
        if self.cx.names.class(name) & (class::MACRO | class::POISONED) == 0 {
            return true;
        }
        let found = self.macros.find(name);
        let Some(m) = found.and_then(|id| self.definition_of(id)) else { return false };
        m.kind == Kind::Object && matches!(self.macros.body(&m), [only] if only.is(name))
    }

    /// Whether a name outside brackets is no macro, or one that stands for a type or for attributes that
    /// (if `emits`) do not make a definition part of every program.
    fn is_harmless(&mut self, name: Symbol, emits: bool, depth: u32) -> bool {
        let class = self.cx.names.class(name);
        if class & class::MACRO == 0 {
            return class & class::POISONED == 0 && !(emits && is_emitting(self.cx.names.text(name)));
        }
        let found = self.macros.find(name).filter(|_| depth != 0);
        let Some(m) = found.and_then(|id| self.definition_of(id)) else { return false };
        if m.kind != Kind::Object {
            return false;
        }
        (m.body.0..m.body.1).all(|at| {
            let Some(tok) = self.macros.bodies.get(at as usize).copied() else { return false };
            match tok.kind {
                TokenKind::LBrace | TokenKind::RBrace | TokenKind::Semi | TokenKind::HashHash => false,
                TokenKind::Ident => !decides(tok.sym()) && self.is_harmless(tok.sym(), emits, depth - 1),
                _ => true,
            }
        })
    }
}

/// Keywords that decide what kind of declaration they are in.
fn decides(name: Symbol) -> bool {
    matches!(name, kw::TYPEDEF | kw::EXTERN | kw::STATIC | kw::STRUCT | kw::UNION | kw::ENUM)
}

/// Attributes that put a definition into the object though nothing refers to it.
fn is_emitting(word: &[u8]) -> bool {
    let word = word.strip_prefix(b"__").and_then(|word| word.strip_suffix(b"__")).unwrap_or(word);
    matches!(
        word,
        b"section" | b"used" | b"retain" | b"constructor" | b"destructor" | b"alias" | b"export_name"
    )
}

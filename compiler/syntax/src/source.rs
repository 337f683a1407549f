//! Positions: every file and every macro expansion shares one `u32` space.
//!
//! In: file texts and expansion steps as the preprocessor meets them. Out: ranges, lines, include
//! chains and macro backtraces for whoever holds a [`Loc`] or a [`Span`].
//! A `Loc` below 2^31 is a byte offset over all files laid end to end (0 is "nowhere"); one with the
//! top bit set indexes the table of macro-produced tokens, which says where the token is spelled and
//! in which expansion it appeared.
//! Invariant: positions are only ever added; a `Loc` once given out stays valid.

use crate::intern::Symbol;
use crate::lexer;
use std::cell::{Cell, OnceCell};
use std::ops::Range;
use std::sync::Arc;

/// Locations with this bit set were produced by a macro.
const MACRO_BIT: u32 = 1 << 31;
/// How many steps a chain of expansions or inclusions is followed.
const CHAIN_LIMIT: usize = 512;

/// One position: a byte of a file, or a token a macro produced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Loc(u32);

impl Loc {
    /// No position.
    pub const NONE: Loc = Loc(0);

    /// The first token that a macro produces; all positions in files come before it.
    pub const FIRST_MACRO: Loc = Loc(MACRO_BIT);

    /// Whether this is a real position.
    pub fn is_some(self) -> bool {
        self.0 != 0
    }

    /// The number behind the position, for text forms that are read back with the same source map.
    pub fn raw(self) -> u32 {
        self.0
    }

    /// The position with this number.
    pub fn from_raw(raw: u32) -> Loc {
        Loc(raw)
    }

    /// Whether a macro produced the token here.
    pub fn is_macro(self) -> bool {
        self.0 & MACRO_BIT != 0
    }

    /// How many bytes this is behind `start` of the same file.
    pub(crate) fn since(self, start: Loc) -> usize {
        self.0.wrapping_sub(start.0) as usize
    }

    /// The position `n` bytes later in the same file. Only for file positions.
    pub(crate) fn plus(self, n: u32) -> Loc {
        debug_assert!(!self.is_macro());
        Loc(self.0 + n)
    }
}

/// A range of tokens: the first, and the *last* (not one past it), as clang does it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span {
    /// Position of the first token.
    pub lo: Loc,
    /// Position of the last token; its length is measured from the text when it matters.
    pub hi: Loc,
}

impl Span {
    /// No position.
    pub const NONE: Span = Span { lo: Loc::NONE, hi: Loc::NONE };

    /// From the token at `lo` to the token at `hi`, both included.
    pub fn new(lo: Loc, hi: Loc) -> Span {
        Span { lo, hi }
    }

    /// Exactly the token at `loc`.
    pub fn at(loc: Loc) -> Span {
        Span { lo: loc, hi: loc }
    }

    /// From the start of `self` to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        let lo = if self.lo.is_some() { self.lo } else { other.lo };
        let hi = if other.hi.is_some() { other.hi } else { self.hi };
        Span { lo, hi }
    }

    /// Whether this is a real position.
    pub fn is_some(self) -> bool {
        self.lo.is_some()
    }
}

/// One inclusion of one file (a file included twice has two ids).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(u32);

/// One macro expansion; 0 is "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ExpId(u32);

impl ExpId {
    /// Not in a macro.
    pub const NONE: ExpId = ExpId(0);
}

/// What is known about one macro expansion.
#[derive(Clone, Copy, Debug)]
pub struct Expansion {
    /// The macro's name.
    pub name: Symbol,
    /// The name token at the invocation.
    pub lo: Loc,
    /// The last token of the invocation: the name again, or the closing parenthesis.
    pub hi: Loc,
    /// Where the macro is defined (its name there); nowhere for built-in macros.
    pub def: Loc,
    /// The expansion the invocation itself was produced by.
    pub parent: ExpId,
}

#[derive(Clone, Copy)]
struct MacroTok {
    spelling: Loc,
    exp: ExpId,
}

/// What a `#line` directive or a line marker said.
struct LineMark {
    /// Byte offset from which it holds.
    from: u32,
    /// Physical line index of the line after the directive.
    physical: u32,
    /// The number that line was given.
    line: u32,
    name: Option<Arc<str>>,
}

/// The bytes of a file, which many may hold.
#[derive(Clone, Debug)]
pub enum Text {
    /// Part of the program.
    Embedded(&'static [u8]),
    /// Read.
    Shared(Arc<[u8]>),
}

impl std::ops::Deref for Text {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Text::Embedded(bytes) => bytes,
            Text::Shared(bytes) => bytes,
        }
    }
}

impl<T: Into<Arc<[u8]>>> From<T> for Text {
    fn from(bytes: T) -> Text {
        Text::Shared(bytes.into())
    }
}

struct SourceFile {
    name: Arc<str>,
    text: Text,
    base: u32,
    room: u32,
    included_from: Loc,
    is_system: Cell<bool>,
    lines: OnceCell<Vec<u32>>,
    printable: OnceCell<Option<String>>,
    marks: Vec<LineMark>,
}

/// Line and column, both starting at 1; the column counts bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineCol {
    /// Line number.
    pub line: u32,
    /// Column in bytes.
    pub col: u32,
}

/// All files and expansions of one compilation.
pub struct SourceMap {
    files: Vec<SourceFile>,
    toks: Vec<MacroTok>,
    exps: Vec<Expansion>,
    last: Cell<usize>,
}

impl Default for SourceMap {
    fn default() -> SourceMap {
        SourceMap::new()
    }
}

impl SourceMap {
    /// An empty map.
    pub fn new() -> SourceMap {
        let none = Expansion {
            name: Symbol::EMPTY,
            lo: Loc::NONE,
            hi: Loc::NONE,
            def: Loc::NONE,
            parent: ExpId::NONE,
        };
        SourceMap { files: Vec::new(), toks: Vec::new(), exps: vec![none], last: Cell::new(0) }
    }

    /// Adds one inclusion of a file. `None` when the position space is used up.
    pub fn add_file(
        &mut self,
        name: &str,
        text: Text,
        included_from: Loc,
        is_system: bool,
    ) -> Option<FileId> {
        let room = u32::try_from(text.len()).ok()?;
        // One byte between files: the end of a file is a position of its own.
        let base = self.files.last().map_or(1, |f| f.base + f.room + 1);
        let end = base.checked_add(room)?.checked_add(1)?;
        if end >= MACRO_BIT {
            return None;
        }
        let id = FileId(u32::try_from(self.files.len()).ok()?);
        self.files.push(SourceFile {
            name: name.into(),
            text,
            base,
            room,
            included_from,
            is_system: Cell::new(is_system),
            lines: OnceCell::new(),
            printable: OnceCell::new(),
            marks: Vec::new(),
        });
        Some(id)
    }

    /// Opens an expansion of `name`, invoked from token `lo` to token `hi`, defined at `def`.
    pub fn add_expansion(&mut self, name: Symbol, lo: Loc, hi: Loc, def: Loc) -> ExpId {
        let parent = self.exp_of(lo);
        self.exps.push(Expansion { name, lo, hi, def, parent });
        ExpId((self.exps.len() - 1) as u32)
    }

    /// A token spelled at `spelling` that appears as part of `exp`. `NONE` when the space is used up.
    pub fn add_macro_tok(&mut self, spelling: Loc, exp: ExpId) -> Loc {
        let at = self.toks.len() as u32;
        if at >= MACRO_BIT - 1 {
            return Loc::NONE;
        }
        self.toks.push(MacroTok { spelling, exp });
        Loc(at | MACRO_BIT)
    }

    fn macro_tok(&self, loc: Loc) -> Option<MacroTok> {
        if loc.is_macro() { self.toks.get((loc.0 & !MACRO_BIT) as usize).copied() } else { None }
    }

    /// Where the next token that a macro produces will be.
    pub fn next_macro_tok(&self) -> Loc {
        Loc((self.toks.len() as u32).min(MACRO_BIT - 1) | MACRO_BIT)
    }

    /// The innermost expansion that produced the token at `loc`.
    pub fn exp_of(&self, loc: Loc) -> ExpId {
        self.macro_tok(loc).map_or(ExpId::NONE, |t| t.exp)
    }

    /// What is known about an expansion.
    pub fn expansion(&self, id: ExpId) -> Option<&Expansion> {
        if id == ExpId::NONE { None } else { self.exps.get(id.0 as usize) }
    }

    /// Where the characters of the token at `loc` are: a file position.
    pub fn spelling(&self, mut loc: Loc) -> Loc {
        // Spellings point to older entries, so this ends.
        while let Some(t) = self.macro_tok(loc) {
            loc = t.spelling;
        }
        loc
    }

    /// The invocation in a file that (through however many macros) produced the token at `loc`.
    pub fn invocation(&self, loc: Loc) -> Span {
        let mut span = Span::at(loc);
        while let Some(e) = self.expansion(self.exp_of(span.lo)) {
            // The end is taken from the outermost expansion of the end token.
            span = Span::new(e.lo, self.outer_end(e.hi));
        }
        span
    }

    fn outer_end(&self, mut hi: Loc) -> Loc {
        while let Some(e) = self.expansion(self.exp_of(hi)) {
            hi = e.hi;
        }
        hi
    }

    fn file_index(&self, loc: Loc) -> Option<usize> {
        if loc.is_macro() || !loc.is_some() {
            return None;
        }
        let hit = |f: &SourceFile| f.base <= loc.0 && loc.0 <= f.base + f.room;
        let last = self.last.get();
        if self.files.get(last).is_some_and(hit) {
            return Some(last);
        }
        let at = self.files.partition_point(|f| f.base <= loc.0).checked_sub(1)?;
        self.last.set(at);
        self.files.get(at).is_some_and(hit).then_some(at)
    }

    /// File and byte offset of a file position (`None` for macro positions: see [`Self::spelling`]).
    pub fn offset(&self, loc: Loc) -> Option<(FileId, usize)> {
        let at = self.file_index(loc)?;
        let file = self.files.get(at)?;
        Some((FileId(at as u32), (loc.0 - file.base) as usize))
    }

    /// The file in which the token at `loc` ended up.
    pub fn file_of(&self, loc: Loc) -> Option<FileId> {
        self.offset(self.invocation(loc).lo).map(|(id, _)| id)
    }

    /// The position of the byte `offset` of `file`.
    pub fn loc(&self, file: FileId, offset: usize) -> Loc {
        let Some(f) = self.files.get(file.0 as usize) else { return Loc::NONE };
        Loc(f.base + u32::try_from(offset).unwrap_or(f.room).min(f.room))
    }

    /// The bytes from a file position up to `len` later.
    pub fn slice(&self, loc: Loc, len: usize) -> &[u8] {
        let Some((id, at)) = self.offset(loc) else { return &[] };
        let text = self.text(id);
        text.get(at..at.saturating_add(len).min(text.len())).unwrap_or(&[])
    }

    /// Length in bytes of the token spelled at a file position.
    pub fn token_len(&self, loc: Loc) -> usize {
        let Some((id, at)) = self.offset(loc) else { return 0 };
        lexer::token_len(self.text(id).get(at..).unwrap_or(&[]))
    }

    /// The range a reader of the file sees for `span`: macro tokens stand for their outermost invocation.
    pub fn file_range(&self, span: Span) -> Option<(FileId, Range<usize>)> {
        let lo = self.invocation(span.lo).lo;
        let hi = self.invocation(if span.hi.is_some() { span.hi } else { span.lo });
        self.range(lo, hi.hi)
    }

    /// The range where the tokens of `span` are spelled, if that is one range of one real file.
    pub fn spelling_range(&self, span: Span) -> Option<(FileId, Range<usize>)> {
        let hi = if span.hi.is_some() { span.hi } else { span.lo };
        let (lo, hi) = (self.spelling(span.lo), self.spelling(hi));
        let (id, _) = self.offset(lo)?;
        if self.offset(hi)?.0 != id || hi < lo {
            return None;
        }
        self.range(lo, hi)
    }

    fn range(&self, lo: Loc, hi: Loc) -> Option<(FileId, Range<usize>)> {
        let (id, start) = self.offset(lo)?;
        let end = match self.offset(hi) {
            Some((other, end)) if other == id && end >= start => end + self.token_len(hi),
            _ => start + self.token_len(lo),
        };
        Some((id, start..end))
    }

    /// The expansions that produced the token at `loc`, innermost first.
    pub fn expansion_chain(&self, loc: Loc) -> Vec<ExpId> {
        // A token that is (part of) an argument went through several expansions: those its spelling
        // took are inside of, or (when a macro passes its parameter on) around, the last one.
        let mut steps = Vec::new();
        let mut at = loc;
        while let Some(t) = self.macro_tok(at).filter(|_| steps.len() < CHAIN_LIMIT) {
            steps.push(t.exp);
            at = t.spelling;
        }
        let mut chain: Vec<ExpId> = Vec::new();
        for exp in steps.into_iter().rev() {
            let mut new = Vec::new();
            let mut exp = exp;
            while let Some(e) = self.expansion(exp).filter(|_| new.len() < CHAIN_LIMIT) {
                if chain.contains(&exp) {
                    break;
                }
                new.push(exp);
                exp = e.parent;
            }
            let place = chain.iter().position(|c| *c == exp).unwrap_or(chain.len());
            chain.splice(place..place, new);
            chain.truncate(CHAIN_LIMIT);
        }
        chain
    }

    /// The `#include` directives that led to this file, innermost first.
    pub fn include_chain(&self, file: FileId) -> Vec<Loc> {
        let mut chain = Vec::new();
        let mut at = file;
        while let Some(f) = self.files.get(at.0 as usize) {
            let Some((from, _)) = self.offset(f.included_from) else { break };
            if chain.len() >= CHAIN_LIMIT {
                break;
            }
            chain.push(f.included_from);
            at = from;
        }
        chain
    }

    /// The `#include` that opened the file; nowhere for the main file.
    pub fn included_from(&self, file: FileId) -> Loc {
        self.files.get(file.0 as usize).map_or(Loc::NONE, |f| f.included_from)
    }

    /// The name a file was opened under.
    pub fn name(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", |f| &f.name)
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &[u8] {
        self.files.get(file.0 as usize).map_or(&[], |f| &f.text)
    }

    /// The text of a file, to keep.
    pub(crate) fn shared_text(&self, file: FileId) -> Text {
        self.files.get(file.0 as usize).map_or(Text::Embedded(&[]), |f| f.text.clone())
    }

    /// Whether the file comes from a system directory.
    pub fn is_system(&self, file: FileId) -> bool {
        self.files.get(file.0 as usize).is_some_and(|f| f.is_system.get())
    }

    /// Marks the file as a system header (`#pragma GCC system_header`).
    pub fn set_system(&self, file: FileId) {
        if let Some(f) = self.files.get(file.0 as usize) {
            f.is_system.set(true);
        }
    }

    /// All files in the order they were opened.
    pub fn file_ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.files.len() as u32).map(FileId)
    }

    pub(crate) fn lines(&self, file: FileId) -> &[u32] {
        let Some(f) = self.files.get(file.0 as usize) else { return &[] };
        f.lines.get_or_init(|| {
            let text = &f.text;
            let mut starts = Vec::with_capacity(text.len() / 24 + 1);
            starts.push(0);
            starts.extend(memchr::memchr_iter(b'\n', text).map(|at| at as u32 + 1));
            starts
        })
    }

    /// Line index (from 0) and byte column of an offset.
    pub(crate) fn line_index(&self, file: FileId, offset: usize) -> (usize, usize) {
        let lines = self.lines(file);
        let at = lines.partition_point(|&s| s as usize <= offset).saturating_sub(1);
        (at, offset - lines.get(at).map_or(0, |&s| s as usize).min(offset))
    }

    /// Line and column of the outermost invocation of `loc`, ignoring `#line`.
    pub fn line_col(&self, loc: Loc) -> Option<LineCol> {
        let (id, at) = self.offset(self.invocation(loc).lo)?;
        let (line, col) = self.line_index(id, at);
        Some(LineCol { line: line as u32 + 1, col: col as u32 + 1 })
    }

    /// File name and position as `#line` directives present them.
    pub fn presumed(&self, loc: Loc) -> Option<(&str, LineCol)> {
        let (id, at) = self.offset(self.invocation(loc).lo)?;
        let file = self.files.get(id.0 as usize)?;
        let (line, col) = self.line_index(id, at);
        let here = LineCol { line: line as u32 + 1, col: col as u32 + 1 };
        let past = file.marks.partition_point(|m| m.from as usize <= at);
        let Some(mark) = past.checked_sub(1).and_then(|i| file.marks.get(i)) else {
            return Some((&file.name, here));
        };
        let named = file.marks.iter().take(past).rev().find_map(|m| m.name.as_deref());
        let line = mark.line.wrapping_add((line as u32).saturating_sub(mark.physical));
        Some((named.unwrap_or(&file.name), LineCol { line, col: here.col }))
    }

    /// Records a `#line`: the line after the one holding `loc` gets number `line`.
    pub fn add_line_mark(&mut self, loc: Loc, line: u32, name: Option<&str>) {
        let Some((id, at)) = self.offset(loc) else { return };
        let physical = self.line_index(id, at).0 as u32 + 1;
        let text = self.text(id);
        let from = memchr::memchr(b'\n', text.get(at..).unwrap_or(&[])).map_or(text.len(), |n| at + n + 1);
        if let Some(f) = self.files.get_mut(id.0 as usize) {
            f.marks.push(LineMark { from: from as u32, physical, line, name: name.map(Arc::from) });
        }
    }

    /// The text of the line `loc` ends up on, without its end of line; invalid UTF-8 shows as `?`.
    pub fn line_text(&self, loc: Loc) -> &str {
        let Some((id, at)) = self.offset(self.invocation(loc).lo) else { return "" };
        let (line, _) = self.line_index(id, at);
        let range = self.line_bytes(id, line);
        let bytes = self.text(id).get(range.clone()).unwrap_or(&[]);
        let text = std::str::from_utf8(bytes).unwrap_or_else(|_| self.printable(id).get(range).unwrap_or(""));
        text.trim_end_matches(['\n', '\r'])
    }

    /// The bytes of a line, its end included.
    pub(crate) fn line_bytes(&self, file: FileId, line: usize) -> Range<usize> {
        let lines = self.lines(file);
        let start = lines.get(line).map_or(0, |&s| s as usize);
        let end = lines.get(line + 1).map_or(self.text(file).len(), |&s| s as usize);
        start..end.max(start)
    }

    /// The text with each byte that is not UTF-8 replaced by `?`, so that offsets stay.
    pub(crate) fn printable(&self, file: FileId) -> &str {
        let Some(f) = self.files.get(file.0 as usize) else { return "" };
        let bytes = &f.text;
        if let Ok(text) = std::str::from_utf8(bytes) {
            return text;
        }
        let made = f.printable.get_or_init(|| {
            let mut out = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                out.push_str(chunk.valid());
                out.extend(chunk.invalid().iter().map(|_| '?'));
            }
            Some(out)
        });
        made.as_deref().unwrap_or("")
    }
}

//! A program whose headers are read as far as it needs them.
//!
//! In: the tokens that were read in order, and the declarations that wait ([`super::defer`]). Out: token
//! streams in which some of those stand at their places.
//! Which: those whose names the program mentions, and what these mention in turn. A struct that is only
//! pointed to is left out until someone asks for its tag: kernel types point to each other without end.
//! Invariant: a chunk is expanded by the macros that were defined where it stands.

use super::defer::{Chunk, Declared, Later};
use super::include::Search;
use super::skim::Space;
use super::{Dep, Macros, Pp};
use crate::Session;
use crate::intern::{self, Symbol, kw};
use crate::token::{Pragma, Token, TokenKind, Tokens};
use std::collections::{BTreeMap, BTreeSet};

const NONE: u32 = u32::MAX;

/// A preprocessed program, and what of its headers was not read yet.
pub struct Program {
    main: String,
    read: Tokens,
    macros: Macros,
    search: Search,
    counter: u32,
    budget: usize,
    chunks: Vec<Chunk>,
    index: Index,
    /// By symbol: what is known about it, as bits.
    known: Vec<u8>,
    /// Buffers for reading, used again and again.
    spare: Vec<Vec<Token>>,
    /// Chunks that are wanted and not read yet.
    wanted: BTreeSet<u32>,
    /// The chunks that were read: ranges of `pool`.
    taken: BTreeMap<u32, Taken>,
    pool: Tokens,
}

/// The program itself mentions the name.
const MENTIONED: u8 = 1;
/// Everything of that name was asked for: as an ordinary name, as a tag.
const ORDINARY: u8 = 2;
const TAG: u8 = 4;

/// What the chunks declare, by the hash of the name.
struct Index {
    names: Vec<Declared>,
    /// First entry of each bucket, and for each entry the next one of its bucket.
    buckets: Vec<u32>,
    next: Vec<u32>,
}

impl Index {
    fn new(names: Vec<Declared>) -> Index {
        let mut buckets = vec![NONE; (names.len() * 2).next_power_of_two()];
        let mask = buckets.len() - 1;
        let link = |(at, name): (usize, &Declared)| match buckets.get_mut(name.hash as usize & mask) {
            Some(first) => std::mem::replace(first, at as u32),
            None => NONE,
        };
        let next = names.iter().enumerate().map(link).collect();
        Index { names, buckets, next }
    }

    /// The entries whose hash is `hash`.
    fn find(&self, hash: u32) -> impl Iterator<Item = &Declared> {
        let first = self.buckets.get(hash as usize & (self.buckets.len() - 1));
        let chain = std::iter::successors(first.copied(), |at| self.next.get(*at as usize).copied());
        chain.map_while(|at| self.names.get(at as usize)).filter(move |name| name.hash == hash)
    }
}

/// A chunk that was read.
#[derive(Clone, Copy)]
struct Taken {
    toks: (usize, usize),
    pragmas: (usize, usize),
}

/// Preprocesses the file `main`, and leaves out of its headers what can be left out.
pub fn run_lazily(cx: &mut Session<'_>, main: &str) -> Program {
    let mut pp = Pp::new(cx, main);
    pp.later = Some(Later::default());
    pp.everything(main);
    let later = pp.later.take().unwrap_or_default();
    let spare = pp.spare;
    let (read, macros, search, counter, budget) = (pp.out, pp.macros, pp.search, pp.counter, pp.budget);
    Program {
        main: main.to_string(),
        read,
        macros,
        search,
        counter,
        budget,
        taken: BTreeMap::new(),
        chunks: later.chunks,
        index: Index::new(later.names),
        spare,
        known: vec![0; cx.names.len()],
        wanted: BTreeSet::new(),
        pool: Tokens::default(),
    }
}

impl Program {
    /// The files that were opened, the main file first.
    pub fn deps(&self) -> &[Dep] {
        &self.search.deps
    }

    /// Whether anything of the headers is left out.
    pub fn is_partial(&self) -> bool {
        self.taken.len() < self.chunks.len()
    }

    /// The program as far as it was read.
    pub fn tokens(&self) -> Tokens {
        let mut out = Tokens::default();
        out.toks.reserve(self.read.toks.len() + self.pool.toks.len());
        let (mut toks, mut pragmas) = (0, 0);
        for (&at, taken) in &self.taken {
            let Some(chunk) = self.chunks.get(at as usize) else { continue };
            append(&mut out, &self.read, (toks, chunk.index), (pragmas, chunk.pragmas));
            (toks, pragmas) = (chunk.index, chunk.pragmas);
            append(&mut out, &self.pool, taken.toks, taken.pragmas);
        }
        append(&mut out, &self.read, (toks, self.read.toks.len()), (pragmas, self.read.pragmas.len()));
        out
    }

    /// Reads what the program mentions.
    pub fn want_mentioned(&mut self, cx: &mut Session<'_>) {
        let read = std::mem::take(&mut self.read);
        self.mentions(cx, &read.toks, true);
        self.read = read;
        self.take_wanted(cx);
    }

    /// Reads the definitions of these tags; `false` if all of them were read before.
    pub fn want_tags(&mut self, cx: &mut Session<'_>, tags: impl IntoIterator<Item = Symbol>) -> bool {
        for tag in tags {
            self.want(cx, Space::Tag, tag);
        }
        let any = !self.wanted.is_empty();
        self.take_wanted(cx);
        any
    }

    /// Reads everything, in order.
    pub fn want_all(&mut self, cx: &mut Session<'_>) {
        self.pool = Tokens::default();
        self.taken.clear();
        self.wanted = (0..self.chunks.len() as u32).collect();
        self.take_wanted(cx);
    }

    /// Wants all chunks that declare `name`.
    fn want(&mut self, cx: &Session<'_>, space: Space, name: Symbol) {
        let asked = if space == Space::Tag { TAG } else { ORDINARY };
        if self.known.len() <= name.0 as usize {
            self.known.resize(cx.names.len(), 0);
        }
        let Some(known) = self.known.get_mut(name.0 as usize).filter(|known| **known & asked == 0) else {
            return;
        };
        *known |= asked;
        let text = cx.names.text(name);
        for declared in self.index.find(intern::hash(text, 0, text.len())).filter(|d| d.space == space) {
            let at = declared.chunk as usize;
            let Some(chunk) = self.chunks.get(at) else { continue };
            let start = declared.start as usize;
            let same = cx.source.text(chunk.file).get(start..start + declared.len as usize) == Some(text);
            if same && !self.taken.contains_key(&declared.chunk) {
                self.wanted.insert(declared.chunk);
            }
        }
    }

    /// Reads what is wanted, and what that mentions, until nothing is wanted any more.
    fn take_wanted(&mut self, cx: &mut Session<'_>) {
        let end = self.macros.time();
        let mut at = 0;
        while !self.wanted.is_empty() {
            // In the order of the text, so that macros come and go as few times as possible.
            let Some(&chunk) = self.wanted.range(at..).next().or(self.wanted.first()) else { break };
            self.wanted.remove(&chunk);
            at = chunk;
            self.take(cx, chunk);
        }
        self.macros.travel(&cx.names, end);
    }

    fn take(&mut self, cx: &mut Session<'_>, at: u32) {
        let Some(&chunk) = self.chunks.get(at as usize) else { return };
        self.macros.travel(&cx.names, chunk.time);
        let start = (self.pool.toks.len(), self.pool.pragmas.len());
        let (macros, search) = (std::mem::take(&mut self.macros), std::mem::take(&mut self.search));
        let mut pp = Pp::resume(cx, &self.main, macros, search);
        (pp.out, pp.counter, pp.budget) = (std::mem::take(&mut self.pool), self.counter, self.budget);
        pp.spare = std::mem::take(&mut self.spare);
        let place = pp.cx.source.loc(chunk.file, chunk.text.0);
        pp.cx.diags.regions.resume(place, pp.cx.source.next_macro_tok());
        pp.push_part(chunk.file, chunk.text.0, chunk.text.1, chunk.bol);
        pp.drain();
        (self.macros, self.search, self.spare) = (pp.macros, pp.search, pp.spare);
        (self.pool, self.counter, self.budget) = (pp.out, pp.counter, pp.budget);
        let end = (self.pool.toks.len(), self.pool.pragmas.len());
        let taken = Taken { toks: (start.0, end.0), pragmas: (start.1, end.1) };
        self.taken.insert(at, taken);
        let pool = std::mem::take(&mut self.pool);
        self.mentions(cx, pool.toks.get(start.0..end.0).unwrap_or(&[]), chunk.body);
        self.pool = pool;
    }

    /// Wants what some tokens mention; `code` says whether they may look into structs.
    fn mentions(&mut self, cx: &Session<'_>, toks: &[Token], code: bool) {
        for (at, tok) in toks.iter().enumerate() {
            if tok.kind != TokenKind::Ident || tok.sym().is_keyword() {
                continue;
            }
            let name = tok.sym();
            self.want(cx, Space::Ordinary, name);
            if code && let Some(known) = self.known.get_mut(name.0 as usize) {
                *known |= MENTIONED;
            }
            match at.checked_sub(1).and_then(|before| toks.get(before)).map(Token::sym) {
                Some(kw::ENUM) => self.want(cx, Space::Tag, name),
                Some(kw::STRUCT | kw::UNION) if code || self.is_looked_into(toks, at) => {
                    self.want(cx, Space::Tag, name)
                }
                _ => {}
            }
        }
    }

    /// Whether the struct whose tag is `toks[at]` is a member itself, or the member that points to it has a name
    /// that the program mentions.
    fn is_looked_into(&self, toks: &[Token], at: usize) -> bool {
        let mut rest = toks.get(at + 1..).unwrap_or(&[]).iter();
        let mut pointer = false;
        loop {
            let Some(tok) = rest.next() else { return !pointer };
            match tok.kind {
                TokenKind::Star => pointer = true,
                TokenKind::Ident if tok.is(kw::CONST) || tok.is(kw::VOLATILE) => {}
                TokenKind::Ident if pointer => {
                    return self.known.get(tok.val as usize).is_some_and(|known| known & MENTIONED != 0);
                }
                TokenKind::RParen | TokenKind::Comma | TokenKind::Semi => return false,
                _ => return !pointer,
            }
        }
    }
}

/// Appends ranges of tokens and pragmas.
fn append(out: &mut Tokens, from: &Tokens, toks: (usize, usize), pragmas: (usize, usize)) {
    let start = out.toks.len();
    out.toks.extend_from_slice(from.toks.get(toks.0..toks.1).unwrap_or(&[]));
    for pragma in from.pragmas.get(pragmas.0..pragmas.1).unwrap_or(&[]) {
        let first = out.pragma_toks.len() as u32;
        out.pragma_toks.extend_from_slice(from.pragma_range(pragma.toks));
        let shift = |(a, b): (u32, u32)| (a + first - pragma.toks.0, b + first - pragma.toks.0);
        let index = (start + pragma.index as usize - toks.0) as u32;
        out.pragmas.push(Pragma {
            index,
            kind: pragma.kind.shifted(shift),
            toks: shift(pragma.toks),
            loc: pragma.loc,
        });
    }
}

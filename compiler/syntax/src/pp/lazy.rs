//! A program whose headers are read as far as it needs them.
//!
//! In: the tokens that were read in order, and the declarations that wait ([`super::defer`]). Out: token
//! streams in which some of those stand at their places.
//! Which: those whose names the program mentions, and what these mention in turn. A struct that is only
//! pointed to is left out until someone asks for its tag: kernel types point to each other without end.
//! Invariant: a chunk is expanded by the macros that were defined where it stands.

use super::defer::{Chunk, Later};
use super::include::Search;
use super::skim::Space;
use super::{Dep, Macros, Pp};
use crate::Session;
use crate::intern::{Symbol, kw};
use crate::token::{Pragma, Token, TokenKind, Tokens};
use std::collections::BTreeSet;

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
    /// By symbol and name space, the first entry of `next` that declares it.
    ordinary: Vec<u32>,
    tags: Vec<u32>,
    /// Chunk, and next entry of the same name.
    next: Vec<(u32, u32)>,
    /// Names that the program itself mentions.
    mentioned: Vec<bool>,
    /// Chunks that are wanted and not read yet.
    wanted: BTreeSet<u32>,
    /// What was read of each chunk: ranges of `pool`.
    taken: Vec<Option<Taken>>,
    pool: Tokens,
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
    let (read, macros, search, counter, budget) = (pp.out, pp.macros, pp.search, pp.counter, pp.budget);
    let mut program = Program {
        main: main.to_string(),
        read,
        macros,
        search,
        counter,
        budget,
        taken: vec![None; later.chunks.len()],
        chunks: later.chunks,
        ordinary: vec![NONE; cx.names.len()],
        tags: vec![NONE; cx.names.len()],
        next: vec![(NONE, NONE); later.names.len()],
        mentioned: vec![false; cx.names.len()],
        wanted: BTreeSet::new(),
        pool: Tokens::default(),
    };
    program.index(&later.names);
    program
}

impl Program {
    /// The files that were opened, the main file first.
    pub fn deps(&self) -> &[Dep] {
        &self.search.deps
    }

    /// Whether anything of the headers is left out.
    pub fn is_partial(&self) -> bool {
        self.taken.iter().any(Option::is_none)
    }

    /// The program as far as it was read.
    pub fn tokens(&self) -> Tokens {
        let mut out = Tokens::default();
        out.toks.reserve(self.read.toks.len() + self.pool.toks.len());
        let (mut toks, mut pragmas) = (0, 0);
        for (chunk, taken) in self.chunks.iter().zip(&self.taken) {
            let Some(taken) = taken else { continue };
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
        self.mentions(&read.toks, true);
        self.read = read;
        self.take_wanted(cx);
    }

    /// Reads the definitions of these tags; `false` if all of them were read before.
    pub fn want_tags(&mut self, cx: &mut Session<'_>, tags: impl IntoIterator<Item = Symbol>) -> bool {
        for tag in tags {
            self.want(Space::Tag, tag);
        }
        let any = !self.wanted.is_empty();
        self.take_wanted(cx);
        any
    }

    /// Reads everything, in order.
    pub fn want_all(&mut self, cx: &mut Session<'_>) {
        self.pool = Tokens::default();
        self.taken.iter_mut().for_each(|taken| *taken = None);
        self.wanted = (0..self.chunks.len() as u32).collect();
        self.take_wanted(cx);
    }

    /// Links the entries of each name.
    fn index(&mut self, names: &[(Symbol, Space, u32)]) {
        for (at, &(name, space, chunk)) in names.iter().enumerate() {
            let heads = match space {
                Space::Ordinary => &mut self.ordinary,
                Space::Tag => &mut self.tags,
            };
            let (Some(head), Some(entry)) = (heads.get_mut(name.0 as usize), self.next.get_mut(at)) else {
                continue;
            };
            *entry = (chunk, *head);
            *head = at as u32;
        }
    }

    /// Wants all chunks that declare `name`.
    fn want(&mut self, space: Space, name: Symbol) {
        let heads = match space {
            Space::Ordinary => &self.ordinary,
            Space::Tag => &self.tags,
        };
        let mut at = heads.get(name.0 as usize).copied().unwrap_or(NONE);
        while let Some(&(chunk, next)) = self.next.get(at as usize) {
            if self.taken.get(chunk as usize).is_some_and(Option::is_none) {
                self.wanted.insert(chunk);
            }
            at = next;
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
            self.take(cx, chunk as usize);
        }
        self.macros.travel(&cx.names, end);
    }

    fn take(&mut self, cx: &mut Session<'_>, at: usize) {
        let Some(&chunk) = self.chunks.get(at) else { return };
        self.macros.travel(&cx.names, chunk.time);
        let start = (self.pool.toks.len(), self.pool.pragmas.len());
        let (macros, search) = (std::mem::take(&mut self.macros), std::mem::take(&mut self.search));
        let mut pp = Pp::resume(cx, &self.main, macros, search);
        (pp.out, pp.counter, pp.budget) = (std::mem::take(&mut self.pool), self.counter, self.budget);
        pp.push_part(chunk.file, chunk.text.0, chunk.text.1, chunk.bol);
        pp.drain();
        (self.macros, self.search) = (pp.macros, pp.search);
        (self.pool, self.counter, self.budget) = (pp.out, pp.counter, pp.budget);
        let end = (self.pool.toks.len(), self.pool.pragmas.len());
        if let Some(slot) = self.taken.get_mut(at) {
            *slot = Some(Taken { toks: (start.0, end.0), pragmas: (start.1, end.1) });
        }
        let pool = std::mem::take(&mut self.pool);
        self.mentions(pool.toks.get(start.0..end.0).unwrap_or(&[]), chunk.body);
        self.pool = pool;
    }

    /// Wants what some tokens mention; `code` says whether they may look into structs.
    fn mentions(&mut self, toks: &[Token], code: bool) {
        for (at, tok) in toks.iter().enumerate() {
            if tok.kind != TokenKind::Ident {
                continue;
            }
            let name = tok.sym();
            if code && let Some(seen) = self.mentioned.get_mut(name.0 as usize) {
                *seen = true;
            }
            if self.ordinary.get(name.0 as usize).is_some_and(|head| *head != NONE) {
                self.want(Space::Ordinary, name);
            }
            if self.tags.get(name.0 as usize).is_none_or(|head| *head == NONE) {
                continue;
            }
            match at.checked_sub(1).and_then(|before| toks.get(before)).map(Token::sym) {
                Some(kw::ENUM) => self.want(Space::Tag, name),
                Some(kw::STRUCT | kw::UNION) if code || self.is_looked_into(toks, at) => {
                    self.want(Space::Tag, name)
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
                    return self.mentioned.get(tok.val as usize).copied().unwrap_or(false);
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

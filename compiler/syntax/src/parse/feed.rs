//! From the preprocessor's tokens to the grammar's terminals.
//!
//! In: tokens, the classes of names the actions maintain, and the edits of error repair. Out: triples
//! (index, terminal, index after it); an index counts preprocessor tokens.
//! The feed runs one token ahead of the actions, so it has no side effects that depend on them; what
//! it asks (is this name a type?) is only asked when every action that could change the answer has
//! run: a name that was ever both is sent as itself, and its class as a second terminal of no width.

use super::old_style::{self, Piece};
use super::tok::{self, KEYWORDS, Tok};
use crate::ast::{MAX_BRACKETS, Storage};
use crate::intern::{Interner, N_KEYWORDS, N_KEYWORDS_C23, Symbol, kw, kw23};
use crate::source::{Loc, SourceMap, Span};
use crate::token::{Token, TokenKind};
use std::cell::{Cell, RefCell};

/// The name is a typedef name now.
pub const TYPE: u8 = 1;
/// The name was a type here and something else there: ask as late as possible.
pub const BOTH: u8 = 2;
/// The name was declared as something else than a type.
pub const OTHER: u8 = 4;
/// The program uses the name as a type but never declared it; an error has been reported.
pub const UNKNOWN: u8 = 8;

/// The most tokens of an attribute list in double brackets.
const MAX_LIST: usize = 4096;

/// The attributes that can belong to a statement, without their underscores.
const STATEMENT_ATTRS: &[&str] = &[
    "always_inline",
    "assume",
    "code_align",
    "fallthrough",
    "likely",
    "musttail",
    "noinline",
    "nomerge",
    "opencl_unroll_hint",
    "suppress",
    "unlikely",
];

/// The most operators, and the most statements, that may wait for what follows them.
const MAX_PENDING: u32 = 2048;

/// What feed and actions share during one run of the parser.
pub struct Cx<'a> {
    pub toks: &'a [Token],
    pub names: &'a Interner,
    pub source: &'a SourceMap,
    pub c23: bool,
    class: Vec<Cell<u8>>,
    /// How many braces are open.
    pub braces: Cell<u32>,
    /// Tokens no program may contain, dropped.
    pub stray: RefCell<Vec<u32>>,
    /// Where the program nests more than allowed, and what to say: the input ends there.
    pub too_deep: Cell<Option<(u32, &'static str)>>,
}

impl<'a> Cx<'a> {
    pub fn new(toks: &'a [Token], names: &'a Interner, source: &'a SourceMap, c23: bool) -> Cx<'a> {
        let cx = Cx {
            toks,
            names,
            source,
            c23,
            class: vec![Cell::new(0); names.len()],
            braces: Cell::new(0),
            stray: RefCell::new(Vec::new()),
            too_deep: Cell::new(None),
        };
        cx.reset();
        cx
    }

    /// Forgets what a run of the parser left behind.
    pub fn reset(&self) {
        self.class.iter().for_each(|c| c.set(0));
        self.braces.set(0);
        self.stray.borrow_mut().clear();
        self.too_deep.set(None);
        for builtin in BUILTIN_TYPES {
            if let Some(sym) = self.names.lookup(builtin.as_bytes()) {
                self.set_class(sym, TYPE);
            }
        }
    }

    #[inline]
    pub fn class(&self, sym: Symbol) -> u8 {
        self.class.get(sym.0 as usize).map_or(0, Cell::get)
    }

    #[inline]
    pub fn set_class(&self, sym: Symbol, class: u8) {
        if let Some(cell) = self.class.get(sym.0 as usize) {
            cell.set(class);
        }
    }

    /// Where the token with this index is; the last token if there are fewer.
    #[inline]
    pub fn loc(&self, at: u32) -> Loc {
        match self.toks.get(at as usize) {
            Some(tok) => tok.loc,
            None => self.toks.last().map_or(Loc::NONE, |tok| tok.loc),
        }
    }

    /// The source of the tokens from `l` up to, not including, `r`.
    #[inline]
    pub fn span(&self, l: u32, r: u32) -> Span {
        Span::new(self.loc(l), self.loc(if r > l { r - 1 } else { l }))
    }
}

/// Typedef names that need no declaration.
pub const BUILTIN_TYPES: [&str; 3] = ["__builtin_va_list", "__int128_t", "__uint128_t"];

/// A change to the token stream that repairs an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Puts a terminal in front of the token.
    Insert(Tok),
    /// Leaves the token out.
    Delete,
    /// Leaves out all tokens up to this one.
    SkipTo(u32),
    /// Reads the token as this terminal.
    Replace(Tok),
}

/// Whether the name begins attributes in the old form.
fn is_attribute(name: Symbol) -> bool {
    name == kw::ATTRIBUTE_ || name == kw::ATTRIBUTE__
}

/// What waits inside one bracket for its last part.
#[derive(Clone, Copy, Default)]
struct Pending {
    /// Operators with an operand to come.
    operators: u32,
    /// `?` without its `:`.
    questions: u32,
    /// Statements and labels with a statement to come.
    statements: u32,
}

/// `[[...]]`, sent as `__attribute__((...))`: the indices of its second bracket and of its third.
#[derive(Clone, Copy)]
struct DoubleBrackets {
    open: usize,
    close: usize,
}

/// Iterator over terminals.
pub struct Feed<'c, 'a> {
    cx: &'c Cx<'a>,
    start: Option<Tok>,
    at: usize,
    /// The name whose class is to be told next.
    ask: Option<Symbol>,
    /// A terminal of no width that comes next.
    again: Option<Tok>,
    /// What comes before the token at `at`, last first: the parameters of a definition in the old style.
    queue: Vec<Piece>,
    /// The attribute list in double brackets that is being read.
    list: Option<DoubleBrackets>,
    /// Edits to come, by token index.
    edits: &'c [(u32, Edit)],
    /// Open brackets.
    depth: u32,
    /// What waits in each of them, outermost first, and in all together.
    pending: Vec<Pending>,
    total: u32,
    /// The bracket depths at which attribute lists are open.
    attrs: Vec<u32>,
}

impl<'c, 'a> Feed<'c, 'a> {
    pub fn new(cx: &'c Cx<'a>, start: Tok, edits: &'c [(u32, Edit)]) -> Feed<'c, 'a> {
        Feed {
            cx,
            start: Some(start),
            at: 0,
            ask: None,
            again: None,
            queue: Vec::new(),
            list: None,
            edits,
            depth: 0,
            pending: vec![Pending::default()],
            total: 0,
            attrs: Vec::new(),
        }
    }

    fn kind_at(&self, at: usize) -> TokenKind {
        self.cx.toks.get(at).map_or(TokenKind::Eof, |t| t.kind)
    }

    fn sym_at(&self, at: usize) -> Symbol {
        self.cx.toks.get(at).map_or(Symbol::EMPTY, Token::sym)
    }

    /// The next edit for the token at `self.at`, if any.
    #[cold]
    fn edit(&mut self) -> Option<Edit> {
        let (&(at, edit), rest) = self.edits.split_first()?;
        self.edits = rest;
        // One that comes too late (its token is gone) is dropped.
        (at as usize == self.at).then_some(edit)
    }

    fn identifier(&mut self, sym: Symbol) -> Tok {
        if self.attrs.last() == Some(&self.depth) && self.starts_attr() {
            return Tok::AttrName(sym);
        }
        if sym.0 < N_KEYWORDS || (self.cx.c23 && sym.0 < N_KEYWORDS_C23) {
            return match sym {
                kw::AUTO if self.cx.c23 && self.infers() => Tok::AutoType,
                kw23::CONSTEXPR => self.constexpr(),
                _ => self.keyword(sym),
            };
        }
        let class = self.cx.class(sym);
        if class & BOTH != 0 {
            self.ask = Some(sym);
            Tok::Name(sym)
        } else if class & TYPE != 0 {
            Tok::Type(sym)
        } else {
            Tok::Var(sym)
        }
    }

    /// Whether the `auto` just read stands for a type: a name with an initialiser follows.
    fn infers(&self) -> bool {
        let name = self.sym_at(self.at);
        let is_name = name.0 >= N_KEYWORDS_C23 && self.cx.class(name) & TYPE == 0;
        is_name && self.kind_at(self.at + 1) == TokenKind::Assign
    }

    /// What is known when it is compiled is a constant with static storage: nobody can tell where it lies.
    fn constexpr(&mut self) -> Tok {
        let before = self.at.checked_sub(2).map_or(Symbol::EMPTY, |at| self.sym_at(at));
        if before != kw::STATIC && self.sym_at(self.at) != kw::STATIC {
            self.again = Some(Tok::Storage(Storage::STATIC));
        }
        self.keyword(kw23::CONSTEXPR)
    }

    /// Whether the token before the current one opened an attribute list or separated two attributes.
    fn starts_attr(&self) -> bool {
        let before = self.at.checked_sub(2).map_or(TokenKind::Eof, |at| self.kind_at(at));
        match before {
            TokenKind::LParen | TokenKind::Comma => true,
            TokenKind::LBracket | TokenKind::ColonColon => self.list.is_some(),
            _ => false,
        }
    }

    /// Looks for a definition in the old style whose list of names this parenthesis opens.
    fn old_style(&mut self, open: usize) {
        let is_list = matches!(self.kind_at(open + 2), TokenKind::Comma | TokenKind::RParen);
        let name = open.checked_sub(1).map_or(Symbol::EMPTY, |at| self.sym_at(at));
        if is_list && self.kind_at(open + 1) == TokenKind::Ident && name.0 >= N_KEYWORDS {
            let pieces = old_style::definition(self.cx, open).unwrap_or_default();
            // The parenthesis itself is being sent.
            self.queue = pieces.into_iter().skip(1).rev().collect();
        }
    }

    // ------------------------------------------------------------ attributes in double brackets

    /// What a bracket is sent as; `None` when the list that it opens is left out.
    fn bracket(&mut self, here: usize, kind: TokenKind) -> Option<Tok> {
        if let Some(list) = self.list {
            if here == list.open {
                self.again = Some(Tok::LParen);
                return Some(Tok::LParen);
            }
            if here == list.close {
                return Some(Tok::RParen);
            }
            if here == list.close + 1 {
                self.list = None;
                return Some(Tok::RParen);
            }
        } else if kind == TokenKind::LBracket
            && self.kind_at(self.at) == TokenKind::LBracket
            && let Some(list) = self.double_brackets(here)
        {
            if let Some(next) = self.hints(here) {
                self.at = next;
                return None;
            }
            self.list = Some(list);
            return Some(Tok::Attribute);
        }
        Some(tok::of_kind(kind))
    }

    /// The list that starts at this index, if its brackets match.
    fn double_brackets(&self, at: usize) -> Option<DoubleBrackets> {
        let open = at + 1;
        let mut depth = 0usize;
        for (index, tok) in self.cx.toks.iter().enumerate().skip(open + 1).take(MAX_LIST) {
            match tok.kind {
                TokenKind::LParen | TokenKind::LBracket | TokenKind::LBrace => depth += 1,
                TokenKind::RBracket if depth == 0 => {
                    let closes = self.kind_at(index + 1) == TokenKind::RBracket;
                    return closes.then_some(DoubleBrackets { open, close: index });
                }
                TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => {
                    depth = depth.checked_sub(1)?
                }
                TokenKind::Eof | TokenKind::Semi => return None,
                _ => {}
            }
        }
        None
    }

    /// The index after the attributes in single or double brackets that start at this one.
    fn list_end(&self, at: usize) -> Option<usize> {
        match self.kind_at(at) {
            TokenKind::LBracket if self.kind_at(at + 1) == TokenKind::LBracket => {
                self.double_brackets(at).map(|list| list.close + 2)
            }
            TokenKind::Ident if is_attribute(self.sym_at(at)) => {
                let mut depth = 0usize;
                for (index, tok) in self.cx.toks.iter().enumerate().skip(at + 1).take(MAX_LIST) {
                    match tok.kind {
                        TokenKind::LParen => depth += 1,
                        TokenKind::RParen if depth <= 1 => return (depth == 1).then_some(index + 1),
                        TokenKind::RParen => depth -= 1,
                        TokenKind::Eof | TokenKind::Semi => return None,
                        _ if depth == 0 => return None,
                        _ => {}
                    }
                }
                None
            }
            _ => None,
        }
    }

    /// Where the attributes end whose first list starts at `here`, if they stand in front of a statement:
    /// there they are hints to an optimiser. `None` when they belong to a declaration or are a statement
    /// of their own.
    fn hints(&self, here: usize) -> Option<usize> {
        let (before, word) = match here.checked_sub(1) {
            Some(at) => (self.kind_at(at), self.sym_at(at)),
            None => (TokenKind::Semi, Symbol::EMPTY),
        };
        let starts_statement = match before {
            TokenKind::Semi
            | TokenKind::LBrace
            | TokenKind::RBrace
            | TokenKind::RParen
            | TokenKind::Colon => true,
            _ => word == kw::ELSE || word == kw::DO,
        };
        if !starts_statement {
            return None;
        }
        let mut next = here;
        // Most attributes in the old form mean a declaration.
        let mut others = false;
        while let Some(end) = self.list_end(next) {
            others |= self.kind_at(next) == TokenKind::Ident && !self.are_of_statements(next, end);
            next = end;
        }
        // Around a label they are the label's.
        let labels = before == TokenKind::Colon
            || self.kind_at(next) == TokenKind::Ident && self.kind_at(next + 1) == TokenKind::Colon;
        if next == here || others && !labels {
            return None;
        }
        let declares = if self.cx.braces.get() == 0 {
            // A list that stands alone at file scope says nothing.
            self.kind_at(here) == TokenKind::Ident
                || before == TokenKind::RParen
                || self.kind_at(next) != TokenKind::Semi
        } else {
            self.starts_declaration(next)
        };
        (!declares).then_some(next)
    }

    /// Whether each attribute of `__attribute__((...))` can belong to a statement.
    fn are_of_statements(&self, at: usize, end: usize) -> bool {
        let mut depth = 0usize;
        (at + 1..end).all(|index| match self.kind_at(index) {
            TokenKind::LParen => {
                depth += 1;
                true
            }
            TokenKind::RParen => {
                depth -= 1;
                true
            }
            TokenKind::Ident if depth == 2 => {
                let name = self.cx.names.name(self.sym_at(index));
                STATEMENT_ATTRS.contains(&name.trim_start_matches("__").trim_end_matches("__"))
            }
            _ => true,
        })
    }

    /// Whether attributes in front of this token are those of a declaration, or stand alone.
    fn starts_declaration(&self, at: usize) -> bool {
        let sym = self.sym_at(at);
        match self.kind_at(at) {
            TokenKind::Ident if sym.0 < N_KEYWORDS || (self.cx.c23 && sym.0 < N_KEYWORDS_C23) => {
                self.keyword(sym).begins_declaration()
            }
            TokenKind::Ident => self.cx.class(sym) & TYPE != 0,
            TokenKind::Semi | TokenKind::Comma | TokenKind::Assign | TokenKind::RParen => true,
            _ => false,
        }
    }

    /// Whether the name just read is the `gnu` of `gnu::packed`: that and the colons are left out, and an
    /// attribute of another vendor is left out whole.
    fn skips_prefix(&mut self) -> bool {
        let inside = self.attrs.last() == Some(&self.depth);
        if !inside || self.kind_at(self.at) != TokenKind::ColonColon || !self.starts_attr() {
            return false;
        }
        let vendor = self.cx.names.name(self.sym_at(self.at - 1));
        self.at += 1;
        if matches!(vendor, "gnu" | "__gnu__" | "clang" | "_Clang") {
            return true;
        }
        let Some(list) = self.list else { return true };
        let mut depth = 0usize;
        while self.at < list.close {
            match self.kind_at(self.at) {
                TokenKind::LParen => depth += 1,
                TokenKind::RParen => depth = depth.saturating_sub(1),
                TokenKind::Comma if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        true
    }

    fn keyword(&self, sym: Symbol) -> Tok {
        let Some(&(_, tok)) = (sym.0 as usize).checked_sub(1).and_then(|at| KEYWORDS.get(at)) else {
            return Tok::Var(sym);
        };
        if sym == kw::ATOMIC_ && self.kind_at(self.at) == TokenKind::LParen {
            return Tok::AtomicType;
        }
        tok
    }

    /// Counts brackets and whatever else makes the parser's stack grow.
    fn count(&mut self, tok: Tok) {
        match tok {
            Tok::LParen | Tok::LBracket | Tok::LBrace => self.open(tok),
            Tok::RParen | Tok::RBracket | Tok::RBrace => self.close(tok),
            Tok::UnOp(_)
            | Tok::AddOp(_)
            | Tok::Star
            | Tok::Amp
            | Tok::AndAnd
            | Tok::IncDec(_)
            | Tok::Sizeof
            | Tok::Alignof
            | Tok::Assign
            | Tok::OpAssign(_) => self.wait(|p| p.operators += 1),
            Tok::Question => self.wait(|p| {
                p.operators += 1;
                p.questions += 1;
            }),
            Tok::Colon => self.wait(|p| {
                p.statements += 1;
                p.questions = p.questions.saturating_sub(1);
            }),
            Tok::If
            | Tok::Else
            | Tok::While
            | Tok::For
            | Tok::Switch
            | Tok::Do
            | Tok::Case
            | Tok::Default => self.wait(|p| p.statements += 1),
            Tok::Semi => self.settle(true),
            Tok::Comma => self.settle(false),
            _ => {}
        }
    }

    fn wait(&mut self, count: impl FnOnce(&mut Pending)) {
        if let Some(top) = self.pending.last_mut() {
            count(top);
            self.total += 1;
        }
        if self.total > MAX_PENDING {
            let message = "too many operators or statements wait here for their last part";
            self.cx.too_deep.set(Some((self.at as u32 - 1, message)));
        }
    }

    /// The end of a statement or of an element of a list: nothing in it waits any more.
    fn settle(&mut self, statement: bool) {
        let has_else = self.sym_at(self.at) == kw::ELSE;
        let Some(top) = self.pending.last_mut() else { return };
        if top.questions == 0 || statement {
            self.total -= top.operators.min(self.total);
            top.operators = 0;
            top.questions = 0;
        }
        if statement && !has_else {
            self.total -= top.statements.min(self.total);
            top.statements = 0;
        }
    }

    fn open(&mut self, tok: Tok) {
        self.depth += 1;
        self.pending.push(Pending::default());
        if tok == Tok::LBrace {
            self.cx.braces.set(self.cx.braces.get() + 1);
        }
        if tok == Tok::LParen && self.opens_attrs() {
            self.attrs.push(self.depth);
        }
        if self.depth > MAX_BRACKETS {
            let message = "more than 256 brackets are open here";
            self.cx.too_deep.set(Some((self.at as u32 - 1, message)));
        }
    }

    fn close(&mut self, tok: Tok) {
        if self.attrs.last() == Some(&self.depth) {
            self.attrs.pop();
        }
        self.depth = self.depth.saturating_sub(1);
        if self.pending.len() > 1
            && let Some(top) = self.pending.pop()
        {
            self.total -= (top.operators + top.statements).min(self.total);
        }
        if tok == Tok::RBrace {
            self.cx.braces.set(self.cx.braces.get().saturating_sub(1));
            self.settle(true);
        }
    }

    /// Whether the parenthesis just read is the second one of `__attribute__((`.
    fn opens_attrs(&self) -> bool {
        let Some(at) = self.at.checked_sub(3) else { return false };
        is_attribute(self.sym_at(at)) && self.kind_at(at + 1) == TokenKind::LParen
    }

    /// Whether the colon just read stands between `enum` and a type.
    fn is_enum_colon(&self) -> bool {
        let before = |n: usize| self.at.checked_sub(n).map_or(Symbol::EMPTY, |at| self.sym_at(at));
        if before(2) != kw::ENUM && (before(3) != kw::ENUM || before(2) == Symbol::EMPTY) {
            return false;
        }
        let next = self.sym_at(self.at);
        next != Symbol::EMPTY
            && match self.keyword(next) {
                Tok::Word(_) => true,
                Tok::Var(sym) => self.cx.class(sym) & TYPE != 0,
                _ => false,
            }
    }
}

impl Iterator for Feed<'_, '_> {
    type Item = Result<(u32, Tok, u32), ()>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let here = self.at as u32;
        if let Some(sym) = self.ask.take() {
            let is_type = self.cx.class(sym) & TYPE != 0;
            return Some(Ok((here, if is_type { Tok::IsType } else { Tok::IsVar }, here)));
        }
        if let Some(start) = self.start.take() {
            return Some(Ok((0, start, 0)));
        }
        if let Some(tok) = self.again.take() {
            if tok == Tok::LParen {
                self.count(tok);
                self.attrs.push(self.depth);
            }
            return Some(Ok((here, tok, here)));
        }
        loop {
            match self.queue.pop() {
                Some(Piece::Token(at)) => self.at = at,
                Some(Piece::Extra(at, tok)) => return Some(Ok((at as u32, tok, at as u32))),
                None => {}
            }
            let here = self.at as u32;
            let mut replaced = None;
            if self.edits.first().is_some_and(|e| e.0 <= here) {
                match self.edit() {
                    Some(Edit::Insert(tok)) => {
                        self.count(tok);
                        return Some(Ok((here, tok, here)));
                    }
                    Some(Edit::Delete) => {
                        self.at += 1;
                        continue;
                    }
                    Some(Edit::SkipTo(end)) => {
                        self.at = self.at.max(end as usize);
                        continue;
                    }
                    Some(Edit::Replace(tok)) => replaced = Some(tok),
                    None => {}
                }
            }
            let tok = self.cx.toks.get(self.at)?;
            if tok.kind == TokenKind::Eof || self.cx.too_deep.get().is_some() {
                return None;
            }
            self.at += 1;
            let kind = match tok.kind {
                _ if replaced.is_some() => replaced.unwrap_or(Tok::Stray),
                TokenKind::Ident if tok.val == kw::EXTENSION__.0 => continue,
                TokenKind::Ident if self.list.is_some() && self.skips_prefix() => continue,
                TokenKind::Ident => self.identifier(Symbol(tok.val)),
                TokenKind::Colon if self.is_enum_colon() => Tok::EnumColon,
                TokenKind::ColonColon => {
                    self.again = Some(Tok::Colon);
                    Tok::Colon
                }
                TokenKind::LParen => {
                    if self.depth == 0 && self.queue.is_empty() && !self.cx.c23 {
                        self.old_style(here as usize);
                    }
                    Tok::LParen
                }
                TokenKind::LBracket | TokenKind::RBracket => match self.bracket(here as usize, tok.kind) {
                    Some(tok) => tok,
                    None => continue,
                },
                other => tok::of_kind(other),
            };
            if kind == Tok::Stray {
                self.cx.stray.borrow_mut().push(here);
                continue;
            }
            if kind == Tok::Attribute
                && self.cx.braces.get() > 0
                && let Some(next) = self.hints(here as usize)
            {
                self.at = next;
                continue;
            }
            self.count(kind);
            return Some(Ok((here, kind, here + 1)));
        }
    }
}

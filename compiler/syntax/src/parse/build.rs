//! What the grammar's actions call: the state of one run, lists under construction, scopes.
//!
//! In: ids of nodes already made and token indices. Out: new nodes of the [`Unit`].
//! Invariants: lists under construction live on one scratch stack, last in, first out. No action fails, recurses or depends on how deep the input nests.
//!
//! The actions for declarations, expressions and statements are in the files of these names.

use super::feed::{BOTH, Cx, OTHER, TYPE};
use super::pragma::Pragmas;
use super::tok::Tok;
use crate::ast::*;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::source::{Loc, Span};
use lalrpop_util::ParseError;

/// What was parsed.
#[derive(Clone, Copy)]
pub enum Goal {
    Unit,
    Expr(ExprId),
    Type(TypeNameId),
}

/// A list under construction: a range of the scratch stack.
#[derive(Clone, Copy)]
pub struct Seq {
    pub start: u32,
    pub len: u32,
}

/// Specifiers under construction.
#[derive(Clone, Copy)]
pub struct Sp {
    pub attrs: Seq,
    pub ty: TypeSpec,
    pub words: u16,
    pub storage: Storage,
    pub quals: Quals,
    /// Whether the last specifier was a body (or an attribute right after one).
    pub after_body: bool,
}

/// A specifier that is no type.
#[derive(Clone, Copy)]
pub enum SpItem {
    Qual(Quals),
    Storage(Storage),
    Attrs(Seq),
}

/// A declarator under construction.
#[derive(Clone, Copy)]
pub struct Dr {
    /// The empty symbol for an abstract declarator.
    pub name: Symbol,
    pub at: Loc,
    pub parts: Seq,
    pub attrs: List<AttrId>,
}

/// What may follow a declarator.
#[derive(Clone, Copy)]
pub struct Tail {
    pub asm_label: Option<StrId>,
    pub attrs: Seq,
}

/// A declarator whose name is known, before its initialiser.
#[derive(Clone, Copy)]
pub struct Head {
    pub specs: SpecsId,
    pub declarator: DeclaratorId,
    pub asm_label: Option<StrId>,
    /// The items before this one.
    pub items: Seq,
}

/// Specifiers and some declarators.
#[derive(Clone, Copy)]
pub struct Vars {
    pub specs: SpecsId,
    pub items: Seq,
}

/// A flat sequence of operands and operators being folded; see `expr.rs`.
#[derive(Clone, Copy)]
pub struct Bin {
    pub start: u32,
    pub end: u32,
    pub last: ExprId,
}

/// Where the parser stopped.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    /// Index of the token that does not fit.
    pub at: u32,
    /// Names of the terminals that would fit.
    pub expected: Vec<String>,
}

impl SyntaxError {
    /// What the generated parser says.
    pub fn new(error: ParseError<u32, Tok, ()>) -> SyntaxError {
        let (at, expected) = match error {
            ParseError::UnrecognizedToken { token, expected } => (token.0, expected),
            ParseError::UnrecognizedEof { location, expected } => (location, expected),
            ParseError::ExtraToken { token } => (token.0, Vec::new()),
            // The feed never fails, so there are no others.
            ParseError::InvalidToken { location } => (location, Vec::new()),
            ParseError::User { .. } => (0, Vec::new()),
        };
        SyntaxError { at, expected }
    }
}

/// Heights of nodes: pairs by ascending id, nothing for leaves.
pub struct Heights<I> {
    list: Vec<(I, u16)>,
}

impl<I: Copy + Ord> Heights<I> {
    fn new() -> Self {
        Heights { list: Vec::new() }
    }

    /// The height of a node.
    #[inline]
    pub fn get(&self, id: I) -> u16 {
        match self.list.last() {
            Some(&(last, _)) if last >= id => self.search(id),
            _ => 0,
        }
    }

    fn search(&self, id: I) -> u16 {
        let found = self.list.binary_search_by_key(&id, |&(i, _)| i);
        found.ok().and_then(|at| self.list.get(at)).map_or(0, |&(_, h)| h)
    }

    /// Records the height of the newest node.
    #[inline]
    pub fn set(&mut self, id: I, height: u16) {
        if height != 0 {
            self.list.push((id, height));
        }
    }
}

/// The state of one run.
pub struct Build<'c> {
    pub cx: &'c Cx<'c>,
    pub unit: Unit,
    pub pragmas: &'c Pragmas,
    pub diags: Vec<Diag>,
    pub(super) scratch: Vec<u32>,
    /// Left operands and operators of the binary sequences under construction.
    pub(super) ops: Vec<(ExprId, BinOp, Loc)>,
    pub(super) expr_heights: Heights<ExprId>,
    pub(super) stmt_heights: Heights<StmtId>,
    pub(super) init_heights: Heights<InitId>,
    pub(super) specs_heights: Heights<SpecsId>,
    pub(super) part_heights: Heights<PartId>,
    pub(super) declarator_heights: Heights<DeclaratorId>,
    pub(super) type_heights: Heights<TypeNameId>,
    pub(super) record_heights: Heights<RecordId>,
    pub(super) decl_heights: Heights<DeclId>,
    too_deep: bool,
    /// Names whose being a type changed: (where, name, was it one before).
    trail: Vec<(u32, Symbol, bool)>,
    /// Where the entries of `unit.file_names` and `unit.file_tags` were made.
    name_marks: Vec<u32>,
    tag_marks: Vec<u32>,
}

impl<'c> Build<'c> {
    pub fn new(cx: &'c Cx<'c>, pragmas: &'c Pragmas) -> Build<'c> {
        let mut unit = Unit::default();
        unit.ast.reserve(cx.toks.len());
        Build {
            cx,
            unit,
            pragmas,
            diags: Vec::new(),
            scratch: Vec::new(),
            ops: Vec::new(),
            expr_heights: Heights::new(),
            stmt_heights: Heights::new(),
            init_heights: Heights::new(),
            specs_heights: Heights::new(),
            part_heights: Heights::new(),
            declarator_heights: Heights::new(),
            type_heights: Heights::new(),
            record_heights: Heights::new(),
            decl_heights: Heights::new(),
            too_deep: false,
            trail: Vec::new(),
            name_marks: Vec::new(),
            tag_marks: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn span(&self, l: u32, r: u32) -> Span {
        self.cx.span(l, r)
    }

    pub(super) fn report(&mut self, diag: Diag) {
        self.diags.push(diag);
    }

    // ------------------------------------------------------------ lists

    /// A list without elements.
    #[inline]
    pub fn seq(&mut self) -> Seq {
        Seq { start: self.scratch.len() as u32, len: 0 }
    }

    /// A list with one element.
    #[inline]
    pub fn one(&mut self, id: impl Id) -> Seq {
        let start = self.scratch.len() as u32;
        self.scratch.push(id.index() as u32);
        Seq { start, len: 1 }
    }

    /// Appends an element.
    #[inline]
    pub fn push(&mut self, s: Seq, id: impl Id) -> Seq {
        self.scratch.truncate((s.start + s.len) as usize);
        self.scratch.push(id.index() as u32);
        Seq { start: s.start, len: s.len + 1 }
    }

    /// Appends the list `t`, made after `s`.
    pub fn join(&mut self, s: Seq, t: Seq) -> Seq {
        let from = t.start as usize..(t.start + t.len) as usize;
        let to = (s.start + s.len) as usize;
        if from.end <= self.scratch.len() && to <= from.start {
            self.scratch.copy_within(from, to);
        }
        self.scratch.truncate(to + t.len as usize);
        Seq { start: s.start, len: s.len + t.len }
    }

    /// Ends a list.
    #[inline]
    pub(super) fn list<T>(&mut self, s: Seq) -> List<T> {
        let ids = self.scratch.get(s.start as usize..(s.start + s.len) as usize).unwrap_or(&[]);
        let list = self.unit.ast.push_list(ids);
        self.scratch.truncate(s.start as usize);
        list
    }

    /// Two finished lists as one.
    pub(super) fn concat<T: Id>(&mut self, a: List<T>, b: List<T>) -> List<T> {
        if a.is_empty() || b.is_empty() {
            return if a.is_empty() { b } else { a };
        }
        let ids: Vec<u32> =
            self.unit.ast.list(a).chain(self.unit.ast.list(b)).map(|i| i.index() as u32).collect();
        self.unit.ast.push_list(&ids)
    }

    // ------------------------------------------------------------ heights

    /// Whether a node of this height is too much; says so once.
    pub(super) fn is_too_deep(&mut self, span: Span, height: u16) -> bool {
        if height <= MAX_HEIGHT {
            return false;
        }
        if !self.too_deep {
            self.too_deep = true;
            let message = format!("this nests more than {MAX_HEIGHT} levels deep");
            self.report(Diag::new(&codes::NESTING, span, message));
        }
        true
    }

    // ------------------------------------------------------------ names

    /// From here on `name` is a type, or is none. `at` grows from call to call.
    #[inline]
    pub(super) fn declare(&mut self, at: u32, name: Symbol, is_type: bool) {
        let class = self.cx.class(name);
        if !is_type && class & (TYPE | BOTH) == 0 {
            if class == 0 {
                self.cx.set_class(name, OTHER);
            }
            return;
        }
        self.redeclare(at, name, is_type, class);
    }

    fn redeclare(&mut self, at: u32, name: Symbol, is_type: bool, class: u8) {
        let was_type = class & TYPE != 0;
        let local = self.cx.braces.get() > 0;
        let mut new = class & !TYPE;
        if is_type {
            new |= TYPE;
            if local || class & OTHER != 0 {
                new |= BOTH;
            }
        } else {
            new |= OTHER | BOTH;
        }
        if was_type != is_type {
            self.trail.push((at, name, was_type));
        }
        self.cx.set_class(name, new);
    }

    /// Ends the scope that began at token `l`.
    #[inline]
    pub(super) fn restore(&mut self, l: u32) {
        while let Some(&(at, name, was_type)) = self.trail.last() {
            if at <= l {
                break;
            }
            self.trail.pop();
            let class = self.cx.class(name) & !TYPE;
            self.cx.set_class(name, if was_type { class | TYPE } else { class });
        }
        while self.name_marks.last().is_some_and(|&at| at > l) {
            self.name_marks.pop();
            self.unit.file_names.pop();
        }
        while self.tag_marks.last().is_some_and(|&at| at > l) {
            self.tag_marks.pop();
            self.unit.file_tags.pop();
        }
    }

    /// Notes an ordinary name; those of inner scopes are forgotten by [`Self::restore`].
    #[inline]
    pub(super) fn note_name(&mut self, at: u32, name: Symbol, what: Named) {
        self.unit.file_names.push(FileName { name, what });
        self.name_marks.push(at);
    }

    /// Notes a tag likewise.
    #[inline]
    pub(super) fn note_tag(&mut self, at: u32, tag: Symbol, what: Tagged, body: bool) {
        self.unit.file_tags.push(FileTag { tag, what, body });
        self.tag_marks.push(at);
    }
}

//! The ways through a function: blocks, the edges between them, and what happens to its variables on the way.
//!
//! In: the statements of a body. Out: a [`Flow`], of which the checks `uninit` and `fallthrough` are made.
//! A branch on a constant has only the edge that is taken; after a call that does not return there is none.
//! Conditions are branches of their own wherever clang makes them so (`&&`, `||`, `?:`, but not below `!`), as
//! what is said about a variable depends on where the paths part.
//!
//! ```text
//! int x; if (c) x = 1; return x;
//!     0: declare x, branch at c -> 1, 2    1: set x -> 2    2: use x
//! ```

use skep_syntax::source::Span;

use crate::hir::{Asm, Callee, Expr, ExprKind, LabelId, LocalId, Loop, Place, PlaceKind, Stmt, StmtKind};
use crate::types::{Quals, Type};

use super::Sema;
use super::narrowing::written;

/// The blocks of a function; the first one is where it starts.
pub struct Flow {
    pub blocks: Vec<Block>,
}

impl Flow {
    /// Which blocks can be reached from the start.
    pub fn reached(&self) -> Vec<bool> {
        let mut reached = vec![false; self.blocks.len()];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut reached[at], true) {
                open.extend(&self.blocks[at].next);
            }
        }
        reached
    }
}

/// Statements that are executed together.
#[derive(Default)]
pub struct Block {
    /// What happens to variables, in order.
    pub events: Vec<Event>,
    /// Where it goes on.
    pub next: Vec<usize>,
    /// Where it comes from.
    pub before: Vec<usize>,
    /// What decides where it goes on.
    pub branch: Branch,
    /// The label of a switch that it begins with.
    pub case: Option<Span>,
    /// Something is executed in it.
    pub acts: bool,
    /// The last statement says that what follows is meant to be reached.
    pub annotated: bool,
}

/// What happens to a variable.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// It comes into scope without a value.
    Declare(LocalId),
    /// It gets a value, or its address is given away.
    Set(LocalId),
    /// It is read.
    Use(LocalId, Span),
}

/// What decides where a block goes on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Branch {
    /// Nothing.
    #[default]
    None,
    /// A condition: that of an `if` or `?:`, or the left side of `&&` or `||`.
    If(Span),
    /// The condition of a loop that is tested first.
    Loop(Span),
    /// The condition of a `do`.
    Do(Span),
    /// The labels of a switch.
    Switch,
    /// Which of several labels an assembly statement jumps to.
    Asm,
}

/// Builds the flow of a body.
pub fn flow(sema: &Sema<'_, '_>, labels: usize, stmts: &[Stmt]) -> Flow {
    let mut b = Builder {
        sema,
        blocks: vec![Block::default()],
        at: 0,
        labels: vec![None; labels],
        breaks: Vec::new(),
        continues: Vec::new(),
        switches: Vec::new(),
    };
    b.stmts(stmts);
    let mut blocks = b.blocks;
    for at in 0..blocks.len() {
        for next in blocks[at].next.clone() {
            blocks[next].before.push(at);
        }
    }
    Flow { blocks }
}

/// A switch whose body is walked.
struct Switch {
    /// The block that chooses.
    head: usize,
    /// The value, if it is constant.
    known: Option<i128>,
    /// The label for it was met, or every value has a label.
    settled: bool,
    /// The block of the default label.
    default: Option<usize>,
    /// Enumerators without a label so far; `None` if the value is no enumeration.
    open: Option<Vec<i128>>,
}

struct Builder<'a, 'b, 's> {
    sema: &'a Sema<'b, 's>,
    blocks: Vec<Block>,
    at: usize,
    labels: Vec<Option<usize>>,
    breaks: Vec<usize>,
    continues: Vec<usize>,
    switches: Vec<Switch>,
}

impl Builder<'_, '_, '_> {
    fn new_block(&mut self) -> usize {
        self.blocks.push(Block::default());
        self.blocks.len() - 1
    }

    fn here(&mut self) -> &mut Block {
        &mut self.blocks[self.at]
    }

    fn edge(&mut self, to: usize) {
        let next = &mut self.here().next;
        if !next.contains(&to) {
            next.push(to);
        }
    }

    /// Ends the block; what follows is only reached by a label.
    fn stop(&mut self) {
        self.at = self.new_block();
    }

    fn jump(&mut self, to: usize) {
        self.here().acts = true;
        self.edge(to);
        self.stop();
    }

    /// Goes on in another block.
    fn begin(&mut self, block: usize) {
        self.edge(block);
        self.at = block;
    }

    fn event(&mut self, event: Event) {
        self.here().events.push(event);
    }

    fn label(&mut self, id: LabelId) -> usize {
        match self.labels.get(id.index()).copied().flatten() {
            Some(block) => block,
            None => {
                let block = self.new_block();
                if let Some(known) = self.labels.get_mut(id.index()) {
                    *known = Some(block);
                }
                block
            }
        }
    }

    // ------------------------------------------------------------ statements

    fn stmts(&mut self, stmts: &[Stmt]) {
        for stmt in stmts {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Expr(e) => {
                self.acts();
                self.value(e);
            }
            StmtKind::Block(inner) => self.stmts(inner),
            StmtKind::Declare(id) => {
                self.acts();
                self.event(Event::Declare(*id));
            }
            StmtKind::Fill { place, .. } => {
                self.acts();
                self.stored(place);
            }
            StmtKind::If { cond, then, els } => self.if_stmt(cond, then, els.as_deref()),
            StmtKind::Loop(l) => self.loop_stmt(l),
            StmtKind::Switch { value, body } => self.switch(value, body),
            StmtKind::Case { lo, hi } => self.case(*lo, *hi, stmt.span),
            StmtKind::Default => self.default_label(stmt.span),
            StmtKind::Label(id) => {
                let block = self.label(*id);
                self.begin(block);
            }
            StmtKind::Goto(id) => {
                let block = self.label(*id);
                self.jump(block);
            }
            StmtKind::Break => {
                if let Some(&after) = self.breaks.last() {
                    self.jump(after);
                }
            }
            StmtKind::Continue => {
                if let Some(&next) = self.continues.last() {
                    self.jump(next);
                }
            }
            StmtKind::Return(value) => {
                self.acts();
                if let Some(value) = value {
                    self.value(value);
                }
                self.stop();
            }
            StmtKind::Asm(asm) => self.asm(asm),
            StmtKind::Fallthrough => self.here().annotated = true,
        }
    }

    /// A statement is executed here.
    fn acts(&mut self) {
        let here = self.here();
        here.acts = true;
        here.annotated = false;
    }

    fn if_stmt(&mut self, cond: &Expr, then: &Stmt, els: Option<&Stmt>) {
        let (then_block, after) = (self.new_block(), self.new_block());
        let else_block = if els.is_some() { self.new_block() } else { after };
        self.branch(cond, then_block, else_block, Branch::If(cond.span));
        self.at = then_block;
        self.stmt(then);
        self.edge(after);
        if let Some(els) = els {
            self.at = else_block;
            self.stmt(els);
            self.edge(after);
        }
        self.at = after;
    }

    fn loop_stmt(&mut self, l: &Loop) {
        let (head, body, step, after) =
            (self.new_block(), self.new_block(), self.new_block(), self.new_block());
        self.begin(if l.test_last { body } else { head });
        if !l.test_last {
            self.loop_test(l, body, after);
        }
        self.at = body;
        self.breaks.push(after);
        // A `do` goes on with its test.
        self.continues.push(if l.test_last { head } else { step });
        self.stmt(&l.body);
        self.breaks.pop();
        self.continues.pop();
        if l.test_last {
            self.begin(head);
            self.loop_test(l, body, after);
        } else {
            self.begin(step);
            if let Some(step) = &l.step {
                self.acts();
                self.value(step);
            }
            self.edge(head);
        }
        self.at = after;
    }

    fn loop_test(&mut self, l: &Loop, body: usize, after: usize) {
        match &l.cond {
            Some(cond) if l.test_last => self.branch(cond, body, after, Branch::Do(cond.span)),
            Some(cond) => self.branch(cond, body, after, Branch::Loop(cond.span)),
            None => self.edge(body),
        }
    }

    fn switch(&mut self, value: &Expr, body: &Stmt) {
        self.acts();
        self.value(value);
        let (head, after) = (self.at, self.new_block());
        self.blocks[head].branch = Branch::Switch;
        let open = match *self.sema.types.shape(written(value).ty) {
            Type::Enum(id) => {
                let known = &self.sema.types.enums[id.0 as usize].enumerators;
                Some(known.iter().map(|&(_, value)| value).collect())
            }
            _ => None,
        };
        let known = self.sema.const_int(value);
        self.switches.push(Switch { head, known, settled: false, default: None, open });
        self.breaks.push(after);
        self.stop();
        self.stmt(body);
        self.edge(after);
        self.breaks.pop();
        if let Some(switch) = self.switches.pop() {
            let covered = switch.open.is_some_and(|open| open.is_empty()) || switch.settled;
            if !covered {
                self.at = head;
                self.edge(switch.default.unwrap_or(after));
            }
        }
        self.at = after;
    }

    fn case(&mut self, lo: i128, hi: i128, span: Span) {
        let block = self.new_block();
        self.begin(block);
        self.here().case = Some(span);
        let Some(switch) = self.switches.last_mut() else { return };
        if let Some(open) = &mut switch.open {
            open.retain(|value| !(lo..=hi).contains(value));
        }
        if switch.known.is_none_or(|value| (lo..=hi).contains(&value)) {
            switch.settled |= switch.known.is_some();
            let head = switch.head;
            self.blocks[head].next.push(block);
        }
    }

    fn default_label(&mut self, span: Span) {
        let block = self.new_block();
        self.begin(block);
        self.here().case = Some(span);
        if let Some(switch) = self.switches.last_mut() {
            switch.default = Some(block);
        }
    }

    fn asm(&mut self, asm: &Asm) {
        self.acts();
        for input in &asm.inputs {
            self.value(&input.value);
        }
        for output in &asm.outputs {
            self.stored(&output.place);
        }
        if !asm.labels.is_empty() {
            let next = self.new_block();
            self.here().branch = Branch::Asm;
            for &id in &asm.labels {
                let label = self.label(id);
                self.edge(label);
            }
            self.begin(next);
        }
    }

    // ------------------------------------------------------------ expressions

    /// Goes one way or the other.
    fn branch(&mut self, cond: &Expr, yes: usize, no: usize, branch: Branch) {
        if let ExprKind::Logical { and, left, right } = &cond.kind {
            let more = self.new_block();
            let (if_true, if_false) = if *and { (more, no) } else { (yes, more) };
            self.branch(left, if_true, if_false, Branch::If(left.span));
            self.at = more;
            return self.branch(right, yes, no, branch);
        }
        self.acts();
        self.value(cond);
        self.here().branch = branch;
        let known = self.sema.const_int(cond);
        if known != Some(0) {
            self.edge(yes);
        }
        if known.is_none_or(|value| value == 0) {
            self.edge(no);
        }
    }

    /// A value is computed.
    fn value(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Const(_) | ExprKind::Float(_) | ExprKind::Core(_) | ExprKind::Error => {}
            ExprKind::Load(place) => self.read(place),
            ExprKind::Address(place) => self.stored(place),
            ExprKind::Assign { place, value } => self.assign(place, value),
            ExprKind::Update { place, value, .. } => {
                self.value(value);
                self.read(place);
            }
            // Whoever throws a value away by a cast knows what he does.
            ExprKind::Convert(inner) if self.sema.is_void(e.ty) => match &written(inner).kind {
                ExprKind::Load(Place { kind: PlaceKind::Local(_), .. }) => {}
                _ => self.value(inner),
            },
            ExprKind::Unary(_, inner) | ExprKind::Not(inner) | ExprKind::Convert(inner) => self.value(inner),
            ExprKind::Binary(_, left, right)
            | ExprKind::Compare(_, left, right)
            | ExprKind::Comma(left, right)
            | ExprKind::PtrAdd { pointer: left, index: right, .. }
            | ExprKind::PtrDiff { left, right, .. } => {
                self.value(left);
                self.value(right);
            }
            ExprKind::Logical { and, left, right } => {
                let (more, after) = (self.new_block(), self.new_block());
                let (yes, no) = if *and { (more, after) } else { (after, more) };
                self.branch(left, yes, no, Branch::If(left.span));
                self.at = more;
                self.value(right);
                self.begin(after);
            }
            ExprKind::Cond { cond, then, els } => self.conditional(cond, Some(then), els),
            ExprKind::CondOmitted { value, els } => self.conditional(value, None, els),
            ExprKind::Call { callee, args } => {
                if let Callee::Pointer(pointer) = callee {
                    self.value(pointer);
                }
                self.arguments(args, e);
            }
            ExprKind::Builtin(_, args) => self.arguments(args, e),
            ExprKind::StmtExpr(stmts, value) => {
                self.stmts(stmts);
                if let Some(value) = value {
                    self.value(value);
                }
            }
        }
    }

    fn arguments(&mut self, args: &[Expr], call: &Expr) {
        for arg in args {
            if !self.is_only_shown(arg) {
                self.value(arg);
            }
        }
        if self.sema.never_returns(call) {
            self.stop();
        }
    }

    /// The address of a variable that a function may look at but not change: this is neither a value for the
    /// variable nor surely a use of it.
    fn is_only_shown(&self, arg: &Expr) -> bool {
        let is_constant = |to| self.sema.types.quals(to).contains(Quals::CONST);
        let mut at = arg;
        while let ExprKind::Convert(inner) = &at.kind {
            at = inner;
        }
        let address = matches!(&at.kind, ExprKind::Address(Place { kind: PlaceKind::Local(_), .. }));
        address && self.sema.types.pointee(arg.ty).is_some_and(is_constant)
    }

    fn conditional(&mut self, cond: &Expr, then: Option<&Expr>, els: &Expr) {
        let (yes, no, after) = (self.new_block(), self.new_block(), self.new_block());
        self.branch(cond, yes, no, Branch::If(cond.span));
        self.at = yes;
        if let Some(then) = then {
            self.value(then);
        }
        self.edge(after);
        self.at = no;
        self.value(els);
        self.begin(after);
    }

    fn assign(&mut self, place: &Place, value: &Expr) {
        if let PlaceKind::Local(id) = place.kind
            && let ExprKind::Load(Place { kind: PlaceKind::Local(other), .. }) = written(value).kind
            && other == id
            && matches!(self.here().events.last(), Some(Event::Declare(declared)) if *declared == id)
        {
            // `int x = x;` is how one says that it is left without a value on purpose.
            return;
        }
        self.value(value);
        self.stored(place);
    }

    fn read(&mut self, place: &Place) {
        match place.kind {
            PlaceKind::Local(id) => self.event(Event::Use(id, place.span)),
            _ => self.place(place),
        }
    }

    fn stored(&mut self, place: &Place) {
        match place.kind {
            PlaceKind::Local(id) => self.event(Event::Set(id)),
            _ => self.place(place),
        }
    }

    /// What is computed to find a place.
    fn place(&mut self, place: &Place) {
        match &place.kind {
            PlaceKind::Local(_) | PlaceKind::Global(_) | PlaceKind::Func(_) => {}
            PlaceKind::Deref(e) | PlaceKind::Temporary(e) => self.value(e),
            PlaceKind::Field { base, .. } | PlaceKind::BitField { base, .. } => self.place(base),
            PlaceKind::Index { base, index, .. } => {
                self.place(base);
                self.value(index);
            }
            PlaceKind::Core { base, .. } | PlaceKind::CoreBitField { base, .. } => self.value(base),
        }
    }
}

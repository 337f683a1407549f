//! Variables that are read before anything is stored in them.
//!
//! In: the [`Flow`] of a function. Out: at most one finding for each scalar variable, the surest, by clang's
//! rules: a read that no value can reach is always wrong; one that some paths reach without a value is wrong if
//! there is a branch of which one side always leads to it so; for the others, the paths may not be possible.
//!
//! ```text
//! int x; return x;                       // uninitialized
//! int x; if (c) x = 1; return x;         // sometimes-uninitialized: whenever `c` is false
//! int x; if (c) x = 1; if (d) use(x);    // conditional-uninitialized
//! ```

use skep_syntax::diag::{Code, Diag, codes};
use skep_syntax::source::Span;

use crate::hir::LocalId;

use super::Sema;
use super::flow::{Branch, Event, Flow};

/// What is found here.
pub const CODES: [&Code; 3] =
    [&codes::UNINITIALIZED, &codes::SOMETIMES_UNINITIALIZED, &codes::CONDITIONAL_UNINITIALIZED];

/// Of all paths to a point that were seen: some bring a value.
const SET: u8 = 1;
/// Some bring none.
const UNSET: u8 = 2;

/// Of blocks times variables. No program that a kernel takes comes near.
const MAX_STATES: usize = 1 << 24;
/// How many reads of a variable are looked at.
const MAX_USES: usize = 64;

/// How sure it is that a read finds no value.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    /// If the path is possible.
    Maybe,
    /// Whenever one of these is taken: a block, and which of its ways.
    Sometimes(Vec<(usize, usize)>),
    /// Whenever the declaration is reached, unless what is before it comes again.
    AfterDeclaration,
    /// Whenever the function is called.
    AfterCall,
    /// Whenever the read is reached.
    Always,
}

impl Kind {
    /// Higher is surer.
    fn rank(&self) -> u8 {
        match self {
            Kind::Maybe => 0,
            Kind::Sometimes(_) => 1,
            Kind::AfterDeclaration => 2,
            Kind::AfterCall => 3,
            Kind::Always => 4,
        }
    }
}

/// The variables that are followed, and what is known at the end of each block.
struct States<'a> {
    flow: &'a Flow,
    /// By local: which of the variables it is.
    numbers: Vec<Option<usize>>,
    vars: usize,
    /// By block, then variable.
    ends: Vec<u8>,
}

impl Sema<'_, '_> {
    /// At the end of a function: which of its variables are read too early.
    pub(super) fn report_uninitialized(&mut self, flow: &Flow) {
        let Some(states) = self.uninit_states(flow) else { return };
        let mut found: Vec<Vec<(Span, Kind)>> = vec![Vec::new(); states.vars];
        for block in 0..flow.blocks.len() {
            states.each_use(block, |var, value, span| {
                if found[var].len() < MAX_USES {
                    found[var].push((span, states.kind(block, var, value)));
                }
            });
        }
        let locals = (0..).map(LocalId).zip(&states.numbers);
        let locals: Vec<_> = locals.filter_map(|(id, number)| Some((id, (*number)?))).collect();
        for (id, var) in locals {
            let uses = std::mem::take(&mut found[var]);
            let surest = uses.into_iter().min_by_key(|(span, kind)| (u8::MAX - kind.rank(), *span));
            if let Some((span, kind)) = surest {
                self.report_unset(flow, id, span, kind);
            }
        }
    }

    /// `None` if there is nothing to follow.
    fn uninit_states<'a>(&self, flow: &'a Flow) -> Option<States<'a>> {
        let f = self.ctx.function.as_ref()?;
        let mut vars = 0;
        let number = |(index, local): (usize, &crate::hir::Local)| {
            let followed =
                local.name.is_some() && index >= f.body.n_params as usize && self.is_scalar(local.ty);
            followed.then(|| {
                vars += 1;
                vars - 1
            })
        };
        let numbers = f.body.locals.iter().enumerate().map(number).collect();
        let size = flow.blocks.len().checked_mul(vars).filter(|&size| size != 0 && size <= MAX_STATES)?;
        let mut states = States { flow, numbers, vars, ends: vec![0; size] };
        states.settle();
        Some(states)
    }

    fn report_unset(&mut self, flow: &Flow, id: LocalId, span: Span, kind: Kind) {
        let Some(f) = &self.ctx.function else { return };
        let Some(local) = f.body.locals.get(id.index()) else { return };
        let (Some(name), declared) = (local.name, local.span) else { return };
        let name = self.name(name).to_owned();
        let mut report = |code, at, message: String, label, remark: &str| {
            self.report(Diag::new(code, at, message).with_label(label, remark));
        };
        let unset = "declared here without a value";
        match kind {
            Kind::Always => {
                let message = format!("`{name}` is read before it has a value");
                report(&codes::UNINITIALIZED, span, message, declared, unset);
            }
            Kind::Maybe => {
                let message = format!("`{name}` may be read before it has a value");
                report(&codes::CONDITIONAL_UNINITIALIZED, span, message, declared, unset);
            }
            Kind::AfterCall | Kind::AfterDeclaration => {
                let whenever =
                    if kind == Kind::AfterCall { "the function is called" } else { "this is reached" };
                let message = format!("`{name}` is read without a value whenever {whenever}");
                report(&codes::SOMETIMES_UNINITIALIZED, declared, message, span, "read here");
            }
            Kind::Sometimes(ways) => {
                for (block, way) in ways {
                    let next = flow.blocks[block].next[way];
                    let truth = if way == 0 { "true" } else { "false" };
                    let (at, whenever) = match flow.blocks[block].branch {
                        Branch::If(at) => (at, format!("this is {truth}")),
                        Branch::Loop(at) if way == 0 => (at, "the loop is entered".to_owned()),
                        Branch::Loop(at) => (at, "the loop ends because this is false".to_owned()),
                        Branch::Do(at) if way == 0 => (at, "the loop goes on".to_owned()),
                        Branch::Do(at) => (at, "the loop ends".to_owned()),
                        Branch::Switch => match flow.blocks[next].case {
                            Some(case) => (case, "this case is taken".to_owned()),
                            None => continue,
                        },
                        Branch::None | Branch::Asm => continue,
                    };
                    let message = format!("`{name}` is read without a value whenever {whenever}");
                    report(&codes::SOMETIMES_UNINITIALIZED, at, message, span, "read here");
                }
            }
        }
    }
}

impl States<'_> {
    fn number(&self, id: LocalId) -> Option<usize> {
        self.numbers.get(id.index()).copied().flatten()
    }

    fn end(&self, block: usize, var: usize) -> u8 {
        self.ends[block * self.vars + var]
    }

    /// What is known where a block begins.
    fn start(&self, block: usize) -> Vec<u8> {
        // Nothing has a value where the function begins.
        let mut values = vec![if block == 0 { UNSET } else { 0 }; self.vars];
        for &before in &self.flow.blocks[block].before {
            for (value, end) in values.iter_mut().zip(&self.ends[before * self.vars..]) {
                *value |= end;
            }
        }
        values
    }

    /// Spreads what is known until nothing changes.
    fn settle(&mut self) {
        let mut waiting = vec![false; self.flow.blocks.len()];
        let mut open = std::collections::VecDeque::from([0]);
        waiting[0] = true;
        while let Some(block) = open.pop_front() {
            waiting[block] = false;
            let mut values = self.start(block);
            for event in &self.flow.blocks[block].events {
                let (id, value) = match *event {
                    Event::Declare(id) => (id, UNSET),
                    Event::Set(id) => (id, SET),
                    Event::Use(..) => continue,
                };
                if let Some(var) = self.number(id) {
                    values[var] = value;
                }
            }
            let ends = &mut self.ends[block * self.vars..][..self.vars];
            if *ends == values[..] {
                continue;
            }
            ends.copy_from_slice(&values);
            for &next in &self.flow.blocks[block].next {
                if !std::mem::replace(&mut waiting[next], true) {
                    open.push_back(next);
                }
            }
        }
    }

    /// Every read in a block that may find no value.
    fn each_use(&self, block: usize, mut found: impl FnMut(usize, u8, Span)) {
        let events = &self.flow.blocks[block].events;
        if !events.iter().any(|event| matches!(event, Event::Use(id, _) if self.number(*id).is_some())) {
            return;
        }
        let mut values = self.start(block);
        for event in events {
            match *event {
                Event::Declare(id) => self.number(id).into_iter().for_each(|var| values[var] = UNSET),
                Event::Set(id) => self.number(id).into_iter().for_each(|var| values[var] = SET),
                Event::Use(id, span) => {
                    if let Some(var) = self.number(id).filter(|&var| values[var] & UNSET != 0) {
                        found(var, values[var], span);
                    }
                }
            }
        }
    }

    /// How sure a read in this block is to find no value.
    ///
    /// Walks back over the blocks from which every way leads to the read without a value. A branch of which
    /// only some ways do is what decides.
    fn kind(&self, block: usize, var: usize, value: u8) -> Kind {
        if value == UNSET {
            return Kind::Always;
        }
        let blocks = &self.flow.blocks;
        let mut led = vec![0; blocks.len()];
        led[block] = blocks[block].next.len();
        let (mut after_call, mut after_declaration) = (false, false);
        let mut open = vec![block];
        while let Some(at) = open.pop() {
            after_call |= at == 0;
            for &before in &blocks[at].before {
                let end = self.end(before, var);
                if end & UNSET == 0 {
                    continue;
                }
                if end == SET | UNSET && self.end(at, var) == UNSET {
                    // It is declared here, and comes again when it has a value.
                    after_declaration = true;
                    continue;
                }
                led[before] += 1;
                if led[before] == blocks[before].next.len() {
                    open.push(before);
                }
            }
        }
        if after_call {
            return Kind::AfterCall;
        }
        if after_declaration {
            return Kind::AfterDeclaration;
        }
        let mut ways = Vec::new();
        for (at, block) in blocks.iter().enumerate() {
            if led[at] == 0 || led[at] >= block.next.len() || self.end(at, var) != UNSET {
                continue;
            }
            let surely = |next: usize| led[next] >= blocks[next].next.len();
            ways.extend((0..block.next.len()).filter(|&way| surely(block.next[way])).map(|way| (at, way)));
        }
        if ways.is_empty() { Kind::Maybe } else { Kind::Sometimes(ways) }
    }
}

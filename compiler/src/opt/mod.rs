//! The optimiser: passes over the IR, and the pipelines that order them.
//!
//! In: a module as `lower` leaves it, every C local in a stack slot. Out: the same module with the
//! same meaning, in the form that code generation takes: no call through a pointer, no memory
//! intrinsic, no switch, no division that the target lacks. What cannot be brought into that form
//! is a [`Limit`]; nothing before this stage may report it, because code that is never reached may
//! contain anything.
//!
//! A pass is one file with one `run` and one row of [`PASSES`]; pipelines are lists of names.
//!
//! # Invariants
//! What no pass ever does, because the kernel's verifier would reject or drown in the result:
//! 1. The value that a comparison checked is the value that is used after it: no reassociation of a
//!    value that has another use, no second computation of it.
//! 2. Comparisons do not get narrower: a check of the lower half proves nothing about the whole.
//! 3. A constant that an edge passes to a block stays a constant of that edge; two constant offsets
//!    never merge into a pointer plus a block parameter.
//! 4. Pointers are 64 bits, and only added to.
//! 5. Slots of 8 bytes and more are aligned to 8; accesses get wider only with proven alignment or
//!    where the kernel allows unaligned ones.
//! 6. Accesses of the context keep width and offset; its pointer is not modified.
//! 7. Differences of pointers are not reassociated.
//! 8. No bitwise logic on pointers, no selection between pointers of different kinds.
//! 9. Jumps are threaded past a test of a pointer only when that removes the test on every path.
//! 10. `Opaque` is a full barrier; a mask that bounds an index stays.
//! 11. Range checks stay two comparisons of one value; `min` and `max` stay branches.
//! 12. Loads are neither speculated nor moved above the checks before them.
//! 13. Values do not move into memory, nor back and forth.
//! 14. No mask is made from a condition (`-(x)&k`): each such mask doubles the verifier's work. Selection applies those
//!     of the source to their constants, which does not.

mod address;
mod alias;
mod arguments;
pub mod bits;
mod bytewise;
mod calls;
mod cfg;
mod checks;
mod clone;
mod combine;
mod context;
mod dce;
mod decided;
mod dse;
mod edit;
mod equal;
mod extend;
mod globals;
mod gvn;
mod inline;
mod legal;
mod licm;
mod many;
mod mem2reg;
mod memops;
mod needs;
mod private;
mod range;
mod sccp;
pub mod simplify;
mod sink;
mod slots;
mod sroa;
mod ssa;
mod stride;
mod switches;
#[cfg(test)]
mod testing;
mod thread;
mod unroll;
mod widen;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use self::needs::Need::{self, Blocks, Branches, Calls, Indexes, Loops, Odd, Slots, Stores, Switches};
use self::needs::Needs;
use self::range::Ranges;
use crate::ir::verify::{self, verify_function};
use crate::ir::{
    Arena, DataSymbol, FuncSymbol, Function, InstData, Limit, Module, Remark, SrcLoc, Symbol, SymbolId,
    SymbolKind,
};

/// What is wanted of the optimiser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// `-O`: 0 to 3.
    pub level: u8,
    /// `-mcpu`: 1 to 4.
    pub cpu: u8,
    /// Byte order of the target.
    pub big_endian: bool,
    /// `-Os`: less code rather than fewer executed instructions.
    pub size: bool,
    /// What is done is noted in [`Module::remarks`].
    pub remarks: bool,
    /// Only `always_inline` functions are inlined (`-fno-inline`).
    pub no_inline: bool,
    /// Packet and map memory may be accessed unaligned, as on all machines but a few.
    pub unaligned: bool,
    /// The IR is verified after every pass. A violation is a bug of the compiler and panics.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            level: 2,
            size: false,
            remarks: false,
            cpu: 1,
            big_endian: false,
            no_inline: false,
            unaligned: true,
            check: cfg!(debug_assertions),
        }
    }
}

/// What a pass may know besides its function.
pub struct Cx<'a> {
    /// Symbols of the module.
    pub symbols: &'a Arena<SymbolId, Symbol>,
    /// Variables that nothing in the module writes to.
    pub immutable: &'a BTreeSet<SymbolId>,
    /// Variables that are only reached by name.
    pub hidden: &'a BTreeSet<SymbolId>,
    /// The options.
    pub options: &'a Options,
    /// What is not constant by now never will be.
    pub late: bool,
    /// The intervals of the function's values, while it does not change.
    pub ranges: &'a RefCell<Option<Rc<Ranges>>>,
    /// How the function's slots are used, while it does not change.
    pub usage: &'a RefCell<Option<Rc<slots::Usages>>>,
    /// Where limits go.
    pub limits: &'a RefCell<BTreeSet<Limit>>,
    /// Where remarks go.
    pub remarks: &'a RefCell<Vec<Remark>>,
}

impl Cx<'_> {
    /// Facts of a function symbol.
    pub fn func(&self, symbol: SymbolId) -> Option<&FuncSymbol> {
        match &self.symbols[symbol].kind {
            SymbolKind::Func(func) => Some(func),
            SymbolKind::Data(_) => None,
        }
    }

    /// Facts of a variable.
    pub fn data(&self, symbol: SymbolId) -> Option<&DataSymbol> {
        match &self.symbols[symbol].kind {
            SymbolKind::Data(data) => Some(data),
            SymbolKind::Func(_) => None,
        }
    }

    /// The intervals of the values of the function, which has no unreachable blocks.
    fn ranges(&self, f: &Function) -> Rc<Ranges> {
        let mut known = self.ranges.borrow_mut();
        match &*known {
            Some(ranges) if ranges.cover(f) => Rc::clone(ranges),
            _ => Rc::clone(known.insert(Rc::new(Ranges::new(f)))),
        }
    }

    /// How the slots of the function are used, as it was when the pass began.
    fn usage(&self, f: &Function) -> Rc<slots::Usages> {
        Rc::clone(self.usage.borrow_mut().get_or_insert_with(|| Rc::new(slots::usage(f))))
    }

    /// Does the variable always hold its initial bytes?
    pub fn is_immutable(&self, symbol: SymbolId) -> bool {
        self.data(symbol).is_some_and(|data| data.constant) || self.immutable.contains(&symbol)
    }

    /// Notes what was done, or not done.
    pub fn remark(&self, loc: SrcLoc, pass: &'static str, missed: bool, message: impl FnOnce() -> String) {
        if self.options.remarks {
            self.remarks.borrow_mut().push(Remark { loc, pass, missed, message: message() });
        }
    }

    /// Reports a limit.
    pub fn limit(&self, loc: SrcLoc, message: impl Into<String>) {
        self.limits.borrow_mut().insert(Limit::new(loc, message));
    }
}

/// A row of [`PASSES`].
pub struct Pass {
    /// Its name: the file, the name in pipelines, the argument of `--print-after`.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// The code. Returns whether it changed anything.
    pub run: fn(&mut Function, &Cx<'_>) -> bool,
    /// From this `-O` on.
    pub level: u8,
    /// What a function must have for it to find anything to do.
    pub needs: Needs,
    /// The passes that do not run again because of its changes: these give them nothing to do, or so rarely
    /// that looking costs more than it finds.
    pub leaves: &'static [&'static str],
}

const fn row(
    name: &'static str,
    about: &'static str,
    run: fn(&mut Function, &Cx<'_>) -> bool,
    level: u8,
    needs: &[Need],
    leaves: &'static [&'static str],
) -> Pass {
    Pass { name, about, run, level, needs: Needs::all(needs), leaves }
}

/// The passes over one function: name, what they do, code, level, needs, leaves.
#[rustfmt::skip]
pub const PASSES: &[Pass] = &[
    row("sroa", "slots are split into what is accessed", sroa::run, 0, &[Slots], &[]),
    row("mem2reg", "slots become values", mem2reg::run, 0, &[Slots], &["sroa"]),
    row("private", "counters are values until their address is used", private::run, 1, &[Slots, Loops], &[]),
    row("simplify", "constants and algebra", simplify::run, 0, &[], &["sroa", "mem2reg", "sccp", "equal", "gvn", "dce"]),
    row("cfg", "the graph of blocks becomes simple", cfg::run, 0, &[], &["sroa", "mem2reg", "sccp", "equal", "gvn", "dse"]),
    row("decided", "branches on what is decided go on", decided::run, 0, &[Branches], &["sroa", "mem2reg", "sccp", "equal", "gvn", "dse"]),
    row("sccp", "constants along the edges that can be taken", sccp::run, 1, &[Branches], &["sroa", "mem2reg"]),
    row("thread", "decided branches are passed by", thread::run, 1, &[Branches], &["sroa", "mem2reg", "equal", "dse"]),
    row("equal", "values equal to constants are the constants", equal::run, 1, &[Branches], &[]),
    row("gvn", "what is known is not computed again", gvn::run, 0, &[], &["sroa", "mem2reg", "sccp", "thread", "equal", "dse", "dce"]),
    row("dse", "stores that are overwritten go", dse::run, 1, &[Stores], &["simplify", "sccp", "thread", "equal", "gvn"]),
    row("unroll", "loops become straight code where wished", unroll::run, 0, &[Loops], &["simplify", "equal"]),
    row("sink", "blocks that end alike share the end", sink::run, 1, &[Branches], &["sroa", "simplify", "sccp", "thread", "equal", "gvn", "dse"]),
    row("widen", "loop counters get 64 bits", widen::run, 1, &[Loops], &["sroa", "mem2reg", "sccp"]),
    row("address", "constant parts of addresses move outward", address::run, 1, &[Indexes], &["sroa", "mem2reg", "cfg", "sccp", "thread", "equal", "dse"]),
    row("range", "signed operations become unsigned", range::run, 1, &[], &["sroa", "mem2reg", "cfg", "sccp", "thread", "equal", "gvn", "dse", "dce"]),
    row("calls", "calls on the ways to a join are one", calls::run, 1, &[Calls], &[]),
    row("context", "the context is accessed through itself", context::run, 0, &[], &[]),
    row("memops", "copies become loads and stores", memops::run, 0, &[Blocks], &["cfg", "sccp", "thread", "equal", "dce"]),
    row("bytewise", "copies of unknown size become loops", bytewise::run, 0, &[Blocks], &[]),
    row("combine", "neighbouring stores become wide ones", combine::run, 1, &[Stores], &["sroa", "mem2reg", "simplify", "cfg", "sccp", "thread", "equal", "gvn"]),
    row("licm", "what every round computes is computed once", licm::run, 1, &[Loops], &["sroa", "mem2reg", "sccp"]),
    row("stride", "addresses move on with counters", stride::run, 1, &[Loops], &["sroa", "mem2reg", "sccp"]),
    row("switches", "switches become comparisons", switches::run, 0, &[Switches], &["sroa", "mem2reg", "simplify", "sccp", "thread", "equal", "gvn"]),
    row("legal", "operations the target lacks are expanded", legal::run, 0, &[Odd], &[]),
    row("extend", "halves are extended once below v3", extend::run, 0, &[], &[]),
    row("checks", "what cannot become code is reported", checks::run, 0, &[], &[]),
    row("dce", "what nobody needs goes", dce::run, 0, &[], &["sroa", "mem2reg", "simplify", "sccp", "thread", "equal", "gvn", "dse"]),
];

/// The row of this name.
pub fn pass(name: &str) -> Option<&'static Pass> {
    PASSES.iter().find(|pass| pass.name == name)
}

/// Their rows in [`PASSES`]. A name without a row does not compile.
const fn rows<const N: usize>(names: [&str; N]) -> [usize; N] {
    let mut rows = [0; N];
    let mut at = 0;
    while at < N {
        while !is(PASSES[rows[at]].name.as_bytes(), names[at].as_bytes()) {
            rows[at] += 1;
        }
        at += 1;
    }
    rows
}

const fn is(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([a, one @ ..], [b, other @ ..]) => *a == *b && is(one, other),
        (one, other) => one.is_empty() && other.is_empty(),
    }
}

/// Passes that leave next to nothing for a second run of theirs to do.
const SETTLING: &[usize] = &rows([
    "sroa", "mem2reg", "simplify", "cfg", "sccp", "gvn", "unroll", "widen", "memops", "switches", "legal",
    "dce",
]);

/// For each row of [`PASSES`] the rows that it leaves, a bit for each.
const LEFT: [u32; PASSES.len()] = {
    let mut left = [0; PASSES.len()];
    let mut at = 0;
    while at < PASSES.len() {
        let mut index = 0;
        while index < PASSES[at].leaves.len() {
            left[at] |= 1 << rows([PASSES[at].leaves[index]])[0];
            index += 1;
        }
        at += 1;
    }
    left
};

/// Passes that add nothing that a pass needs: what a function had is what it has at most.
const SHRINKING: &[usize] =
    &rows(["mem2reg", "simplify", "decided", "cfg", "sccp", "equal", "gvn", "dse", "dce"]);

/// Is told the name of each pass when it is done, and shown the function if that has changed: for
/// `--print-after` and `-ftime-report`.
pub type Observer<'a> = dyn FnMut(&'static str, &Module, Option<&Function>) + 'a;

/// Brings a function to a fixed point; after this many rounds it is good enough.
const ROUNDS: u32 = 6;

/// Before anything is inlined: locals become values, so that sizes are real and callees constant.
const EARLY: &[usize] = &rows(["sroa", "mem2reg", "simplify", "cfg", "calls"]);

/// Before and after each inlining.
const SCALAR: &[usize] = &rows(["sroa", "mem2reg", "simplify", "decided", "thread", "cfg"]);

/// Before loops are unrolled: whether they are is decided once, when they are as simple as they get.
const COUNTED: &[usize] = &rows(["simplify", "cfg"]);

/// Once for each function, when what calls it passes is known.
const LOOPS: &[usize] = &rows(["unroll"]);

/// Before a function is inlined itself, as small as it gets: what the copies of its loops' rounds make possible too.
const READY: &[usize] = &rows(["sccp", "cfg", "equal", "gvn", "dce"]);

/// Repeated until nothing changes: what inlining and unrolling left, and what is a constant size of a copy now.
const SETTLE: &[usize] = &rows(["memops", "simplify", "sroa", "mem2reg"]);

/// What was not a constant so far will not be one.
const LATE: &[usize] = &rows([
    "private", "context", "simplify", "decided", "cfg", "memops", "bytewise", "sink", "widen", "range",
    "simplify", "address", "simplify", "dse", "combine", "licm", "stride", "switches", "decided", "legal",
]);

/// Repeated until nothing changes: what the late passes left.
const CLEAN: &[usize] = &rows(["simplify", "thread", "gvn", "cfg", "dce"]);

/// Nothing follows but code generation.
const LAST: &[usize] = &rows(["extend", "checks"]);

/// Optimises a module. Returns what cannot become code, in order of place.
pub fn run(module: &mut Module, options: &Options, observer: &mut Observer<'_>) -> Vec<Limit> {
    globals::remove_dead_functions(module);
    let mut work = Work::new(module, options, observer);
    for index in 0..work.module.functions.len() {
        work.sequence(index, EARLY);
    }
    let statics = globals::statics(work.module);
    if statics != work.statics {
        work.statics = statics;
        work.learned(simplify::reads);
    }
    work.arguments();
    work.inline();
    globals::remove_dead_functions(work.module);
    work.arguments();
    work.parameters();
    for index in 0..work.module.functions.len() {
        work.repeat(index, SETTLE);
    }
    work.late = true;
    work.learned(simplify::asks);
    for index in 0..work.module.functions.len() {
        work.sequence(index, LATE);
        work.repeat(index, CLEAN);
        work.sequence(index, LAST);
    }
    let (limits, remarks) = (work.limits.into_inner(), work.remarks.into_inner());
    module.remarks.extend(remarks);
    limits.into_iter().collect()
}

/// Runs one pass over every function, as the tests of a pass do.
pub fn run_pass(module: &mut Module, options: &Options, pass: &Pass) -> bool {
    let observer: &mut Observer<'_> = &mut |_, _, _| {};
    let mut work = Work::new(module, options, observer);
    let row = PASSES.iter().position(|row| row.name == pass.name).expect("it is a row of `PASSES`");
    (0..work.module.functions.len()).fold(false, |changed, index| work.apply(index, row) | changed)
}

/// A module in work.
struct Work<'a, 'o> {
    module: &'a mut Module,
    options: &'a Options,
    statics: globals::Statics,
    limits: RefCell<BTreeSet<Limit>>,
    remarks: RefCell<Vec<Remark>>,
    observer: &'a mut Observer<'o>,
    late: bool,
    /// The function that passes ran on last.
    current: Option<SymbolId>,
    /// Its intervals, if they are known.
    ranges: RefCell<Option<Rc<Ranges>>>,
    /// How its slots are used, if that is known.
    usage: RefCell<Option<Rc<slots::Usages>>>,
    /// What each function has at most, if that is known.
    has: Arena<SymbolId, Option<Needs>>,
    /// The passes that would find nothing to do in each function: a bit for each row of [`PASSES`].
    settled: Arena<SymbolId, u32>,
    /// The passes of higher levels.
    off: u32,
}

const _: () = assert!(PASSES.len() <= 32);

impl<'a, 'o> Work<'a, 'o> {
    fn new(module: &'a mut Module, options: &'a Options, observer: &'a mut Observer<'o>) -> Self {
        let statics = globals::statics(module);
        let above = PASSES.iter().enumerate().filter(|(_, pass)| pass.level > options.level);
        let off = above.fold(0, |off, (row, _)| off | 1 << row);
        let settled = Arena::filled(&module.symbols, off);
        let has = Arena::filled(&module.symbols, None);
        let (limits, remarks) = (RefCell::default(), RefCell::default());
        Work {
            module,
            options,
            statics,
            limits,
            remarks,
            observer,
            late: false,
            current: None,
            ranges: RefCell::default(),
            usage: RefCell::default(),
            has,
            settled,
            off,
        }
    }

    /// What [`Cx`] says about these instructions has changed: they may be simpler now. No other pass has asked about
    /// them so far.
    fn learned(&mut self, about: fn(&InstData) -> bool) {
        const SIMPLIFY: u32 = 1 << rows(["simplify"])[0];
        for f in &mut self.module.functions {
            let insts = f.order.iter().flat_map(|&block| &f.blocks[block].insts);
            for &inst in insts {
                if about(&f.insts[inst]) {
                    f.insts.unsettle(inst);
                    self.settled[f.symbol] &= !SIMPLIFY | self.off;
                }
            }
        }
    }

    /// Makes what every call passes alike known to the callees.
    fn arguments(&mut self) {
        if self.options.level > 0 {
            for symbol in arguments::run(self.module) {
                if let Some(index) = self.module.functions.position(symbol) {
                    self.observe(index, "arguments", None, 0);
                }
            }
        }
    }

    /// Finds a way for parameters that registers have no room for.
    fn parameters(&mut self) {
        for symbol in many::run(self.module) {
            if let Some(index) = self.module.functions.position(symbol) {
                self.observe(index, "many", None, 0);
            }
        }
    }

    /// Simplifies each function, inlines into it, and again as long as calls are found. What becomes part of its
    /// only caller as a whole is simplified there. Once through the passes is enough here: what more would find, it
    /// finds when all is inlined.
    fn inline(&mut self) {
        let mut ready: BTreeSet<SymbolId> = BTreeSet::new();
        let mut references = globals::References::new(self.module);
        for index in inline::bottom_up(self.module) {
            let part = inline::is_part(self.module, index, &references, self.options);
            if !part {
                self.sequence(index, SCALAR);
            }
            for _ in 0..ROUNDS {
                references.update(self.module, index);
                let is_ready = |symbol| ready.contains(&symbol);
                let decision = inline::Decision {
                    options: self.options,
                    references: &references,
                    ready: &is_ready,
                    remarks: &self.remarks,
                };
                if !inline::run(self.module, index, &decision) {
                    (self.observer)("inline", self.module, None);
                    break;
                }
                self.observe(index, "inline", None, 0);
                if !part {
                    self.sequence(index, SCALAR);
                }
            }
            if !part && self.has(index).meet(Needs::all(&[Loops])) {
                self.sequence(index, COUNTED);
                self.sequence(index, LOOPS);
            }
            if !part {
                self.sequence(index, READY);
            }
            references.update(self.module, index);
            ready.insert(self.module.functions[index].symbol);
        }
    }

    /// Runs passes in turn until none changes the function.
    fn repeat(&mut self, index: usize, rows: &[usize]) {
        let mut rounds = 0;
        while rounds < ROUNDS && self.sequence(index, rows) {
            rounds += 1;
        }
    }

    /// Runs passes in turn, but not those that would find nothing to do.
    fn sequence(&mut self, index: usize, rows: &[usize]) -> bool {
        let symbol = self.module.functions[index].symbol;
        let mut changed = false;
        for &row in rows {
            let needs = PASSES[row].needs;
            if self.settled[symbol] & (1 << row) == 0 && (needs.is_empty() || self.has(index).meet(needs)) {
                let here = self.apply(index, row);
                if !here || SETTLING.contains(&row) {
                    self.settled[symbol] |= 1 << row;
                }
                changed |= here;
            }
        }
        changed
    }

    /// Forgets what is known of another function.
    fn look_at(&mut self, symbol: SymbolId) {
        if self.current.replace(symbol) != Some(symbol) {
            self.forget();
        }
    }

    /// Forgets what is known of the function, which has changed.
    fn forget(&mut self) {
        self.ranges.take();
        self.usage.take();
    }

    /// What a function has at most.
    fn has(&mut self, index: usize) -> Needs {
        let f = &self.module.functions[index];
        *self.has[f.symbol].get_or_insert_with(|| Needs::of(f))
    }

    fn apply(&mut self, index: usize, row: usize) -> bool {
        let pass = &PASSES[row];
        self.look_at(self.module.functions[index].symbol);
        let cx = Cx {
            symbols: &self.module.symbols,
            ranges: &self.ranges,
            usage: &self.usage,
            immutable: &self.statics.immutable,
            hidden: &self.statics.hidden,
            options: self.options,
            late: self.late,
            limits: &self.limits,
            remarks: &self.remarks,
        };
        let changed = (pass.run)(&mut self.module.functions[index], &cx);
        match changed {
            true => {
                let has = self.has[self.module.functions[index].symbol].filter(|_| SHRINKING.contains(&row));
                self.observe(index, pass.name, has, LEFT[row]);
            }
            false => (self.observer)(pass.name, self.module, None),
        }
        changed
    }

    /// Takes note of a change after which the function has this at most, if that is known, and that leaves these
    /// passes alone; shows the function to the observer and to the verifier.
    fn observe(&mut self, index: usize, pass: &'static str, has: Option<Needs>, left: u32) {
        self.forget();
        let f = &self.module.functions[index];
        self.has[f.symbol] = has;
        self.settled[f.symbol] &= left | self.off;
        (self.observer)(pass, self.module, Some(f));
        if self.options.check {
            let violations = verify_function(self.module, f, verify::Options::default());
            let render = || verify::render(self.module, f, &violations);
            // A jump to a block that was put further up is no cycle yet.
            assert!(
                has.is_none_or(|has| has.and(Needs::all(&[Loops])).meet(Needs::of(f))),
                "pass `{pass}` adds to what `{}` has",
                self.module.symbols[f.symbol].name
            );
            assert!(violations.is_empty(), "pass `{pass}` breaks the IR:\n{}", render());
        }
    }
}

#[cfg(test)]
mod tests {
    use skep_stdlib::isa::Cpu;

    use super::*;
    use crate::codegen;

    #[test]
    fn every_pass_keeps_the_meaning_of_random_modules() {
        passes_keep_the_meaning(1..60);
    }

    #[test]
    fn every_pipeline_keeps_the_meaning_of_random_modules() {
        pipelines_keep_the_meaning(1..120);
    }

    /// As the two above: `OPT_MODULES=10000` takes minutes instead of seconds, `OPT_FIRST` is the first seed.
    #[test]
    fn as_many_random_modules_as_wanted() {
        let number =
            |name: &str, usual| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual);
        let (first, count): (u64, u64) = (number("OPT_FIRST", 1_000), number("OPT_MODULES", 40));
        passes_keep_the_meaning(first..first + count.min(20_000) / 10);
        pipelines_keep_the_meaning(first..first + count);
    }

    fn passes_keep_the_meaning(seeds: std::ops::Range<u64>) {
        for pass in PASSES {
            testing::fuzz_pass(pass.name, seeds.clone());
        }
    }

    /// And every register allocation of their code is proven right.
    fn pipelines_keep_the_meaning(seeds: std::ops::Range<u64>) {
        for seed in seeds {
            let before = testing::generate::module(seed);
            for (level, big_endian) in [(0, false), (2, false), (2, true)] {
                let cpu = [Cpu::V1, Cpu::V2, Cpu::V3, Cpu::V4][seed as usize % 4];
                let options =
                    Options { level, big_endian, cpu: cpu as u8 + 1, check: true, ..Options::default() };
                let mut after = before.clone();
                run(&mut after, &options, &mut |_, _, _| {});
                testing::assert_same_outside(&before, &after, seed, big_endian);
                let options = codegen::Options { cpu, big_endian, check: true };
                // What exceeds a limit, such as the stack's, has no code; a wrong allocation panics.
                codegen::generate(&after, &options, &mut Vec::new(), &mut |_| {});
            }
        }
    }
}

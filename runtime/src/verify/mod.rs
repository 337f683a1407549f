//! The verifier: proves by the kernel's rules that a program is safe on every path, or says why not.
//!
//! In: an [`Image`], the target, and the target's BTF where there is one. Out: [`Verified`], or one
//! [`Report`] for each program that is not safe. The parts:
//!
//! | file | what it knows |
//! |---|---|
//! | `tnum`, `scalar` | numbers: known bits, ranges, arithmetic, refinement |
//! | `reg`, `state`, `cover` | what a register and a byte of stack can hold; when one state covers another |
//! | `structure`, `liveness`, `depth` | control flow and calls, apart from paths |
//! | `walk` | paths, calls and returns |
//! | `prune`, `trace`, `precision`, `marks` | paths that need not be walked, and what that rests on |
//! | `alu`, `branch`, `mem`, `stack`, `ctx`, `call` | one kind of instruction each |
//! | `movement`, `access` | where a pointer may be moved, what may be touched through it |
//! | `arguments`, `params` | what is handed to helpers and to kernel functions |
//! | `fields` | what in a map value belongs to the kernel |
//! | `region` | memory that is handed to a callee |
//! | `callback` | helpers that call functions of the program |
//! | `rounds` | loops that are bounded from outside |
//! | `kfunc`, `iter` | kernel functions, iterators |
//! | `exception` | where one may be thrown, what handles it |
//! | `arena` | memory shared with user space |
//! | `lock`, `interrupts`, `later` | spin locks, sections without interrupts, timers and deferred work |
//! | `objects`, `graph`, `kptr` | allocated objects, lists and trees of them, pointers kept in maps |
//! | `home`, `dynptr` | objects in the program's stack, dynamic pointers |
//! | `global` | functions that are verified by their prototype |
//! | `object` | sockets, maps and kernel structures |
//! | `args` | arguments of traced functions and of kernel interfaces |
//! | `members`, `follow`, `writable` | kernel structures, what is followed from them, what may be written there |
//! | `held` | what must be given back before a path may end |
//! | `versions`, `hook` | what an older kernel does not know, where a program may be attached |
//! | `users`, `guesses` | what a user without capabilities may not do, where processors guess wrong |
//! | `report` | the rules, their wordings |
//! | `log` | the walk as the kernel's log shows it |
//!
//! What is not modelled is refused by a rule of its own (`V0901`), never let through.

mod access;
mod alu;
mod arena;
mod args;
mod arguments;
mod branch;
mod call;
mod callback;
mod components;
mod cover;
mod ctx;
mod depth;
mod dynptr;
mod edges;
mod exception;
mod facts;
mod fields;
mod follow;
mod global;
mod graph;
mod guesses;
mod held;
mod home;
mod hook;
mod interrupts;
mod iter;
mod kfunc;
mod kptr;
mod later;
mod liveness;
mod lock;
pub mod log;
mod marks;
mod mem;
pub(crate) mod members;
mod movement;
mod object;
mod objects;
mod params;
mod precision;
mod prune;
pub mod reg;
mod region;
mod replay;
pub mod report;
mod rounds;
pub mod scalar;
mod stack;
mod state;
mod structure;
pub mod tnum;
mod trace;
mod users;
mod versions;
mod visits;
mod walk;
mod writable;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use skep_stdlib::btf::{Btf, Kind};
use skep_stdlib::capabilities::{Capabilities, Capability};
use skep_stdlib::features::{Feature, Target};
use skep_stdlib::programs::sections::{self, Match};
use skep_stdlib::programs::{Context as CtxKind, ProgType};

use crate::object::{Image, MapDef, Program};
pub use call::{Loss, loses};
pub use facts::{Fact, Facts, LookUp};
use reg::{PtrKind, Reg};
pub use replay::{Escape, replay};
use report::Leaving;
use report::terms::log_type;
pub use report::{Access, Cause, Note, RULES, Report, Rule, Step};
use scalar::Scalar;
use state::{Role, State};
pub use walk::Stats;
use walk::{Check, Walk};

/// An image all of whose programs are safe to run.
///
/// Outside this module the only way to one without a proof is [`Verified::unchecked`]. It has no
/// [`Facts`], and every engine keeps such programs inside of the virtual machine by checks at run time.
#[derive(Clone, Debug)]
pub struct Verified {
    image: Image,
    /// By program; none if nothing was proven.
    facts: Option<Vec<Facts>>,
}

impl Verified {
    /// Takes an image **without verifying it**. The interpreter checks every access anyway; compiled
    /// code of it compares every address with the bounds of the virtual machine's memory.
    pub fn unchecked(image: Image) -> Verified {
        Verified { image, facts: None }
    }

    /// Whether the verifier accepted every program.
    pub fn is_proven(&self) -> bool {
        self.facts.is_some()
    }

    /// What was proven of each program's instructions; none if nothing was.
    pub fn facts(&self) -> Option<&[Facts]> {
        self.facts.as_deref()
    }

    /// The linked object.
    pub fn image(&self) -> &Image {
        &self.image
    }
}

/// What programs are verified for.
#[derive(Clone)]
pub struct Options {
    /// The kernel and instruction set.
    pub target: Target,
    /// The target kernel's BTF: types the arguments of traced functions.
    pub btf: Option<Arc<Btf>>,
    /// Most instructions walked for one program.
    pub limit: u32,
    /// Must every access be aligned, as on machines that cannot do without
    /// (`BPF_F_STRICT_ALIGNMENT`)?
    pub aligned: bool,
    /// Is a state kept wherever one may be, so that fewer paths are walked twice and more states are
    /// compared (`BPF_F_TEST_STATE_FREQ`)?
    pub eager: bool,
    /// What the user may do who loads the programs. Without `CAP_BPF` the verdict is that for a user
    /// where `kernel.unprivileged_bpf_disabled` is 0, who makes the maps too, on a machine whose
    /// processors guess (no `mitigations=off`).
    pub user: Capabilities,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            target: Target::default(),
            btf: None,
            limit: 1_000_000,
            aligned: false,
            eager: false,
            user: Capabilities::ALL,
        }
    }
}

/// The verdict on one program.
#[derive(Clone, PartialEq, Debug)]
pub struct Verdict {
    /// Its name.
    pub program: String,
    /// Why it is not safe, if it is not.
    pub report: Option<Report>,
    /// What finding out cost.
    pub stats: Stats,
    /// How often each instruction was walked, by slot.
    pub visits: Vec<u32>,
}

/// Verifies every program and returns a verdict for each.
pub fn verdicts(image: &Image, options: &Options) -> Vec<Verdict> {
    (0..image.programs.len()).map(|index| verdict(image, index, options)).collect()
}

/// The verdict on the program with this index.
pub fn verdict(image: &Image, index: usize, options: &Options) -> Verdict {
    let proof = prove(image, index, options);
    let program = image.programs[index].name.clone();
    Verdict { program, report: proof.result.err(), stats: proof.stats, visits: proof.visits }
}

/// Verifies every program; an image with an unsafe one is not [`Verified`].
pub fn verify(image: Image, options: &Options) -> Result<Verified, Vec<Report>> {
    let (mut facts, mut reports) = (Vec::new(), Vec::new());
    for index in 0..image.programs.len() {
        match prove(&image, index, options).result {
            Ok(proven) => facts.push(proven),
            Err(report) => reports.push(report),
        }
    }
    if reports.is_empty() { Ok(Verified { image, facts: Some(facts) }) } else { Err(reports) }
}

/// Verifies the program with this index.
pub fn verify_program(image: &Image, index: usize, options: &Options) -> (Result<(), Report>, Stats) {
    let proof = prove(image, index, options);
    (proof.result.map(|_| ()), proof.stats)
}

/// What was found out about a program.
struct Proof {
    result: Result<Facts, Report>,
    stats: Stats,
    visits: Vec<u32>,
}

/// Verifies a program, and keeps what was found out.
fn prove(image: &Image, index: usize, options: &Options) -> Proof {
    let mut walk = match begin(image, index, options) {
        Ok(walk) => walk,
        Err(report) => return Proof { result: Err(*report), stats: Stats::default(), visits: Vec::new() },
    };
    let result = walk.run();
    let own = walk.ways.iter().map(|way| way.is_some_and(|(_, own)| own));
    let result = result.map_err(|report| *report).map(|()| Facts::new(own, &walk.look_ups));
    Proof { result, stats: walk.stats, visits: walk.visits }
}

/// Checks what needs no walk, and makes one that has not begun.
fn begin<'a>(image: &'a Image, index: usize, options: &'a Options) -> Result<Walk<'a>, Box<Report>> {
    prepare(image, index, options).map_err(|(slot, cause)| Box::new(Report::at(index, slot, cause)))
}

fn prepare<'a>(image: &'a Image, index: usize, options: &'a Options) -> Result<Walk<'a>, (u32, Cause)> {
    let program = &image.programs[index];
    let at_start = |cause| (0, cause);
    let section = sections::find(&program.section).ok_or_else(|| {
        at_start(Cause::Unsupported { what: alloc::format!("the section `{}`", program.section) })
    })?;
    structure::check(program)?;
    let cx = Context {
        image,
        program,
        index,
        prog_type: section.section.ty,
        section,
        target: options.target,
        btf: options.btf.as_deref(),
        limit: options.limit,
        aligned: options.aligned,
        eager: options.eager,
        user: options.user,
    };
    users::check(&cx)?;
    edges::check(&cx)?;
    hook::check(&cx).map_err(at_start)?;
    versions::check(&cx)?;
    alu::check_addresses(&cx)?;
    let handler = exception::handler(&cx).map_err(at_start)?;
    arena::check(&cx).map_err(at_start)?;
    Ok(Walk::new(cx, handler))
}

/// What does not change during the walk of one program.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The image, for its maps and license.
    pub image: &'a Image,
    /// The program.
    pub program: &'a Program,
    /// Its index.
    pub index: usize,
    /// Its type.
    pub prog_type: ProgType,
    /// What its section name says.
    pub section: Match<'a>,
    /// The kernel and instruction set.
    pub target: Target,
    /// The target kernel's BTF.
    pub btf: Option<&'a Btf>,
    /// Most instructions walked.
    pub limit: u32,
    /// Must every access be aligned?
    pub aligned: bool,
    /// Is a state kept wherever one may be?
    pub eager: bool,
    /// What the user may do.
    pub user: Capabilities,
}

impl<'a> Context<'a> {
    /// What r1 holds at the start.
    fn entry_register(&self) -> Reg {
        Reg::pointer(PtrKind::Ctx, 0)
    }

    /// The name of the context's structure, for messages.
    fn context_name(&self) -> &'static str {
        match self.prog_type.info().context {
            CtxKind::Fields(name) => name,
            CtxKind::Registers => "pt_regs",
            CtxKind::Record => "the tracepoint's record",
            CtxKind::RawArguments | CtxKind::TypedArguments => "the arguments",
            CtxKind::Opaque | CtxKind::Replaced => "the context",
        }
    }

    /// May packets be written (kernel `may_access_direct_pkt_data`)?
    fn may_write_packet(&self) -> bool {
        matches!(
            self.prog_type,
            ProgType::SchedCls
                | ProgType::SchedAct
                | ProgType::Xdp
                | ProgType::LwtXmit
                | ProgType::SkSkb
                | ProgType::SkMsg
                | ProgType::CgroupSockopt
        )
    }

    /// What the program may do with its stack.
    fn trust(&self) -> stack::Trust {
        let leaks = self.leaks();
        let uninit = leaks && self.target.has(Feature::UninitStackReads);
        let parts = self.target.has(Feature::StoredNumbers);
        stack::Trust { uninit, leaks, numbers: self.may(Capability::Bpf), parts }
    }

    /// The map with this index, or the template of those inside it.
    fn map(&self, index: u32) -> Option<&'a MapDef> {
        let def = self.image.maps.get((index & !reg::INNER) as usize)?;
        if index & reg::INNER == 0 { Some(def) } else { def.inner.as_deref() }
    }

    /// What is left of a pointer that may no longer be used.
    fn stale(&self, slot: u32) -> Reg {
        if self.leaks() { Reg::unknown(slot) } else { Reg::Uninit }
    }

    /// BTF id of `struct task_struct`, 0 when unknown.
    fn task_type(&self) -> u32 {
        self.btf.and_then(|btf| btf.find("task_struct", Kind::Struct)).map_or(0, |id| id.0)
    }
}

impl Walk<'_> {
    /// The program ends: is the result in range, is nothing held?
    fn check_end(&mut self, state: &State, result: &Reg, before: Leaving) -> Check {
        held::check_nothing(state, before)?;
        let range = match state.role {
            Role::Global => return self.check_global_end(result),
            Role::Program | Role::Handler => hook::return_range(&self.cx),
            Role::Later => Some((0, 0)),
            Role::InTask => Some((i32::MIN, i32::MAX)),
        };
        let ends_program = matches!(state.role, Role::Program | Role::Handler);
        if ends_program && self.cx.returns_nothing() {
            return Ok(());
        }
        let (when, reg) = match (state.role, before) {
            (Role::Later | Role::InTask, _) => ("At async callback return", 0),
            (Role::Program | Role::Global | Role::Handler, Leaving::Throw) => ("At program exit", 1),
            (Role::Program | Role::Global | Role::Handler, _) => ("At program exit", 0),
        };
        let not_known = |result: &Reg| Cause::ReturnPointer {
            log: alloc::format!("{when} the register R{reg} is not a known value ({})", log_type(result)),
        };
        let value: Scalar = match result {
            Reg::Uninit => return Err(Cause::Uninit { reg: 0 }),
            Reg::Pointer(_) if !self.cx.leaks() || range.is_some() => {
                return Err(not_known(result));
            }
            Reg::Pointer(_) => return Ok(()),
            Reg::Scalar(num) => num.value,
        };
        let Some((min, max)) = range else { return Ok(()) };
        self.need(state, region::reg_of(reg));
        // A hook's result is an `int`; of all others the whole register counts.
        let hook = self.cx.prog_type == ProgType::Lsm && ends_program;
        let range = if hook { value.r32 } else { value.r64 };
        let (low, high) = (range.smin, range.smax);
        match low >= i64::from(min) && high <= i64::from(max) {
            true => Ok(()),
            false => Err(Cause::ReturnRange { min, max, low, high, when, reg }),
        }
    }
}

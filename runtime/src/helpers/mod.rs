//! What helpers do when a program calls them.
//!
//! The platform's table (`skep_stdlib::helpers`) says which helpers exist; this module holds the
//! code of those that can be executed, by name. A helper without code faults by name when it is
//! called, and not before.
//!
//! A helper gets its arguments as numbers and checks every address: a program that was not
//! verified may pass anything. What a verifier would never let pass is a [`FaultKind`]; what the
//! kernel answers with an error number is a return value.
//!
//! - `map`, `ringbuf`, `perf`: maps and records for user space.
//! - `task`: clocks, ids, random numbers. - `probe`: foreign memory.
//! - `trace`, [`format`]: `bpf_trace_printk` and what it shares with `bpf_snprintf`.
//! - `string`: strings and numbers. - `control`: loops, callbacks, tail calls.
//! - `storage`: values of kernel objects. - `stack`: call stacks. - `kfuncs`: kernel functions.
//! - `xdp`, `skb`, `checksum`, `redirect`: packets. - `sock`: sockets. - `dynptr`: dynamic pointers.
//! - `object`: objects, lists, trees. - `timer`: what runs later. - `misc`, `absent`: simple answers.
//! - `header`, `message`, `tcp`, `tunnel`: more of packets. - `sysctl`: kernel parameters.
//! - `strings`, `cpumask`, `arena`, `outside`: kernel functions of these.
//! - `seq`, `show`: text for readers, values by their types. - `request`: what is written down only.

mod absent;
mod arena;
mod checksum;
mod control;
mod cpumask;
mod dynptr;
pub mod format;
mod header;
mod kfuncs;
mod map;
mod message;
mod misc;
pub(crate) mod object;
mod outside;
mod perf;
mod probe;
mod redirect;
mod request;
mod ringbuf;
mod seq;
mod show;
mod skb;
mod sock;
mod stack;
mod storage;
mod string;
mod strings;
mod sysctl;
mod task;
mod tcp;
pub(crate) mod timer;
mod trace;
mod tunnel;
mod xdp;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use skep_stdlib::helpers::{HELPERS, Helper};

use crate::maps::Errno;
use crate::vm::{Env, Fault, FaultKind};

/// A helper's code: arguments r1 to r5 to r0.
pub type HelperFn = fn(&mut Cx<'_>, [u64; 5]) -> Result<u64, Stop>;

/// What a helper works on.
pub struct Cx<'a> {
    /// The program's surroundings.
    pub env: &'a mut Env,
    /// The engine that runs the program.
    pub caller: &'a mut dyn Caller,
}

/// What helpers ask of the engine.
pub trait Caller {
    /// Calls a function of the program.
    fn call_back(&mut self, env: &mut Env, function: u64, args: [u64; 5]) -> Result<u64, Stop>;
    /// Whether a tail call to this program may happen now.
    fn may_tail_call(&self, program: u32) -> bool;
    /// Counts instructions that a helper stands for, against the run's budget.
    fn spend(&mut self, instructions: u64) -> Result<(), Stop>;
}

/// Why a helper does not return to the instruction after its call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The call itself is at fault.
    Fault(FaultKind),
    /// A function that the helper called has faulted.
    Inner(Fault),
    /// The program continues as another one, with this index.
    TailCall(usize),
    /// The program ends with an exception: its handler gets the number.
    Throw(u64),
}

impl Stop {
    /// The fault that ends a run that has no instruction to go on with.
    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Stop::Fault(kind) => Fault { slot: 0, kind },
            Stop::Inner(fault) => fault,
            Stop::TailCall(_) => Fault { slot: 0, kind: FaultKind::Unsupported("tail call".into()) },
            Stop::Throw(_) => Fault { slot: 0, kind: FaultKind::ThrowInCallback },
        }
    }
}

impl From<FaultKind> for Stop {
    fn from(kind: FaultKind) -> Stop {
        Stop::Fault(kind)
    }
}

/// One helper with code.
pub(crate) type Entry = (&'static str, HelperFn);

/// Every helper with code, by the name it has without `bpf_`.
const FAMILIES: [&[Entry]; 26] = [
    map::HELPERS,
    perf::HELPERS,
    ringbuf::HELPERS,
    task::HELPERS,
    probe::HELPERS,
    trace::HELPERS,
    string::HELPERS,
    control::HELPERS,
    xdp::HELPERS,
    skb::HELPERS,
    checksum::HELPERS,
    redirect::HELPERS,
    stack::HELPERS,
    storage::HELPERS,
    dynptr::HELPERS,
    timer::HELPERS,
    sock::HELPERS,
    misc::HELPERS,
    absent::HELPERS,
    header::HELPERS,
    message::HELPERS,
    request::HELPERS,
    seq::HELPERS,
    sysctl::HELPERS,
    tcp::HELPERS,
    tunnel::HELPERS,
];

fn implemented() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.into_iter().flatten()
}

/// The code of helpers, by number: found when this is compiled, for a machine is made in less time than
/// it takes to compare all names.
static CODE: [Option<HelperFn>; 256] = {
    let mut code = [None; 256];
    let mut row = 0;
    while row < HELPERS.len() {
        code[HELPERS[row].id as usize] = code_of(HELPERS[row].name);
        row += 1;
    }
    code
};

const fn code_of(name: &str) -> Option<HelperFn> {
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut row = 0;
        while row < FAMILIES[family].len() {
            let (known, code) = FAMILIES[family][row];
            if is_same(known.as_bytes(), name.as_bytes()) {
                return Some(code);
            }
            row += 1;
        }
        family += 1;
    }
    None
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// Every kernel function with code, by its name.
fn implemented_kfuncs() -> impl Iterator<Item = &'static Entry> {
    let families: [&[Entry]; 9] = [
        kfuncs::KFUNCS,
        dynptr::KFUNCS,
        object::KFUNCS,
        timer::KFUNCS,
        misc::KFUNCS,
        strings::KFUNCS,
        cpumask::KFUNCS,
        outside::KFUNCS,
        arena::KFUNCS,
    ];
    families.into_iter().flatten()
}

/// Helpers by number, and the kernel functions that an image calls.
pub struct HelperTable {
    kfuncs: BTreeMap<i32, Result<HelperFn, FaultKind>>,
}

impl HelperTable {
    /// The table of everything implemented here, for an image that calls kernel functions by
    /// these numbers.
    pub fn new(kfuncs: &BTreeMap<i32, String>) -> HelperTable {
        let code_of = |name: &String| match implemented_kfuncs().find(|(known, _)| known == name) {
            Some(&(_, code)) => Ok(code),
            None => Err(FaultKind::KfuncNotImplemented(name.clone())),
        };
        let kfuncs = kfuncs.iter().map(|(&id, name)| (id, code_of(name))).collect();
        HelperTable { kfuncs }
    }

    /// The code of a kernel function.
    pub fn kfunc(&self, id: i32) -> Result<HelperFn, FaultKind> {
        match self.kfuncs.get(&id) {
            Some(found) => found.clone(),
            None => Err(FaultKind::KfuncNotImplemented(alloc::format!("function with BTF id {id}"))),
        }
    }

    /// The code of a helper.
    #[inline]
    pub fn get(&self, id: i32) -> Result<HelperFn, FaultKind> {
        match usize::try_from(id).ok().and_then(|id| CODE.get(id)) {
            Some(Some(code)) => Ok(*code),
            _ => Err(missing(id)),
        }
    }
}

#[cold]
fn missing(id: i32) -> FaultKind {
    match u32::try_from(id).ok().and_then(Helper::from_id) {
        Some(helper) => FaultKind::HelperNotImplemented(helper.name.to_string()),
        None => FaultKind::UnknownHelper(id),
    }
}

/// Names of the helpers that can be executed.
pub fn implemented_names() -> Vec<&'static str> {
    implemented().map(|&(name, _)| name).collect()
}

/// Names of the kernel functions that can be executed.
pub fn implemented_kfunc_names() -> Vec<&'static str> {
    implemented_kfuncs().map(|&(name, _)| name).collect()
}

impl Cx<'_> {
    /// Bytes that a helper reads, copied.
    fn bytes(&self, address: u64, len: u64) -> Result<Vec<u8>, Stop> {
        match self.env.memory.read(address, len) {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Err(FaultKind::Access { address, size: len, write: false }.into()),
        }
    }

    /// Bytes that a helper writes.
    fn bytes_mut(&mut self, address: u64, len: u64) -> Result<&mut [u8], Stop> {
        let fault = FaultKind::Access { address, size: len, write: true };
        self.env.memory.read_mut(address, len).ok_or(Stop::Fault(fault))
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), Stop> {
        self.bytes_mut(address, bytes.len() as u64)?.copy_from_slice(bytes);
        Ok(())
    }

    /// A terminated string in the program's memory, without the terminator.
    fn string(&self, address: u64) -> Result<Vec<u8>, Stop> {
        let rest = self.env.memory.rest(address).unwrap_or_default();
        match rest.iter().position(|&byte| byte == 0) {
            Some(len) => Ok(rest.get(..len).unwrap_or_default().to_vec()),
            None => Err(FaultKind::Access { address, size: rest.len() as u64 + 1, write: false }.into()),
        }
    }
}

/// The fault of an argument that no verifier lets pass.
fn bad(helper: &'static str, argument: u8, why: &'static str) -> Stop {
    Stop::Fault(FaultKind::BadArgument { helper, argument, why })
}

/// 0, or the negative error number.
fn status(result: Result<(), Errno>) -> u64 {
    match result {
        Ok(()) => 0,
        Err(errno) => errno.code(),
    }
}

#[cfg(test)]
mod tests;

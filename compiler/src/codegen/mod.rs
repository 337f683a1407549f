//! IR to instructions.
//!
//! For each function: [`select`] makes machine IR over virtual registers, [`regs`] gives them
//! machine registers, [`frame`] lays out the stack, [`layout`] orders the blocks, [`emit`] resolves
//! jumps and writes down what the object needs to know, with the help of [`relax`] where they are far.
//!
//! Selection accepts every IR; what the machine or the kernel cannot do becomes a [`Limit`].

mod asm;
mod bits;
pub mod code;
mod emit;
mod flow;
mod frame;
mod layout;
pub mod mir;
mod peephole;
mod preset;
mod regs;
mod relax;
mod rotate;
mod select;
mod tails;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use skep_stdlib::isa::Cpu;

use self::code::Code;
use self::frame::given::Given;
use crate::ir::{Function, Limit, Module, SrcLoc, SymbolId};

pub use self::frame::STACK_LIMIT;

/// What the generated code may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Version of the instruction set.
    pub cpu: Cpu,
    /// Byte order of the machine.
    pub big_endian: bool,
    /// Prove each register allocation right; a failure is a defect of the compiler and panics.
    pub check: bool,
}

/// Is told the name of each step of code generation when it is done.
pub type Ran<'a> = dyn FnMut(&'static str) + 'a;

/// Generates code for the functions of a module; what cannot be done is added to `limits`, and then
/// the code is incomplete. `ran` is told each step that was taken.
pub fn generate(module: &Module, options: &Options, limits: &mut Vec<Limit>, ran: &mut Ran<'_>) -> Code {
    let mut code = Code::default();
    let effects = Given::new(module);
    for f in &module.functions {
        if let Some(func) = machine_function(f, module, &effects, options, limits, ran) {
            code.functions.extend(relax::emit(func, module, options.cpu, limits));
            ran("emit");
        }
    }
    let places: BTreeMap<SymbolId, usize> = module.order.iter().copied().zip(0..).collect();
    code.functions.sort_by_key(|func| places.get(&func.symbol).copied().unwrap_or(usize::MAX));
    code
}

/// The machine IR of a function with registers, frame and layout; `None` when there is a limit.
pub fn machine_function(
    f: &Function,
    module: &Module,
    effects: &Given,
    options: &Options,
    limits: &mut Vec<Limit>,
    ran: &mut Ran<'_>,
) -> Option<mir::Func> {
    let before = limits.len();
    let mut func = select::select(f, module, options, limits);
    ran("select");
    if limits.len() > before {
        return None;
    }
    let live = regs::prepare(&mut func);
    let accesses = frame::access::Accesses::new(&func, effects);
    let selected = options.check.then(|| func.clone());
    let name = &module.symbols[f.symbol].name;
    let Some(mut steps) = regs::allocate(&mut func, live) else {
        let message = format!("`{name}` needs more registers than there are");
        limits.push(Limit::new(SrcLoc::NONE, message));
        return None;
    };
    if let Some(selected) = selected
        && let Err(wrong) = regs::check::check(&selected, &steps)
    {
        let (before, after) = (mir::print(&selected, module), mir::print(&func, module));
        panic!("register allocation of `{name}` is wrong: {wrong}\n{before}\n{after}");
    }
    ran("regs");
    peephole::run(&mut func, &mut steps, accesses.objects());
    ran("peephole");
    frame::lay_out(&mut func, &steps, &accesses, name, limits);
    ran("frame");
    layout::order(&mut func, options.cpu);
    ran("layout");
    (limits.len() == before).then_some(func)
}

/// The machine IR of a function as selected, for dumps.
pub fn selected_function(f: &Function, module: &Module, options: &Options) -> mir::Func {
    select::select(f, module, options, &mut Vec::new())
}

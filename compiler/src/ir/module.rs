//! What surrounds the functions: symbols, CO-RE relocations, source locations.

use skep_stdlib::btf::ext::CoreKind;
use skep_syntax::source::Span;

use super::entities::{Arena, CoreId, SrcLoc, SymbolId};
use super::function::{Function, Signature};
use super::remark::Remark;
use crate::hash::LookupMap;

/// One translation unit.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Functions and variables.
    pub symbols: Arena<SymbolId, Symbol>,
    /// Definitions, in order of their appearance in the source.
    pub functions: Functions,
    /// Symbols in the order in which they lie in the object, as far as it matters; not part of the
    /// text form.
    pub order: Vec<SymbolId>,
    /// CO-RE relocations.
    pub cores: Arena<CoreId, Core>,
    /// Source locations; entry 0 is "none".
    pub locs: Arena<SrcLoc, LocData>,
    /// What was done to it, if that is asked for; not part of the text form.
    pub remarks: Vec<Remark>,
}

/// A function or variable.
#[derive(Clone, PartialEq, Debug)]
pub struct Symbol {
    /// Name in the object.
    pub name: String,
    /// Index into the functions or the variables (as `kind` says) of the typed program; modules
    /// that were parsed from text number them in order.
    pub origin: u32,
    /// Which, with the facts that optimisation needs.
    pub kind: SymbolKind,
}

/// Function or variable.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum SymbolKind {
    Func(FuncSymbol),
    Data(DataSymbol),
}

/// What optimisation may know of a function.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FuncSymbol {
    /// Parameters and result.
    pub sig: Signature,
    /// `static`: all callers are in this module.
    pub local: bool,
    /// Another object may replace the definition: never inlined.
    pub weak: bool,
    /// Must be inlined.
    pub always_inline: bool,
    /// Must not be inlined.
    pub noinline: bool,
    /// Kept even when nothing refers to it: in a section of its own, `used`, or not static.
    pub keep: bool,
    /// Does not return.
    pub noreturn: bool,
    /// The body is assembly only: no code around it, never inlined.
    pub naked: bool,
    /// Message of `__attribute__((error))`: a surviving call is an error.
    pub error: Option<String>,
}

/// What optimisation may know of a variable.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DataSymbol {
    /// Bytes.
    pub size: u64,
    /// Alignment in bytes.
    pub align: u32,
    /// Its bytes never change and are known: `const` without `volatile`, defined here.
    pub constant: bool,
    /// `static`: nobody outside this module writes to it.
    pub local: bool,
    /// The initial bytes; shorter than `size` means zeros follow; zero where an address stands.
    /// `None` when unknown (extern).
    pub bytes: Option<Vec<u8>>,
    /// Addresses within the initial bytes: offset, symbol, addend.
    pub addresses: Vec<(u64, SymbolId, i64)>,
    /// Where it lies, as far as code may count on that; not part of the text form.
    pub place: Option<DataPlace>,
}

/// The place of a variable in memory that it shares with others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataPlace {
    /// Which memory.
    pub region: u32,
    /// Bytes from its start.
    pub offset: u64,
}

/// A CO-RE relocation as the optimiser sees it: two with equal keys may be merged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Core {
    /// Index into the relocations of the typed program.
    pub index: u32,
    /// Text for dumps, like `byte_off task_struct 0:1:2`.
    pub text: String,
    /// Value for the local types.
    pub local: u64,
}

impl Core {
    /// Is it the offset of a member, which fits an immediate in every kernel?
    pub fn is_offset(&self) -> bool {
        self.text.split(' ').next() == Some(CoreKind::FieldByteOffset.name())
    }
}

/// A source location.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LocData {
    /// Where in the source.
    pub span: Span,
    /// The call this was inlined at.
    pub inlined_at: Option<SrcLoc>,
}

impl Module {
    /// An empty module, with the location "none".
    pub fn new() -> Module {
        let mut module = Module::default();
        module.locs.push(LocData { span: Span::NONE, inlined_at: None });
        module
    }

    /// The function symbol's facts, if it is a function.
    pub fn func(&self, id: SymbolId) -> Option<&FuncSymbol> {
        match &self.symbols[id].kind {
            SymbolKind::Func(func) => Some(func),
            SymbolKind::Data(_) => None,
        }
    }

    /// The variable's facts, if it is one.
    pub fn data(&self, id: SymbolId) -> Option<&DataSymbol> {
        match &self.symbols[id].kind {
            SymbolKind::Data(data) => Some(data),
            SymbolKind::Func(_) => None,
        }
    }

    /// The definition of a function, if it is in this module.
    pub fn definition(&self, id: SymbolId) -> Option<&Function> {
        self.functions.get(self.functions.position(id)?).filter(|f| f.symbol == id)
    }
}

/// The functions of a module in the order of the source, found by their symbols. A symbol stays that of a
/// function, and has one.
#[derive(Clone, Default, Debug)]
pub struct Functions {
    list: Vec<Function>,
    positions: LookupMap<SymbolId, usize>,
}

impl Functions {
    /// Adds a function.
    pub fn push(&mut self, f: Function) {
        self.positions.insert(f.symbol, self.list.len());
        self.list.push(f);
    }

    /// Keeps the functions for which `keep` holds.
    pub fn retain(&mut self, keep: impl FnMut(&Function) -> bool) {
        self.list.retain(keep);
        self.positions = self.list.iter().enumerate().map(|(at, f)| (f.symbol, at)).collect();
    }

    /// Where the function of a symbol is.
    pub fn position(&self, symbol: SymbolId) -> Option<usize> {
        self.positions.get(&symbol).copied()
    }
}

impl FromIterator<Function> for Functions {
    fn from_iter<I: IntoIterator<Item = Function>>(list: I) -> Functions {
        let mut functions = Functions::default();
        list.into_iter().for_each(|f| functions.push(f));
        functions
    }
}

impl std::ops::Deref for Functions {
    type Target = [Function];

    fn deref(&self) -> &[Function] {
        &self.list
    }
}

impl std::ops::DerefMut for Functions {
    fn deref_mut(&mut self) -> &mut [Function] {
        &mut self.list
    }
}

impl<'a> IntoIterator for &'a Functions {
    type Item = &'a Function;
    type IntoIter = std::slice::Iter<'a, Function>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a mut Functions {
    type Item = &'a mut Function;
    type IntoIter = std::slice::IterMut<'a, Function>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter_mut()
    }
}

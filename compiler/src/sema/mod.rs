//! Names, types, constants: the AST becomes the typed program.
//!
//! In: a parsed [`Unit`]. Out: a [`hir::Module`]; what is wrong goes to the session's diagnostics,
//! and error types and nodes stand where it was, so there is always a module and no early exit.
//!
//! Work is done on demand. Declarations in the user's files are analysed in source order;
//! those of system headers when something names them; function bodies and initialisers wait in
//! a work list until everything that refers to them has been seen. So a program pays for the
//! forty records of `vmlinux.h` that it uses, not for the ten thousand it includes.
//!
//! | file | does |
//! |---|---|
//! | `scope` | index of file scope, block scopes |
//! | `decl` | file-scope declarations, merging of redeclarations |
//! | `specifiers`, `declarator`, `attrs` | syntax of types to types |
//! | `records`, `layout` | records and enums, sizes and offsets |
//! | `expr`, `operators`, `access`, `call` | expressions |
//! | `builtins`, `bits`, `atomics` | calls of builtins |
//! | `convert`, `compat` | conversions and their rules |
//! | `core_access` | CO-RE relocations |
//! | `consteval` | constants |
//! | `init` | initialisers |
//! | `body`, `stmt`, `locals`, `asm`, `cleanup` | function bodies |
//! | `usage`, `narrowing`, `map_limits` | what is unused, what loses bits or signs, what no kernel creates |
//! | `flow`, `uninit`, `fallthrough` | the ways through a body, and what is wrong on some of them |
//! | `parentheses` | what reads otherwise than it is meant |
//! | `format` | formats of helpers that print |
//! | `complete` | types that BTF will describe are completed |

mod access;
mod asm;
mod atomics;
mod attrs;
mod bits;
mod body;
mod builtins;
mod call;
mod cleanup;
mod compat;
mod complete;
mod composed;
mod consteval;
mod convert;
mod core_access;
mod decl;
mod declarator;
mod expr;
mod fallthrough;
mod flow;
mod format;
mod init;
mod layout;
mod locals;
mod map_limits;
mod narrowing;
mod operators;
mod parentheses;
mod records;
mod report;
mod scope;
mod specifiers;
mod static_init;
mod stmt;
mod suggest;
mod switches;
mod typename;
mod uninit;
mod usage;

use std::collections::{BTreeSet, VecDeque};

use skep_syntax::Session;
use skep_syntax::ast::{self, Ast, DeclId, DeclKind, InitId, Storage, Unit};
use skep_syntax::diag::codes;
use skep_syntax::intern::Symbol;
use skep_syntax::source::FileId;

use crate::hash::LookupMap;
use crate::hir::{self, CoreId, CoreReloc, FuncId, GlobalId};
use crate::types::{EnumId, RecordId, TypeId, Types};

use attrs::AttrKind;
use body::FnState;
use scope::{Binding, FileIndex, Scopes, Tag};

/// How deep declarations may lead to declarations (a struct in a struct in a struct ...).
const MAX_DEPTH: u32 = 200;

/// Analyses a translation unit.
pub fn analyze(unit: &Unit, cx: &mut Session<'_>) -> hir::Module {
    analyze_partial(unit, cx).0
}

/// Analyses a translation unit of which declarations may be left out; also says which tags are not
/// defined in it although their definition would matter.
pub fn analyze_partial(unit: &Unit, cx: &mut Session<'_>) -> (hir::Module, BTreeSet<Symbol>) {
    let mut sema = Sema::new(unit, cx);
    sema.declare_unit();
    sema.finish_work();
    sema.report_unused_statics();
    sema.check_maps();
    sema.complete_described_types();
    let module = hir::Module {
        types: sema.types,
        functions: sema.functions,
        globals: sema.globals,
        core_relocs: sema.core_relocs,
    };
    (module, sema.missing)
}

/// Where analysis stands: exchanged as a whole when a name leads to a declaration elsewhere.
#[derive(Default)]
struct Context {
    /// Open block scopes.
    scopes: Scopes,
    /// Names of file scope are visible up to this index of `file_names`.
    limit: u32,
    /// Inside `__builtin_preserve_access_index(...)`.
    preserve: bool,
    /// Inside an operand that is not evaluated (`sizeof`, `typeof`, ...).
    unevaluated: bool,
    /// Inside an operand that is evaluated at no time (the right side of `0 && ...`).
    unreached: bool,
    /// The function whose body is analysed.
    function: Option<Box<FnState>>,
}

/// What sema knows about a function beyond its HIR.
#[derive(Clone, Copy, Default)]
struct FuncInfo {
    /// The definition and its index in `file_names`.
    definition: Option<(DeclId, u32)>,
    /// Its body is analysed or waits for it.
    queued: bool,
    /// Something names it.
    mentioned: bool,
    /// It says of itself that it may be unused.
    excused: bool,
    /// `warn_unused_result`
    wants_use: bool,
}

/// What sema knows about a variable beyond its HIR.
#[derive(Clone, Copy, Default)]
struct GlobalInfo {
    /// The initialiser that is still to be analysed, and the names it sees.
    init: Option<(InitId, u32)>,
    /// Something names it.
    mentioned: bool,
    /// It says of itself that it may be unused.
    excused: bool,
}

/// Where the body of a record or enum is and how far its analysis is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Definition<T> {
    /// Only declared.
    None,
    /// Defined there, not looked at.
    At(T),
    /// Being analysed.
    Busy,
    /// Complete.
    Done,
}

/// What waits to be analysed.
enum Work {
    Body(FuncId),
    Init(GlobalId),
}

/// The analysis of one unit.
struct Sema<'a, 's> {
    unit: &'a Unit,
    ast: &'a Ast,
    cx: &'a mut Session<'s>,
    types: Types,
    functions: Vec<hir::Function>,
    func_info: Vec<FuncInfo>,
    globals: Vec<hir::Global>,
    global_info: Vec<GlobalInfo>,
    core_relocs: Vec<CoreReloc>,
    core_ids: LookupMap<(hir::CoreKind, TypeId, String), CoreId>,
    index: FileIndex,
    /// Names of file scope that were looked up, with the index of their first declaration.
    entities: LookupMap<Symbol, (Binding, u32)>,
    /// Tags of file scope that were looked up.
    tags: LookupMap<Symbol, Tag>,
    /// Specifiers with a body that were met.
    record_ids: LookupMap<ast::RecordId, RecordId>,
    enum_ids: LookupMap<ast::EnumId, EnumId>,
    record_defs: Vec<Definition<ast::RecordId>>,
    enum_defs: Vec<Definition<ast::EnumId>>,
    enum_values: Vec<switches::EnumValues>,
    /// String literals by their bytes and element type.
    literals: LookupMap<(Vec<u8>, TypeId), GlobalId>,
    attr_kinds: LookupMap<Symbol, Option<AttrKind>>,
    builtin_rows: LookupMap<Symbol, Option<&'static builtins::Row>>,
    /// By file: declarations there are analysed on demand and do not cause warnings.
    quiet_files: LookupMap<FileId, bool>,
    work: VecDeque<Work>,
    /// Tags of records that were to be completed and have no definition.
    missing: BTreeSet<Symbol>,
    ctx: Context,
    depth: u32,
    /// How many names were compared for suggestions so far, to bound the time errors take.
    suggestions: u32,
    /// There were errors before the analysis began.
    is_broken: bool,
    /// Somebody wants to know about implicit conversions of integers.
    judges_conversions: bool,
    /// Somebody wants to know about variables that are read too early.
    judges_values: bool,
    /// Somebody wants to know about cases that go on into the next.
    judges_cases: bool,
    /// Somebody wants to know about formats.
    judges_formats: bool,
}

impl<'a, 's> Sema<'a, 's> {
    fn new(unit: &'a Unit, cx: &'a mut Session<'s>) -> Sema<'a, 's> {
        Sema {
            unit,
            ast: &unit.ast,
            types: Types::new(),
            functions: Vec::new(),
            func_info: Vec::new(),
            globals: Vec::new(),
            global_info: Vec::new(),
            core_relocs: Vec::new(),
            core_ids: LookupMap::default(),
            index: FileIndex::new(unit, cx.names.len()),
            entities: LookupMap::default(),
            tags: LookupMap::default(),
            record_ids: LookupMap::default(),
            enum_ids: LookupMap::default(),
            record_defs: Vec::new(),
            enum_defs: Vec::new(),
            enum_values: Vec::new(),
            literals: LookupMap::default(),
            attr_kinds: LookupMap::default(),
            builtin_rows: LookupMap::default(),
            quiet_files: LookupMap::default(),
            work: VecDeque::new(),
            missing: BTreeSet::new(),
            ctx: Context { limit: u32::MAX, ..Context::default() },
            depth: 0,
            suggestions: 0,
            is_broken: cx.diags.is_broken(),
            judges_conversions: narrowing::CODES.iter().any(|code| cx.diags.may_say(code)),
            judges_values: uninit::CODES.iter().any(|code| cx.diags.may_say(code)),
            judges_cases: cx.diags.may_say(&codes::FALLTHROUGH),
            judges_formats: format::CODES.iter().any(|code| cx.diags.may_say(code)),
            cx,
        }
    }

    /// Runs `analysis` at file scope, where the first `limit` names are visible.
    fn at_file_scope<R>(&mut self, limit: u32, analysis: impl FnOnce(&mut Self) -> R) -> R {
        let context = Context { limit, ..Context::default() };
        let outer = std::mem::replace(&mut self.ctx, context);
        let result = analysis(self);
        self.ctx = outer;
        result
    }

    /// Runs `analysis` on an operand that is not evaluated: what it would add to the function and
    /// the module is taken back.
    fn unevaluated<R>(&mut self, analysis: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.ctx.unevaluated, true);
        let locals = self.ctx.function.as_ref().map(|f| f.body.locals.len());
        let result = analysis(self);
        if let (Some(f), Some(locals)) = (&mut self.ctx.function, locals) {
            f.body.locals.truncate(locals);
        }
        self.ctx.unevaluated = outer;
        result
    }

    /// Declares what the unit defines and what the user wrote.
    fn declare_unit(&mut self) {
        for &decl in &self.unit.decls {
            let quiet = self.is_quiet(self.ast.decl_span(decl).lo);
            match self.ast.decl(decl) {
                DeclKind::Error | DeclKind::Empty => {}
                DeclKind::Function { specs, declarator, .. } => {
                    let storage = self.ast.specs(specs).storage;
                    if !(quiet && storage.intersects(Storage::STATIC.with(Storage::INLINE))) {
                        self.declare_function_definition(decl, declarator);
                    }
                }
                DeclKind::Vars { specs, items } => {
                    if quiet {
                        self.declare_emitted_items(specs, items);
                    } else {
                        self.declare_items(specs, items);
                    }
                }
                DeclKind::StaticAssert { cond, message } => {
                    if !quiet {
                        self.static_assert(cond, message);
                    }
                }
                DeclKind::Asm(_) => {
                    if !quiet {
                        self.unsupported(self.ast.decl_span(decl), "assembly outside a function");
                    }
                }
            }
        }
    }

    /// Analyses what waits until nothing waits any more.
    fn finish_work(&mut self) {
        while let Some(work) = self.work.pop_front() {
            if self.cx.diags.at_limit() {
                return;
            }
            match work {
                Work::Body(func) => self.analyze_body(func),
                Work::Init(global) => self.analyze_global_init(global),
            }
        }
    }
}

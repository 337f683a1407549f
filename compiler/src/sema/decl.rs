//! Declarations of file scope: found by name, all redeclarations merged into one entity.
//!
//! In: the entries of `file_names` for one name. Out: its [`Binding`], and an entry in the module
//! for functions and variables. Definitions put their body or initialiser on the work list.

use skep_syntax::ast::{
    BinOp, DeclId, DeclKind, DeclaratorId, ExprId, ExprKind as Ast, InitId, ItemId, List, Named, Part,
    SpecsId, Storage, StrId,
};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{self, FuncId, GlobalId, Inline, Linkage};
use crate::types::{FunctionType, Quals, Type, TypeId, Typedef, TypedefId};

use super::attrs::Attrs;
use super::declarator::Declared;
use super::scope::Binding;
use super::{FuncInfo, GlobalInfo, MAX_DEPTH, Sema, Work};

/// One declaration of a function or variable.
pub struct Declaration {
    pub declared: Declared,
    pub storage: Storage,
    /// `asm("name")`.
    pub label: Option<StrId>,
    pub init: Option<InitId>,
    pub body: Option<DeclId>,
    /// Its index in `file_names`; what it sees ends there.
    pub at: u32,
}

impl Sema<'_, '_> {
    // ------------------------------------------------------------ looking up

    /// What a name stands for here.
    pub(super) fn lookup(&mut self, name: Symbol) -> Option<Binding> {
        match self.ctx.scopes.name(name) {
            Some(binding) => Some(binding),
            None => self.lookup_file(name),
        }
    }

    /// What a name stands for at file scope, as far as it is declared here already.
    fn lookup_file(&mut self, name: Symbol) -> Option<Binding> {
        let (binding, first) = self.entity(name)?;
        (first <= self.ctx.limit).then_some(binding)
    }

    /// The entity of file scope of this name, wherever it is declared.
    pub(super) fn entity(&mut self, name: Symbol) -> Option<(Binding, u32)> {
        if let Some(&known) = self.entities.get(&name) {
            return Some(known);
        }
        let entries = self.index.names(name);
        let &first = entries.first()?;
        if self.depth >= MAX_DEPTH {
            let message = format!("`{}` depends on too many other declarations", self.name(name));
            self.error(&codes::UNKNOWN_NAME, Span::NONE, message);
            return Some((Binding::Error, first));
        }
        self.depth += 1;
        let binding = self.declare_entries(name, &entries);
        self.depth -= 1;
        self.entities.insert(name, (binding, first));
        Some((binding, first))
    }

    fn declare_entries(&mut self, name: Symbol, entries: &[u32]) -> Binding {
        let unit = self.unit;
        let named = |at: u32| unit.file_names.get(at as usize).map(|entry| entry.what);
        let Some((&first, what)) = entries.first().and_then(|at| Some((at, named(*at)?))) else {
            return Binding::Error;
        };
        match what {
            Named::Typedef(..) => self.declare_typedef(name, entries),
            Named::Enumerator(spec, _) => {
                self.check_same_kind(name, entries);
                self.at_file_scope(first, |s| s.enum_constant(name, spec))
            }
            Named::Item(..) | Named::Function(_) => self.declare_object(name, entries),
        }
    }

    fn enum_constant(&mut self, name: Symbol, spec: skep_syntax::ast::EnumId) -> Binding {
        let ty = self.enum_spec(spec);
        let Type::Enum(e) = *self.types.get(ty) else { return Binding::Error };
        let found = self.types.enums[e.0 as usize].enumerators.iter().find(|&&(other, _)| other == name);
        match found {
            Some(&(_, value)) => Binding::Constant { value, ty: self.constant_type(e, value) },
            None => Binding::Error,
        }
    }

    /// Reports declarations of the name that are of another kind than the first.
    fn check_same_kind(&mut self, name: Symbol, entries: &[u32]) {
        let unit = self.unit;
        let kind = |what: Named| match what {
            Named::Typedef(..) => 0,
            Named::Item(..) | Named::Function(_) => 1,
            Named::Enumerator(..) => 2,
        };
        let named = |at: u32| unit.file_names.get(at as usize).map(|entry| entry.what);
        let Some(first) = entries.first().and_then(|&at| named(at)) else { return };
        for &at in entries.iter().skip(1) {
            let Some(what) = named(at) else { continue };
            // Enumerators exist once; repeating one is wrong whatever it is.
            if kind(what) == kind(first) && kind(what) != 2 {
                continue;
            }
            let same = kind(what) == kind(first);
            let text = self.name(name);
            let message = if same {
                format!("`{text}` is defined twice")
            } else {
                format!("`{text}` is declared again as a different kind of thing")
            };
            let diag = Diag::new(&codes::REDEFINED_NAME, self.named_span(what), message);
            let first = self.named_span(first);
            self.report(diag.with_label(first, "first here"));
        }
    }

    fn named_span(&self, what: Named) -> Span {
        match what {
            Named::Typedef(_, item) | Named::Item(_, item) => {
                self.declarator_span(self.ast.item(item).declarator)
            }
            Named::Function(decl) => match self.ast.decl(decl) {
                DeclKind::Function { declarator, .. } => self.declarator_span(declarator),
                DeclKind::Error
                | DeclKind::Empty
                | DeclKind::Vars { .. }
                | DeclKind::StaticAssert { .. }
                | DeclKind::Asm(_) => self.ast.decl_span(decl),
            },
            Named::Enumerator(_, enumerator) => self.ast.enumerator(enumerator).name.span(),
        }
    }

    fn declarator_span(&self, id: DeclaratorId) -> Span {
        match self.ast.declarator(id).name {
            Some(name) => name.span(),
            None => self.ast.declarator_span(id),
        }
    }

    // ------------------------------------------------------------ typedefs

    fn declare_typedef(&mut self, name: Symbol, entries: &[u32]) -> Binding {
        self.check_same_kind(name, entries);
        let unit = self.unit;
        let mut result: Option<TypeId> = None;
        for &at in entries {
            let Some(Named::Typedef(decl, item)) = unit.file_names.get(at as usize).map(|e| e.what) else {
                continue;
            };
            let DeclKind::Vars { specs, .. } = self.ast.decl(decl) else { continue };
            let declared = self.at_file_scope(at, |s| {
                // The name is not visible in its own declaration.
                s.entities.insert(name, (Binding::Error, u32::MAX));
                let specified = s.specified(specs);
                s.declared(&specified, s.ast.item(item).declarator)
            });
            match result {
                None => {
                    let ty = self.new_typedef(name, declared);
                    result = Some(ty);
                }
                Some(first) => self.check_typedef_again(name, first, &declared),
            }
        }
        result.map_or(Binding::Error, Binding::Typedef)
    }

    /// Makes a typedef name.
    pub(super) fn new_typedef(&mut self, name: Symbol, declared: Declared) -> TypeId {
        let id = TypedefId(self.types.typedefs.len() as u32);
        self.types.typedefs.push(Typedef {
            name,
            target: declared.ty,
            align: declared.attrs.aligned,
            decl_tags: declared.attrs.decl_tags,
            span: declared.span,
        });
        self.types.intern(Type::Typedef(id))
    }

    fn check_typedef_again(&mut self, name: Symbol, first: TypeId, again: &Declared) {
        let compatible = self.is_error(again.ty) || self.same_type(first, again.ty);
        if !compatible {
            let message = format!(
                "typedef `{}` is now {}, before it was {}",
                self.name(name),
                self.shown(again.ty),
                self.shown(self.typedef_target(first))
            );
            let first = self.typedef_span(first);
            self.report(Diag::new(&codes::CONFLICT, again.span, message).with_label(first, "first here"));
        }
    }

    fn typedef_target(&self, ty: TypeId) -> TypeId {
        match *self.types.get(ty) {
            Type::Typedef(id) => self.types.typedefs[id.0 as usize].target,
            _ => ty,
        }
    }

    fn typedef_span(&self, ty: TypeId) -> Span {
        match *self.types.get(ty) {
            Type::Typedef(id) => self.types.typedefs[id.0 as usize].span,
            _ => Span::NONE,
        }
    }

    // ------------------------------------------------------------ functions and variables

    fn declare_object(&mut self, name: Symbol, entries: &[u32]) -> Binding {
        self.check_same_kind(name, entries);
        let mut binding = None;
        for &at in entries {
            // While its own type is read the name means nothing.
            if binding.is_none() {
                self.entities.insert(name, (Binding::Error, u32::MAX));
            }
            let Some(declaration) = self.read_declaration(at) else { continue };
            binding = Some(self.add_declaration(name, binding, declaration));
            if let Some(binding) = binding {
                self.entities.insert(name, (binding, entries[0]));
            }
        }
        binding.unwrap_or(Binding::Error)
    }

    fn read_declaration(&mut self, at: u32) -> Option<Declaration> {
        let unit = self.unit;
        let (specs, declarator, item, body) = match unit.file_names.get(at as usize)?.what {
            Named::Item(decl, item) => match self.ast.decl(decl) {
                DeclKind::Vars { specs, .. } => (specs, self.ast.item(item).declarator, Some(item), None),
                _ => return None,
            },
            Named::Function(decl) => match self.ast.decl(decl) {
                DeclKind::Function { specs, declarator, .. } => (specs, declarator, None, Some(decl)),
                _ => return None,
            },
            Named::Typedef(..) | Named::Enumerator(..) => return None,
        };
        let item = item.map(|item| self.ast.item(item));
        let init = item.and_then(|item| item.init);
        let declared = self.at_file_scope(at, |s| {
            let mut specified = s.specified(specs);
            if specified.auto {
                specified.ty = s.auto_type(init, s.ast.specs_span(specs));
            }
            s.declared(&specified, declarator)
        });
        let storage = self.ast.specs(specs).storage;
        if storage.has(Storage::THREAD) {
            self.unsupported(declared.span, "a variable per thread");
        }
        let label = item.and_then(|item| item.asm_label);
        Some(Declaration { declared, storage, label, init, body, at })
    }

    /// Enters a declaration: a new entity, or one more declaration of `known`.
    pub(super) fn add_declaration(
        &mut self,
        name: Symbol,
        known: Option<Binding>,
        declaration: Declaration,
    ) -> Binding {
        let is_function = matches!(self.types.shape(declaration.declared.ty), Type::Function(_));
        match known {
            None if is_function => Binding::Func(self.new_function(name, declaration)),
            None => Binding::Global(self.new_global(name, declaration)),
            Some(Binding::Func(func)) if is_function => {
                self.redeclare_function(func, declaration);
                Binding::Func(func)
            }
            Some(Binding::Global(global)) if !is_function => {
                self.redeclare_global(global, declaration);
                Binding::Global(global)
            }
            Some(other) => {
                let message = format!("`{}` is declared again as a different kind of thing", self.name(name));
                let first = match other {
                    Binding::Func(id) => self.functions[id.index()].span,
                    Binding::Global(id) => self.globals[id.index()].span,
                    Binding::Typedef(_) | Binding::Local(_) | Binding::Constant { .. } | Binding::Error => {
                        Span::NONE
                    }
                };
                let diag = Diag::new(&codes::CONFLICT, declaration.declared.span, message);
                self.report(diag.with_label(first, "first here"));
                other
            }
        }
    }

    fn new_function(&mut self, name: Symbol, declaration: Declaration) -> FuncId {
        let id = FuncId(self.functions.len() as u32);
        let Declared { ty, attrs, span, .. } = declaration.declared;
        let ty = self.types.canonical(ty);
        let name = declaration.label.map_or(name, |label| {
            let bytes = self.ast.string_bytes(label);
            self.cx.names.intern(bytes)
        });
        self.functions.push(hir::Function {
            name,
            ty,
            linkage: Linkage::Extern,
            hidden: false,
            section: None,
            inline: Inline::Auto,
            naked: false,
            used: false,
            noreturn: false,
            error: None,
            decl_tags: Vec::new(),
            param_tags: Vec::new(),
            span,
            order: u32::MAX,
            body: None,
        });
        self.func_info.push(FuncInfo::default());
        self.update_function(id, &attrs, declaration.storage);
        self.define_function(id, declaration.body, declaration.at, span);
        id
    }

    fn redeclare_function(&mut self, id: FuncId, declaration: Declaration) {
        let Declared { ty, attrs, span, .. } = declaration.declared;
        let ty = self.types.canonical(ty);
        let (known, first) = {
            let function = &self.functions[id.index()];
            (function.ty, function.span)
        };
        if self.compatible(known, ty) {
            let merged = if declaration.body.is_some() { ty } else { self.composite(known, ty) };
            self.functions[id.index()].ty = merged;
        } else if !self.is_error(ty) {
            self.conflict(span, ty, known, first);
        }
        if declaration.body.is_some() {
            self.functions[id.index()].span = span;
        }
        self.update_function(id, &attrs, declaration.storage);
        self.define_function(id, declaration.body, declaration.at, span);
    }

    fn conflict(&mut self, span: Span, ty: TypeId, known: TypeId, first: Span) {
        let message = format!("declared here as {}, but before as {}", self.shown(ty), self.shown(known));
        self.report(Diag::new(&codes::CONFLICT, span, message).with_label(first, "first here"));
    }

    fn update_function(&mut self, id: FuncId, attrs: &Attrs, storage: Storage) {
        let function = &mut self.functions[id.index()];
        let is_static = storage.has(Storage::STATIC) || function.linkage == Linkage::Static;
        function.linkage = match function.linkage {
            _ if is_static => Linkage::Static,
            Linkage::Extern if attrs.weak => Linkage::ExternWeak,
            Linkage::Global if attrs.weak => Linkage::Weak,
            other => other,
        };
        function.hidden |= attrs.hidden;
        function.section = attrs.section.or(function.section);
        if attrs.inline != Inline::Auto {
            function.inline = attrs.inline;
        } else if storage.has(Storage::INLINE) && function.inline == Inline::Auto {
            function.inline = Inline::Hint;
        }
        function.naked |= attrs.naked;
        function.used |= attrs.used;
        let info = &mut self.func_info[id.index()];
        info.excused |= attrs.unused;
        info.wants_use |= attrs.wants_use;
        let function = &mut self.functions[id.index()];
        function.noreturn |= attrs.noreturn || storage.has(Storage::NORETURN);
        function.error = attrs.error.or(function.error);
        for &tag in &attrs.decl_tags {
            if !function.decl_tags.contains(&tag) {
                function.decl_tags.push(tag);
            }
        }
        // An inline definition without `extern` gives no symbol to others: it is ours alone.
        if storage.has(Storage::INLINE) && (attrs.gnu_inline || !storage.has(Storage::EXTERN)) {
            function.linkage = match function.linkage {
                Linkage::Extern | Linkage::Global => Linkage::Static,
                other @ (Linkage::Static | Linkage::Weak | Linkage::ExternWeak) => other,
            };
        }
    }

    fn define_function(&mut self, id: FuncId, body: Option<DeclId>, at: u32, span: Span) {
        let Some(body) = body else { return };
        if let Some((_, _)) = self.func_info[id.index()].definition {
            let function = &self.functions[id.index()];
            let message = format!("`{}` is defined twice", self.name(function.name));
            self.error(&codes::REDEFINED_NAME, span, message);
            return;
        }
        self.func_info[id.index()].definition = Some((body, at));
        let function = &mut self.functions[id.index()];
        function.order = at;
        function.linkage = match function.linkage {
            Linkage::Extern => Linkage::Global,
            Linkage::ExternWeak => Linkage::Weak,
            other @ (Linkage::Static | Linkage::Global | Linkage::Weak) => other,
        };
    }

    /// Puts the body of a function that is referred to on the work list.
    pub(super) fn queue_function(&mut self, id: FuncId) {
        let Some(info) = self.func_info.get_mut(id.index()) else { return };
        if info.definition.is_some() && !info.queued && !self.ctx.unevaluated {
            info.queued = true;
            self.work.push_back(Work::Body(id));
        }
    }

    fn new_global(&mut self, name: Symbol, declaration: Declaration) -> GlobalId {
        let text = declaration.label.map_or_else(
            || self.name(name).to_owned(),
            |label| String::from_utf8_lossy(self.ast.string_bytes(label)).into_owned(),
        );
        let is_static = declaration.storage.has(Storage::STATIC);
        let linkage = if is_static { Linkage::Static } else { Linkage::Extern };
        let id =
            self.push_global(text, Some(name), declaration.declared.ty, linkage, declaration.declared.span);
        // The initialiser may name the variable.
        let first = self.index.names(name).first().copied().unwrap_or(0);
        self.entities.insert(name, (Binding::Global(id), first));
        self.update_global(id, &declaration);
        id
    }

    /// Adds a variable with static storage.
    pub(super) fn push_global(
        &mut self,
        name: String,
        source_name: Option<Symbol>,
        ty: TypeId,
        linkage: Linkage,
        span: Span,
    ) -> GlobalId {
        let id = GlobalId(self.globals.len() as u32);
        let quals = self.object_quals(ty);
        let align = self.layout_of(ty).map_or(1, |layout| layout.align);
        self.globals.push(hir::Global {
            name,
            source_name,
            ty,
            align,
            linkage,
            hidden: false,
            section: None,
            used: false,
            literal: false,
            constant: quals.contains(Quals::CONST),
            volatile: quals.contains(Quals::VOLATILE),
            init: None,
            decl_tags: Vec::new(),
            span,
            order: u32::MAX,
        });
        self.global_info.push(GlobalInfo::default());
        id
    }

    /// The qualifiers of an object, those of its elements if it is an array.
    pub(super) fn object_quals(&self, ty: TypeId) -> Quals {
        let mut quals = self.types.quals(ty);
        let mut at = ty;
        while let Type::Array { elem, .. } = *self.types.shape(at) {
            quals = quals.union(self.types.quals(elem));
            at = elem;
        }
        quals
    }

    fn redeclare_global(&mut self, id: GlobalId, declaration: Declaration) {
        let (known, first) = {
            let global = &self.globals[id.index()];
            (global.ty, global.span)
        };
        let ty = declaration.declared.ty;
        if self.compatible(known, ty) {
            self.globals[id.index()].ty = self.composite(known, ty);
        } else if !self.is_error(ty) {
            self.conflict(declaration.declared.span, ty, known, first);
        }
        self.update_global(id, &declaration);
    }

    /// Adds what one declaration says to a variable.
    pub(super) fn update_global(&mut self, id: GlobalId, declaration: &Declaration) {
        let attrs = &declaration.declared.attrs;
        let span = declaration.declared.span;
        let defines = declaration.init.is_some() || !declaration.storage.has(Storage::EXTERN);
        let twice = declaration.init.is_some()
            && (self.global_info[id.index()].init.is_some() || self.globals[id.index()].init.is_some());
        self.excuse_global(id, attrs);
        let global = &mut self.globals[id.index()];
        global.hidden |= attrs.hidden;
        global.used |= attrs.used;
        global.section = attrs.section.or(global.section);
        global.decl_tags.extend(attrs.decl_tags.iter().copied());
        global.linkage = match global.linkage {
            Linkage::Static => Linkage::Static,
            Linkage::Extern | Linkage::ExternWeak if defines => Linkage::Global,
            other => other,
        };
        if attrs.weak {
            global.linkage = match global.linkage {
                Linkage::Global | Linkage::Weak => Linkage::Weak,
                Linkage::Extern | Linkage::ExternWeak => Linkage::ExternWeak,
                Linkage::Static => Linkage::Static,
            };
        }
        if defines {
            global.span = span;
            let first = global.order == u32::MAX;
            global.order = if first || declaration.init.is_some() { declaration.at } else { global.order };
        }
        if twice {
            let message = format!("`{}` is initialised twice", self.globals[id.index()].name);
            self.error(&codes::REDEFINED_NAME, span, message);
            return;
        }
        if let Some(init) = declaration.init {
            self.global_info[id.index()].init = Some((init, declaration.at));
            let open = matches!(self.types.shape(self.globals[id.index()].ty), Type::Array { len: None, .. });
            if open {
                // Its size may be asked for before its turn comes.
                self.analyze_global_init(id);
            }
            self.work.push_back(Work::Init(id));
        }
        self.finish_global(id, attrs.aligned, defines);
    }

    /// Checks the type of a defined variable and fixes its alignment.
    fn finish_global(&mut self, id: GlobalId, aligned: Option<u32>, defines: bool) {
        let (mut ty, span) = {
            let global = &self.globals[id.index()];
            (global.ty, global.span)
        };
        if defines && let Type::Array { elem, len: None } = *self.types.shape(ty) {
            let has_init =
                self.global_info[id.index()].init.is_some() || self.globals[id.index()].init.is_some();
            if !has_init && self.globals[id.index()].linkage != Linkage::Static {
                // A tentative definition has one element unless another declaration says more.
                let elem = self.with_wrappers_of(elem, ty);
                ty = self.types.intern(Type::Array { elem, len: Some(1) });
                self.globals[id.index()].ty = ty;
            }
        }
        let layout = self.layout_of(ty);
        if defines && layout.is_none() {
            match self.types.shape(ty) {
                Type::Void => self.error(&codes::INCOMPLETE, span, "a variable of type `void`"),
                _ => self.incomplete(span, ty, "the variable"),
            }
        }
        let quals = self.object_quals(ty);
        let global = &mut self.globals[id.index()];
        global.align = global.align.max(layout.map_or(1, |layout| layout.align)).max(aligned.unwrap_or(1));
        global.constant = quals.contains(Quals::CONST);
        global.volatile = quals.contains(Quals::VOLATILE);
    }

    // ------------------------------------------------------------ the unit

    /// Declares a function that is defined in the unit and queues its body.
    pub(super) fn declare_function_definition(&mut self, decl: DeclId, declarator: DeclaratorId) {
        let Some(name) = self.ast.declarator(declarator).name else { return };
        match self.entity(name.sym) {
            Some((Binding::Func(func), _)) => self.queue_function(func),
            // What the name is instead has been reported.
            Some((Binding::Error | Binding::Typedef(_) | Binding::Constant { .. }, _)) => {}
            Some((Binding::Global(id), _)) if self.globals[id.index()].span != name.span() => {}
            Some((Binding::Global(_) | Binding::Local(_), _)) | None => {
                let message = format!("`{}` has a body but is not a function", self.name(name.sym));
                self.error(&codes::CONFLICT, self.ast.decl_span(decl), message);
            }
        }
    }

    /// Declares everything that a declaration of the user declares.
    pub(super) fn declare_items(&mut self, specs: SpecsId, items: List<ItemId>) {
        if items.is_empty() {
            let specified = self.at_file_scope(u32::MAX, |s| s.specified(specs));
            self.complete(specified.ty);
            return;
        }
        for item in self.ast.list(items) {
            if let Some(name) = self.ast.declarator(self.ast.item(item).declarator).name
                && let Some((Binding::Typedef(ty), _)) = self.entity(name.sym)
            {
                self.complete(ty);
            }
        }
    }

    /// Declares those items of a header's declaration that give the object a symbol.
    pub(super) fn declare_emitted_items(&mut self, specs: SpecsId, items: List<ItemId>) {
        let storage = self.ast.specs(specs).storage;
        if storage.intersects(Storage::EXTERN.with(Storage::TYPEDEF).with(Storage::STATIC)) {
            return;
        }
        for item in self.ast.list(items) {
            let declarator = self.ast.declarator(self.ast.item(item).declarator);
            let first = self.ast.list(declarator.parts).next().map(|part| self.ast.part(part));
            if let (Some(name), false) = (declarator.name, matches!(first, Some(Part::Function { .. }))) {
                self.entity(name.sym);
            }
        }
    }

    /// `_Static_assert`.
    pub(super) fn static_assert(&mut self, cond: ExprId, message: Option<StrId>) {
        let Some(value) = self.integer_constant(cond, "the condition of a static assertion") else { return };
        if value == 0 {
            let text = match message {
                Some(text) => {
                    format!(
                        "static assertion failed: {}",
                        String::from_utf8_lossy(self.ast.string_bytes(text))
                    )
                }
                None => "static assertion failed".into(),
            };
            let remark = self.compared_values(cond).unwrap_or_default();
            let diag = Diag::new(&codes::STATIC_ASSERT, self.ast.expr_span(cond), text);
            self.report(diag.with_remark(remark));
        }
    }

    /// What the two sides of a failed comparison are.
    fn compared_values(&mut self, cond: ExprId) -> Option<String> {
        let mut id = cond;
        while let Ast::Paren(inner) = self.ast.expr(id) {
            id = inner;
        }
        let Ast::Binary { op, lhs, rhs, .. } = self.ast.expr(id) else { return None };
        if !matches!(op, BinOp::Eq | BinOp::Ne | BinOp::Lt | BinOp::Le | BinOp::Gt | BinOp::Ge) {
            return None;
        }
        let (left, right) = self.unevaluated(|s| (s.rvalue(lhs), s.rvalue(rhs)));
        let (left, right) = (self.required_int(&left)?, self.required_int(&right)?);
        Some(format!("this is {left} {} {right}", op.text()))
    }

    /// The function type of a function.
    pub(super) fn function_type(&self, ty: TypeId) -> Option<FunctionType> {
        match self.types.shape(ty) {
            Type::Function(function) => Some(function.clone()),
            _ => None,
        }
    }
}

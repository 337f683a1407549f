//! Declarations inside functions, compound literals, and how initialised locals get their contents.
//!
//! An aggregate is filled with its constant part, then its other elements are assigned. Where
//! every element of a small one is given there is no fill: padding stays indeterminate, as in
//! what clang makes of it.

use skep_syntax::ast::{DeclId, DeclKind, InitId, Item, ItemId, List, SpecsId, Storage, StrId, TypeNameId};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::{Expr, ExprKind, Init, Linkage, LocalId, Place, PlaceKind, Stmt, StmtKind};
use crate::types::{Quals, Type, TypeId};

use super::Sema;
use super::access::{Lvalue, Operand};
use super::convert::Use;
use super::decl::Declaration;
use super::declarator::Declared;
use super::init::{Built, Leaf, LeafValue};
use super::scope::Binding;
use super::specifiers::{NO_TYPE, Specified};

/// Up to this many elements are assigned one by one when all are given.
const FEW: usize = 8;

impl Sema<'_, '_> {
    /// A declaration in a block.
    pub(super) fn local_decl(&mut self, id: DeclId, out: &mut Vec<Stmt>) {
        match self.ast.decl(id) {
            DeclKind::Vars { specs, items } => self.local_vars(specs, items, out),
            DeclKind::StaticAssert { cond, message } => self.static_assert(cond, message),
            DeclKind::Function { .. } => {
                self.unsupported(self.ast.decl_span(id), "a function inside a function");
            }
            DeclKind::Error | DeclKind::Empty | DeclKind::Asm(_) => {}
        }
    }

    fn local_vars(&mut self, specs: SpecsId, items: List<ItemId>, out: &mut Vec<Stmt>) {
        if items.is_empty() {
            self.forward_tag(self.ast.specs(specs).ty);
        }
        let specified = self.specified(specs);
        for item in self.ast.list(items) {
            let item = self.ast.item(item);
            if specified.auto {
                self.auto_local(&specified, item, out);
                continue;
            }
            let declared = self.declared(&specified, item.declarator);
            let Some(ident) = declared.ident else { continue };
            self.check_rebinding(ident.sym, &declared, specified.storage);
            if !specified.storage.intersects(Storage::TYPEDEF.with(Storage::EXTERN))
                && self.ctx.scopes.name_here(ident.sym).is_none()
            {
                self.check_shadow(ident.sym, declared.span);
            }
            let is_function = matches!(self.types.shape(declared.ty), Type::Function(_));
            if specified.storage.has(Storage::TYPEDEF) {
                let ty = self.new_typedef(ident.sym, declared);
                self.ctx.scopes.bind(ident.sym, Binding::Typedef(ty));
            } else if is_function || specified.storage.has(Storage::EXTERN) {
                self.local_extern(ident.sym, declared, specified.storage, item);
            } else if specified.storage.has(Storage::STATIC) {
                self.static_local(ident.sym, declared, item);
            } else {
                self.auto_variable(ident.sym, declared, item, out);
            }
        }
    }

    fn check_rebinding(&mut self, name: Symbol, declared: &Declared, storage: Storage) {
        let Some(known) = self.ctx.scopes.name_here(name) else { return };
        let first = match known {
            Binding::Local(id) => {
                self.ctx.function.as_ref().and_then(|f| f.body.locals.get(id.index())).map(|local| local.span)
            }
            Binding::Global(id)
                if storage.has(Storage::EXTERN) && self.globals[id.index()].ty == declared.ty =>
            {
                return;
            }
            Binding::Global(id) => Some(self.globals[id.index()].span),
            Binding::Func(_) | Binding::Error => return,
            Binding::Typedef(ty) if storage.has(Storage::TYPEDEF) && self.same_type(ty, declared.ty) => {
                return;
            }
            Binding::Typedef(_) | Binding::Constant { .. } => None,
        };
        let message = format!("`{}` is declared twice in this scope", self.name(name));
        let mut diag = Diag::new(&codes::REDEFINED_NAME, declared.span, message);
        if let Some(first) = first {
            diag = diag.with_label(first, "first here");
        }
        self.report(diag);
    }

    /// `extern` or a prototype in a block: the entity of file scope.
    fn local_extern(&mut self, name: Symbol, declared: Declared, storage: Storage, item: Item) {
        if item.init.is_some() {
            let message = "an `extern` variable of a block has no initialiser";
            self.error(&codes::INITIALIZER, declared.span, message);
        }
        self.bind_extern(name, declared, storage, item.asm_label);
    }

    /// Makes a name of this block one of file scope.
    pub(super) fn bind_extern(
        &mut self,
        name: Symbol,
        declared: Declared,
        storage: Storage,
        label: Option<StrId>,
    ) -> Binding {
        let known = self.entity(name).map(|(binding, _)| binding);
        let storage = storage.with(Storage::EXTERN);
        let declaration = Declaration { declared, storage, label, init: None, body: None, at: u32::MAX };
        let first = self.index.names(name).first().copied().unwrap_or(u32::MAX);
        let binding = match known {
            Some(Binding::Func(_) | Binding::Global(_)) | None => {
                self.add_declaration(name, known, declaration)
            }
            Some(_) => self.add_declaration(name, None, declaration),
        };
        self.entities.entry(name).or_insert((binding, first));
        self.ctx.scopes.bind(name, binding);
        binding
    }

    fn static_local(&mut self, name: Symbol, declared: Declared, item: Item) {
        let function = self.ctx.function.as_ref().map(|f| self.functions[f.id.index()].name);
        let text = format!("{}.{}", function.map_or("", |name| self.name(name)), self.name(name));
        // Blocks may have statics of the same name; the object tells them apart by numbers.
        let taken =
            self.globals.iter().filter(|g| g.name == text || g.name.starts_with(&format!("{text}."))).count();
        let text = if taken == 0 { text } else { format!("{text}.{taken}") };
        let Declared { ty, attrs, span, .. } = declared;
        let id = self.push_global(text, Some(name), ty, Linkage::Static, span);
        self.excuse_global(id, &attrs);
        self.ctx.scopes.bind(name, Binding::Global(id));
        let global = &mut self.globals[id.index()];
        global.section = attrs.section;
        global.used = attrs.used;
        global.decl_tags = attrs.decl_tags;
        global.align = global.align.max(attrs.aligned.unwrap_or(1));
        if let Some(init) = item.init {
            let built = self.build_init(ty, init);
            self.set_global_init(id, built);
        }
        if self.layout_of(self.globals[id.index()].ty).is_none() {
            self.incomplete(span, ty, "the variable");
        }
    }

    fn auto_variable(&mut self, name: Symbol, declared: Declared, item: Item, out: &mut Vec<Stmt>) {
        let Declared { mut ty, attrs, span, .. } = declared;
        let open = matches!(self.types.shape(ty), Type::Array { len: None, .. }) && item.init.is_some();
        let mut layout = self.layout_of(ty);
        if layout.is_none() && !open {
            match self.types.shape(ty) {
                Type::Void => self.error(&codes::INCOMPLETE, span, "a variable of type `void`"),
                _ => self.incomplete(span, ty, "the variable"),
            }
            ty = TypeId::ERROR;
        }
        let align = layout.map_or(1, |layout| layout.align).max(attrs.aligned.unwrap_or(1));
        let Some(local) = self.push_local(Some(name), ty, align, span) else { return };
        self.ctx.scopes.bind(name, Binding::Local(local));
        self.starts_unused(local, &attrs);
        out.push(Stmt { kind: StmtKind::Declare(local), span });
        if item.init.is_none()
            && self.is_scalar(ty)
            && let Some(f) = &mut self.ctx.function
        {
            f.has_unset = true;
        }
        if let Some(init) = item.init {
            ty = self.init_local(local, ty, init, span, out);
            layout = self.layout_of(ty);
            if let Some(f) = &mut self.ctx.function
                && let Some(entry) = f.body.locals.get_mut(local.index())
            {
                entry.ty = ty;
                entry.align = entry.align.max(layout.map_or(1, |layout| layout.align));
            }
        }
        if let Some(function) = attrs.cleanup
            && let skep_syntax::ast::ExprKind::Name(function_name) = self.ast.expr(function)
        {
            self.add_cleanup(local, function_name, self.ast.expr_span(function));
        }
    }

    /// `__auto_type x = value;`
    fn auto_local(&mut self, specified: &Specified, item: Item, out: &mut Vec<Stmt>) {
        let Some(ident) = self.ast.declarator(item.declarator).name else { return };
        let Some(skep_syntax::ast::Init::Expr(expr)) = item.init.map(|init| self.ast.init(init)) else {
            self.error(
                &codes::SPECIFIERS,
                ident.span(),
                "`__auto_type` needs an initialiser that is an expression",
            );
            self.ctx.scopes.bind(ident.sym, Binding::Error);
            return;
        };
        let operand = self.operand(expr);
        if self.is_bit_field(&operand) {
            self.error(&codes::BIT_FIELD, self.ast.expr_span(expr), NO_TYPE);
        }
        let value = self.value(operand);
        if self.is_void(value.ty) {
            self.error(&codes::INCOMPLETE, value.span, "a variable of type `void`");
        }
        let quals = self.types.quals(specified.ty);
        let ty = self.types.qualified(value.ty, quals);
        let mut specified = specified.clone();
        specified.ty = ty;
        specified.auto = false;
        let declared = self.declared(&specified, item.declarator);
        self.check_rebinding(ident.sym, &declared, specified.storage);
        let align = self.layout_of(ty).map_or(1, |layout| layout.align);
        let Some(local) = self.push_local(Some(ident.sym), declared.ty, align, ident.span()) else { return };
        self.ctx.scopes.bind(ident.sym, Binding::Local(local));
        self.starts_unused(local, &declared.attrs);
        out.push(Stmt { kind: StmtKind::Declare(local), span: ident.span() });
        let place = self.local_place(local, ident.span());
        out.push(self.assign_stmt(place, value));
    }

    /// The type of a variable of file scope declared with `__auto_type`.
    pub(super) fn auto_type(&mut self, init: Option<InitId>, span: Span) -> TypeId {
        match init.map(|init| self.ast.init(init)) {
            Some(skep_syntax::ast::Init::Expr(expr)) => self.unevaluated(|s| s.rvalue(expr).ty),
            Some(skep_syntax::ast::Init::List(_)) | None => {
                self.error(
                    &codes::SPECIFIERS,
                    span,
                    "`__auto_type` needs an initialiser that is an expression",
                );
                TypeId::ERROR
            }
        }
    }

    // ------------------------------------------------------------ contents

    /// Gives a local its initial contents; yields its type, the size of an open array found out.
    fn init_local(
        &mut self,
        local: LocalId,
        ty: TypeId,
        init: InitId,
        span: Span,
        out: &mut Vec<Stmt>,
    ) -> TypeId {
        if let (skep_syntax::ast::Init::Expr(expr), false) = (self.ast.init(init), self.is_array(ty))
            && !matches!(self.ast.expr(expr), skep_syntax::ast::ExprKind::Compound { .. })
        {
            let value = self.rvalue(expr);
            let value = self.assigned(value, ty, Use::Init);
            if !self.is_error(ty) && !matches!(value.kind, ExprKind::Error) {
                self.remember_constant(local, ty, &value);
                let place = Place { kind: PlaceKind::Local(local), ty, span };
                out.push(self.assign_stmt(place, value));
            }
            return ty;
        }
        let built = self.build_init(ty, init);
        self.note_text(local, &built);
        let place = Place { kind: PlaceKind::Local(local), ty: built.ty, span };
        let ty = built.ty;
        self.fill(place, built, out);
        ty
    }

    /// Notes the value of a constant scalar.
    fn remember_constant(&mut self, local: LocalId, ty: TypeId, value: &Expr) {
        if self.types.quals(ty) == Quals::CONST
            && let Some(constant) = self.const_eval(value)
            && let Some(f) = &mut self.ctx.function
        {
            f.const_locals.insert(local, constant);
        }
    }

    fn assign_stmt(&mut self, place: Place, value: Expr) -> Stmt {
        let (ty, span) = (self.types.unqualified(place.ty), value.span);
        let kind = ExprKind::Assign { place, value: Box::new(value) };
        Stmt { kind: StmtKind::Expr(Expr { kind, ty, span }), span }
    }

    /// Gives an object its initial contents.
    fn fill(&mut self, place: Place, built: Built, out: &mut Vec<Stmt>) {
        let span = place.span;
        let all_values = built.leaves.iter().all(|leaf| matches!(leaf.value, LeafValue::Expr(_)));
        let scalar = self.is_scalar(built.ty);
        let constants: Vec<_> = built.leaves.iter().map(|leaf| self.leaf_constant(leaf)).collect();
        let all_constant = constants.iter().all(Option::is_some);
        let one_by_one = all_values
            && !built.partial
            && !built.leaves.is_empty()
            && built.leaves.len() <= FEW
            && (scalar || !all_constant);
        if !one_by_one {
            let known: Vec<_> = built
                .leaves
                .iter()
                .zip(&constants)
                .filter_map(|(leaf, value)| Some((leaf, (*value)?)))
                .collect();
            let init: Init = self.init_of(&known);
            out.push(Stmt { kind: StmtKind::Fill { place: place.clone(), init }, span });
        }
        for (leaf, constant) in built.leaves.into_iter().zip(constants) {
            if one_by_one || constant.is_none() {
                self.assign_leaf(&place, leaf, out);
            }
        }
    }

    fn assign_leaf(&mut self, object: &Place, leaf: Leaf, out: &mut Vec<Stmt>) {
        let LeafValue::Expr(value) = leaf.value else { return };
        if matches!(value.kind, ExprKind::Error) {
            return;
        }
        let span = leaf.span;
        // An object is initialised whatever its qualifiers are.
        let ty = self.types.unqualified(leaf.ty);
        let at_start = leaf.offset == 0;
        let kind = match leaf.bits {
            None if at_start && self.types.canonical(object.ty) == self.types.canonical(ty) => {
                object.kind.clone()
            }
            None => PlaceKind::Field { base: Box::new(object.clone()), offset: leaf.offset },
            Some(slot) => {
                let unit = self.layout_of(leaf.ty).map_or(1, |layout| layout.size as u32);
                let bit_offset = leaf.offset * 8 + slot.first;
                PlaceKind::BitField { base: Box::new(object.clone()), bit_offset, width: slot.width, unit }
            }
        };
        out.push(self.assign_stmt(Place { kind, ty, span }, value));
    }

    /// `(type) { ... }`: a temporary of the function, or a variable of file scope without name.
    pub(super) fn compound_literal(&mut self, name: TypeNameId, init: InitId, span: Span) -> Operand {
        let ty = self.type_name_type(name);
        if self.is_error(ty) {
            return Operand::Value(self.error_expr(span));
        }
        let open = matches!(self.types.shape(ty), Type::Array { len: None, .. });
        if self.layout_of(ty).is_none() && !open {
            self.incomplete(span, ty, "the compound literal");
            return Operand::Value(self.error_expr(span));
        }
        let built = self.build_init(ty, init);
        let ty = built.ty;
        if self.ctx.function.is_none() {
            let name = format!(".compoundliteral.{}", self.globals.len());
            let id = self.push_global(name, None, ty, Linkage::Static, span);
            self.set_global_init(id, built);
            return Operand::Place(Lvalue::plain(PlaceKind::Global(id), ty, span));
        }
        let align = self.layout_of(ty).map_or(1, |layout| layout.align);
        let Some(local) = self.push_local(None, ty, align, span) else {
            return Operand::Value(self.error_expr(span));
        };
        let place = Place { kind: PlaceKind::Local(local), ty, span };
        let mut stmts = Vec::new();
        self.fill(place.clone(), built, &mut stmts);
        let address = self.address_of(place);
        let pointer_ty = address.ty;
        let kind = ExprKind::StmtExpr(stmts, Some(Box::new(address)));
        let pointer = Expr { kind, ty: pointer_ty, span };
        Operand::Place(Lvalue::plain(PlaceKind::Deref(Box::new(pointer)), ty, span))
    }
}

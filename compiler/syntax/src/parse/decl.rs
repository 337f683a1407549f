//! Actions for declarations: declarators, records, enumerations, functions.
//!
//! In and out as in `build.rs`. Declarators are flattened here: pointers, which are read first, move
//! behind the suffixes of what they point to.

use super::build::{Build, Dr, Head, Seq, Sp, Tail, Vars};
use crate::ast::*;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::source::{Loc, Span};

impl Build<'_> {
    // ------------------------------------------------------------ the file

    pub fn file_decl(&mut self, d: DeclId) {
        self.unit.decls.push(d);
        let DeclKind::Vars { specs, items } = self.unit.ast.decl(d) else { return };
        let typedef = self.unit.ast.specs(specs).storage.has(Storage::TYPEDEF);
        for n in 0..items.len() {
            let Some(item) = self.unit.ast.list(items).nth(n) else { break };
            let declarator = self.unit.ast.declarator(self.unit.ast.item(item).declarator);
            let Some(name) = declarator.name else { continue };
            let what = if typedef { Named::Typedef(d, item) } else { Named::Item(d, item) };
            // The mark of the file is 0: such a name is never forgotten.
            self.note_name(0, name.sym, what);
        }
    }

    pub fn file_function(&mut self, d: DeclId) {
        self.unit.decls.push(d);
        if let DeclKind::Function { declarator, .. } = self.unit.ast.decl(d)
            && let Some(name) = self.unit.ast.declarator(declarator).name
        {
            self.note_name(0, name.sym, Named::Function(d));
        }
    }

    pub fn file_other(&mut self, d: DeclId) {
        self.unit.decls.push(d);
    }

    pub fn file_asm(&mut self, l: u32, r: u32, s: StrId) {
        let d = self.unit.ast.push_decl(self.span(l, r), DeclKind::Asm(s));
        self.unit.decls.push(d);
    }

    pub fn file_empty(&mut self, l: u32, r: u32) {
        let d = self.empty_decl(l, r);
        self.unit.decls.push(d);
    }

    pub fn file_bare_specs(&mut self, l: u32, r: u32, s: Sp) {
        self.list::<AttrId>(s.attrs);
        let message = "this declares nothing: it has neither a type nor a name";
        self.report(Diag::new(&codes::EMPTY_DECL, self.span(l, r), message));
        let d = self.unit.ast.push_decl(self.span(l, r), DeclKind::Error);
        self.unit.decls.push(d);
    }

    pub fn empty_decl(&mut self, l: u32, r: u32) -> DeclId {
        self.unit.ast.push_decl(self.span(l, r), DeclKind::Empty)
    }

    pub fn static_assert(&mut self, l: u32, r: u32, cond: ExprId, message: Option<StrId>) -> DeclId {
        let height = 1 + self.expr_heights.get(cond);
        let d = self.unit.ast.push_decl(self.span(l, r), DeclKind::StaticAssert { cond, message });
        self.decl_heights.set(d, height);
        d
    }

    // ------------------------------------------------------------ functions

    pub fn function_head(&mut self, r: u32, h: Head) -> Head {
        let ast = &self.unit.ast;
        let first = ast.list(ast.declarator(h.declarator).parts).next();
        if let Some(Part::Function { params, .. }) = first.map(|p| ast.part(p)) {
            for n in 0..params.len() {
                let ast = &self.unit.ast;
                let Some(param) = ast.list(params).nth(n) else { break };
                if let Some(name) = ast.declarator(ast.param(param).declarator).name {
                    self.declare(r + 1, name.sym, false);
                }
            }
        }
        h
    }

    pub fn function(&mut self, l: u32, r: u32, h: Head, body: StmtId) -> DeclId {
        if h.items.len != 0 {
            let span = self.unit.ast.declarator_span(h.declarator);
            let message = "a function body cannot follow a list of declarators";
            self.report(Diag::new(&codes::SYNTAX, span, message));
        }
        self.list::<ItemId>(h.items);
        let height = 1 + self
            .stmt_heights
            .get(body)
            .max(self.specs_heights.get(h.specs))
            .max(self.declarator_heights.get(h.declarator));
        let kind = DeclKind::Function { specs: h.specs, declarator: h.declarator, body };
        let d = self.unit.ast.push_decl(self.span(l, r), kind);
        self.decl_heights.set(d, height);
        d
    }

    // ------------------------------------------------------------ declarations

    pub fn bare_decl(&mut self, l: u32, r: u32, specs: SpecsId) -> DeclId {
        let items = self.seq();
        self.decl(l, r, Vars { specs, items })
    }

    pub fn decl(&mut self, l: u32, r: u32, v: Vars) -> DeclId {
        let items = self.list(v.items);
        let mut height = self.specs_heights.get(v.specs);
        for item in self.unit.ast.list(items) {
            let item = self.unit.ast.item(item);
            height = height
                .max(self.declarator_heights.get(item.declarator))
                .max(item.init.map_or(0, |i| self.init_heights.get(i)))
                .max(item.bits.map_or(0, |e| self.expr_heights.get(e)));
        }
        let d = self.unit.ast.push_decl(self.span(l, r), DeclKind::Vars { specs: v.specs, items });
        self.decl_heights.set(d, if height == 0 { 0 } else { height + 1 });
        d
    }

    pub fn first_head(&mut self, l: u32, r: u32, specs: SpecsId, d: Dr, t: Tail) -> Head {
        let declarator = self.finish_declarator(l, r, d, t.attrs);
        let items = self.seq();
        self.declare_head(r, specs, d.name);
        Head { specs, declarator, asm_label: t.asm_label, items }
    }

    pub fn next_head(&mut self, l: u32, r: u32, v: Vars, a: Seq, mut d: Dr, t: Tail) -> Head {
        // The attributes in front of the declarator lie below its parts.
        let tail = self.list(t.attrs);
        d.attrs = self.concat(d.attrs, tail);
        let d = self.lower(a, d);
        let none = self.seq();
        let declarator = self.finish_declarator(l, r, d, none);
        self.declare_head(r, v.specs, d.name);
        Head { specs: v.specs, declarator, asm_label: t.asm_label, items: v.items }
    }

    fn declare_head(&mut self, r: u32, specs: SpecsId, name: Symbol) {
        let typedef = self.unit.ast.specs(specs).storage.has(Storage::TYPEDEF);
        self.declare(r, name, typedef);
    }

    pub fn item(&mut self, r: u32, h: Head, init: Option<InitId>) -> Vars {
        let lo = self.unit.ast.declarator_span(h.declarator).lo;
        let hi = self.cx.loc(r.saturating_sub(1));
        let item = Item { declarator: h.declarator, asm_label: h.asm_label, bits: None, init };
        let item = self.unit.ast.push_item(Span::new(lo, hi), item);
        Vars { specs: h.specs, items: self.push(h.items, item) }
    }

    // ------------------------------------------------------------ fields

    pub fn field(&mut self, l: u32, r: u32, d: Dr, a: Seq) -> ItemId {
        let declarator = self.finish_declarator(l, r, d, a);
        let item = Item { declarator, asm_label: None, bits: None, init: None };
        self.unit.ast.push_item(self.span(l, r), item)
    }

    pub fn bit_field(&mut self, l: u32, r: u32, d: Option<(Dr, Seq)>, bits: ExprId, c: Seq) -> ItemId {
        let after = self.list(c);
        let (mut d, a) = match d {
            Some((d, a)) => (d, a),
            None => (self.unnamed(), self.seq()),
        };
        let before = self.list(a);
        let attrs = self.concat(before, after);
        d.attrs = self.concat(d.attrs, attrs);
        let none = self.seq();
        let declarator = self.finish_declarator(l, r, d, none);
        let item = Item { declarator, asm_label: None, bits: Some(bits), init: None };
        self.unit.ast.push_item(self.span(l, r), item)
    }

    pub fn first_field(&mut self, specs: SpecsId, item: ItemId) -> Vars {
        Vars { specs, items: self.one(item) }
    }

    pub fn next_field(&mut self, v: Vars, a: Seq, item: ItemId) -> Vars {
        // Attributes in front of a field name belong to the field.
        let attrs = self.list(a);
        if !attrs.is_empty() {
            let id = self.unit.ast.item(item).declarator;
            let old = self.unit.ast.declarator(id).attrs;
            let all = self.concat(attrs, old);
            self.unit.ast.set_declarator_attrs(id, all);
        }
        Vars { specs: v.specs, items: self.push(v.items, item) }
    }

    // ------------------------------------------------------------ records and enumerations

    pub fn record_ref(&mut self, l: u32, r: u32, kind: RecordKind, a: Seq, tag: Symbol, at: u32) -> RecordId {
        let attrs = self.list(a);
        let tag = Ident { sym: tag, at: self.cx.loc(at) };
        let id = self.push_record(l, r, kind, Some(tag), None, attrs);
        self.note_tag(r, tag.sym, Tagged::Record(id), false);
        id
    }

    pub fn record(
        &mut self,
        l: u32,
        r: u32,
        kind: RecordKind,
        a: Seq,
        tag: Option<(Symbol, u32)>,
        body: Seq,
    ) -> RecordId {
        let members = self.list(body);
        let attrs = self.list(a);
        let mut height = 0;
        for member in self.unit.ast.list(members) {
            height = self.decl_heights.get(member).max(height);
        }
        let tag = tag.map(|(sym, at)| Ident { sym, at: self.cx.loc(at) });
        let id = self.push_record(l, r, kind, tag, Some(members), attrs);
        self.record_heights.set(id, if height == 0 { 0 } else { height + 1 });
        if let Some(tag) = tag {
            self.note_tag(r, tag.sym, Tagged::Record(id), true);
        }
        id
    }

    fn push_record(
        &mut self,
        l: u32,
        r: u32,
        kind: RecordKind,
        tag: Option<Ident>,
        members: Option<List<DeclId>>,
        attrs: List<AttrId>,
    ) -> RecordId {
        let (pack, preserve_access_index) = self.pragmas.at(l);
        let record = Record { kind, tag, members, attrs, pack, preserve_access_index };
        self.unit.ast.push_record(self.span(l, r), record)
    }

    pub fn enum_ref(
        &mut self,
        l: u32,
        r: u32,
        a: Seq,
        tag: Symbol,
        at: u32,
        fixed: Option<TypeNameId>,
    ) -> EnumId {
        let attrs = self.list(a);
        let tag = Ident { sym: tag, at: self.cx.loc(at) };
        let spec = EnumSpec { tag: Some(tag), fixed, enumerators: None, attrs };
        let id = self.unit.ast.push_enum(self.span(l, r), spec);
        self.note_tag(r, tag.sym, Tagged::Enum(id), false);
        id
    }

    pub fn enumeration(
        &mut self,
        l: u32,
        r: u32,
        a: Seq,
        tag: Option<(Symbol, u32)>,
        fixed: Option<TypeNameId>,
        body: Seq,
    ) -> EnumId {
        let enumerators = self.list(body);
        let attrs = self.list(a);
        let tag = tag.map(|(sym, at)| Ident { sym, at: self.cx.loc(at) });
        let spec = EnumSpec { tag, fixed, enumerators: Some(enumerators), attrs };
        let id = self.unit.ast.push_enum(self.span(l, r), spec);
        for n in 0..enumerators.len() {
            let Some(e) = self.unit.ast.list(enumerators).nth(n) else { break };
            let name = self.unit.ast.enumerator(e).name.sym;
            self.note_name(r, name, Named::Enumerator(id, e));
        }
        if let Some(tag) = tag {
            self.note_tag(r, tag.sym, Tagged::Enum(id), true);
        }
        id
    }

    pub fn enumerator(
        &mut self,
        l: u32,
        r: u32,
        name: Symbol,
        a: Seq,
        value: Option<ExprId>,
    ) -> EnumeratorId {
        let attrs = self.list(a);
        self.declare(r, name, false);
        let name = Ident { sym: name, at: self.cx.loc(l) };
        self.unit.ast.push_enumerator(self.span(l, r), Enumerator { name, value, attrs })
    }

    // ------------------------------------------------------------ declarators

    #[inline]
    pub fn declared(&mut self, l: u32, name: Symbol) -> Dr {
        Dr { name, at: self.cx.loc(l), parts: self.seq(), attrs: List::EMPTY }
    }

    pub fn unnamed(&mut self) -> Dr {
        Dr { name: Symbol::EMPTY, at: Loc::NONE, parts: self.seq(), attrs: List::EMPTY }
    }

    #[inline]
    pub fn suffixed(&mut self, d: Dr, part: PartId) -> Dr {
        Dr { parts: self.push(d.parts, part), ..d }
    }

    /// Puts the pointers, which were read before and lie below, behind the parts of the declarator.
    pub fn pointed(&mut self, p: Seq, d: Dr) -> Dr {
        let (start, end) = (p.start as usize, (d.parts.start + d.parts.len) as usize);
        let pointers = p.len as usize;
        // Leftovers of an abandoned construct may lie between the two.
        let d = Dr { parts: self.join(p, d.parts), ..d };
        let end = end.min(self.scratch.len());
        if let Some(all) = self.scratch.get_mut(start..end)
            && pointers <= all.len()
        {
            all[..pointers].reverse();
            all.rotate_left(pointers);
        }
        d
    }

    pub fn abstract_pointer(&mut self, p: Seq) -> Dr {
        let d = self.unnamed();
        self.pointed(p, d)
    }

    pub fn tail_attrs(&mut self, d: Dr, a: Seq) -> Dr {
        let attrs = self.list(a);
        Dr { attrs: self.concat(d.attrs, attrs), ..d }
    }

    /// Attributes between an opening parenthesis and the declarator.
    pub fn inner_attrs(&mut self, s: Sp, d: Dr) -> Dr {
        if !s.quals.is_empty() || !s.storage.is_empty() {
            let message = "only attributes may stand between `(` and a declarator";
            let span = Span::at(d.at);
            self.report(Diag::new(&codes::SYNTAX, span, message));
        }
        self.lower(s.attrs, d)
    }

    /// Takes the attributes `a`, which lie below the declarator's parts, into the declarator.
    fn lower(&mut self, a: Seq, d: Dr) -> Dr {
        let ids = self.scratch.get(a.start as usize..(a.start + a.len) as usize).unwrap_or(&[]);
        let attrs = self.unit.ast.push_list(ids);
        let parts = self.join(Seq { start: a.start, len: 0 }, d.parts);
        Dr { parts, attrs: self.concat(attrs, d.attrs), ..d }
    }

    fn finish_declarator(&mut self, l: u32, r: u32, d: Dr, a: Seq) -> DeclaratorId {
        let attrs = self.list(a);
        let attrs = self.concat(d.attrs, attrs);
        let parts = self.list(d.parts);
        let mut height = 0;
        for part in self.unit.ast.list(parts) {
            height = self.part_heights.get(part).max(height);
        }
        let name = (d.name != Symbol::EMPTY).then_some(Ident { sym: d.name, at: d.at });
        let id = self.unit.ast.push_declarator(self.span(l, r), Declarator { name, parts, attrs });
        self.declarator_heights.set(id, height);
        id
    }

    pub fn pointer(&mut self, l: u32, r: u32, s: Option<Sp>) -> PartId {
        let (quals, attrs) = match s {
            Some(s) => {
                if !s.storage.is_empty() {
                    let message = "a pointer has no storage class of its own";
                    self.report(Diag::new(&codes::STORAGE, self.span(l, r), message));
                }
                (s.quals, self.list(s.attrs))
            }
            None => (Quals::NONE, List::EMPTY),
        };
        self.unit.ast.push_part(self.span(l, r), Part::Pointer { quals, attrs })
    }

    pub fn array(&mut self, l: u32, r: u32, s: Option<Sp>, size: ArraySize) -> PartId {
        let (quals, is_static) = match s {
            Some(s) => {
                self.list::<AttrId>(s.attrs);
                (s.quals, s.storage.has(Storage::STATIC))
            }
            None => (Quals::NONE, false),
        };
        let height = match size {
            ArraySize::Expr(e) => 1 + self.expr_heights.get(e),
            ArraySize::None | ArraySize::Star => 0,
        };
        let id = self.unit.ast.push_part(self.span(l, r), Part::Array { size, quals, is_static });
        self.part_heights.set(id, height);
        id
    }

    pub fn no_params(&mut self, l: u32, r: u32) -> PartId {
        self.unit
            .ast
            .push_part(self.span(l, r), Part::Function { params: List::EMPTY, tail: ParamTail::Unknown })
    }

    pub fn params(&mut self, l: u32, r: u32, s: Seq, tail: ParamTail) -> PartId {
        self.restore(l);
        let mut params: List<ParamId> = self.list(s);
        if params.len() == 1 && tail == ParamTail::Fixed && self.is_void(params) {
            params = List::EMPTY;
        }
        let mut height = 0;
        for param in self.unit.ast.list(params) {
            let param = self.unit.ast.param(param);
            height = height
                .max(self.specs_heights.get(param.specs))
                .max(self.declarator_heights.get(param.declarator));
        }
        let id = self.unit.ast.push_part(self.span(l, r), Part::Function { params, tail });
        self.part_heights.set(id, if height == 0 { 0 } else { height + 1 });
        id
    }

    /// Whether the only parameter is a lone `void`.
    fn is_void(&self, params: List<ParamId>) -> bool {
        let ast = &self.unit.ast;
        let Some(param) = ast.list(params).next().map(|p| ast.param(p)) else { return false };
        let (specs, declarator) = (ast.specs(param.specs), ast.declarator(param.declarator));
        specs.ty == TypeSpec::Basic(Basic::Void)
            && specs.quals.is_empty()
            && specs.storage.is_empty()
            && declarator.name.is_none()
            && declarator.parts.is_empty()
    }

    pub fn param(&mut self, l: u32, r: u32, specs: SpecsId, d: Option<(u32, Dr)>) -> ParamId {
        let declarator = self.param_declarator(r, d);
        if let Some(name) = self.unit.ast.declarator(declarator).name {
            self.declare(r, name.sym, false);
        }
        self.unit.ast.push_param(self.span(l, r), Param { specs, declarator })
    }

    /// The declarator of a parameter or type name, which may be missing.
    fn param_declarator(&mut self, r: u32, d: Option<(u32, Dr)>) -> DeclaratorId {
        let (m, d) = match d {
            Some(d) => d,
            None => (r, self.unnamed()),
        };
        let none = self.seq();
        self.finish_declarator(m, r, d, none)
    }

    pub fn type_name(&mut self, l: u32, r: u32, specs: SpecsId, d: Option<(u32, Dr)>) -> TypeNameId {
        let declarator = self.param_declarator(r, d);
        let height = self.specs_heights.get(specs).max(self.declarator_heights.get(declarator));
        let id = self.unit.ast.push_type_name(self.span(l, r), TypeName { specs, declarator });
        self.type_heights.set(id, height);
        id
    }
}

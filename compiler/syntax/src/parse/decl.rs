//! Actions for declarations: specifiers, declarators, records, enumerations.
//!
//! In and out as in `build.rs`. Specifiers are digested here: words become one [`Basic`] type,
//! attributes behind a body move to the record, and what does not combine is reported.

use super::build::{Build, Dr, Head, Seq, Sp, SpItem, Tail, Vars};
use super::feed::{BUILTIN_TYPES, UNKNOWN};
use super::tok::{Tok, Word};
use crate::ast::*;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::source::{Loc, Span};
use lalrpop_util::ErrorRecovery;

type Recovery = ErrorRecovery<u32, Tok, ()>;

/// Storage classes of which there may be one.
const EXCLUSIVE: Storage = Storage(
    Storage::TYPEDEF.0 | Storage::EXTERN.0 | Storage::STATIC.0 | Storage::AUTO.0 | Storage::REGISTER.0,
);

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

    pub fn file_error(&mut self, l: u32, r: u32, e: Recovery) {
        let d = self.error_decl(l, r, e);
        self.unit.decls.push(d);
    }

    pub fn error_decl(&mut self, l: u32, r: u32, e: Recovery) -> DeclId {
        self.syntax_error(e);
        self.unit.ast.push_decl(self.span(l, r), DeclKind::Error)
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

    // ------------------------------------------------------------ specifiers

    fn sp(&mut self) -> Sp {
        Sp {
            attrs: self.seq(),
            ty: TypeSpec::None,
            words: 0,
            storage: Storage::NONE,
            quals: Quals::NONE,
            after_body: false,
        }
    }

    #[inline]
    pub fn sp_item(&mut self, s: Option<Sp>, item: SpItem) -> Sp {
        match (s, item) {
            (s, SpItem::Qual(q)) => {
                let s = s.unwrap_or_else(|| self.sp());
                Sp { quals: s.quals.with(q), after_body: false, ..s }
            }
            (s, SpItem::Storage(c)) => {
                let s = s.unwrap_or_else(|| self.sp());
                Sp { storage: s.storage.with(c), after_body: false, ..s }
            }
            (None, SpItem::Attrs(a)) => Sp {
                attrs: a,
                ty: TypeSpec::None,
                words: 0,
                storage: Storage::NONE,
                quals: Quals::NONE,
                after_body: false,
            },
            (Some(s), SpItem::Attrs(a)) => {
                if s.after_body {
                    self.body_attrs(s.ty, a);
                    return s;
                }
                Sp { attrs: self.join(s.attrs, a), ..s }
            }
        }
    }

    /// Attributes right after the closing brace belong to the type.
    fn body_attrs(&mut self, ty: TypeSpec, a: Seq) {
        let after = self.list(a);
        match ty {
            TypeSpec::Record(id) => {
                let all = self.concat(self.unit.ast.record(id).attrs, after);
                self.unit.ast.set_record_attrs(id, all);
            }
            TypeSpec::Enum(id) => {
                let all = self.concat(self.unit.ast.enum_spec(id).attrs, after);
                self.unit.ast.set_enum_attrs(id, all);
            }
            _ => {}
        }
    }

    #[inline]
    pub fn sp_type(&mut self, s: Option<Sp>, ty: TypeSpec) -> Sp {
        let s = s.unwrap_or_else(|| self.sp());
        let after_body = match ty {
            TypeSpec::Record(id) => self.unit.ast.record(id).members.is_some(),
            TypeSpec::Enum(id) => self.unit.ast.enum_spec(id).enumerators.is_some(),
            _ => false,
        };
        Sp { ty, after_body, ..s }
    }

    #[inline]
    pub fn sp_word(&mut self, s: Option<Sp>, w: Word) -> Sp {
        let s = s.unwrap_or_else(|| self.sp());
        let words = match (s.words & w.0 != 0, w) {
            (false, _) => s.words | w.0,
            (true, Word::LONG) if s.words & Word::LONG2.0 == 0 => s.words | Word::LONG2.0,
            (true, _) => s.words | TWICE,
        };
        Sp { words, after_body: false, ..s }
    }

    pub fn specs(&mut self, l: u32, r: u32, s: Sp) -> SpecsId {
        let attrs = self.list(s.attrs);
        let span = self.span(l, r);
        let mut ty = s.ty;
        if s.words != 0 {
            ty = match basic(s.words) {
                Some(basic) => TypeSpec::Basic(basic),
                None => {
                    self.bad_words(span, s.words);
                    TypeSpec::Error
                }
            };
        }
        if (s.storage.0 & EXCLUSIVE.0).count_ones() > 1 {
            self.bad_storage(span, s.storage);
        }
        let height = match ty {
            TypeSpec::TypeofExpr(e) | TypeSpec::TypeofUnqualExpr(e) => 1 + self.expr_heights.get(e),
            TypeSpec::TypeofType(t) | TypeSpec::TypeofUnqualType(t) | TypeSpec::Atomic(t) => {
                1 + self.type_heights.get(t)
            }
            TypeSpec::Record(id) => self.record_heights.get(id),
            TypeSpec::Error
            | TypeSpec::None
            | TypeSpec::Basic(_)
            | TypeSpec::Name(_)
            | TypeSpec::Enum(_)
            | TypeSpec::Auto => 0,
        };
        if self.is_too_deep(span, height) {
            return self
                .unit
                .ast
                .push_specs(span, Specs { ty: TypeSpec::Error, quals: s.quals, storage: s.storage, attrs });
        }
        let id = self.unit.ast.push_specs(span, Specs { ty, quals: s.quals, storage: s.storage, attrs });
        self.specs_heights.set(id, height);
        id
    }

    fn bad_words(&mut self, span: Span, words: u16) {
        let used: Vec<String> =
            Word::ALL.iter().filter(|(w, _)| words & w.0 != 0).map(|(_, text)| format!("`{text}`")).collect();
        let message = if words & TWICE != 0 && basic(words & !TWICE).is_some() {
            "a type word is repeated".to_string()
        } else {
            format!("these words do not make a type: {}", used.join(", "))
        };
        self.report(Diag::new(&codes::TYPE_WORDS, span, message));
    }

    fn bad_storage(&mut self, span: Span, storage: Storage) {
        let used: Vec<String> = Storage::ALL
            .iter()
            .filter(|(s, _)| EXCLUSIVE.has(*s) && storage.has(*s))
            .map(|(_, text)| format!("`{text}`"))
            .collect();
        let message = format!("{} exclude each other", used.join(" and "));
        self.report(Diag::new(&codes::STORAGE, span, message));
    }

    #[inline]
    pub fn type_name_spec(&mut self, name: Symbol) -> TypeSpec {
        if self.cx.class(name) & UNKNOWN != 0 {
            return TypeSpec::Error;
        }
        match self.cx.names.text(name) {
            text if text.starts_with(b"__") => {
                match BUILTIN_TYPES.iter().position(|b| b.as_bytes() == text) {
                    Some(0) => TypeSpec::Basic(Basic::VaList),
                    Some(1) => TypeSpec::Basic(Basic::Int128),
                    Some(2) => TypeSpec::Basic(Basic::UInt128),
                    _ => TypeSpec::Name(name),
                }
            }
            _ => TypeSpec::Name(name),
        }
    }

    // ------------------------------------------------------------ attributes

    pub fn attr(&mut self, l: u32, r: u32, name: Symbol, args: Seq) -> AttrId {
        let args = self.list(args);
        self.unit.ast.push_attr(self.span(l, r), Attr { name, args })
    }

    pub fn attr_arg(&mut self, l: u32, r: u32, arg: AttrArg) -> AttrArgId {
        self.unit.ast.push_attr_arg(self.span(l, r), arg)
    }

    /// A type as an argument; a lone typedef name is taken as the bare word it may well be.
    pub fn attr_type_arg(&mut self, l: u32, r: u32, ty: TypeNameId) -> AttrArgId {
        let ast = &self.unit.ast;
        let name = ast.type_name(ty);
        let specs = ast.specs(name.specs);
        if let TypeSpec::Name(sym) = specs.ty
            && r == l + 1
        {
            let word = self.expr(l, r, ExprKind::Name(sym));
            return self.attr_arg(l, r, AttrArg::Expr(word));
        }
        self.attr_arg(l, r, AttrArg::Type(ty))
    }

    pub fn alignas(&mut self, l: u32, r: u32, name: Symbol, arg: AttrArg) -> Seq {
        let arg = self.attr_arg(l, r, arg);
        let args = self.one(arg);
        let attr = self.attr(l, r, name, args);
        self.one(attr)
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

/// Marks that a word other than `long` came twice.
const TWICE: u16 = 1 << 15;

/// The type a set of words makes.
fn basic(words: u16) -> Option<Basic> {
    let sign = words & (Word::SIGNED.0 | Word::UNSIGNED.0);
    let unsigned = sign == Word::UNSIGNED.0;
    let rest = words & !sign;
    let either = |signed, other| if unsigned { other } else { signed };
    const INT: u16 = Word::INT.0;
    const CHAR: u16 = Word::CHAR.0;
    const SHORT: u16 = Word::SHORT.0;
    const SHORT_INT: u16 = SHORT | INT;
    const LONG: u16 = Word::LONG.0;
    const LONG_INT: u16 = LONG | INT;
    const LONG_LONG: u16 = LONG | Word::LONG2.0;
    const LONG_LONG_INT: u16 = LONG_LONG | INT;
    const INT128: u16 = Word::INT128.0;
    const LONG_DOUBLE: u16 = LONG | Word::DOUBLE.0;
    const VOID: u16 = Word::VOID.0;
    const BOOL: u16 = Word::BOOL.0;
    const FLOAT: u16 = Word::FLOAT.0;
    const DOUBLE: u16 = Word::DOUBLE.0;
    const FLOAT16: u16 = Word::FLOAT16.0;
    const FLOAT128: u16 = Word::FLOAT128.0;
    const COMPLEX: u16 = Word::COMPLEX.0;
    const COMPLEX_FLOAT: u16 = COMPLEX | FLOAT;
    const COMPLEX_DOUBLE: u16 = COMPLEX | DOUBLE;
    const COMPLEX_LONG_DOUBLE: u16 = COMPLEX | LONG_DOUBLE;
    if sign.count_ones() > 1 {
        return None;
    }
    let plain = match rest {
        0 | INT => return Some(either(Basic::Int, Basic::UInt)),
        CHAR if sign == 0 => return Some(Basic::Char),
        CHAR => return Some(either(Basic::SChar, Basic::UChar)),
        SHORT | SHORT_INT => return Some(either(Basic::Short, Basic::UShort)),
        LONG | LONG_INT => return Some(either(Basic::Long, Basic::ULong)),
        LONG_LONG | LONG_LONG_INT => return Some(either(Basic::LongLong, Basic::ULongLong)),
        INT128 => return Some(either(Basic::Int128, Basic::UInt128)),
        VOID => Basic::Void,
        BOOL => Basic::Bool,
        FLOAT => Basic::Float,
        DOUBLE => Basic::Double,
        LONG_DOUBLE => Basic::LongDouble,
        FLOAT16 => Basic::Float16,
        FLOAT128 => Basic::Float128,
        COMPLEX | COMPLEX_DOUBLE => Basic::ComplexDouble,
        COMPLEX_FLOAT => Basic::ComplexFloat,
        COMPLEX_LONG_DOUBLE => Basic::ComplexLongDouble,
        _ => return None,
    };
    (sign == 0).then_some(plain)
}

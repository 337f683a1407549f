//! Structs, unions and enums: declared when a specifier names them, completed when their size,
//! a member or a constant is needed.
//!
//! Invariant: a record is completed at most once; while it is, it counts as incomplete, so a
//! record that contains itself is an error and not an endless loop.

use std::collections::HashMap;

use skep_syntax::ast::{self, DeclKind, Ident, Item, Tagged, TypeSpec};
use skep_syntax::diag::{Diag, codes};
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::types::{
    Enum, EnumId, Field, IntKind, Layout, Record, RecordBody, RecordId, RecordKind, Type, TypeId,
};

use super::layout::{self, Member, Rules};
use super::scope::{Binding, Tag};
use super::specifiers::Specified;
use super::switches::EnumValues;
use super::{Definition, MAX_DEPTH, Sema};

/// A member while its record is being read.
struct Draft {
    field: Field,
    member: Member,
}

impl Sema<'_, '_> {
    // ------------------------------------------------------------ records: names

    /// The type of a `struct` or `union` specifier.
    pub(super) fn record_spec(&mut self, id: ast::RecordId) -> TypeId {
        if let Some(&record) = self.record_ids.get(&id) {
            return self.types.intern(Type::Record(record));
        }
        let node = self.ast.record(id);
        let record = match (node.tag, node.members.is_some()) {
            (None, _) => self.new_record(id, None),
            (Some(tag), true) if self.ctx.function.is_some() => self.define_local_record(id, tag),
            (Some(tag), false) if self.ctx.function.is_some() => match self.ctx.scopes.tag(tag.sym) {
                Some(Tag::Record(record)) => Some(record),
                Some(Tag::Enum(_)) => None,
                None => self.file_record(id, tag),
            },
            (Some(tag), _) => self.file_record(id, tag),
        };
        match record {
            Some(record) if self.types.records[record.0 as usize].kind == record_kind(node.kind) => {
                if node.members.is_some() && self.ctx.function.is_some() {
                    self.complete_record(record);
                }
                self.types.intern(Type::Record(record))
            }
            _ => self.wrong_tag(node.tag, self.ast.record_span(id)),
        }
    }

    /// Reports a tag that is used with the wrong keyword.
    fn wrong_tag(&mut self, tag: Option<Ident>, span: Span) -> TypeId {
        let Some(tag) = tag else {
            self.error(&codes::TAG_KIND, span, "neither a tag nor a body");
            return TypeId::ERROR;
        };
        let known = self.ctx.scopes.tag(tag.sym).or_else(|| self.file_tag(tag.sym));
        let (word, first) = match known {
            Some(Tag::Record(record)) => {
                let record = &self.types.records[record.0 as usize];
                let union = record.kind == RecordKind::Union;
                (if union { "union" } else { "struct" }, record.span)
            }
            Some(Tag::Enum(e)) => ("enum", self.types.enums[e.0 as usize].span),
            None => ("type of another kind", Span::NONE),
        };
        let message = format!("`{}` is the tag of a {word}", self.name(tag.sym));
        self.report(Diag::new(&codes::TAG_KIND, span, message).with_label(first, "declared here"));
        TypeId::ERROR
    }

    /// `struct s;` alone in a block hides an outer `struct s`.
    pub(super) fn forward_tag(&mut self, spec: TypeSpec) {
        if self.ctx.function.is_none() {
            return;
        }
        match spec {
            TypeSpec::Record(id) => {
                let node = self.ast.record(id);
                if let (Some(tag), None) = (node.tag, node.members)
                    && self.ctx.scopes.tag_here(tag.sym).is_none()
                    && let Some(record) = self.new_record(id, Some(tag))
                {
                    self.ctx.scopes.bind_tag(tag.sym, Tag::Record(record));
                }
            }
            TypeSpec::Enum(_)
            | TypeSpec::Error
            | TypeSpec::None
            | TypeSpec::Basic(_)
            | TypeSpec::Name(_)
            | TypeSpec::TypeofExpr(_)
            | TypeSpec::TypeofType(_)
            | TypeSpec::TypeofUnqualExpr(_)
            | TypeSpec::TypeofUnqualType(_)
            | TypeSpec::Auto
            | TypeSpec::Atomic(_) => {}
        }
    }

    fn new_record(&mut self, id: ast::RecordId, tag: Option<Ident>) -> Option<RecordId> {
        let node = self.ast.record(id);
        let record = RecordId(self.types.records.len() as u32);
        self.types.records.push(Record {
            kind: record_kind(node.kind),
            tag: tag.map(|tag| tag.sym),
            body: None,
            preserve_access_index: false,
            decl_tags: Vec::new(),
            span: tag.map_or(self.ast.record_span(id), Ident::span),
        });
        self.record_defs.push(Definition::None);
        if node.members.is_some() {
            self.define_record(record, id);
        }
        Some(record)
    }

    /// Remembers where the body of a record is, and what its attributes say.
    fn define_record(&mut self, record: RecordId, id: ast::RecordId) {
        let node = self.ast.record(id);
        self.record_ids.insert(id, record);
        self.record_defs[record.0 as usize] = Definition::At(id);
        let attrs = self.attrs(node.attrs);
        let entry = &mut self.types.records[record.0 as usize];
        entry.preserve_access_index |= attrs.preserve_access_index || node.preserve_access_index;
        entry.decl_tags.extend(attrs.decl_tags);
        if let Some(tag) = node.tag {
            entry.span = tag.span();
        }
    }

    fn define_local_record(&mut self, id: ast::RecordId, tag: Ident) -> Option<RecordId> {
        match self.ctx.scopes.tag_here(tag.sym) {
            Some(Tag::Record(record)) if self.record_defs[record.0 as usize] == Definition::None => {
                self.define_record(record, id);
                Some(record)
            }
            Some(Tag::Record(record)) => {
                self.tag_redefined(tag, self.types.records[record.0 as usize].span);
                Some(record)
            }
            Some(Tag::Enum(_)) => None,
            None => {
                let record = self.new_record(id, Some(tag))?;
                self.ctx.scopes.bind_tag(tag.sym, Tag::Record(record));
                Some(record)
            }
        }
    }

    fn tag_redefined(&mut self, tag: Ident, first: Span) {
        let message = format!("`{}` is defined twice", self.name(tag.sym));
        self.report(Diag::new(&codes::REDEFINED_NAME, tag.span(), message).with_label(first, "first here"));
    }

    fn file_record(&mut self, id: ast::RecordId, tag: Ident) -> Option<RecordId> {
        match self.file_tag(tag.sym) {
            Some(Tag::Record(record)) => Some(record),
            Some(Tag::Enum(_)) => None,
            None => {
                let record = self.new_record(id, Some(tag))?;
                self.tags.insert(tag.sym, Tag::Record(record));
                Some(record)
            }
        }
    }

    /// The tag of file scope, declared on first use from all its mentions.
    fn file_tag(&mut self, tag: Symbol) -> Option<Tag> {
        if let Some(&known) = self.tags.get(&tag) {
            return Some(known);
        }
        let mentions = self.index.tags(tag);
        let unit = self.unit;
        let mentions: Vec<ast::FileTag> =
            mentions.iter().filter_map(|&at| unit.file_tags.get(at as usize).copied()).collect();
        let bodies: Vec<Tagged> = mentions.iter().filter(|m| m.body).map(|m| m.what).collect();
        let what = *bodies.first().or(mentions.first().map(|m| &m.what))?;
        let (made, first) = match what {
            Tagged::Record(id) => {
                let ident = self.ast.record(id).tag?;
                (Tag::Record(self.new_record(id, Some(ident))?), ident)
            }
            Tagged::Enum(id) => {
                let ident = self.ast.enum_spec(id).tag?;
                (Tag::Enum(self.new_enum(id, Some(ident))), ident)
            }
        };
        self.tags.insert(tag, made);
        for &again in bodies.iter().skip(1) {
            let ident = match again {
                Tagged::Record(id) => self.ast.record(id).tag,
                Tagged::Enum(id) => self.ast.enum_spec(id).tag,
            };
            match (again, made) {
                (Tagged::Record(id), Tag::Record(record)) => {
                    self.record_ids.insert(id, record);
                }
                (Tagged::Enum(id), Tag::Enum(e)) => {
                    self.enum_ids.insert(id, e);
                }
                (Tagged::Record(_), Tag::Enum(_)) | (Tagged::Enum(_), Tag::Record(_)) => {}
            }
            if let Some(ident) = ident {
                self.tag_redefined(ident, first.span());
            }
        }
        if let Tag::Enum(e) = made {
            self.at_file_scope(u32::MAX, |s| s.complete_enum(e));
        }
        Some(made)
    }

    // ------------------------------------------------------------ records: bodies

    /// Size and alignment of a type, its records completed first.
    pub(super) fn layout_of(&mut self, ty: TypeId) -> Option<Layout> {
        self.complete(ty);
        self.types.layout(ty)
    }

    /// Completes the record that a type is or is an array of.
    pub(super) fn complete(&mut self, ty: TypeId) {
        let mut at = self.types.canonical(ty);
        while let Type::Array { elem, .. } = *self.types.get(at) {
            at = self.types.canonical(elem);
        }
        if let Type::Record(record) = *self.types.get(at) {
            self.complete_record(record);
        }
    }

    /// Reads the members of a record and lays it out, if that has not been done.
    pub(super) fn complete_record(&mut self, record: RecordId) {
        let id = match self.record_defs[record.0 as usize] {
            Definition::At(id) => id,
            Definition::Busy | Definition::Done => return,
            Definition::None => {
                self.missing.extend(self.types.records[record.0 as usize].tag);
                return;
            }
        };
        self.record_defs[record.0 as usize] = Definition::Busy;
        if self.depth >= MAX_DEPTH {
            let span = self.ast.record_span(id);
            self.error(&codes::INCOMPLETE, span, "types nested too deeply");
            return;
        }
        self.depth += 1;
        let body = if self.ctx.function.is_some() && !self.is_file_record(record) {
            self.record_body(record, id)
        } else {
            self.at_file_scope(u32::MAX, |s| s.record_body(record, id))
        };
        self.depth -= 1;
        self.types.records[record.0 as usize].body = Some(body);
        self.record_defs[record.0 as usize] = Definition::Done;
    }

    /// Was the record declared at file scope? Records of functions are completed where they
    /// stand, so one that still waits is of file scope unless it is being completed right there.
    fn is_file_record(&self, record: RecordId) -> bool {
        let tag = self.types.records[record.0 as usize].tag;
        match tag {
            Some(tag) => self.tags.get(&tag) == Some(&Tag::Record(record)),
            None => !self.completing_local(record),
        }
    }

    fn completing_local(&self, record: RecordId) -> bool {
        self.ctx.function.as_ref().is_some_and(|f| record.0 >= f.first_record)
    }

    fn record_body(&mut self, record: RecordId, id: ast::RecordId) -> RecordBody {
        let node = self.ast.record(id);
        let attrs = self.attrs(node.attrs);
        let mut drafts: Vec<Draft> = Vec::new();
        for decl in self.ast.list(node.members.unwrap_or_default()) {
            match self.ast.decl(decl) {
                DeclKind::Vars { specs, items } => {
                    let specified = self.specified(specs);
                    self.inherit_preserve(record, self.ast.specs(specs).ty);
                    if items.is_empty() {
                        self.anonymous_member(self.ast.specs(specs).ty, &specified, &mut drafts);
                    }
                    for item in self.ast.list(items) {
                        let draft = self.member(&specified, self.ast.item(item));
                        drafts.extend(draft);
                    }
                }
                DeclKind::StaticAssert { cond, message } => self.static_assert(cond, message),
                DeclKind::Error | DeclKind::Empty | DeclKind::Function { .. } | DeclKind::Asm(_) => {}
            }
        }
        self.check_members(&drafts, node.kind);
        let rules = Rules {
            union: node.kind == ast::RecordKind::Union,
            packed: attrs.packed,
            aligned: attrs.aligned,
            pack: (node.pack != 0).then_some(u32::from(node.pack)),
        };
        let members: Vec<Member> = drafts.iter().map(|draft| draft.member).collect();
        let mut fields: Vec<Field> = drafts.into_iter().map(|draft| draft.field).collect();
        let Some(placed) = layout::place(&members, rules) else {
            self.error(&codes::ARRAY, self.ast.record_span(id), "the struct is too large");
            return RecordBody { fields: Vec::new(), size: 0, align: 1, packed: attrs.packed };
        };
        for (field, offset) in fields.iter_mut().zip(placed.offsets) {
            field.bit_offset = offset;
        }
        RecordBody { fields, size: placed.size, align: placed.align, packed: attrs.packed }
    }

    /// `preserve_access_index` of a record holds for the records defined inside it.
    fn inherit_preserve(&mut self, outer: RecordId, spec: TypeSpec) {
        if let TypeSpec::Record(id) = spec
            && self.ast.record(id).members.is_some()
            && self.types.records[outer.0 as usize].preserve_access_index
            && let Some(&inner) = self.record_ids.get(&id)
        {
            self.types.records[inner.0 as usize].preserve_access_index = true;
        }
    }

    /// `struct { ... };` as a member: its members are found through it.
    fn anonymous_member(&mut self, spec: TypeSpec, specified: &Specified, drafts: &mut Vec<Draft>) {
        let TypeSpec::Record(id) = spec else { return };
        let node = self.ast.record(id);
        if node.tag.is_some() || node.members.is_none() {
            return;
        }
        let span = self.ast.record_span(id);
        let field = Field {
            name: None,
            ty: specified.ty,
            bit_offset: 0,
            bit_width: None,
            decl_tags: Vec::new(),
            span,
        };
        let layout = self.layout_of(specified.ty).unwrap_or(Layout { size: 0, align: 1 });
        let member = Member {
            size: layout.size,
            align: layout.align,
            bits: None,
            named: true,
            packed: specified.attrs.packed,
            aligned: specified.attrs.aligned,
        };
        drafts.push(Draft { field, member });
    }

    fn member(&mut self, specified: &Specified, item: Item) -> Option<Draft> {
        let declared = self.declared(specified, item.declarator);
        let span = declared.span;
        let mut ty = declared.ty;
        if matches!(self.types.shape(ty), Type::Function(_)) {
            self.error(&codes::MEMBER_TYPE, span, "a member cannot be a function");
            ty = TypeId::ERROR;
        }
        let layout = match *self.types.shape(ty) {
            Type::Array { elem, len: None } => {
                self.layout_of(elem).map(|elem| Layout { size: 0, align: elem.align })
            }
            _ => self.layout_of(ty),
        };
        let layout = layout.unwrap_or_else(|| {
            self.incomplete(span, ty, "the member");
            Layout { size: 0, align: 1 }
        });
        let bits = match item.bits {
            Some(width) => Some(self.bit_width(ty, width, declared.ident)?),
            None => None,
        };
        let field = Field {
            name: declared.ident.map(|ident| ident.sym),
            ty,
            bit_offset: 0,
            bit_width: bits,
            decl_tags: declared.attrs.decl_tags,
            span,
        };
        let member = Member {
            size: layout.size,
            align: layout.align,
            bits,
            named: field.name.is_some(),
            packed: declared.attrs.packed,
            aligned: declared.attrs.aligned,
        };
        Some(Draft { field, member })
    }

    fn bit_width(&mut self, ty: TypeId, width: ast::ExprId, ident: Option<Ident>) -> Option<u32> {
        let span = self.ast.expr_span(width);
        let value = self.integer_constant(width, "the width of a bit-field")?;
        let Some(kind) = self.types.int_kind(ty) else {
            if !self.is_error(ty) {
                let message = format!("a bit-field of type {}, which is not an integer", self.shown(ty));
                self.error(&codes::BIT_FIELD, span, message);
            }
            return None;
        };
        let most = if kind == IntKind::Bool { 1 } else { kind.size() * 8 };
        match u32::try_from(value) {
            Ok(0) if ident.is_some() => {
                self.error(&codes::BIT_FIELD, span, "a named bit-field of width 0");
                None
            }
            Ok(width) if width <= most => Some(width),
            _ => {
                let message = format!("a bit-field of {value} bits in {}, which has {most}", self.shown(ty));
                self.error(&codes::BIT_FIELD, span, message);
                None
            }
        }
    }

    /// Finds members of the same name and flexible arrays that are not last.
    fn check_members(&mut self, drafts: &[Draft], kind: ast::RecordKind) {
        let mut seen: HashMap<Symbol, Span> = HashMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            let mut names = Vec::new();
            match draft.field.name {
                Some(name) => names.push((name, draft.field.span)),
                None => self.names_inside(draft.field.ty, &mut names),
            }
            for (name, span) in names {
                if let Some(first) = seen.insert(name, span) {
                    let message = format!("two members are named `{}`", self.name(name));
                    self.report(
                        Diag::new(&codes::REDEFINED_NAME, span, message).with_label(first, "first here"),
                    );
                }
            }
            let open = matches!(self.types.shape(draft.field.ty), Type::Array { len: None, .. });
            if open && kind == ast::RecordKind::Struct && index + 1 < drafts.len() {
                self.error(
                    &codes::MEMBER_TYPE,
                    draft.field.span,
                    "an array without size can only be the last member",
                );
            }
        }
    }

    /// The names that an anonymous member brings in.
    fn names_inside(&self, ty: TypeId, names: &mut Vec<(Symbol, Span)>) {
        let mut work = vec![ty];
        while let Some(ty) = work.pop() {
            let Some(record) = self.types.record_of(ty) else { continue };
            let Some(body) = &self.types.records[record.0 as usize].body else { continue };
            for field in &body.fields {
                match field.name {
                    Some(name) => names.push((name, field.span)),
                    None if field.bit_width.is_none() => work.push(field.ty),
                    None => {}
                }
            }
        }
    }

    // ------------------------------------------------------------ enums

    /// The type of an `enum` specifier; a body is read at once.
    pub(super) fn enum_spec(&mut self, id: ast::EnumId) -> TypeId {
        if let Some(&e) = self.enum_ids.get(&id) {
            return self.types.intern(Type::Enum(e));
        }
        let node = self.ast.enum_spec(id);
        let local = self.ctx.function.is_some();
        let found = match node.tag {
            None => Some(self.new_enum(id, None)),
            Some(tag) if local && node.enumerators.is_some() => match self.ctx.scopes.tag_here(tag.sym) {
                Some(Tag::Enum(e)) => {
                    self.tag_redefined(tag, self.types.enums[e.0 as usize].span);
                    Some(e)
                }
                Some(Tag::Record(_)) => None,
                None => {
                    let e = self.new_enum(id, Some(tag));
                    self.ctx.scopes.bind_tag(tag.sym, Tag::Enum(e));
                    Some(e)
                }
            },
            Some(tag) => match self.ctx.scopes.tag(tag.sym).or_else(|| self.file_tag(tag.sym)) {
                Some(Tag::Enum(e)) => Some(e),
                Some(Tag::Record(_)) => None,
                None => {
                    let e = self.new_enum(id, Some(tag));
                    self.tags.insert(tag.sym, Tag::Enum(e));
                    Some(e)
                }
            },
        };
        let Some(e) = found else {
            return self.wrong_tag(node.tag, self.ast.enum_span(id));
        };
        self.complete_enum(e);
        self.types.intern(Type::Enum(e))
    }

    fn new_enum(&mut self, id: ast::EnumId, tag: Option<Ident>) -> EnumId {
        let node = self.ast.enum_spec(id);
        let e = EnumId(self.types.enums.len() as u32);
        self.types.enums.push(Enum {
            tag: tag.map(|tag| tag.sym),
            repr: None,
            enumerators: Vec::new(),
            decl_tags: Vec::new(),
            span: tag.map_or(self.ast.enum_span(id), Ident::span),
        });
        self.enum_defs.push(if node.enumerators.is_some() { Definition::At(id) } else { Definition::None });
        self.enum_values.push(EnumValues::default());
        if node.enumerators.is_some() {
            self.enum_ids.insert(id, e);
        }
        e
    }

    /// Reads the constants of an enum, if that has not been done.
    pub(super) fn complete_enum(&mut self, e: EnumId) {
        let Definition::At(id) = self.enum_defs[e.0 as usize] else { return };
        self.enum_defs[e.0 as usize] = Definition::Busy;
        let node = self.ast.enum_spec(id);
        let fixed = node.fixed.map(|name| self.type_name_type(name));
        let attrs = self.attrs(node.attrs);
        let constants = self.ast.list(node.enumerators.unwrap_or_default());
        self.enum_values[e.0 as usize] = self.enum_values(node.attrs, constants.clone());
        let mut next: i128 = 0;
        for enumerator in constants {
            let constant = self.ast.enumerator(enumerator);
            if let Some(value) = constant.value
                && let Some(value) = self.integer_constant(value, "the value of an enumeration constant")
            {
                next = value;
            }
            if i64::try_from(next).is_err() && u64::try_from(next).is_err() {
                let message = format!("the value {next} does not fit in 64 bits");
                self.error(&codes::ENUM_VALUE, constant.name.span(), message);
                next = 0;
            }
            self.types.enums[e.0 as usize].enumerators.push((constant.name.sym, next));
            if self.ctx.function.is_some() {
                let ty = self.constant_type(e, next);
                self.ctx.scopes.bind(constant.name.sym, Binding::Constant { value: next, ty });
            }
            next += 1;
        }
        let repr = fixed.and_then(|ty| self.types.int_kind(ty));
        let values = self.types.enums[e.0 as usize].enumerators.iter().map(|&(_, value)| value);
        // A machine mode makes it signed, whatever its values.
        let repr = attrs.mode.map(|(mode, _)| mode.kinds().0).or(repr);
        let repr = repr.unwrap_or_else(|| smallest_repr(values, attrs.packed));
        let entry = &mut self.types.enums[e.0 as usize];
        entry.repr = Some(repr);
        entry.decl_tags = attrs.decl_tags;
        self.enum_defs[e.0 as usize] = Definition::Done;
    }

    /// The type that a constant has in expressions: `int` where it fits, else the enum's.
    pub(super) fn constant_type(&self, e: EnumId, value: i128) -> TypeId {
        if i32::try_from(value).is_ok() {
            return TypeId::int(IntKind::Int);
        }
        let repr = self.types.enums[e.0 as usize].repr;
        TypeId::int(repr.unwrap_or(if value < 0 { IntKind::Long } else { IntKind::ULong }))
    }
}

fn record_kind(kind: ast::RecordKind) -> RecordKind {
    match kind {
        ast::RecordKind::Struct => RecordKind::Struct,
        ast::RecordKind::Union => RecordKind::Union,
    }
}

/// The integer type that clang gives an enum with these values.
fn smallest_repr(values: impl Iterator<Item = i128>, packed: bool) -> IntKind {
    let (low, high) = values.fold((0, 0), |(low, high): (i128, i128), v| (low.min(v), high.max(v)));
    let signed = [(8, IntKind::SChar), (16, IntKind::Short), (32, IntKind::Int), (64, IntKind::Long)];
    let unsigned = [(8, IntKind::UChar), (16, IntKind::UShort), (32, IntKind::UInt), (64, IntKind::ULong)];
    let rows = if low < 0 { signed } else { unsigned };
    let fits = |bits: u32| {
        if low < 0 { low >= -(1 << (bits - 1)) && high < 1 << (bits - 1) } else { high < 1 << bits }
    };
    rows.into_iter()
        .filter(|&(bits, _)| packed || bits >= 32)
        .find(|&(bits, _)| fits(bits))
        .map_or(if low < 0 { IntKind::Long } else { IntKind::ULong }, |(_, kind)| kind)
}

//! Initialisers: braces, designators and elided braces become a flat list of leaves.
//!
//! In: the type of the object and its initialiser. Out: [`Built`], where each [`Leaf`] is a scalar,
//! a record or a string at a byte offset (or at bits of a bit-field). Later leaves replace the
//! earlier ones they cover. What is not mentioned is zero.
//!
//! ```text
//! struct { int a; struct { char b[4]; int c; } d; } x = { 1, "no", .d.c = 2 };
//!     leaves: 0: int 1, 4: "no\0\0", 8: int 2
//! ```

use skep_syntax::ast::{
    Designator, DesignatorId, ExprId, ExprKind as Ast, Init as AstInit, InitId, InitItemId, List, Prefix,
    StrId,
};
use skep_syntax::diag::codes;
use skep_syntax::source::Span;

use crate::hir::Expr;
use crate::types::{IntKind, RecordKind, Type, TypeId};

use super::Sema;
use super::convert::Use;

/// The most leaves an initialiser may have.
const MAX_LEAVES: usize = 1 << 20;

/// One initialised piece of an object.
#[derive(Clone)]
pub struct Leaf {
    /// Byte offset in the object; of a bit-field, that of its record.
    pub offset: u64,
    /// A bit-field.
    pub bits: Option<BitSlot>,
    /// Its type.
    pub ty: TypeId,
    /// What goes there.
    pub value: LeafValue,
    /// The initialiser.
    pub span: Span,
}

/// The bits of a bit-field in its record.
#[derive(Clone, Copy)]
pub struct BitSlot {
    /// From the start of the record.
    pub first: u64,
    /// How many.
    pub width: u32,
}

/// The value of a leaf.
#[derive(Clone)]
pub enum LeafValue {
    /// Converted to the leaf's type.
    Expr(Expr),
    /// Contents of a character array, cut or padded to its size.
    Bytes(Vec<u8>),
}

/// A digested initialiser.
pub struct Built {
    /// The pieces, in the order of the source.
    pub leaves: Vec<Leaf>,
    /// Something is left to be zero.
    pub partial: bool,
    /// The object's type, the size of an open array found out.
    pub ty: TypeId,
}

/// Collects leaves.
#[derive(Default)]
struct Builder {
    leaves: Vec<Leaf>,
    partial: bool,
    /// End of the furthest leaf in bits.
    high: u64,
    full: bool,
}

/// Where an element goes.
#[derive(Clone, Copy)]
struct Slot {
    ty: TypeId,
    offset: u64,
    bits: Option<BitSlot>,
}

/// The elements of a braced list that are still to be placed.
struct Items {
    ids: Vec<InitItemId>,
    at: usize,
    /// The element whose designators have led here already.
    entered: Option<usize>,
    /// The value of the current element, if its type had to be known already.
    value: Option<Expr>,
    /// Where the list ends; nowhere for `{ 0 }`, which stands for an object full of zeros.
    end: Span,
}

impl Items {
    fn current(&self) -> Option<InitItemId> {
        self.ids.get(self.at).copied()
    }

    fn advance(&mut self) {
        self.at += 1;
        self.value = None;
    }
}

impl Sema<'_, '_> {
    /// Digests the initialiser of an object of type `ty`.
    pub(super) fn build_init(&mut self, ty: TypeId, init: InitId) -> Built {
        let mut builder = Builder::default();
        let slot = Slot { ty, offset: 0, bits: None };
        let len = self.init_object(&mut builder, slot, init);
        let mut built = Built { leaves: builder.leaves, partial: builder.partial, ty };
        if let Type::Array { elem, len: None } = *self.types.shape(ty) {
            let elem = self.with_wrappers_of(elem, ty);
            built.ty = self.types.intern(Type::Array { elem, len: Some(len) });
        }
        built
    }

    /// An object with an initialiser of its own; yields the number of elements of an array.
    fn init_object(&mut self, b: &mut Builder, slot: Slot, init: InitId) -> u64 {
        match self.ast.init(init) {
            AstInit::Expr(expr) => self.init_from_expr(b, slot, expr),
            AstInit::List(items) => self.init_braced(b, slot, items, self.ast.init_span(init)),
        }
    }

    fn init_from_expr(&mut self, b: &mut Builder, slot: Slot, expr: ExprId) -> u64 {
        if let Some(text) = self.string_for(slot.ty, expr) {
            return self.init_string(b, slot, text, self.ast.expr_span(expr));
        }
        if let Some(init) = self.literal_of_type(slot.ty, expr) {
            return self.init_object(b, slot, init);
        }
        let span = self.ast.expr_span(expr);
        if let Type::Array { .. } = self.types.shape(slot.ty) {
            let message = format!("{} needs an initialiser in braces", self.shown(slot.ty));
            self.error(&codes::INITIALIZER, span, message);
            self.rvalue(expr);
            return 1;
        }
        let value = self.rvalue(expr);
        self.init_leaf(b, slot, value);
        0
    }

    fn init_leaf(&mut self, b: &mut Builder, slot: Slot, value: Expr) {
        let span = value.span;
        let value = self.assigned(value, slot.ty, Use::Init);
        self.push_leaf(b, slot, LeafValue::Expr(value), span);
    }

    fn push_leaf(&mut self, b: &mut Builder, slot: Slot, value: LeafValue, span: Span) {
        if b.leaves.len() >= MAX_LEAVES {
            if !b.full {
                self.unsupported(span, "an initialiser of more than a million elements");
                b.full = true;
            }
            return;
        }
        let (start, end) = self.extent(&slot);
        if start < b.high {
            let covered: Vec<bool> = b
                .leaves
                .iter()
                .map(|leaf| {
                    let slot = Slot { ty: leaf.ty, offset: leaf.offset, bits: leaf.bits };
                    let (s, e) = self.extent(&slot);
                    start <= s && e <= end
                })
                .collect();
            let mut covered = covered.into_iter();
            b.leaves.retain(|_| !covered.next().unwrap_or(false));
        }
        b.high = b.high.max(end);
        b.leaves.push(Leaf { offset: slot.offset, bits: slot.bits, ty: slot.ty, value, span });
    }

    /// First bit and end of a slot in its object.
    fn extent(&self, slot: &Slot) -> (u64, u64) {
        let start = slot.offset.saturating_mul(8);
        match slot.bits {
            Some(bits) => (start + bits.first, start + bits.first + u64::from(bits.width)),
            None => {
                let size = self.types.layout(slot.ty).map_or(0, |layout| layout.size);
                (start, start.saturating_add(size.saturating_mul(8)))
            }
        }
    }

    // ------------------------------------------------------------ strings and compound literals

    /// The string literal that initialises a character array.
    fn string_for(&self, ty: TypeId, expr: ExprId) -> Option<StrId> {
        let Type::Array { elem, .. } = *self.types.shape(ty) else { return None };
        let mut id = expr;
        while let Ast::Paren(inner) = self.ast.expr(id) {
            id = inner;
        }
        let Ast::Str(text) = self.ast.expr(id) else { return None };
        let size = match self.types.int_kind(elem)? {
            IntKind::Bool => return None,
            kind => kind.size(),
        };
        let unit = match self.ast.string(text).prefix {
            Prefix::None | Prefix::U8 => 1,
            Prefix::U16 => 2,
            Prefix::U32 | Prefix::Wide => 4,
        };
        (size == unit).then_some(text)
    }

    fn init_string(&mut self, b: &mut Builder, slot: Slot, text: StrId, span: Span) -> u64 {
        let Type::Array { elem, len } = *self.types.shape(slot.ty) else { return 0 };
        let unit = self.layout_of(elem).map_or(1, |layout| layout.size) as usize;
        let mut bytes = self.ast.string_bytes(text).to_vec();
        let natural = (bytes.len() / unit + 1) as u64;
        let len = len.unwrap_or(natural);
        if natural > len.saturating_add(1) {
            let message = format!("the string of {natural} characters is longer than its array of {len}");
            self.warn(&codes::EXCESS_INITIALIZER, span, message);
        }
        // The rest of a large array is zero without being written down.
        let end = usize::try_from(len.min(natural)).unwrap_or(0) * unit;
        bytes.resize(end, 0);
        b.partial |= len > natural;
        let ty = self.types.intern(Type::Array { elem, len: Some(len.min(natural)) });
        self.push_leaf(b, Slot { ty, ..slot }, LeafValue::Bytes(bytes), span);
        len
    }

    /// The initialiser of a compound literal that has just the wanted type.
    fn literal_of_type(&mut self, ty: TypeId, expr: ExprId) -> Option<InitId> {
        if self.is_scalar(ty) {
            return None;
        }
        let mut id = expr;
        while let Ast::Paren(inner) = self.ast.expr(id) {
            id = inner;
        }
        let Ast::Compound { ty: name, init } = self.ast.expr(id) else { return None };
        let literal = self.type_name_type(name);
        self.compatible_unqualified(literal, ty).then_some(init)
    }

    // ------------------------------------------------------------ lists

    /// `{ ... }` for one object.
    fn init_braced(&mut self, b: &mut Builder, slot: Slot, list: List<InitItemId>, span: Span) -> u64 {
        let ids: Vec<InitItemId> = self.ast.list(list).collect();
        if let (Some(&only), true) = (ids.first(), ids.len() == 1)
            && self.ast.init_item(only).designators.is_empty()
            && let AstInit::Expr(expr) = self.ast.init(self.ast.init_item(only).value)
            && let Some(text) = self.string_for(slot.ty, expr)
        {
            return self.init_string(b, slot, text, self.ast.expr_span(expr));
        }
        let end = if self.is_zero_list(&ids) { Span::NONE } else { Span::at(span.hi) };
        let mut items = Items { ids, at: 0, entered: None, value: None, end };
        match self.types.shape(slot.ty) {
            Type::Array { .. } | Type::Record(_) => {
                if self.types.record_of(slot.ty).is_some() && self.layout_of(slot.ty).is_none() {
                    self.incomplete(span, slot.ty, "the object");
                    return 0;
                }
                self.init_elements(b, slot, &mut items, true, Vec::new())
            }
            Type::Error => {
                self.check_items(&items);
                0
            }
            _ => {
                self.init_scalar_braced(b, slot, &mut items);
                0
            }
        }
    }

    /// Analyses elements that have no place to go, for their errors.
    fn check_items(&mut self, items: &Items) {
        for &id in &items.ids {
            if let AstInit::Expr(expr) = self.ast.init(self.ast.init_item(id).value) {
                self.rvalue(expr);
            }
        }
    }

    fn init_scalar_braced(&mut self, b: &mut Builder, slot: Slot, items: &mut Items) {
        let Some(id) = items.current() else {
            b.partial = true;
            return;
        };
        let item = self.ast.init_item(id);
        if !item.designators.is_empty() {
            let message = format!("a designator in the initialiser of {}", self.shown(slot.ty));
            self.error(&codes::INITIALIZER, self.ast.init_item_span(id), message);
        }
        self.init_object(b, slot, item.value);
        items.advance();
        self.excess(items);
    }

    fn excess(&mut self, items: &Items) {
        if let Some(extra) = items.current() {
            let span = self.ast.init_item_span(extra);
            self.warn(&codes::EXCESS_INITIALIZER, span, "more initialisers than elements");
        }
    }

    /// Elements of an array or record, from its own braces or (`braced` false) from those around
    /// it. `first` are designators that lead into the first of them.
    fn init_elements(
        &mut self,
        b: &mut Builder,
        slot: Slot,
        items: &mut Items,
        braced: bool,
        first: Vec<DesignatorId>,
    ) -> u64 {
        let mut next: u64 = 0;
        let mut most: u64 = 0;
        let mut first = Some(first).filter(|list| !list.is_empty());
        let mut designates = first.is_some();
        while let Some(item) = items.current() {
            let (path, inherited): (Vec<DesignatorId>, bool) = match first.take() {
                Some(path) => (path, true),
                None if items.entered == Some(items.at) => (Vec::new(), true),
                None => (self.ast.list(self.ast.init_item(item).designators).collect(), false),
            };
            if !braced && !path.is_empty() && !inherited {
                break;
            }
            let (mut last, mut rest) = (next, Vec::new());
            if let Some(&designator) = path.first() {
                designates = true;
                let Some(found) = self.designated(slot.ty, designator) else {
                    items.advance();
                    continue;
                };
                items.entered = Some(items.at);
                b.partial |= found.first != next;
                (next, last) = (found.first, found.last);
                let skip = usize::from(!found.through_anonymous);
                rest = path.get(skip..).unwrap_or(&[]).to_vec();
            }
            let Some((element, index)) = self.element_slot(slot, next) else {
                if braced {
                    self.excess(items);
                    items.at = items.ids.len();
                }
                break;
            };
            last = last.max(index);
            let mark = b.leaves.len();
            if rest.is_empty() {
                self.init_element(b, element, items);
            } else {
                self.init_elements(b, element, items, false, rest);
            }
            self.repeat(b, mark, element, last - index);
            next = last + 1;
            most = most.max(next);
            if self.is_union(slot.ty) {
                b.partial |= self.size_of(element.ty) != self.size_of(slot.ty);
                // Only another designator can say more about a union.
                let more = items.current().map(|id| self.ast.init_item(id).designators);
                if !braced || more.is_some_and(List::is_empty) {
                    if braced {
                        self.excess(items);
                        items.at = items.ids.len();
                    }
                    return most;
                }
            }
        }
        if !self.is_union(slot.ty) || most == 0 {
            b.partial |= self.element_slot(slot, next).is_some();
        }
        if !designates && most != 0 && !self.is_union(slot.ty) {
            self.check_missing_field(slot, next, items.end);
        }
        most
    }

    /// A list that gives members in their order ends before this one.
    fn check_missing_field(&mut self, slot: Slot, next: u64, end: Span) {
        let Some(record) = self.types.record_of(slot.ty) else { return };
        let Some((element, index)) = self.element_slot(slot, next) else { return };
        if !end.is_some() || matches!(self.types.shape(element.ty), Type::Array { len: None, .. }) {
            return;
        }
        let fields = self.types.records[record.0 as usize].body.as_ref().map(|body| &body.fields);
        let name = fields.and_then(|fields| fields.get(index as usize)?.name);
        let name = name.map_or("", |name| self.name(name));
        self.warn(&codes::MISSING_FIELD, end, format!("the initialiser ends before the member `{name}`"));
    }

    /// Is it what lies between the braces of `{ 0 }`?
    fn is_zero_list(&self, ids: &[InitItemId]) -> bool {
        let [only] = ids else { return false };
        let item = self.ast.init_item(*only);
        let AstInit::Expr(expr) = self.ast.init(item.value) else { return false };
        item.designators.is_empty() && matches!(self.ast.expr(expr), Ast::Int { value: 0, .. })
    }

    fn is_union(&self, ty: TypeId) -> bool {
        self.types
            .record_of(ty)
            .is_some_and(|record| self.types.records[record.0 as usize].kind == RecordKind::Union)
    }

    /// Copies the leaves since `mark` to the elements that a range designator names.
    fn repeat(&mut self, b: &mut Builder, mark: usize, element: Slot, times: u64) {
        if times == 0 {
            return;
        }
        let size = self.layout_of(element.ty).map_or(0, |layout| layout.size);
        let pattern: Vec<Leaf> = b.leaves.get(mark..).unwrap_or(&[]).to_vec();
        for n in 1..=times {
            if b.full || pattern.is_empty() {
                return;
            }
            for leaf in &pattern {
                let offset = leaf.offset.saturating_add(n.saturating_mul(size));
                let slot = Slot { ty: leaf.ty, offset, bits: leaf.bits };
                self.push_leaf(b, slot, leaf.value.clone(), leaf.span);
            }
        }
    }

    /// The element `index` of an array, or the first member from `index` on that takes a value.
    fn element_slot(&mut self, slot: Slot, index: u64) -> Option<(Slot, u64)> {
        if let Type::Array { elem, len } = *self.types.shape(slot.ty) {
            let size = self.layout_of(elem)?.size;
            let offset = slot.offset.checked_add(index.checked_mul(size)?)?;
            let fits = len.is_none_or(|len| index < len);
            return fits.then_some((Slot { ty: elem, offset, bits: None }, index));
        }
        let record = self.types.record_of(slot.ty)?;
        let fields = &self.types.records[record.0 as usize].body.as_ref()?.fields;
        let start = usize::try_from(index).ok()?;
        let takes = |field: &&crate::types::Field| field.name.is_some() || field.bit_width.is_none();
        let found = fields.iter().enumerate().skip(start).find(|(_, field)| takes(field));
        let (at, field) = found?;
        let element = match field.bit_width {
            Some(width) => {
                let bits = Some(BitSlot { first: field.bit_offset, width });
                Slot { ty: field.ty, offset: slot.offset, bits }
            }
            None => {
                let offset = slot.offset + field.bit_offset / 8;
                Slot { ty: field.ty, offset, bits: None }
            }
        };
        Some((element, at as u64))
    }

    /// An element without designators.
    fn init_element(&mut self, b: &mut Builder, slot: Slot, items: &mut Items) {
        let Some(id) = items.current() else { return };
        let init = self.ast.init_item(id).value;
        let AstInit::Expr(expr) = self.ast.init(init) else {
            items.advance();
            self.init_object(b, slot, init);
            return;
        };
        match self.types.shape(slot.ty) {
            Type::Array { len: None, .. } => {
                self.unsupported(self.ast.init_span(init), "the initialisation of a flexible array member");
                items.advance();
            }
            Type::Array { .. } => {
                if items.value.is_none() && self.string_for(slot.ty, expr).is_some()
                    || self.literal_of_type(slot.ty, expr).is_some()
                {
                    items.advance();
                    self.init_from_expr(b, slot, expr);
                } else {
                    self.init_without_braces(b, slot, items);
                }
            }
            Type::Record(_) => {
                if self.literal_of_type(slot.ty, expr).is_some() {
                    items.advance();
                    self.init_from_expr(b, slot, expr);
                    return;
                }
                let value = match items.value.take() {
                    Some(value) => value,
                    None => self.rvalue(expr),
                };
                if self.is_error(value.ty) {
                    items.advance();
                } else if self.types.record_of(value.ty) == self.types.record_of(slot.ty) {
                    items.advance();
                    self.init_leaf(b, slot, value);
                } else {
                    items.value = Some(value);
                    self.init_without_braces(b, slot, items);
                }
            }
            _ => {
                let value = match items.value.take() {
                    Some(value) => value,
                    None => self.rvalue(expr),
                };
                items.advance();
                self.init_leaf(b, slot, value);
            }
        }
    }

    fn init_without_braces(&mut self, b: &mut Builder, slot: Slot, items: &mut Items) {
        let before = items.at;
        self.init_elements(b, slot, items, false, Vec::new());
        if items.at == before {
            // Nothing fits into an object without elements.
            self.excess(items);
            items.advance();
        }
    }

    // ------------------------------------------------------------ designators

    fn designated(&mut self, ty: TypeId, id: DesignatorId) -> Option<Designated> {
        let span = self.ast.designator_span(id);
        match self.ast.designator(id) {
            Designator::Field(name) => {
                let Some(record) = self.types.record_of(ty) else {
                    let message = format!("a member designator in the initialiser of {}", self.shown(ty));
                    self.error(&codes::INITIALIZER, span, message);
                    return None;
                };
                match self.member_path(record, name) {
                    Some(path) => {
                        let first = u64::from(*path.first()?);
                        Some(Designated { first, last: first, through_anonymous: path.len() > 1 })
                    }
                    None => {
                        let message = format!("{} has no member `{}`", self.shown(ty), self.name(name));
                        self.error(&codes::UNKNOWN_MEMBER, span, message);
                        None
                    }
                }
            }
            Designator::Index(index) => {
                let first = self.designated_index(ty, index, span)?;
                Some(Designated { first, last: first, through_anonymous: false })
            }
            Designator::Range(first, last) => {
                let first = self.designated_index(ty, first, span)?;
                let last = self.designated_index(ty, last, span)?;
                if last < first {
                    self.error(&codes::INITIALIZER, span, "a range designator that ends before it starts");
                    return None;
                }
                Some(Designated { first, last, through_anonymous: false })
            }
        }
    }

    fn designated_index(&mut self, ty: TypeId, index: ExprId, span: Span) -> Option<u64> {
        let Type::Array { len, .. } = *self.types.shape(ty) else {
            let message = format!("an element designator in the initialiser of {}", self.shown(ty));
            self.error(&codes::INITIALIZER, span, message);
            return None;
        };
        let value = self.integer_constant(index, "the index of a designator")?;
        match u64::try_from(value) {
            Ok(index) if index < len.unwrap_or(1 << 40) => Some(index),
            _ => {
                let message = format!("the index {value} is outside {}", self.shown(ty));
                self.error(&codes::INITIALIZER, span, message);
                None
            }
        }
    }
}

/// What a designator names.
struct Designated {
    first: u64,
    last: u64,
    /// The member is inside an anonymous one, which is named here.
    through_anonymous: bool,
}

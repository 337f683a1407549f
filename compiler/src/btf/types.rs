//! C types as BTF types.
//!
//! In: [`TypeId`]s of the typed program, as they are needed. Out: ids in a BTF [`Builder`].
//!
//! A kernel header leads from any structure to thousands of others. So a pointer *within* a
//! structure or union to a named structure or union does not bring in its body: it points to the
//! full type if something else needs that, and else to a forward declaration. This is decided at
//! the end, which is why such pointers are kept in `pruned` until [`TypeWriter::finish`].
//!
//! Types are written from a work list, not by recursion: chains of types are as long as the input
//! makes them.

use std::collections::BTreeMap;

use skep_stdlib::btf::{self, Builder, Composite, Encoding, Enumeration, Enumerator, Member, Param};
use skep_syntax::intern::{Interner, Symbol};

use crate::types::{
    Field, FloatKind, FunctionType, IntKind, Quals, RecordId, RecordKind, Type, TypeId, Types,
};

/// How a type is reached.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Needs its whole description.
    Full,
    /// As the type of a member, no pointer passed yet.
    Member,
    /// From a member through a pointer.
    MemberPointer,
}

/// What is left to do, last first: so types are described depth first, members in order.
enum Task {
    /// Describe a type under its id.
    Define(TypeId, btf::TypeId, Route),
    /// Look at the members of a record from this one on, then describe the record.
    Members(RecordId, btf::TypeId, usize),
    /// Look at the result and the parameters of a function type from this one on, then describe the
    /// type.
    Params(TypeId, btf::TypeId, usize),
}

/// Writes types on demand, each once.
pub struct TypeWriter<'a> {
    types: &'a Types,
    names: &'a Interner,
    builder: Builder,
    ids: BTreeMap<TypeId, btf::TypeId>,
    records: BTreeMap<RecordId, btf::TypeId>,
    /// Types that point directly at a record that was not followed: type, its id.
    pruned: BTreeMap<TypeId, btf::TypeId>,
    work: Vec<Task>,
    /// The inner ones of several qualifiers of a type, where C has no type of its own for them.
    inner_quals: BTreeMap<(TypeId, u8), btf::TypeId>,
    /// `__ARRAY_SIZE_TYPE__`, once an array needs it.
    index_type: Option<btf::TypeId>,
}

/// Names and encodings of the integer types.
const INTS: [(IntKind, &str, Encoding); 14] = [
    (IntKind::Bool, "_Bool", Encoding::BOOL),
    (IntKind::Char, "char", Encoding::SIGNED),
    (IntKind::SChar, "signed char", Encoding::SIGNED),
    (IntKind::UChar, "unsigned char", Encoding::UNSIGNED),
    (IntKind::Short, "short", Encoding::SIGNED),
    (IntKind::UShort, "unsigned short", Encoding::UNSIGNED),
    (IntKind::Int, "int", Encoding::SIGNED),
    (IntKind::UInt, "unsigned int", Encoding::UNSIGNED),
    (IntKind::Long, "long", Encoding::SIGNED),
    (IntKind::ULong, "unsigned long", Encoding::UNSIGNED),
    (IntKind::LongLong, "long long", Encoding::SIGNED),
    (IntKind::ULongLong, "unsigned long long", Encoding::UNSIGNED),
    (IntKind::Int128, "__int128", Encoding::SIGNED),
    (IntKind::UInt128, "unsigned __int128", Encoding::UNSIGNED),
];

impl<'a> TypeWriter<'a> {
    /// A writer into an empty builder.
    pub fn new(types: &'a Types, names: &'a Interner, builder: Builder) -> TypeWriter<'a> {
        TypeWriter {
            types,
            names,
            builder,
            ids: BTreeMap::new(),
            records: BTreeMap::new(),
            pruned: BTreeMap::new(),
            work: Vec::new(),
            inner_quals: BTreeMap::new(),
            index_type: None,
        }
    }

    /// The id of a type and everything it needs.
    pub fn full(&mut self, ty: TypeId) -> btf::TypeId {
        let id = self.id_of(ty, Route::Full);
        self.drain();
        id
    }

    /// As [`TypeWriter::full`] for the definition of a map: what its members point to (key and value
    /// types) is described in full.
    pub fn map_definition(&mut self, ty: TypeId) -> btf::TypeId {
        let types = self.types;
        if let Some(record) = types.record_of(ty)
            && let Some(body) = &types.records[record.0 as usize].body
        {
            for field in &body.fields {
                self.full(field.ty);
            }
        }
        self.full(ty)
    }

    /// The FUNC_PROTO of a definition: its parameters have names, and qualifiers of their own.
    pub fn prototype(&mut self, ty: TypeId, params: &[(Option<Symbol>, TypeId)]) -> btf::TypeId {
        let Type::Function(function) = self.types.shape(ty) else { return btf::TypeId::VOID };
        let id = self.builder.reserve();
        let ret = self.full(function.ret);
        let mut described = Vec::new();
        for &(name, ty) in params {
            let name = name.map_or("", |name| self.names.name(name));
            described.push(Param { name, ty: self.full(ty) });
        }
        if function.variadic {
            described.push(Param { name: "", ty: btf::TypeId::VOID });
        }
        self.builder.define(id, &btf::Type::FuncProto { ret, params: described });
        id
    }

    /// Adds a type that is not C: functions, variables, sections.
    pub fn add(&mut self, ty: &btf::Type<'_>) -> btf::TypeId {
        self.builder.add(ty)
    }

    /// Adds one DECL_TAG for each tag.
    pub fn add_decl_tags(&mut self, ty: btf::TypeId, component: Option<u32>, tags: &[Symbol]) {
        for &tag in tags {
            self.builder.add(&btf::Type::DeclTag { name: self.names.name(tag), ty, component });
        }
    }

    /// The offset of a string of the section.
    pub fn string(&mut self, text: &str) -> btf::StrOff {
        self.builder.string(text)
    }

    /// The bytes, pruned pointers resolved.
    pub fn finish(mut self) -> Vec<u8> {
        let mut forwards: BTreeMap<RecordId, btf::TypeId> = BTreeMap::new();
        let tag = |record: RecordId| {
            self.types.records[record.0 as usize].tag.map_or("", |tag| self.names.name(tag))
        };
        let mut pruned: Vec<_> = std::mem::take(&mut self.pruned)
            .into_iter()
            .filter_map(|(ty, id)| Some((self.types.record_of(base(self.types, ty))?, ty, id)))
            .collect();
        // By name, as clang does it: the order must not depend on how much of the headers was read.
        pruned.sort_by_key(|&(record, _, id)| (tag(record), id));
        for (record, ty, id) in pruned {
            let known = self.records.get(&record).or(forwards.get(&record)).copied();
            let target = known.unwrap_or_else(|| self.builder.add(&forward(self.types, self.names, record)));
            if known.is_none() {
                forwards.insert(record, target);
            }
            let wrapper = wrapper(self.types, self.names, ty, target);
            self.builder.define(id, &wrapper);
        }
        self.builder.finish()
    }

    fn drain(&mut self) {
        while let Some(task) = self.work.pop() {
            match task {
                Task::Define(ty, id, route) => self.define(ty, id, route),
                Task::Members(record, id, at) => self.members(record, id, at),
                Task::Params(ty, id, at) => self.params(ty, id, at),
            }
        }
    }

    /// The id of a type; its definition may still be on the work list.
    fn id_of(&mut self, ty: TypeId, route: Route) -> btf::TypeId {
        let ty = skip_unwritten(self.types, ty);
        if let Some(id) = self.known(ty) {
            if route != Route::MemberPointer {
                self.follow(ty, route);
            }
            return id;
        }
        let id = self.builder.reserve();
        match *self.types.get(ty) {
            Type::Record(record) => self.records.insert(record, id),
            _ => self.ids.insert(ty, id),
        };
        self.work.push(Task::Define(ty, id, route));
        id
    }

    /// The id of a type that was met before.
    fn known(&self, ty: TypeId) -> Option<btf::TypeId> {
        match *self.types.get(ty) {
            Type::Void | Type::Error => Some(btf::TypeId::VOID),
            Type::Record(record) => self.records.get(&record).copied(),
            _ => self.ids.get(&ty).copied(),
        }
    }

    /// A type that was met before may lead to a record that was not followed then: follow it now if
    /// this route does. (Clang also follows the second member of a type `const T *`. We do not: the
    /// body of `T` need not have been read.)
    fn follow(&mut self, mut ty: TypeId, mut route: Route) {
        while is_wrapper(self.types, ty) {
            if route == Route::Member && matches!(self.types.get(ty), Type::Pointer(_)) {
                route = Route::MemberPointer;
            }
            let below = base(self.types, ty);
            if self.known(below).is_some() {
                ty = below;
                continue;
            }
            if route != Route::MemberPointer || !self.is_prunable(below) {
                self.id_of(below, route);
            }
            return;
        }
    }

    /// Is this what pointers within records are not followed to: a record with a name?
    fn is_prunable(&self, ty: TypeId) -> bool {
        match *self.types.get(ty) {
            Type::Record(record) => self.types.records[record.0 as usize].tag.is_some(),
            _ => false,
        }
    }

    fn define(&mut self, ty: TypeId, id: btf::TypeId, route: Route) {
        let types = self.types;
        match types.get(ty) {
            Type::Void | Type::Error => {}
            Type::Int(kind) => {
                let (_, name, encoding) = INTS[*kind as usize];
                let bits = if *kind == IntKind::Bool { 8 } else { kind.size() as u8 * 8 };
                self.builder
                    .define(id, &btf::Type::Int { name, size: kind.size(), encoding, offset: 0, bits });
            }
            Type::Float(kind) => {
                let (name, size) = match kind {
                    FloatKind::Float => ("float", 4),
                    FloatKind::Double => ("double", 8),
                    FloatKind::LongDouble => ("long double", 8),
                };
                self.builder.define(id, &btf::Type::Float { name, size });
            }
            Type::Array { elem, len } => {
                let elem = self.id_of(*elem, Route::Full);
                let index = self.index_type();
                let count = len.unwrap_or(0).try_into().unwrap_or(u32::MAX);
                self.builder.define(id, &btf::Type::Array { elem, index, count });
            }
            Type::Function(_) => self.work.push(Task::Params(ty, id, 0)),
            Type::Record(record) => self.work.push(Task::Members(*record, id, 0)),
            Type::Enum(e) => {
                let e = &types.enums[e.0 as usize];
                let repr = e.repr.unwrap_or(IntKind::UInt);
                let value = |&(name, value): &(Symbol, i128)| Enumerator {
                    name: self.names.name(name),
                    value: value as i64,
                };
                let enumeration = Enumeration {
                    name: e.tag.map_or("", |tag| self.names.name(tag)),
                    // An enum that is only declared has no size.
                    size: if e.enumerators.is_empty() { 0 } else { repr.size() },
                    signed: repr.is_signed(),
                    values: e.enumerators.iter().map(value).collect(),
                };
                self.builder.define(id, &btf::Type::Enum(enumeration));
                self.add_decl_tags(id, None, &e.decl_tags);
            }
            Type::Pointer(_) | Type::Typedef(_) | Type::Qualified { .. } | Type::Tagged { .. } => {
                self.define_wrapper(ty, id, route);
            }
            Type::AddressSpace { .. } => unreachable!("address spaces are skipped"),
        }
    }

    /// Pointers, typedefs, qualifiers and tags: one type around another.
    fn define_wrapper(&mut self, ty: TypeId, id: btf::TypeId, route: Route) {
        let route = match (route, self.types.get(ty)) {
            (Route::Member, Type::Pointer(_)) => Route::MemberPointer,
            (route, _) => route,
        };
        let below = base(self.types, ty);
        if route == Route::MemberPointer && self.is_prunable(below) {
            self.pruned.insert(ty, id);
            return;
        }
        // `const volatile` is two types in BTF, with nothing to name the inner one by.
        let target = match *self.types.get(ty) {
            Type::Qualified { quals, .. } if quals.0.count_ones() > 1 => {
                let mut target = self.id_of(below, route);
                let mut bits = [Quals::RESTRICT, Quals::VOLATILE, Quals::CONST].into_iter();
                let mut rest: Vec<Quals> = bits.by_ref().filter(|&bit| quals.contains(bit)).collect();
                rest.pop();
                let mut inner = Quals::NONE;
                for bit in rest {
                    inner = inner.union(bit);
                    target = match self.types.lookup(&Type::Qualified { inner: below, quals: inner }) {
                        Some(named) => self.id_of(named, route),
                        None => *self
                            .inner_quals
                            .entry((below, inner.0))
                            .or_insert_with(|| self.builder.add(&qualifier(bit, target))),
                    };
                }
                target
            }
            _ => self.id_of(below, route),
        };
        let wrapper = wrapper(self.types, self.names, ty, target);
        self.builder.define(id, &wrapper);
        if let Type::Typedef(typedef) = *self.types.get(ty) {
            let types = self.types;
            self.add_decl_tags(id, None, &types.typedefs[typedef.0 as usize].decl_tags);
        }
    }

    /// Result and parameters of a function type, one after another; then the type itself.
    fn params(&mut self, ty: TypeId, id: btf::TypeId, at: usize) {
        let Type::Function(function) = self.types.get(ty) else { return };
        let next = at.checked_sub(1).map_or(Some(function.ret), |param| function.params.get(param).copied());
        match next {
            Some(next) => {
                self.work.push(Task::Params(ty, id, at + 1));
                self.id_of(next, Route::Full);
            }
            None => self.define_prototype(id, function),
        }
    }

    /// Describes a function type whose result and parameters are known.
    fn define_prototype(&mut self, id: btf::TypeId, function: &FunctionType) {
        let mut params = Vec::new();
        for &param in &function.params {
            params.push(Param { name: "", ty: self.id_of(param, Route::MemberPointer) });
        }
        // What takes anything is described as if there were more.
        if function.variadic || !function.prototyped {
            params.push(Param { name: "", ty: btf::TypeId::VOID });
        }
        let ret = self.id_of(function.ret, Route::MemberPointer);
        self.builder.define(id, &btf::Type::FuncProto { ret, params });
    }

    /// Members of a record, one after another; then the record itself.
    fn members(&mut self, record: RecordId, id: btf::TypeId, at: usize) {
        let fields = self.types.records[record.0 as usize].body.as_ref().map(|body| &body.fields);
        match fields.and_then(|fields| fields.get(at)) {
            Some(field) => {
                self.work.push(Task::Members(record, id, at + 1));
                if is_described(field) {
                    self.id_of(field.ty, Route::Member);
                }
            }
            None => self.define_record(id, record),
        }
    }

    /// Describes a record whose members are known.
    fn define_record(&mut self, id: btf::TypeId, record: RecordId) {
        let types = self.types;
        let data = &types.records[record.0 as usize];
        let Some(body) = &data.body else {
            self.builder.define(id, &forward(types, self.names, record));
            return;
        };
        let mut members = Vec::new();
        let mut tags = Vec::new();
        for (index, field) in body.fields.iter().filter(|field| is_described(field)).enumerate() {
            let ty = self.id_of(field.ty, Route::MemberPointer);
            let name = field.name.map_or("", |name| self.names.name(name));
            let bit_size = field.bit_width.map(|width| width as u8);
            members.push(Member { name, ty, bit_offset: field.bit_offset as u32, bit_size });
            if !field.decl_tags.is_empty() {
                tags.push((index as u32, &field.decl_tags));
            }
        }
        let name = data.tag.map_or("", |tag| self.names.name(tag));
        let composite = Composite { name, size: body.size as u32, members };
        self.builder.define(
            id,
            &match data.kind {
                RecordKind::Struct => btf::Type::Struct(composite),
                RecordKind::Union => btf::Type::Union(composite),
            },
        );
        self.add_decl_tags(id, None, &data.decl_tags);
        for (index, tags) in tags {
            self.add_decl_tags(id, Some(index), tags);
        }
    }

    /// The type of array indexes, which nothing looks at but which must be there.
    fn index_type(&mut self) -> btf::TypeId {
        *self.index_type.get_or_insert_with(|| {
            let name = "__ARRAY_SIZE_TYPE__";
            self.builder.add(&btf::Type::Int {
                name,
                size: 4,
                encoding: Encoding::UNSIGNED,
                offset: 0,
                bits: 32,
            })
        })
    }
}

/// Unnamed bit-fields are padding and are not described.
fn is_described(field: &Field) -> bool {
    field.name.is_some() || field.bit_width.is_none()
}

/// BTF has no address spaces.
fn skip_unwritten(types: &Types, mut ty: TypeId) -> TypeId {
    while let Type::AddressSpace { inner, .. } = *types.get(ty) {
        ty = inner;
    }
    ty
}

fn is_wrapper(types: &Types, ty: TypeId) -> bool {
    matches!(
        types.get(ty),
        Type::Pointer(_) | Type::Typedef(_) | Type::Qualified { .. } | Type::Tagged { .. }
    )
}

/// The type directly below a pointer, typedef, qualifier or tag.
fn base(types: &Types, ty: TypeId) -> TypeId {
    let below = match *types.get(ty) {
        Type::Pointer(inner) | Type::Qualified { inner, .. } | Type::Tagged { inner, .. } => inner,
        Type::Typedef(typedef) => types.typedefs[typedef.0 as usize].target,
        _ => ty,
    };
    skip_unwritten(types, below)
}

/// The BTF type of a pointer, typedef, tag or the outermost qualifier around `target`.
fn wrapper<'n>(types: &Types, names: &'n Interner, ty: TypeId, target: btf::TypeId) -> btf::Type<'n> {
    match *types.get(ty) {
        Type::Typedef(typedef) => {
            btf::Type::Typedef { name: names.name(types.typedefs[typedef.0 as usize].name), ty: target }
        }
        Type::Tagged { tag, .. } => btf::Type::TypeTag { name: names.name(tag), ty: target },
        Type::Qualified { quals, .. } => {
            let outermost = [Quals::CONST, Quals::VOLATILE, Quals::RESTRICT];
            qualifier(outermost.into_iter().find(|&bit| quals.contains(bit)).unwrap_or(Quals::CONST), target)
        }
        _ => btf::Type::Ptr(target),
    }
}

fn qualifier(qual: Quals, target: btf::TypeId) -> btf::Type<'static> {
    match qual {
        Quals::VOLATILE => btf::Type::Volatile(target),
        Quals::RESTRICT => btf::Type::Restrict(target),
        _ => btf::Type::Const(target),
    }
}

fn forward<'n>(types: &Types, names: &'n Interner, record: RecordId) -> btf::Type<'n> {
    let data = &types.records[record.0 as usize];
    btf::Type::Fwd { name: data.tag.map_or("", |tag| names.name(tag)), union: data.kind == RecordKind::Union }
}

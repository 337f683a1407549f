//! Which types a skeleton in Rust or Go declares, by which names, and where their members lie.
//!
//! In: the types that variables, keys and values of maps have. Out: [`Declared`], every structure, union
//! and enumeration that they contain or point to, each with a name of its own; and [`pieces`], the
//! members of one with the gaps between them.

use std::collections::{BTreeMap, BTreeSet};

use skep_stdlib::btf::{Btf, Composite, Kind, Member, Type, TypeId};

/// Types with names, in the order in which they were met.
pub struct Declared<'a> {
    /// Where they are from.
    pub btf: &'a Btf,
    /// The types.
    pub order: Vec<TypeId>,
    names: BTreeMap<TypeId, String>,
}

impl<'a> Declared<'a> {
    /// All that `roots` contain or point to. `name` makes a name of a tag; `taken` are those of others.
    pub fn new(
        btf: &'a Btf,
        roots: impl Iterator<Item = TypeId>,
        taken: &[String],
        name: impl Fn(&str) -> String,
    ) -> Declared<'a> {
        let mut declared = Declared { btf, order: Vec::new(), names: BTreeMap::new() };
        let mut used: BTreeSet<String> = taken.iter().cloned().collect();
        let mut anonymous = 0;
        let mut seen = BTreeSet::new();
        let mut open: Vec<TypeId> = roots.collect();
        open.reverse();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match btf.ty(id) {
                Some(Type::Struct(composite) | Type::Union(composite)) => {
                    open.extend(composite.members.iter().rev().map(|member| member.ty));
                }
                Some(Type::Enum(_)) => {}
                Some(Type::FuncProto { .. }) | None => continue,
                Some(_) => {
                    open.extend(btf.target(id));
                    continue;
                }
            }
            let base = match btf.name(id) {
                "" => {
                    anonymous += 1;
                    name(&format!("__anon_{anonymous}"))
                }
                tag => name(tag),
            };
            let mut unique = base.clone();
            for number in 2.. {
                if used.insert(unique.clone()) {
                    break;
                }
                unique = format!("{base}_{number}");
            }
            declared.names.insert(id, unique);
            declared.order.push(id);
        }
        declared
    }

    /// The name of a declared type.
    pub fn name(&self, id: TypeId) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }
}

/// The type behind qualifiers, tags and typedefs, and whether there is more to it than a name.
pub fn resolved(btf: &Btf, id: TypeId) -> (TypeId, Option<Type<'_>>) {
    let id = btf.resolve(id).unwrap_or(TypeId::VOID);
    (id, btf.ty(id))
}

/// A stretch of a structure.
pub enum Piece<'a> {
    /// A member that is more than a few bits.
    Member(Member<'a>),
    /// Bytes that nothing, or a bit-field, lies in.
    Gap(u32),
}

/// How a language lays a structure out.
pub struct Pieces<'a> {
    /// In the order of their offsets.
    pub list: Vec<Piece<'a>>,
    /// The largest alignment of a member.
    pub align: u32,
    /// A member or the end lies where its alignment does not allow it.
    pub packed: bool,
}

/// Which gaps are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    /// Those that alignment does not make.
    Unnatural,
    /// All.
    All,
}

/// The stretches of a structure or section whose members align as `align` says.
pub fn pieces<'a>(
    btf: &Btf,
    layout: &Composite<'a>,
    gaps: Gaps,
    align: &dyn Fn(TypeId) -> u32,
) -> Pieces<'a> {
    let whole = |member: &&Member<'a>| member.bit_size.is_none() && member.byte_offset().is_some();
    let members = || layout.members.iter().filter(whole);
    let largest = members().map(|member| align(member.ty)).max().unwrap_or(1).max(1);
    let misplaced = |member: &Member<'_>| !(member.bit_offset / 8).is_multiple_of(align(member.ty).max(1));
    let packed = members().any(misplaced) || !layout.size.is_multiple_of(largest);
    let (mut list, mut end) = (Vec::new(), 0u32);
    let listed = packed || gaps == Gaps::All;
    for member in members() {
        let offset = member.bit_offset / 8;
        let natural = if listed { end } else { round_up(end, align(member.ty)) };
        if natural < offset {
            list.push(Piece::Gap(offset - end));
        }
        list.push(Piece::Member(*member));
        end = offset.saturating_add(btf.size_of(member.ty).unwrap_or(0) as u32);
    }
    let natural = if listed { end } else { round_up(end, largest) };
    if natural < layout.size {
        list.push(Piece::Gap(layout.size - end));
    }
    Pieces { list, align: if packed { 1 } else { largest }, packed }
}

/// The next multiple, or as far as numbers go.
pub fn round_up(value: u32, align: u32) -> u32 {
    value.checked_next_multiple_of(align.max(1)).unwrap_or(u32::MAX)
}

/// Nesting by value beyond which a file is malformed.
const MAX_DEPTH: u32 = 64;

/// The alignment of a type in a language that packs what C packed.
pub fn align_of(btf: &Btf, id: TypeId, depth: u32) -> u32 {
    if depth > MAX_DEPTH {
        return 1;
    }
    match resolved(btf, id) {
        (_, Some(Type::Array { elem, .. })) => align_of(btf, elem, depth + 1),
        (_, Some(Type::Struct(layout))) => {
            pieces(btf, &layout, Gaps::Unnatural, &|member| align_of(btf, member, depth + 1)).align
        }
        (_, Some(Type::Union(layout))) => {
            let members = layout.members.iter().map(|member| align_of(btf, member.ty, depth + 1));
            let largest = members.max().unwrap_or(1);
            if layout.size.is_multiple_of(largest) { largest } else { 1 }
        }
        (id, _) => match btf.kind(id) {
            Some(Kind::Ptr) => 8,
            _ => btf.align_of(id).max(1),
        },
    }
}

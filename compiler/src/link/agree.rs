//! Whether two files mean the same by a name.
//!
//! In: the variable, function or map as each file's types describe it. Out: the first difference, in words.
//! Values must look the same to the last member; behind a pointer only the tag counts, since one of the files
//! may know no more. Names of parameters, sizes of arrays and qualifiers do not count.

use skep_stdlib::btf::{Btf, Composite, Linkage, Member, Type, TypeId};

/// Nesting beyond which a description is malformed.
const MAX_DEPTH: u32 = 64;

/// A type and where it is from.
#[derive(Clone, Copy)]
struct Side<'a> {
    btf: &'a Btf,
    id: TypeId,
}

impl<'a> Side<'a> {
    fn to(self, id: TypeId) -> Side<'a> {
        Side { id, ..self }
    }

    /// What is behind qualifiers and typedefs.
    fn ty(self) -> Type<'a> {
        self.btf.resolve(self.id).and_then(|id| self.btf.ty(id)).unwrap_or(Type::Void)
    }

    fn size(self) -> u64 {
        self.btf.size_of(self.id).unwrap_or(0)
    }
}

/// Compares variables or functions.
pub(super) fn types(a: &Btf, a_id: TypeId, b: &Btf, b_id: TypeId) -> Result<(), String> {
    compare(Side { btf: a, id: a_id }, Side { btf: b, id: b_id }, true, 0)
}

/// Compares map definitions by what they say, whatever the order and form.
pub(super) fn maps(a: &Btf, a_id: TypeId, b: &Btf, b_id: TypeId) -> Result<(), String> {
    let definition = |side: Side<'_>| match side.btf.ty(side.id) {
        Some(Type::Var { ty, .. }) => ty,
        _ => side.id,
    };
    let (a, b) = (Side { btf: a, id: a_id }, Side { btf: b, id: b_id });
    attributes(a.to(definition(a)), b.to(definition(b)), 0)
}

/// Attributes of maps, and the others of the same meaning.
const ATTRIBUTES: &[&str] =
    &["type", "key", "value", "max_entries", "map_flags", "numa_node", "pinning", "map_extra", "values"];

fn attributes(a: Side<'_>, b: Side<'_>, depth: u32) -> Result<(), String> {
    let (Type::Struct(ours), Type::Struct(theirs)) = (a.ty(), b.ty()) else {
        return Err("one of them is not the definition of a map".into());
    };
    if depth > MAX_DEPTH {
        return Ok(());
    }
    for &name in ATTRIBUTES {
        let differs = || Err(format!("`{name}` of the map differs"));
        let (x, y) = (attribute(a, &ours, name), attribute(b, &theirs, name));
        let (Some(x), Some(y)) = (x, y) else {
            // Zero is what is not said.
            let stated = x.or(y).is_some_and(|given| given.number != 0 || given.element.is_some());
            if stated {
                return differs();
            }
            continue;
        };
        if x.number != y.number || x.target.is_some() != y.target.is_some() {
            return differs();
        }
        if let (Some(x), Some(y)) = (x.target, y.target) {
            compare(x, y, true, 0).map_err(|why| format!("`{name}` of the map differs: {why}"))?;
        }
        match (x.element, y.element) {
            (Some(x), Some(y)) if matches!((x.ty(), y.ty()), (Type::Struct(_), Type::Struct(_))) => {
                attributes(x, y, depth + 1)?;
            }
            (Some(x), Some(y)) => compare(x, y, false, 0)?,
            _ => {}
        }
    }
    Ok(())
}

/// What an attribute says.
#[derive(Clone, Copy)]
struct Attribute<'a> {
    /// A number, or the size of a key or value.
    number: u64,
    /// The type of a key or value.
    target: Option<Side<'a>>,
    /// What `values` holds.
    element: Option<Side<'a>>,
}

fn attribute<'a>(side: Side<'a>, layout: &Composite<'a>, name: &str) -> Option<Attribute<'a>> {
    let member = |name: &str| layout.members.iter().find(|member| member.name == name);
    let number = |member: &Member<'a>| match side.to(member.ty).ty() {
        Type::Ptr(target) => match side.to(target).ty() {
            Type::Array { count, .. } => u64::from(count),
            _ => 0,
        },
        Type::Enum(e) => e.values.first().map_or(0, |value| value.value as u64),
        _ => 0,
    };
    let plain = |number| Attribute { number, target: None, element: None };
    match name {
        "key" | "value" => match member(name) {
            Some(found) => {
                let Type::Ptr(target) = side.to(found.ty).ty() else { return None };
                let target = side.to(target);
                Some(Attribute { number: target.size(), target: Some(target), element: None })
            }
            None => member(&format!("{name}_size")).map(|found| plain(number(found))),
        },
        "values" => {
            let Type::Array { elem, .. } = side.to(member(name)?.ty).ty() else { return None };
            let Type::Ptr(target) = side.to(elem).ty() else { return None };
            Some(Attribute { number: 0, target: None, element: Some(side.to(target)) })
        }
        _ => member(name).map(|found| plain(number(found))),
    }
}

fn compare(a: Side<'_>, b: Side<'_>, exact: bool, depth: u32) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    let next = |x: TypeId, y: TypeId, exact: bool| compare(a.to(x), b.to(y), exact, depth + 1);
    let (x, y) = (a.ty(), b.ty());
    let differ = || Err(format!("{} and {}", words(&y), words(&x)));
    let same_name = x.name() == y.name();
    match (&x, &y) {
        (Type::Fwd { union, .. }, Type::Struct(_) | Type::Union(_)) if !exact => {
            if same_name && *union == matches!(y, Type::Union(_)) { Ok(()) } else { differ() }
        }
        (Type::Struct(_) | Type::Union(_), Type::Fwd { union, .. }) if !exact => {
            if same_name && *union == matches!(x, Type::Union(_)) { Ok(()) } else { differ() }
        }
        (Type::Struct(ours), Type::Struct(theirs)) | (Type::Union(ours), Type::Union(theirs)) => {
            if !same_name {
                return differ();
            }
            if !exact {
                return Ok(());
            }
            members(a, b, ours, theirs, depth)
        }
        (Type::Void, Type::Void) => Ok(()),
        (Type::Fwd { union: p, .. }, Type::Fwd { union: q, .. }) if same_name && p == q => Ok(()),
        (Type::Int { size: p, .. }, Type::Int { size: q, .. }) if p == q => Ok(()),
        (Type::Float { size: p, .. }, Type::Float { size: q, .. }) if p == q => Ok(()),
        (Type::Enum(p), Type::Enum(q)) if same_name && p.size == q.size => Ok(()),
        (Type::Ptr(p), Type::Ptr(q)) => next(*p, *q, false),
        (Type::Array { elem: p, .. }, Type::Array { elem: q, .. }) => next(*p, *q, exact),
        (Type::Var { ty: p, linkage: l, .. }, Type::Var { ty: q, linkage: m, .. })
        | (Type::Func { proto: p, linkage: l, .. }, Type::Func { proto: q, linkage: m, .. })
            if (*l == Linkage::Static) == (*m == Linkage::Static) =>
        {
            next(*p, *q, exact)
        }
        (Type::FuncProto { ret: p, params: ours }, Type::FuncProto { ret: q, params: theirs }) => {
            if ours.len() != theirs.len() {
                return Err(format!("{} and {} parameters", theirs.len(), ours.len()));
            }
            for (p, q) in ours.iter().zip(theirs) {
                next(p.ty, q.ty, exact)?;
            }
            next(*p, *q, exact)
        }
        _ => differ(),
    }
}

fn members(
    a: Side<'_>,
    b: Side<'_>,
    ours: &Composite<'_>,
    theirs: &Composite<'_>,
    depth: u32,
) -> Result<(), String> {
    let tag = if ours.name.is_empty() { "the structure" } else { ours.name };
    if ours.members.len() != theirs.members.len() {
        return Err(format!("`{tag}` has {} and {} members", theirs.members.len(), ours.members.len()));
    }
    for (x, y) in ours.members.iter().zip(&theirs.members) {
        if (x.name, x.bit_offset) != (y.name, y.bit_offset) {
            return Err(format!("member `{}` of `{tag}` differs", y.name));
        }
        compare(a.to(x.ty), b.to(y.ty), true, depth + 1)?;
    }
    Ok(())
}

/// A type in a message.
fn words(ty: &Type<'_>) -> String {
    let kind = match ty {
        Type::Struct(_) | Type::Fwd { union: false, .. } => "struct",
        Type::Union(_) | Type::Fwd { union: true, .. } => "union",
        Type::Enum(_) => "enum",
        Type::Void => return "`void`".into(),
        Type::Ptr(_) => return "a pointer".into(),
        Type::Array { .. } => return "an array".into(),
        Type::Func { .. } | Type::FuncProto { .. } => return "a function".into(),
        Type::Var { .. } => return "a variable".into(),
        Type::Int { .. } | Type::Float { .. } => return format!("`{}`", ty.name()),
        Type::Typedef { .. }
        | Type::Volatile(_)
        | Type::Const(_)
        | Type::Restrict(_)
        | Type::Datasec { .. }
        | Type::DeclTag { .. }
        | Type::TypeTag { .. } => return "another type".into(),
    };
    format!("`{kind} {}`", ty.name())
}

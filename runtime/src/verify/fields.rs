//! Fields of map values and of allocated objects that belong to the kernel: locks, timers, list
//! heads, pointers to kernel objects. Programs reach them through functions only.
//!
//! In: the type in the object's BTF. Out: where such fields are, and what each may refer to.

use alloc::vec::Vec;

use skep_stdlib::btf::{self, Btf, Kind, TypeId};
use skep_stdlib::maps::MapType;

use crate::object::MapDef;

/// What a field is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// A lock that is held for a few instructions.
    SpinLock,
    /// One that taking may fail.
    ResilientLock,
    /// A timer.
    Timer,
    /// Work for later.
    Work,
    /// Work for later in the context of a task.
    TaskWork,
    /// The head of a list of objects.
    ListHead,
    /// What links an object into a list.
    ListNode,
    /// The root of a tree of objects.
    TreeRoot,
    /// What links an object into a tree.
    TreeNode,
    /// The number of references to the object.
    Refcount,
    /// A pointer to an object.
    Pointer(Keeps),
    /// One of a kind that is not modelled.
    Other,
}

/// How a field keeps the object that it points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    /// Not at all.
    Nothing,
    /// It owns a reference.
    Reference,
    /// The same to an object of each processor.
    PerCpu,
    /// It is memory of the user's.
    User,
}

/// A field that loads and stores may not touch, but for some pointers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Special {
    /// Bytes from the start of the value.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// What it is: the structure's name, or the pointer's tag.
    pub name: &'static str,
    /// The same for the rules.
    pub field: Field,
    /// The type, in the object's BTF, of what a pointer points to or what a head or root holds.
    pub ty: TypeId,
    /// The offset in that type of the node by which it is held.
    pub node: u32,
}

impl Special {
    /// The structure that a field of this kind is.
    fn of_structure(row: &(&'static str, Field), offset: u32, size: u32) -> Special {
        Special { offset, size, name: row.0, field: row.1, ty: TypeId::VOID, node: 0 }
    }

    /// Does it overlap the bytes from `start` to `end`?
    pub fn overlaps(&self, start: i64, end: i64) -> bool {
        start < i64::from(self.offset + self.size) && i64::from(self.offset) < end
    }
}

/// Structures that are such fields.
const STRUCTURES: &[(&str, Field)] = &[
    ("bpf_spin_lock", Field::SpinLock),
    ("bpf_res_spin_lock", Field::ResilientLock),
    ("bpf_timer", Field::Timer),
    ("bpf_wq", Field::Work),
    ("bpf_task_work", Field::TaskWork),
    ("bpf_list_head", Field::ListHead),
    ("bpf_list_node", Field::ListNode),
    ("bpf_rb_root", Field::TreeRoot),
    ("bpf_rb_node", Field::TreeNode),
    ("bpf_refcount", Field::Refcount),
];
/// Tags of pointers to kernel objects.
const POINTER_TAGS: &[(&str, Keeps)] = &[
    ("kptr_untrusted", Keeps::Nothing),
    ("kptr", Keeps::Reference),
    ("percpu_kptr", Keeps::PerCpu),
    ("uptr", Keeps::User),
];
/// Fields of nested structures are looked for this deep.
const MAX_DEPTH: u32 = 16;
/// Of a value with more fields than this the kernel knows none (`BTF_FIELDS_MAX`).
const MAX_FIELDS: usize = 11;
/// Fields of which a value has one at most.
const UNIQUE: &[Field] =
    &[Field::SpinLock, Field::ResilientLock, Field::Timer, Field::Work, Field::TaskWork, Field::Refcount];

/// Fields because of which the kernel takes no types at all, if it can make nothing of a value.
const LINKED: &[Field] =
    &[Field::SpinLock, Field::ListHead, Field::ListNode, Field::TreeRoot, Field::TreeNode, Field::Refcount];

/// The search for fields in one type.
struct Search<'a> {
    btf: &'a Btf,
    found: Vec<Special>,
    /// Is there a pointer with a tag of which the kernel can make nothing?
    is_odd: bool,
}

/// Fields, and the maps in whose values they may be (kernel `map_check_btf`).
const IN_MAPS: &[(&[Field], &[MapType])] = &[
    (
        &[Field::SpinLock, Field::ResilientLock],
        &[
            MapType::Hash,
            MapType::Array,
            MapType::CgroupStorage,
            MapType::SkStorage,
            MapType::InodeStorage,
            MapType::TaskStorage,
            MapType::CgrpStorage,
        ],
    ),
    (
        &[Field::Timer, Field::Work, Field::TaskWork, Field::ListHead, Field::TreeRoot],
        &[MapType::Hash, MapType::LruHash, MapType::Array],
    ),
    (&[Field::Pointer(Keeps::User)], &[MapType::TaskStorage]),
];

/// The special fields of the values of a map. One that cannot have its fields is created without types,
/// and its values are plain memory.
pub fn of_value(btf: &Btf, def: &MapDef) -> Vec<Special> {
    let found = special(btf, def.btf_value);
    let is_in = |field| found.iter().any(|special| special.field == field);
    let fits = |special: &Special| {
        let row = IN_MAPS.iter().find(|row| row.0.contains(&special.field));
        row.is_none_or(|row| row.1.contains(&def.ty))
    };
    let two_locks = is_in(Field::SpinLock) && is_in(Field::ResilientLock);
    if found.iter().all(fits) && !two_locks { found } else { Vec::new() }
}

/// The special fields of an allocated object. A resilient lock alone is none: the kernel looks into
/// structures only that have another.
pub fn of_object(btf: &Btf, ty: TypeId) -> Vec<Special> {
    let found = special(btf, ty);
    let alone = found.iter().all(|special| special.field == Field::ResilientLock);
    if alone { Vec::new() } else { found }
}

/// All that may be special in a value of this type.
pub fn special(btf: &Btf, ty: TypeId) -> Vec<Special> {
    let mut search = Search { btf, found: Vec::new(), is_odd: false };
    if let Some(ty) = btf.resolve(ty) {
        search.collect(ty, 0, MAX_DEPTH, None);
    }
    let mut found = search.found;
    let count = |wanted: &Field| found.iter().filter(|special| special.field == *wanted).count();
    if search.is_odd || found.len() > MAX_FIELDS || UNIQUE.iter().any(|field| count(field) > 1) {
        // Either none is special to the kernel, or they may not be touched, nor used as what they are.
        match LINKED.iter().any(|field| count(field) > 0) {
            true => found.iter_mut().for_each(|special| special.field = Field::Other),
            false => found.clear(),
        }
    }
    found
}

impl Search<'_> {
    /// Looks into a type at this offset; `declared` is where its declaration has tags. What is declared
    /// by another name, or as constant, is nothing special to the kernel.
    fn collect(&mut self, ty: TypeId, offset: u32, depth: u32, declared: Option<(TypeId, Option<u32>)>) {
        let btf = self.btf;
        let Some(depth) = depth.checked_sub(1) else { return };
        if self.found.len() > MAX_FIELDS {
            return;
        }
        if btf.kind(ty) == Some(Kind::Struct) {
            let name = btf.name(ty);
            if let Some(row) = STRUCTURES.iter().find(|row| row.0 == name) {
                let size = btf.size_of(ty).and_then(|size| u32::try_from(size).ok()).unwrap_or(0);
                self.found.push(self.with_contents(Special::of_structure(row, offset, size), declared));
                return;
            }
            for (index, field) in (0..).zip(btf.fields(ty)) {
                if let (Some(start), None) = (field.byte_offset(), field.bit_size) {
                    let declared = Some((ty, Some(index)));
                    self.collect(field.ty, offset.saturating_add(start), depth, declared);
                }
            }
            return;
        }
        match btf.ty(ty) {
            Some(btf::Type::Array { elem, count, .. }) => {
                let Some(size) = btf.size_of(elem).and_then(|size| u32::try_from(size).ok()) else { return };
                for index in 0..count {
                    let before = self.found.len();
                    let offset = offset.saturating_add(index.saturating_mul(size));
                    self.collect(elem, offset, depth, declared);
                    if self.found.len() == before {
                        return;
                    }
                }
            }
            Some(btf::Type::Datasec { vars, .. }) => {
                for var in vars {
                    if let Some(ty) = btf.target(var.ty) {
                        self.collect(ty, offset.saturating_add(var.offset), depth, Some((var.ty, None)));
                    }
                }
            }
            Some(btf::Type::Volatile(inner)) if btf.kind(inner) == Some(Kind::Ptr) => {
                self.collect(inner, offset, depth, declared);
            }
            Some(btf::Type::Ptr(target)) => self.pointer(target, offset),
            _ => {}
        }
    }

    /// A pointer field to `target`, if that has a tag of kernel pointers, and no other.
    fn pointer(&mut self, target: TypeId, offset: u32) {
        let Some(btf::Type::TypeTag { name, ty }) = self.btf.ty(target) else { return };
        let row = POINTER_TAGS.iter().find(|row| row.0 == name);
        let pointee = self.btf.resolve(ty).filter(|&ty| self.btf.kind(ty) == Some(Kind::Struct));
        match (row, pointee) {
            (Some(&(name, keeps)), Some(pointee)) if self.btf.kind(ty) != Some(Kind::TypeTag) => {
                let field = Field::Pointer(keeps);
                self.found.push(Special { offset, size: 8, name, field, ty: pointee, node: 0 });
            }
            _ => self.is_odd = true,
        }
    }

    /// A head or root with what its declaration says that it holds.
    fn with_contents(&self, special: Special, declared: Option<(TypeId, Option<u32>)>) -> Special {
        let wanted = match special.field {
            Field::ListHead => "bpf_list_node",
            Field::TreeRoot => "bpf_rb_node",
            _ => return special,
        };
        let held = declared.and_then(|(ty, member)| contained(self.btf, ty, member));
        let Some((ty, node)) = held else { return special };
        let Some(ty) = self.btf.find(ty, Kind::Struct) else { return special };
        let member = self.btf.members(ty).find(|member| member.name == node);
        let member =
            member.filter(|member| self.btf.resolve(member.ty).is_some_and(|ty| self.btf.name(ty) == wanted));
        match member.and_then(|member| member.byte_offset()) {
            Some(node) => Special { ty, node, ..special },
            None => special,
        }
    }
}

/// What the tag of a variable, or of a member of a structure, says that it holds: a type and its node
/// (`contains:TYPE:NODE`).
fn contained(btf: &Btf, at: TypeId, member: Option<u32>) -> Option<(&str, &str)> {
    btf.tags(at, member).find_map(|tag| tag.strip_prefix("contains:")?.split_once(':'))
}

//! Fields of map values that belong to the kernel: locks, timers, list heads, pointers to kernel
//! objects. Programs reach them through helpers only.
//!
//! In: the value's type in the object's BTF. Out: where such fields are.

use alloc::vec::Vec;

use skep_stdlib::btf::{self, Btf, TypeId};

/// A field that loads and stores may not touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Special {
    /// Bytes from the start of the value.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// What it is: the structure's name, or `kptr`.
    pub name: &'static str,
}

/// Structures that are such fields.
const STRUCTURES: &[&str] = &[
    "bpf_spin_lock",
    "bpf_res_spin_lock",
    "bpf_timer",
    "bpf_wq",
    "bpf_task_work",
    "bpf_list_head",
    "bpf_list_node",
    "bpf_rb_root",
    "bpf_rb_node",
    "bpf_refcount",
];
/// Tags of pointers to kernel objects.
const POINTER_TAGS: &[&str] = &["kptr", "kptr_untrusted", "percpu_kptr", "uptr"];
/// Fields of nested structures are looked for this deep.
const MAX_DEPTH: u32 = 16;
/// More fields than this no value of the kernel's may have.
const MAX_FIELDS: usize = 64;

/// The special fields of a value of this type.
pub fn special(btf: &Btf, ty: TypeId) -> Vec<Special> {
    let mut found = Vec::new();
    collect(btf, ty, 0, MAX_DEPTH, &mut found);
    found
}

fn collect(btf: &Btf, ty: TypeId, offset: u32, depth: u32, found: &mut Vec<Special>) {
    let Some(resolved) = btf.resolve(ty) else { return };
    let Some(depth) = depth.checked_sub(1) else { return };
    if found.len() >= MAX_FIELDS {
        return;
    }
    match btf.ty(resolved) {
        Some(btf::Type::Struct(composite)) => {
            if let Some(&name) = STRUCTURES.iter().find(|&&name| name == composite.name) {
                found.push(Special { offset, size: composite.size, name });
                return;
            }
            for member in &composite.members {
                if let (Some(start), None) = (member.byte_offset(), member.bit_size) {
                    collect(btf, member.ty, offset + start, depth, found);
                }
            }
        }
        Some(btf::Type::Array { elem, count, .. }) => {
            let Some(size) = btf.size_of(elem).and_then(|size| u32::try_from(size).ok()) else { return };
            for index in 0..count {
                let before = found.len();
                collect(btf, elem, offset + index * size, depth, found);
                if found.len() == before {
                    return;
                }
            }
        }
        Some(btf::Type::Datasec { vars, .. }) => {
            for var in vars {
                if let Some(ty) = btf.target(var.ty) {
                    collect(btf, ty, offset + var.offset, depth, found);
                }
            }
        }
        Some(btf::Type::Ptr(target)) if is_tagged(btf, target) => {
            found.push(Special { offset, size: 8, name: "kptr" });
        }
        _ => {}
    }
}

/// Does the type that a pointer points to have a tag of kernel pointers?
fn is_tagged(btf: &Btf, ty: TypeId) -> bool {
    matches!(btf.ty(ty), Some(btf::Type::TypeTag { name, .. }) if POINTER_TAGS.contains(&name))
}

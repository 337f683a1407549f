//! Maps: the kernel's semantics and error numbers, contents in VM memory.
//!
//! - [`Map`]: what every type offers; [`create`] makes one from its definition.
//! - `array`, `hash`, `handles` (perf, program, map-in-map), `ringbuf`, `user_ringbuf`, `queue`, `lpm`,
//!   `bloom`, `arena`: the types.
//! - `slab`, `table`, `index`: where values and keys are kept.
//!
//! A value's address is an address in [`Memory`], so programs reach it with plain loads and
//! stores. Nothing here depends on hash order or on time: the same operations give the same
//! contents, listed in the order of their keys.

mod arena;
mod array;
mod bloom;
mod check;
mod handles;
mod hash;
pub(crate) mod index;
mod lpm;
mod queue;
mod ringbuf;
mod slab;
mod table;
mod user_ringbuf;

pub use arena::Arena;
pub use index::IndexLayout;
pub use ringbuf::RingBuf;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use skep_stdlib::maps::{MapType, Value};

use crate::object::{LoadError, MapDef, Place};
use crate::vm::{MapContents, Memory};

/// An error number of the kernel; `code` is what a helper returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

#[allow(missing_docs)]
impl Errno {
    pub const EPERM: Errno = Errno(1);
    pub const ENOENT: Errno = Errno(2);
    pub const E2BIG: Errno = Errno(7);
    pub const EBADF: Errno = Errno(9);
    pub const EAGAIN: Errno = Errno(11);
    pub const ENOMEM: Errno = Errno(12);
    pub const EACCES: Errno = Errno(13);
    pub const EFAULT: Errno = Errno(14);
    pub const EBUSY: Errno = Errno(16);
    pub const EEXIST: Errno = Errno(17);
    pub const EINVAL: Errno = Errno(22);
    pub const ENOSPC: Errno = Errno(28);
    pub const ERANGE: Errno = Errno(34);
    pub const EDEADLK: Errno = Errno(35);
    pub const ENAMETOOLONG: Errno = Errno(36);
    pub const ENOMSG: Errno = Errno(42);
    pub const EPROTO: Errno = Errno(71);
    pub const EOPNOTSUPP: Errno = Errno(95);
    pub const ENOTSUPP: Errno = Errno(524);

    /// The helper's return value: the negative number.
    pub fn code(self) -> u64 {
        i64::from(-self.0) as u64
    }

    /// The same of a kernel function that returns an `int`: the upper half says nothing.
    pub fn int(self) -> u64 {
        self.code() & u64::from(u32::MAX)
    }
}

/// Update flags of `bpf_map_update_elem`.
pub const BPF_NOEXIST: u64 = 1;
/// See [`BPF_NOEXIST`].
pub const BPF_EXIST: u64 = 2;
/// The element holds a spin lock that the update takes; nothing runs at the same time here.
pub const BPF_F_LOCK: u64 = 4;

/// What a map can do. Keys and values have the sizes of the definition: [`MapSet`] sees to it. What a kind of
/// map does not define it does not do: it has no elements to find by keys, and refuses the rest.
pub trait Map {
    /// Address of the value for `key` on `cpu`.
    fn lookup(&mut self, key: &[u8], cpu: u32) -> Option<u64> {
        let _ = (key, cpu);
        None
    }

    /// `bpf_map_update_elem` on `cpu`.
    fn update(
        &mut self,
        memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
        cpu: u32,
    ) -> Result<(), Errno> {
        let _ = (memory, key, value, flags, cpu);
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_delete_elem`.
    fn delete(&mut self, memory: &mut Memory, key: &[u8]) -> Result<(), Errno> {
        let _ = (memory, key);
        Err(Errno::EOPNOTSUPP)
    }

    /// The keys in the order that a program's iteration meets them.
    fn keys(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// Addresses of the values for `key`, one per CPU for per-CPU maps.
    fn values(&self, key: &[u8]) -> Vec<u64> {
        let _ = key;
        Vec::new()
    }

    /// Address of the only value, for maps whose value programs address directly.
    fn direct_value(&self) -> Option<u64> {
        None
    }

    /// Where the elements are, of an array with one value for each: key times stride from the start.
    fn array_layout(&self) -> Option<ArrayLayout> {
        None
    }

    /// Where compiled programs find values by keys, if there is such a place.
    fn index_layout(&self) -> Option<IndexLayout> {
        None
    }

    /// The handle that an array of maps, programs or the like keeps for `key`.
    fn handle(&self, key: &[u8]) -> Option<u32> {
        let _ = key;
        None
    }

    /// `bpf_map_push_elem`.
    fn push(&mut self, memory: &mut Memory, value: &[u8], flags: u64) -> Result<(), Errno> {
        let _ = (memory, value, flags);
        Err(Errno::EOPNOTSUPP)
    }

    /// `bpf_map_peek_elem`, and `bpf_map_pop_elem` if `remove`.
    fn peek(&mut self, memory: &Memory, remove: bool) -> Result<Vec<u8>, Errno> {
        let _ = (memory, remove);
        Err(Errno::EOPNOTSUPP)
    }

    /// Whether the value was perhaps put in, of maps that can only say that.
    fn has(&self, value: &[u8]) -> Option<bool> {
        let _ = value;
        None
    }

    /// The arena, if it is one.
    fn arena(&mut self) -> Option<&mut Arena> {
        None
    }

    /// The ring buffer, if it is one.
    fn ringbuf(&mut self) -> Option<&mut RingBuf> {
        None
    }
}

/// How an array lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArrayLayout {
    /// Address of the first element.
    pub start: u64,
    /// Number of elements, below 2^31 as what fits into memory is.
    pub count: u32,
    /// Distance of elements.
    pub stride: u32,
}

/// A created map with its definition.
pub struct MapEntry {
    /// What it was made from; `max_entries` as created.
    pub def: MapDef,
    map: Box<dyn Map>,
}

/// The maps of a VM, by index in the image; inner maps that programs never name follow.
#[derive(Default)]
pub struct MapSet {
    entries: Vec<MapEntry>,
}

impl MapSet {
    /// Creates all maps of an image for `cpus` processors.
    pub fn create(defs: &[MapDef], cpus: u32, memory: &mut Memory) -> Result<MapSet, LoadError> {
        let mut set = MapSet::default();
        for def in defs {
            let entry = create(def.clone(), cpus, memory)?;
            set.entries.push(entry);
        }
        Ok(set)
    }

    /// Number of maps.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The map with this index.
    pub fn get(&self, index: u32) -> Option<&MapEntry> {
        self.entries.get(index as usize)
    }

    /// The map with this index, to change it.
    pub fn get_mut(&mut self, index: u32) -> Option<&mut MapEntry> {
        self.entries.get_mut(index as usize)
    }

    /// Index of the map with this name.
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.entries.iter().position(|entry| entry.def.name == name).map(|index| index as u32)
    }

    /// Address of the single value of an array map.
    pub fn value_address(&self, index: u32) -> Option<u64> {
        self.get(index)?.map.direct_value()
    }

    /// Does a look-up give the address of a value? Other maps hold maps.
    pub fn holds_values(&self, index: u32) -> bool {
        self.get(index)
            .is_some_and(|entry| !matches!(entry.def.ty, MapType::ArrayOfMaps | MapType::HashOfMaps))
    }

    /// How an array's elements lie in memory; none for other maps.
    pub fn array_layout(&self, index: u32) -> Option<ArrayLayout> {
        self.get(index)?.map.array_layout()
    }

    /// Where a map's values are found by their keys without a call; none for most maps.
    pub fn index_layout(&self, index: u32) -> Option<IndexLayout> {
        self.get(index)?.map.index_layout()
    }

    /// What user space would read from all maps.
    pub fn contents(&self, memory: &Memory) -> Vec<MapContents> {
        self.entries.iter().map(|entry| entry.contents(memory)).collect()
    }
}

impl MapEntry {
    /// Address of the value for `key` on `cpu`.
    pub fn lookup(&mut self, key: &[u8], cpu: u32) -> Option<u64> {
        self.map.lookup(key, cpu)
    }

    /// `bpf_map_update_elem`, after the checks that all types share.
    pub fn update(
        &mut self,
        memory: &mut Memory,
        key: &[u8],
        value: &[u8],
        flags: u64,
        cpu: u32,
    ) -> Result<(), Errno> {
        if flags & !(BPF_NOEXIST | BPF_EXIST | BPF_F_LOCK) != 0 || flags & 3 == 3 {
            return Err(Errno::EINVAL);
        }
        self.map.update(memory, key, value, flags & 3, cpu)
    }

    /// `bpf_map_delete_elem`.
    pub fn delete(&mut self, memory: &mut Memory, key: &[u8]) -> Result<(), Errno> {
        self.map.delete(memory, key)
    }

    /// The other operations, which have nothing in common.
    pub fn ops(&mut self) -> &mut dyn Map {
        &mut *self.map
    }

    /// The handle for `key`: see [`Map::handle`].
    pub fn handle(&self, key: &[u8]) -> Option<u32> {
        self.map.handle(key)
    }

    /// Addresses of the values for `key`, one per CPU for per-CPU maps.
    pub fn values(&self, key: &[u8]) -> Vec<u64> {
        self.map.values(key)
    }

    /// The keys in iteration order.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        self.map.keys()
    }

    /// Writes an element as the system call does: per-CPU maps take one value for each CPU, each
    /// rounded up to 8 bytes, or one value for all.
    pub fn write(&mut self, memory: &mut Memory, key: &[u8], value: &[u8]) -> Result<(), Errno> {
        let (key_size, size) = (self.def.key_size as usize, self.def.value_size as usize);
        if key.len() != key_size {
            return Err(Errno::EINVAL);
        }
        if self.def.ty == MapType::UserRingbuf {
            return self.map.push(memory, value, 0);
        }
        let single = value.get(..size).ok_or(Errno::EINVAL)?;
        if check::is_queue(self.def.ty) {
            return self.map.push(memory, single, 0);
        }
        self.map.update(memory, key, single, 0, 0)?;
        let addresses = self.map.values(key);
        let stride = size.div_ceil(8) * 8;
        for (cpu, address) in addresses.iter().enumerate().skip(1) {
            let own = value.get(cpu * stride..cpu * stride + size).unwrap_or(single);
            memory.fill(*address, own).ok_or(Errno::EFAULT)?;
        }
        Ok(())
    }

    /// Reads an element as the system call does.
    pub fn read(&self, memory: &Memory, key: &[u8]) -> Option<Vec<u8>> {
        if let Some(handle) = self.map.handle(key) {
            return Some(handle.to_le_bytes().to_vec());
        }
        let size = self.def.value_size as usize;
        let addresses = self.map.values(key);
        let (&first, rest) = addresses.split_first()?;
        let mut value = memory.read(first, size as u64)?.to_vec();
        for &address in rest {
            value.resize(value.len().div_ceil(8) * 8, 0);
            value.extend_from_slice(memory.read(address, size as u64)?);
        }
        if self.def.ty.info().per_cpu {
            value.resize(value.len().div_ceil(8) * 8, 0);
        }
        Some(value)
    }

    /// Nothing for maps of handles, whose numbers are the engine's choice.
    fn contents(&self, memory: &Memory) -> MapContents {
        let mut keys = match self.def.ty.info().value {
            Value::Any => self.map.keys(),
            Value::Fd | Value::Target | Value::Socket | Value::Stack | Value::None | Value::StructOps => {
                Vec::new()
            }
        };
        keys.sort();
        let entries = keys
            .into_iter()
            .filter_map(|key| {
                let value = self.read(memory, &key)?;
                Some((key, value))
            })
            .collect();
        MapContents { name: self.def.name.clone(), entries }
    }
}

/// Makes the map that `def` describes, with the kernel's checks of its sizes.
fn create(mut def: MapDef, cpus: u32, memory: &mut Memory) -> Result<MapEntry, LoadError> {
    let ty = def.ty;
    if ty == MapType::PerfEventArray && def.max_entries == 0 {
        def.max_entries = cpus;
    }
    check::check(&def)?;
    let made: Result<Box<dyn Map>, Errno> = match ty {
        MapType::Array => array::Array::boxed(&def, 1, memory),
        MapType::PercpuArray => array::Array::boxed(&def, cpus, memory),
        MapType::Hash => hash::Hash::boxed(&def, 1, hash::WhenFull::Refuse, memory),
        MapType::PercpuHash => hash::Hash::boxed(&def, cpus, hash::WhenFull::Refuse, memory),
        MapType::LruHash => hash::Hash::boxed(&def, 1, hash::WhenFull::Evict, memory),
        MapType::LruPercpuHash => hash::Hash::boxed(&def, cpus, hash::WhenFull::Evict, memory),
        MapType::ProgArray
        | MapType::PerfEventArray
        | MapType::CgroupArray
        | MapType::ArrayOfMaps
        | MapType::Devmap
        | MapType::Cpumap
        | MapType::Xskmap
        | MapType::ReuseportSockarray
        | MapType::Sockmap => handles::HandleArray::boxed(&def),
        MapType::HashOfMaps | MapType::DevmapHash | MapType::Sockhash | MapType::StackTrace => {
            handles::HandleHash::boxed(&def)
        }
        MapType::LpmTrie => lpm::LpmTrie::boxed(&def),
        MapType::Queue => queue::Queue::boxed(&def, false),
        MapType::Stack => queue::Queue::boxed(&def, true),
        MapType::Ringbuf => Ok(Box::new(RingBuf::new(def.max_entries))),
        MapType::SkStorage | MapType::InodeStorage | MapType::TaskStorage | MapType::CgrpStorage => {
            hash::Hash::of_objects(&def, memory)
        }
        MapType::CgroupStorage => hash::Hash::of_groups(&def, 1, memory),
        MapType::PercpuCgroupStorage => hash::Hash::of_groups(&def, cpus, memory),
        // What a kernel would call is the structure's value.
        MapType::StructOps => array::Array::boxed(&def, 1, memory),
        MapType::BloomFilter => bloom::Bloom::boxed(&def),
        MapType::UserRingbuf => user_ringbuf::UserRingbuf::boxed(&def),
        MapType::Arena => arena::Arena::boxed(&def, memory),
    };
    let map = made.map_err(|_| too_large(&def))?;
    let mut entry = MapEntry { def, map };
    if !entry.def.contents.is_empty() && entry.def.ty != MapType::Arena {
        let contents = core::mem::take(&mut entry.def.contents);
        let filled = entry.map.direct_value().and_then(|address| memory.fill(address, &contents));
        entry.def.contents = contents;
        filled.ok_or_else(|| too_large(&entry.def))?;
    }
    if entry.def.is_frozen()
        && let Some(address) = entry.map.direct_value()
    {
        memory.freeze(address);
    }
    Ok(entry)
}

fn too_large(def: &MapDef) -> LoadError {
    let entries: String = alloc::format!("{} entries of {} bytes", def.max_entries, def.value_size);
    LoadError::limit(Place::Map(def.name.clone()), alloc::format!("{entries} do not fit into memory"))
}

#[cfg(test)]
mod tests;

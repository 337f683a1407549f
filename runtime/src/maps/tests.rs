//! The kernel's answers, type by type.

use alloc::string::ToString;
use alloc::vec::Vec;

use skep_stdlib::btf::TypeId;

use super::*;
use crate::object::MapRole;

fn def(ty: MapType, key_size: u32, value_size: u32, max_entries: u32) -> MapDef {
    MapDef {
        name: "m".to_string(),
        role: MapRole::Declared,
        ty,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        extra: 0,
        pinning: 0,
        btf_key: TypeId::VOID,
        btf_value: TypeId::VOID,
        contents: Vec::new(),
        inner: None,
        slots: Vec::new(),
    }
}

fn make(ty: MapType, sizes: [u32; 3], cpus: u32) -> (MapEntry, Memory) {
    let mut memory = Memory::new(1 << 24);
    let entry = create(def(ty, sizes[0], sizes[1], sizes[2]), cpus, &mut memory).unwrap();
    (entry, memory)
}

const ONE: [u8; 4] = [1, 0, 0, 0];
const TWO: [u8; 4] = [2, 0, 0, 0];
const THREE: [u8; 4] = [3, 0, 0, 0];

#[test]
fn array_elements_always_exist() {
    let (mut map, mut memory) = make(MapType::Array, [4, 6, 2], 1);
    assert_eq!(map.update(&mut memory, &ONE, &[7; 6], 0, 0), Ok(()));
    assert_eq!(map.update(&mut memory, &ONE, &[7; 6], BPF_NOEXIST, 0), Err(Errno::EEXIST));
    assert_eq!(map.update(&mut memory, &TWO, &[7; 6], 0, 0), Err(Errno::E2BIG));
    assert_eq!(map.update(&mut memory, &ONE, &[7; 6], 8, 0), Err(Errno::EINVAL));
    assert_eq!(map.delete(&mut memory, &ONE), Err(Errno::EINVAL));
    assert_eq!(map.lookup(&TWO, 0), None);
    let address = map.lookup(&ONE, 0).unwrap();
    assert_eq!(memory.read(address, 6), Some(&[7u8; 6][..]));
    assert_eq!(memory.read(address, 7), None, "the next element is out of reach");
}

#[test]
fn hash_follows_flags_and_capacity() {
    let (mut map, mut memory) = make(MapType::Hash, [4, 8, 2], 1);
    assert_eq!(map.update(&mut memory, &ONE, &[1; 8], BPF_EXIST, 0), Err(Errno::ENOENT));
    assert_eq!(map.update(&mut memory, &ONE, &[1; 8], BPF_NOEXIST, 0), Ok(()));
    assert_eq!(map.update(&mut memory, &ONE, &[1; 8], BPF_NOEXIST, 0), Err(Errno::EEXIST));
    assert_eq!(map.update(&mut memory, &TWO, &[2; 8], 0, 0), Ok(()));
    assert_eq!(map.update(&mut memory, &THREE, &[3; 8], 0, 0), Err(Errno::E2BIG));
    assert_eq!(map.update(&mut memory, &TWO, &[4; 8], 0, 0), Ok(()), "replacing needs no room");
    assert_eq!(map.delete(&mut memory, &ONE), Ok(()));
    assert_eq!(map.delete(&mut memory, &ONE), Err(Errno::ENOENT));
    assert_eq!(map.read(&memory, &TWO), Some([4; 8].to_vec()));
    assert_eq!(map.lookup(&ONE, 0), None);
}

#[test]
fn hash_survives_growth_and_churn() {
    let (mut map, mut memory) = make(MapType::Hash, [4, 4, 5000], 1);
    for round in 0..3u32 {
        for n in 0..5000u32 {
            map.update(&mut memory, &n.to_le_bytes(), &(n ^ round).to_le_bytes(), 0, 0).unwrap();
        }
        for n in (0..5000u32).filter(|n| n % 3 == round) {
            map.delete(&mut memory, &n.to_le_bytes()).unwrap();
        }
        for n in 0..5000u32 {
            let expected = (n % 3 != round).then(|| (n ^ round).to_le_bytes().to_vec());
            assert_eq!(map.read(&memory, &n.to_le_bytes()), expected);
        }
    }
}

#[test]
fn lru_drops_the_least_recently_used() {
    let (mut map, mut memory) = make(MapType::LruHash, [4, 4, 2], 1);
    map.update(&mut memory, &ONE, &ONE, 0, 0).unwrap();
    map.update(&mut memory, &TWO, &TWO, 0, 0).unwrap();
    assert!(map.lookup(&ONE, 0).is_some());
    map.update(&mut memory, &THREE, &THREE, 0, 0).unwrap();
    assert!(map.lookup(&TWO, 0).is_none());
    assert!(map.lookup(&ONE, 0).is_some());
}

#[test]
fn per_cpu_values_are_apart() {
    for kind in [MapType::PercpuArray, MapType::PercpuHash] {
        let (mut map, mut memory) = make(kind, [4, 4, 4], 2);
        map.update(&mut memory, &ONE, &[5; 4], 0, 1).unwrap();
        let expected = [0u8, 0, 0, 0, 0, 0, 0, 0, 5, 5, 5, 5, 0, 0, 0, 0];
        assert_eq!(map.read(&memory, &ONE).as_deref(), Some(&expected[..]), "{}", kind.info().name);
        map.write(&mut memory, &ONE, &[9; 4]).unwrap();
        let expected = [9u8, 9, 9, 9, 0, 0, 0, 0, 9, 9, 9, 9, 0, 0, 0, 0];
        assert_eq!(map.read(&memory, &ONE).as_deref(), Some(&expected[..]), "{}", kind.info().name);
    }
}

#[test]
fn longest_prefix_wins() {
    let (mut map, mut memory) = make(MapType::LpmTrie, [8, 4, 8], 1);
    let key = |prefix: u8, ip: [u8; 4]| [prefix, 0, 0, 0, ip[0], ip[1], ip[2], ip[3]];
    map.update(&mut memory, &key(8, [10, 1, 2, 3]), &ONE, 0, 0).unwrap();
    map.update(&mut memory, &key(20, [10, 1, 16, 0]), &TWO, 0, 0).unwrap();
    let mut found = |ip| map.lookup(&key(32, ip), 0).and_then(|at| memory.load::<1>(at)).map(|[byte]| byte);
    assert_eq!(found([10, 1, 17, 9]), Some(2));
    assert_eq!(found([10, 1, 32, 9]), Some(1));
    assert_eq!(found([11, 1, 17, 9]), None);
    assert_eq!(map.update(&mut memory, &key(33, [0; 4]), &ONE, 0, 0), Err(Errno::EINVAL));
}

#[test]
fn queues_and_stacks() {
    let (mut map, mut memory) = make(MapType::Queue, [0, 4, 2], 1);
    map.ops().push(&mut memory, &ONE, 0).unwrap();
    map.ops().push(&mut memory, &TWO, 0).unwrap();
    assert_eq!(map.ops().push(&mut memory, &THREE, 0), Err(Errno::E2BIG));
    map.ops().push(&mut memory, &THREE, BPF_EXIST).unwrap();
    assert_eq!(map.ops().peek(&memory, true), Ok(TWO.to_vec()));
    let (mut map, mut memory) = make(MapType::Stack, [0, 4, 2], 1);
    map.ops().push(&mut memory, &ONE, 0).unwrap();
    map.ops().push(&mut memory, &TWO, 0).unwrap();
    assert_eq!(map.ops().peek(&memory, false), Ok(TWO.to_vec()));
    assert_eq!(map.ops().peek(&memory, true), Ok(TWO.to_vec()));
    assert_eq!(map.ops().peek(&memory, true), Ok(ONE.to_vec()));
    assert_eq!(map.ops().peek(&memory, true), Err(Errno::ENOENT));
}

#[test]
fn ring_buffer_keeps_reservation_order() {
    let (mut map, mut memory) = make(MapType::Ringbuf, [0, 0, 4096], 1);
    let ring = map.ops().ringbuf().unwrap();
    let first = ring.reserve(&mut memory, 8).unwrap();
    let second = ring.reserve(&mut memory, 8).unwrap();
    memory.store(first, [1; 8]).unwrap();
    memory.store(second, [2; 8]).unwrap();
    assert_eq!(memory.store(second + 8, [0]), None);
    assert_eq!(ring.finish(&mut memory, second, true), Some(Vec::new()));
    assert_eq!(ring.query(0), 32);
    let both = [[1; 8].to_vec(), [2; 8].to_vec()].to_vec();
    assert_eq!(ring.finish(&mut memory, first, true), Some(both));
    assert_eq!(ring.finish(&mut memory, first, true), None, "already gone");
    assert_eq!(ring.reserve(&mut memory, 4096), None);
    assert!(ring.reserve(&mut memory, 4088).is_some());
}

#[test]
fn bad_sizes_are_refused() {
    let mut memory = Memory::new(1 << 20);
    let bad = [
        def(MapType::Array, 8, 4, 1),
        def(MapType::Array, 4, 0, 1),
        def(MapType::Hash, 0, 4, 1),
        def(MapType::Hash, 4, 4, 0),
        def(MapType::Ringbuf, 0, 0, 4095),
        def(MapType::Array, 4, 1 << 20, 1 << 20),
        def(MapType::Array, 4, u32::MAX, u32::MAX),
        def(MapType::PercpuArray, 4, 8, u32::MAX),
        def(MapType::Arena, 0, 0, 0),
    ];
    for def in bad {
        assert!(create(def, 4, &mut memory).is_err());
    }
}

/// An index finds what is in the map and nothing else, whatever was removed before; many of the keys
/// want the same row, and the last row is followed by the first.
#[test]
fn an_index_follows_its_map() {
    let mut memory = Memory::new(1 << 20);
    let index = super::index::Index::new(4, 8, &mut memory).unwrap();
    let mut known = alloc::collections::BTreeMap::new();
    let mut state = 1u32;
    // Miri, which is slow, only looks for what no check sees.
    for round in 0..if cfg!(miri) { 20 } else { 2000u32 } {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let key = (state >> 20) % 64;
        let bytes = key.to_le_bytes();
        match known.remove(&key) {
            Some(_) => index.remove(&mut memory, &bytes),
            None if known.len() < 8 => {
                known.insert(key, u64::from(round + 2));
                index.insert(&mut memory, &bytes, u64::from(round + 2)).unwrap();
            }
            None => {}
        }
        for key in 0..64u32 {
            assert_eq!(index.find(&memory, &key.to_le_bytes()), known.get(&key).copied(), "{key} in {round}");
        }
    }
}

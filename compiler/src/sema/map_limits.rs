//! Maps that no kernel creates: sizes of keys and values against the limits of their types.
//!
//! In: the variables of the section `.maps`, whose members say everything in their types. Out: warnings; the
//! kernel would answer `E2BIG` or `EINVAL`, without saying why.

use skep_stdlib::maps::MapType;
use skep_syntax::diag::{Diag, codes};
use skep_syntax::source::Span;

use crate::types::{Type, TypeId};

use super::Sema;

/// The most that the kernel's allocator gives in one piece.
const PIECE: u64 = 1 << 22;
/// The same for memory that each processor has of its own.
const PER_CPU: u64 = 1 << 15;
/// Of storage that belongs to a socket, task, inode or control group.
const STORAGE: u64 = u16::MAX as u64;
/// Places of calls in a stack trace: 32 bytes each if they are told by build ids and offsets.
const TRACE: u64 = 127 * 32;

/// What the kernel takes.
struct Row {
    types: &'static [MapType],
    /// Bytes of a key: least and most.
    key: (u64, u64),
    /// Bytes of a value.
    value: (u64, u64),
}

const ROWS: &[Row] = &[
    Row { types: &[MapType::Hash, MapType::LruHash], key: (1, PIECE), value: (1, PIECE) },
    Row { types: &[MapType::PercpuHash, MapType::LruPercpuHash], key: (1, PIECE), value: (1, PER_CPU) },
    Row { types: &[MapType::Array], key: (4, 4), value: (1, i32::MAX as u64) },
    Row { types: &[MapType::PercpuArray], key: (4, 4), value: (1, PER_CPU) },
    Row {
        types: &[MapType::ProgArray, MapType::PerfEventArray, MapType::CgroupArray, MapType::ArrayOfMaps],
        key: (4, 4),
        value: (4, 4),
    },
    Row { types: &[MapType::StackTrace], key: (4, 4), value: (8, TRACE) },
    // Four bytes of length, then up to 256 of address.
    Row { types: &[MapType::LpmTrie], key: (5, 260), value: (1, PIECE) },
    Row { types: &[MapType::Queue, MapType::Stack, MapType::BloomFilter], key: (0, 0), value: (1, PIECE) },
    Row {
        types: &[MapType::SkStorage, MapType::InodeStorage, MapType::TaskStorage, MapType::CgrpStorage],
        key: (4, 4),
        value: (1, STORAGE),
    },
];

impl Sema<'_, '_> {
    /// Looks at every map of the unit.
    pub(super) fn check_maps(&mut self) {
        for index in 0..self.globals.len() {
            let global = &self.globals[index];
            let is_map = global.section.is_some_and(|section| self.name(section) == ".maps");
            if is_map && global.is_defined() {
                let (ty, span) = (global.ty, global.span);
                self.check_map(ty, span);
            }
        }
    }

    fn check_map(&mut self, ty: TypeId, span: Span) {
        let number =
            |s: &Self, name: &str| s.map_member(ty, name).and_then(|(member, _)| s.number_of(member));
        let kind = number(self, "type").and_then(|kind| MapType::from_number(kind.try_into().ok()?));
        let Some(kind) = kind else { return };
        let Some(row) = ROWS.iter().find(|row| row.types.contains(&kind)) else { return };
        for (what, sized, (least, most)) in [("key", "key_size", row.key), ("value", "value_size", row.value)]
        {
            let typed = self.map_member(ty, what).and_then(|(member, at)| {
                let to = self.types.pointee(member)?;
                Some((self.types.layout(to)?.size, at))
            });
            let Some((size, at)) = typed.or_else(|| Some((number(self, sized)?, span))) else { continue };
            if (least..=most).contains(&size) {
                continue;
            }
            let limit = match (least, most) {
                (0, 0) => format!("a map of this type has no {what}"),
                _ if least == most => format!("it must have {most}"),
                _ if size < least => format!("it must have at least {least}"),
                _ => format!("the kernel allows {most}"),
            };
            let message = format!("the {what} of the map has {size} bytes: {limit}");
            self.report(Diag::new(&codes::MAP_SIZE, at, message));
        }
    }

    /// The type of a member of a map, and where it is declared.
    fn map_member(&self, ty: TypeId, name: &str) -> Option<(TypeId, Span)> {
        let record = self.types.record_of(ty)?;
        let body = self.types.records.get(record.0 as usize)?.body.as_ref()?;
        let field = body.fields.iter().find(|field| field.name.is_some_and(|n| self.name(n) == name))?;
        Some((field.ty, field.span))
    }

    /// The number that a member like `int (*type)[2]` holds in its type.
    fn number_of(&self, ty: TypeId) -> Option<u64> {
        match *self.types.shape(self.types.pointee(ty)?) {
            Type::Array { len, .. } => len,
            _ => None,
        }
    }
}

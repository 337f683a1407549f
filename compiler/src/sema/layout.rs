//! Offsets of members and sizes of records, by the rules of the System V ABI as clang's BPF
//! target applies them.
//!
//! In: what each member needs. Out: where each member is. No types are looked at here, so the
//! rules can be read (and tested) alone.
//!
//! ```text
//! struct { char a; int b : 3; int c : 30; }   a at bit 0, b at bit 8, c at bit 32; 8 bytes
//! ```

/// What a member needs.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Size of its type in bytes; 0 for a flexible array.
    pub size: u64,
    /// Alignment of its type in bytes.
    pub align: u32,
    /// Width of a bit-field.
    pub bits: Option<u32>,
    /// Has a name (unnamed bit-fields do not align the record).
    pub named: bool,
    /// `packed` on the member itself.
    pub packed: bool,
    /// `aligned(n)` on the member itself.
    pub aligned: Option<u32>,
}

/// What the record itself says.
#[derive(Clone, Copy, Default, Debug)]
pub struct Rules {
    /// A union: every member is at 0.
    pub union: bool,
    /// `packed` on the record.
    pub packed: bool,
    /// `aligned(n)` on the record.
    pub aligned: Option<u32>,
    /// `#pragma pack(n)`.
    pub pack: Option<u32>,
}

/// Where everything is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// Offset of each member in bits.
    pub offsets: Vec<u64>,
    /// Size in bytes.
    pub size: u64,
    /// Alignment in bytes.
    pub align: u32,
}

/// Lays out the members of a record; `None` when it is larger than any object can be.
pub fn place(members: &[Member], rules: Rules) -> Option<Placed> {
    let mut state = State { rules, bits_used: 0, size: 0, align: 1 };
    let mut offsets = Vec::with_capacity(members.len());
    for member in members {
        offsets.push(match member.bits {
            Some(width) => state.bit_field(member, width)?,
            None => state.ordinary(member)?,
        });
    }
    let align = state.align.max(rules.aligned.unwrap_or(1));
    let size = state.size.checked_next_multiple_of(u64::from(align))?;
    (size < 1 << 60).then_some(Placed { offsets, size, align })
}

struct State {
    rules: Rules,
    /// The first bit that is free (structs).
    bits_used: u64,
    /// Bytes that members cover.
    size: u64,
    align: u32,
}

impl State {
    fn ordinary(&mut self, member: &Member) -> Option<u64> {
        let mut align = if self.rules.packed || member.packed { 1 } else { member.align };
        align = align.max(member.aligned.unwrap_or(1));
        if let Some(pack) = self.rules.pack {
            align = align.min(pack);
        }
        let start = if self.rules.union { 0 } else { self.bits_used.div_ceil(8) };
        let start = start.checked_next_multiple_of(u64::from(align))?;
        let end = start.checked_add(member.size)?;
        self.bits_used = end.checked_mul(8)?;
        self.size = self.size.max(end);
        self.align = self.align.max(align);
        start.checked_mul(8)
    }

    fn bit_field(&mut self, member: &Member, width: u32) -> Option<u64> {
        let (type_bits, width) = (member.size * 8, u64::from(width));
        let type_align = u64::from(member.align) * 8;
        let explicit = member.aligned.map(|align| u64::from(align) * 8);
        let packed = self.rules.packed || member.packed;
        // A zero width asks for the alignment of its type even when packed.
        let mut align = if packed && width != 0 { 1 } else { type_align };
        align = align.max(explicit.unwrap_or(1));
        let pack = self.rules.pack.map(|pack| u64::from(pack) * 8);
        if let Some(pack) = pack
            && width != 0
        {
            let natural = type_align.max(explicit.unwrap_or(1));
            align = if packed { natural.min(pack) } else { align.min(pack) };
        }
        let start = if self.rules.union { 0 } else { self.bits_used };
        let start = if width == 0 || (pack.is_none() && (start & (align - 1)) + width > type_bits) {
            start.checked_next_multiple_of(align)?
        } else if let Some(explicit) = explicit.filter(|&explicit| pack.is_none_or(|pack| explicit <= pack)) {
            start.checked_next_multiple_of(explicit)?
        } else {
            start
        };
        let end = start.checked_add(width)?;
        self.bits_used = end;
        self.size = self.size.max(end.div_ceil(8));
        if member.named {
            self.align = self.align.max((align / 8).max(1) as u32);
        }
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(size: u64) -> Member {
        Member { size, align: size.max(1) as u32, bits: None, named: true, packed: false, aligned: None }
    }

    fn bits(size: u64, width: u32) -> Member {
        Member { bits: Some(width), named: width != 0, ..field(size) }
    }

    fn offsets(members: &[Member], rules: Rules) -> (Vec<u64>, u64, u32) {
        let placed = place(members, rules).expect("small");
        (placed.offsets, placed.size, placed.align)
    }

    #[test]
    fn members_are_aligned_and_bit_fields_share_their_unit() {
        let plain = Rules::default();
        assert_eq!(offsets(&[field(1), bits(4, 3), bits(4, 30)], plain), (vec![0, 8, 32], 8, 4));
        assert_eq!(offsets(&[field(1), field(8), field(2)], plain), (vec![0, 64, 128], 24, 8));
        assert_eq!(offsets(&[bits(4, 3), bits(4, 0), bits(4, 1)], plain), (vec![0, 32, 32], 8, 4));
        assert_eq!(offsets(&[], plain), (vec![], 0, 1));
    }

    #[test]
    fn packed_and_pack_and_union() {
        let packed = Rules { packed: true, ..Rules::default() };
        assert_eq!(offsets(&[field(1), field(8), bits(4, 3)], packed), (vec![0, 8, 72], 10, 1));
        let pack = Rules { pack: Some(2), ..Rules::default() };
        assert_eq!(offsets(&[field(1), field(8)], pack), (vec![0, 16], 10, 2));
        let union = Rules { union: true, ..Rules::default() };
        assert_eq!(offsets(&[field(1), field(8), bits(4, 9)], union), (vec![0, 0, 0], 8, 8));
    }
}

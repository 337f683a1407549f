//! Initialisers of variables with static storage, and the constant part of local ones.
//!
//! In: leaves. Out: [`Init`]: scalars at byte offsets in increasing order, bit-fields merged into
//! bytes, zeros left out.

use std::collections::BTreeMap;

use skep_syntax::diag::codes;

use crate::hir::{GlobalId, Init, InitScalar, InitValue};
use crate::types::{FloatKind, Type, TypeId};

use super::Sema;
use super::consteval::Constant;
use super::init::{BitSlot, Built, Leaf, LeafValue};

impl Sema<'_, '_> {
    /// Analyses the initialiser of a global that waits for it.
    pub(super) fn analyze_global_init(&mut self, id: GlobalId) {
        let Some((init, limit)) = self.global_info[id.index()].init else { return };
        if self.depth >= super::MAX_DEPTH {
            // Its turn comes when less is being looked at.
            return;
        }
        self.global_info[id.index()].init = None;
        self.depth += 1;
        let ty = self.globals[id.index()].ty;
        let built = self.at_file_scope(limit, |s| s.build_init(ty, init));
        self.set_global_init(id, built);
        self.depth -= 1;
    }

    /// Gives a global its digested initialiser.
    pub(super) fn set_global_init(&mut self, id: GlobalId, built: Built) {
        let init = self.static_init(&built.leaves);
        let layout = self.layout_of(built.ty);
        let global = &mut self.globals[id.index()];
        global.ty = built.ty;
        global.init = Some(init);
        global.align = global.align.max(layout.map_or(1, |layout| layout.align));
    }

    fn static_init(&mut self, leaves: &[Leaf]) -> Init {
        let mut constants = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            let value = match &leaf.value {
                LeafValue::Bytes(_) => Some(None),
                LeafValue::Expr(e) if self.is_error(e.ty) => continue,
                LeafValue::Expr(e) if matches!(e.kind, crate::hir::ExprKind::Error) => continue,
                LeafValue::Expr(e) => self.required_constant(e).map(Some),
            };
            match value {
                Some(value) => constants.push((leaf, value)),
                None => {
                    let message = "the initialiser of a variable with static storage is not constant";
                    self.error(&codes::NOT_CONSTANT, leaf.span, message);
                }
            }
        }
        self.init_of(&constants)
    }

    /// The constant of a leaf, if it has one at any time; `None` inside is for bytes.
    pub(super) fn leaf_constant(&self, leaf: &Leaf) -> Option<Option<Constant>> {
        match &leaf.value {
            LeafValue::Bytes(_) => Some(None),
            LeafValue::Expr(e) => self.const_eval(e).map(Some),
        }
    }

    /// Lays constants out.
    pub(super) fn init_of(&mut self, constants: &[(&Leaf, Option<Constant>)]) -> Init {
        let mut bits: BTreeMap<u64, u8> = BTreeMap::new();
        let mut placed: BTreeMap<u64, InitValue> = BTreeMap::new();
        for (leaf, constant) in constants {
            match (&leaf.value, constant) {
                (LeafValue::Bytes(bytes), _) => {
                    if !bytes.is_empty() {
                        placed.insert(leaf.offset, InitValue::Bytes(bytes.clone()));
                    }
                }
                (LeafValue::Expr(_), Some(Constant::Int(value))) if leaf.bits.is_some() => {
                    if let Some(slot) = leaf.bits {
                        self.place_bits(&mut bits, leaf.offset, slot, *value);
                    }
                }
                (LeafValue::Expr(_), Some(constant)) => {
                    if let Some(value) = self.init_value(*constant, leaf.ty) {
                        placed.insert(leaf.offset, value);
                    } else if *constant != Constant::Int(0) {
                        let message = "this constant has no form in a static initialiser";
                        self.error(&codes::NOT_CONSTANT, leaf.span, message);
                    }
                }
                (LeafValue::Expr(_), None) => {}
            }
        }
        for (offset, byte) in bits {
            placed.insert(offset, InitValue::Int { value: byte.into(), size: 1 });
        }
        let zero = |value: &InitValue| matches!(value, InitValue::Int { value: 0, .. });
        let scalars = placed.into_iter().filter(|(_, value)| !zero(value));
        Init { scalars: scalars.map(|(offset, value)| InitScalar { offset, value }).collect() }
    }

    fn init_value(&self, constant: Constant, ty: TypeId) -> Option<InitValue> {
        match constant {
            Constant::Int(value) => {
                let size = self.types.layout(ty)?.size;
                Some(InitValue::Int { value, size: u32::try_from(size).ok().filter(|&size| size <= 16)? })
            }
            Constant::Float(value) => match self.types.shape(ty) {
                Type::Float(FloatKind::Float) => {
                    Some(InitValue::Int { value: (value as f32).to_bits().into(), size: 4 })
                }
                _ => Some(InitValue::Int { value: value.to_bits().into(), size: 8 }),
            },
            Constant::Address { symbol, addend } => {
                (self.types.layout(ty)?.size == 8).then_some(InitValue::Address { symbol, addend })
            }
        }
    }

    /// Adds the bits of a bit-field to the bytes they are in.
    fn place_bits(&self, bytes: &mut BTreeMap<u64, u8>, record: u64, slot: BitSlot, value: u128) {
        for n in 0..u64::from(slot.width) {
            let (bit, set) = if self.cx.options.big_endian {
                // The first bit of the record is the most significant of its byte.
                (slot.first + n, value >> (u64::from(slot.width) - 1 - n) & 1)
            } else {
                (slot.first + n, value >> n & 1)
            };
            let byte = bytes.entry(record + bit / 8).or_default();
            let place = if self.cx.options.big_endian { 7 - bit % 8 } else { bit % 8 };
            *byte = (*byte & !(1 << place)) | ((set as u8) << place);
        }
    }
}

//! Writes `.BTF`.
//!
//! In: types in the order of their ids. Out: the bytes of the section. Equal strings are stored
//! once, in the order of first use, so the same calls give the same bytes.
//!
//! A type may name ids that are defined later: [`Builder::reserve`] hands out an id whose
//! [`Builder::define`] follows, which is how a structure can point to itself.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::ByteOrder;

/// A `.BTF` section being made.
pub struct Builder {
    order: ByteOrder,
    /// Encoded records; an empty one is reserved and reads as `void` until it is defined.
    records: Vec<Vec<u8>>,
    strings: Vec<u8>,
    offsets: BTreeMap<String, StrOff>,
}

impl Builder {
    /// An empty section.
    pub fn new(order: ByteOrder) -> Builder {
        Builder { order, records: Vec::new(), strings: alloc::vec![0], offsets: BTreeMap::new() }
    }

    /// The offset of a string, stored if it is new.
    pub fn string(&mut self, text: &str) -> StrOff {
        if text.is_empty() {
            return StrOff(0);
        }
        if let Some(&at) = self.offsets.get(text) {
            return at;
        }
        let at = StrOff(self.strings.len() as u32);
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.offsets.insert(text.into(), at);
        at
    }

    /// The id that the next type will get.
    pub fn next_id(&self) -> TypeId {
        TypeId(self.records.len() as u32 + 1)
    }

    /// Appends a type.
    pub fn add(&mut self, ty: &Type<'_>) -> TypeId {
        let id = self.reserve();
        self.define(id, ty);
        id
    }

    /// Takes an id for a type that [`Builder::define`] will give.
    pub fn reserve(&mut self) -> TypeId {
        let id = self.next_id();
        self.records.push(Vec::new());
        id
    }

    /// Gives the type of a reserved id; ids that were never handed out are ignored.
    pub fn define(&mut self, id: TypeId, ty: &Type<'_>) {
        let record = self.encode(ty);
        if let Some(slot) = (id.index().checked_sub(1)).and_then(|at| self.records.get_mut(at)) {
            *slot = record;
        }
    }

    /// The bytes of the section.
    pub fn finish(self) -> Vec<u8> {
        // A reserved id that nothing defined still counts: `typedef void` keeps later ids right.
        let blank = [0, (Kind::Typedef as u32) << 24, 0];
        let order = self.order;
        let mut types = Vec::new();
        for record in &self.records {
            if record.is_empty() {
                blank.iter().for_each(|&word| order.put_u32(&mut types, word));
            }
            types.extend_from_slice(record);
        }
        let mut out = Vec::with_capacity(types.len() + self.strings.len() + HEADER_LEN as usize);
        order.put_u16(&mut out, MAGIC);
        out.push(VERSION);
        out.push(0);
        let (types_len, strings_len) = (types.len() as u32, self.strings.len() as u32);
        for word in [HEADER_LEN, 0, types_len, types_len, strings_len] {
            order.put_u32(&mut out, word);
        }
        out.extend_from_slice(&types);
        out.extend_from_slice(&self.strings);
        out
    }

    fn encode(&mut self, ty: &Type<'_>) -> Vec<u8> {
        let mut words: Vec<u32> = Vec::new();
        let name = self.string(ty.name()).0;
        let kind = ty.kind();
        let head = |words: &mut Vec<u32>, count: usize, flag: bool, last: u32| {
            let info = (kind as u32) << 24 | u32::from(flag) << 31 | count as u32 & 0xffff;
            words.extend([name, info, last]);
        };
        match ty {
            Type::Void => head(&mut words, 0, false, 0),
            Type::Int { size, encoding, offset, bits, .. } => {
                head(&mut words, 0, false, *size);
                let encoding = u32::from(encoding.0) << 24;
                words.push(encoding | u32::from(*offset) << 16 | u32::from(*bits));
            }
            Type::Ptr(ty) | Type::Volatile(ty) | Type::Const(ty) | Type::Restrict(ty) => {
                head(&mut words, 0, false, ty.0);
            }
            Type::Typedef { ty, .. } | Type::TypeTag { ty, .. } => {
                head(&mut words, 0, false, ty.0);
            }
            Type::Array { elem, index, count } => {
                head(&mut words, 0, false, 0);
                words.extend([elem.0, index.0, *count]);
            }
            Type::Struct(composite) | Type::Union(composite) => {
                let flag = composite.members.iter().any(|member| member.bit_size.is_some());
                head(&mut words, composite.members.len(), flag, composite.size);
                for member in &composite.members {
                    let width = u32::from(member.bit_size.unwrap_or(0)) << 24;
                    let offset = width | member.bit_offset;
                    words.extend([self.string(member.name).0, member.ty.0, offset]);
                }
            }
            Type::Enum(enumeration) => {
                let count = enumeration.values.len();
                head(&mut words, count, enumeration.signed, enumeration.size);
                for value in &enumeration.values {
                    words.extend([self.string(value.name).0, value.value as u32]);
                    if kind == Kind::Enum64 {
                        words.push((value.value >> 32) as u32);
                    }
                }
            }
            Type::Fwd { union, .. } => head(&mut words, 0, *union, 0),
            Type::Func { proto, linkage, .. } => {
                head(&mut words, linkage.number() as usize, false, proto.0);
            }
            Type::FuncProto { ret, params } => {
                head(&mut words, params.len(), false, ret.0);
                for param in params {
                    words.extend([self.string(param.name).0, param.ty.0]);
                }
            }
            Type::Var { ty, linkage, .. } => {
                head(&mut words, 0, false, ty.0);
                words.push(linkage.number());
            }
            Type::Datasec { size, vars, .. } => {
                head(&mut words, vars.len(), false, *size);
                for var in vars {
                    words.extend([var.ty.0, var.offset, var.size]);
                }
            }
            Type::Float { size, .. } => head(&mut words, 0, false, *size),
            Type::DeclTag { ty, component, .. } => {
                head(&mut words, 0, false, ty.0);
                words.push(component.unwrap_or(u32::MAX));
            }
        }
        let mut record = Vec::with_capacity(words.len() * 4);
        for word in words {
            self.order.put_u32(&mut record, word);
        }
        record
    }
}

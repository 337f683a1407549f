//! The module around the functions: symbols with their facts, contents of variables, CO-RE
//! relocations, and what a C type is in the IR.
//!
//! Symbols are numbered: functions first, then variables, both as in the typed program, so that a
//! symbol's number and its origin say the same.

use skep_syntax::intern::Interner;

use super::Options;
use crate::hir::{self, InitScalar, InitValue, Inline, Linkage, SymbolRef};
use crate::ir::{self, DataSymbol, FuncSymbol, Signature, SymbolId, SymbolKind};
use crate::types::{FloatKind, FunctionType, IntKind, Layout, Type, TypeId, Types};

/// What every part of lowering reads.
pub(super) struct Context<'a> {
    pub module: &'a hir::Module,
    pub types: &'a Types,
    pub names: &'a Interner,
    pub options: Options<'a>,
}

/// What values of a C type are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// No value.
    Void,
    /// Integers and enums up to 64 bits.
    Int { ty: ir::Type, signed: bool, bool: bool },
    /// Pointers.
    Pointer,
    /// `__int128`.
    Wide { signed: bool },
    /// Floating types: their bits.
    Float(ir::Type),
    /// Structs and unions: bytes in memory.
    Memory(Layout),
}

impl Kind {
    /// The type of the value, if it is one.
    pub fn scalar(self) -> Option<ir::Type> {
        match self {
            Kind::Int { ty, .. } | Kind::Float(ty) => Some(ty),
            Kind::Pointer => Some(ir::Type::Ptr),
            Kind::Void | Kind::Wide { .. } | Kind::Memory(_) => None,
        }
    }

    /// Can its values be negative?
    pub fn is_signed(self) -> bool {
        match self {
            Kind::Int { signed, .. } | Kind::Wide { signed } => signed,
            Kind::Void | Kind::Pointer | Kind::Float(_) | Kind::Memory(_) => false,
        }
    }

    /// Is it passed and returned through a pointer?
    pub fn in_memory(self) -> bool {
        matches!(self, Kind::Wide { .. } | Kind::Memory(_))
    }
}

/// Is the function emitted when nothing refers to it?
pub(super) fn is_kept(function: &hir::Function) -> bool {
    function.linkage != Linkage::Static || function.used || function.section.is_some()
}

impl<'a> Context<'a> {
    pub fn new(module: &'a hir::Module, names: &'a Interner, options: Options<'a>) -> Context<'a> {
        Context { module, types: &module.types, names, options }
    }

    /// What values of a type are made of.
    pub fn kind(&self, id: TypeId) -> Kind {
        if let Some(int) = self.types.int_kind(id) {
            let signed = int.is_signed();
            return match ir::Type::int_of_bytes(int.size().into()) {
                Some(ty) => Kind::Int { ty, signed, bool: int == IntKind::Bool },
                None => Kind::Wide { signed },
            };
        }
        match self.types.shape(id) {
            Type::Pointer(_) | Type::Array { .. } | Type::Function(_) => Kind::Pointer,
            Type::Float(FloatKind::Float) => Kind::Float(ir::Type::I32),
            Type::Float(FloatKind::Double | FloatKind::LongDouble) => Kind::Float(ir::Type::I64),
            Type::Record(_) => Kind::Memory(self.layout(id)),
            Type::Void
            | Type::Error
            | Type::Int(_)
            | Type::Enum(_)
            | Type::Typedef(_)
            | Type::Qualified { .. }
            | Type::Tagged { .. }
            | Type::AddressSpace { .. } => Kind::Void,
        }
    }

    /// Size and alignment; of nothing for types without a size.
    pub fn layout(&self, id: TypeId) -> Layout {
        self.types.layout(id).unwrap_or(Layout { size: 0, align: 1 })
    }

    /// Alignment of what a pointer of this type points to.
    pub fn pointee_align(&self, id: TypeId) -> u32 {
        self.types.pointee(id).map_or(1, |to| self.align(to))
    }

    /// Address space of what a pointer of this type points to.
    pub fn pointee_space(&self, id: TypeId) -> u32 {
        self.types.pointee(id).map_or(0, |to| self.types.address_space(to))
    }

    /// Alignment of a type; incomplete arrays have that of their element.
    pub fn align(&self, id: TypeId) -> u32 {
        match self.types.shape(id) {
            Type::Array { elem, len: None } => self.align(*elem),
            _ => self.layout(id).align,
        }
    }

    /// The function type of a function or of a pointer to one.
    pub fn function_type(&self, id: TypeId) -> Option<&'a FunctionType> {
        match self.types.shape(id) {
            Type::Function(function) => Some(function),
            Type::Pointer(to) => match self.types.shape(*to) {
                Type::Function(function) => Some(function),
                _ => None,
            },
            _ => None,
        }
    }

    /// How a function is called in the IR.
    pub fn signature(&self, id: TypeId) -> Signature {
        let Some(function) = self.function_type(id) else { return Signature::default() };
        let ret = self.kind(function.ret);
        let hidden = ret.in_memory().then_some(ir::Type::Ptr);
        let params = function.params.iter().map(|&param| self.passed(param));
        Signature { params: hidden.into_iter().chain(params).collect(), ret: ret.scalar().map(word) }
    }

    /// The type as which a value of this C type is passed.
    pub fn passed(&self, id: TypeId) -> ir::Type {
        self.kind(id).scalar().map_or(ir::Type::Ptr, word)
    }

    pub fn symbol(&self, symbol: SymbolRef) -> SymbolId {
        match symbol {
            SymbolRef::Func(id) => SymbolId::from_index(id.index()),
            SymbolRef::Global(id) => SymbolId::from_index(self.module.functions.len() + id.index()),
        }
    }

    /// The module without functions.
    pub fn declare(&self) -> ir::Module {
        let mut out = ir::Module::new();
        for (i, function) in self.module.functions.iter().enumerate() {
            let name = self.names.name(function.name).to_string();
            let kind = SymbolKind::Func(self.function(function));
            out.symbols.push(ir::Symbol { name, origin: i as u32, kind });
        }
        for (i, global) in self.module.globals.iter().enumerate() {
            let kind = SymbolKind::Data(self.data(global));
            out.symbols.push(ir::Symbol { name: global.name.clone(), origin: i as u32, kind });
        }
        for (i, core) in self.module.core_relocs.iter().enumerate() {
            let text = format!("{} {} {}", core.kind.name(), self.type_name(core.root), core.access);
            out.cores.push(ir::Core { index: i as u32, text, local: core.local });
        }
        out
    }

    fn function(&self, function: &hir::Function) -> FuncSymbol {
        FuncSymbol {
            sig: self.signature(function.ty),
            local: function.linkage == Linkage::Static,
            weak: matches!(function.linkage, Linkage::Weak | Linkage::ExternWeak),
            always_inline: function.inline == Inline::Always,
            noinline: function.inline == Inline::Never || function.naked,
            keep: function.body.is_some() && is_kept(function),
            noreturn: function.noreturn,
            naked: function.naked,
            error: function.error.map(|text| self.names.name(text).to_string()),
        }
    }

    fn data(&self, global: &hir::Global) -> DataSymbol {
        let layout = self.layout(global.ty);
        let mut data = DataSymbol {
            size: layout.size,
            align: global.align.max(1),
            constant: global.constant
                && !global.volatile
                && matches!(global.linkage, Linkage::Static | Linkage::Global),
            local: global.linkage == Linkage::Static,
            bytes: None,
            addresses: Vec::new(),
            place: None,
        };
        if global.is_defined() {
            let mut bytes = Vec::new();
            for scalar in global.init.iter().flat_map(|init| &init.scalars) {
                self.scalar(scalar, &mut bytes, &mut data.addresses);
            }
            // A flexible array member makes the variable larger than its type.
            data.size = data.size.max(bytes.len() as u64);
            data.bytes = Some(bytes);
        }
        data
    }

    fn scalar(&self, scalar: &InitScalar, out: &mut Vec<u8>, addresses: &mut Vec<(u64, SymbolId, i64)>) {
        let bytes = match &scalar.value {
            InitValue::Int { value, size } => self.int_bytes(*value, *size),
            InitValue::Bytes(bytes) => bytes.clone(),
            InitValue::Address { symbol, addend } => {
                addresses.push((scalar.offset, self.symbol(*symbol), *addend));
                vec![0; 8]
            }
        };
        let start = scalar.offset as usize;
        if out.len() < start + bytes.len() {
            out.resize(start + bytes.len(), 0);
        }
        out[start..start + bytes.len()].copy_from_slice(&bytes);
    }

    /// An integer as it lies in memory.
    pub fn int_bytes(&self, value: u128, size: u32) -> Vec<u8> {
        let mut bytes = value.to_le_bytes()[..size.min(16) as usize].to_vec();
        if self.options.big_endian {
            bytes.reverse();
        }
        bytes
    }

    /// The name of a type in dumps of relocations.
    fn type_name(&self, id: TypeId) -> String {
        let name = |symbol: Option<_>| symbol.map_or("<unnamed>", |s| self.names.name(s)).to_string();
        match self.types.get(id) {
            Type::Typedef(typedef) => name(Some(self.types.typedefs[typedef.0 as usize].name)),
            Type::Record(record) => name(self.types.records[record.0 as usize].tag),
            Type::Enum(e) => name(self.types.enums[e.0 as usize].tag),
            Type::Qualified { inner, .. } | Type::Tagged { inner, .. } | Type::AddressSpace { inner, .. } => {
                self.type_name(*inner)
            }
            Type::Pointer(to) => format!("{} *", self.type_name(*to)),
            Type::Int(kind) => format!("{kind:?}").to_lowercase(),
            Type::Array { elem, .. } => format!("{}[]", self.type_name(*elem)),
            Type::Void => "void".to_string(),
            Type::Error | Type::Float(_) | Type::Function(_) => "<type>".to_string(),
        }
    }
}

/// The type as which a scalar is passed: at least 32 bits.
pub(super) fn word(ty: ir::Type) -> ir::Type {
    match ty {
        ir::Type::I1 | ir::Type::I8 | ir::Type::I16 => ir::Type::I32,
        ir::Type::I32 | ir::Type::I64 | ir::Type::Ptr => ty,
    }
}

//! Attributes: a table of what each means, and their digest for one declaration.
//!
//! Names are taken with and without the double underscores. What has no row is reported as an
//! unknown attribute and ignored, as clang does.

use skep_syntax::ast::{AttrArg, AttrId, ExprId, ExprKind, List};
use skep_syntax::diag::codes;
use skep_syntax::intern::Symbol;
use skep_syntax::source::Span;

use crate::hir::Inline;
use crate::types::{IntKind, Type, TypeId};

use super::Sema;

/// What an attribute does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttrKind {
    Section,
    Used,
    Inline(Inline),
    GnuInline,
    Weak,
    Packed,
    Aligned,
    PreserveAccessIndex,
    DeclTag,
    TypeTag,
    AddressSpace,
    Cleanup,
    Mode,
    NoReturn,
    Error,
    Naked,
    Visibility,
    Unused,
    WantsUse,
    /// Only means something as a statement.
    Fallthrough,
    /// Of an enumeration: its values are put together from its constants.
    FlagEnum,
    /// Of an enumeration: whether it has values without a name.
    EnumExtensibility,
    /// Nobody should use it.
    Outdated,
    /// Means nothing for a BPF program, or only something for diagnostics we do not have.
    Ignored,
    /// Changes what the program means in a way that is not built.
    Unsupported,
}

/// The attributes that are known, by their names without underscores.
const ROWS: &[(&str, AttrKind)] = &[
    ("section", AttrKind::Section),
    ("used", AttrKind::Used),
    ("retain", AttrKind::Ignored),
    ("always_inline", AttrKind::Inline(Inline::Always)),
    ("noinline", AttrKind::Inline(Inline::Never)),
    ("gnu_inline", AttrKind::GnuInline),
    ("weak", AttrKind::Weak),
    ("packed", AttrKind::Packed),
    ("aligned", AttrKind::Aligned),
    ("_Alignas", AttrKind::Aligned),
    ("alignas", AttrKind::Aligned),
    ("preserve_access_index", AttrKind::PreserveAccessIndex),
    ("btf_decl_tag", AttrKind::DeclTag),
    ("btf_type_tag", AttrKind::TypeTag),
    ("address_space", AttrKind::AddressSpace),
    ("cleanup", AttrKind::Cleanup),
    ("mode", AttrKind::Mode),
    ("noreturn", AttrKind::NoReturn),
    ("error", AttrKind::Error),
    ("naked", AttrKind::Naked),
    ("visibility", AttrKind::Visibility),
    ("vector_size", AttrKind::Unsupported),
    ("ext_vector_type", AttrKind::Unsupported),
    ("alias", AttrKind::Unsupported),
    ("ifunc", AttrKind::Unsupported),
    ("ms_struct", AttrKind::Unsupported),
    ("access", AttrKind::Ignored),
    ("align_value", AttrKind::Ignored),
    ("alloc_align", AttrKind::Ignored),
    ("alloc_size", AttrKind::Ignored),
    ("artificial", AttrKind::Ignored),
    ("assume_aligned", AttrKind::Ignored),
    ("bpf_fastcall", AttrKind::Ignored),
    ("cold", AttrKind::Ignored),
    ("common", AttrKind::Ignored),
    ("const", AttrKind::Ignored),
    ("constructor", AttrKind::Ignored),
    ("convergent", AttrKind::Ignored),
    ("counted_by", AttrKind::Ignored),
    ("deprecated", AttrKind::Outdated),
    ("designated_init", AttrKind::Ignored),
    ("destructor", AttrKind::Ignored),
    ("diagnose_as_builtin", AttrKind::Ignored),
    ("diagnose_if", AttrKind::Ignored),
    ("disable_sanitizer_instrumentation", AttrKind::Ignored),
    ("enable_if", AttrKind::Ignored),
    ("enum_extensibility", AttrKind::EnumExtensibility),
    ("externally_visible", AttrKind::Ignored),
    ("fallthrough", AttrKind::Fallthrough),
    ("flag_enum", AttrKind::FlagEnum),
    ("flatten", AttrKind::Ignored),
    ("format", AttrKind::Ignored),
    ("format_arg", AttrKind::Ignored),
    ("hot", AttrKind::Ignored),
    ("leaf", AttrKind::Ignored),
    ("malloc", AttrKind::Ignored),
    ("may_alias", AttrKind::Ignored),
    ("maybe_unused", AttrKind::Unused),
    ("minsize", AttrKind::Ignored),
    ("no_builtin", AttrKind::Ignored),
    ("no_caller_saved_registers", AttrKind::Ignored),
    ("no_instrument_function", AttrKind::Ignored),
    ("no_profile_instrument_function", AttrKind::Ignored),
    ("no_reorder", AttrKind::Ignored),
    ("no_sanitize", AttrKind::Ignored),
    ("no_sanitize_address", AttrKind::Ignored),
    ("no_split_stack", AttrKind::Ignored),
    ("no_stack_protector", AttrKind::Ignored),
    ("noclone", AttrKind::Ignored),
    ("nocommon", AttrKind::Ignored),
    ("nodebug", AttrKind::Ignored),
    ("nodiscard", AttrKind::WantsUse),
    ("noderef", AttrKind::Ignored),
    ("noescape", AttrKind::Ignored),
    ("noipa", AttrKind::Ignored),
    ("nomerge", AttrKind::Ignored),
    ("nonnull", AttrKind::Ignored),
    ("nonstring", AttrKind::Ignored),
    ("nothrow", AttrKind::Ignored),
    ("optimize", AttrKind::Ignored),
    ("optnone", AttrKind::Ignored),
    ("overloadable", AttrKind::Ignored),
    ("pass_object_size", AttrKind::Ignored),
    ("pass_dynamic_object_size", AttrKind::Ignored),
    ("patchable_function_entry", AttrKind::Ignored),
    ("preserve_static_offset", AttrKind::Ignored),
    ("pure", AttrKind::Ignored),
    ("randomize_layout", AttrKind::Ignored),
    ("regparm", AttrKind::Ignored),
    ("returns_nonnull", AttrKind::Ignored),
    ("returns_twice", AttrKind::Ignored),
    ("sentinel", AttrKind::Ignored),
    ("transparent_union", AttrKind::Ignored),
    ("unavailable", AttrKind::Outdated),
    ("uninitialized", AttrKind::Ignored),
    ("unused", AttrKind::Unused),
    ("visibility_hidden", AttrKind::Ignored),
    ("warn_unused_result", AttrKind::WantsUse),
    ("warning", AttrKind::Ignored),
];

/// What the attributes of one declaration say together.
#[derive(Clone, Default, Debug)]
pub struct Attrs {
    pub section: Option<Symbol>,
    pub used: bool,
    pub inline: Inline,
    pub gnu_inline: bool,
    pub weak: bool,
    pub packed: bool,
    /// The largest alignment asked for.
    pub aligned: Option<u32>,
    pub preserve_access_index: bool,
    pub decl_tags: Vec<Symbol>,
    pub type_tags: Vec<Symbol>,
    pub address_space: Option<u32>,
    /// The function that cleans the variable up.
    pub cleanup: Option<ExprId>,
    pub mode: Option<(IntMode, Span)>,
    pub noreturn: bool,
    pub error: Option<Symbol>,
    pub naked: bool,
    pub hidden: bool,
    /// It may be unused.
    pub unused: bool,
    /// Its result must be used.
    pub wants_use: bool,
}

/// A machine mode of an integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntMode {
    Byte,
    Half,
    Word,
    Double,
    Quad,
}

impl IntMode {
    /// The signed and the unsigned type of the mode.
    pub const fn kinds(self) -> (IntKind, IntKind) {
        match self {
            IntMode::Byte => (IntKind::SChar, IntKind::UChar),
            IntMode::Half => (IntKind::Short, IntKind::UShort),
            IntMode::Word => (IntKind::Int, IntKind::UInt),
            IntMode::Double => (IntKind::Long, IntKind::ULong),
            IntMode::Quad => (IntKind::Int128, IntKind::UInt128),
        }
    }
}

const MODES: &[(&str, IntMode)] = &[
    ("QI", IntMode::Byte),
    ("byte", IntMode::Byte),
    ("HI", IntMode::Half),
    ("SI", IntMode::Word),
    ("DI", IntMode::Double),
    ("word", IntMode::Double),
    ("pointer", IntMode::Double),
    ("TI", IntMode::Quad),
];

/// `__x__` without its underscores.
fn plain(name: &str) -> &str {
    name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__")).unwrap_or(name)
}

impl Sema<'_, '_> {
    pub(super) fn attr_kind(&mut self, name: Symbol) -> Option<AttrKind> {
        if let Some(&kind) = self.attr_kinds.get(&name) {
            return kind;
        }
        let text = plain(self.name(name));
        // `clang::x` and `gnu::x` are the forms in double brackets.
        let text = plain(text.rsplit("::").next().unwrap_or(text));
        let kind = ROWS.iter().find(|&&(row, _)| row == text).map(|&(_, kind)| kind);
        self.attr_kinds.insert(name, kind);
        kind
    }

    /// Is there such an attribute in the list?
    pub(super) fn has_attr(&mut self, list: List<AttrId>, kind: AttrKind) -> bool {
        self.ast.list(list).any(|id| self.attr_kind(self.ast.attr(id).name) == Some(kind))
    }

    /// Digests a list of attributes.
    pub(super) fn attrs(&mut self, list: List<AttrId>) -> Attrs {
        let mut out = Attrs::default();
        self.add_attrs(&mut out, list);
        out
    }

    /// Adds a list of attributes to a digest.
    pub(super) fn add_attrs(&mut self, out: &mut Attrs, list: List<AttrId>) {
        for id in self.ast.list(list) {
            let attr = self.ast.attr(id);
            match self.attr_kind(attr.name) {
                Some(kind) => self.add_attr(out, id, kind),
                None => {
                    let message = format!("unknown attribute `{}` ignored", self.name(attr.name));
                    self.warn(&codes::UNKNOWN_ATTRIBUTE, self.ast.attr_span(id), message);
                }
            }
        }
    }

    fn add_attr(&mut self, out: &mut Attrs, id: AttrId, kind: AttrKind) {
        match kind {
            AttrKind::Section => out.section = self.attr_string(id).or(out.section),
            AttrKind::Used => out.used = true,
            AttrKind::Inline(inline) => out.inline = inline,
            AttrKind::GnuInline => out.gnu_inline = true,
            AttrKind::Weak => out.weak = true,
            AttrKind::Packed => out.packed = true,
            AttrKind::Aligned => {
                let align = self.attr_alignment(id);
                out.aligned = out.aligned.max(align);
            }
            AttrKind::PreserveAccessIndex => out.preserve_access_index = true,
            AttrKind::DeclTag => out.decl_tags.extend(self.attr_string(id)),
            AttrKind::TypeTag => out.type_tags.extend(self.attr_string(id)),
            AttrKind::AddressSpace => {
                out.address_space =
                    self.attr_number(id).and_then(|n| u32::try_from(n).ok()).or(out.address_space);
            }
            AttrKind::Cleanup => match self.attr_expr(id) {
                Some(expr) if matches!(self.ast.expr(expr), ExprKind::Name(_)) => out.cleanup = Some(expr),
                _ => self.bad_attr(id, "takes the name of a function"),
            },
            AttrKind::Mode => out.mode = self.attr_mode(id).or(out.mode),
            AttrKind::NoReturn => out.noreturn = true,
            AttrKind::Error => out.error = self.attr_string(id).or(out.error),
            AttrKind::Naked => out.naked = true,
            AttrKind::Visibility => match self.attr_string(id).map(|text| self.name(text).to_owned()) {
                Some(text) if text == "hidden" || text == "internal" => out.hidden = true,
                Some(text) if text == "default" || text == "protected" => out.hidden = false,
                Some(_) => self.bad_attr(id, "takes `default` or `hidden`"),
                None => {}
            },
            AttrKind::Unused => out.unused = true,
            AttrKind::WantsUse => out.wants_use = true,
            AttrKind::Ignored
            | AttrKind::Fallthrough
            | AttrKind::FlagEnum
            | AttrKind::EnumExtensibility
            | AttrKind::Outdated => {}
            AttrKind::Unsupported => {
                let what = format!("attribute `{}`", self.name(self.ast.attr(id).name));
                self.unsupported(self.ast.attr_span(id), &what);
            }
        }
    }

    fn bad_attr(&mut self, id: AttrId, wants: &str) {
        let name = plain(self.name(self.ast.attr(id).name)).to_owned();
        self.error(&codes::ATTRIBUTE, self.ast.attr_span(id), format!("attribute `{name}` {wants}"));
    }

    /// The single argument, if it is an expression.
    fn attr_expr(&self, id: AttrId) -> Option<ExprId> {
        let mut args = self.ast.list(self.ast.attr(id).args);
        let first = args.next()?;
        match self.ast.attr_arg(first) {
            AttrArg::Expr(expr) if args.next().is_none() => Some(expr),
            AttrArg::Expr(_) | AttrArg::Type(_) => None,
        }
    }

    /// The single argument as a string.
    fn attr_string(&mut self, id: AttrId) -> Option<Symbol> {
        let mut expr = self.attr_expr(id);
        while let Some(ExprKind::Paren(inner)) = expr.map(|expr| self.ast.expr(expr)) {
            expr = Some(inner);
        }
        if let Some(ExprKind::Str(text)) = expr.map(|expr| self.ast.expr(expr)) {
            return Some(self.cx.names.intern(self.ast.string_bytes(text)));
        }
        self.bad_attr(id, "takes one string");
        None
    }

    fn attr_number(&mut self, id: AttrId) -> Option<i128> {
        let value =
            self.attr_expr(id).and_then(|expr| self.integer_constant(expr, "an attribute's argument"));
        if value.is_none() && self.attr_expr(id).is_none() {
            self.bad_attr(id, "takes one number");
        }
        value
    }

    /// `aligned(n)`, `aligned`, `_Alignas(type)`.
    fn attr_alignment(&mut self, id: AttrId) -> Option<u32> {
        let attr = self.ast.attr(id);
        let Some(first) = self.ast.list(attr.args).next() else {
            // The largest alignment that any ordinary type has.
            return Some(16);
        };
        let value = match self.ast.attr_arg(first) {
            AttrArg::Type(name) => {
                let ty = self.type_name_type(name);
                i128::from(self.layout_of(ty).map_or(1, |layout| layout.align))
            }
            AttrArg::Expr(_) => self.attr_number(id)?,
        };
        if value == 0 && self.name(attr.name).contains("lignas") {
            return None;
        }
        match u32::try_from(value) {
            Ok(align) if align.is_power_of_two() && align <= 1 << 28 => Some(align),
            _ => {
                self.bad_attr(id, &format!("takes a power of two, not {value}"));
                None
            }
        }
    }

    fn attr_mode(&mut self, id: AttrId) -> Option<(IntMode, Span)> {
        let span = self.ast.attr_span(id);
        if let Some(ExprKind::Name(name)) = self.attr_expr(id).map(|expr| self.ast.expr(expr)) {
            let text = plain(self.name(name));
            if let Some(&(_, mode)) = MODES.iter().find(|&&(row, _)| row == text) {
                return Some((mode, span));
            }
            let what = format!("machine mode `{text}`");
            self.unsupported(span, &what);
            return None;
        }
        self.bad_attr(id, "takes the name of a machine mode");
        None
    }

    /// Applies those attributes that change a declared type.
    pub(super) fn apply_type_attrs(&mut self, mut ty: TypeId, attrs: &Attrs) -> TypeId {
        if let Some((mode, span)) = attrs.mode {
            ty = self.with_mode(ty, mode, span);
        }
        for &tag in &attrs.type_tags {
            ty = self.types.intern(Type::Tagged { inner: ty, tag });
        }
        if let Some(space) = attrs.address_space
            && space != 0
        {
            ty = self.types.intern(Type::AddressSpace { inner: ty, space });
        }
        ty
    }

    fn with_mode(&mut self, ty: TypeId, mode: IntMode, span: Span) -> TypeId {
        let Some(kind) = self.types.int_kind(ty) else {
            if !self.is_error(ty) {
                self.unsupported(span, "a machine mode of a type that is not an integer");
            }
            return ty;
        };
        let (signed, unsigned) = mode.kinds();
        let quals = self.types.quals(ty);
        let plain = TypeId::int(if kind.is_signed() { signed } else { unsigned });
        self.types.qualified(plain, quals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique() {
        for (index, (name, _)) in ROWS.iter().enumerate() {
            assert!(ROWS.iter().skip(index + 1).all(|(other, _)| other != name), "{name}");
        }
    }

    #[test]
    fn underscores_are_stripped() {
        assert_eq!(plain("__packed__"), "packed");
        assert_eq!(plain("packed"), "packed");
        assert_eq!(plain("__"), "__");
    }
}

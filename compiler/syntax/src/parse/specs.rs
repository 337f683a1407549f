//! Actions for specifiers and attributes.
//!
//! In and out as in `build.rs`. Specifiers are digested here: words become one [`Basic`] type,
//! attributes behind a body move to the record, and what does not combine is reported.

use super::build::{Build, Seq, Sp, SpItem};
use super::feed::{BUILTIN_TYPES, UNKNOWN};
use super::tok::Word;
use crate::ast::*;
use crate::diag::{Diag, codes};
use crate::intern::Symbol;
use crate::source::Span;

/// Storage classes of which there may be one.
const EXCLUSIVE: Storage = Storage(
    Storage::TYPEDEF.0 | Storage::EXTERN.0 | Storage::STATIC.0 | Storage::AUTO.0 | Storage::REGISTER.0,
);

impl Build<'_> {
    // ------------------------------------------------------------ specifiers

    fn sp(&mut self) -> Sp {
        Sp {
            attrs: self.seq(),
            ty: TypeSpec::None,
            words: 0,
            storage: Storage::NONE,
            quals: Quals::NONE,
            after_body: false,
        }
    }

    #[inline]
    pub fn sp_item(&mut self, s: Option<Sp>, item: SpItem) -> Sp {
        match (s, item) {
            (s, SpItem::Qual(q)) => {
                let s = s.unwrap_or_else(|| self.sp());
                Sp { quals: s.quals.with(q), after_body: false, ..s }
            }
            (s, SpItem::Storage(c)) => {
                let s = s.unwrap_or_else(|| self.sp());
                Sp { storage: s.storage.with(c), after_body: false, ..s }
            }
            (None, SpItem::Attrs(a)) => Sp {
                attrs: a,
                ty: TypeSpec::None,
                words: 0,
                storage: Storage::NONE,
                quals: Quals::NONE,
                after_body: false,
            },
            (Some(s), SpItem::Attrs(a)) => {
                if s.after_body {
                    self.body_attrs(s.ty, a);
                    return s;
                }
                Sp { attrs: self.join(s.attrs, a), ..s }
            }
        }
    }

    /// Attributes right after the closing brace belong to the type.
    fn body_attrs(&mut self, ty: TypeSpec, a: Seq) {
        let after = self.list(a);
        match ty {
            TypeSpec::Record(id) => {
                let all = self.concat(self.unit.ast.record(id).attrs, after);
                self.unit.ast.set_record_attrs(id, all);
            }
            TypeSpec::Enum(id) => {
                let all = self.concat(self.unit.ast.enum_spec(id).attrs, after);
                self.unit.ast.set_enum_attrs(id, all);
            }
            _ => {}
        }
    }

    #[inline]
    pub fn sp_type(&mut self, s: Option<Sp>, ty: TypeSpec) -> Sp {
        let s = s.unwrap_or_else(|| self.sp());
        let after_body = match ty {
            TypeSpec::Record(id) => self.unit.ast.record(id).members.is_some(),
            TypeSpec::Enum(id) => self.unit.ast.enum_spec(id).enumerators.is_some(),
            _ => false,
        };
        Sp { ty, after_body, ..s }
    }

    #[inline]
    pub fn sp_word(&mut self, s: Option<Sp>, w: Word) -> Sp {
        let s = s.unwrap_or_else(|| self.sp());
        let words = match (s.words & w.0 != 0, w) {
            (false, _) => s.words | w.0,
            (true, Word::LONG) if s.words & Word::LONG2.0 == 0 => s.words | Word::LONG2.0,
            (true, _) => s.words | TWICE,
        };
        Sp { words, after_body: false, ..s }
    }

    pub fn specs(&mut self, l: u32, r: u32, s: Sp) -> SpecsId {
        let attrs = self.list(s.attrs);
        let span = self.span(l, r);
        let mut ty = s.ty;
        if s.words != 0 {
            ty = match basic(s.words) {
                Some(basic) => TypeSpec::Basic(basic),
                None => {
                    self.bad_words(span, s.words);
                    TypeSpec::Error
                }
            };
        }
        if (s.storage.0 & EXCLUSIVE.0).count_ones() > 1 {
            self.bad_storage(span, s.storage);
        }
        let height = match ty {
            TypeSpec::TypeofExpr(e) | TypeSpec::TypeofUnqualExpr(e) => 1 + self.expr_heights.get(e),
            TypeSpec::TypeofType(t) | TypeSpec::TypeofUnqualType(t) | TypeSpec::Atomic(t) => {
                1 + self.type_heights.get(t)
            }
            TypeSpec::Record(id) => self.record_heights.get(id),
            TypeSpec::Error
            | TypeSpec::None
            | TypeSpec::Basic(_)
            | TypeSpec::Name(_)
            | TypeSpec::Enum(_)
            | TypeSpec::Auto => 0,
        };
        if self.is_too_deep(span, height) {
            return self
                .unit
                .ast
                .push_specs(span, Specs { ty: TypeSpec::Error, quals: s.quals, storage: s.storage, attrs });
        }
        let id = self.unit.ast.push_specs(span, Specs { ty, quals: s.quals, storage: s.storage, attrs });
        self.specs_heights.set(id, height);
        id
    }

    fn bad_words(&mut self, span: Span, words: u16) {
        let used: Vec<String> =
            Word::ALL.iter().filter(|(w, _)| words & w.0 != 0).map(|(_, text)| format!("`{text}`")).collect();
        let message = if words & TWICE != 0 && basic(words & !TWICE).is_some() {
            "a type word is repeated".to_string()
        } else {
            format!("these words do not make a type: {}", used.join(", "))
        };
        self.report(Diag::new(&codes::TYPE_WORDS, span, message));
    }

    fn bad_storage(&mut self, span: Span, storage: Storage) {
        let used: Vec<String> = Storage::ALL
            .iter()
            .filter(|(s, _)| EXCLUSIVE.has(*s) && storage.has(*s))
            .map(|(_, text)| format!("`{text}`"))
            .collect();
        let message = format!("{} exclude each other", used.join(" and "));
        self.report(Diag::new(&codes::STORAGE, span, message));
    }

    #[inline]
    pub fn type_name_spec(&mut self, name: Symbol) -> TypeSpec {
        if self.cx.class(name) & UNKNOWN != 0 {
            return TypeSpec::Error;
        }
        match self.cx.names.text(name) {
            text if text.starts_with(b"__") => {
                match BUILTIN_TYPES.iter().position(|b| b.as_bytes() == text) {
                    Some(0) => TypeSpec::Basic(Basic::VaList),
                    Some(1) => TypeSpec::Basic(Basic::Int128),
                    Some(2) => TypeSpec::Basic(Basic::UInt128),
                    _ => TypeSpec::Name(name),
                }
            }
            _ => TypeSpec::Name(name),
        }
    }

    // ------------------------------------------------------------ attributes

    pub fn attr(&mut self, l: u32, r: u32, name: Symbol, args: Seq) -> AttrId {
        let args = self.list(args);
        self.unit.ast.push_attr(self.span(l, r), Attr { name, args })
    }

    pub fn attr_arg(&mut self, l: u32, r: u32, arg: AttrArg) -> AttrArgId {
        self.unit.ast.push_attr_arg(self.span(l, r), arg)
    }

    /// A type as an argument; a lone typedef name is taken as the bare word it may well be.
    pub fn attr_type_arg(&mut self, l: u32, r: u32, ty: TypeNameId) -> AttrArgId {
        let ast = &self.unit.ast;
        let name = ast.type_name(ty);
        let specs = ast.specs(name.specs);
        if let TypeSpec::Name(sym) = specs.ty
            && r == l + 1
        {
            let word = self.expr(l, r, ExprKind::Name(sym));
            return self.attr_arg(l, r, AttrArg::Expr(word));
        }
        self.attr_arg(l, r, AttrArg::Type(ty))
    }

    pub fn alignas(&mut self, l: u32, r: u32, name: Symbol, arg: AttrArg) -> Seq {
        let arg = self.attr_arg(l, r, arg);
        let args = self.one(arg);
        let attr = self.attr(l, r, name, args);
        self.one(attr)
    }
}

/// Marks that a word other than `long` came twice.
const TWICE: u16 = 1 << 15;

/// The type a set of words makes.
fn basic(words: u16) -> Option<Basic> {
    let sign = words & (Word::SIGNED.0 | Word::UNSIGNED.0);
    let unsigned = sign == Word::UNSIGNED.0;
    let rest = words & !sign;
    let either = |signed, other| if unsigned { other } else { signed };
    const INT: u16 = Word::INT.0;
    const CHAR: u16 = Word::CHAR.0;
    const SHORT: u16 = Word::SHORT.0;
    const SHORT_INT: u16 = SHORT | INT;
    const LONG: u16 = Word::LONG.0;
    const LONG_INT: u16 = LONG | INT;
    const LONG_LONG: u16 = LONG | Word::LONG2.0;
    const LONG_LONG_INT: u16 = LONG_LONG | INT;
    const INT128: u16 = Word::INT128.0;
    const LONG_DOUBLE: u16 = LONG | Word::DOUBLE.0;
    const VOID: u16 = Word::VOID.0;
    const BOOL: u16 = Word::BOOL.0;
    const FLOAT: u16 = Word::FLOAT.0;
    const DOUBLE: u16 = Word::DOUBLE.0;
    const FLOAT16: u16 = Word::FLOAT16.0;
    const FLOAT128: u16 = Word::FLOAT128.0;
    const COMPLEX: u16 = Word::COMPLEX.0;
    const COMPLEX_FLOAT: u16 = COMPLEX | FLOAT;
    const COMPLEX_DOUBLE: u16 = COMPLEX | DOUBLE;
    const COMPLEX_LONG_DOUBLE: u16 = COMPLEX | LONG_DOUBLE;
    if sign.count_ones() > 1 {
        return None;
    }
    let plain = match rest {
        0 | INT => return Some(either(Basic::Int, Basic::UInt)),
        CHAR if sign == 0 => return Some(Basic::Char),
        CHAR => return Some(either(Basic::SChar, Basic::UChar)),
        SHORT | SHORT_INT => return Some(either(Basic::Short, Basic::UShort)),
        LONG | LONG_INT => return Some(either(Basic::Long, Basic::ULong)),
        LONG_LONG | LONG_LONG_INT => return Some(either(Basic::LongLong, Basic::ULongLong)),
        INT128 => return Some(either(Basic::Int128, Basic::UInt128)),
        VOID => Basic::Void,
        BOOL => Basic::Bool,
        FLOAT => Basic::Float,
        DOUBLE => Basic::Double,
        LONG_DOUBLE => Basic::LongDouble,
        FLOAT16 => Basic::Float16,
        FLOAT128 => Basic::Float128,
        COMPLEX | COMPLEX_DOUBLE => Basic::ComplexDouble,
        COMPLEX_FLOAT => Basic::ComplexFloat,
        COMPLEX_LONG_DOUBLE => Basic::ComplexLongDouble,
        _ => return None,
    };
    (sign == 0).then_some(plain)
}

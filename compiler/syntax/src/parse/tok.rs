//! The grammar's terminals.
//!
//! In: [`Token`]s of the preprocessor. Out: [`Tok`], which tells keywords apart and lumps together what
//! the grammar need not distinguish (all type words, all qualifiers, most operators).
//! Invariant: the table of keywords is complete; a test holds it against the interner's.

use crate::ast::{BinOp, Quals, RecordKind, Storage, UnOp};
use crate::intern::{Symbol, kw, kw23};
use crate::token::TokenKind;

/// A type word; the bits of several may be united.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Word(pub u16);

impl Word {
    pub const VOID: Word = Word(1 << 0);
    pub const BOOL: Word = Word(1 << 1);
    pub const CHAR: Word = Word(1 << 2);
    pub const SHORT: Word = Word(1 << 3);
    pub const INT: Word = Word(1 << 4);
    pub const LONG: Word = Word(1 << 5);
    /// The second `long`.
    pub const LONG2: Word = Word(1 << 6);
    pub const SIGNED: Word = Word(1 << 7);
    pub const UNSIGNED: Word = Word(1 << 8);
    pub const FLOAT: Word = Word(1 << 9);
    pub const DOUBLE: Word = Word(1 << 10);
    pub const COMPLEX: Word = Word(1 << 11);
    pub const INT128: Word = Word(1 << 12);
    pub const FLOAT16: Word = Word(1 << 13);
    pub const FLOAT128: Word = Word(1 << 14);

    /// Each word with its spelling.
    pub const ALL: &[(Word, &str)] = &[
        (Word::UNSIGNED, "unsigned"),
        (Word::SIGNED, "signed"),
        (Word::SHORT, "short"),
        (Word::LONG, "long"),
        (Word::LONG2, "long"),
        (Word::VOID, "void"),
        (Word::BOOL, "_Bool"),
        (Word::CHAR, "char"),
        (Word::INT, "int"),
        (Word::INT128, "__int128"),
        (Word::COMPLEX, "_Complex"),
        (Word::FLOAT, "float"),
        (Word::DOUBLE, "double"),
        (Word::FLOAT16, "_Float16"),
        (Word::FLOAT128, "__float128"),
    ];
}

/// A terminal of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tok {
    /// Start: a translation unit follows.
    StartUnit,
    /// Start: an expression follows.
    StartExpr,
    /// Start: a type name follows.
    StartType,
    /// A name that is no type.
    Var(Symbol),
    /// A typedef name.
    Type(Symbol),
    /// A name that was both; one of the next two follows.
    Name(Symbol),
    /// The name before is no type here.
    IsVar,
    /// The name before is a type here.
    IsType,
    /// The name of an attribute.
    AttrName(Symbol),
    Number,
    Char,
    Str,
    Word(Word),
    Qual(Quals),
    Storage(Storage),
    Record(RecordKind),
    Enum,
    /// The colon before the type of an enumeration.
    EnumColon,
    /// Whether it removes qualifiers.
    Typeof(bool),
    AutoType,
    /// `_Atomic` before a parenthesis.
    AtomicType,
    Attribute,
    Alignas(Symbol),
    Alignof,
    Sizeof,
    Asm,
    StaticAssert,
    LocalLabel,
    Generic,
    VaArg,
    Offsetof,
    TypesCompatible,
    ChooseExpr,
    If,
    Else,
    Switch,
    Case,
    Default,
    While,
    Do,
    For,
    Goto,
    Continue,
    Break,
    Return,
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    Dot,
    Arrow,
    Ellipsis,
    /// Whether it increments.
    IncDec(bool),
    Amp,
    Star,
    /// `+` or `-`
    AddOp(BinOp),
    /// An operator that is unary only.
    UnOp(UnOp),
    AndAnd,
    /// An operator that is binary only.
    BinOp(BinOp),
    /// `op=`
    OpAssign(BinOp),
    Assign,
    Question,
    Colon,
    Semi,
    Comma,
    /// Stands for an expression that is missing.
    Hole,
    /// Not in the grammar: a token no program may contain.
    Stray,
}

impl Tok {
    /// Is it a keyword that a declaration may begin with?
    pub fn begins_declaration(self) -> bool {
        matches!(
            self,
            Tok::Word(_)
                | Tok::Qual(_)
                | Tok::Storage(_)
                | Tok::Record(_)
                | Tok::Enum
                | Tok::Typeof(_)
                | Tok::AutoType
                | Tok::AtomicType
                | Tok::Attribute
                | Tok::Alignas(_)
        )
    }
}

/// The keywords of every mode, and `bool` and its like in C23.
pub const KEYWORDS: &[(Symbol, Tok)] = &[
    (kw::AUTO, Tok::Storage(Storage::AUTO)),
    (kw::BREAK, Tok::Break),
    (kw::CASE, Tok::Case),
    (kw::CHAR, Tok::Word(Word::CHAR)),
    (kw::CONST, Tok::Qual(Quals::CONST)),
    (kw::CONTINUE, Tok::Continue),
    (kw::DEFAULT, Tok::Default),
    (kw::DO, Tok::Do),
    (kw::DOUBLE, Tok::Word(Word::DOUBLE)),
    (kw::ELSE, Tok::Else),
    (kw::ENUM, Tok::Enum),
    (kw::EXTERN, Tok::Storage(Storage::EXTERN)),
    (kw::FLOAT, Tok::Word(Word::FLOAT)),
    (kw::FOR, Tok::For),
    (kw::GOTO, Tok::Goto),
    (kw::IF, Tok::If),
    (kw::INLINE, Tok::Storage(Storage::INLINE)),
    (kw::INT, Tok::Word(Word::INT)),
    (kw::LONG, Tok::Word(Word::LONG)),
    (kw::REGISTER, Tok::Storage(Storage::REGISTER)),
    (kw::RESTRICT, Tok::Qual(Quals::RESTRICT)),
    (kw::RETURN, Tok::Return),
    (kw::SHORT, Tok::Word(Word::SHORT)),
    (kw::SIGNED, Tok::Word(Word::SIGNED)),
    (kw::SIZEOF, Tok::Sizeof),
    (kw::STATIC, Tok::Storage(Storage::STATIC)),
    (kw::STRUCT, Tok::Record(RecordKind::Struct)),
    (kw::SWITCH, Tok::Switch),
    (kw::TYPEDEF, Tok::Storage(Storage::TYPEDEF)),
    (kw::UNION, Tok::Record(RecordKind::Union)),
    (kw::UNSIGNED, Tok::Word(Word::UNSIGNED)),
    (kw::VOID, Tok::Word(Word::VOID)),
    (kw::VOLATILE, Tok::Qual(Quals::VOLATILE)),
    (kw::WHILE, Tok::While),
    (kw::ALIGNAS_, Tok::Alignas(kw::ALIGNAS_)),
    (kw::ALIGNOF_, Tok::Alignof),
    (kw::ATOMIC_, Tok::Qual(Quals::ATOMIC)),
    (kw::BOOL_, Tok::Word(Word::BOOL)),
    (kw::COMPLEX_, Tok::Word(Word::COMPLEX)),
    (kw::GENERIC_, Tok::Generic),
    (kw::IMAGINARY_, Tok::Stray),
    (kw::NORETURN_, Tok::Storage(Storage::NORETURN)),
    (kw::STATIC_ASSERT_, Tok::StaticAssert),
    (kw::THREAD_LOCAL_, Tok::Storage(Storage::THREAD)),
    (kw::FLOAT16_, Tok::Word(Word::FLOAT16)),
    (kw::BITINT_, Tok::Stray),
    (kw::EXTINT_, Tok::Stray),
    (kw::ASM, Tok::Asm),
    (kw::ASM_, Tok::Asm),
    (kw::ASM__, Tok::Asm),
    (kw::TYPEOF, Tok::Typeof(false)),
    (kw::TYPEOF_, Tok::Typeof(false)),
    (kw::TYPEOF__, Tok::Typeof(false)),
    (kw::TYPEOF_UNQUAL_, Tok::Typeof(true)),
    (kw::TYPEOF_UNQUAL__, Tok::Typeof(true)),
    (kw::ALIGNOF__, Tok::Alignof),
    (kw::ALIGNOF___, Tok::Alignof),
    (kw::ATTRIBUTE_, Tok::Attribute),
    (kw::ATTRIBUTE__, Tok::Attribute),
    (kw::COMPLEX__, Tok::Word(Word::COMPLEX)),
    (kw::COMPLEX___, Tok::Word(Word::COMPLEX)),
    (kw::CONST_, Tok::Qual(Quals::CONST)),
    (kw::CONST__, Tok::Qual(Quals::CONST)),
    // The feed drops it: it changes nothing but warnings.
    (kw::EXTENSION__, Tok::Stray),
    (kw::IMAG_, Tok::UnOp(UnOp::Imag)),
    (kw::IMAG__, Tok::UnOp(UnOp::Imag)),
    (kw::REAL_, Tok::UnOp(UnOp::Real)),
    (kw::REAL__, Tok::UnOp(UnOp::Real)),
    (kw::INLINE_, Tok::Storage(Storage::INLINE)),
    (kw::INLINE__, Tok::Storage(Storage::INLINE)),
    (kw::INT128, Tok::Word(Word::INT128)),
    (kw::LABEL__, Tok::LocalLabel),
    (kw::RESTRICT_, Tok::Qual(Quals::RESTRICT)),
    (kw::RESTRICT__, Tok::Qual(Quals::RESTRICT)),
    (kw::SIGNED_, Tok::Word(Word::SIGNED)),
    (kw::SIGNED__, Tok::Word(Word::SIGNED)),
    (kw::THREAD_, Tok::Storage(Storage::THREAD)),
    (kw::VOLATILE_, Tok::Qual(Quals::VOLATILE)),
    (kw::VOLATILE__, Tok::Qual(Quals::VOLATILE)),
    (kw::AUTO_TYPE, Tok::AutoType),
    (kw::FLOAT128_, Tok::Word(Word::FLOAT128)),
    (kw::BUILTIN_VA_ARG, Tok::VaArg),
    (kw::BUILTIN_OFFSETOF, Tok::Offsetof),
    (kw::BUILTIN_TYPES_COMPATIBLE_P, Tok::TypesCompatible),
    (kw::BUILTIN_CHOOSE_EXPR, Tok::ChooseExpr),
    (kw23::ALIGNAS, Tok::Alignas(kw::ALIGNAS_)),
    (kw23::ALIGNOF, Tok::Alignof),
    (kw23::BOOL, Tok::Word(Word::BOOL)),
    // The feed adds the storage.
    (kw23::CONSTEXPR, Tok::Qual(Quals::CONST)),
    // Names of constants: sema knows them.
    (kw23::FALSE, Tok::Var(kw23::FALSE)),
    (kw23::NULLPTR, Tok::Var(kw23::NULLPTR)),
    (kw23::STATIC_ASSERT, Tok::StaticAssert),
    (kw23::THREAD_LOCAL, Tok::Storage(Storage::THREAD)),
    (kw23::TRUE, Tok::Var(kw23::TRUE)),
    (kw23::TYPEOF_UNQUAL, Tok::Typeof(true)),
];

/// The terminal of a token that is no identifier.
pub fn of_kind(kind: TokenKind) -> Tok {
    match kind {
        TokenKind::Eof
        | TokenKind::Eod
        | TokenKind::Placemarker
        | TokenKind::Ident
        | TokenKind::OpenComment
        | TokenKind::Hash
        | TokenKind::HashHash
        | TokenKind::Unknown => Tok::Stray,
        TokenKind::Number => Tok::Number,
        TokenKind::Char => Tok::Char,
        // An open quote has been reported; as an empty string it does the least harm.
        TokenKind::Str | TokenKind::OpenQuote => Tok::Str,
        TokenKind::LParen => Tok::LParen,
        TokenKind::RParen => Tok::RParen,
        TokenKind::LBracket => Tok::LBracket,
        TokenKind::RBracket => Tok::RBracket,
        TokenKind::LBrace => Tok::LBrace,
        TokenKind::RBrace => Tok::RBrace,
        TokenKind::Dot => Tok::Dot,
        TokenKind::Ellipsis => Tok::Ellipsis,
        TokenKind::Arrow => Tok::Arrow,
        TokenKind::PlusPlus => Tok::IncDec(true),
        TokenKind::MinusMinus => Tok::IncDec(false),
        TokenKind::Amp => Tok::Amp,
        TokenKind::Star => Tok::Star,
        TokenKind::Plus => Tok::AddOp(BinOp::Add),
        TokenKind::Minus => Tok::AddOp(BinOp::Sub),
        TokenKind::Tilde => Tok::UnOp(UnOp::BitNot),
        TokenKind::Bang => Tok::UnOp(UnOp::Not),
        TokenKind::Slash => Tok::BinOp(BinOp::Div),
        TokenKind::Percent => Tok::BinOp(BinOp::Rem),
        TokenKind::Shl => Tok::BinOp(BinOp::Shl),
        TokenKind::Shr => Tok::BinOp(BinOp::Shr),
        TokenKind::Lt => Tok::BinOp(BinOp::Lt),
        TokenKind::Gt => Tok::BinOp(BinOp::Gt),
        TokenKind::Le => Tok::BinOp(BinOp::Le),
        TokenKind::Ge => Tok::BinOp(BinOp::Ge),
        TokenKind::EqEq => Tok::BinOp(BinOp::Eq),
        TokenKind::Ne => Tok::BinOp(BinOp::Ne),
        TokenKind::Caret => Tok::BinOp(BinOp::Xor),
        TokenKind::Pipe => Tok::BinOp(BinOp::Or),
        TokenKind::AndAnd => Tok::AndAnd,
        TokenKind::OrOr => Tok::BinOp(BinOp::LogOr),
        TokenKind::Question => Tok::Question,
        TokenKind::Colon | TokenKind::ColonColon => Tok::Colon,
        TokenKind::Semi => Tok::Semi,
        TokenKind::Assign => Tok::Assign,
        TokenKind::StarAssign => Tok::OpAssign(BinOp::Mul),
        TokenKind::SlashAssign => Tok::OpAssign(BinOp::Div),
        TokenKind::PercentAssign => Tok::OpAssign(BinOp::Rem),
        TokenKind::PlusAssign => Tok::OpAssign(BinOp::Add),
        TokenKind::MinusAssign => Tok::OpAssign(BinOp::Sub),
        TokenKind::ShlAssign => Tok::OpAssign(BinOp::Shl),
        TokenKind::ShrAssign => Tok::OpAssign(BinOp::Shr),
        TokenKind::AmpAssign => Tok::OpAssign(BinOp::And),
        TokenKind::CaretAssign => Tok::OpAssign(BinOp::Xor),
        TokenKind::PipeAssign => Tok::OpAssign(BinOp::Or),
        TokenKind::Comma => Tok::Comma,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intern::N_KEYWORDS_C23;

    #[test]
    fn every_keyword_has_one_row_at_its_number() {
        assert_eq!(KEYWORDS.len() as u32, N_KEYWORDS_C23 - 1);
        for (at, &(sym, _)) in KEYWORDS.iter().enumerate() {
            assert_eq!(sym.0 as usize, at + 1);
        }
    }
}

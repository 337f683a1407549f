//! Tokens: one 12-byte form from the lexer to the parser.
//!
//! A [`Token`] says what it is (`kind`), how it stood in the text (`flags`), who it is (`val`) and where
//! it came from (`loc`). Keywords are identifiers whose symbol is below [`crate::intern::N_KEYWORDS`].
//! Invariant: the text of any token can be had from the source map and the interner alone; see [`text`].

use crate::intern::{Interner, Symbol};
use crate::source::{Loc, SourceMap};

macro_rules! kinds {
    ($($(#[$about:meta])* $name:ident $($text:literal)?,)*) => {
        /// What a token is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum TokenKind { $($(#[$about])* $name,)* }

        impl TokenKind {
            /// The fixed spelling of a punctuator, empty for other kinds.
            pub fn spelling(self) -> &'static str {
                match self { $(TokenKind::$name => kinds!(@text $($text)?),)* }
            }
        }
    };
    (@text) => { "" };
    (@text $text:literal) => { $text };
}

kinds! {
    /// End of the input; the last token of every stream.
    Eof,
    /// End of a directive line; never leaves the preprocessor.
    Eod,
    /// Stands for an empty macro argument next to `##`; never leaves the preprocessor.
    Placemarker,
    /// Identifier or keyword; `sym()` is its name.
    Ident,
    /// A preprocessing number, whole.
    Number,
    /// A character constant with its prefix and quotes.
    Char,
    /// A string literal with its prefix and quotes.
    Str,
    /// A quote without its partner on the line, up to the end of that line.
    OpenQuote,
    /// `/*` without `*/`; reaches to the end of the file.
    OpenComment,
    /// A byte that starts no token.
    Unknown,
    /// `(`
    LParen "(",
    /// `)`
    RParen ")",
    /// `[`
    LBracket "[",
    /// `]`
    RBracket "]",
    /// `{`
    LBrace "{",
    /// `}`
    RBrace "}",
    /// `.`
    Dot ".",
    /// `...`
    Ellipsis "...",
    /// `->`
    Arrow "->",
    /// `++`
    PlusPlus "++",
    /// `--`
    MinusMinus "--",
    /// `&`
    Amp "&",
    /// `*`
    Star "*",
    /// `+`
    Plus "+",
    /// `-`
    Minus "-",
    /// `~`
    Tilde "~",
    /// `!`
    Bang "!",
    /// `/`
    Slash "/",
    /// `%`
    Percent "%",
    /// `<<`
    Shl "<<",
    /// `>>`
    Shr ">>",
    /// `<`
    Lt "<",
    /// `>`
    Gt ">",
    /// `<=`
    Le "<=",
    /// `>=`
    Ge ">=",
    /// `==`
    EqEq "==",
    /// `!=`
    Ne "!=",
    /// `^`
    Caret "^",
    /// `|`
    Pipe "|",
    /// `&&`
    AndAnd "&&",
    /// `||`
    OrOr "||",
    /// `?`
    Question "?",
    /// `:`
    Colon ":",
    /// `::` (C23 attributes)
    ColonColon "::",
    /// `;`
    Semi ";",
    /// `=`
    Assign "=",
    /// `*=`
    StarAssign "*=",
    /// `/=`
    SlashAssign "/=",
    /// `%=`
    PercentAssign "%=",
    /// `+=`
    PlusAssign "+=",
    /// `-=`
    MinusAssign "-=",
    /// `<<=`
    ShlAssign "<<=",
    /// `>>=`
    ShrAssign ">>=",
    /// `&=`
    AmpAssign "&=",
    /// `^=`
    CaretAssign "^=",
    /// `|=`
    PipeAssign "|=",
    /// `,`
    Comma ",",
    /// `#`
    Hash "#",
    /// `##`
    HashHash "##",
}

/// How a token stood in the text, and what the preprocessor remembers about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct TokFlags(pub u8);

impl TokFlags {
    /// First token of its line.
    pub const BOL: u8 = 1;
    /// White space stands before it.
    pub const SPACE: u8 = 2;
    /// The flags about white space.
    pub const WHITE: u8 = TokFlags::BOL | TokFlags::SPACE;
    /// `val` is the symbol of the spelling, because the spelling is not in the text as such
    /// (line splices inside, or a digraph). Identifiers do not need it.
    pub const INTERNED: u8 = 4;
    /// An identifier that must not be expanded any more.
    pub const NO_EXPAND: u8 = 8;
    /// In a macro body: a parameter.
    pub const PARAM: u8 = 16;
    /// A comma after this token was dropped by GNU `, ## args`.
    pub const COMMA_ELIDED: u8 = 32;

    /// Whether any of `bits` is set.
    #[inline]
    pub fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }

    /// First token of its line.
    #[inline]
    pub fn bol(self) -> bool {
        self.has(TokFlags::BOL)
    }

    /// White space stands before it.
    #[inline]
    pub fn space(self) -> bool {
        self.has(TokFlags::SPACE)
    }
}

/// One token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// How it stood.
    pub flags: TokFlags,
    /// Private use of the preprocessor (the index of a parameter in a macro body).
    pub(crate) aux: u16,
    /// Symbol of an identifier (or of any [`TokFlags::INTERNED`] token); length of a literal's text.
    pub val: u32,
    /// Where it is; see [`SourceMap`].
    pub loc: Loc,
}

impl Token {
    /// A token without text, at `loc`.
    pub(crate) fn new(kind: TokenKind, loc: Loc) -> Token {
        Token { kind, flags: TokFlags(0), aux: 0, val: 0, loc }
    }

    /// The name of an identifier; the empty symbol for other tokens.
    #[inline]
    pub fn sym(&self) -> Symbol {
        if self.kind == TokenKind::Ident { Symbol(self.val) } else { Symbol::EMPTY }
    }

    /// Whether this is the identifier or keyword `name`.
    #[inline]
    pub fn is(&self, name: Symbol) -> bool {
        self.kind == TokenKind::Ident && self.val == name.0
    }
}

/// The spelling of a token, without line splices.
pub fn text<'a>(tok: &Token, source: &'a SourceMap, names: &'a Interner) -> &'a [u8] {
    match tok.kind {
        TokenKind::Ident => names.text(Symbol(tok.val)),
        _ if tok.flags.has(TokFlags::INTERNED) => names.text(Symbol(tok.val)),
        TokenKind::Number
        | TokenKind::Char
        | TokenKind::Str
        | TokenKind::OpenQuote
        | TokenKind::OpenComment
        | TokenKind::Unknown => source.slice(source.spelling(tok.loc), tok.val as usize),
        other => other.spelling().as_bytes(),
    }
}

/// What a `#pragma` (or `_Pragma`) asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PragmaKind {
    /// `clang attribute push(__attribute__((..)), apply_to = ..)`: `attrs` are the tokens between the
    /// double parentheses, `subjects` those after `apply_to =`; both index [`Tokens::pragma_toks`].
    AttributePush {
        /// Attribute list.
        attrs: (u32, u32),
        /// Match rules.
        subjects: (u32, u32),
    },
    /// `clang attribute pop`
    AttributePop,
    /// `unroll`, `clang loop unroll(enable)` and `unroll(full)`.
    UnrollFull,
    /// `unroll N`, `clang loop unroll_count(N)`.
    UnrollCount(u32),
    /// `nounroll`, `clang loop unroll(disable)`.
    NoUnroll,
    /// `pack(N)`; 0 restores the default.
    Pack(u32),
    /// `pack(push)` or `pack(push, N)`.
    PackPush(Option<u32>),
    /// `pack(pop)`
    PackPop,
    /// Anything else; no meaning for the compiler, kept for printing.
    Other,
}

impl PragmaKind {
    /// The same pragma with its token ranges moved by `shift`.
    pub(crate) fn shifted(self, shift: impl Fn((u32, u32)) -> (u32, u32)) -> PragmaKind {
        match self {
            PragmaKind::AttributePush { attrs, subjects } => {
                PragmaKind::AttributePush { attrs: shift(attrs), subjects: shift(subjects) }
            }
            PragmaKind::AttributePop
            | PragmaKind::UnrollFull
            | PragmaKind::UnrollCount(_)
            | PragmaKind::NoUnroll
            | PragmaKind::Pack(_)
            | PragmaKind::PackPush(_)
            | PragmaKind::PackPop
            | PragmaKind::Other => self,
        }
    }
}

/// A pragma and its place in the token stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pragma {
    /// It stands before the token with this index.
    pub index: u32,
    /// What it asks for.
    pub kind: PragmaKind,
    /// Its tokens after `#pragma`: a range of [`Tokens::pragma_toks`].
    pub toks: (u32, u32),
    /// The `pragma` (or `_Pragma`) token.
    pub loc: Loc,
}

/// What the preprocessor hands to the parser.
#[derive(Clone, Default, Debug)]
pub struct Tokens {
    /// The program, ended by one [`TokenKind::Eof`].
    pub toks: Vec<Token>,
    /// Pragmas in order of `index`.
    pub pragmas: Vec<Pragma>,
    /// The tokens of all pragmas.
    pub pragma_toks: Vec<Token>,
}

impl Tokens {
    /// The tokens of a range found in a [`Pragma`].
    pub fn pragma_range(&self, range: (u32, u32)) -> &[Token] {
        self.pragma_toks.get(range.0 as usize..range.1 as usize).unwrap_or(&[])
    }
}

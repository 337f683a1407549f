//! Bytes to tokens, in pieces: a logos automaton plus what an automaton cannot do.
//!
//! In: file bytes (any bytes), a cursor. Out: tokens without white space; identifiers interned.
//! By hand: comments (skipped with memchr) and tokens with a line splice inside (cleaned, lexed again).
//! Invariant: the lexer reports nothing; what is wrong comes out as a token of an `Open..` or `Unknown`
//! kind, so a wrong token in skipped text costs nobody a message. Every call makes progress.

use crate::intern::{self, Interner};
use crate::source::Loc;
use crate::token::{TokFlags, Token, TokenKind};
use logos::Logos;

/// One match of the automaton.
#[derive(Logos, Clone, Copy, PartialEq, Debug)]
#[logos(utf8 = false)]
enum Raw {
    /// An end of line with the white space that starts the next line.
    #[regex(b"[\n\r][ \t\r\n\x0b\x0c]*")]
    Newline,
    #[regex(b"[ \t\x0b\x0c\x00]+")]
    Space,
    #[regex(b"\\\\[ \t\x0b\x0c]*\r?\n")]
    Splice,
    #[token(b"//")]
    LineComment,
    #[token(b"/*")]
    BlockComment,
    #[regex(b"[A-Za-z_$\x80-\xff][A-Za-z0-9_$\x80-\xff]*")]
    Ident,
    #[regex(b"\\.?[0-9]([0-9A-Za-z_.\x80-\xff]|[eEpP][+\\-]|'[0-9A-Za-z_])*")]
    Number,
    #[regex(b"(L|u8|u|U)?\"([^\"\\\\\n\r]|\\\\[^\n\r]|\\\\\r?\n)*\"", |_| TokenKind::Str)]
    #[regex(b"(L|u8|u|U)?'([^'\\\\\n\r]|\\\\[^\n\r]|\\\\\r?\n)*'", |_| TokenKind::Char)]
    #[regex(b"(L|u8|u|U)?\"([^\"\\\\\n\r]|\\\\[^\n\r]|\\\\\r?\n)*", |_| TokenKind::OpenQuote)]
    #[regex(b"(L|u8|u|U)?'([^'\\\\\n\r]|\\\\[^\n\r]|\\\\\r?\n)*", |_| TokenKind::OpenQuote)]
    Literal(TokenKind),
    #[token(b"(", |_| TokenKind::LParen)]
    #[token(b")", |_| TokenKind::RParen)]
    #[token(b"[", |_| TokenKind::LBracket)]
    #[token(b"]", |_| TokenKind::RBracket)]
    #[token(b"{", |_| TokenKind::LBrace)]
    #[token(b"}", |_| TokenKind::RBrace)]
    #[token(b".", |_| TokenKind::Dot)]
    #[token(b"...", |_| TokenKind::Ellipsis)]
    #[token(b"->", |_| TokenKind::Arrow)]
    #[token(b"++", |_| TokenKind::PlusPlus)]
    #[token(b"--", |_| TokenKind::MinusMinus)]
    #[token(b"&", |_| TokenKind::Amp)]
    #[token(b"*", |_| TokenKind::Star)]
    #[token(b"+", |_| TokenKind::Plus)]
    #[token(b"-", |_| TokenKind::Minus)]
    #[token(b"~", |_| TokenKind::Tilde)]
    #[token(b"!", |_| TokenKind::Bang)]
    #[token(b"/", |_| TokenKind::Slash)]
    #[token(b"%", |_| TokenKind::Percent)]
    #[token(b"<<", |_| TokenKind::Shl)]
    #[token(b">>", |_| TokenKind::Shr)]
    #[token(b"<", |_| TokenKind::Lt)]
    #[token(b">", |_| TokenKind::Gt)]
    #[token(b"<=", |_| TokenKind::Le)]
    #[token(b">=", |_| TokenKind::Ge)]
    #[token(b"==", |_| TokenKind::EqEq)]
    #[token(b"!=", |_| TokenKind::Ne)]
    #[token(b"^", |_| TokenKind::Caret)]
    #[token(b"|", |_| TokenKind::Pipe)]
    #[token(b"&&", |_| TokenKind::AndAnd)]
    #[token(b"||", |_| TokenKind::OrOr)]
    #[token(b"?", |_| TokenKind::Question)]
    #[token(b":", |_| TokenKind::Colon)]
    #[token(b"::", |_| TokenKind::ColonColon)]
    #[token(b";", |_| TokenKind::Semi)]
    #[token(b"=", |_| TokenKind::Assign)]
    #[token(b"*=", |_| TokenKind::StarAssign)]
    #[token(b"/=", |_| TokenKind::SlashAssign)]
    #[token(b"%=", |_| TokenKind::PercentAssign)]
    #[token(b"+=", |_| TokenKind::PlusAssign)]
    #[token(b"-=", |_| TokenKind::MinusAssign)]
    #[token(b"<<=", |_| TokenKind::ShlAssign)]
    #[token(b">>=", |_| TokenKind::ShrAssign)]
    #[token(b"&=", |_| TokenKind::AmpAssign)]
    #[token(b"^=", |_| TokenKind::CaretAssign)]
    #[token(b"|=", |_| TokenKind::PipeAssign)]
    #[token(b",", |_| TokenKind::Comma)]
    #[token(b"#", |_| TokenKind::Hash)]
    #[token(b"##", |_| TokenKind::HashHash)]
    Punct(TokenKind),
    #[token(b"<:", |_| TokenKind::LBracket)]
    #[token(b":>", |_| TokenKind::RBracket)]
    #[token(b"<%", |_| TokenKind::LBrace)]
    #[token(b"%>", |_| TokenKind::RBrace)]
    #[token(b"%:", |_| TokenKind::Hash)]
    #[token(b"%:%:", |_| TokenKind::HashHash)]
    Digraph(TokenKind),
    #[regex(b"[\x00-\xff]", priority = 0)]
    Unknown,
}

/// Where the next piece starts, and what is already known about its first token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    pos: usize,
    flags: u8,
}

impl Cursor {
    /// The start of a file.
    pub(crate) fn at_start() -> Cursor {
        Cursor { pos: 0, flags: TokFlags::BOL }
    }

    /// The first token of a line.
    pub(crate) fn at_line_start(pos: usize) -> Cursor {
        Cursor { pos, flags: TokFlags::WHITE }
    }

    /// In the middle of a line.
    pub(crate) fn at(pos: usize) -> Cursor {
        Cursor { pos, flags: 0 }
    }
}

/// Appends tokens to `out` until it holds `max` or the text ends; `true` at the end of the text.
pub(crate) fn lex(
    text: &[u8],
    base: Loc,
    at: &mut Cursor,
    names: &mut Interner,
    out: &mut Vec<Token>,
    max: usize,
) -> bool {
    let start = out.len();
    let ended = cut(text, base, at, names, out, max);
    resolve(text, base, names, out.get_mut(start..).unwrap_or(&mut []));
    ended
}

/// Marks an identifier whose `val` is still its length.
const UNRESOLVED: u8 = 0x80;

/// Interns the identifiers of `toks`, many at a time: their lookups miss the cache, and so overlap.
fn resolve(text: &[u8], base: Loc, names: &mut Interner, toks: &mut [Token]) {
    const GROUP: usize = 64;
    let mut found = [(0u8, 0u32); GROUP];
    for group in toks.chunks_mut(GROUP) {
        let mut count = 0;
        for (i, tok) in group.iter().enumerate() {
            if tok.flags.has(UNRESOLVED) {
                let hash = intern::hash(text, tok.loc.since(base), tok.val as usize);
                if let Some(slot) = found.get_mut(count) {
                    *slot = (i as u8, hash);
                    count += 1;
                }
            }
        }
        let found = found.get(..count).unwrap_or(&[]);
        std::hint::black_box(found.iter().fold(0, |acc, (_, hash)| acc ^ names.touch(*hash)));
        for &(i, hash) in found {
            if let Some(tok) = group.get_mut(usize::from(i)) {
                tok.flags.0 &= !UNRESOLVED;
                tok.val = names.intern_at(text, tok.loc.since(base), tok.val as usize, hash).0;
            }
        }
    }
}

/// Cuts the text into tokens; identifiers stay unresolved.
fn cut(
    text: &[u8],
    base: Loc,
    at: &mut Cursor,
    names: &mut Interner,
    out: &mut Vec<Token>,
    max: usize,
) -> bool {
    let mut lx = Raw::lexer(text);
    lx.bump(at.pos.min(text.len()));
    let mut flags = at.flags;
    while out.len() < max {
        lx.bump(white_len(text, lx.span().end, &mut flags));
        let Some(raw) = lx.next() else {
            *at = Cursor { pos: text.len(), flags };
            return true;
        };
        let raw = raw.unwrap_or(Raw::Unknown);
        let span = lx.span();
        match raw {
            Raw::Newline => {
                flags = TokFlags::BOL | TokFlags::SPACE;
                continue;
            }
            Raw::Space => {
                flags |= TokFlags::SPACE;
                continue;
            }
            Raw::Splice => continue,
            Raw::LineComment => {
                lx.bump(line_comment_len(text, span.end));
                flags |= TokFlags::SPACE;
                continue;
            }
            Raw::BlockComment => {
                if let Some(len) = block_comment_len(text, span.end) {
                    lx.bump(len);
                    flags |= TokFlags::SPACE;
                    continue;
                }
            }
            Raw::Ident | Raw::Number | Raw::Literal(_) | Raw::Punct(_) | Raw::Digraph(_) | Raw::Unknown => {}
        }
        let spliced = text.get(span.end) == Some(&b'\\');
        if let Raw::Punct(kind) = raw
            && !spliced
        {
            let loc = base.plus(span.start as u32);
            out.push(Token { kind, flags: TokFlags(flags), aux: 0, val: 0, loc });
            flags = 0;
            continue;
        }
        if (spliced || raw == Raw::Literal(TokenKind::OpenQuote))
            && let Some(len) = lex_spliced(text, span.clone(), base, &mut flags, names, out)
        {
            lx = Raw::lexer(text);
            lx.bump((span.start + len).min(text.len()));
            continue;
        }
        let len = if raw == Raw::BlockComment { text.len() - span.start } else { span.len() };
        let loc = base.plus(span.start as u32);
        if raw == Raw::Ident {
            let marked = TokFlags(flags | UNRESOLVED);
            out.push(Token { kind: TokenKind::Ident, flags: marked, aux: 0, val: len as u32, loc });
            flags = 0;
            continue;
        }
        out.push(make(raw, text.get(span).unwrap_or(&[]), len, flags, loc, names));
        flags = 0;
        if raw == Raw::BlockComment {
            *at = Cursor { pos: text.len(), flags };
            return true;
        }
    }
    *at = Cursor { pos: lx.span().end, flags };
    false
}

/// Length of the plain white space at `at`; what it means for the next token goes to `flags`.
#[inline]
fn white_len(text: &[u8], at: usize, flags: &mut u8) -> usize {
    let mut end = at;
    loop {
        *flags |= match text.get(end) {
            Some(b' ' | b'\t') => TokFlags::SPACE,
            Some(b'\n') => TokFlags::WHITE,
            _ => return end - at,
        };
        end += 1;
    }
}

fn make(raw: Raw, text: &[u8], len: usize, flags: u8, loc: Loc, names: &mut Interner) -> Token {
    let mut flags = flags;
    let (kind, val) = match raw {
        Raw::Ident => (TokenKind::Ident, names.intern(text).0),
        Raw::Number => (TokenKind::Number, len as u32),
        Raw::Punct(kind) => (kind, 0),
        Raw::Literal(kind) => {
            if memchr::memchr(b'\n', text).is_some() {
                let (clean, _) = unsplice(text, 0, usize::MAX);
                flags |= TokFlags::INTERNED;
                (kind, names.intern(&clean).0)
            } else {
                (kind, len as u32)
            }
        }
        Raw::Digraph(kind) => {
            flags |= TokFlags::INTERNED;
            (kind, names.intern(text).0)
        }
        Raw::BlockComment => (TokenKind::OpenComment, len as u32),
        Raw::Unknown | Raw::Newline | Raw::Space | Raw::Splice | Raw::LineComment => {
            (TokenKind::Unknown, len as u32)
        }
    };
    Token { kind, flags: TokFlags(flags), aux: 0, val, loc }
}

/// Length of the splice at `at`: a backslash, white space, end of line. 0 when there is none.
fn splice_len(text: &[u8], at: usize) -> usize {
    if text.get(at) != Some(&b'\\') {
        return 0;
    }
    let mut end = at + 1;
    while matches!(text.get(end), Some(b' ' | b'\t' | b'\x0b' | b'\x0c')) {
        end += 1;
    }
    if text.get(end) == Some(&b'\r') {
        end += 1;
    }
    if text.get(end) == Some(&b'\n') { end + 1 - at } else { 0 }
}

/// The text from `start` without splices up to `limit` bytes or the end of the logical line, and where
/// each byte was.
fn unsplice(text: &[u8], start: usize, limit: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut clean, mut from) = (Vec::new(), Vec::new());
    let mut at = start;
    while clean.len() < limit {
        let n = splice_len(text, at);
        if n != 0 {
            at += n;
            continue;
        }
        match text.get(at) {
            None | Some(b'\n') => break,
            Some(&b) => {
                clean.push(b);
                from.push(at);
                at += 1;
            }
        }
    }
    (clean, from)
}

/// The slow path: lexes the token at `span.start` as if splices were not there. `None` when no splice
/// changes anything; else the length in the file of what was consumed.
fn lex_spliced(
    text: &[u8],
    span: std::ops::Range<usize>,
    base: Loc,
    flags: &mut u8,
    names: &mut Interner,
    out: &mut Vec<Token>,
) -> Option<usize> {
    let open = text.get(span.end) != Some(&b'\\');
    if !open {
        let mut after = span.end;
        loop {
            match splice_len(text, after) {
                0 => break,
                n => after += n,
            }
        }
        // The usual case: the next line starts with white space.
        if after == span.end || matches!(text.get(after), None | Some(b' ' | b'\t' | b'\n' | b'\r')) {
            return None;
        }
    }
    let mut window = span.len() + 64;
    loop {
        let (clean, from) = unsplice(text, span.start, window);
        let mut lx = Raw::lexer(clean.as_slice());
        let raw = lx.next()?.unwrap_or(Raw::Unknown);
        let len = lx.span().len();
        if len + 4 > clean.len() && clean.len() == window {
            window = window.saturating_mul(4);
            continue;
        }
        let end = from.get(len.checked_sub(1)?)? + 1;
        let done = end - span.start;
        match raw {
            Raw::LineComment => {
                *flags |= TokFlags::SPACE;
                return Some(done + line_comment_len(text, end));
            }
            Raw::BlockComment => {
                if let Some(rest) = block_comment_len(text, end) {
                    *flags |= TokFlags::SPACE;
                    return Some(done + rest);
                }
            }
            Raw::Newline
            | Raw::Space
            | Raw::Splice
            | Raw::Ident
            | Raw::Number
            | Raw::Literal(_)
            | Raw::Punct(_)
            | Raw::Digraph(_)
            | Raw::Unknown => {}
        }
        if done == len {
            // No splice inside after all.
            return None;
        }
        let loc = base.plus(span.start as u32);
        let mut tok = make(raw, clean.get(..len)?, len, *flags, loc, names);
        if tok.kind != TokenKind::Ident && !tok.flags.has(TokFlags::INTERNED) {
            tok.flags.0 |= TokFlags::INTERNED;
            tok.val = names.intern(clean.get(..len)?).0;
        }
        out.push(tok);
        *flags = 0;
        return Some(if raw == Raw::BlockComment { text.len() - span.start } else { done });
    }
}

/// Bytes from `from` to the end of the line that no splice continues (the end not included).
fn line_comment_len(text: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or(&[]);
        let Some(n) = memchr::memchr(b'\n', rest) else { return text.len() - from };
        if !ends_in_splice(rest.get(..n).unwrap_or(&[])) {
            return at + n - from;
        }
        at += n + 1;
    }
}

/// Whether a line (without its newline) ends in a backslash, white space aside.
fn ends_in_splice(line: &[u8]) -> bool {
    let last = line.iter().rev().find(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c'));
    last == Some(&b'\\')
}

/// Bytes from `from` to the end of the comment, its `*/` included.
fn block_comment_len(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let n = memchr::memchr(b'/', text.get(at..)?)?;
        let mut star = at + n;
        at = star + 1;
        // Step back over splices between `*` and `/`.
        while star > from && text.get(star - 1) == Some(&b'\n') {
            let line = text.get(from..star - 1).unwrap_or(&[]);
            match line.iter().rposition(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c')) {
                Some(p) if line.get(p) == Some(&b'\\') => star = from + p,
                _ => break,
            }
        }
        if star > from && text.get(star - 1) == Some(&b'*') {
            return Some(at - from);
        }
    }
}

/// What `text` is when it is exactly one token.
pub(crate) fn classify(text: &[u8]) -> Option<TokenKind> {
    let mut lx = Raw::lexer(text);
    let raw = lx.next()?.ok()?;
    if lx.span().len() != text.len() {
        return None;
    }
    match raw {
        Raw::Ident => Some(TokenKind::Ident),
        Raw::Number => Some(TokenKind::Number),
        Raw::Literal(TokenKind::OpenQuote) => None,
        Raw::Literal(kind) | Raw::Punct(kind) | Raw::Digraph(kind) => Some(kind),
        Raw::Newline | Raw::Space | Raw::Splice | Raw::LineComment | Raw::BlockComment | Raw::Unknown => None,
    }
}

/// Length of the one token at the start of `text`, splices included.
pub(crate) fn token_len(text: &[u8]) -> usize {
    let mut lx = Raw::lexer(text);
    let Some(raw) = lx.next() else { return 0 };
    let len = lx.span().len();
    if text.get(len) != Some(&b'\\') || raw == Ok(Raw::Splice) {
        return len;
    }
    let (clean, from) = unsplice(text, 0, len + 256);
    let mut lx = Raw::lexer(clean.as_slice());
    lx.next();
    lx.span().len().checked_sub(1).and_then(|last| from.get(last)).map_or(len, |&last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intern::Symbol;

    fn spell(text: &[u8]) -> Vec<String> {
        let mut names = Interner::new();
        let mut out = Vec::new();
        let mut map = crate::source::SourceMap::new();
        let file = map.add_file("t.c", text.into(), Loc::NONE, false).expect("fits");
        let mut at = Cursor::at_start();
        let mut max = 0;
        loop {
            max += 3;
            if lex(text, map.loc(file, 0), &mut at, &mut names, &mut out, max) {
                break;
            }
        }
        out.iter()
            .map(|t| {
                let s = String::from_utf8_lossy(crate::token::text(t, &map, &names)).into_owned();
                let bol = if t.flags.bol() { "^" } else { "" };
                let space = if t.flags.space() { "_" } else { "" };
                format!("{bol}{space}{s}")
            })
            .collect()
    }

    #[test]
    fn plain_tokens() {
        assert_eq!(
            spell(b"int x=1.5e+3 /* c */ ... ; // end\n  L\"a\\\"b\" 'c' a->b\n"),
            ["^int", "_x", "=", "1.5e+3", "_...", "_;", "^_L\"a\\\"b\"", "_'c'", "_a", "->", "b"]
        );
    }

    #[test]
    fn splices_anywhere() {
        assert_eq!(spell(b"in\\\nt x\\\n=\\\n=y;\\\n  z"), ["^int", "_x", "==", "y", ";", "_z"]);
        assert_eq!(spell(b"a /\\\n* c *\\\n/ b /\\\n/ d\\\n e\nf"), ["^a", "_b", "^_f"]);
        assert_eq!(spell(b"\"a\\\nb\" \"c\\  \nd\""), ["^\"ab\"", "_\"cd\""]);
        assert_eq!(spell(b"// x \\\n y\nz"), ["^_z"]);
    }

    #[test]
    fn odd_bytes() {
        assert_eq!(spell(b"a @ \"open\n'x\n\xffb"), ["^a", "_@", "_\"open", "^_'x", "^_\u{fffd}b"]);
        assert_eq!(spell(b"a<::>%:b"), ["^a", "<:", ":>", "%:", "b"]);
        assert_eq!(spell(b"/* open"), ["^/* open"]);
        assert_eq!(spell(b"\\"), ["^\\"]);
    }

    #[test]
    fn identifiers_are_interned() {
        let mut names = Interner::new();
        let mut out = Vec::new();
        lex(b"int foo foo", Loc::NONE.plus(1), &mut Cursor::at_start(), &mut names, &mut out, 9);
        assert!(out[0].sym().is_keyword());
        assert!(out[1].sym() == out[2].sym() && out[1].sym() != Symbol::EMPTY);
    }
}

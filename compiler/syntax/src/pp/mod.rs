//! The preprocessor: directives, conditionals, macros.
//!
//! In: a session and the name of the main file. Out: [`Tokens`] for the parser.

mod options;

pub use options::{Cpu, Files, MacroOption, MemoryFiles, OptLevel, Options, ReadError, Std, normalize};

use crate::Session;
use crate::diag::{Diag, codes};
use crate::lexer::{self, Cursor};
use crate::source::{Loc, Span};
use crate::token::{Token, TokenKind, Tokens};

/// Preprocesses the file `main`; always returns a stream that ends in `Eof`.
pub fn preprocess(cx: &mut Session<'_>, main: &str) -> Tokens {
    let mut out = Tokens::default();
    let end = match cx.files.read(main) {
        Ok(text) => lex_plain(cx, main, text, &mut out),
        Err(_) => {
            let message = format!("cannot read `{main}`");
            cx.diags.push(Diag::new(&codes::INCLUDE_READ, Span::NONE, message));
            Loc::NONE
        }
    };
    out.toks.push(Token::new(TokenKind::Eof, end));
    out
}

/// Text without directives.
fn lex_plain(cx: &mut Session<'_>, main: &str, text: std::sync::Arc<[u8]>, out: &mut Tokens) -> Loc {
    let Some(file) = cx.source.add_file(main, text.clone(), Loc::NONE, false) else {
        cx.diags.push(Diag::new(&codes::SOURCE_LIMIT, Span::NONE, "the program is too big"));
        return Loc::NONE;
    };
    let base = cx.source.loc(file, 0);
    lexer::lex(&text, base, &mut Cursor::new(), &mut cx.names, &mut out.toks, usize::MAX);
    for tok in out.toks.iter().filter(|t| t.kind == TokenKind::Hash && t.flags.bol()) {
        let message = "directives are not supported yet in this text";
        cx.diags.push(Diag::new(&codes::UNKNOWN_DIRECTIVE, Span::at(tok.loc), message));
    }
    cx.source.loc(file, text.len())
}

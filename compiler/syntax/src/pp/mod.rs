//! The preprocessor: directives, conditionals, macros.
//!
//! In: a session and the name of the main file. Out: [`Tokens`] for the parser, and on the side the
//! macros that are left and the files that were read.
//! The parts: `stream` says where the next token comes from; `directive`, `cond`, `include`, `pragma`
//! carry out lines that start with `#`; `macros`, `expand`, `builtin` define and expand macros; `skim`,
//! `defer`, `lazy` leave declarations of headers unread until a program needs them.
//! Invariant: any input ends: the depth of everything that nests, the number of tokens macros make and
//! the number of files opened are bounded, and going beyond is an error at the place that did.

mod builtin;
mod cond;
mod defer;
mod directive;
mod expand;
mod include;
pub mod known;
mod lazy;
mod macros;
mod options;
mod pragma;
mod predef;
mod print;
mod skim;
mod stream;

pub use include::Dep;
pub use lazy::{Program, run_lazily};
pub use macros::Macros;
pub use options::{Cpu, Files, MacroOption, MemoryFiles, OptLevel, Options, ReadError, Std, normalize};
pub use print::{make_rule, print};

pub use crate::source::Text;

use crate::Session;
use crate::diag::codes;
use crate::source::{Loc, Span};
use crate::token::{TokFlags, Token, TokenKind, Tokens};
use defer::Later;
use include::Search;
use stream::{ExpFrame, FileFrame};

/// Tokens (and text, by weight) macros may make in one compilation.
const EXPANSION_BUDGET: usize = 8 << 20;

/// Everything preprocessing yields.
pub struct Output {
    /// The program.
    pub tokens: Tokens,
    /// The macros defined at its end.
    pub macros: Macros,
    /// The files it read, the main file first.
    pub deps: Vec<Dep>,
}

/// Preprocesses the file `main`; the stream always ends in `Eof`.
///
/// A missing header ends the stream early: look at the session's errors before making more of them.
pub fn preprocess(cx: &mut Session<'_>, main: &str) -> Tokens {
    run(cx, main).tokens
}

/// Preprocesses the file `main` and says what else is known afterwards.
pub fn run(cx: &mut Session<'_>, main: &str) -> Output {
    let mut pp = Pp::new(cx, main);
    pp.everything(main);
    Output { tokens: pp.out, macros: pp.macros, deps: pp.search.deps }
}

/// The preprocessor at work.
struct Pp<'s, 'f> {
    cx: &'s mut Session<'f>,
    out: Tokens,
    macros: Macros,
    search: Search,
    files: Vec<FileFrame>,
    exps: Vec<ExpFrame>,
    /// Substituted tokens of open expansions, a stack like `exps`.
    buf: Vec<Token>,
    spare: Vec<Vec<Token>>,
    main_name: String,
    /// A directive is being read: the end of its line is the end of the input.
    in_directive: bool,
    /// The last token read from a file.
    last_loc: Loc,
    /// Arguments being collected.
    collecting: u32,
    /// Arguments being expanded on their own.
    depth: u32,
    /// White space of expansions to nothing, for the next token.
    carry: u8,
    budget: usize,
    /// Something ended everything: all sources are dry.
    stopped: bool,
    counter: u32,
    /// The text being read is the command line's.
    at_command_line: bool,
    in_main: bool,
    /// Declarations of headers that wait; `None` when all are to be read in order.
    later: Option<Later>,
}

impl<'s, 'f> Pp<'s, 'f> {
    fn new(cx: &'s mut Session<'f>, main: &str) -> Pp<'s, 'f> {
        let macros = Macros::new(&cx.names);
        let search = Search::new(&cx.options);
        Pp::resume(cx, main, macros, search)
    }

    /// With what an earlier run left.
    fn resume(cx: &'s mut Session<'f>, main: &str, macros: Macros, search: Search) -> Pp<'s, 'f> {
        Pp {
            cx,
            out: Tokens::default(),
            macros,
            search,
            files: Vec::new(),
            exps: Vec::new(),
            buf: Vec::new(),
            spare: Vec::new(),
            main_name: main.to_string(),
            in_directive: false,
            last_loc: Loc::NONE,
            collecting: 0,
            depth: 0,
            carry: 0,
            budget: EXPANSION_BUDGET,
            stopped: false,
            counter: 0,
            at_command_line: false,
            in_main: false,
            later: None,
        }
    }

    /// Reads what there is to read, and ends it with `Eof`.
    fn everything(&mut self, main: &str) {
        self.predefine();
        let end = self.main_file(main);
        self.out.toks.push(Token::new(TokenKind::Eof, end));
    }

    /// The built-in definitions, then `-D` and `-U`, `-imacros`, `-include`.
    fn predefine(&mut self) {
        if !self.cx.options.undef {
            self.made_up_file("<built-in>", Text::Embedded(predef::ALWAYS.as_bytes()));
            self.made_up_file("<built-in>", predef::text(&self.cx.options).into_bytes().into());
        }
        self.command_line(predef::command_line(&self.cx.options));
        self.macros_alone(predef::included(&self.cx.options.macro_files));
        self.command_line(predef::included(&self.cx.options.includes));
    }

    fn command_line(&mut self, text: String) {
        if !text.is_empty() {
            self.at_command_line = true;
            self.made_up_file("<command line>", text.into_bytes().into());
            self.at_command_line = false;
        }
    }

    /// Reads text of the command line for the macros that it leaves; nothing else of it stays.
    fn macros_alone(&mut self, text: String) {
        let (out, later) = (std::mem::take(&mut self.out), self.later.take());
        self.command_line(text);
        (self.out, self.later) = (out, later);
    }

    fn made_up_file(&mut self, name: &str, text: Text) {
        if let Some(file) = self.cx.source.add_file(name, text.clone(), Loc::NONE, true) {
            self.push_file(file, text, None, None);
            self.drain();
        }
    }

    /// Reads the main file to its end; where that is.
    fn main_file(&mut self, main: &str) -> Loc {
        let known = match self.search.read(self.cx.files, main) {
            Ok(known) => known,
            Err(why) => {
                let why = match why {
                    ReadError::NotFound => "no such file".to_string(),
                    ReadError::Failed(why) => why,
                };
                self.error(&codes::INCLUDE_READ, Span::NONE, format!("cannot read `{main}`: {why}"));
                return Loc::NONE;
            }
        };
        let Some(text) = self.known_text(known) else { return Loc::NONE };
        self.add_dep_first(main);
        let len = text.len();
        self.in_main = true;
        let Some(file) = self.cx.source.add_file(main, text.clone(), Loc::NONE, false) else {
            self.error(&codes::SOURCE_LIMIT, Span::NONE, "the program is too big");
            return Loc::NONE;
        };
        self.push_file(file, text, None, Some(known));
        self.drain();
        self.cx.source.loc(file, len)
    }

    /// Reads until every open file has ended.
    fn drain(&mut self) {
        loop {
            if self.exps.is_empty() {
                self.copy_plain();
            }
            let tok = self.expanded();
            match tok.kind {
                TokenKind::Eof if !self.pop_file() => return,
                TokenKind::Eof => {}
                TokenKind::Unknown | TokenKind::OpenQuote if !self.cx.options.text_only => {
                    self.bad_token(tok)
                }
                _ => self.out.toks.push(tok),
            }
        }
    }

    /// Reports a token no program may hold, and repairs it if that helps the parser.
    fn bad_token(&mut self, mut tok: Token) {
        let mut text = self.cx.text(&tok).to_vec();
        if tok.kind == TokenKind::Unknown {
            let shown = match text.first() {
                Some(b) if b.is_ascii_graphic() => format!("`{}`", char::from(*b)),
                Some(b) => format!("0x{b:02x}"),
                None => "nothing".to_string(),
            };
            self.error(&codes::STRAY_BYTE, Span::at(tok.loc), format!("stray {shown} in the program"));
            // The parser leaves it out, and knows of what comes after it why it does not fit.
            self.out.toks.push(tok);
            return;
        }
        let quote = text.iter().copied().find(|b| matches!(b, b'"' | b'\'')).unwrap_or(b'"');
        let what = if quote == b'"' { "string" } else { "character constant" };
        let message = format!("{what} without its closing quote");
        self.error(&codes::UNTERMINATED_LITERAL, Span::at(tok.loc), message);
        if quote == b'"' {
            tok.kind = TokenKind::Str;
            text.push(quote);
        } else {
            tok.kind = TokenKind::Char;
            text = b"' '".to_vec();
        }
        tok.val = self.cx.names.intern(&text).0;
        tok.flags.0 |= TokFlags::INTERNED;
        self.out.toks.push(tok);
    }
}

#[cfg(test)]
mod tests;

//! Preprocessed text (`-E`) and rules for `make` (`-M`).
//!
//! In: the token stream, the list of files. Out: text that lexes to the same tokens again, lines kept together as in the
//! source, with line markers or (`-P`) without.

use super::Dep;
use crate::intern::Interner;
use crate::source::{FileId, SourceMap};
use crate::token::{self, Token, TokenKind, Tokens};

/// Prints a token stream; `markers` adds `# LINE "FILE"` lines.
pub fn print(tokens: &Tokens, source: &SourceMap, names: &Interner, markers: bool) -> Vec<u8> {
    let mut p = Printer {
        source,
        names,
        markers,
        out: Vec::with_capacity(tokens.toks.len() * 5),
        line: 0,
        file: None,
        open: Vec::new(),
        last: Vec::new(),
    };
    if markers && let Some(end) = tokens.toks.last() {
        p.first_marker(end);
    }
    let mut pragmas = tokens.pragmas.iter().peekable();
    for (i, tok) in tokens.toks.iter().enumerate() {
        while let Some(pragma) = pragmas.next_if(|p| p.index as usize <= i) {
            p.end_line();
            p.out.extend_from_slice(b"#pragma");
            p.last.clear();
            for tok in tokens.pragma_range(pragma.toks) {
                p.out.push(b' ');
                p.out.extend_from_slice(token::text(tok, source, names));
            }
            p.end_line();
        }
        if tok.kind != TokenKind::Eof {
            p.token(tok);
        }
    }
    p.end_line();
    p.out
}

/// The rule for `make` (`-M`, `-MD`): `targets` (quoted already) depend on `deps`; with `phony`, an
/// empty rule for each header as well. Lines are broken where clang breaks them.
pub fn make_rule(targets: &[String], deps: &[Dep], user_only: bool, phony: bool) -> String {
    const WIDTH: usize = 75;
    let files: Vec<(usize, String)> = deps
        .iter()
        .filter(|d| !(user_only && d.is_system))
        .map(|d| d.path.trim_start_matches("./"))
        .map(|path| (path.len(), path.replace('$', "$$").replace('#', "\\#").replace(' ', "\\ ")))
        .collect();
    let mut out = String::new();
    let mut column = 0;
    for target in targets {
        if column != 0 && column + target.len() + 2 > WIDTH {
            out.push_str(" \\\n  ");
            column = 2;
        } else if column != 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(target);
        column += target.len();
    }
    out.push(':');
    column += 1;
    for (len, name) in &files {
        if column + len + 3 > WIDTH {
            out.push_str(" \\\n ");
            column = 2;
        }
        out.push(' ');
        out.push_str(name);
        column += len + 1;
    }
    out.push('\n');
    if phony {
        out.extend(files.iter().skip(1).flat_map(|(_, name)| [name.as_str(), ":\n"]));
    }
    out
}

struct Printer<'a> {
    source: &'a SourceMap,
    names: &'a Interner,
    markers: bool,
    out: Vec<u8>,
    /// The line the output stands on, as a reader of the markers sees it.
    line: u32,
    file: Option<FileId>,
    open: Vec<FileId>,
    /// Text of the last token on the line.
    last: Vec<u8>,
}

impl Printer<'_> {
    fn end_line(&mut self) {
        if self.out.last().is_some_and(|b| *b != b'\n') {
            self.out.push(b'\n');
            self.line += 1;
        }
        self.last.clear();
    }

    fn token(&mut self, tok: &Token) {
        let text = token::text(tok, self.source, self.names);
        if tok.flags.bol() || self.out.is_empty() {
            self.start_line(tok);
        } else if tok.flags.space() || may_join(&self.last, text) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(text);
        self.last.clear();
        self.last.extend_from_slice(text);
    }

    /// Moves to the line of `tok` and indents.
    fn start_line(&mut self, tok: &Token) {
        self.end_line();
        let at = self.source.invocation(tok.loc).lo;
        let Some((name, pos)) = self.source.presumed(at) else { return };
        let file = self.source.file_of(at);
        if self.markers {
            let moved = pos.line.checked_sub(self.line).is_none_or(|n| n > 8);
            if file != self.file {
                let flag = self.enter(file);
                self.marker(pos.line, name, flag, file);
            } else if moved {
                self.marker(pos.line, name, "", file);
            } else {
                while self.line < pos.line {
                    self.out.push(b'\n');
                    self.line += 1;
                }
            }
        }
        let indent = (pos.col as usize).saturating_sub(1).min(40);
        self.out.extend(std::iter::repeat_n(b' ', indent));
    }

    /// The main file, where the stream ends, is open from the start.
    fn first_marker(&mut self, end: &Token) {
        if let Some(main) = self.source.file_of(end.loc) {
            self.file = Some(main);
            self.open.push(main);
            self.marker(1, self.source.name(main), "", Some(main));
        }
    }

    fn enter(&mut self, file: Option<FileId>) -> &'static str {
        self.file = file;
        let Some(file) = file else { return "" };
        if let Some(at) = self.open.iter().position(|f| *f == file) {
            self.open.truncate(at + 1);
            return " 2";
        }
        self.open.push(file);
        " 1"
    }

    fn marker(&mut self, line: u32, name: &str, flag: &str, file: Option<FileId>) {
        let system = if file.is_some_and(|f| self.source.is_system(f)) { " 3" } else { "" };
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        self.out.extend_from_slice(format!("# {line} \"{name}\"{flag}{system}\n").as_bytes());
        self.line = line;
    }
}

/// Whether two tokens printed without a space might read as something else.
fn may_join(left: &[u8], right: &[u8]) -> bool {
    let (Some(&l), Some(&r)) = (left.last(), right.first()) else { return false };
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80;
    let starts_number = left.first().is_some_and(u8::is_ascii_digit)
        || (left.first() == Some(&b'.') && left.get(1).is_some_and(u8::is_ascii_digit));
    if word(l) || starts_number {
        let exponent = starts_number && matches!(l, b'e' | b'E' | b'p' | b'P') && matches!(r, b'+' | b'-');
        let prefix = matches!(left, b"L" | b"u" | b"U" | b"u8") && matches!(r, b'"' | b'\'');
        return word(r) || (starts_number && r == b'.') || exponent || prefix;
    }
    match l {
        b'.' => r == b'.' || r.is_ascii_digit(),
        b'/' => matches!(r, b'/' | b'*' | b'='),
        b'-' => matches!(r, b'-' | b'>' | b'='),
        b'<' => matches!(r, b'<' | b'=' | b':' | b'%'),
        b'%' => matches!(r, b'=' | b'>' | b':'),
        b':' => matches!(r, b':' | b'>'),
        b'+' | b'&' | b'|' | b'>' | b'=' => r == l || r == b'=',
        b'*' | b'^' | b'!' => r == b'=',
        b'#' => r == b'#',
        b'\\' => true,
        _ => false,
    }
}

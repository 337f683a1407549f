//! Built-in macros: `__LINE__` and friends, `__has_...` queries, `_Pragma`.
//!
//! In: the name token and the stream behind it. Out: one number or string token in its place.
//! Invariant: nothing here depends on the clock or on where the compiler runs.

use super::Pp;
use super::known;
use crate::diag::{Diag, codes};
use crate::intern::{Symbol, sym};
use crate::pp::Std;
use crate::source::Span;
use crate::token::{Token, TokenKind};

/// Which built-in macro.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Builtin {
    Line,
    File,
    FileName,
    BaseFile,
    IncludeLevel,
    Counter,
    Date,
    Time,
    Timestamp,
    Pragma,
    HasInclude,
    HasIncludeNext,
    HasEmbed,
    HasAttribute,
    HasCAttribute,
    HasDeclspec,
    HasBuiltin,
    HasConstexprBuiltin,
    HasFeature,
    HasExtension,
    HasWarning,
    IsIdentifier,
    BuildingModule,
    IsTargetArch,
    IsTargetUnknown,
}

/// Their names.
pub(super) const BUILTINS: &[(Symbol, Builtin)] = &[
    (sym::M_LINE, Builtin::Line),
    (sym::M_FILE, Builtin::File),
    (sym::M_FILE_NAME, Builtin::FileName),
    (sym::M_BASE_FILE, Builtin::BaseFile),
    (sym::M_INCLUDE_LEVEL, Builtin::IncludeLevel),
    (sym::M_COUNTER, Builtin::Counter),
    (sym::M_DATE, Builtin::Date),
    (sym::M_TIME, Builtin::Time),
    (sym::M_TIMESTAMP, Builtin::Timestamp),
    (sym::M_PRAGMA, Builtin::Pragma),
    (sym::HAS_INCLUDE, Builtin::HasInclude),
    (sym::HAS_INCLUDE_NEXT, Builtin::HasIncludeNext),
    (sym::HAS_EMBED, Builtin::HasEmbed),
    (sym::HAS_ATTRIBUTE, Builtin::HasAttribute),
    (sym::HAS_C_ATTRIBUTE, Builtin::HasCAttribute),
    (sym::HAS_DECLSPEC_ATTRIBUTE, Builtin::HasDeclspec),
    (sym::HAS_BUILTIN, Builtin::HasBuiltin),
    (sym::HAS_CONSTEXPR_BUILTIN, Builtin::HasConstexprBuiltin),
    (sym::HAS_FEATURE, Builtin::HasFeature),
    (sym::HAS_EXTENSION, Builtin::HasExtension),
    (sym::HAS_WARNING, Builtin::HasWarning),
    (sym::IS_IDENTIFIER, Builtin::IsIdentifier),
    (sym::BUILDING_MODULE, Builtin::BuildingModule),
    (sym::IS_TARGET_ARCH, Builtin::IsTargetArch),
    (sym::IS_TARGET_VENDOR, Builtin::IsTargetUnknown),
    (sym::IS_TARGET_OS, Builtin::IsTargetUnknown),
    (sym::IS_TARGET_ENVIRONMENT, Builtin::IsTargetUnknown),
];

/// The moment every program is compiled at, so that equal input gives equal output.
const DATE: &str = "\"Jan  1 1970\"";
const TIME: &str = "\"00:00:00\"";
const TIMESTAMP: &str = "\"Thu Jan  1 00:00:00 1970\"";

impl Pp<'_, '_> {
    /// Replaces the built-in macro name `tok`. `true` if it vanished, `false` if `tok` is the result.
    pub(super) fn expand_builtin(&mut self, builtin: Builtin, tok: &mut Token) -> bool {
        let name = *tok;
        let number = match builtin {
            Builtin::Pragma => return self.pragma_operator(tok),
            Builtin::File | Builtin::FileName | Builtin::BaseFile => {
                let text = self.file_name(builtin, name);
                *tok = self.made(TokenKind::Str, text.as_bytes(), name);
                return false;
            }
            Builtin::Date | Builtin::Time | Builtin::Timestamp => {
                let word = self.cx.names.name(name.sym()).to_string();
                let message = format!("`{word}` always has the same value here");
                self.report(
                    Diag::new(&codes::DATE_TIME, Span::at(name.loc), message)
                        .with_note("a build must not depend on when it runs"),
                );
                let text = match builtin {
                    Builtin::Date => DATE,
                    Builtin::Time => TIME,
                    _ => TIMESTAMP,
                };
                *tok = self.made(TokenKind::Str, text.as_bytes(), name);
                return false;
            }
            Builtin::Line => {
                let end = self.cx.source.invocation(name.loc).hi;
                self.cx.source.presumed(end).map_or(1, |(_, at)| at.line)
            }
            Builtin::IncludeLevel => self.files.len().saturating_sub(1) as u32,
            Builtin::Counter => {
                let n = self.counter;
                self.counter = n.wrapping_add(1);
                n
            }
            Builtin::HasInclude | Builtin::HasIncludeNext | Builtin::HasEmbed => {
                match self.has_include(name, builtin) {
                    Some(found) => u32::from(found),
                    None => 0,
                }
            }
            Builtin::HasAttribute
            | Builtin::HasCAttribute
            | Builtin::HasDeclspec
            | Builtin::HasBuiltin
            | Builtin::HasConstexprBuiltin
            | Builtin::HasFeature
            | Builtin::HasExtension
            | Builtin::HasWarning
            | Builtin::IsIdentifier
            | Builtin::BuildingModule
            | Builtin::IsTargetArch
            | Builtin::IsTargetUnknown => self.query(name, builtin).unwrap_or(0),
        };
        let long = if builtin == Builtin::HasCAttribute && number != 0 { "L" } else { "" };
        *tok = self.made(TokenKind::Number, format!("{number}{long}").as_bytes(), name);
        false
    }

    fn file_name(&self, builtin: Builtin, name: Token) -> String {
        let source = &self.cx.source;
        let path = match builtin {
            Builtin::BaseFile => self.main_name.clone(),
            _ => source.presumed(name.loc).map_or("", |(file, _)| file).to_string(),
        };
        let path = self.cx.options.mapped(path);
        let shown = match builtin {
            Builtin::FileName => path.rsplit('/').next().unwrap_or(""),
            _ => path.as_str(),
        };
        format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\""))
    }

    fn bad_query(&mut self, name: Token, what: &str) {
        if !self.stopped {
            let message = format!("`{}` needs {what}", self.cx.names.name(name.sym()));
            self.error(&codes::HAS_FORM, Span::at(name.loc), message);
        }
    }

    /// `__has_include("x")`, `__has_include(<x>)`
    fn has_include(&mut self, name: Token, builtin: Builtin) -> Option<bool> {
        const FORM: &str = "`(\"FILE\")` or `(<FILE>)` in a directive";
        if !self.in_directive || !self.next_is_lparen() {
            self.bad_query(name, FORM);
            return None;
        }
        self.raw();
        let tok = self.raw();
        let header = self.header_name(tok).filter(|h| !h.name.is_empty());
        let Some(header) = header else {
            self.bad_query(name, FORM);
            self.close_query();
            return None;
        };
        if self.raw().kind != TokenKind::RParen {
            self.bad_query(name, "a closing parenthesis");
            self.close_query();
            return None;
        }
        let next_only = builtin == Builtin::HasIncludeNext;
        if builtin == Builtin::HasEmbed {
            return Some(false);
        }
        let Ok(Some(found)) = self.find_header(&header, next_only) else { return Some(false) };
        self.found_dep(&found);
        Some(true)
    }

    /// The queries whose operand is a name (or, for warnings, a string).
    fn query(&mut self, name: Token, builtin: Builtin) -> Option<u32> {
        if !self.next_is_lparen() {
            self.bad_query(name, "an operand in parentheses");
            return None;
        }
        self.raw();
        let expands = matches!(
            builtin,
            Builtin::HasAttribute | Builtin::HasCAttribute | Builtin::HasDeclspec | Builtin::HasWarning
        );
        let operand = if expands { self.expanded() } else { self.raw() };
        let mut word = String::from_utf8_lossy(self.cx.text(&operand)).into_owned();
        let fits = match builtin {
            Builtin::HasWarning => operand.kind == TokenKind::Str,
            _ => operand.kind == TokenKind::Ident,
        };
        if !fits {
            self.bad_query(name, if builtin == Builtin::HasWarning { "a string" } else { "a name" });
            if operand.kind == TokenKind::RParen {
                return None;
            }
            self.close_query();
            return None;
        }
        // `__has_c_attribute(gnu::packed)`, `__has_warning("-W" "x")`
        let mut tok = self.raw();
        while matches!(tok.kind, TokenKind::ColonColon | TokenKind::Colon | TokenKind::Ident | TokenKind::Str)
        {
            if tok.kind == TokenKind::ColonColon {
                word.push_str("::");
            } else if tok.kind == TokenKind::Ident {
                word.push_str(self.cx.names.name(tok.sym()));
            }
            tok = self.raw();
        }
        if tok.kind != TokenKind::RParen {
            self.bad_query(name, "a closing parenthesis");
            if !matches!(tok.kind, TokenKind::Eod | TokenKind::Eof) {
                self.close_query();
            }
            return None;
        }
        Some(self.answer(builtin, &word, operand.sym()))
    }

    /// Passes over what is left of a malformed query.
    fn close_query(&mut self) {
        let mut depth = 0usize;
        loop {
            match self.raw().kind {
                TokenKind::LParen => depth += 1,
                TokenKind::RParen if depth == 0 => return,
                TokenKind::RParen => depth -= 1,
                TokenKind::Eod | TokenKind::Eof => return,
                _ => {}
            }
        }
    }

    fn answer(&self, builtin: Builtin, word: &str, name: Symbol) -> u32 {
        let options = &self.cx.options;
        let has = |table: &[&str], word: &str| u32::from(table.binary_search(&word).is_ok());
        let bare = bare(word);
        match builtin {
            Builtin::HasAttribute => has(known::ATTRIBUTES, bare),
            Builtin::HasCAttribute => match bare.strip_prefix("gnu::").or(bare.strip_prefix("clang::")) {
                Some(name) => has(known::ATTRIBUTES, self::bare(name)),
                None => {
                    known::C_ATTRIBUTES.iter().find(|(n, _)| *n == bare).map_or(0, |(_, version)| *version)
                }
            },
            Builtin::HasBuiltin => has(known::BUILTINS, word),
            Builtin::HasFeature => has(known::FEATURES, bare),
            Builtin::HasExtension => has(known::FEATURES, bare) | has(known::EXTENSIONS, bare),
            Builtin::IsIdentifier => {
                u32::from(!name.is_keyword() && !(options.std >= Std::C23 && name.is_c23_keyword()))
            }
            Builtin::IsTargetArch => {
                let ours: &[&str] =
                    if options.big_endian { &["bpfeb", "bpf_be"] } else { &["bpf", "bpfel", "bpf_le"] };
                u32::from(ours.contains(&word))
            }
            Builtin::IsTargetUnknown => u32::from(word == "unknown"),
            _ => 0,
        }
    }
}

/// `__packed__` is `packed`.
fn bare(word: &str) -> &str {
    word.strip_prefix("__").and_then(|w| w.strip_suffix("__")).filter(|w| !w.is_empty()).unwrap_or(word)
}

//! C text to AST: source map, preprocessor, LALRPOP grammar, diagnostics.
//!
//! The stages in order: [`source`] holds the text, [`lexer`] cuts it into tokens, [`pp`] carries out the
//! directives and expands macros, [`parse`] makes the syntax tree [`ast`], [`print`] shows it. [`diag`] collects what any of them has to say.
//! Nothing here reads files, clocks or the environment: text comes in through [`pp::Files`].

pub mod ast;
pub mod codes;
pub mod diag;
pub mod intern;
mod lexer;
pub mod parse;
pub mod pp;
pub mod print;
pub mod source;
pub mod token;
pub mod warnings;

use diag::Diagnostics;
use intern::Interner;
use pp::{Files, Options};
use source::SourceMap;

/// Everything the stages of one compilation share.
pub struct Session<'a> {
    /// Where `#include` finds files.
    pub files: &'a dyn Files,
    /// What was asked for.
    pub options: Options,
    /// All text and positions.
    pub source: SourceMap,
    /// All names.
    pub names: Interner,
    /// All that was reported.
    pub diags: Diagnostics,
}

impl<'a> Session<'a> {
    /// A fresh session.
    pub fn new(files: &'a dyn Files, options: Options) -> Session<'a> {
        Session {
            files,
            options,
            source: SourceMap::new(),
            names: Interner::new(),
            diags: Diagnostics::default(),
        }
    }

    /// The spelling of a token, without line splices.
    pub fn text(&self, tok: &token::Token) -> &[u8] {
        token::text(tok, &self.source, &self.names)
    }

    /// All diagnostics as text.
    pub fn render(&self, style: diag::Style) -> String {
        self.diags.render(&self.source, &self.names, style)
    }
}

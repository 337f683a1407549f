//! What the parser would have accepted, in words for people.
//!
//! In: the names of terminals LALRPOP lists (exact, but up to sixty of them). Out: a set to ask
//! questions of, and at most a few words: `an expression`, `a type`, "`;`".
//! Invariant: the classes are folded by one rule, membership of a typical terminal.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A set of terminals by their names in the grammar.
pub struct Expected {
    names: BTreeSet<String>,
}

impl Expected {
    pub fn new(names: &[String]) -> Expected {
        Expected { names: names.iter().map(|n| n.trim_matches('"').to_string()).collect() }
    }

    /// Whether this terminal would fit.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether an expression may start here.
    pub fn expression(&self) -> bool {
        self.has("number")
    }

    /// Whether a type may start here.
    pub fn type_word(&self) -> bool {
        self.has("word")
    }

    /// Whether a statement may start here.
    pub fn statement(&self) -> bool {
        self.has("if")
    }

    /// Whether only a name would do (perhaps with `*` or `(` in front).
    pub fn name(&self) -> bool {
        self.has("var") && !self.expression()
    }

    /// Whether an expression is complete here: an operator would fit.
    pub fn operator(&self) -> bool {
        self.has("binary")
    }

    /// The set in words, at most three alternatives; empty if nothing sums it up.
    pub fn words(&self) -> String {
        let mut list: Vec<String> = Vec::new();
        let mut add = |word: &str| list.push(word.to_string());
        if self.statement() {
            add("a statement");
        } else if self.has("start unit") {
            add("a program");
        } else if self.expression() && !self.operator() {
            add(if self.type_word() { "an expression or a type" } else { "an expression" });
        } else if self.has("static assert") && self.type_word() {
            add(if self.has("}") { "a field" } else { "a declaration" });
        } else if self.type_word() && !self.operator() {
            add("a type");
        } else if self.name() {
            add("a name");
        }
        if self.has("attr name") {
            add("an attribute");
        }
        const PUNCTUATION: [&str; 11] = [";", ",", ")", "]", "}", ":", "=", "(", "{", "[", "while"];
        let closers = &PUNCTUATION[..6];
        let complete = self.operator() || self.expression() || self.name();
        for mark in if complete { closers } else { &PUNCTUATION[..] } {
            if self.has(mark) && !(self.statement() && *mark == ";") {
                list.push(format!("`{mark}`"));
            }
        }
        if list.is_empty() && self.has("string") {
            list.push("a string".to_string());
        }
        if list.len() > 3 {
            list.truncate(3);
        }
        join(&list)
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn join(list: &[String]) -> String {
    let mut out = String::new();
    for (at, word) in list.iter().enumerate() {
        let glue = match at {
            0 => "",
            _ if at + 1 == list.len() => " or ",
            _ => ", ",
        };
        let _ = write!(out, "{glue}{word}");
    }
    out
}

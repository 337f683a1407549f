//! What a program asks for and the machine or the kernel cannot do.
//!
//! Found by the optimiser and by code generation, which know no diagnostics: a [`Limit`] is what
//! they say, and `compile` makes an error of it. Invariant: limits order by place, then by words.

use super::entities::SrcLoc;

/// Something that the program asks for and BPF cannot do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Limit {
    /// Where in the source.
    pub loc: SrcLoc,
    /// What is wrong, in the form of a diagnostic's message.
    pub message: String,
    /// Further places and what they have to do with it.
    pub notes: Vec<(SrcLoc, String)>,
}

impl Limit {
    /// A limit at one place.
    pub fn new(loc: SrcLoc, message: impl Into<String>) -> Limit {
        Limit { loc, message: message.into(), notes: Vec::new() }
    }
}

//! What optimisation did, or did not do, that whoever wrote the program may want to know.
//!
//! Collected only when asked for (`-Rpass=` and `-Rpass-missed=`), in the order in which it happened.

use super::entities::SrcLoc;

/// Something that was done or not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// Where in the source.
    pub loc: SrcLoc,
    /// The pass, as clang calls it.
    pub pass: &'static str,
    /// It was not done.
    pub missed: bool,
    /// What, in the form of a diagnostic's message.
    pub message: String,
}

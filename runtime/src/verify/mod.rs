//! The verifier's result type; the checks themselves build it.

pub mod scalar;
pub mod tnum;

use crate::object::Image;

/// An image all of whose programs are safe to run.
///
/// Outside this module the only way to one without a proof is [`Verified::unchecked`], whose users
/// must check every access at run time.
#[derive(Clone, Debug)]
pub struct Verified {
    image: Image,
    proven: bool,
}

impl Verified {
    /// Takes an image **without verifying it**. Only engines that check every access at run time
    /// accept it: the checked interpreter does; a compiled engine must refuse
    /// ([`Verified::is_proven`]).
    pub fn unchecked(image: Image) -> Verified {
        Verified { image, proven: false }
    }

    /// Whether the verifier accepted every program.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// The linked object.
    pub fn image(&self) -> &Image {
        &self.image
    }
}

//! CO-RE.
use super::LoadError;
use super::elf::Object;
use super::functions::Body;
use super::link::{Info, LinkOptions};
pub(super) fn apply(_: &Object, _: &Info, _: &LinkOptions, _: &mut [Body]) -> Result<(), LoadError> {
    Ok(())
}

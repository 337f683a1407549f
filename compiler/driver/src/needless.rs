//! Barriers that are not needed here: the programs are accepted without them.
//!
//! In: a compiled unit, and how it was compiled. Out: warnings in its session. Nothing is guessed: without
//! the barriers that warnings speak of the unit is compiled again, and its programs are verified.

use skep_compiler::{Compiled, Options, barriers, compile};
use skep_runtime::object::{LinkOptions, Object};
use skep_runtime::verify;
use skep_syntax::Session;
use skep_syntax::diag::{Diag, codes};

use crate::error::Result;

/// Warns of the barriers that can all go at once. What programs are verified for is asked only if there
/// are barriers.
pub fn warn(
    cx: &mut Session<'_>,
    main: &str,
    compiled: &Compiled,
    options: &Options,
    target: impl FnOnce() -> Result<verify::Options>,
) -> Result {
    let mut found = barriers::find(&compiled.ir);
    found.retain(|&span| cx.diags.says(&codes::NEEDLESS_BARRIER, span));
    if found.is_empty() {
        return Ok(());
    }
    let target = target()?;
    if !accepts(&compiled.object, &target) {
        return Ok(());
    }
    let needless = droppable(&found, |without| {
        let mut again = Session::new(cx.files, cx.options.clone());
        // The same is read as before, so that places are the same.
        again.diags.set_policy(cx.diags.policy());
        let options = Options { without: without.to_vec(), ..options.clone() };
        let compiled = compile(&mut again, main, &options, &mut |_, _| {});
        compiled.is_ok_and(|compiled| accepts(&compiled.object, &target))
    });
    for span in needless {
        let message = format!(
            "the verifier of Linux {} accepts the programs without this barrier",
            target.target.kernel
        );
        let diag = Diag::new(&codes::NEEDLESS_BARRIER, span, message);
        cx.diags.push(diag.with_help("remove it, unless the source is for other compilers too"));
    }
    Ok(())
}

/// What can be left out at once: everything, or else what can be added to what can be left out before it.
fn droppable<T: Copy>(all: &[T], accepted: impl Fn(&[T]) -> bool) -> Vec<T> {
    if accepted(all) {
        return all.to_vec();
    }
    let mut dropped = Vec::new();
    for &one in all {
        dropped.push(one);
        if !accepted(&dropped) {
            dropped.pop();
        }
    }
    dropped
}

/// Whether there are programs in the object and all are accepted.
fn accepts(object: &[u8], target: &verify::Options) -> bool {
    let kernel = target.target.kernel;
    let link = LinkOptions { kernel, target_btf: target.btf.clone(), ..LinkOptions::default() };
    let image = Object::parse(object).and_then(|object| object.link(&link));
    image.is_ok_and(|image| !image.programs.is_empty() && verify::verify(image, target).is_ok())
}

#[cfg(test)]
mod tests {
    use super::droppable;

    #[test]
    fn what_is_needed_stays() {
        let needs =
            |needed: &'static [u32]| move |without: &[u32]| needed.iter().all(|one| !without.contains(one));
        assert_eq!(droppable(&[1, 2, 3], needs(&[])), [1, 2, 3]);
        assert_eq!(droppable(&[1, 2, 3], needs(&[2])), [1, 3]);
        assert_eq!(droppable(&[1, 2, 3], needs(&[1, 2, 3])), [0; 0]);
        // Either of two is enough: the first of them can go.
        assert_eq!(
            droppable(&[1, 2, 3], |without: &[u32]| !(without.contains(&1) && without.contains(&3))),
            [1, 2]
        );
    }
}

//! Everything that happens after the parser met a token that does not fit.
//!
//! [`repair`] is the loop; [`report`], `mistakes`, `slips` and `unknown` explain one error; `skip` proposes what
//! to give up if nothing else helps. [`scene`], [`brackets`], [`expected`] and [`suggest`] are their eyes.

mod brackets;
mod expected;
mod mistakes;
pub mod repair;
mod report;
mod scene;
mod skip;
mod slips;
mod suggest;
mod unknown;

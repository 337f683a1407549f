//! Running programs: memory, engines, and the data that goes in and out.
//!
//! - [`engine`]: what any engine offers.
//! - [`outcome`]: inputs, outcomes, faults.

mod engine;
mod outcome;

pub use engine::{Engine, RunError};
pub use outcome::{
    Event, Fault, FaultKind, ForeignBytes, Input, MapContents, MapPreset, Outcome, Redirect, Space, Value,
};

//! What the test suites share: finding tools and corpora, and the cases in files.

pub mod bench;
pub mod both;
pub mod case;
pub mod check;
pub mod conformance;
pub mod engines;
pub mod family;
pub mod generate;
pub mod native;
pub mod workloads;

pub use skep_test_tools as tools;
pub use skep_test_tools::root;

//! The test suite of the whole: one runner over files.

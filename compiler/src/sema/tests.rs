//! Placeholder replaced by the suites.

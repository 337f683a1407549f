//! Helpers through small programs.

//! The skep command.

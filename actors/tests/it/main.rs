//! The crate's stories, in one binary.
#[cfg(feature = "runtime")]
mod supervision;

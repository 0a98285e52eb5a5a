//! The crate's stories, in one binary.
#[cfg(feature = "runtime")]
mod house;
#[cfg(feature = "runtime")]
mod kills;
#[cfg(feature = "runtime")]
mod outboxes;
#[cfg(feature = "runtime")]
mod payers;
#[cfg(feature = "runtime")]
mod sessions;

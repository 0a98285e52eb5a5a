//! The heart.
pub mod outcome;
pub mod phase;

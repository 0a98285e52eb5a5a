//! The doors against the promises of RELIABILITY and the contracts of their ports.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod journal;

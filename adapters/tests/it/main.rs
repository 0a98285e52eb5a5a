//! The doors against the promises of RELIABILITY, the contracts of their ports, and their peers, in one binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod http_client;
mod journal;
mod players;
mod read_model;
mod security_module;

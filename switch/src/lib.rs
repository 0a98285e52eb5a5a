//! What the binary is made of, for the binary and for those who run it over another network: tests and simulations.
//!
//! Nothing here starts a server, reads a wall clock or opens a file; `main.rs` alone does. Start with `api`.
pub mod api;

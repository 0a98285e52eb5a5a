//! What a conforming terminal and a payer's phone do when the switch, or the way to it, does not behave.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod connection;
mod phone;
mod stub;
mod till;

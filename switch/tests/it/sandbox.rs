//! The sandbox platform: its books alone, its server over loopback, and the switch's adapter against it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod adapter;
mod bench;
mod books;
mod callbacks;
mod sealed;
mod server;
mod tls;

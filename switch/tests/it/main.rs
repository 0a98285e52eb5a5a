//! The switch's doors as strangers meet them: one binary, one file per story book.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    missing_docs
)]

mod admin_door;
mod auditor;
mod bad_input;
mod bounds;
mod cards;
mod config;
mod documents;
mod doors;
mod events;
mod grafana;
mod house;
mod iso_door;
mod kills;
mod lines;
mod metrics;
mod onsite_payment;
mod overload;
mod pages;
mod phones_door;
mod sandbox;
mod secrets;
mod settlement;
mod terminals_door;
mod tidy;
mod visitors;
mod world;

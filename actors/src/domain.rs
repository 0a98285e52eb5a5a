//! What the switch knows about payments, without knowing how anything is done.
//!
//! Everything here is a value or a pure function: no clock, no I/O, no randomness, no floating
//! point, no unchecked arithmetic. The machine is in `payment`; the words are in `docs/glossary.md`.
#![deny(clippy::float_arithmetic, clippy::arithmetic_side_effects)]
#![warn(missing_docs)]

pub mod backoff;
pub mod binding;
pub mod identity;
pub mod journal;
pub mod merchant;
pub mod money;
pub mod order;
pub mod outbox;
pub mod payer;
pub mod payment;
pub mod response_code;
pub mod routing;
pub mod till;
pub mod time;

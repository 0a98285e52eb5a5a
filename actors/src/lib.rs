//! The heart of the switch and the rules around it.
//!
//! `domain` is pure: it reads no clock, no socket and no random number, and it compiles without a
//! runtime. `ports` are the traits through which it is given the world. The actors (feature
//! `runtime`) are thin shells that keep one pure machine each. Start with `domain::payment`; for the
//! actors, with `resident`.
pub mod domain;
pub mod planted;
pub mod ports;

#[cfg(feature = "runtime")]
pub mod answer;
#[cfg(feature = "runtime")]
pub mod directory;
#[cfg(feature = "runtime")]
pub mod fault;
#[cfg(feature = "runtime")]
pub mod gate;
#[cfg(feature = "runtime")]
pub mod resident;
#[cfg(feature = "runtime")]
mod shard;
#[cfg(feature = "runtime")]
pub mod supervisor;
#[cfg(feature = "runtime")]
mod tally;

#[cfg(feature = "runtime")]
pub mod keeping;
#[cfg(feature = "runtime")]
pub mod merchant;
#[cfg(feature = "runtime")]
pub mod one_time_code;
#[cfg(feature = "runtime")]
pub mod outbox;
#[cfg(feature = "runtime")]
pub mod payer;
#[cfg(feature = "runtime")]
mod payment_tally;
#[cfg(feature = "runtime")]
mod platform_errands;
#[cfg(feature = "runtime")]
pub mod report;
#[cfg(feature = "runtime")]
pub mod suspects;
#[cfg(feature = "runtime")]
pub mod switchboard;
#[cfg(feature = "runtime")]
pub mod terminal_session;
#[cfg(feature = "runtime")]
pub mod world;

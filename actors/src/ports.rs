//! The world as the domain and the actors ask for it: time, dice, disk, journal, platforms, bindings, codes.
//!
//! An adapter implements a port; the actors see only the trait, so that one process can run the whole
//! switch over a simulated world. Where money is concerned a port answers with a closed outcome
//! instead of an error. `contract` holds one suite per port that every implementor must pass.
pub mod binding_store;
pub mod clock;
pub mod code_sender;
#[cfg(feature = "testing")]
pub mod contract;
pub mod disk;
pub mod history;
pub mod journal;
#[cfg(feature = "testing")]
pub mod memory;
pub mod platform;
pub mod roster;
pub mod security_module;

use std::future::Future;
use std::pin::Pin;

/// What an asynchronous port answers with.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

//! The doors: everything that is not a decision. Journal, disk, binding store.
//!
//! An adapter implements a port of `actors` and knows how; it never sees an actor and no other door.
pub mod binding_store;
pub mod disk;
pub mod journal;

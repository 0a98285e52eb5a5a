//! The doors of the switch: one third party, store or device per file.
//!
//! An adapter knows how; it knows nothing of actors, of the HTTP listeners or of other adapters. Each
//! implements a port of `actors::ports` or speaks a format that a peer of the switch speaks.
pub mod binding_store;
pub mod clock;
pub mod dice;
pub mod disk;
pub mod http_client;
pub mod journal;
pub mod platform;
pub mod players;
pub mod read_model;
pub mod rfc3339;
pub mod seal;
pub mod security_module;
pub mod signature;

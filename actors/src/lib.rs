//! The heart of the switch and the rules around it.
//!
//! `domain` is pure: it reads no clock, no socket and no random number, and it compiles without a
//! runtime. `ports` are the traits through which it is given the world. The actors (feature
//! `runtime`) are thin shells that keep one pure machine each. Start with `domain::payment`.
pub mod domain;
pub mod ports;

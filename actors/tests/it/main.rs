//! The proof of the heart: its map, an exhaustive walk, the stories of its requirements, its properties, and the actors.
//!
//! One binary for all of it. `matrix` is the specification on a page, `explore` walks everything that `world` allows,
//! `stories` are told with `life`, `supervision` kills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod binding;
mod explore;
mod histories;
mod life;
mod matrix;
mod money;
mod outbox;
mod properties;
mod refusals;
mod stories;
#[cfg(feature = "runtime")]
mod supervision;
mod world;

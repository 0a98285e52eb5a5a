//! The proof of the heart: its map, an exhaustive walk, the stories of its requirements, its properties, and the actors.
//!
//! One binary for all of it. `matrix` is the specification on a page, `explore` walks everything that `world` allows,
//! `model` has a checker that is not ours walk it too, with the terminal at the far end of a bad line; `stories` are
//! told with `life`; `supervision` kills, and the stories of the actors run in a `house`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod binding;
mod explore;
mod histories;
#[cfg(feature = "runtime")]
mod house;
#[cfg(feature = "runtime")]
mod kills;
mod life;
mod matrix;
mod model;
mod money;
mod outbox;
#[cfg(feature = "runtime")]
mod outboxes;
#[cfg(feature = "runtime")]
mod overload;
#[cfg(feature = "runtime")]
mod payers;
mod properties;
mod refusals;
#[cfg(feature = "runtime")]
mod sessions;
mod stories;
#[cfg(feature = "runtime")]
mod supervision;
#[cfg(feature = "runtime")]
mod tills;
mod world;

//! What becomes of the others when one actor dies: every story here kills, starves or crowds somebody.
//!
//! Time is virtual except where real threads are the point. What a till is, see `tills`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod crowding;
mod dying;
mod tills;

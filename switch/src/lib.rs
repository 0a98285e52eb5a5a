//! Turnout put together: the composition root, the HTTP doors, the pages, the sandbox platform and the command line.
//!
//! A library so that tests and simulations can run the parts in one process; `main` is only the way in. Real servers
//! are started in `house` alone. Start with `house`, or with `api` for the doors.
pub mod api;
pub mod cli;
pub mod config;
pub mod demo;
pub mod house;
pub mod hygiene;
pub mod iso;
pub mod line;
mod overview;
pub mod sandbox;
pub mod telemetry;

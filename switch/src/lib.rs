//! Turnout put together: the composition root, the HTTP listeners, the pages, and the sandbox platform.
//!
//! A library so that tests and simulations can run the parts in one process; `main` is only the command line.
pub mod sandbox;

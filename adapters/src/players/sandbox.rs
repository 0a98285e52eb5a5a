//! The sandbox platform without its listeners: a payment platform that is played, as phones and terminals are.
//!
//! The rules are in `books` (pure), the conversation in `desk`, one request with its trouble in `serving`, the post in
//! `callback`, what goes wrong on purpose in `trouble`. `turnout sandbox` and `loadtest` put a front of their own before
//! it. It knows nothing of the switch but the secret they share and where callbacks go; docs/sandbox.md is its interface.
pub mod books;
pub mod callback;
pub mod desk;
pub mod problem;
pub mod seal;
pub mod serving;
pub mod trouble;

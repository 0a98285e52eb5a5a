//! The adapters' integration tests, in one binary.
mod http_client;
mod players;

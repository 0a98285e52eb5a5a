//! The switch's integration tests, in one binary.
mod kills;
mod sandbox;

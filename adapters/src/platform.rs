//! Third-party payment platforms, one protocol per file, all behind `actors::ports::platform::Platform`.
//!
//! An adapter decides for every failure whether money may have moved. What all of them count is in `tally`.
pub mod sandbox;
pub mod tally;
pub mod wall_time;

//! Lines: terminals that are slow, many, mute, hasty or hostile, and the answers that everybody else still gets.
//!
//! `parrot` answers, and does what the message tells it to; `manners` plays one connection in virtual time, `sockets` a
//! listener over real ones, `serving` a whole house.
mod manners;
mod parrot;
mod serving;
pub mod sockets;

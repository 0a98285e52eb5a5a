//! Lines: terminals that are slow, many, mute, hasty or hostile, and the answers that everybody else still gets.
//!
//! `parrot` answers, and does what the message tells it to; `manners` plays one connection in virtual time, `sockets`
//! plays a listener over real ones.
mod manners;
mod parrot;
mod sockets;

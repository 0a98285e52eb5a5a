//! ISO 8583 as terminals speak it: how messages are framed on a line, and how a message is read and written.
//!
//! Sans-IO: bytes in, bytes out. No socket, no clock and no actor is known here. Start with `framing` for where a
//! message begins and ends.
pub mod framing;

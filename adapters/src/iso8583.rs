//! ISO 8583 as terminals and hosts really speak it: bytes in, bytes out, no socket and no clock.
//!
//! A [`Dialect`](dialect::Dialect) is a data file, changed per link by overrides; a [`Message`](message::Message) is
//! read from a frame's own bytes without an allocation; a [`Builder`](builder::Builder) writes one and refuses what
//! does not fit. Nothing here knows what a payment is. Errors name a field and an offset, never what stood there.
pub mod asked;
pub mod bitmap;
pub mod builder;
pub mod dialect;
pub mod field;
pub mod fields;
pub mod framing;
pub mod ksn;
pub mod mask;
pub mod message;
pub mod mti;
pub mod rules;
pub mod tlv;
pub mod trace;
pub mod translate;
pub mod value;

mod bcd;

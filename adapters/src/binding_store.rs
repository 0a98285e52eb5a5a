//! Binding stores: where a payer stands, found fast. The journal decides; a store only speeds it up.
//!
//! One node alone needs no server: `memory`. Every store passes the suite `actors::ports::contract::binding_store`.
pub mod memory;

//! The HTTP doors: phones, terminals (with the platforms' callbacks) and admin, as factories for an actix-web `App`.
//!
//! A door parses, authenticates, asks the switchboard and shapes the answer; it decides nothing and keeps nothing.
//! `Porter::new(&doors, Begins::Standing).before(App::new().configure(phones(&doors)))` is a whole listener, over whatever network; no
//! server is started here.
//! The contract is docs/http-api.md. Next: `doors` (what they need), `table` (what surrounds every route).
mod admin;
mod bodies;
mod callbacks;
mod device;
mod doorman;
mod doors;
mod extract;
mod limits;
mod lines;
mod openapi;
mod overview;
mod pages;
mod phones;
mod porter;
mod problem;
mod sse;
mod terminal_keys;
mod terminals;
mod token;
mod trace;
mod views;

pub use admin::{AdminAccess, admin};
pub use bodies::Body;
pub use device::{Shown, confirmation_text, thumbprint};
pub use doors::{Codes, Doors, MetricsText, Ports, Readiness, ReadinessCheck, Settings};
pub use extract::Json;
pub use lines::LineView;
pub use openapi::{admin_document, phones_document, terminals_document};
pub use overview::{ActorCounts, JournalAt, Latency, Overlook, Overview, OwedItem, OwedSum, Rates, Recent};
pub use phones::phones;
pub use porter::{Begins, Porter};
pub use sse::Streams;
pub use terminal_keys::{KeyDigests, TerminalKeys, is_key_of};
pub use terminals::terminals;
pub use token::{LASTS_MAX, SecretTooShort, Tokens};
pub use trace::{Trace, trace};
pub use views::RefusalView;

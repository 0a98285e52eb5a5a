//! The terminals' door: ask for money, look, take back, give back, and see who stands there.
//!
//! A terminal authenticates with HTTP Basic and reaches its own payments only: its session is asked, never another's.
//! The platforms' callbacks come in by the same listener (`callbacks`).
pub(super) mod payments;
mod place;

use super::doorman::{Table, delete, get, post};
use super::doors::Doors;
use super::pages;
use super::{callbacks, openapi};
use actix_web::web;
pub use payments::*;
pub use place::*;
use std::sync::Arc;

/// The terminals' listener, for `App::configure`.
pub fn terminals(doors: &Arc<Doors>) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let doors = web::Data::from(Arc::clone(doors));
    move |config| {
        let mut table = Table::new(config, doors, "terminals");
        table
            .serve("/v1/payments", "payments", [post(web::to(place_payment))])
            .serve("/v1/payments/{id}", "payment", [get(web::to(look_at_payment))])
            .serve("/v1/payments/{id}/reversals", "payment_reversals", [post(web::to(reverse_payment))])
            .serve("/v1/reversals", "reversals", [post(web::to(reverse_by_key))])
            .serve("/v1/payments/{id}/refunds", "payment_refunds", [post(web::to(refund_payment))])
            .serve("/v1/terminal", "terminal", [get(web::to(look_at_terminal))])
            .serve("/v1/terminal/binding", "terminal_binding", [delete(web::to(clear_terminal))])
            .serve("/v1/callbacks/{platform}", "callbacks", [post(web::to(callbacks::take_callback))]);
        openapi::serve(&mut table, openapi::terminals_document());
        pages::serve(&mut table, "till.html");
    }
}

//! The phones' door: log in, stand at a terminal, see what is asked, confirm or decline, pay, and hear of changes.
//!
//! Everything but logging in needs a token; a phone reaches its own payer's payments only, because its payer's actor is
//! asked. Account and password pass by here sealed for the platform: nothing here can open them.
pub(super) mod binding;
mod events;
pub(super) mod login;
pub(super) mod pay;
mod payments;

use super::doorman::{Table, delete, get, post, put};
use super::doors::Doors;
use super::openapi;
use super::pages;
use actix_web::web;
pub use binding::*;
pub use events::*;
pub use login::*;
pub use pay::*;
pub use payments::*;
use std::sync::Arc;

/// The phones' listener, for `App::configure`.
pub fn phones(doors: &Arc<Doors>) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let doors = web::Data::from(Arc::clone(doors));
    move |config| {
        let mut table = Table::new(config, doors, "phones");
        let binding = [put(web::to(bind)), get(web::to(look_at_binding)), delete(web::to(leave))];
        table
            .serve("/v1/binding", "binding", binding)
            .serve("/v1/login/codes", "login_codes", [post(web::to(send_code))])
            .serve("/v1/login", "login", [post(web::to(log_in))])
            .serve("/v1/payments", "payments", [get(web::to(list_payments))])
            .serve("/v1/payments/history", "history", [get(web::to(list_history))])
            .serve("/v1/events", "events", [get(web::to(follow_events))])
            .serve("/v1/payments/{id}", "payment", [get(web::to(look_at_own_payment))])
            .serve("/v1/payments/{id}/confirmation", "confirmation", [post(web::to(confirm_payment))])
            .serve("/v1/payments/{id}/decline", "decline", [post(web::to(decline_payment))])
            .serve("/v1/payments/{id}/credential", "credential", [post(web::to(present_credential))]);
        openapi::serve(&mut table, openapi::phones_document());
        pages::serve(&mut table, "phone.html");
    }
}

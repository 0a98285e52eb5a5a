//! The sandbox platform as two hosts: its counter, which can be killed, and its post office, which cannot.
//!
//! The books outlive the counter's process: a platform does not forget what it booked.
use crate::listener::{Ear, Overheard, overheard, serve};
use crate::scene::{Scene, secret};
use crate::witness::{What, Who};
use actix_web::web::Data;
use actors::domain::money::Money;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use switch::sandbox::books::Policy;
use switch::sandbox::callback::{Address, Postman};
use switch::sandbox::desk::Desk;
use switch::sandbox::{AccountConfig, SandboxConfig, World, api, furnish};
use zeroize::Zeroizing;

pub const ACCOUNT: &str = "everybody";
pub const PASSWORD: &str = "one-for-all";
const COUNTER: u16 = 80;

/// The platform's books and the post that it sends.
pub fn found(scene: &Arc<Scene>) -> (Data<Desk>, Postman) {
    let config = SandboxConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        tls: None,
        listen_payers: None,
        public_address: None,
        callback_url: None,
        secret: secret(),
        accounts: vec![AccountConfig {
            name: ACCOUNT.into(),
            password: Zeroizing::new(PASSWORD.into()),
            balances: vec![Money::parse("100000.00", "EUR").unwrap()],
        }],
        policy: Policy { password_tries_max: 200, payments_max: 10_000 },
        permit_lifetime: Duration::from_secs(30),
        late_by: scene.plan.late_by,
        workers: 1,
    };
    let world = World {
        clock: scene.true_clock(),
        dice: Arc::new(scene.chance.fork("platform")),
        network: Arc::new(scene.network.clone()),
    };
    let callbacks = Address::default();
    callbacks.set(format!("http://switch:{}/v1/callbacks/{}", crate::house::TERMINALS, scene.platform));
    furnish(config, world, "http://platform:80".into(), callbacks).unwrap()
}

/// One life of the counter's process.
pub async fn run(scene: Arc<Scene>, desk: Data<Desk>) -> turmoil::Result {
    serve(COUNTER, overheard(api::switch_door(desk), AtTheCounter(scene))).await
}

#[derive(Clone)]
struct AtTheCounter(Arc<Scene>);

#[derive(Deserialize)]
struct PermitBody {
    payment: String,
    attempt: u8,
}

impl Ear for AtTheCounter {
    fn wants_body(&self, path: &str) -> bool {
        path == "/v1/permits"
    }

    fn hear(&self, overheard: &Overheard<'_>) {
        if overheard.status.is_some() {
            return;
        }
        let path = overheard.path;
        let what = match path.strip_prefix("/v1/permits/").and_then(|rest| rest.strip_suffix("/pay")) {
            Some(permit) => What::AskedToPay { permit: permit.to_owned() },
            None => match serde_json::from_slice(overheard.body) {
                Ok(PermitBody { payment, attempt }) => What::AskedForPermit { id: payment, attempt },
                Err(_) => What::AskedOf { path: path.to_owned() },
            },
        };
        self.0.saw(Who::Platform, what);
    }
}

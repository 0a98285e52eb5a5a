//! The payers' phones: they come to a till, see what is asked, and pay it; or vanish, mistype, tap twice, or lie.
use crate::bank::{ACCOUNT, PASSWORD};
use crate::chance::Chance;
use crate::house::{PHONES, TERMINALS};
use crate::plan::Fault;
use crate::scene::{Scene, payer};
use crate::witness::{What, Who};
use adapters::players::connection::{Ask, Connection};
use adapters::players::device::DeviceKey;
use adapters::players::phone::Phone;
use adapters::players::sealing::RingSealer;
use adapters::players::seen::{PaymentSeen, Status};
use adapters::players::{PlayFault, Surroundings};
use adapters::seal::Credential;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const RIGHT: Credential<'_> = Credential { account: ACCOUNT, password: PASSWORD };
const WRONG: Credential<'_> = Credential { account: ACCOUNT, password: "one-for-nobody" };
/// How long a phone waits for anything.
const WAIT: Duration = Duration::from_secs(6);

/// Does whatever is asked of the payer, for ever.
pub async fn pay_all(scene: Arc<Scene>, number: usize) -> turmoil::Result {
    let name = format!("phone {number}");
    let surroundings = scene.surroundings(&name);
    let chance = scene.chance.fork(&format!("{name}'s manners"));
    let sealer = RingSealer::new(Arc::clone(&surroundings.dice));
    let mut hand = Hand {
        phone: phone(&surroundings, number),
        scene: Arc::clone(&scene),
        surroundings,
        chance,
        sealer,
        number,
        token: None,
        stale: None,
    };
    // Nobody pays when nothing is sold any more: what is open then the switch ends alone.
    while scene.tills_done.load(Ordering::Relaxed) < scene.plan.tills as u64 {
        tokio::time::sleep(hand.chance.millis(100..900)).await;
        let acted = tokio::time::timeout(WAIT * 2, hand.act()).await;
        if !matches!(acted, Ok(Ok(()))) && hand.chance.in_a_thousand(200) {
            hand.token = None;
        }
    }
    Ok(())
}

fn phone(surroundings: &Surroundings, device: usize) -> Phone {
    let address = format!("http://switch:{PHONES}").parse().unwrap();
    Phone::new(surroundings.clone(), address, device_key(device))
}

/// The same keys in every simulation of a process: making one costs more than a payment.
fn device_key(device: usize) -> DeviceKey {
    static KEYS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let keys =
        KEYS.get_or_init(|| (0..16).map(|_| DeviceKey::generate().unwrap().pkcs8().to_vec()).collect());
    DeviceKey::from_pkcs8(&keys[device % keys.len()]).unwrap()
}

struct Hand {
    phone: Phone,
    scene: Arc<Scene>,
    surroundings: Surroundings,
    chance: Chance,
    sealer: RingSealer,
    number: usize,
    token: Option<String>,
    /// What was shown in an earlier round.
    stale: Option<PaymentSeen>,
}

impl Hand {
    async fn act(&mut self) -> Result<(), PlayFault> {
        if self.token.is_none() {
            self.token =
                Some(self.phone.log_in_by_shown_code(payer(self.number).as_str()).await?.access_token);
        }
        self.bind().await?;
        for payment in self.phone.payments().await? {
            match payment.status {
                Status::AwaitingConfirmation => self.asked(payment).await?,
                Status::AwaitingPayment => self.pay(&payment).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn bind(&mut self) -> Result<(), PlayFault> {
        let till = if self.scene.plan.has(Fault::OddPhones) && self.chance.in_a_thousand(100) {
            usize::try_from(self.chance.of(0..self.scene.plan.tills as u64)).unwrap()
        } else {
            self.number % self.scene.plan.tills
        };
        let terminal = format!("T{till}");
        let asked = self.scene.elapsed();
        let seen = self.phone.bind(&terminal).await?;
        let payer = payer(self.number).to_string();
        self.saw(What::Bound { terminal: seen.terminal, payer, epoch: seen.epoch, asked });
        Ok(())
    }

    async fn asked(&mut self, payment: PaymentSeen) -> Result<(), PlayFault> {
        self.saw(What::Shown {
            id: payment.id.clone(),
            amount: payment.amount.clone(),
            terminal: payment.terminal.clone().unwrap_or_default(),
            epoch: payment.epoch,
        });
        if self.scene.plan.has(Fault::HostilePhones) && self.chance.in_a_thousand(500) {
            return self.lie(payment).await;
        }
        let manner = if self.scene.plan.has(Fault::OddPhones) { self.chance.of(0..10) } else { 9 };
        if manner < 5 {
            self.scene.strikes(Fault::OddPhones);
        }
        match manner {
            0 => Ok(()),
            1 => {
                self.saw(What::Declines { id: payment.id.clone() });
                self.phone.decline(&payment).await?;
                self.saw(What::Declined { id: payment.id });
                Ok(())
            }
            2 => {
                self.confirms(&payment);
                self.phone.confirm(&payment).await.map(drop)
            }
            3 | 4 => self.tap_twice(&payment).await,
            _ => {
                self.confirms(&payment);
                let seen = self.phone.confirm(&payment).await?;
                self.pay(&seen).await
            }
        }
    }

    /// Two requests at once, of the confirmation and of the payment.
    async fn tap_twice(&mut self, payment: &PaymentSeen) -> Result<(), PlayFault> {
        self.confirms(payment);
        let mut other = self.twin();
        let (first, second) = tokio::join!(self.phone.confirm(payment), other.confirm(payment));
        let Some(seen) = [first, second].into_iter().flatten().find(|seen| seen.interface.is_some()) else {
            return Ok(());
        };
        self.presents(&seen);
        let (first, second) = tokio::join!(
            self.phone.present(&seen, RIGHT, &self.sealer),
            other.present(&seen, RIGHT, &self.sealer)
        );
        first.or(second).map(drop)
    }

    async fn pay(&mut self, payment: &PaymentSeen) -> Result<(), PlayFault> {
        if payment.interface.is_none() {
            return Ok(());
        }
        if self.scene.plan.has(Fault::Strangers) && self.chance.coin() {
            self.forge(payment).await;
        }
        self.presents(payment);
        let mistypes = self.scene.plan.has(Fault::OddPhones) && self.chance.in_a_thousand(250);
        let credential = if mistypes { WRONG } else { RIGHT };
        let seen = tokio::time::timeout(WAIT, self.phone.present(payment, credential, &self.sealer)).await;
        if mistypes {
            // The permit is spent: a second use of the same must not be.
            self.saw(What::Presents { id: payment.id.clone(), attempt: payment.attempt.unwrap_or(0) });
            drop(tokio::time::timeout(WAIT, self.phone.present(payment, RIGHT, &self.sealer)).await);
        }
        seen.map_or(Ok(()), |seen| seen.map(drop))
    }

    async fn lie(&mut self, payment: PaymentSeen) -> Result<(), PlayFault> {
        let id = payment.id.clone();
        let (how, answer) = match self.chance.of(0..4) {
            0 => {
                let tampered = PaymentSeen { amount: "0.01".into(), ..payment.clone() };
                ("signs another amount", self.try_to_confirm(&tampered, self.number).await)
            }
            1 => ("signs with another's key", self.try_to_confirm(&payment, self.number + 8).await),
            2 => {
                self.saw(What::Declines { id: id.clone() });
                self.phone.decline(&payment).await?;
                self.saw(What::Declined { id: id.clone() });
                let Ok(seen) = self.phone.confirm(&payment).await else { return Ok(()) };
                self.pay(&seen).await?;
                return Ok(());
            }
            _ => match self.stale.take() {
                Some(stale) if stale.epoch != payment.epoch => {
                    let tampered = PaymentSeen { epoch: stale.epoch, ..payment.clone() };
                    ("signs for an earlier round", self.try_to_confirm(&tampered, self.number).await)
                }
                _ => {
                    self.stale = Some(payment);
                    return Ok(());
                }
            },
        };
        self.stale = Some(payment);
        self.scene.strikes(Fault::HostilePhones);
        self.saw(What::Lied { id, how, believed: answer });
        Ok(())
    }

    /// Confirms under its own device key with `signer`'s signature; whether that was believed.
    async fn try_to_confirm(&self, payment: &PaymentSeen, signer: usize) -> bool {
        let body = json!({
            "amount": payment.amount,
            "currency": payment.currency,
            "epoch": payment.epoch,
            "device_key": device_key(self.number).jwk(),
            "signature": device_key(signer).sign(payment).unwrap(),
        });
        let token = format!("Bearer {}", self.token.as_deref().unwrap_or_default());
        let ask = Ask::new(Method::POST, format!("/v1/payments/{}/confirmation", payment.id)).json(&body);
        let ask = ask.with(AUTHORIZATION, HeaderValue::from_str(&token).unwrap());
        let mut line =
            Connection::new(self.surroundings.clone(), format!("http://switch:{PHONES}").parse().unwrap());
        line.ask(ask, WAIT).await.is_ok_and(|reply| reply.status.is_success())
    }

    /// Says in the platform's name that a payment was paid.
    async fn forge(&self, payment: &PaymentSeen) {
        let body = json!({
            "payment": payment.id,
            "attempt": payment.attempt.unwrap_or(1),
            "status": "paid",
            "reference": "sbx-99999999",
            "amount": payment.amount,
            "currency": payment.currency,
            "merchant": payment.merchant,
        });
        let text = |value: &str| HeaderValue::from_str(value).unwrap();
        let ask = Ask::new(Method::POST, format!("/v1/callbacks/{}", self.scene.platform)).json(&body);
        let ask = ask
            .with(HeaderName::from_static("webhook-id"), text("msg_forged"))
            .with(HeaderName::from_static("webhook-timestamp"), text(&self.scene.now().secs().to_string()))
            .with(
                HeaderName::from_static("webhook-signature"),
                text("v1,bm90IGEgc2lnbmF0dXJlIG9mIGFueWJvZHkncyBhdCBhbGw="),
            );
        let mut line =
            Connection::new(self.surroundings.clone(), format!("http://switch:{TERMINALS}").parse().unwrap());
        let believed = line.ask(ask, WAIT).await.is_ok_and(|reply| reply.status.is_success());
        self.scene.strikes(Fault::Strangers);
        self.saw(What::Lied { id: payment.id.clone(), how: "forges a callback", believed });
    }

    /// The same device with the same token, on a connection of its own.
    fn twin(&self) -> Phone {
        let mut twin = phone(&self.surroundings, self.number);
        if let Some(token) = &self.token {
            twin.resume(token).unwrap();
        }
        twin
    }

    fn confirms(&self, payment: &PaymentSeen) {
        self.saw(What::Confirms {
            id: payment.id.clone(),
            payer: payer(self.number).to_string(),
            amount: payment.amount.clone(),
            epoch: payment.epoch,
        });
    }

    fn presents(&self, payment: &PaymentSeen) {
        self.saw(What::Presents { id: payment.id.clone(), attempt: payment.attempt.unwrap_or(0) });
    }

    fn saw(&self, what: What) {
        self.scene.saw(Who::Phone(self.number), what);
    }
}

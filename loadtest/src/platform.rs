//! The platform that a load plays itself: permits, payments, callbacks, reversals and inquiries, with trouble on request.
//!
//! What it does is `adapters::players::sandbox`, the same as `turnout sandbox` serves; `front` is its listener. It has a
//! thread of its own, so that it does not hold up the generator, and books that the judge reads over HTTP like anybody's.
mod front;

use crate::payers::Payers;
use actors::domain::money::{Amount, Currency, Money};
use actors::ports::clock::{Clock, Dice};
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::{HttpClient, TcpNetwork};
use adapters::players::connection::Address;
use adapters::players::sandbox::books::{Books, Policy};
use adapters::players::sandbox::callback::{self, PostBox};
use adapters::players::sandbox::desk::{Desk, Manner};
use adapters::players::sandbox::seal::SealKey;
use adapters::signature::SharedSecret;
use anyhow::{Context, ensure};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// What each account holds, in the least unit: more than a run can spend.
const HOLDS: u64 = 900_000_000_000;
const PASSWORD_TRIES_MAX: u8 = 5;
/// A day at more than a hundred payments a second.
const PAYMENTS_MAX: usize = 10_000_000;
const PERMIT_LIFETIME: Duration = Duration::from_mins(5);

/// The platform that is to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformPlan {
    /// Where the switch is configured to find it.
    pub listen: SocketAddr,
    /// Where its callbacks go; to the platform `sandbox` of the terminals' listener if it is not said.
    pub callback: Option<String>,
    /// The secret that it shares with the switch, `whsec_…`.
    pub secret_file: PathBuf,
    /// How late "late" is.
    pub late_by: Duration,
}

/// A platform that answers until it is dropped.
pub struct PlayedPlatform {
    address: Address,
    runtime: Option<Runtime>,
}

impl PlatformPlan {
    /// Where callbacks go.
    fn callback(&self, terminals: &Address) -> String {
        let to_sandbox = || format!("{}/v1/callbacks/sandbox", terminals.to_string().trim_end_matches('/'));
        self.callback.clone().unwrap_or_else(to_sandbox)
    }

    /// That neither side of it is somebody else's machine, and that callbacks have a way to go.
    pub fn is_ours(&self, not_loopback: bool) -> anyhow::Result<()> {
        let callback = self.callback.as_deref();
        if let Some(callback) = callback {
            let split = Address::split(callback).filter(|_| callback.starts_with("http://"));
            let (to, _) = split.with_context(|| {
                format!(
                    "platform.callback {callback:?} is http://HOST:PORT/v1/callbacks/ID, as the switch has it"
                )
            })?;
            ensure!(not_loopback || to.is_loopback(), "platform.callback {to} {}", crate::targets::NOT_OURS);
        }
        let is_ours = not_loopback || self.listen.ip().is_loopback();
        ensure!(is_ours, "platform.listen {} {}", self.listen, crate::targets::NOT_OURS);
        Ok(())
    }

    fn secret(&self) -> anyhow::Result<SharedSecret> {
        let shown = self.secret_file.display();
        let text = std::fs::read_to_string(&self.secret_file);
        let text = text.with_context(|| format!("platform.secret_file {shown}"))?;
        SharedSecret::parse(text.trim()).with_context(|| format!("platform.secret_file {shown}"))
    }
}

impl PlayedPlatform {
    /// Opens a platform with an account for each of so many payers; it answers when this returns.
    pub fn open(
        plan: &PlatformPlan,
        payers: &Payers,
        pairs: usize,
        currency: Currency,
        terminals: &Address,
    ) -> anyhow::Result<Self> {
        let secret = plan.secret()?;
        let listener = TcpListener::bind(plan.listen).with_context(|| {
            format!("platform.listen {}: is a `turnout sandbox` there already?", plan.listen)
        })?;
        listener.set_nonblocking(true)?;
        let address: Address = format!("http://{}", listener.local_addr()?).parse()?;
        let (clock, dice): (Arc<dyn Clock>, Arc<dyn Dice>) =
            (Arc::new(SteadyClock::starting_now()), Arc::new(SystemDice::new()?));
        let to = callback::Address::default();
        to.set(plan.callback(terminals));
        let client = HttpClient::new(Arc::new(TcpNetwork), None, Arc::clone(&clock));
        let (post, postman) = PostBox::new(to, client, secret.clone(), Arc::clone(&clock), Arc::clone(&dice));
        let public_address = address.to_string().trim_end_matches('/').to_owned();
        let manner = Manner { permit_lifetime: PERMIT_LIFETIME, late_by: plan.late_by, public_address };
        let (books, key) = (books(payers, pairs, currency, &*dice)?, SealKey::generate(&*dice)?);
        let desk = Arc::new(Desk::new(books, key, secret, post, clock, dice, manner));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("platform")
            .enable_all()
            .build()
            .context("no thread for the platform")?;
        runtime.spawn(postman.run());
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(front::serve(listener, desk));
        Ok(Self { address, runtime: Some(runtime) })
    }

    /// Where it answers.
    pub const fn address(&self) -> &Address {
        &self.address
    }
}

impl Drop for PlayedPlatform {
    fn drop(&mut self) {
        // What it was asked last has nobody to hear it: the run is over.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn books(payers: &Payers, pairs: usize, currency: Currency, dice: &dyn Dice) -> anyhow::Result<Books> {
    let mut salt = [0; 32];
    dice.fill(&mut salt);
    let policy = Policy { password_tries_max: PASSWORD_TRIES_MAX, payments_max: PAYMENTS_MAX };
    let mut books = Books::new(policy, &salt);
    let holds = Money::new(Amount::new(HOLDS).context("an account holds too much")?, currency);
    for account in payers.accounts(pairs) {
        books.open_account(&account, &payers.password, &[holds]).context("--account")?;
    }
    Ok(books)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use actors::domain::identity::{PaymentId, PlatformId};
    use actors::domain::payment::outcome::{Effect, InquiryOutcome, PermitOutcome, ReversalOutcome};
    use actors::domain::payment::phase::Attempt;
    use actors::domain::time::Deadline;
    use actors::ports::platform::{PermitAsk, Platform, PlatformAsk};
    use adapters::platform::sandbox::{CredentialTravels, SandboxPlatform, SandboxSettings};
    use adapters::players::Surroundings;
    use adapters::players::connection::{Ask, Connection};
    use hyper::Method;
    use hyper::header::HeaderValue;

    const SOON: Duration = Duration::from_secs(20);

    struct Bench {
        platform: PlayedPlatform,
        surroundings: Surroundings,
        runtime: Runtime,
    }

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let secret_file = folder.path().join("secret");
        std::fs::write(&secret_file, SECRET).unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let plan = PlatformPlan { listen, callback: None, secret_file, late_by: SOON };
        let payers = Payers { account: "load-{}".into(), password: "load".into(), subscribers: "999".into() };
        let euro = Money::parse("1.00", "EUR").unwrap().currency();
        let nobody = "http://127.0.0.1:1".parse().unwrap();
        let platform = PlayedPlatform::open(&plan, &payers, 2, euro, &nobody).unwrap();
        let (clock, dice) = (Arc::new(SteadyClock::starting_now()), Arc::new(SystemDice::new().unwrap()));
        let surroundings = Surroundings { network: Arc::new(TcpNetwork), tls: None, clock, dice };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Bench { platform, surroundings, runtime }
    }

    const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

    impl Bench {
        /// The switch's own side of it.
        fn switch(&self) -> SandboxPlatform {
            let Surroundings { network, clock, dice, .. } = self.surroundings.clone();
            let settings = SandboxSettings {
                id: PlatformId::new("sandbox").unwrap(),
                address: self.platform.address().to_string().parse().unwrap(),
                secret: SharedSecret::parse(SECRET.trim()).unwrap(),
                travels: CredentialTravels::Relayed,
                in_flight_max: 8,
            };
            let client = HttpClient::new(network, None, Arc::clone(&clock));
            SandboxPlatform::new(settings, client, clock, dice).unwrap()
        }

        fn status(&self, ask: Ask) -> u16 {
            let mut connection = Connection::new(self.surroundings.clone(), self.platform.address().clone());
            self.runtime.block_on(connection.ask(ask, SOON)).unwrap().status.as_u16()
        }
    }

    #[test]
    fn the_switchs_own_adapter_is_understood() {
        let bench = bench();
        let (switch, clock) = (bench.switch(), &bench.surroundings.clock);
        let answer_by = Deadline::after(clock.now(), SOON);
        let money = Money::parse("12.50", "EUR").unwrap();
        let payment = PaymentId::from_bits(7);
        let permit = PermitAsk {
            payment,
            attempt: Attempt::FIRST,
            money,
            merchant: "M1".parse().unwrap(),
            merchant_name: "Corner Bakery".into(),
            terminal: None,
            payer: "999000000000".parse().unwrap(),
            answer_by,
        };
        let ask = PlatformAsk { payment, money, answer_by };
        bench.runtime.block_on(async {
            assert_eq!(switch.inquire(ask).await, InquiryOutcome::NeverSeen);
            assert!(matches!(switch.permit(permit).await, PermitOutcome::Granted(_)));
            let undone = ReversalOutcome::Acknowledged(Effect::NothingToUndo);
            assert_eq!(switch.reverse(ask).await, undone);
            assert_eq!(switch.inquire(ask).await, InquiryOutcome::Undone);
        });
    }

    #[test]
    fn strangers_wrong_ways_and_large_bodies_are_refused_as_docs_sandbox_md_has_it() {
        let bench = bench();
        let large = vec![b' '; 17 * 1024];
        for (ask, status) in [
            (Ask::new(Method::GET, "/v1/books"), 200),
            (Ask::new(Method::GET, "/v1/trouble"), 200),
            (Ask::new(Method::PUT, "/v1/trouble").body(json(), "{\"latency_ms\": 0, \"rules\": []}"), 200),
            (Ask::new(Method::PUT, "/v1/trouble").body(json(), "{\"latency\": 0}"), 422),
            (Ask::new(Method::POST, "/v1/permits").body(json(), "{}"), 401),
            (Ask::new(Method::GET, "/v1/payments/pay_00000000000000000000000000"), 401),
            (Ask::new(Method::GET, "/v1/daily?date=2030-01-31"), 401),
            (Ask::new(Method::POST, "/v1/permits/nobody/pay").body(json(), "x"), 404),
            (Ask::new(Method::GET, "/v1/permits"), 405),
            (Ask::new(Method::GET, "/"), 404),
            (Ask::new(Method::POST, "/v1/permits").body(json(), large), 413),
        ] {
            assert_eq!(bench.status(ask.clone()), status, "{ask:?}");
        }
    }

    fn json() -> HeaderValue {
        HeaderValue::from_static("application/json")
    }
}

//! The platform that a load plays itself: permits, payments, callbacks, reversals and inquiries, with trouble on request.
//!
//! What it does is `adapters::players::sandbox`, the same as `turnout sandbox` serves; `front` is its listener. It has a
//! thread of its own, so that it does not hold up the generator, and books that the judge reads over HTTP like anybody's.
mod front;
#[cfg(test)]
mod stories;

use crate::payers::Payers;
use crate::scenario::LATE_SECONDS;
use crate::targets::{NOT_OURS, Targets};
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
use clap::Args;
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

/// The command line's part of it.
#[derive(Args)]
pub struct PlatformArgs {
    /// Plays the platform too: it listens there, as the switch is configured to find it.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "platform")]
    play_platform: Option<SocketAddr>,
    /// The secret that it shares with the switch (`whsec_…`), instead of the scenario's.
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Where its callbacks go, instead of to the platform `sandbox` at `--terminals`.
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
}

/// A platform that answers until it is dropped.
pub struct PlayedPlatform {
    address: Address,
    runtime: Option<Runtime>,
}

impl PlatformArgs {
    /// The platform to play, if any: the scenario's, with what the command line says instead.
    pub fn planned(
        &self,
        planned: Option<PlatformPlan>,
        targets: &Targets,
    ) -> anyhow::Result<Option<PlatformPlan>> {
        let Some(mut plan) = planned.or_else(|| self.plan()) else {
            ensure!(
                self.play_platform.is_none(),
                "--play-platform needs --secret FILE, which it shares with the switch"
            );
            ensure!(
                self.secret.is_none() && self.callback.is_none(),
                "--secret and --callback are for a platform that is played: --play-platform, or [platform]"
            );
            return Ok(None);
        };
        ensure!(
            targets.platform.is_none(),
            "[platform] is played here, so nothing else is: leave out --platform, or [platform]"
        );
        plan.listen = self.play_platform.unwrap_or(plan.listen);
        plan.secret_file = self.secret.clone().unwrap_or(plan.secret_file);
        plan.callback = self.callback.clone().or(plan.callback);
        plan.is_ours(targets.not_loopback)?;
        Ok(Some(plan))
    }

    fn plan(&self) -> Option<PlatformPlan> {
        let (listen, secret_file) = (self.play_platform?, self.secret.clone()?);
        let late_by = Duration::from_secs(LATE_SECONDS);
        Some(PlatformPlan { listen, callback: None, secret_file, late_by })
    }
}

impl PlatformPlan {
    /// Where callbacks go.
    fn callback(&self, terminals: &Address) -> String {
        let to_sandbox = || format!("{}/v1/callbacks/sandbox", terminals.to_string().trim_end_matches('/'));
        self.callback.clone().unwrap_or_else(to_sandbox)
    }

    /// That neither side of it is somebody else's machine, and that callbacks have a way to go.
    fn is_ours(&self, not_loopback: bool) -> anyhow::Result<()> {
        let callback = self.callback.as_deref();
        if let Some(callback) = callback {
            let split = Address::split(callback).filter(|_| callback.starts_with("http://"));
            let (to, _) = split.with_context(|| {
                format!(
                    "platform.callback {callback:?} is http://HOST:PORT/v1/callbacks/ID, as the switch has it"
                )
            })?;
            ensure!(not_loopback || to.is_loopback(), "platform.callback {to} {NOT_OURS}");
        }
        let is_ours = not_loopback || self.listen.ip().is_loopback();
        ensure!(is_ours, "platform.listen {} {NOT_OURS}", self.listen);
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

//! `turnout sandbox`: the platform to build against, by itself, for a switch that runs elsewhere.
use super::say;
use crate::sandbox::{self, AccountConfig, SandboxConfig, World, books};
use actors::domain::money::Money;
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::signature::SharedSecret;
use anyhow::Context;
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(Args, Debug)]
pub(super) struct SandboxArgs {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:8082")]
    listen: SocketAddr,
    /// Where its callbacks go: the switch's terminals' door, /v1/callbacks/ and the platform's id
    #[arg(long)]
    callback: String,
    /// A file with the secret it shares with the switch, `whsec_…`
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    /// An account, NAME:PASSWORD:BALANCE:CURRENCY; may be given often
    #[arg(long = "account", value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// Threads
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

pub(super) async fn run(args: SandboxArgs) -> anyhow::Result<()> {
    let secret = std::fs::read_to_string(&args.secret).with_context(|| args.secret.display().to_string())?;
    let config = SandboxConfig {
        listen: args.listen,
        tls: None,
        listen_payers: None,
        public_address: None,
        callback_url: Some(args.callback),
        secret: SharedSecret::parse(secret.trim())?,
        accounts: args.accounts.iter().map(|text| account(text)).collect::<anyhow::Result<_>>()?,
        policy: books::Policy { password_tries_max: 5, payments_max: 10_000_000 },
        permit_lifetime: Duration::from_mins(5),
        late_by: Duration::from_secs(15),
        workers: args.workers,
    };
    let world = World {
        clock: Arc::new(SteadyClock::starting_now()),
        dice: Arc::new(SystemDice::new()?),
        network: Arc::new(TcpNetwork),
    };
    let running = sandbox::start(config, world)?;
    say(&format!("sandbox at http://{}\n", running.address()))?;
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}

fn account(text: &str) -> anyhow::Result<AccountConfig> {
    let parts: Vec<&str> = text.split(':').collect();
    let [name, password, balance, currency] = parts.as_slice() else {
        anyhow::bail!("an account is NAME:PASSWORD:BALANCE:CURRENCY");
    };
    let balances = vec![Money::parse(balance, currency).with_context(|| (*name).to_owned())?];
    Ok(AccountConfig { name: (*name).to_owned(), password: (*password).to_owned().into(), balances })
}

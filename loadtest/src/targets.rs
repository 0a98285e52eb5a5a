//! Where a load goes, and that it may: this machine unless somebody says otherwise, and only where something answers.
use crate::line::LineArgs;
use actors::domain::identity::MerchantId;
use adapters::players::connection::Address;
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpStream;

const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Where everything is.
#[derive(Args, Clone, Debug)]
pub struct Targets {
    /// The phones' listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub phones: Address,
    /// The terminals' listener.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8081")]
    pub terminals: Address,
    #[command(flatten)]
    pub line: LineArgs,
    /// The sandbox platform: makes the trouble that the scenario wants, and its books are the judge's.
    #[arg(long, value_name = "URL")]
    pub platform: Option<Address>,
    /// The switch's journal: the judge reads it with `turnout journal payments`.
    #[arg(long, value_name = "FOLDER")]
    pub journal: Option<PathBuf>,
    /// The switch's program, to read the journal; the one beside this program if it is not given.
    #[arg(long, value_name = "FILE")]
    pub turnout: Option<PathBuf>,
    /// Allows addresses that are not this machine's: a load on somebody else's switch is an attack.
    #[arg(long)]
    pub not_loopback: bool,
}

impl Targets {
    /// The program that reads journals.
    pub fn turnout(&self) -> PathBuf {
        let beside = || {
            let own = std::env::current_exe().ok()?;
            Some(own.with_file_name("turnout")).filter(|path| path.exists())
        };
        self.turnout.clone().or_else(beside).unwrap_or_else(|| PathBuf::from("turnout"))
    }

    /// That no address is somebody else's, unless that was asked for.
    pub fn are_ours(&self) -> anyhow::Result<()> {
        if self.not_loopback {
            return Ok(());
        }
        let addresses = [Some(&self.phones), Some(&self.terminals), self.platform.as_ref()];
        for address in addresses.into_iter().flatten() {
            ensure!(address.is_loopback(), "{address} {NOT_OURS}");
        }
        ensure!(self.line.is_loopback()?, "--line {} {NOT_OURS}", self.line.line);
        Ok(())
    }

    /// That something listens everywhere, within seconds; what to start if not.
    pub async fn answer(&self, uses_line: bool) -> anyhow::Result<()> {
        let switch =
            "start the switch: `turnout serve --config FILE` (loadtest/README.md has one), or `turnout demo`";
        let mut doors = vec![
            (authority(&self.phones)?, "--phones", switch),
            (authority(&self.terminals)?, "--terminals", switch),
        ];
        if uses_line {
            let line = "the scenario has terminals that speak ISO 8583: give the switch a [[lines]] with this `listen`";
            doors.push((self.line.line.clone(), "--line", line));
        }
        if let Some(platform) = &self.platform {
            doors.push((
                authority(platform)?,
                "--platform",
                "start it: `turnout sandbox --listen HOST:PORT …`",
            ));
        }
        for (door, option, start) in doors {
            match tokio::time::timeout(ANSWERS_WITHIN, TcpStream::connect(&door)).await {
                Ok(Ok(_)) => {}
                Ok(Err(fault)) => bail!("nothing answers at {door} ({option}): {fault}; {start}"),
                Err(_) => bail!("nothing answers at {door} ({option}) within two seconds; {start}"),
            }
        }
        Ok(())
    }
}

pub const NOT_OURS: &str =
    "is not this machine: a load goes to a loopback address unless --not-loopback says otherwise";

/// `host:port` of a root address.
fn authority(address: &Address) -> anyhow::Result<String> {
    let text = address.to_string();
    let (scheme, rest) = text.split_once("://").context("an address has a scheme")?;
    let authority = rest.trim_end_matches('/');
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if scheme == "https" { 443 } else { 80 };
    Ok(if has_port { authority.to_owned() } else { format!("{authority}:{port}") })
}

/// The merchant that a terminal on a line names in field 42.
pub fn merchant_of(known: Option<MerchantId>) -> anyhow::Result<MerchantId> {
    known.context("the roster says no merchants, which a terminal on a line has to name: make it anew with `loadtest roster`")
}

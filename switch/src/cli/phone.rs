//! `turnout phone pay`: plays a payer's phone from a shell, with the account and password from the environment.
use super::{say, surroundings};
use adapters::players::connection::Address;
use adapters::players::device::DeviceKey;
use adapters::players::phone::{Phone, Script};
use adapters::players::sealing::DiceSealer;
use adapters::seal::Credential;
use anyhow::Context;
use clap::{Args, Subcommand};
use std::time::Duration;
use zeroize::Zeroizing;

#[derive(Args, Debug)]
pub(super) struct PhoneArgs {
    /// The phones' door
    #[arg(long, default_value = "http://127.0.0.1:8080", global = true)]
    switch: String,
    /// The subscriber's number
    #[arg(long, default_value = "+9990001100", global = true)]
    subscriber: String,
    /// The one-time code, where the switch does not show it
    #[arg(long, global = true)]
    code: Option<String>,
    #[command(subcommand)]
    command: Doing,
}

#[derive(Subcommand, Debug)]
enum Doing {
    /// Stands at a terminal, confirms what it asks for, and pays
    Pay {
        /// The terminal's id
        #[arg(long)]
        terminal: String,
        /// The account on the platform
        #[arg(long, env = "TURNOUT_ACCOUNT")]
        account: String,
        /// Its password; better in the environment than on the command line
        #[arg(long, env = "TURNOUT_PASSWORD", hide_env_values = true)]
        password: String,
    },
    /// Stands at a terminal and declines what it asks for
    Decline {
        /// The terminal's id
        #[arg(long)]
        terminal: String,
    },
    /// Lists this payer's payments
    List,
}

/// How long the phone stands at a terminal that asks for nothing.
const STANDS_FOR: Duration = Duration::from_mins(2);

pub(super) async fn run(args: PhoneArgs) -> anyhow::Result<()> {
    let surroundings = surroundings()?;
    let sealer = DiceSealer(surroundings.dice.clone());
    let mut phone = Phone::new(surroundings, Address::new(&args.switch)?, DeviceKey::generate()?);
    match &args.code {
        Some(code) => phone.log_in(&args.subscriber, code).await?,
        None => phone.log_in_by_shown_code(&args.subscriber).await?,
    };
    match args.command {
        Doing::List => {
            let listed = phone.payments().await?;
            let ids: Vec<String> = listed.iter().map(|payment| payment.id.clone()).collect();
            for open in listed {
                let (amount, currency) = (open.amount, open.currency);
                say(&format!(
                    "{}  {:?}  {amount} {currency}  {}\n",
                    open.id, open.status, open.merchant_name
                ))?;
            }
            for past in phone.history(20).await?.into_iter().filter(|past| !ids.contains(&past.id)) {
                let [amount, currency, merchant] =
                    [past.amount, past.currency, past.merchant_name].map(Option::unwrap_or_default);
                say(&format!("{}  {:?}  {amount} {currency}  {merchant}\n", past.id, past.status))?;
            }
            Ok(())
        }
        Doing::Decline { terminal } => stand(&mut phone, &terminal, Script::Decline, &sealer).await,
        Doing::Pay { terminal, account, password } => {
            let password = Zeroizing::new(password);
            let credential = Credential { account: &account, password: &password };
            stand(&mut phone, &terminal, Script::Pay(&[credential]), &sealer).await
        }
    }
}

async fn stand(
    phone: &mut Phone,
    terminal: &str,
    script: Script<'_>,
    sealer: &DiceSealer,
) -> anyhow::Result<()> {
    let place = phone.bind(terminal).await?;
    say(&format!("standing at {terminal} ({}), waiting to be asked\n", place.merchant_name))?;
    let mut events = phone.events()?;
    let asked = phone.awaits_confirmation(&mut events, Some(terminal));
    let asked = tokio::time::timeout(STANDS_FOR, asked).await.context("the terminal asked for nothing")??;
    say(&format!("{}: {} asks for {} {}\n", asked.id, asked.merchant_name, asked.amount, asked.currency))?;
    let seen = phone.play(asked, script, sealer).await?;
    let why = seen.refusal.or(seen.last_failure).map(|reason| format!(": {}", reason.message));
    say(&format!("{}: {:?}{}\n", seen.id, seen.status, why.unwrap_or_default()))
}

//! `turnout terminal …`: plays a terminal from a shell, as a conforming one does.
use super::{say, surroundings};
use actors::domain::identity::{PaymentKey, RefundId, TerminalId};
use actors::domain::money::Money;
use adapters::players::connection::Address;
use adapters::players::seen::SaleSeen;
use adapters::players::till::{Order, Sale, Till};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use std::time::Duration;

#[derive(Args, Debug)]
pub(super) struct TerminalArgs {
    /// The terminals' door
    #[arg(long, default_value = "http://127.0.0.1:8081", global = true)]
    switch: String,
    /// The terminal's id
    #[arg(long, default_value = "T1", global = true)]
    id: String,
    /// Its key
    #[arg(long, env = "TURNOUT_TERMINAL_KEY", hide_env_values = true, global = true)]
    key: Option<String>,
    #[command(subcommand)]
    command: Doing,
}

#[derive(Subcommand, Debug)]
enum Doing {
    /// Asks for money and waits for the answer
    Pay {
        /// How much, as in 12.50
        #[arg(long)]
        amount: String,
        /// ISO 4217
        #[arg(long, default_value = "EUR")]
        currency: String,
        /// The key that makes a repeat a repeat; a fresh one otherwise
        #[arg(long)]
        idempotency_key: Option<String>,
        /// Seconds to wait for the answer
        #[arg(long, default_value_t = 60)]
        patience: u64,
    },
    /// Shows a payment
    Look {
        /// `pay_…`
        payment: String,
    },
    /// Takes a payment back
    Reverse {
        /// `pay_…`
        payment: String,
    },
    /// Gives money back
    Refund {
        /// `pay_…`
        payment: String,
        /// The refund's own name
        #[arg(long)]
        refund: String,
        /// How much
        #[arg(long)]
        amount: String,
        /// ISO 4217
        #[arg(long, default_value = "EUR")]
        currency: String,
    },
}

pub(super) async fn run(args: TerminalArgs) -> anyhow::Result<()> {
    let key = args.key.context("the terminal's key: --key or TURNOUT_TERMINAL_KEY")?;
    let surroundings = surroundings()?;
    let id = TerminalId::new(&args.id)?;
    let mut till = Till::new(surroundings.clone(), Address::new(&args.switch)?, id, &key)?;
    match args.command {
        Doing::Pay { amount, currency, idempotency_key, patience } => {
            let money = Money::parse_payable(&amount, &currency)?;
            let mut order = Order::new(&surroundings, money, Duration::from_secs(patience))?;
            if let Some(key) = idempotency_key {
                order.key = PaymentKey::new(&key)?;
            }
            say(&format!("asking for {money} under the key {}\n", order.key.as_str()))?;
            held(&till.sell(&order).await?)
        }
        Doing::Look { payment } => shown(&till.look(&payment, Duration::ZERO).await?),
        Doing::Reverse { payment } => shown(&till.reverse(&payment).await?),
        Doing::Refund { payment, refund, amount, currency } => {
            let money = Money::parse_payable(&amount, &currency)?;
            shown(&till.refund(&payment, &RefundId::new(&refund)?, money).await?)
        }
    }
}

fn held(sale: &Sale) -> anyhow::Result<()> {
    match sale {
        Sale::Approved { id, reference } => {
            say(&format!("00 approved: {id}, reference {}\n", reference.as_deref().unwrap_or("none")))
        }
        Sale::Declined { code } => bail!("{code} declined"),
        Sale::Reversed => bail!("reversed: nobody pays"),
    }
}

fn shown(seen: &SaleSeen) -> anyhow::Result<()> {
    let code = seen.response_code.as_deref().unwrap_or("--");
    let amount = seen.amount.as_deref().unwrap_or("unknown");
    let why = seen.refusal.as_ref().map(|reason| format!(": {}", reason.message)).unwrap_or_default();
    say(&format!(
        "{}  {code} {:?}{why}  {amount} {}\n",
        seen.id,
        seen.status,
        seen.currency.as_deref().unwrap_or("")
    ))?;
    for refund in &seen.refunds {
        say(&format!("  refund {} {} {}: {}\n", refund.id, refund.amount, refund.currency, refund.state))?;
    }
    Ok(())
}

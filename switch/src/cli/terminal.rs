//! `turnout terminal …`: plays a terminal from a shell, as a conforming one does.
use super::{say, surroundings};
use actors::domain::identity::{MerchantId, PaymentKey, RefundId, TerminalId};
use actors::domain::money::Money;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::framing::Framing;
use adapters::players::connection::Address;
use adapters::players::pos::{Pos, PosLine};
use adapters::players::seen::SaleSeen;
use adapters::players::till::{Order, Sale, Till};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use std::sync::Arc;
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
    /// Speak ISO 8583 to this line, HOST:PORT, instead of HTTP
    #[arg(long, value_name = "HOST:PORT", global = true)]
    iso: Option<String>,
    /// The line's dialect
    #[arg(long, default_value = "iso87-ascii", requires = "iso", global = true)]
    dialect: String,
    /// How the line frames
    #[arg(long, default_value = "len2", requires = "iso", global = true)]
    framing: String,
    /// The terminal's merchant (DE 42)
    #[arg(long, default_value = "CORNER-BAKERY", requires = "iso", global = true)]
    merchant: String,
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
    if let Some(line) = &args.iso {
        return over_iso(&args, line).await;
    }
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

/// The same over a line. A payment is known there by its trace number and time, so only a sale is played from here.
async fn over_iso(args: &TerminalArgs, line: &str) -> anyhow::Result<()> {
    let Doing::Pay { amount, currency, idempotency_key, patience } = &args.command else {
        bail!(
            "over --iso a terminal pays: what was sold is taken back or refunded by the terminal that sold it"
        );
    };
    if idempotency_key.is_some() {
        bail!("over --iso the trace number and the day make a repeat a repeat: leave --idempotency-key out");
    }
    let surroundings = surroundings()?;
    let (host, port) = line.rsplit_once(':').context("--iso HOST:PORT")?;
    let framing: Framing = args.framing.parse().context("--framing")?;
    let known = || Dialect::ALL.join(", ");
    let dialect =
        Dialect::named(&args.dialect).with_context(|| format!("--dialect is one of {}", known()))?;
    let line = PosLine {
        host: host.to_owned(),
        port: port.parse().context("--iso HOST:PORT")?,
        framing,
        header: framing.plain_header(),
        dialect: Arc::new(dialect.clone()),
        sealer: None,
    };
    let (terminal, merchant) = (TerminalId::new(&args.id)?, MerchantId::new(&args.merchant)?);
    // A trace number of its own for each of the day's calls.
    let stan = u32::try_from(surroundings.clock.now().millis() / 100 % 864_000)?.saturating_add(1);
    let mut pos = Pos::new(surroundings, line, terminal, merchant, stan);
    let money = Money::parse_payable(amount, currency)?;
    let order = pos.order(money, Duration::from_secs(*patience));
    say(&format!("asking for {money} under the trace number {:06}\n", order.stan))?;
    held(&pos.sell(&order).await?)
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

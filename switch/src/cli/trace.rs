//! `turnout trace ID`: a payment's whole life from the journal, beside a running switch or after it.
use super::say;
use crate::api;
use crate::config::Config;
use actors::domain::identity::PaymentId;
use adapters::disk::Directory;
use adapters::journal;
use anyhow::Context;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args, Debug)]
pub(super) struct TraceArgs {
    /// The payment, `pay_…`
    payment: String,
    /// The journal's folder
    #[arg(long, value_name = "FOLDER", required_unless_present = "config")]
    journal: Option<PathBuf>,
    /// The configuration that names the journal
    #[arg(long, value_name = "FILE", conflicts_with = "journal")]
    config: Option<PathBuf>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &TraceArgs) -> anyhow::Result<()> {
    let payment = PaymentId::parse(&args.payment).with_context(|| args.payment.clone())?;
    let folder = match (&args.journal, &args.config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(config)) => Config::read(config)?.node.journal,
        (None, None) => anyhow::bail!("name the journal's folder or the configuration"),
    };
    let disk = Arc::new(Directory::reading(&folder)?);
    let life = journal::life_on(disk, payment)?;
    let trace = api::trace(payment, &life).with_context(|| {
        format!("{payment} is not in {}: was it another node's, or too long ago?", folder.display())
    })?;
    if args.json {
        return say(&format!("{}\n", serde_json::to_string(&trace)?));
    }
    say(&trace.to_string())
}

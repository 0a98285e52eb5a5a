//! `turnout journal verify|show|payments`: looks at a journal without changing it, beside a running switch or after it.
use super::say;
use actors::domain::identity::{PaymentId, TerminalId};
use actors::domain::journal::Seq;
use adapters::disk::Directory;
use adapters::journal::{Filter, payments, show, verify};
use anyhow::ensure;
use clap::{Args, Subcommand};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args, Debug)]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    command: Looking,
}

#[derive(Subcommand, Debug)]
enum Looking {
    /// Checks every checksum, the chain, the order, and that every life makes sense
    Verify {
        /// The journal's folder
        folder: PathBuf,
    },
    /// Prints one line per record
    Show {
        /// The journal's folder
        folder: PathBuf,
        /// Only this payment's
        #[arg(long)]
        payment: Option<String>,
        /// Only this terminal's bindings and books
        #[arg(long)]
        terminal: Option<String>,
        /// From this record on
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Prints one JSON object per payment: what it was for, how far it is, how often its money moved
    Payments {
        /// The journal's folder
        folder: PathBuf,
    },
}

pub(super) fn run(args: JournalArgs) -> anyhow::Result<()> {
    match args.command {
        Looking::Verify { folder } => {
            let report = verify(Arc::new(Directory::reading(&folder)?));
            say(&format!("{report}\n"))?;
            ensure!(report.is_sound(), "the journal in {} is not sound", folder.display());
            Ok(())
        }
        Looking::Show { folder, payment, terminal, from } => {
            let filter = Filter {
                payment: payment.as_deref().map(PaymentId::parse).transpose()?,
                terminal: terminal.as_deref().map(TerminalId::new).transpose()?,
                from: Seq(from),
            };
            let disk = Arc::new(Directory::reading(&folder)?);
            let mut printed = Ok(());
            let mut print = |line: &str| {
                if printed.is_ok() {
                    printed = say(&format!("{line}\n"));
                }
            };
            show(disk, &filter, &mut print)?;
            printed
        }
        Looking::Payments { folder } => {
            let mut out = BufWriter::new(std::io::stdout().lock());
            for line in payments(Arc::new(Directory::reading(&folder)?))? {
                serde_json::to_writer(&mut out, &line)?;
                out.write_all(b"\n")?;
            }
            Ok(out.flush()?)
        }
    }
}

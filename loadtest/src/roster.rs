//! The terminals that a load plays: made here, known to the switch by a digest, to the driver by their keys.
//!
//! Two files of JSON lines. The public one is the switch's `terminals_file`; the private one is read by `drive` and `run`, and
//! readable by its owner only.
use actors::domain::identity::{MerchantId, TerminalId};
use actors::ports::clock::Dice;
use adapters::dice::{SystemDice, random_name};
use anyhow::{Context, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// More terminals than this are a typing error.
const TERMINALS_MAX: usize = 10_000_000;

/// The command line of `roster`.
#[derive(Args)]
pub struct RosterArgs {
    /// How many terminals.
    #[arg(long)]
    terminals: NonZeroUsize,
    /// How many merchants they belong to, in turn.
    #[arg(long, default_value = "1")]
    merchants: NonZeroUsize,
    /// Merchants are this and a number from 1: the switch must know them.
    #[arg(long, default_value = "M")]
    merchant_prefix: String,
    /// Terminals are this and a number from 1 in seven digits.
    #[arg(long, default_value = "T")]
    terminal_prefix: String,
    /// The file for the switch.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The file with the keys, for `drive --roster`; the other one's name with `.keys` if it is not given.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

/// A terminal as the driver knows it.
#[derive(Clone, Serialize, Deserialize)]
pub struct KnownTerminal {
    /// Its id.
    pub id: TerminalId,
    /// Its key: what it authenticates with.
    pub key: String,
    /// Whose it is: a terminal on a line says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant: Option<MerchantId>,
}

/// A terminal as the switch knows it.
#[derive(Serialize)]
struct PublicTerminal<'a> {
    id: &'a TerminalId,
    merchant: MerchantId,
    key_sha256: String,
}

/// Makes both files; does not replace any.
pub fn make(args: &RosterArgs) -> anyhow::Result<()> {
    ensure!(args.terminals.get() <= TERMINALS_MAX, "--terminals must be 1 to {TERMINALS_MAX}");
    let dice = SystemDice::new()?;
    let keys = args.keys.clone().unwrap_or_else(|| {
        let mut name = args.out.clone().into_os_string();
        name.push(".keys");
        name.into()
    });
    let (mut public, mut private) = (new_file(&args.out, 0o644)?, new_file(&keys, 0o600)?);
    for number in 0..args.terminals.get() {
        let merchant = number.checked_rem(args.merchants.get()).unwrap_or(0).saturating_add(1);
        let merchant = MerchantId::new(&format!("{}{merchant}", args.merchant_prefix));
        let merchant = merchant.context("--merchant-prefix")?;
        let terminal = throw(args, number, merchant, &dice)?;
        let known = PublicTerminal {
            id: &terminal.id,
            merchant,
            key_sha256: hex(&Sha256::digest(terminal.key.as_bytes())),
        };
        write_line(&mut public, &known)?;
        write_line(&mut private, &terminal)?;
    }
    public.flush()?;
    private.flush()?;
    println!(
        "{} terminals: {} for the switch, {} for drive",
        args.terminals,
        args.out.display(),
        keys.display()
    );
    Ok(())
}

/// Reads the terminals that a driver plays.
pub fn read(path: &Path) -> anyhow::Result<Vec<KnownTerminal>> {
    let file = File::open(path)
        .with_context(|| format!("--roster {}: make it with `loadtest roster`", path.display()))?;
    let lines = BufReader::new(file).lines().take(TERMINALS_MAX).enumerate();
    lines
        .map(|(number, line)| {
            serde_json::from_str(&line?)
                .with_context(|| format!("{} line {}", path.display(), number.saturating_add(1)))
        })
        .collect()
}

fn throw(
    args: &RosterArgs,
    number: usize,
    merchant: MerchantId,
    dice: &dyn Dice,
) -> anyhow::Result<KnownTerminal> {
    let id = format!("{}{:07}", args.terminal_prefix, number.saturating_add(1));
    let id = TerminalId::new(&id).context("--terminal-prefix")?;
    Ok(KnownTerminal { id, key: random_name::<16>(dice), merchant: Some(merchant) })
}

fn new_file(path: &Path, mode: u32) -> anyhow::Result<BufWriter<File>> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    Ok(BufWriter::new(file.with_context(|| format!("{} cannot be made", path.display()))?))
}

fn write_line(file: &mut impl Write, line: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    Ok(file.write_all(b"\n")?)
}

fn hex(bytes: &[u8]) -> String {
    let digits =
        |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'));
    bytes.iter().flat_map(digits).collect()
}

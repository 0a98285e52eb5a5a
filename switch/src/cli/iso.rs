//! `turnout iso …`: what a message says, and how one is written; for whoever sits between a terminal and a line.
//!
//! What it is given may hold a card's number, and what it complains of ends in shells' logs: nothing of a message is repeated but
//! what `adapters::iso8583::mask` shows.
use super::say;
use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::{Dialect, Overrides};
use adapters::iso8583::mask::Masked;
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Mti;
use anyhow::{Context, bail};
use bytes::BytesMut;
use clap::{Args, Subcommand};
use std::io::Read;
use std::path::Path;

#[derive(Args, Debug)]
pub(super) struct IsoArgs {
    /// How the message is written: iso87-ascii, iso87-ascii-bin, iso87-bcd, cup-pos, iso93-ascii or iso93-bcd
    #[arg(long, default_value = "iso87-ascii", global = true)]
    dialect: String,
    /// Where it differs from that: `39=BCD`; may be given more than once
    #[arg(long = "override", value_name = "FIELD=RULE", global = true)]
    overrides: Vec<String>,
    #[command(subcommand)]
    command: Doing,
}

#[derive(Subcommand, Debug)]
enum Doing {
    /// Says what a message says, one field a line; what identifies a card or a person is masked
    Decode {
        /// Hexadecimal digits, a file of them or of the bytes themselves, or - for standard input; without length and headers
        message: String,
    },
    /// Writes a message as hexadecimal digits
    Encode {
        /// The message type, as 0200
        mti: String,
        /// `FIELD=VALUE`, as 4=000000001250; binary fields in hexadecimal
        #[arg(value_name = "FIELD=VALUE")]
        fields: Vec<String>,
    },
}

pub(super) fn run(args: &IsoArgs) -> anyhow::Result<()> {
    let dialect = args.dialect()?;
    match &args.command {
        Doing::Decode { message } => {
            let bytes = bytes_of(message)?;
            match Message::parse(&dialect, &bytes) {
                Ok(message) => Ok(say(&Masked(&message).to_string())?),
                Err(broken) => {
                    if let Some(read) = broken.read() {
                        say(&Masked(&read).to_string())?;
                    }
                    bail!("{}: check the dialect, and that length and headers are taken off", broken.fault)
                }
            }
        }
        Doing::Encode { mti, fields } => {
            let mti = Mti::parse(mti.as_bytes()).context("a message type has four digits, as 0200")?;
            let mut builder = Builder::new(&dialect, mti);
            for (at, field) in (1..).zip(fields) {
                let (n, value) = field
                    .split_once('=')
                    .with_context(|| format!("field {at} of the list: write FIELD=VALUE"))?;
                let n = n
                    .parse()
                    .with_context(|| format!("field {at} of the list: its name is a number from 2 to 128"))?;
                builder.set(n, value)?;
            }
            let mut out = BytesMut::new();
            builder.finish(&mut out)?;
            let hex = out.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
            Ok(say(&format!("{hex}\n"))?)
        }
    }
}

impl IsoArgs {
    fn dialect(&self) -> anyhow::Result<Dialect> {
        let known = || format!("--dialect is one of {}", Dialect::ALL.join(", "));
        let dialect = Dialect::named(&self.dialect).with_context(known)?;
        let mut overrides = Overrides::new();
        for text in &self.overrides {
            let (field, rule) =
                text.split_once('=').with_context(|| format!("--override {text}: FIELD=RULE"))?;
            overrides.insert(field.to_owned(), rule.to_owned());
        }
        Ok(dialect.with_overrides(&overrides)?)
    }
}

/// The bytes that are meant: given, in a file, or coming in.
fn bytes_of(message: &str) -> anyhow::Result<Vec<u8>> {
    let mut read = Vec::new();
    if message == "-" {
        std::io::stdin().read_to_end(&mut read)?;
    } else if let Some(bytes) = unhex(message.as_bytes()) {
        return Ok(bytes);
    } else {
        let wrong = "the message is neither an even count of hexadecimal digits nor a file that can be read";
        read = std::fs::read(Path::new(message)).context(wrong)?;
    }
    Ok(unhex(&read).unwrap_or(read))
}

/// The bytes that hexadecimal digits stand for, blanks let pass; none if it is anything else.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| match pair {
        [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
        }
        _ => None,
    };
    if digits.is_empty() {
        return None;
    }
    digits.chunks(2).map(pair).collect()
}

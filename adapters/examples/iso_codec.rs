//! The codec behind a pipe, for judges in other languages: a question a line, an answer a line, in JSON.
//!
//! `parse DIALECT HEX` answers `{"mti": …, "fields": {…}}`, `build DIALECT {"mti": …, "fields": {…}}` answers
//! `{"hex": …}`, and either answers `{"fault": …}`. `tests/iso_differential.py` asks.
#![allow(clippy::print_stdout)]

use adapters::iso8583::builder::Builder;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::message::Message;
use bytes::BytesMut;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

#[derive(Deserialize)]
struct Asked {
    mti: String,
    fields: BTreeMap<u8, String>,
}

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let line = line?;
        let answer = answer(&line).unwrap_or_else(|fault| json!({ "fault": fault }));
        writeln!(out, "{answer}")?;
    }
    out.flush()
}

fn answer(line: &str) -> Result<Value, String> {
    let mut words = line.splitn(3, ' ');
    let (asked, name, what) = (words.next(), words.next(), words.next().unwrap_or_default());
    let dialect =
        name.and_then(Dialect::named).ok_or_else(|| format!("the dialects are {:?}", Dialect::ALL))?;
    match asked {
        Some("parse") => parse(dialect, what),
        Some("build") => build(dialect, what),
        _ => Err("parse DIALECT HEX, or build DIALECT JSON".to_owned()),
    }
}

fn parse(dialect: &Dialect, hex: &str) -> Result<Value, String> {
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let frame = pairs.iter().map(byte).collect::<Option<Vec<u8>>>().ok_or("not hexadecimal")?;
    let message = Message::parse(dialect, &frame).map_err(|broken| broken.to_string())?;
    let fields: BTreeMap<u8, Option<String>> =
        message.fields().iter().map(|n| (n, message.text(n).map(|text| text.to_string()))).collect();
    Ok(json!({ "mti": message.mti().as_str(), "fields": fields }))
}

fn build(dialect: &Dialect, asked: &str) -> Result<Value, String> {
    let asked: Asked = serde_json::from_str(asked).map_err(|fault| fault.to_string())?;
    let mti = asked.mti.parse().map_err(|fault: adapters::iso8583::mti::NotAnMti| fault.to_string())?;
    let mut builder = Builder::new(dialect, mti);
    for (n, text) in &asked.fields {
        builder.set(*n, text).map_err(|fault| fault.to_string())?;
    }
    let mut out = BytesMut::new();
    builder.finish(&mut out).map_err(|fault| fault.to_string())?;
    let mut hex = String::new();
    out.iter().try_for_each(|byte| write!(hex, "{byte:02X}")).map_err(|fault| fault.to_string())?;
    Ok(json!({ "hex": hex }))
}

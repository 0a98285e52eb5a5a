//! The payment cryptography on a line: `tests/tr31_judge.py` asks the same of this and of other implementations.
//!
//! Reads a question per line from its input, words between blanks, and writes an answer per line: `refused` where there
//! is none. Keys and PINs are the judge's random ones; this is for tests and nothing else.
#![allow(clippy::expect_used)]

use actors::domain::identity::{KeyName, TerminalId};
use actors::ports::contract::complete;
use actors::ports::security_module::{
    Cipher, Generation, HandOverForm, KeyRole, MacAlgorithm, Pan, PinFormat, SecurityModule,
};
use adapters::dice::SystemDice;
use adapters::security_module::key_block::{self, Header, OptionalBlock, Version};
use adapters::security_module::mac::MacKey;
use adapters::security_module::pin_block::{self, Pin};
use adapters::security_module::secret::SecretKey;
use adapters::security_module::{ConfiguredKey, SoftwareSecurityModule};
use serde::de::DeserializeOwned;
use std::fmt::Write as _;
use std::io::{BufRead, Write};
use std::sync::Arc;

fn main() {
    let (input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    for line in input.lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        writeln!(output, "{}", answer(&words).as_deref().unwrap_or("refused")).expect("a reader");
        output.flush().expect("a reader");
    }
}

/// The answer, or none where the question is refused.
fn answer(words: &[&str]) -> Option<String> {
    match *words {
        ["wrap", under, under_key, usage, mode, cipher, key, data] => {
            wrap(&secret(under, under_key)?, usage, mode, &secret(cipher, key)?, data)
        }
        ["unwrap", under, under_key, block] => {
            let (header, key) = key_block::unwrap(&secret(under, under_key)?, block).ok()?;
            let usage = String::from_utf8(header.usage.to_vec()).ok()?;
            let data = header.optional.first().map_or("-", |block| &block.data);
            Some(format!("{usage} {} {data}", hex(key.expose())))
        }
        ["mac", algorithm, cipher, key, message] => {
            let key = MacKey::new(named::<MacAlgorithm>(algorithm)?, &secret(cipher, key)?).ok()?;
            Some(hex(&key.mac(&bytes(message.trim_matches('-'))?).0))
        }
        ["encode", format, cipher, key, pin, pan] => {
            let (pin, pan) = (Pin::new(pin.as_bytes()).ok()?, Pan::new(pan.as_bytes())?);
            let dice = SystemDice::new().ok()?;
            let block = pin_block::encode(&pin, pan, named(format)?, &secret(cipher, key)?, &dice).ok()?;
            Some(hex(block.as_bytes()))
        }
        ["decode", format, cipher, key, block, pan] => {
            let pan = Pan::new(pan.as_bytes())?;
            let format = named::<PinFormat>(format)?;
            let pin = pin_block::decode(&bytes(block)?, pan, format, &secret(cipher, key)?).ok()?;
            String::from_utf8(pin.expose().to_vec()).ok()
        }
        ["hand-over", local, master, terminal, generation] => hand_over(local, master, terminal, generation),
        _ => panic!("a question that nobody knows: {words:?}"),
    }
}

fn wrap(under: &SecretKey, usage: &str, mode: &str, key: &SecretKey, data: &str) -> Option<String> {
    let usage = usage.as_bytes().try_into().ok()?;
    let mode = *mode.as_bytes().first()?;
    let mut header = Header::new(Version::under(under.cipher()), usage, key.cipher(), mode);
    if data != "-" {
        header.optional = vec![OptionalBlock { id: *b"TT", data: data.into() }];
    }
    let dice = SystemDice::new().ok()?;
    key_block::wrap(under, &header, key, |padding| actors::ports::clock::Dice::fill(&dice, padding)).ok()
}

fn hand_over(local: &str, master: &str, terminal: &str, generation: &str) -> Option<String> {
    let name = |text| KeyName::new(text).expect("a name");
    let key = |text, role, cipher, digits| ConfiguredKey::new(name(text), role, cipher, digits, None).ok();
    let keys = [
        key("local", KeyRole::LocalMaster, Cipher::Aes256, local)?,
        key("master", KeyRole::TerminalMaster, Cipher::Tdes, master)?,
    ];
    let module = SoftwareSecurityModule::new(keys, Arc::new(SystemDice::new().ok()?)).ok()?;
    let generation = Generation::from_bits(u64::from_str_radix(generation, 16).ok()?);
    let form = HandOverForm::CryptogramsWithData { mac: Cipher::Tdes };
    let handed = module.hand_over(TerminalId::new(terminal).ok()?, generation, name("master"), form);
    complete(handed).ok().map(|handed| hex(&handed.bytes))
}

fn secret(cipher: &str, digits: &str) -> Option<SecretKey> {
    SecretKey::from_hex(named(cipher)?, digits).ok()
}

/// A value by its name in the configuration.
fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(name.into()).ok()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02X}").expect("a string grows");
        text
    })
}

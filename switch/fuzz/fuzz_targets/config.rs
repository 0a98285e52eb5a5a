//! The configuration: any text is a house that can be opened, or a list of what is wrong with it.
//!
//! What the text names beside itself (secrets, the list of terminals) comes from the input too: no file is opened.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io;
use std::path::Path;
use switch::config::{Config, Surroundings};
use switch_fuzz::control;

/// The file with more terminals; everything else is the same secret.
struct Around<'a>(&'a str);

impl Surroundings for Around<'_> {
    fn file(&self, path: &Path) -> io::Result<String> {
        match path.extension() {
            Some(extension) if extension == "jsonl" => Ok(self.0.to_owned()),
            Some(_) => Ok("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n".to_owned()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        name.starts_with('S').then(|| format!("{name:x>16}"))
    }
}

fuzz_target!(|text: &str| {
    let (toml, terminals) = text.split_once('\0').unwrap_or((text, ""));
    let problems = match Config::parse(toml).and_then(|config| config.checked_in(&Around(terminals))) {
        Ok(checked) => {
            checked.rules();
            control(checked.config.merchants.iter().any(|merchant| merchant.name != "Kiosk"));
            return;
        }
        Err(problems) => problems,
    };
    assert!(!problems.0.is_empty(), "a refusal says why");
    assert!(problems.0.iter().all(|problem| !problem.key.is_empty() && !problem.what.is_empty()));
});

//! Who plays in the demo, in the documentation and in the tests: one merchant, two tills, some payers, some accounts.
use actors::domain::money::Money;
use adapters::seal::Credential;
use sha2::{Digest, Sha256};

/// A till and its key.
#[derive(Clone, Copy, Debug)]
pub struct TillCast {
    /// Its id.
    pub id: &'static str,
    /// Its key; a real one comes from a random generator.
    pub key: &'static str,
}

/// The tills of the bakery.
pub const TILLS: [TillCast; 2] = [
    TillCast { id: "T1", key: "till-one-demonstration-key" },
    TillCast { id: "T2", key: "till-two-demonstration-key" },
];

/// A line of the demo.
#[derive(Clone, Copy, Debug)]
pub struct LineCast {
    /// Its name.
    pub name: &'static str,
    /// How messages are written on it.
    pub dialect: &'static str,
    /// How they are framed.
    pub framing: &'static str,
}

/// Where terminals connect that speak ISO 8583: one line for each of the common profiles.
pub const LINES: [LineCast; 4] = [
    LineCast { name: "ascii", dialect: "iso87-ascii", framing: "len2" },
    LineCast { name: "ascii-bin", dialect: "iso87-ascii-bin", framing: "len2" },
    LineCast { name: "bcd", dialect: "iso87-bcd", framing: "len2+tpdu" },
    LineCast { name: "cup", dialect: "cup-pos", framing: "len2+tpdu+cup6" },
];

/// The bakery.
pub const MERCHANT: &str = "CORNER-BAKERY";
/// The name that payers see.
pub const MERCHANT_NAME: &str = "Corner Bakery";

/// The accounts on the sandbox: name, password, euros.
pub const ACCOUNTS: [(&str, &str, &str); 3] = [
    ("ada", "analytical-engine", "500.00"),
    ("grace", "nanosecond-wire", "500.00"),
    ("poor-tom", "cold-on-the-heath", "1.00"),
];

/// A subscriber number for the story called `number`: none of them is anybody's, none is a magic one.
pub fn subscriber(number: u16) -> String {
    format!("+9990001{number:03}")
}

/// Ada's account with her password.
pub const fn ada() -> Credential<'static> {
    let (account, password, _) = ACCOUNTS[0];
    Credential { account, password }
}

/// Ada's account with a wrong one.
pub const fn ada_mistyped() -> Credential<'static> {
    Credential { account: ACCOUNTS[0].0, password: "analytical-angina" }
}

/// An amount in euros.
pub fn euros(amount: &str) -> anyhow::Result<Money> {
    Ok(Money::parse_payable(amount, "EUR")?)
}

/// The digest under which the configuration knows a key.
pub fn key_sha256(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

//! The published table of refusals is printed from the code: this fails when `docs/refusals.md` is stale.
//!
//! To print it anew: `TURNOUT_PRINT=1 cargo test -p actors --test it refusals`.
use actors::domain::response_code::{Refusal, ResponseCode};
use std::collections::BTreeSet;
use std::fmt::Write;

fn table() -> String {
    let mut text = String::from(
        "# Refusals\n\nWhy a payment ended without money moving, or with the money moved back; how the interfaces name it, \
         what ISO 8583:1987 DE 39 carries to a terminal, and what a person is told. Printed from `Refusal::ALL`; an \
         approval carries ",
    );
    write!(
        text,
        "{}.\n\n| refusal | DE 39 | sentence |\n| --- | --- | --- |\n",
        ResponseCode::APPROVED.as_str()
    )
    .unwrap();
    for refusal in Refusal::ALL {
        let name = serde_json::to_string(&refusal).unwrap();
        let (name, code) = (name.trim_matches('"'), refusal.response_code());
        writeln!(text, "| `{name}` | {} | {} |", code.as_str(), refusal.sentence()).unwrap();
    }
    text
}

#[test]
fn the_published_table_of_refusals_is_the_codes_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/refusals.md");
    if std::env::var_os("TURNOUT_PRINT").is_some() {
        std::fs::write(path, table()).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(published, table(), "docs/refusals.md is stale: print it anew");
}

#[test]
fn every_refusal_is_in_the_table_once() {
    let distinct: BTreeSet<Refusal> = Refusal::ALL.into_iter().collect();
    assert_eq!(distinct.len(), Refusal::ALL.len());
    // One more than the last: a new refusal that is missing from ALL would read back here.
    assert_eq!(Refusal::ALL.last(), Some(&Refusal::Fault), "keep Fault last, and count ALL");
    for refusal in Refusal::ALL {
        let code = refusal.response_code();
        assert!(code != ResponseCode::APPROVED && code.as_str().len() == 2, "{refusal:?}");
    }
}

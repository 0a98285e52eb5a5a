//! Records as every release wrote them: they are read for ever, and written the same way within a version.
//!
//! Set `TURNOUT_WRITE_GOLDEN=1` once after adding a kind of entry; a file that exists is never written again.
use actors::domain::journal::Entry;
use actors::ports::contract::samples;
use adapters::journal::codec;
use std::fmt::Write;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v1/{name}.hex"))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn encoded(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode(entry, &mut bytes).unwrap();
    bytes
}

#[test]
fn every_kind_of_entry_is_read_and_written_as_the_first_release_did() {
    for (name, entry) in samples::every_kind() {
        let path = file(name);
        if !path.exists() && std::env::var_os("TURNOUT_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, hex(&encoded(&entry))).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(codec::decode(1, &bytes(&golden)).as_ref(), Ok(&entry), "{name} is read");
        assert_eq!(hex(&encoded(&entry)), golden, "{name} is written");
    }
}

#[test]
fn bytes_of_another_version_or_with_something_behind_are_refused() {
    let mut bytes = encoded(&samples::bound(1, 1));
    assert!(codec::decode(2, &bytes).is_err());
    bytes.push(0);
    assert!(codec::decode(1, &bytes).is_err());
    assert!(codec::decode(1, &bytes[..4]).is_err());
}

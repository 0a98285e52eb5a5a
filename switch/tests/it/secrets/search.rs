//! The search: secrets in every coding in which they might hide, in everything that was written, said or dumped.
//!
//! A secret is looked for by its last sixteen bytes: what an allocator scribbles over the beginning of freed memory, and
//! what is cut off in front, hides nothing. One pass over the bytes for all needles together, for dumps are large.
use crate::house::hex;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What the switch wrote or said, by where it was.
pub type Writings = BTreeMap<String, Vec<u8>>;

const TAIL: usize = 16;

/// A needle and the coding it is in.
type Needle = (&'static str, Vec<u8>);

/// Something that nobody may find.
pub struct Secret {
    pub name: &'static str,
    needles: Vec<Needle>,
}

/// A secret, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    pub secret: &'static str,
    pub place: String,
    pub coding: &'static str,
}

impl Secret {
    pub fn new(name: &'static str, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref();
        assert!(secret.len() >= 13, "{name} is too short: it would be found by chance");
        Self { name, needles: needles(&secret[secret.len().saturating_sub(TAIL)..]) }
    }

    /// Bytes that are no text: six of them are not met by chance.
    pub fn packed(name: &'static str, secret: &[u8]) -> Self {
        assert!(secret.len() >= 6, "{name} is too short: it would be found by chance");
        Self { name, needles: needles(&secret[secret.len().saturating_sub(TAIL)..]) }
    }

    /// The codings in which it is looked for.
    pub fn codings(&self) -> BTreeSet<&'static str> {
        self.needles.iter().map(|(coding, _)| *coding).collect()
    }
}

/// Where the secrets are, each coding once.
pub fn hits(writings: &Writings, secrets: &[Secret]) -> BTreeSet<Hit> {
    let index = Index::of(secrets);
    let found = writings.iter().flat_map(|(place, bytes)| {
        let at = index.search(bytes);
        at.into_iter().map(|(secret, coding)| Hit { secret, place: place.clone(), coding })
    });
    found.collect()
}

/// The needles by their first two bytes.
struct Index<'a> {
    begins: Vec<bool>,
    needles: BTreeMap<usize, Vec<(&'static str, &'a Needle)>>,
}

impl<'a> Index<'a> {
    fn of(secrets: &'a [Secret]) -> Self {
        let (mut begins, mut needles) = (vec![false; 1 << 16], BTreeMap::<_, Vec<_>>::new());
        for (secret, needle) in
            secrets.iter().flat_map(|of| of.needles.iter().map(|needle| (of.name, needle)))
        {
            let beginning = usize::from(needle.1[0]) << 8 | usize::from(needle.1[1]);
            begins[beginning] = true;
            needles.entry(beginning).or_default().push((secret, needle));
        }
        Self { begins, needles }
    }

    /// A plain loop: this is the one place where a test without optimisation takes its time.
    fn search(&self, bytes: &[u8]) -> BTreeSet<(&'static str, &'static str)> {
        let mut found = BTreeSet::new();
        let (mut at, mut pair) = (0, 0);
        while at < bytes.len() {
            pair = (pair << 8 | usize::from(bytes[at])) & 0xffff;
            if self.begins[pair] && at > 0 {
                let fits = |(_, (_, needle)): &&(&str, &Needle)| bytes[at - 1..].starts_with(needle);
                found.extend(
                    self.needles[&pair].iter().filter(fits).map(|(secret, (coding, _))| (*secret, *coding)),
                );
            }
            at += 1;
        }
        found
    }
}

fn needles(tail: &[u8]) -> Vec<Needle> {
    let hex = hex(tail);
    let wide = |pair: fn(u8) -> [u8; 2]| tail.iter().copied().flat_map(pair).collect();
    let mut needles = vec![
        ("plain", tail.to_vec()),
        ("in upper hex", hex.to_uppercase().into_bytes()),
        ("in hex", hex.into_bytes()),
        ("in spaced hex", spaced(tail).into_bytes()),
        ("as a list of numbers", listed(tail).into_bytes()),
        ("as a buffer is shown", shown(tail)),
        ("in UTF-16", wide(|byte| [byte, 0])),
        ("in UTF-16, big end first", wide(|byte| [0, byte])),
        ("percent-encoded", percent(tail, u8::is_ascii_alphanumeric).into_bytes()),
        ("percent-encoded but for marks", percent(tail, |byte| is_unreserved(*byte)).into_bytes()),
        ("percent-encoded whole", percent(tail, |_| false).into_bytes()),
        ("percent-encoded whole, lower", percent(tail, |_| false).to_lowercase().into_bytes()),
        ("form-encoded", percent(tail, |byte| is_unreserved(*byte)).replace("%20", "+").into_bytes()),
    ];
    for before in 0..3 {
        // Only the characters that depend on nothing around the secret.
        let shifted = [vec![0; before], tail.to_vec()].concat();
        let sure = (before * 8).div_ceil(6)..shifted.len() * 8 / 6;
        needles.push(("in base64", STANDARD_NO_PAD.encode(&shifted).as_bytes()[sure.clone()].to_vec()));
        needles.push(("in base64url", URL_SAFE_NO_PAD.encode(&shifted).as_bytes()[sure].to_vec()));
    }
    // A coding that changes nothing is named once.
    let mut known = BTreeSet::new();
    needles.retain(|(_, needle)| known.insert(needle.clone()));
    needles
}

/// As a dump shows bytes.
fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// As `{:?}` shows an array.
fn listed(bytes: &[u8]) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

/// As `{:?}` shows a buffer.
fn shown(bytes: &[u8]) -> Vec<u8> {
    let text = format!("{:?}", bytes::Bytes::copy_from_slice(bytes));
    text.strip_prefix("b\"").and_then(|text| text.strip_suffix('"')).unwrap().into()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// RFC 3986 2.1, of all bytes but those that `stays` lets stand.
pub fn percent(bytes: &[u8], stays: impl Fn(&u8) -> bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if stays(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").unwrap();
        }
        text
    })
}

/// Whether these digits stand alone somewhere: not inside a number, a word, or the fraction of a second.
pub fn lone(bytes: &[u8], digits: &str) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'.');
    bytes.windows(digits.len()).enumerate().any(|(at, window)| {
        window == digits.as_bytes()
            && !joins(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !joins(bytes.get(at + digits.len()))
    })
}

/// A secret in every coding, each in surroundings of its own: what a search has to find.
pub fn planted(secret: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
    let secret = secret.as_ref();
    let wide = |pair: fn(u8) -> [u8; 2]| secret.iter().copied().flat_map(pair).collect();
    let hex = hex(secret);
    let mut planted = vec![
        secret.to_vec(),
        hex.to_uppercase().into_bytes(),
        hex.into_bytes(),
        spaced(secret).into_bytes(),
        format!("{secret:?}").into_bytes(),
        format!("{:?}", bytes::Bytes::copy_from_slice(secret)).into_bytes(),
        wide(|byte| [byte, 0]),
        wide(|byte| [0, byte]),
        percent(secret, u8::is_ascii_alphanumeric).into_bytes(),
        percent(secret, |_| false).into_bytes(),
        percent(secret, |_| false).to_lowercase().into_bytes(),
        percent(secret, |byte| is_unreserved(*byte)).replace("%20", "+").into_bytes(),
    ];
    for before in ["", "a", "ab", "T0:", "any prefix at all"] {
        let wrapped = [before.as_bytes(), secret, b" and after"].concat();
        planted.push(STANDARD_NO_PAD.encode(&wrapped).into_bytes());
        planted.push(URL_SAFE_NO_PAD.encode(&wrapped).into_bytes());
    }
    planted
}

//! A dialect: what a family of terminals or hosts means by ISO 8583, as data.
//!
//! Six are built in (`dialects/*.toml`); a link changes single fields or rules by overrides, because serious
//! implementations of the same dialect disagree. It is compiled once into a table that the codec asks by field number.
use super::field::FieldDef;
use super::rules::{self, WireRules, Word};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// The dialects that are built in, by name.
static BUILT_IN: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    FILES.iter().fold(Vec::new(), |mut known, text| {
        known.extend(read(text, &known));
        known
    })
});

/// A dialect's file may be `like` one before it.
const FILES: [&str; 6] = [
    include_str!("dialects/iso87-ascii.toml"),
    include_str!("dialects/iso87-ascii-bin.toml"),
    include_str!("dialects/iso87-bcd.toml"),
    include_str!("dialects/cup-pos.toml"),
    include_str!("dialects/iso93-ascii.toml"),
    include_str!("dialects/iso93-bcd.toml"),
];

/// How message type, bitmap and every field are written.
#[derive(Clone, PartialEq, Eq)]
pub struct Dialect {
    name: String,
    source: Source,
    pub(super) head: Head,
    fields: Box<[Option<FieldDef>; 129]>,
}

/// What stands before the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The message type's first digit: 0 is 1987, 1 is 1993.
    pub(super) version: u8,
    pub(super) mti_is_bcd: bool,
    pub(super) bitmap_is_hex: bool,
    /// Whether there may be a second bitmap.
    pub(super) is_extended: bool,
}

/// As it was written, to be compiled again with what a link overrides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Source {
    wire: BTreeMap<String, String>,
    fields: BTreeMap<u8, String>,
}

/// Changes of a dialect for one link: `39 = "n 2"`, `22 = "pad right 0"`, `48 = "absent"`, `pad_variable = "left 0"`.
pub type Overrides = BTreeMap<String, String>;

/// A dialect's file, or a link's overrides, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialectFault {
    /// The text is not a dialect's TOML.
    #[error("the dialect's file: {0}")]
    Toml(String),
    /// It is to be like one that there is not.
    #[error("like = {0:?}: the dialects are {known}", known = Dialect::ALL.join(", "))]
    Unknown(String),
    /// One key's value.
    #[error("{key}: {what}")]
    Key {
        /// A field's number, or the name of a rule.
        key: String,
        /// What to write instead.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    like: Option<String>,
    #[serde(default)]
    wire: BTreeMap<String, String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

impl Dialect {
    /// The names of those that are built in.
    pub const ALL: [&'static str; 6] =
        ["iso87-ascii", "iso87-ascii-bin", "iso87-bcd", "cup-pos", "iso93-ascii", "iso93-bcd"];

    /// A built-in one.
    pub fn named(name: &str) -> Option<&'static Self> {
        BUILT_IN.iter().find(|dialect| dialect.name == name)
    }

    /// One of a house's own, which may say `like` a built-in one.
    pub fn from_toml(text: &str) -> Result<Self, DialectFault> {
        read(text, &BUILT_IN)
    }

    /// This one with a link's changes: a field's number with its whole line, with words that change the line, or with
    /// `absent`; or one of the `[wire]` rules.
    pub fn with_overrides(&self, overrides: &Overrides) -> Result<Self, DialectFault> {
        let mut source = self.source.clone();
        for (key, value) in overrides {
            match key.parse::<u8>() {
                Ok(_) => source.change(key, value)?,
                Err(_) => drop(source.wire.insert(key.clone(), value.clone())),
            }
        }
        compile(self.name.clone(), source)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The definition of field `n`, if it has one.
    pub fn field(&self, n: u8) -> Option<&FieldDef> {
        self.fields.get(usize::from(n))?.as_ref()
    }

    /// The version digit of its message types.
    pub const fn version(&self) -> u8 {
        self.head.version
    }

    /// The fewest bytes that a message can have.
    pub const fn shortest(&self) -> usize {
        let mti = if self.head.mti_is_bcd { 2 } else { 4 };
        mti + if self.head.bitmap_is_hex { 16 } else { 8 }
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialect").field(&self.name).finish()
    }
}

impl Source {
    fn change(&mut self, key: &str, line: &str) -> Result<(), DialectFault> {
        let field = field_number(key)?;
        if line.trim() == "absent" {
            self.fields.remove(&field);
        } else if rules::is_whole(line) {
            self.fields.insert(field, line.to_owned());
        } else if let Some(known) = self.fields.get_mut(&field) {
            *known = format!("{known} {line}");
        } else {
            let what =
                format!("{line:?} changes a field that the dialect does not have: begin with n, ans, b…");
            return Err(DialectFault::Key { key: key.to_owned(), what });
        }
        Ok(())
    }
}

fn read(text: &str, known: &[Dialect]) -> Result<Dialect, DialectFault> {
    let file: File = toml::from_str(text).map_err(|fault| DialectFault::Toml(fault.to_string()))?;
    let mut source = match file.like {
        None => Source::default(),
        Some(like) => {
            let model = known.iter().find(|dialect| dialect.name == like);
            model.ok_or(DialectFault::Unknown(like))?.source.clone()
        }
    };
    source.wire.extend(file.wire);
    for (key, line) in &file.fields {
        source.change(key, line)?;
    }
    compile(file.name, source)
}

fn compile(name: String, source: Source) -> Result<Dialect, DialectFault> {
    let (head, rules) = source.rules()?;
    let mut fields = Box::new([None; 129]);
    for (number, line) in &source.fields {
        let fault = |what| DialectFault::Key { key: number.to_string(), what };
        if *number > 64 && !head.is_extended {
            return Err(fault("the dialect has one bitmap: the last field is 64".to_owned()));
        }
        let def = rules::field(line, rules).map_err(fault)?;
        if let Some(place) = fields.get_mut(usize::from(*number)) {
            *place = Some(def);
        }
    }
    Ok(Dialect { name, source, head, fields })
}

impl Source {
    fn rules(&self) -> Result<(Head, WireRules), DialectFault> {
        let mut head = Head { version: 0, mti_is_bcd: false, bitmap_is_hex: true, is_extended: true };
        let mut rules = WireRules::CHARACTERS;
        for (key, value) in &self.wire {
            let set = match key.as_str() {
                "version" => one_of(value, [("1987", 0), ("1993", 1)]).map(|version| head.version = version),
                "mti" => one_of(value, [("ascii", false), ("bcd", true)]).map(|bcd| head.mti_is_bcd = bcd),
                "bitmap" => {
                    one_of(value, [("binary", false), ("hex", true)]).map(|hex| head.bitmap_is_hex = hex)
                }
                "last" => one_of(value, [("64", false), ("128", true)]).map(|both| head.is_extended = both),
                "digits" => characters(value).map(|form| rules.digits = form),
                "track" => characters(value).map(|form| rules.track = form),
                "signed" => characters(value).map(|form| rules.signed = form),
                "bytes" => one_of(value, [("binary", Word::Binary), ("hex", Word::Hex)])
                    .map(|form| rules.bytes = form),
                "length" => rules::length(value).map(|form| rules.length = form),
                "pad_fixed" => rules::pad(value).map(|pad| rules.pad_fixed = pad),
                "pad_variable" => rules::pad(value).map(|pad| rules.pad_variable = pad),
                _ => Err(
                    "neither a field's number nor one of version, mti, bitmap, last, digits, track, signed, \
                          bytes, length, pad_fixed, pad_variable"
                        .to_owned(),
                ),
            };
            set.map_err(|what| DialectFault::Key { key: key.clone(), what })?;
        }
        Ok((head, rules))
    }
}

fn field_number(key: &str) -> Result<u8, DialectFault> {
    let number = key.parse().ok().filter(|number| (2..=128).contains(number));
    number.ok_or_else(|| DialectFault::Key {
        key: key.to_owned(),
        what: "not a field's number: 2 to 128".to_owned(),
    })
}

fn characters(value: &str) -> Result<Word, String> {
    one_of(value, [("ascii", Word::Ascii), ("bcd", Word::Bcd)])
}

fn one_of<T: Copy>(value: &str, choices: [(&str, T); 2]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == value).map(|(_, meant)| *meant);
    found.ok_or_else(|| format!("{value:?} is none of {}", choices.map(|(name, _)| name).join(", ")))
}

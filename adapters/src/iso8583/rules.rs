//! A field's definition from its line in a dialect's file: `n..19 LL`, `b 8 hex`, `n 3 pad right 0`.
//!
//! First what the standard's tables say: content and size. Then, in any order, what this peer does otherwise than the
//! dialect's `[wire]` rules: `ascii`, `bcd`, `binary` or `hex`; `length ascii|bcd|binary`; `count characters|bytes|hex`;
//! `pad left|right 0|F`; `fill none|zeros|blanks`.
use super::field::{Content, FieldDef, Fill, Form, LengthForm, Pad, Prefix, Size, Unit};

/// How a dialect writes what its fields do not say themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WireRules {
    pub(super) digits: Word,
    pub(super) track: Word,
    pub(super) signed: Word,
    pub(super) bytes: Word,
    pub(super) length: LengthForm,
    pub(super) pad_fixed: Pad,
    pub(super) pad_variable: Pad,
}

/// The form of a value, as it is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Ascii,
    Bcd,
    Binary,
    Hex,
}

impl WireRules {
    /// Everything in characters.
    pub(super) const CHARACTERS: Self = Self {
        digits: Word::Ascii,
        track: Word::Ascii,
        signed: Word::Ascii,
        bytes: Word::Hex,
        length: LengthForm::Ascii,
        pad_fixed: Pad::LeftZero,
        pad_variable: Pad::RightZero,
    };
}

/// What a line says beside content and size.
#[derive(Clone, Copy, Default)]
struct Said {
    form: Option<Word>,
    length: Option<LengthForm>,
    counts: Option<Unit>,
    pad: Option<Pad>,
    fill: Option<Fill>,
}

/// The definition that `line` spells under `rules`; a refusal says what to write instead.
pub(super) fn field(line: &str, rules: WireRules) -> Result<FieldDef, String> {
    let mut words = line.split_whitespace();
    let (content, max, places) = abstractly(&mut words)?;
    let said = said(&mut words)?;
    let form = form_of(content, said, rules, places.is_some())?;
    let size = match places {
        None => Size::Fixed(max),
        Some(places) => Size::UpTo(max, prefix(places, content, form, said, rules)?),
    };
    let fill = said.fill.unwrap_or(match (content, places) {
        (Content::Numeric, None) => Fill::Zeros,
        _ => Fill::None,
    });
    let def = FieldDef { content, form, size, fill };
    fits(&def)?;
    Ok(def)
}

/// Whether a line begins anew, or only adds to the one that is there.
pub(super) fn is_whole(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    content(first.split("..").next().unwrap_or_default()).is_some()
}

fn abstractly<'w>(words: &mut impl Iterator<Item = &'w str>) -> Result<(Content, u16, Option<u8>), String> {
    let first = words.next().unwrap_or_default();
    let (name, max) = match first.split_once("..") {
        Some((name, max)) => (name, Some(max)),
        None => (first, None),
    };
    let class = content(name).ok_or_else(|| format!("{name:?} is none of n, an, ans, any, z, x+n, b"))?;
    let Some(max) = max else {
        return Ok((class, size(words.next().unwrap_or_default())?, None));
    };
    let places = match words.next() {
        Some("LL") => 2,
        Some("LLL") => 3,
        Some("LLLL") => 4,
        _ => return Err(format!("{first:?} is followed by LL, LLL or LLLL")),
    };
    Ok((class, size(max)?, Some(places)))
}

fn content(name: &str) -> Option<Content> {
    Some(match name {
        "n" => Content::Numeric,
        "an" => Content::AlphaNumeric,
        "ans" => Content::Text,
        "any" => Content::Any,
        "z" => Content::Track,
        "x+n" => Content::Signed,
        "b" => Content::Bytes,
        _ => return None,
    })
}

fn size(word: &str) -> Result<u16, String> {
    let is_number = (1..=4).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
    let size = is_number.then(|| word.parse().ok()).flatten().filter(|size| *size > 0);
    size.ok_or_else(|| format!("{word:?} is not a size of 1 to 9999"))
}

fn said<'w>(words: &mut impl Iterator<Item = &'w str>) -> Result<Said, String> {
    let mut said = Said::default();
    while let Some(word) = words.next() {
        match word {
            "length" => said.length = Some(length(words.next().unwrap_or_default())?),
            "pad" => {
                let (side, nibble) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                said.pad = Some(pad(&format!("{side} {nibble}"))?);
            }
            "count" => match words.next().unwrap_or_default() {
                "digits" | "characters" => said.counts = Some(Unit::Content),
                "bytes" => said.counts = Some(Unit::WireBytes),
                "hex" => said.counts = Some(Unit::HexCharacters),
                other => return Err(format!("count {other:?} is none of characters, digits, bytes, hex")),
            },
            "fill" => {
                said.fill = Some(match words.next().unwrap_or_default() {
                    "none" => Fill::None,
                    "zeros" => Fill::Zeros,
                    "blanks" => Fill::Blanks,
                    other => return Err(format!("fill {other:?} is none of none, zeros, blanks")),
                });
            }
            other => said.form = Some(form(other)?),
        }
    }
    Ok(said)
}

/// The form of a value by its name.
pub(super) fn form(word: &str) -> Result<Word, String> {
    match word {
        "ascii" => Ok(Word::Ascii),
        "bcd" => Ok(Word::Bcd),
        "binary" => Ok(Word::Binary),
        "hex" => Ok(Word::Hex),
        other => Err(format!(
            "{other:?} is none of ascii, bcd, binary, hex, length, count, pad, fill, nor n, an, ans, any, z, x+n, b"
        )),
    }
}

/// The form of a length by its name.
pub(super) fn length(word: &str) -> Result<LengthForm, String> {
    match word {
        "ascii" => Ok(LengthForm::Ascii),
        "bcd" => Ok(LengthForm::Bcd),
        "binary" => Ok(LengthForm::Binary),
        other => Err(format!("length {other:?} is none of ascii, bcd, binary")),
    }
}

/// A padding by its side and nibble.
pub(super) fn pad(words: &str) -> Result<Pad, String> {
    match words {
        "left 0" => Ok(Pad::LeftZero),
        "right 0" => Ok(Pad::RightZero),
        "left F" => Ok(Pad::LeftF),
        "right F" => Ok(Pad::RightF),
        other => Err(format!("pad {other:?} is none of left 0, right 0, left F, right F")),
    }
}

fn form_of(content: Content, said: Said, rules: WireRules, is_variable: bool) -> Result<Form, String> {
    let pad = said.pad.unwrap_or(if is_variable { rules.pad_variable } else { rules.pad_fixed });
    let by_rule = match content {
        Content::Numeric => rules.digits,
        Content::Track => rules.track,
        Content::Signed => rules.signed,
        Content::Bytes => rules.bytes,
        Content::AlphaNumeric | Content::Text | Content::Any => Word::Ascii,
    };
    match (said.form.unwrap_or(by_rule), content) {
        (Word::Binary, Content::Bytes) => Ok(Form::Plain),
        (Word::Hex, Content::Bytes) => Ok(Form::Hex),
        (_, Content::Bytes) => Err("bytes are written in binary or hex".to_owned()),
        (Word::Ascii, _) => Ok(Form::Plain),
        (Word::Bcd, Content::Numeric | Content::Track | Content::Signed) => Ok(Form::Bcd(pad)),
        (Word::Bcd, _) => {
            Err("only n, z and x+n are written in bcd: say what digits it has, as n 2".to_owned())
        }
        (Word::Binary | Word::Hex, _) => Err("only b is written in binary or hex".to_owned()),
    }
}

fn prefix(places: u8, content: Content, form: Form, said: Said, rules: WireRules) -> Result<Prefix, String> {
    let length = said.length.unwrap_or(rules.length);
    let bytes = match length {
        LengthForm::Ascii => places,
        LengthForm::Bcd | LengthForm::Binary => places.div_ceil(2),
    };
    if said.counts == Some(Unit::HexCharacters) && content != Content::Bytes {
        return Err("only the hex of b is counted".to_owned());
    }
    let by_form = if form == Form::Hex { Unit::HexCharacters } else { Unit::Content };
    let counts = match (said.counts, form, content) {
        (Some(Unit::WireBytes), Form::Bcd(_), Content::Signed) => {
            return Err("a signed number's length counts characters".to_owned());
        }
        (Some(Unit::WireBytes), Form::Bcd(pad), _) if pad.nibble() == 0 => {
            return Err(
                "where bytes are counted a 0 that pads is no different from a digit: pad with F".to_owned()
            );
        }
        // On the wire a hexadecimal character is a byte.
        (Some(Unit::WireBytes), Form::Hex, _) => Unit::HexCharacters,
        (said, ..) => said.unwrap_or(by_form),
    };
    Ok(Prefix { form: length, bytes, counts })
}

fn fits(def: &FieldDef) -> Result<(), String> {
    let Size::UpTo(max, prefix) = def.size else { return Ok(()) };
    if usize::from(prefix.largest()) < usize::from(def.counted(max, prefix.counts)) {
        return Err(format!("its length cannot say {max}: lower it, or take one more L"));
    }
    Ok(())
}

//! The header of a key block: sixteen characters and optional blocks, in the clear, authenticated with the key.
//!
//! `<version> <length> <usage> <algorithm> <mode> <key version> <exportability> <blocks> <reserved>`. What it says is
//! kept as it came; whether a usage is wanted is for whoever takes the key.
use super::{CHARACTERS_MAX, KeyBlockFault};
use actors::ports::security_module::Cipher;

/// How the block is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// By keys derived from a TDES key.
    B,
    /// By keys derived from an AES key.
    D,
}

/// What a key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How the block is protected.
    pub version: Version,
    /// What the key does: `P0` PINs, `M3` retail MACs, `M6` CMACs, `D0` data, `K0` keys, `B0` DUKPT base.
    pub usage: [u8; 2],
    /// `A` AES, `T` TDES, `D` DES.
    pub algorithm: u8,
    /// `E` encrypt, `D` decrypt, `B` both, `G` generate, `V` verify, `C` both, `X` derive, `N` any.
    pub mode: u8,
    /// `00` if keys of this kind have no versions.
    pub key_version: [u8; 2],
    /// `E`, `N` or `S`.
    pub exportability: u8,
    /// What else is said about the key, padding left out.
    pub optional: Vec<OptionalBlock>,
}

/// One optional block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionalBlock {
    /// Its two characters.
    pub id: [u8; 2],
    /// Its printable ASCII characters, at most 251.
    pub data: Box<str>,
}

const FIXED: usize = 16;
const OPTIONAL_MAX: usize = 99;
const DATA_MAX: usize = 251;
const PADDING: [u8; 2] = *b"PB";

impl Version {
    pub(super) const fn mac_len(self) -> usize {
        match self {
            Self::B => 8,
            Self::D => 16,
        }
    }

    pub(super) const fn is_aes(self) -> bool {
        matches!(self, Self::D)
    }

    /// The version that goes with a protection key of this cipher.
    pub const fn under(cipher: Cipher) -> Self {
        if cipher.is_aes() { Self::D } else { Self::B }
    }
}

impl Header {
    /// A key that does `usage` in `mode`: without versions, not to be exported, nothing else to be said.
    pub fn new(version: Version, usage: [u8; 2], cipher: Cipher, mode: u8) -> Self {
        let algorithm = match cipher {
            Cipher::Des => b'D',
            Cipher::Tdes | Cipher::Tdes3 => b'T',
            Cipher::Aes128 | Cipher::Aes192 | Cipher::Aes256 => b'A',
        };
        let (key_version, exportability) = (*b"00", b'N');
        Self { version, usage, algorithm, mode, key_version, exportability, optional: Vec::new() }
    }

    /// Whether a key of cipher `key` may travel with this header under one of cipher `protection`.
    pub(super) fn check(&self, protection: Cipher, key: Cipher) -> Result<(), KeyBlockFault> {
        let strong_enough = match (self.version, protection, key) {
            (Version::B, Cipher::Tdes, key) => matches!(key, Cipher::Des | Cipher::Tdes),
            (Version::B, Cipher::Tdes3, key) => !key.is_aes(),
            (Version::D, protection, key) => {
                protection.is_aes() && (!key.is_aes() || key.key_len() <= protection.key_len())
            }
            _ => false,
        };
        if !strong_enough {
            return Err(KeyBlockFault::Protection);
        }
        let expected = Self::new(self.version, self.usage, key, self.mode).algorithm;
        if self.algorithm == expected { Ok(()) } else { Err(KeyBlockFault::Algorithm) }
    }

    /// The header as it stands before `key_characters` characters of key and MAC.
    pub(super) fn to_text(&self, key_characters: usize) -> Result<String, KeyBlockFault> {
        let (count, optional) = self.optional_text()?;
        let length = FIXED.saturating_add(optional.len()).saturating_add(key_characters);
        let letters = [self.usage, [self.algorithm, self.mode], self.key_version].concat();
        let well_formed = letters.iter().chain([&self.exportability]).all(u8::is_ascii_alphanumeric);
        if !well_formed || length > CHARACTERS_MAX {
            return Err(KeyBlockFault::Malformed(
                "a header field that is not a letter or digit, or its length",
            ));
        }
        let letters: String = letters.into_iter().map(char::from).collect();
        let (version, exportability) = (self.version.letter(), char::from(self.exportability));
        Ok(format!("{version}{length:04}{letters}{exportability}{count:02}00{optional}"))
    }

    fn optional_text(&self) -> Result<(usize, String), KeyBlockFault> {
        let well_formed = |block: &OptionalBlock| {
            let printable = block.data.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            block.id.iter().all(u8::is_ascii_alphanumeric) && printable && block.data.len() <= DATA_MAX
        };
        if !self.optional.iter().all(well_formed) {
            return Err(KeyBlockFault::Malformed("an optional block that is too long or not printable"));
        }
        let text = |id: [u8; 2], data: &str| {
            let [a, b] = id.map(char::from);
            format!("{a}{b}{:02X}{data}", data.len().saturating_add(4))
        };
        let mut all: String = self.optional.iter().map(|block| text(block.id, &block.data)).collect();
        let mut count = self.optional.len();
        // The key begins on a block of its cipher, so a last optional block fills the gap.
        let unit = self.version.unit();
        if !all.len().is_multiple_of(unit) {
            let padded = all.len().saturating_add(4).next_multiple_of(unit);
            let zeros = padded.saturating_sub(all.len()).saturating_sub(4);
            all += &text(PADDING, &"0".repeat(zeros));
            count = count.saturating_add(1);
        }
        if count > OPTIONAL_MAX {
            return Err(KeyBlockFault::Malformed("more than 99 optional blocks"));
        }
        Ok((count, all))
    }

    /// Reads a header, and how many characters of `block` it is.
    pub(super) fn read(block: &str) -> Result<(Self, usize), KeyBlockFault> {
        let bytes = block.as_bytes();
        let fixed = bytes.first_chunk::<FIXED>().ok_or(KeyBlockFault::Malformed("it is too short"))?;
        let &[version, l1, l2, l3, l4, u1, u2, algorithm, mode, v1, v2, exportability, n1, n2, _, _] = fixed;
        let version = match version {
            b'B' => Version::B,
            b'D' => Version::D,
            _ => return Err(KeyBlockFault::Malformed("its version")),
        };
        if !block.is_ascii() || !fixed.iter().all(u8::is_ascii_alphanumeric) {
            return Err(KeyBlockFault::Malformed("a character that no header has"));
        }
        if number(&[l1, l2, l3, l4], 10) != Some(bytes.len()) || !bytes.len().is_multiple_of(version.unit()) {
            return Err(KeyBlockFault::Malformed("its length"));
        }
        let count =
            number(&[n1, n2], 10).ok_or(KeyBlockFault::Malformed("the number of its optional blocks"))?;
        let (optional, end) = read_optional(block, count)?;
        let (usage, key_version) = ([u1, u2], [v1, v2]);
        Ok((Self { version, usage, algorithm, mode, key_version, exportability, optional }, end))
    }
}

impl Version {
    const fn unit(self) -> usize {
        match self {
            Self::B => 8,
            Self::D => 16,
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::B => 'B',
            Self::D => 'D',
        }
    }
}

fn read_optional(block: &str, count: usize) -> Result<(Vec<OptionalBlock>, usize), KeyBlockFault> {
    let mut at = FIXED;
    let blocks: Result<Vec<_>, KeyBlockFault> = (0..count)
        .map(|_| {
            let (one, end) = read_one(block, at).ok_or(KeyBlockFault::Malformed("an optional block"))?;
            at = end;
            Ok(one)
        })
        .collect();
    Ok((blocks?.into_iter().filter(|one| one.id != PADDING).collect(), at))
}

/// The optional block at `at`, and where it ends. Its length counts its id and the length itself; 00 says that a
/// longer length follows, behind how many bytes that has.
fn read_one(block: &str, at: usize) -> Option<(OptionalBlock, usize)> {
    let piece = |from: usize, length: usize| block.get(from..from.checked_add(length)?);
    let id = <[u8; 2]>::try_from(piece(at, 2)?.as_bytes()).ok()?;
    let short = number(piece(at.checked_add(2)?, 2)?.as_bytes(), 16)?;
    let (length, head) = if short == 0 {
        let digits = number(piece(at.checked_add(4)?, 2)?.as_bytes(), 16)?.checked_mul(2)?;
        let long = number(
            piece(at.checked_add(6)?, digits).filter(|text| (1..=4).contains(&text.len()))?.as_bytes(),
            16,
        )?;
        (long, digits.checked_add(6)?)
    } else {
        (short, 4)
    };
    let data = piece(at.checked_add(head)?, length.checked_sub(head)?)?;
    Some((OptionalBlock { id, data: data.into() }, at.checked_add(length)?))
}

/// A number of digits only: no sign, no blank.
fn number(digits: &[u8], radix: u32) -> Option<usize> {
    digits.iter().try_fold(0_usize, |number, digit| {
        let value = usize::try_from(char::from(*digit).to_digit(radix)?).ok()?;
        number.checked_mul(usize::try_from(radix).ok()?)?.checked_add(value)
    })
}

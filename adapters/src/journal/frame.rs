//! A batch as it lies in a segment: the records of one flush, chained by hash to the frame before.
//!
//! ```text
//! magic 4 | body length u32 | first seq u64 | count u32 | hash of the frame before, 32 | records | crc32c u32
//! ```
//! There is one frame per sync, so at most one frame can be torn. The magic has bytes that no UTF-8 text has: nobody
//! can write a frame into a merchant's name. A frame's hash is the SHA-256 of all its bytes, the hash before included.
use super::record::{self, Record};
use actors::planted::{Bug, is_planted};
use sha2::{Digest, Sha256};

/// How a frame begins.
pub const MAGIC: [u8; 4] = [0xf5, b'T', b'J', 0xfe];
/// Bytes of a frame before its records.
pub const HEAD: usize = 52;
/// Bytes of a frame around its records.
pub const OVERHEAD: usize = HEAD + CRC;
const CRC: usize = 4;

/// The hash of a frame and, through it, of everything before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chain(pub [u8; 32]);

/// A frame whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The seq of its first record.
    pub first_seq: u64,
    /// How many records it has.
    pub count: u32,
    /// The hash of the frame before.
    pub before: Chain,
    /// The records.
    pub body: &'a [u8],
    /// All of it.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`; `None` if there is no whole and sound one.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let length = claimed_length(bytes)?;
        let bytes = bytes.get(..length)?;
        let (checked, crc) = bytes.split_last_chunk::<CRC>()?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) && !is_planted(Bug::NoChecksum) {
            return None;
        }
        let (_, rest) = checked.split_first_chunk::<8>()?;
        let (first_seq, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (before, body) = rest.split_first_chunk::<32>()?;
        let (first_seq, count) = (u64::from_le_bytes(*first_seq), u32::from_le_bytes(*count));
        Some(Self { first_seq, count, before: Chain(*before), body, bytes })
    }

    /// Its own hash.
    pub fn hash(&self) -> Chain {
        hash(self.bytes)
    }

    /// The seq after its last record.
    pub fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.count))
    }

    /// Its records with their places in the frame.
    pub fn records(&self) -> Records<'a> {
        Records { rest: self.body, at: HEAD }
    }
}

/// The whole length that the frame at the start of `bytes` claims; `None` if no frame begins there.
pub fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let body = usize::try_from(u32::from_le_bytes(*rest.first_chunk::<4>()?)).ok()?;
    (*magic == MAGIC).then(|| body.saturating_add(OVERHEAD))
}

/// Whether a sound frame lies anywhere in `bytes`.
pub fn found_in(bytes: &[u8]) -> bool {
    let [first, ..] = MAGIC;
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        let Some(here) = rest.get(at..) else { return false };
        if Frame::read(here).is_some() {
            return true;
        }
        rest = here.get(1..).unwrap_or_default();
    }
    false
}

/// Walks the records of a frame.
pub struct Records<'a> {
    rest: &'a [u8],
    at: usize,
}

impl Iterator for Records<'_> {
    type Item = Result<(usize, Record), (usize, &'static str)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.at;
        match record::read(self.rest) {
            Ok((record, length)) => {
                self.rest = self.rest.get(length..).unwrap_or_default();
                self.at = at.saturating_add(length);
                Some(Ok((at, record)))
            }
            Err(what) => {
                self.rest = &[];
                Some(Err((at, what)))
            }
        }
    }
}

/// Begins a frame in an empty buffer; records are appended to it.
pub fn begin(to: &mut Vec<u8>) {
    to.clear();
    to.resize(HEAD, 0);
}

/// Fills in the head and closes the frame; its hash. `None` if it is too large to be one.
pub fn finish(frame: &mut Vec<u8>, first_seq: u64, count: u32, before: Chain) -> Option<Chain> {
    let body = u32::try_from(frame.len().checked_sub(HEAD)?).ok()?;
    let head = [&MAGIC[..], &body.to_le_bytes(), &first_seq.to_le_bytes(), &count.to_le_bytes(), &before.0];
    frame.iter_mut().zip(head.into_iter().flatten()).for_each(|(to, from)| *to = *from);
    let crc = crc32c::crc32c(frame);
    frame.extend_from_slice(&crc.to_le_bytes());
    Some(hash(frame))
}

fn hash(bytes: &[u8]) -> Chain {
    Chain(Sha256::digest(bytes).into())
}

//! One record: an entry with its place, its time and the way back to its subject's record before it.
//!
//! ```text
//! length u32 | codec u8 | kind u8 | seq u64 | prev u64 | at u64 | payload | crc32c u32      little endian
//! ```
//! `length` counts everything. A subject's life is read by walking `prev` back. Frames hold records: see `frame`.
use super::codec::{self, CodecFault};
use actors::domain::journal::{Entry, Recorded, Seq};
use actors::domain::time::Timestamp;
use actors::planted::{Bug, is_planted};

/// Bytes of a record around its payload.
pub const OVERHEAD: usize = HEAD + CRC;
const HEAD: usize = 30;
const CRC: usize = 4;

/// Where a record begins: the segment's number and the byte in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(u64);

impl Location {
    /// Byte `offset` of segment `segment`.
    pub fn new(segment: u32, offset: u32) -> Self {
        Self(u64::from(segment) << 32 | u64::from(offset))
    }

    /// From the form it is stored in; zero is nowhere.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// The form it is stored in.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The segment's number.
    pub fn segment(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)
    }

    /// The byte in it.
    pub fn offset(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }
}

/// Why a record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was appended.
    Own,
    /// A copy of an older record, made before its segment was dropped. The first copy of a life has no `prev`.
    Carried,
    /// A copy that came too late to be of use: its subject had moved on. It only fills its place in the count.
    Void,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Own => 0,
            Self::Carried => 1,
            Self::Void => 2,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Own),
            1 => Some(Self::Carried),
            2 => Some(Self::Void),
            _ => None,
        }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Why it is there.
    pub kind: Kind,
    /// Its place in the count.
    pub seq: Seq,
    /// The record of the same subject before it.
    pub prev: Option<Location>,
    /// When it became true.
    pub at: Timestamp,
    /// What became true.
    pub entry: Entry,
}

impl Record {
    /// What it tells of its subject: nothing, if it is a copy that came too late.
    pub fn tells(&self) -> Option<Telling> {
        match self.kind {
            Kind::Void => None,
            Kind::Carried if self.prev.is_none() => Some(Telling::Anew),
            Kind::Own | Kind::Carried => Some(Telling::On),
        }
    }
}

/// How a record goes on with what those before it told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// From the beginning once more: the first of the copies that retention made.
    Anew,
    /// From there on.
    On,
}

impl From<Record> for Recorded {
    fn from(record: Record) -> Self {
        Self { seq: record.seq, at: record.at, entry: record.entry }
    }
}

/// What a record says about itself before its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Why it is there.
    pub kind: Kind,
    /// Its place in the count.
    pub seq: Seq,
    /// The record of the same subject before it.
    pub prev: Option<Location>,
    /// When it became true.
    pub at: Timestamp,
}

/// Appends a record's bytes.
pub fn write(head: Head, entry: &Entry, to: &mut Vec<u8>) -> Result<(), CodecFault> {
    let start = to.len();
    to.extend_from_slice(&[0; 4]);
    to.extend_from_slice(&[codec::VERSION, head.kind.byte()]);
    to.extend_from_slice(&head.seq.0.to_le_bytes());
    to.extend_from_slice(&head.prev.map_or(0, Location::bits).to_le_bytes());
    to.extend_from_slice(&head.at.micros().to_le_bytes());
    codec::encode(entry, to)?;
    let length = u32::try_from(to.len().saturating_sub(start).saturating_add(CRC));
    let length = length.map_err(|_| CodecFault::Unwritable)?.to_le_bytes();
    if let Some(place) = to.get_mut(start..).and_then(|record| record.first_chunk_mut::<4>()) {
        *place = length;
    }
    let crc = crc32c::crc32c(to.get(start..).unwrap_or_default());
    to.extend_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// The length that a record claims, if `bytes` hold that much of it and it can be one.
pub fn claimed_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(u32::from_le_bytes(*bytes.first_chunk::<4>()?)).ok()?;
    (length >= OVERHEAD).then_some(length)
}

/// Reads the record at the start of `bytes`, and how long it is.
pub fn read(bytes: &[u8]) -> Result<(Record, usize), &'static str> {
    let length = claimed_length(bytes).ok_or("a record of impossible length")?;
    let record = bytes.get(..length).ok_or("a record that is cut off")?;
    let (body, crc) = record.split_last_chunk::<CRC>().ok_or("a record that is cut off")?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) && !is_planted(Bug::NoChecksum) {
        return Err("a record whose checksum is wrong");
    }
    let (version, head, payload) = split(body).ok_or("a record of no known kind")?;
    let entry = codec::decode(version, payload).map_err(|fault| match fault {
        CodecFault::Newer => "a record of a newer release",
        CodecFault::Malformed | CodecFault::Unwritable => "a record that holds no entry",
    })?;
    let Head { kind, seq, prev, at } = head;
    Ok((Record { kind, seq, prev, at, entry }, length))
}

fn split(body: &[u8]) -> Option<(u8, Head, &[u8])> {
    let (_, rest) = body.split_first_chunk::<4>()?;
    let ([version, kind], rest) = rest.split_first_chunk::<2>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (prev, rest) = rest.split_first_chunk::<8>()?;
    let (at, payload) = rest.split_first_chunk::<8>()?;
    let head = Head {
        kind: Kind::of(*kind)?,
        seq: Seq(u64::from_le_bytes(*seq)),
        prev: Location::from_bits(u64::from_le_bytes(*prev)),
        at: Timestamp::from_micros(u64::from_le_bytes(*at)),
    };
    Some((*version, head, payload))
}

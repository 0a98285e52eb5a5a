//! A segment: a zero-filled file of fixed size with a header, named by its number.
//!
//! Filling with zeros ahead of need makes a later sync cheap (no length, no extent to record) and keeps room for what
//! was begun when the disk is full. A file under its final name always has a synced header.
use super::frame::Chain;
use actors::domain::time::Timestamp;
use actors::planted::{Bug, is_planted};
use actors::ports::disk::{Disk, DiskFile};
use std::io;

/// Bytes of a segment before its first frame.
pub const HEADER: usize = 80;
/// The zero-filled file that becomes the next segment.
pub const PREPARED: &str = "prepared.segment";
/// The same while it is being filled.
pub const FILLING: &str = "filling.tmp";

const MAGIC: [u8; 8] = *b"TURNJRNL";
const FORMAT: u32 = 1;
const SUFFIX: &str = ".segment";
const CHUNK: usize = 1024 * 1024;
const ZEROS: [u8; 4096] = [0; 4096];

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The segment's number, from 1.
    pub number: u32,
    /// The seq of its first record.
    pub first_seq: u64,
    /// When it was taken into use.
    pub opened: Timestamp,
    /// The hash of the last frame before it.
    pub chain: Chain,
}

impl Header {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.first_seq.to_le_bytes());
        bytes.extend_from_slice(&self.opened.micros().to_le_bytes());
        bytes.extend_from_slice(&self.chain.0);
        bytes.resize(HEADER.saturating_sub(4), 0);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a header; what is wrong if there is none.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let cut = "a segment without a whole header";
        let header = bytes.get(..HEADER).ok_or(cut)?;
        let (checked, crc) = header.split_last_chunk::<4>().ok_or(cut)?;
        let (magic, rest) = checked.split_first_chunk::<8>().ok_or(cut)?;
        let (format, rest) = rest.split_first_chunk::<4>().ok_or(cut)?;
        if *magic != MAGIC || crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return Err("a segment header whose checksum is wrong");
        }
        if u32::from_le_bytes(*format) != FORMAT {
            return Err("a segment format of a newer release");
        }
        let (number, rest) = rest.split_first_chunk::<4>().ok_or(cut)?;
        let (first_seq, rest) = rest.split_first_chunk::<8>().ok_or(cut)?;
        let (opened, rest) = rest.split_first_chunk::<8>().ok_or(cut)?;
        let (chain, more) = rest.split_first_chunk::<32>().ok_or(cut)?;
        // Room for what a later release has to say: whoever does not know it must not go on as if nothing had been said.
        if more.iter().any(|byte| *byte != 0) {
            return Err("a segment header that says more than this release knows");
        }
        Ok(Self {
            number: u32::from_le_bytes(*number),
            first_seq: u64::from_le_bytes(*first_seq),
            opened: Timestamp::from_micros(u64::from_le_bytes(*opened)),
            chain: Chain(*chain),
        })
    }
}

/// The name of segment `number`.
pub fn name(number: u32) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number in a segment's name.
pub fn number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 10).then(|| digits.parse().ok()).flatten()
}

/// Fills a file with zeros and puts it under the name [`PREPARED`], durably. Yields between chunks.
pub async fn prepare(disk: &dyn Disk, bytes: u32) -> io::Result<()> {
    let file = disk.create(FILLING)?;
    fill(&*file, 0, u64::from(bytes)).await?;
    disk.rename(FILLING, PREPARED)?;
    sync_names(disk)
}

/// Makes what was created, renamed or removed survive a power cut.
pub fn sync_names(disk: &dyn Disk) -> io::Result<()> {
    if is_planted(Bug::NoDirectoryFsync) { Ok(()) } else { disk.sync_directory() }
}

async fn fill(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to.saturating_sub(at)).unwrap_or(CHUNK).min(CHUNK);
        file.write_at(at, zeros.get(..length).unwrap_or_default())?;
        // Small syncs one after the other: one large sync would hold up the writer's.
        file.sync()?;
        at = at.saturating_add(u64::try_from(length).unwrap_or(0));
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Whether a prepared file of `length` bytes lies on the disk. One of another length is of another configuration; one
/// that is not zero behind its header is of a disk that lost a rename it had acknowledged. Both are removed.
pub fn is_prepared(disk: &dyn Disk, length: u32) -> io::Result<bool> {
    if !disk.list()?.iter().any(|name| name == PREPARED) {
        return Ok(false);
    }
    let file = disk.open(PREPARED)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
    file.read_at(0, &mut bytes)?;
    let is_of_length = u32::try_from(bytes.len()) == Ok(length);
    if is_of_length && bytes.get(HEADER..).is_some_and(is_zero) {
        return Ok(true);
    }
    disk.remove(PREPARED)?;
    Ok(false)
}

/// Whether all bytes are zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

/// Makes the prepared file segment `header.number`, durably.
pub fn activate(disk: &dyn Disk, header: &Header) -> io::Result<Box<dyn DiskFile>> {
    let file = disk.open(PREPARED)?;
    file.write_at(0, &header.bytes())?;
    file.sync()?;
    disk.rename(PREPARED, &name(header.number))?;
    sync_names(disk)?;
    Ok(file)
}

//! Checksums and the hash chain of a journal, made right over whatever the bytes now say.
//!
//! It knows where they lie, as `adapters::journal` writes them; what they protect is left as it is.
use sha2::{Digest, Sha256};

const HEADER: usize = 80;
const HEADER_CHAIN: std::ops::Range<usize> = 32..64;
const FRAME_MAGIC: [u8; 4] = [0xf5, b'T', b'J', 0xfe];
const FRAME_HEAD: usize = 52;
const FRAME_BEFORE: std::ops::Range<usize> = 20..52;
const CRC: usize = 4;
const RECORD_LEAST: usize = 34;
const SNAPSHOT_LAST_FRAME: std::ops::Range<usize> = 20..28;
const SNAPSHOT_CHAIN: std::ops::Range<usize> = 52..84;

/// Puts the checksum of all before into the last four bytes.
fn checksum(bytes: &mut [u8]) {
    if let Some((checked, crc)) = bytes.split_last_chunk_mut::<CRC>() {
        *crc = crc32c::crc32c(checked).to_le_bytes();
    }
}

/// Makes `bytes` a record of its own length.
pub fn record(bytes: &mut [u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    if let Some(place) = bytes.first_chunk_mut::<4>() {
        *place = length;
    }
    checksum(bytes);
}

/// Makes header, records and frames of a segment right; the hash of its last frame, which the next one carries on.
pub fn segment(bytes: &mut [u8], before: [u8; 32]) -> [u8; 32] {
    let Some((header, mut rest)) = bytes.split_at_mut_checked(HEADER) else { return before };
    header[HEADER_CHAIN].copy_from_slice(&before);
    checksum(header);
    let mut chain = before;
    while let Some(length) = frame_length(rest) {
        let (frame, behind) = rest.split_at_mut(length);
        frame[FRAME_BEFORE].copy_from_slice(&chain);
        records(&mut frame[FRAME_HEAD..length - CRC]);
        checksum(frame);
        chain = Sha256::digest(&*frame).into();
        rest = behind;
    }
    chain
}

/// Makes a snapshot right, and binds it to the frame that it names.
pub fn snapshot(bytes: &mut [u8], frame_at: impl Fn(u32, usize) -> Option<Vec<u8>>) {
    if let Some(place) = bytes.get(SNAPSHOT_LAST_FRAME) {
        let (offset, number) = (word(place), word(&place[4..]));
        let frame = frame_at(number, usize::try_from(offset).unwrap_or(usize::MAX));
        let frame = frame.and_then(|rest| frame_length(&rest).map(|length| rest[..length].to_vec()));
        if let (Some(frame), Some(chain)) = (frame, bytes.get_mut(SNAPSHOT_CHAIN)) {
            chain.copy_from_slice(&Sha256::digest(frame));
        }
    }
    checksum(bytes);
}

fn records(mut body: &mut [u8]) {
    while body.len() >= RECORD_LEAST {
        let length = usize::try_from(word(body)).unwrap_or(usize::MAX);
        if length < RECORD_LEAST || length > body.len() {
            return;
        }
        let (record, behind) = body.split_at_mut(length);
        checksum(record);
        body = behind;
    }
}

fn frame_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(word(bytes.get(4..8)?)).ok()?.checked_add(FRAME_HEAD + CRC)?;
    (bytes.starts_with(&FRAME_MAGIC) && length <= bytes.len()).then_some(length)
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

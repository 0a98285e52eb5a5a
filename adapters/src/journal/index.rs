//! Where each subject's newest record lies: sixteen bytes a subject, in three layers.
//!
//! `base` is a sorted table, written to snapshots as it is. `fresh` takes what was recorded since; when a snapshot
//! begins it is frozen in no time, merged into a new base off the writer's path, and let go. Subjects are known by 64
//! bits of a hash. Two that share them share a chain of records too, so a walk still finds each one's own: only
//! [`Index::get`] alone can be wrong, once in 2^64.
use super::record::Location;
use actors::domain::journal::Subject;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// 64 bits that stand for a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Fingerprint {
    /// The subject's bits. A payment's id is a hash already.
    pub fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Payment(id) => Self(u64::try_from(id.bits() >> 64).unwrap_or(0)),
            Subject::Terminal(id) => Self::hashed("", id.as_str()),
            // No id has a blank in it: this is no other terminal's name.
            Subject::Till(id) => Self::hashed("till ", id.as_str()),
        }
    }

    fn hashed(kind: &str, name: &str) -> Self {
        let digest = Sha256::new().chain_update(kind).chain_update(name).finalize();
        Self(digest.first_chunk::<8>().map_or(0, |bits| u64::from_be_bytes(*bits)))
    }
}

/// Fingerprints are hashes: they are not hashed again.
#[derive(Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }
    fn write_u64(&mut self, bits: u64) {
        // Maps take their bucket from the low bits and a tag from the high ones; sorted tables use the high ones.
        self.0 = bits.rotate_left(32);
    }
}

/// A map by fingerprint.
pub type ByFingerprint = HashMap<Fingerprint, Location, BuildHasherDefault<AsItIs>>;
/// A sorted table.
pub type Table = Vec<(u64, u64)>;

/// The index.
#[derive(Debug, Default)]
pub struct Index {
    base: Arc<Table>,
    frozen: Arc<ByFingerprint>,
    fresh: ByFingerprint,
    /// What lies in an earlier segment is gone.
    oldest: u32,
}

/// What a snapshot is made from: shared, unchanging.
#[derive(Clone, Debug)]
pub struct FrozenIndex {
    base: Arc<Table>,
    frozen: Arc<ByFingerprint>,
    oldest: u32,
}

impl Index {
    /// An index that begins with a snapshot's table.
    pub fn from_table(table: Table, oldest: u32) -> Self {
        Self { base: Arc::new(table), oldest, ..Self::default() }
    }

    /// Where the subject's newest record lies.
    pub fn get(&self, subject: Fingerprint) -> Option<Location> {
        let found = self.fresh.get(&subject).or_else(|| self.frozen.get(&subject)).copied();
        found.or_else(|| self.in_base(subject)).filter(|location| location.segment() >= self.oldest)
    }

    /// Notes the subject's newest record.
    pub fn put(&mut self, subject: Fingerprint, location: Location) {
        self.fresh.insert(subject, location);
    }

    /// Forgets everything that lies before segment `oldest`.
    pub fn forget_before(&mut self, oldest: u32) {
        self.oldest = oldest;
    }

    /// Freezes the present state. The one before must have been merged.
    pub fn freeze(&mut self) -> FrozenIndex {
        let fresh = std::mem::take(&mut self.fresh);
        if self.frozen.is_empty() {
            self.frozen = Arc::new(fresh);
        } else {
            let mut both = (*self.frozen).clone();
            both.extend(fresh);
            self.frozen = Arc::new(both);
        }
        FrozenIndex { base: self.base.clone(), frozen: self.frozen.clone(), oldest: self.oldest }
    }

    /// Puts the merged table in the place of what was frozen.
    pub fn replace_base(&mut self, table: Arc<Table>) {
        self.base = table;
        self.frozen = Arc::default();
    }

    fn in_base(&self, subject: Fingerprint) -> Option<Location> {
        let at = self.base.binary_search_by_key(&subject.0, |(bits, _)| *bits).ok()?;
        self.base.get(at).and_then(|(_, bits)| Location::from_bits(*bits))
    }
}

impl FrozenIndex {
    /// The table of the snapshot before.
    pub fn base(&self) -> &Table {
        &self.base
    }

    /// One sorted table of everything that is still kept.
    pub fn merged(&self) -> Table {
        let mut newer: Table = self.frozen.iter().map(|(key, at)| (key.0, at.bits())).collect();
        newer.sort_unstable();
        let mut merged = Table::with_capacity(self.base.len().saturating_add(newer.len()));
        let mut newer = newer.into_iter().peekable();
        for old in self.base.iter() {
            while let Some(row) = newer.next_if(|row| row.0 < old.0) {
                merged.push(row);
            }
            merged.push(newer.next_if(|row| row.0 == old.0).unwrap_or(*old));
        }
        merged.extend(newer);
        let kept = |bits| Location::from_bits(bits).is_some_and(|at| at.segment() >= self.oldest);
        merged.retain(|(_, bits)| kept(*bits));
        merged
    }
}

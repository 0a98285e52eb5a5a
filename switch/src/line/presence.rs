//! Who was heard on the lines: which terminals are online, since when, and when each was last seen.
//!
//! A terminal is online while a connection is open over which it was heard; a host's connection may carry a thousand.
//! It is a picture for operators and decides nothing. Several locks, each held for a moment, so that looking at a
//! hundred thousand terminals holds up nobody.
use super::Line;
use actors::domain::identity::TerminalId;
use actors::domain::time::Timestamp;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 16;

/// Which terminals are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Only this one.
    pub terminal: Option<TerminalId>,
    /// Only those last heard on this line.
    pub line: Option<&'a str>,
    /// Only those that are, or are not, online.
    pub online: Option<bool>,
    /// At most so many.
    pub most: usize,
}

/// A terminal that was heard.
#[derive(Clone, Debug)]
pub struct TerminalSeen {
    /// Which.
    pub terminal: TerminalId,
    /// On which line, the last time.
    pub line: Arc<str>,
    /// Over how many connections it can be heard now.
    pub connections: u32,
    /// Since when there is one.
    pub online_since: Option<Timestamp>,
    /// When it was last heard.
    pub last_seen: Timestamp,
}

/// Everybody who was heard.
pub(super) struct Presence {
    shards: [Mutex<HashMap<TerminalId, Visit>>; SHARDS],
    most: usize,
    known: AtomicUsize,
    online: AtomicUsize,
}

/// What is remembered of a terminal.
struct Visit {
    line: Arc<str>,
    connections: u32,
    online_since: Option<Timestamp>,
    last_seen: Timestamp,
}

impl Presence {
    /// Nobody yet; so many at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            most,
            known: AtomicUsize::new(0),
            online: AtomicUsize::new(0),
        }
    }

    /// How many are online, and how many are known.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.online.load(Ordering::Relaxed), self.known.load(Ordering::Relaxed))
    }

    /// Those that are wanted, the latest seen first.
    pub(super) fn look(&self, wanted: &Wanted<'_>) -> Vec<TerminalSeen> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let seen = lock(shard);
            let fits = seen.iter().filter(|(terminal, seen)| seen.fits(**terminal, wanted));
            found.extend(fits.map(|(terminal, seen)| seen.shown(*terminal)));
            drop(seen);
            found.sort_by_key(|seen: &TerminalSeen| (Reverse(seen.last_seen), seen.terminal));
            found.truncate(wanted.most);
        }
        found
    }

    /// A terminal is heard over a connection that has heard it before.
    fn again(&self, terminal: TerminalId, line: &Arc<str>, now: Timestamp) {
        if let Some(seen) = self.shard(terminal).get_mut(&terminal) {
            seen.heard(line, now);
        }
    }

    /// A terminal is heard over a connection for the first time; whether there is room to remember it.
    fn came(&self, terminal: TerminalId, line: &Arc<str>, now: Timestamp) -> bool {
        let mut shard = self.shard(terminal);
        if !shard.contains_key(&terminal) && !self.has_room() {
            return false;
        }
        let seen = shard.entry(terminal).or_insert_with(|| Visit::new(line, now));
        seen.heard(line, now);
        seen.connections = seen.connections.saturating_add(1);
        if seen.online_since.is_none() {
            seen.online_since = Some(now);
            self.online.fetch_add(1, Ordering::Relaxed);
        }
        true
    }

    /// A connection over which a terminal was heard is gone.
    fn left(&self, terminal: TerminalId) {
        let mut shard = self.shard(terminal);
        let Some(seen) = shard.get_mut(&terminal) else { return };
        seen.connections = seen.connections.saturating_sub(1);
        if seen.connections == 0 && seen.online_since.take().is_some() {
            self.online.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Takes one place among those who are remembered.
    fn has_room(&self) -> bool {
        let more = |known: usize| (known < self.most).then(|| known.saturating_add(1));
        self.known.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn shard(&self, terminal: TerminalId) -> MutexGuard<'_, HashMap<TerminalId, Visit>> {
        let sum: usize = terminal.as_str().bytes().map(usize::from).sum();
        let [first, ..] = &self.shards;
        lock(self.shards.get(sum % SHARDS).unwrap_or(first))
    }
}

fn lock(shard: &Mutex<HashMap<TerminalId, Visit>>) -> MutexGuard<'_, HashMap<TerminalId, Visit>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Visit {
    fn new(line: &Arc<str>, now: Timestamp) -> Self {
        Self { line: Arc::clone(line), connections: 0, online_since: None, last_seen: now }
    }

    fn heard(&mut self, line: &Arc<str>, now: Timestamp) {
        self.last_seen = self.last_seen.max(now);
        if !Arc::ptr_eq(&self.line, line) {
            self.line = Arc::clone(line);
        }
    }

    fn fits(&self, terminal: TerminalId, wanted: &Wanted<'_>) -> bool {
        wanted.terminal.is_none_or(|only| only == terminal)
            && wanted.line.is_none_or(|only| only == &*self.line)
            && wanted.online.is_none_or(|online| online == self.online_since.is_some())
    }

    fn shown(&self, terminal: TerminalId) -> TerminalSeen {
        TerminalSeen {
            terminal,
            line: Arc::clone(&self.line),
            connections: self.connections,
            online_since: self.online_since,
            last_seen: self.last_seen,
        }
    }
}

/// Who was heard over one connection; they leave with it.
pub(super) struct Company {
    line: Arc<Line>,
    /// In order.
    terminals: Vec<TerminalId>,
}

impl Company {
    pub(super) const fn on(line: Arc<Line>) -> Self {
        Self { line, terminals: Vec::new() }
    }

    /// A terminal is heard.
    pub(super) fn hear(&mut self, terminal: TerminalId, now: Timestamp) {
        let (presence, name) = (&self.line.presence, &self.line.settings.name);
        match self.terminals.binary_search(&terminal) {
            Ok(_) => presence.again(terminal, name, now),
            Err(place) => {
                if presence.came(terminal, name, now) {
                    self.terminals.insert(place, terminal);
                    self.line.terminals.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        for terminal in &self.terminals {
            self.line.presence.left(*terminal);
        }
        self.line.terminals.fetch_sub(self.terminals.len(), Ordering::Relaxed);
    }
}

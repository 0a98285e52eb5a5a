//! What one connection is told later: answers that are held back, framed as they will go out.
//!
//! No task waits for them, and of what was asked nothing is kept, so that thousands of them are cheap. The connection counts them among
//! the answers that are under way. They are let go in the order in which they came: all are held back for as long.
use super::Line;
use super::connection::Flight;
use actors::domain::time::{Deadline, Timestamp};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) struct Held {
    line: Arc<Line>,
    frames: BytesMut,
    waiting: VecDeque<Waiting>,
}

/// A frame among the others: its length, and until when it waits.
struct Waiting {
    until: Deadline,
    length: usize,
    _flight: Flight,
}

impl Held {
    pub(super) fn on(line: Arc<Line>) -> Self {
        Self { line, frames: BytesMut::new(), waiting: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Holds back what `write` writes.
    pub(super) fn hold<E>(
        &mut self,
        until: Deadline,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let before = self.frames.len();
        write(&mut self.frames)?;
        let length = self.frames.len().saturating_sub(before);
        self.waiting.push_back(Waiting { until, length, _flight: Flight::begun(Arc::clone(&self.line)) });
        Ok(())
    }

    /// When the next one is due.
    pub(super) fn due(&self) -> Option<Deadline> {
        self.waiting.front().map(|next| next.until)
    }

    /// Lets go of those that are due.
    pub(super) fn let_go(&mut self, now: Timestamp, out: &mut BytesMut) {
        while let Some(next) = self.waiting.pop_front_if(|next| next.until.is_over(now)) {
            out.extend_from_slice(&self.frames.split_to(next.length));
        }
        if self.waiting.is_empty() && self.frames.capacity() > 0 {
            (self.frames, self.waiting) = (BytesMut::new(), VecDeque::new());
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.waiting.iter().for_each(|_| self.line.tally.dropped("gone"));
    }
}

//! Who stands before a line while there is a pace: a sale that would be sent away is, before much is done for it.
//!
//! What is told is what would be told afterwards, and it is as much for good; but nothing is waited for, so that a no needs neither a
//! task nor a copy of its message. Whatever else is asked, or may have been let in before, goes on to be answered as ever. On a line whose messages
//! are proven by a MAC nobody stands: whoever cannot prove a sale shall not have it sent away, and to prove it is most of the work. What the HTTP doors have
//! instead: `api::porter`.
use super::IsoDoor;
use crate::line::{Answered, CodeLabel, Line, MessageKind};
use actors::domain::time::Deadline;
use actors::gate::{HOLD_BACK, held_back};
use adapters::iso8583::message::Message;
use adapters::iso8583::translate;
use bytes::BytesMut;

impl IsoDoor {
    /// The answer to a sale that is sent away, and when it is to be told.
    pub(super) fn no_to(&self, line: &Line, frame: &[u8]) -> Option<(Answered, Deadline)> {
        if !self.flows.is_paced() || self.proof.mac.is_some() {
            return None;
        }
        let message = Message::parse(&self.dialect, frame).ok()?;
        let mti = message.mti().response()?;
        let asked = translate::read(&message).ok()?;
        if !self.speaks.is_for(asked.terminal) {
            return None;
        }
        let now = line.now();
        let told = self.flows.turned_away(now, &asked)?;
        let mut reply = BytesMut::with_capacity(frame.len().saturating_add(32));
        translate::answer(&message, mti, &told).ok()?.finish(&mut reply).ok()?;
        let kind = MessageKind::of(message.mti().as_str(), CodeLabel::of(told.code.as_str()));
        let answered =
            Answered { reply: Some(reply.freeze()), kind, terminal: Some(asked.terminal), bad: false };
        Some((answered, Deadline::after(now, held_back(now, HOLD_BACK))))
    }
}

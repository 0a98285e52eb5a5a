//! Server-Sent Events: the parser, pure, and the phone's stream of them that comes back with `Last-Event-ID`.
//!
//! The stream only wakes: the list of payments is the truth. So a lost event costs nothing, and a stream that breaks is
//! opened again with growing pauses until somebody stops asking. The format is the HTML standard's 9.2.
use super::connection::{Ask, ByteStream, Connection};
use super::seen::PaymentSeen;
use super::{PlayFault, Silence, Surroundings};
use crate::players::connection::Address;
use actors::domain::backoff::Backoff;
use bytes::{Buf, BytesMut};
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use std::time::Duration;

/// The longest event that is read.
const EVENT_BYTES_MAX: usize = 256 * 1024;
const OPEN_WITHIN: Duration = Duration::from_secs(10);
const REOPEN: Backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(5) };

/// One event as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawEvent {
    /// `event:`, `message` if there was none.
    pub kind: String,
    /// The lines of `data:`.
    pub data: String,
    /// The last `id:` so far.
    pub id: Option<String>,
}

/// Turns bytes into events, however they are cut.
#[derive(Default)]
pub struct EventParser {
    pending: BytesMut,
    event: RawEvent,
    last_id: Option<String>,
}

/// The other side sends a line or an event that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event has at most {EVENT_BYTES_MAX} bytes")]
pub struct EventTooLong;

impl EventParser {
    /// Takes in what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole event.
    pub fn take(&mut self) -> Result<Option<RawEvent>, EventTooLong> {
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line = self.pending.split_to(end);
            self.pending.advance(1);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            if line.is_empty() {
                if let Some(event) = self.dispatch() {
                    return Ok(Some(event));
                }
            } else {
                self.take_line(&line)?;
            }
        }
        if self.pending.len() > EVENT_BYTES_MAX { Err(EventTooLong) } else { Ok(None) }
    }

    /// What to resume after.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// Forgets what the broken stream left unfinished, and remembers where it was.
    pub fn restart(&mut self) {
        self.pending.clear();
        self.event = RawEvent::default();
    }

    fn take_line(&mut self, line: &str) -> Result<(), EventTooLong> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "data" => {
                self.event.data.push_str(value);
                self.event.data.push('\n');
            }
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            // Comments (an empty field), `retry`, and whatever comes later.
            _ => {}
        }
        if self.event.data.len() > EVENT_BYTES_MAX { Err(EventTooLong) } else { Ok(()) }
    }

    fn dispatch(&mut self) -> Option<RawEvent> {
        let mut event = std::mem::take(&mut self.event);
        if event.id.is_some() {
            self.last_id.clone_from(&event.id);
        }
        event.data.pop()?;
        if event.kind.is_empty() {
            event.kind.push_str("message");
        }
        event.id.clone_from(&self.last_id);
        Some(event)
    }
}

/// What the switch tells a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneEvent {
    /// A payment of this payer's changed.
    Payment(Box<PaymentSeen>),
    /// Too much was missed: fetch the list.
    Resync,
}

/// A phone's events, for as long as somebody asks for them.
pub struct Events {
    surroundings: Surroundings,
    address: Address,
    authorization: HeaderValue,
    stream: Option<ByteStream>,
    parser: EventParser,
    failures: u32,
}

impl Events {
    pub(super) fn new(surroundings: Surroundings, address: Address, authorization: HeaderValue) -> Self {
        let parser = EventParser::default();
        Self { surroundings, address, authorization, stream: None, parser, failures: 0 }
    }

    /// Opens the stream now, so that what happens from here on is heard.
    pub async fn open(&mut self) -> Result<(), PlayFault> {
        let connection = Connection::new(self.surroundings.clone(), self.address.clone());
        let mut ask = Ask::new(Method::GET, "/v1/events")
            .with(ACCEPT, HeaderValue::from_static("text/event-stream"))
            .with(AUTHORIZATION, self.authorization.clone());
        if let Some(id) = self.parser.last_id().and_then(|id| HeaderValue::from_str(id).ok()) {
            ask = ask.with(HeaderName::from_static("last-event-id"), id);
        }
        self.parser.restart();
        self.stream = Some(connection.open_stream(ask, OPEN_WITHIN).await?);
        Ok(())
    }

    /// Waits for the next event, over as many streams as it takes. Fails only where opening again would not help.
    pub async fn next(&mut self) -> Result<PhoneEvent, PlayFault> {
        loop {
            if let Some(event) = self.parser.take().map_err(|_| PlayFault::Unanswered(Silence::Oversize))? {
                if let Some(event) = read(&event)? {
                    return Ok(event);
                }
                continue;
            }
            match &mut self.stream {
                Some(stream) => match stream.next().await {
                    Some(bytes) => self.hear(&bytes),
                    None => self.stream = None,
                },
                None => self.reopen().await?,
            }
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.failures = 0;
        self.parser.push(bytes);
    }

    async fn reopen(&mut self) -> Result<(), PlayFault> {
        // A stream that opens and says nothing counts as a failure until it does: no storm against a sick switch.
        tokio::time::sleep(REOPEN.wait(self.failures)).await;
        self.failures = self.failures.saturating_add(1);
        match self.open().await {
            Err(fault) if !fault.is_passing() => Err(fault),
            _ => Ok(()),
        }
    }
}

fn read(event: &RawEvent) -> Result<Option<PhoneEvent>, PlayFault> {
    match event.kind.as_str() {
        "payment" => {
            let payment = serde_json::from_str(&event.data);
            payment.map(|p| Some(PhoneEvent::Payment(p))).map_err(|f| PlayFault::OffContract(f.to_string()))
        }
        "resync" => Ok(Some(PhoneEvent::Resync)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn events(parser: &mut EventParser) -> Vec<RawEvent> {
        std::iter::from_fn(|| parser.take().unwrap()).collect()
    }

    fn event(kind: &str, data: &str, id: Option<&str>) -> RawEvent {
        RawEvent { kind: kind.into(), data: data.into(), id: id.map(Into::into) }
    }

    #[test]
    fn events_come_out_whole_however_the_bytes_are_cut() {
        let text = ": hello\n\nid: 7\nevent: payment\ndata: {\"a\":\ndata:1}\r\n\r\nretry: 5\ndata: x\n\nevent: e\n\n";
        let expected = [event("payment", "{\"a\":\n1}", Some("7")), event("message", "x", Some("7"))];
        for size in 1..text.len() {
            let mut parser = EventParser::default();
            let mut found = Vec::new();
            for part in text.as_bytes().chunks(size) {
                parser.push(part);
                found.extend(events(&mut parser));
            }
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn half_an_event_is_forgotten_and_its_id_with_it() {
        let mut parser = EventParser::default();
        parser.push(b"id: 1\ndata: whole\n\nid: 2\ndata: half\n");
        assert_eq!(events(&mut parser), [event("message", "whole", Some("1"))]);
        parser.restart();
        parser.push(b"data: next\n\n");
        assert_eq!(events(&mut parser), [event("message", "next", Some("1"))]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = EventParser::default();
        parser.push(&vec![b'x'; EVENT_BYTES_MAX + 1]);
        assert_eq!(parser.take(), Err(EventTooLong));
        let mut parser = EventParser::default();
        for _ in 0..=EVENT_BYTES_MAX / 1_000 {
            parser.push(format!("data: {}\n", "x".repeat(1_000)).as_bytes());
        }
        assert_eq!(parser.take(), Err(EventTooLong));
    }
}

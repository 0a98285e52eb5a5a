//! Server-Sent Events: a bounded number of streams, each with a heartbeat, an end, and a number to resume from.
//!
//! What is told comes from a channel or a clock; the list of payments is the truth and a stream only wakes. What a payer
//! is to act on is told at once; a step that asks nothing of anybody waits a moment, and is not told at all when the next
//! one is there by then (`unsaid`). A stream ends when its token does, when the node drains, or when the phone does not keep up.
mod unsaid;

use super::doors::Doors;
use super::problem::{Kind, Problem};
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use actors::domain::time::Deadline;
use actors::payer::{Change, EventNumber, Listening};
use bytes::Bytes;
use futures_util::stream;
use metrics::{Gauge, gauge};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use unsaid::Unsaid;

/// The media type.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// What a client waits before it comes back, in milliseconds.
const OPENING: &[u8] = b"retry: 1000\n\n";
const HEARTBEAT: &[u8] = b": still here\n\n";
/// How long a step that asks nothing of anybody waits for the next one.
const MOMENT: Duration = Duration::from_millis(20);
/// How often the overview is told.
const OVERVIEW_EVERY: Duration = Duration::from_secs(1);

/// The event streams of a process: so many and no more.
#[derive(Clone)]
pub struct Streams {
    places: Arc<Semaphore>,
    draining: Arc<watch::Sender<bool>>,
}

impl Streams {
    /// At most `most` streams.
    pub fn at_most(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        gauge!("turnout_http_streams_limit").set(u32::try_from(most).map_or(f64::MAX, f64::from));
        Self { places: Arc::new(Semaphore::new(most)), draining: Arc::new(watch::Sender::new(false)) }
    }

    /// Ends every stream, and opens none from now on: the clients come back elsewhere.
    pub fn hang_up(&self) {
        self.draining.send_replace(true);
    }

    /// A place for one stream.
    pub fn place(&self) -> Result<Place, Problem> {
        let full = || Problem::new(Kind::Overloaded, "too many event streams are open: poll instead");
        if *self.draining.borrow() {
            return Err(full().retry_after(Duration::from_secs(1)));
        }
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let permit = permit.map_err(|_| full().retry_after(Duration::from_secs(5)))?;
        let open = gauge!("turnout_http_streams");
        open.increment(1.0);
        Ok(Place { draining: self.draining.subscribe(), open, _permit: permit })
    }
}

/// A stream's place; given back when the stream ends.
pub struct Place {
    draining: watch::Receiver<bool>,
    open: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

/// The number that a phone saw last, `{incarnation}-{number}`; `None` where it is not one of ours.
pub fn last_seen(text: &str) -> Option<EventNumber> {
    let (incarnation, number) = text.split_once('-')?;
    Some(EventNumber { incarnation: incarnation.parse().ok()?, number: number.parse().ok()? })
}

/// A stream of what changes for a payer.
pub fn changes(doors: web::Data<Doors>, listening: Listening, until: Deadline, place: Place) -> HttpResponse {
    let feed = Feed {
        unsaid: Unsaid::of(listening.missed),
        changes: listening.changes,
        heartbeat: doors.settings.heartbeat,
        ends: Box::pin(tokio::time::sleep(until.left(doors.now()))),
        place,
        doors,
    };
    respond(stream::unfold(feed, |mut feed| async move {
        let told = feed.next().await?;
        Some((told, feed))
    }))
}

/// A stream of what `look` sees, every second.
pub fn every_second<F: Future<Output = Option<Bytes>> + 'static>(
    look: impl Fn() -> F + 'static,
    place: Place,
) -> HttpResponse {
    let waited = (look, place, false);
    respond(stream::unfold(waited, |(look, mut place, waited)| async move {
        if waited {
            tokio::select! {
                () = tokio::time::sleep(OVERVIEW_EVERY) => {}
                _ = place.draining.changed() => return None,
            }
        }
        let told = look().await?;
        Some((told, (look, place, true)))
    }))
}

/// One event.
pub fn event(name: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

struct Feed {
    doors: web::Data<Doors>,
    unsaid: Unsaid,
    changes: tokio::sync::mpsc::Receiver<Change>,
    heartbeat: Duration,
    ends: std::pin::Pin<Box<tokio::time::Sleep>>,
    place: Place,
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        if self.unsaid.is_empty() {
            tokio::select! {
                change = self.changes.recv() => self.unsaid.add(change?),
                () = &mut self.ends => return None,
                _ = self.place.draining.changed() => return None,
                () = tokio::time::sleep(self.heartbeat) => return Some(Bytes::from_static(HEARTBEAT)),
            }
            self.gather().await;
        }
        Some(self.unsaid.say(self.doors.roster()))
    }

    /// Takes along what comes within a moment, unless somebody is to act on what is there.
    async fn gather(&mut self) {
        let moment = async {
            while self.unsaid.may_wait() {
                let Some(change) = self.changes.recv().await else { return };
                self.unsaid.add(change);
            }
        };
        tokio::time::timeout(MOMENT, moment).await.ok();
    }
}

fn respond(told: impl stream::Stream<Item = Bytes> + 'static) -> HttpResponse {
    use futures_util::StreamExt;
    let opening = stream::once(async { Bytes::from_static(OPENING) });
    HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        // Proxies that buffer would hold the stream back.
        .insert_header((header::HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(opening.chain(told).map(Ok::<_, Infallible>))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_ours_resumes_nothing() {
        assert_eq!(last_seen("7-3"), Some(EventNumber { incarnation: 7, number: 3 }));
        for other in ["", "7", "7-", "-3", "a-b", "7-3-1"] {
            assert_eq!(last_seen(other), None, "{other}");
        }
    }
}

//! One connection of a line, over any stream: frames in, answers out as they are ready, within the line's limits.
//!
//! One task reads and writes; each message is answered by a task of its own on the same thread, so that a panic costs
//! one answer and a connection that goes leaves the answering undisturbed. It is not read while as many messages are
//! being answered as may be, or while the peer does not take its answers. A connection that misbehaves, is drained or
//! was ended by its peer still gets the answers that were begun.
use super::presence::Company;
use super::tally::Closed;
use super::wire::{Stirred, Wire};
use super::{Answered, Answering, Line};
use actors::domain::time::{Deadline, Timestamp};
use adapters::iso8583::framing::{Deframer, Frame, Header, KeepAlive};
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{JoinError, JoinSet};

/// How many keep-alives a second are answered; the others count as bad messages.
const KEEP_ALIVES: u32 = 10;
/// How much longer than the terminal's patience an answer is waited for: it is dropped then, whatever becomes of it.
const GRACE: Duration = Duration::from_secs(5);
/// How long is waited where there is nothing to be in time for.
const LONG: Duration = Duration::from_hours(24);

/// Serves a connection until it ends. Call it within a `LocalSet`: on an arbiter, or in a simulation.
pub async fn serve_connection<S>(stream: S, peer: SocketAddr, line: Arc<Line>, answering: Arc<dyn Answering>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connection = Connection::new(stream, Arc::clone(&line), answering);
    let why = connection.served().await;
    line.tally.closed(why);
    let (line, reason) = (line.name(), why.reason());
    match why {
        Closed::Framing | Closed::Conduct | Closed::Slow | Closed::Unread => {
            tracing::info!(line, %peer, reason, "hung up on a peer");
        }
        _ => tracing::debug!(line, %peer, reason, "a connection ended"),
    }
    connection.hang_up(why).await;
}

struct Connection<S> {
    line: Arc<Line>,
    answering: Arc<dyn Answering>,
    wire: Wire<S>,
    deframer: Deframer,
    answers: JoinSet<Spoken>,
    company: Company,
    stage: Stage,
    bad: u32,
    keep_alives: Allowance,
    heard_at: Timestamp,
    frame_since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It is listened to.
    Open,
    /// It is not; what is being answered goes out until then.
    Leaving(Closed, Deadline),
    /// Nothing more is said.
    Over(Closed),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S, line: Arc<Line>, answering: Arc<dyn Answering>) -> Self {
        let now = line.now();
        Self {
            answering,
            wire: Wire::new(stream),
            deframer: Deframer::new(line.settings.framing),
            answers: JoinSet::new(),
            company: Company::on(Arc::clone(&line)),
            stage: Stage::Open,
            bad: 0,
            keep_alives: Allowance { since: now, left: KEEP_ALIVES },
            heard_at: now,
            frame_since: None,
            line,
        }
    }

    /// Serves until there is nothing more to be said, and why.
    async fn served(&mut self) -> Closed {
        let mut closing = self.line.closing.subscribe();
        let mut is_draining = false;
        loop {
            self.take_frames();
            if let Some(why) = self.is_over() {
                return why;
            }
            let left = self.due().map_or(LONG, |(by, _)| by.left(self.line.now()));
            let is_open = matches!(self.stage, Stage::Open);
            let to = (is_open && !self.is_full()).then_some(&mut self.deframer);
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing), if !is_draining => {
                    is_draining = true;
                    self.drain();
                }
                Some(spoken) = self.answers.join_next(), if self.wire.has_room() => self.answered(spoken),
                stirred = self.wire.stir(to) => self.stirred(stirred),
                () = tokio::time::sleep(left) => self.look_at_the_clock(),
            }
        }
    }

    /// The terminals are gone, the answers that are still being made are made for the journal alone.
    async fn hang_up(self, why: Closed) {
        let Self { wire, mut answers, company, .. } = self;
        answers.detach_all();
        drop(company);
        if !matches!(why, Closed::Broken | Closed::Unread) {
            wire.hang_up().await;
        }
    }

    fn is_full(&self) -> bool {
        self.answers.len() >= self.line.settings.in_flight_max || !self.wire.has_room()
    }

    fn is_over(&self) -> Option<Closed> {
        match self.stage {
            Stage::Over(why) => Some(why),
            Stage::Leaving(why, _) if self.answers.is_empty() && self.wire.is_silent() => Some(why),
            Stage::Open | Stage::Leaving(..) => None,
        }
    }

    /// Takes up the frames that are there, as many as may be answered at once.
    fn take_frames(&mut self) {
        while matches!(self.stage, Stage::Open) && !self.is_full() {
            match self.deframer.next_frame() {
                Ok(None) => break,
                Ok(Some(Frame::KeepAlive(zero))) => self.keep_alive(zero),
                Ok(Some(Frame::Message { header, body })) => self.ask(header, body),
                Err(fault) => {
                    self.bad_frame(fault.reason());
                    if fault.closes() {
                        self.leave(Closed::Framing);
                    }
                }
            }
            self.frame_since = None;
        }
        if !self.deframer.is_within_a_frame() || self.is_full() {
            // What a peer cannot send because it is not read is not held against it.
            self.frame_since = None;
        } else if self.frame_since.is_none() {
            self.frame_since = Some(self.line.now());
        }
    }

    fn ask(&mut self, header: Header, message: Bytes) {
        let (line, answering) = (Arc::clone(&self.line), Arc::clone(&self.answering));
        let began = line.now();
        line.took_in(began);
        let flight = Flight::begun(Arc::clone(&line));
        self.answers.spawn_local(async move {
            let answer = async { answering.answer(&line, message).await };
            let within = line.settings.patience.saturating_add(GRACE);
            let answered = tokio::time::timeout(within, answer).await.ok();
            match &answered {
                Some(answered) => line.tally.answered(answered.kind, line.now().since(began)),
                None => line.tally.dropped("late"),
            }
            drop(flight);
            Spoken { header, answered, line }
        });
    }

    fn answered(&mut self, spoken: Result<Spoken, JoinError>) {
        let Ok(mut spoken) = spoken else {
            self.line.tally.dropped("crashed");
            return;
        };
        let Some(answered) = spoken.answered.take() else { return };
        if let Some(terminal) = answered.terminal {
            self.company.hear(terminal, self.line.now());
        }
        if let Some(reply) = &answered.reply {
            self.reply(&spoken.header, reply);
        }
        if answered.bad {
            self.bad_message();
        } else {
            self.bad = self.bad.saturating_sub(1);
        }
    }

    fn reply(&mut self, asked: &Header, reply: &[u8]) {
        let framing = self.line.settings.framing;
        if let Err(fault) = framing.wrap(&asked.reply(), reply, self.wire.out()) {
            self.line.tally.dropped("unframed");
            tracing::error!(line = self.line.name(), %fault, "an answer cannot be framed");
        }
    }

    fn keep_alive(&mut self, zero: KeepAlive) {
        if self.keep_alives.take(self.line.now()) {
            self.line.tally.kept_alive();
            self.wire.out().extend_from_slice(zero.as_bytes());
        } else {
            self.bad_frame("flood");
        }
    }

    fn bad_frame(&mut self, reason: &'static str) {
        self.line.tally.bad_frame(reason);
        self.bad_message();
    }

    fn bad_message(&mut self) {
        self.bad = self.bad.saturating_add(1);
        if self.bad >= self.line.settings.bad_messages_max {
            self.leave(Closed::Conduct);
        }
    }

    fn stirred(&mut self, stirred: io::Result<Stirred>) {
        match stirred {
            Ok(Stirred::Heard) => self.heard_at = self.line.now(),
            Ok(Stirred::Ended) => {
                if self.deframer.is_within_a_frame() {
                    self.line.tally.bad_frame("truncated");
                }
                self.leave(Closed::Peer);
            }
            Ok(Stirred::Wrote) => {}
            Err(_) => self.stage = Stage::Over(Closed::Broken),
        }
    }

    /// Listens no more. Whoever hung up on its own side waits for its answers as long as ever.
    fn leave(&mut self, why: Closed) {
        if matches!(self.stage, Stage::Open) {
            let settings = &self.line.settings;
            let within = match why {
                Closed::Peer => settings.patience.saturating_add(GRACE).saturating_add(settings.write_within),
                _ => settings.closing,
            };
            self.stage = Stage::Leaving(why, Deadline::after(self.line.now(), within));
        }
    }

    /// The house closes: whoever was given longer has until then.
    fn drain(&mut self) {
        self.leave(Closed::Drained);
        if let Stage::Leaving(_, by) = &mut self.stage {
            *by = (*by).min(Deadline::after(self.line.now(), self.line.settings.closing));
        }
    }

    /// What is due first, and what it is if it is missed.
    fn due(&mut self) -> Option<(Deadline, Missed)> {
        let (now, settings) = (self.line.now(), &self.line.settings);
        let unread = self.wire.due(now, settings.write_within).map(|by| (by, Missed::Write));
        let is_open = matches!(self.stage, Stage::Open);
        let is_idle = is_open && self.answers.is_empty() && self.wire.is_silent();
        let idle = is_idle.then(|| (Deadline::after(self.heard_at, settings.idle), Missed::Idle));
        let frame = self.frame_since.filter(|_| is_open);
        let frame = frame.map(|since| (Deadline::after(since, settings.frame_within), Missed::Frame));
        let leaving = match self.stage {
            Stage::Leaving(why, by) => Some((by, Missed::Leave(why))),
            Stage::Open | Stage::Over(_) => None,
        };
        [unread, idle, frame, leaving].into_iter().flatten().min_by_key(|(by, _)| *by)
    }

    fn look_at_the_clock(&mut self) {
        let now = self.line.now();
        match self.due().filter(|(by, _)| by.is_over(now)).map(|(_, missed)| missed) {
            Some(Missed::Write) => self.stage = Stage::Over(Closed::Unread),
            Some(Missed::Leave(why)) => self.stage = Stage::Over(why),
            Some(Missed::Idle) => self.leave(Closed::Idle),
            Some(Missed::Frame) => {
                self.line.tally.bad_frame("slow");
                self.leave(Closed::Slow);
            }
            None => {}
        }
    }
}

/// What was not done in time.
#[derive(Clone, Copy, Debug)]
enum Missed {
    Write,
    Idle,
    Frame,
    Leave(Closed),
}

/// What came of a message, on its way to the peer.
struct Spoken {
    header: Header,
    answered: Option<Answered>,
    line: Arc<Line>,
}

impl Drop for Spoken {
    fn drop(&mut self) {
        if self.answered.as_ref().is_some_and(|answered| answered.reply.is_some()) {
            self.line.tally.dropped("gone");
        }
    }
}

/// A message that is being answered; it leaves however that ends.
struct Flight(Arc<Line>);

impl Flight {
    fn begun(line: Arc<Line>) -> Self {
        line.in_flight.fetch_add(1, Ordering::Relaxed);
        line.tally.entered();
        Self(line)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.tally.left();
    }
}

/// So many a second.
struct Allowance {
    since: Timestamp,
    left: u32,
}

impl Allowance {
    fn take(&mut self, now: Timestamp) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, left: KEEP_ALIVES };
        }
        let has = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has
    }
}

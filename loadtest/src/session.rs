//! One run of a scenario with a crew that is there: moments come from a clock of their own, each begins a payment with
//! whoever is at leisure, and nothing waits for anything else (an open loop).
//!
//! Moments are kept by a thread that only sleeps: a runtime's timers are a millisecond coarse. How late a payment begins
//! is counted against it, and told as the generator's own lag.
use crate::arrivals::{Arrivals, Shape};
use crate::chance::Chance;
use crate::crew::{Crew, Kind};
use crate::machine::{Reading, Usage};
use crate::mix::{PayerKind, Story};
use crate::player::Hall;
use crate::scenario::Scenario;
use crate::stage::{Crowd, Door};
use crate::tally::{Counts, Job};
use crate::timeline::Moment;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::clock::Clock;
use adapters::players::Surroundings;
use adapters::players::connection::{Address, Ask, Connection};
use anyhow::Context;
use hyper::Method;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

/// Moments that may wait for a runtime that is late.
const TICKS_MAX: usize = 4_096;
/// Payments that are not over so long after a terminal would have given up were not answered.
const FINISH_WITHIN: Duration = Duration::from_secs(45);
const TROUBLE_WITHIN: Duration = Duration::from_secs(10);
/// Between everybody's arrival and the first moment.
const PAUSE: Duration = Duration::from_millis(100);
/// Seconds of a timeline: a day.
const MOMENTS_MAX: usize = 86_400;

/// Everything that runs have in common.
pub struct Session {
    pub scenario: Scenario,
    pub crew: Crew,
    pub hall: Hall,
    pub surroundings: Surroundings,
    pub platform: Option<Address>,
    /// Whose CPU and memory are read; this process first.
    pub pids: Vec<u32>,
    /// Whether a line a second is printed.
    pub tells: bool,
}

/// What came of a run.
pub struct Played {
    pub counts: Counts,
    pub timeline: Vec<Moment>,
    pub usage: Usage,
    pub measured: Duration,
    /// Payments that did not end.
    pub unfinished: usize,
}

/// When what is measured.
#[derive(Clone, Copy)]
struct Span {
    begin: Timestamp,
    start: Timestamp,
    end: Timestamp,
}

/// A moment, and whose.
struct Tick {
    due: Timestamp,
    story: Option<Story>,
    crowd: Crowd,
}

impl Session {
    /// Plays a shape from its warm-up to the last word of its last payment.
    pub async fn play(
        self: &Arc<Self>,
        shape: &Shape,
        warm_up: Duration,
        measured: Duration,
    ) -> anyhow::Result<Played> {
        let clock = &self.surroundings.clock;
        // What an earlier run left.
        drop(self.hall.tally.take());
        let begin = clock.now().plus(PAUSE);
        let start = begin.plus(warm_up);
        let span = Span { begin, start, end: start.plus(measured) };
        let due = self.keep_time(shape, span)?;
        let mut troubles = self.plan_trouble(start);
        let timeline = Arc::new(Mutex::new(Vec::new()));
        let telling = tokio::spawn(Arc::clone(self).watch(start, Arc::clone(&timeline)));
        // A task, so that it runs where the players do: a moment would wake two threads otherwise.
        let dispatching = tokio::spawn(Arc::clone(self).dispatch(due, span));
        let (unfinished, usage) = tokio::join!(dispatching, self.measure(span));
        let unfinished = unfinished.context("the dispatcher died")?;
        telling.abort();
        troubles.abort_all();
        self.calm().await?;
        let timeline = std::mem::take(&mut *timeline.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Played { counts: self.hall.tally.take(), timeline, usage, measured, unfinished })
    }

    /// Starts the threads that keep the time of everybody and of the merchant who runs away.
    fn keep_time(&self, shape: &Shape, span: Span) -> anyhow::Result<Receiver<Tick>> {
        let (ticks, due) = channel(TICKS_MAX);
        let (warm_up, measured) = (span.start.since(span.begin), span.end.since(span.start));
        let chance = Chance::of_seed(self.scenario.seed);
        let arrivals = |name, shape, lasts| Arrivals::new(shape, lasts, chance.fork(name));
        let first = Shape::Poisson(shape.rate_at(Duration::ZERO, measured).max(0.1));
        let warming = ticking(arrivals("warm-up", first, warm_up), span.begin, Crowd::Everybody);
        let playing = ticking(arrivals("arrivals", shape.clone(), measured), span.start, Crowd::Everybody);
        self.keep(warming.chain(playing), ticks.clone())?;
        if let Some(runaway) = &self.scenario.runaway {
            let arrivals = arrivals("runaway", Shape::Poisson(runaway.rate), runaway.lasts);
            self.keep(ticking(arrivals, span.start.plus(runaway.from), Crowd::Runaway), ticks)?;
        }
        Ok(due)
    }

    fn keep(
        &self,
        ticking: impl Iterator<Item = Tick> + Send + 'static,
        ticks: Sender<Tick>,
    ) -> anyhow::Result<()> {
        let clock = Arc::clone(&self.surroundings.clock);
        let keeping = move || {
            for tick in ticking {
                std::thread::sleep(tick.due.since(clock.now()));
                if ticks.blocking_send(tick).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("moments".into())
            .spawn(keeping)
            .context("no thread to keep the time")?;
        Ok(())
    }

    /// Begins a payment at every moment; how many had not ended when nobody waited for them any more.
    async fn dispatch(self: Arc<Self>, mut due: Receiver<Tick>, span: Span) -> usize {
        let seed = Chance::of_seed(self.scenario.seed);
        let (mut chance, mut number) = (seed.fork("stories"), 0u64);
        let runaway: Vec<Kind> = self.crew.runaway().collect();
        let (mut playing, mut died) = (JoinSet::new(), 0usize);
        loop {
            tokio::select! {
                biased;
                tick = due.recv() => {
                    let Some(tick) = tick else { break };
                    number = number.saturating_add(1);
                    let job = self.job(&tick, span, &runaway, number, &mut chance);
                    let (money, own) = (self.scenario.amounts.drawn(&mut chance), chance.fork(job.0.story.name()));
                    self.begin(&mut playing, job, money, own);
                }
                Some(played) = playing.join_next() => died = died.saturating_add(usize::from(played.is_err())),
            }
        }
        let patience = self.scenario.patience.saturating_add(FINISH_WITHIN);
        died.saturating_add(
            finish(playing, Deadline::after(self.now(), patience), &*self.surroundings.clock).await,
        )
    }

    fn job(
        &self,
        tick: &Tick,
        span: Span,
        runaway: &[Kind],
        number: u64,
        chance: &mut Chance,
    ) -> (Job, Kind) {
        let story = match tick.crowd {
            Crowd::Everybody => tick.story.unwrap_or_else(|| self.scenario.mix.draw(chance)),
            Crowd::Runaway => Story::Abandoned,
        };
        let is_iso = chance.unit() <= self.scenario.iso_share;
        let door = if is_iso { Door::Iso } else { Door::Http };
        let of_runaway = || {
            let at = number.checked_rem(u64::try_from(runaway.len()).unwrap_or(1)).unwrap_or(0);
            usize::try_from(at).ok().and_then(|at| runaway.get(at)).copied()
        };
        let kind = match tick.crowd {
            Crowd::Everybody => Kind { door, payer: story.payer(), crowd: tick.crowd },
            Crowd::Runaway => {
                of_runaway().unwrap_or(Kind { door, payer: PayerKind::Plain, crowd: tick.crowd })
            }
        };
        let is_measured = tick.due >= span.start && tick.due < span.end;
        (Job { due: tick.due, story, door: kind.door, crowd: tick.crowd, is_measured }, kind)
    }

    fn begin(
        self: &Arc<Self>,
        playing: &mut JoinSet<()>,
        (job, kind): (Job, Kind),
        money: actors::domain::money::Money,
        chance: Chance,
    ) {
        let Some(mut player) = self.crew.engage(kind) else { return self.hall.tally.starved(&job) };
        let session = Arc::clone(self);
        playing.spawn(async move {
            player.play(&job, money, chance, &session.hall).await;
            session.crew.release(kind, player);
        });
    }

    async fn measure(&self, span: Span) -> Usage {
        let clock = &self.surroundings.clock;
        tokio::time::sleep(span.start.since(clock.now())).await;
        let (before, well_before) = (Reading::take(&self.pids), self.hall.tally.well());
        tokio::time::sleep(span.end.since(clock.now())).await;
        let well = self.hall.tally.well().saturating_sub(well_before);
        before.until(&Reading::take(&self.pids), &self.pids, well)
    }

    /// Tells and keeps what every second brought.
    async fn watch(self: Arc<Self>, start: Timestamp, timeline: Arc<Mutex<Vec<Moment>>>) {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.tick().await;
        loop {
            seconds.tick().await;
            let (now, second) = (self.now(), self.hall.tally.second());
            let at = i64::try_from(now.since(start).as_secs()).unwrap_or(i64::MAX);
            let before = i64::try_from(start.since(now).as_secs()).unwrap_or(i64::MAX);
            let at = if now < start { before.saturating_neg() } else { at.saturating_add(1) };
            let moment = Moment::new(at, &second, self.hall.ledger.open(), &self.pids);
            if self.tells {
                eprintln!("{}", moment.line());
            }
            let mut timeline = timeline.lock().unwrap_or_else(PoisonError::into_inner);
            if timeline.len() < MOMENTS_MAX {
                timeline.push(moment);
            }
        }
    }

    fn plan_trouble(self: &Arc<Self>, start: Timestamp) -> JoinSet<()> {
        let mut troubles = JoinSet::new();
        for trouble in self.scenario.troubles.clone() {
            let session = Arc::clone(self);
            troubles.spawn(async move {
                let from = start.plus(trouble.from);
                tokio::time::sleep(from.since(session.now())).await;
                let begun = session.trouble(&trouble.body).await;
                tokio::time::sleep(from.plus(trouble.lasts).since(session.now())).await;
                let over = begun.and(session.calm().await);
                if let Err(fault) = over {
                    eprintln!("loadtest: the platform's trouble could not be made: {fault:#}");
                }
            });
        }
        troubles
    }

    /// No more trouble at the platform, if there was to be some.
    pub async fn calm(&self) -> anyhow::Result<()> {
        if self.scenario.troubles.is_empty() {
            return Ok(());
        }
        self.trouble(&json!({"latency_ms": 0, "rules": []})).await
    }

    /// Sets the platform's trouble; what it does not know it names.
    pub async fn trouble(&self, body: &Value) -> anyhow::Result<()> {
        let platform = self.platform.clone().context("[[trouble]] needs a platform")?;
        let mut connection = Connection::new(self.surroundings.clone(), platform);
        let ask = Ask::new(Method::PUT, "/v1/trouble").json(body);
        Ok(connection.ask(ask, TROUBLE_WITHIN).await?.success()?)
    }

    fn now(&self) -> Timestamp {
        self.surroundings.clock.now()
    }
}

fn ticking(arrivals: Arrivals, from: Timestamp, crowd: Crowd) -> impl Iterator<Item = Tick> + Send {
    arrivals.map(move |due| Tick { due: from.plus(due.after), story: due.story, crowd })
}

/// Lets the payments under way end; how many had not by `by`, or died.
async fn finish(mut playing: JoinSet<()>, by: Deadline, clock: &dyn Clock) -> usize {
    let mut unfinished = 0usize;
    loop {
        match tokio::time::timeout(by.left(clock.now()), playing.join_next()).await {
            Ok(Some(Ok(()))) => {}
            Ok(Some(Err(_))) => unfinished = unfinished.saturating_add(1),
            Ok(None) => return unfinished,
            Err(_) => return unfinished.saturating_add(playing.len()),
        }
    }
}

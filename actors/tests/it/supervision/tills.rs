//! A small world to be cruel to: tills with a journal in memory, and a house that keeps them.
//!
//! A till adds up what is paid into it. It writes each sum down before it answers, so that a fresh one
//! can be built from what was written. Its messages include every way of failing that the stories need.
use actors::answer::{Fault, Reply};
use actors::directory::{Census, Directory, Limits, Place};
use actors::domain::backoff::Backoff;
use actors::domain::time::{Deadline, Timestamp};
use actors::gate::{Class, Gate};
use actors::ports::Answer;
use actors::ports::clock::Clock;
use actors::resident::{Desk, Resident, WakeFault};
use actors::supervisor::{Intensity, Supervisor, Watch};
use futures_util::future::LocalBoxFuture;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);

/// The paused runtime's own time.
pub struct VirtualClock(tokio::time::Instant);

impl VirtualClock {
    pub fn start() -> Arc<dyn Clock> {
        Arc::new(Self(tokio::time::Instant::now()))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(self.0.elapsed())
    }
}

/// The tills' world: what was written, and what is broken at present.
pub struct Town {
    pub written: Mutex<HashMap<u32, Vec<u64>>>,
    pub alarms: Mutex<HashMap<u32, Deadline>>,
    pub heard: Mutex<Vec<u64>>,
    pub wakes: AtomicU32,
    pub rings: AtomicU32,
    /// So many wakes panic, or meet a journal that does not answer.
    pub wakes_to_panic: AtomicU32,
    pub wakes_to_fail: AtomicU32,
    pub wake_takes_ms: AtomicU32,
    pub rings_to_panic: AtomicU32,
    pub live: AtomicU32,
    pub live_most: AtomicU32,
}

impl Town {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            written: Mutex::default(),
            alarms: Mutex::default(),
            heard: Mutex::default(),
            wakes: AtomicU32::new(0),
            rings: AtomicU32::new(0),
            wakes_to_panic: AtomicU32::new(0),
            wakes_to_fail: AtomicU32::new(0),
            wake_takes_ms: AtomicU32::new(0),
            rings_to_panic: AtomicU32::new(0),
            live: AtomicU32::new(0),
            live_most: AtomicU32::new(0),
        })
    }

    pub fn written(&self, key: u32) -> Vec<u64> {
        self.written.lock().unwrap().get(&key).cloned().unwrap_or_default()
    }
}

fn one_less(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
}

pub enum Ask {
    /// Adds up and answers with the sum.
    Pay(u64, Reply<u64>),
    /// Breaks the till that hears it.
    Poison(#[expect(dead_code, reason = "never answered")] Reply<u64>),
    /// The same from inside, where nobody waits.
    PoisonNote,
    /// Is answered by the next `Release`.
    Hold(Reply<u64>),
    Release,
    /// Is forgotten.
    Ignore(#[expect(dead_code, reason = "never answered")] Reply<u64>),
    /// Rings at the deadline.
    Alarm(Deadline),
    /// Does something that takes a second, and pays then, unless it panics.
    Errand {
        pays: u64,
        panics: bool,
    },
    /// From inside.
    Note(u64),
    /// Tells itself the same again, for ever.
    Chatter,
}

pub struct Till {
    sum: u64,
    alarm: Option<Deadline>,
    held: Vec<Reply<u64>>,
    town: Arc<Town>,
}

impl Till {
    fn pay(&mut self, amount: u64, desk: &Desk<Self>) {
        self.sum += amount;
        self.town.heard.lock().unwrap().push(amount);
        self.town.written.lock().unwrap().entry(desk.key()).or_default().push(amount);
    }
}

impl Drop for Till {
    fn drop(&mut self) {
        self.town.live.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Resident for Till {
    type Key = u32;
    type Ask = Ask;
    type World = Town;
    const KIND: &'static str = "terminal";

    fn wake(key: u32, town: &Arc<Town>) -> LocalBoxFuture<'static, Result<Self, WakeFault>> {
        let town = Arc::clone(town);
        Box::pin(async move {
            let takes = town.wake_takes_ms.load(Ordering::Relaxed);
            if takes > 0 {
                tokio::time::sleep(Duration::from_millis(takes.into())).await;
            }
            assert!(!one_less(&town.wakes_to_panic), "waking is broken");
            if one_less(&town.wakes_to_fail) {
                return Err(WakeFault::Unavailable);
            }
            town.wakes.fetch_add(1, Ordering::Relaxed);
            let live = town.live.fetch_add(1, Ordering::Relaxed) + 1;
            town.live_most.fetch_max(live, Ordering::Relaxed);
            let sum = town.written(key).iter().sum();
            let alarm = town.alarms.lock().unwrap().get(&key).copied();
            Ok(Self { sum, alarm, held: Vec::new(), town })
        })
    }

    fn hear(&mut self, _: Timestamp, ask: Ask, desk: &Desk<Self>) {
        match ask {
            Ask::Pay(amount, reply) => {
                self.pay(amount, desk);
                reply.send(self.sum);
            }
            Ask::Poison(_) | Ask::PoisonNote => panic!("poison"),
            Ask::Hold(reply) => self.held.push(reply),
            Ask::Release => self.held.drain(..).for_each(|reply| reply.send(self.sum)),
            Ask::Ignore(_) => (),
            Ask::Alarm(at) => {
                self.town.alarms.lock().unwrap().insert(desk.key(), at);
                self.alarm = Some(at);
            }
            Ask::Errand { pays, panics } => desk.run(async move {
                tokio::time::sleep(SECOND).await;
                assert!(!panics, "the errand is broken");
                Ask::Note(pays)
            }),
            Ask::Note(amount) => self.pay(amount, desk),
            Ask::Chatter => desk.tell_self(Ask::Chatter),
        }
    }

    fn ring(&mut self, _: Timestamp, desk: &Desk<Self>) {
        assert!(!one_less(&self.town.rings_to_panic), "ringing is broken");
        self.town.rings.fetch_add(1, Ordering::Relaxed);
        self.town.alarms.lock().unwrap().remove(&desk.key());
        self.alarm = None;
    }

    fn wakes_at(&self) -> Option<Deadline> {
        self.alarm
    }

    fn may_sleep(&self) -> bool {
        self.held.iter().all(Reply::is_abandoned)
    }
}

/// A house full of tills.
pub struct House {
    pub town: Arc<Town>,
    pub tills: Directory<Till>,
    pub clock: Arc<dyn Clock>,
    pub watch: Watch,
    ended_with: Arc<AtomicI32>,
    ended: Arc<AtomicBool>,
}

/// How a house is built; what a story does not name is generous.
pub struct Plan {
    pub limits: Limits,
    pub permits: u32,
    pub deaths: u32,
    pub shards: usize,
    pub places: Vec<Place>,
}

impl Plan {
    pub fn generous() -> Self {
        Self { limits: Limits::standard(1_000), permits: 1_000, deaths: 3, shards: 1, places: Vec::new() }
    }

    pub fn build(self) -> House {
        let (clock, town) = (VirtualClock::start(), Town::new());
        let (ended_with, ended) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicBool::new(false)));
        let (code, once) = (Arc::clone(&ended_with), Arc::clone(&ended));
        let mut supervisor = Supervisor::new(
            Intensity { most: self.deaths, within: Duration::from_mins(1) },
            Backoff { first: Duration::from_millis(10), cap: SECOND },
            Arc::clone(&clock),
            move |exit_code| {
                assert!(!once.swap(true, Ordering::SeqCst), "one can end only once");
                code.store(exit_code, Ordering::SeqCst);
            },
        );
        let gate = Gate::new(self.permits, SECOND);
        let tills = Directory::new(NonZeroUsize::new(self.shards).unwrap(), gate, Arc::clone(&clock));
        tills.open(&mut supervisor, &town, &self.places, self.limits);
        let watch = supervisor.start();
        House { town, tills, clock, watch, ended_with, ended }
    }
}

impl House {
    pub fn ended_with(&self) -> Option<i32> {
        self.ended.load(Ordering::SeqCst).then(|| self.ended_with.load(Ordering::SeqCst))
    }

    pub fn in_secs(&self, secs: u64) -> Deadline {
        Deadline::after(self.clock.now(), Duration::from_secs(secs))
    }

    pub fn ask(&self, key: u32, class: Class, ask: fn(Reply<u64>) -> Ask) -> Answer<Result<u64, Fault>> {
        self.tills.ask(key, class, self.in_secs(30), ask)
    }

    pub fn pay(&self, key: u32, amount: u64) -> Answer<Result<u64, Fault>> {
        self.tills.ask(key, Class::Authorization, self.in_secs(30), |reply| Ask::Pay(amount, reply))
    }

    pub fn poison(&self, key: u32) -> Answer<Result<u64, Fault>> {
        self.ask(key, Class::Authorization, Ask::Poison)
    }

    pub fn census(&self) -> Census {
        self.tills.census()
    }
}

/// Runs a story on one thread, in time that passes only when everybody waits.
pub fn in_virtual_time(story: impl Future<Output = ()>) {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    actix::System::with_tokio_rt(runtime).block_on(story);
}

/// Lets virtual time pass.
pub async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

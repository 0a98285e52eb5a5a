//! Killed at every system call of a payment: each kind of call, on each thread, the first, the second, and so on.
//!
//! A census says how often a story makes each call in a fresh process. Then the story is told once for each of these
//! points, and dies there; a new process goes on with it. A point that nothing came by is told as missed, and a kind of
//! call that was never hit fails the run: what strikes nothing proves nothing.
use crate::setting;
use crate::stage::{KILLED, Stage, signals};
use crate::story::Story;
use crate::strace::{Census, ThreadName, Tracer, census, reason_not_to, threads, under_strace};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::rc::Rc;

/// Whatever a payment may do to a file, a socket, a pipe or another thread.
const CALLS: &str = "read,write,readv,writev,pread64,pwrite64,recvfrom,sendto,recvmsg,sendmsg,accept4,connect,socket,\
                     shutdown,close,openat,fcntl,ftruncate,fallocate,rename,unlink,fsync,fdatasync,lseek,epoll_ctl,\
                     epoll_wait,futex";
/// What a start reads and writes before its doors open.
const CALLS_OF_A_START: [&str; 8] =
    ["openat", "read", "pread64", "write", "pwrite64", "fdatasync", "rename", "unlink"];
/// A call that three censuses agree on is there; two tries may be unlucky.
const CENSUSES: usize = 3;
const TRIES: usize = 3;
/// Two cores.
const SITES: u64 = 2;
const PROGRESS: u32 = 50;

/// Where the switch is to die.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    story: Story,
    call: String,
    thread: ThreadName,
    nth: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { story, call, thread, nth } = self;
        write!(f, "{story:?}, {call} {nth} of {} {}", thread.name, thread.which)
    }
}

/// What came of all the points.
#[derive(Default)]
struct Tally {
    hits: BTreeMap<(Story, String), u32>,
    missed: BTreeSet<Point>,
    killed_twice: u32,
    violations: Vec<String>,
}

/// What is still to be tried, and what came of the rest.
struct Work {
    points: RefCell<VecDeque<Point>>,
    /// Whether to go on beyond the census until nothing is hit.
    is_exhaustive: bool,
    tally: RefCell<Tally>,
    random: Cell<u64>,
}

#[test]
fn a_switch_killed_at_any_call_of_a_payment_leaves_it_done_or_undone_at_both_ends() {
    actix_rt::System::new().block_on(async {
        if let Some(reason) = reason_not_to().await {
            println!("SKIPPED: kill points: {reason}");
            return;
        }
        let (certain, work) = planned().await;
        let work = Rc::new(work);
        let lanes = (0..SITES).map(|lane| actix_rt::spawn(lane_of(Rc::clone(&work), lane)));
        for lane in lanes.collect::<Vec<_>>() {
            lane.await.unwrap();
        }
        judged(&certain, &work.tally.borrow());
    });
}

/// The kinds of call that the stories make for certain, and the points to try.
async fn planned() -> (BTreeSet<String>, Work) {
    let wanted = std::env::var("ORDEAL_POINTS").unwrap_or_else(|_| "60".to_owned());
    let is_exhaustive = wanted == "all";
    let mut random = setting("ORDEAL_SEED", 20_260_101);
    let (mut certain, mut points) = (BTreeSet::new(), Vec::new());
    let mut stage = Stage::open(0).await;
    for story in Story::ALL {
        let census = certain_census(&mut stage, story).await;
        certain.extend(census.keys().map(|(_, call)| call.clone()));
        let all = points_of(story, &census);
        println!("{story:?}: {} kill points in {} kinds of call", all.len(), kinds(&all).len());
        match wanted.parse() {
            Ok(most) => points.extend(sample(all, most, &mut random)),
            Err(_) => points.extend(all),
        }
    }
    assert_eq!(stage.closed().await.violations, Vec::<String>::new(), "without any fault");
    let (points, tally) = (RefCell::new(points.into()), RefCell::default());
    (certain, Work { points, is_exhaustive, tally, random: Cell::new(random) })
}

/// What all censuses have in common, at their least.
async fn certain_census(stage: &mut Stage, story: Story) -> Census {
    let mut least: Option<Census> = None;
    for _ in 0..CENSUSES {
        stage.refreshed(story).await;
        let names = threads(stage.pid());
        let tracer = Tracer::counting(stage.pid(), CALLS, stage.site.folder.path()).await;
        let wrong = stage.tells(story).await;
        let counted = census(&tracer.released().await, &names);
        assert!(wrong.is_empty() && stage.deaths.is_empty(), "without any fault: {wrong:?}");
        least = Some(match least {
            None => counted,
            Some(least) => {
                let both =
                    least.into_iter().filter_map(|(key, n)| Some((key.clone(), n.min(*counted.get(&key)?))));
                both.collect()
            }
        });
    }
    let census = least.unwrap();
    let is_made = |wanted: &str| census.keys().any(|(_, call)| call == wanted);
    assert!(is_made("fdatasync"), "a payment that nothing makes durable");
    assert!(is_made("rename") || story != Story::SaleAcrossSegments, "no segment ended in the payment");
    census
}

fn points_of(story: Story, census: &Census) -> Vec<Point> {
    let each = census.iter().flat_map(|((thread, call), count)| {
        (1..=*count).map(move |nth| Point { story, call: call.clone(), thread: thread.clone(), nth })
    });
    each.collect()
}

fn kinds(points: &[Point]) -> BTreeSet<&str> {
    points.iter().map(|point| point.call.as_str()).collect()
}

/// One of every kind, then any, up to `most`.
fn sample(mut points: Vec<Point>, most: usize, random: &mut u64) -> Vec<Point> {
    for at in (1..points.len()).rev() {
        points.swap(at, below(random, at + 1));
    }
    let mut seen = BTreeSet::new();
    // Stable: those that are the first of their kind come first.
    points.sort_by_cached_key(|point| !seen.insert(point.call.clone()));
    points.truncate(most.max(seen.len()));
    points
}

async fn lane_of(work: Rc<Work>, lane: u64) {
    let mut stage = Stage::open((lane + 1) * 1_000_000).await;
    let mut done = 0;
    loop {
        let Some(point) = work.points.borrow_mut().pop_front() else { break };
        let is_hit = tried(&work, &mut stage, &point).await;
        if is_hit && work.is_exhaustive {
            work.follow(&point);
        }
        done += 1;
        if done % PROGRESS == 0 {
            println!("lane {lane}: {done} points, {} wait", work.points.borrow().len());
        }
    }
    let audit = stage.closed().await;
    println!("lane {lane}: {} sales, {} across a death", audit.sales, audit.across_a_kill);
    assert!(audit.sales > 0, "the checker saw no payment");
    work.tally.borrow_mut().violations.extend(audit.violations);
}

/// Dies at this point, if it is come by.
async fn tried(work: &Work, stage: &mut Stage, point: &Point) -> bool {
    for _ in 0..TRIES {
        stage.refreshed(point.story).await;
        let Some(id) = threads(stage.pid()).get(&point.thread).copied() else { continue };
        let folder = stage.site.folder.path().to_owned();
        let what = format!("signal=KILL:when={}", point.nth);
        let tracer = Tracer::striking(id, &point.call, &what, &folder).await;
        stage.next_start = work.second_blow(stage);
        let violations = stage.tells(point.story).await;
        let is_killed = tracer.released().await.contains("killed by SIGKILL");
        if is_killed && stage.deaths.is_empty() {
            stage.dies_late().await;
        }
        stage.next_start = None;
        let signals = signals(&stage.deaths);
        let mut tally = work.tally.borrow_mut();
        for what in violations {
            println!("killed at {point}: {what}");
            tally.violations.push(format!("killed at {point}: {what}"));
        }
        if signals.iter().any(|signal| *signal != KILLED) {
            tally.violations.push(format!("killed at {point}, it also ended by itself: {:?}", stage.deaths));
        }
        tally.killed_twice += u32::from(signals.len() > 1);
        if !signals.is_empty() {
            *tally.hits.entry((point.story, point.call.clone())).or_default() += 1;
            return true;
        }
    }
    work.tally.borrow_mut().missed.insert(point.clone());
    false
}

impl Work {
    /// Sees to it that the run of this kind of call on this thread goes on until nothing is hit.
    fn follow(&self, point: &Point) {
        let next = Point { nth: point.nth + 1, ..point.clone() };
        let mut points = self.points.borrow_mut();
        if !points.contains(&next) && !self.tally.borrow().missed.contains(&next) {
            points.push_front(next);
        }
    }

    /// Every fourth time the next start is to die as well, somewhere.
    fn second_blow(&self, stage: &Stage) -> Option<tokio::process::Command> {
        let mut random = self.random.get();
        let (strikes, call) = (below(&mut random, 4) == 0, below(&mut random, CALLS_OF_A_START.len()));
        let nth = 1 + below(&mut random, 12);
        self.random.set(random);
        let what = format!("signal=KILL:when={nth}");
        strikes.then(|| under_strace(CALLS_OF_A_START[call], &what, &stage.site.serve_arguments()))
    }
}

fn judged(certain: &BTreeSet<String>, tally: &Tally) {
    let Tally { hits, missed, killed_twice, violations } = tally;
    let mut by_call: BTreeMap<&str, u32> = BTreeMap::new();
    for ((_, call), count) in hits {
        *by_call.entry(call).or_default() += count;
    }
    let total: u32 = hits.values().sum();
    println!("killed at {total} points, {killed_twice} of them again at the next start: {by_call:?}");
    println!(
        "{} points were not come by: {:?}",
        missed.len(),
        missed.iter().map(Point::to_string).collect::<Vec<_>>()
    );
    println!("{} violations", violations.len());
    let never: Vec<_> = certain.iter().filter(|call| !by_call.contains_key(call.as_str())).collect();
    assert!(never.is_empty(), "the injection hit nothing of these kinds: {never:?}");
    let certain_misses = missed.iter().filter(|point| point.nth == 1).count();
    assert!(
        certain_misses * 10 <= usize::try_from(total).unwrap(),
        "too many injections hit nothing: {missed:?}"
    );
    assert!(*violations == Vec::<String>::new(), "{violations:#?}");
}

/// Which points come first only has to differ from seed to seed.
fn below(random: &mut u64, limit: usize) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*random >> 33).unwrap() % limit
}

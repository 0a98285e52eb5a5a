//! How many new payments may begin each second: as many as leave nobody waiting, and to every merchant its share.
//!
//! What is felt is how long something waits, in each queue and for each thread. While that stands above the target in one of
//! them, the pace falls: by as much as more is let in than is done, and further the longer they wait, so that what waits is
//! worked off within moments. When nothing stands, it goes back to what was done lately and rises from there, slowly near what was too
//! much the last time, until nobody was sent away for a while and there is no pace at all. While there is one, a merchant that
//! asks for less than its share is never sent away for those that ask for more: what the small leave over goes to the large.
//! Only arithmetic on instants that the caller gives: no clock, no thread. Next: `begun` (what was let in goes on), `gate`.
use crate::domain::identity::MerchantId;
use crate::domain::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Queues that are told apart; more of them share.
const QUEUES: usize = 1_024;
/// How often the pace is looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// The pace after a look that found everybody waiting, at most and at least: in between, as much of it as is done of what is let in.
const FALL: f64 = 0.95;
const STEEP: f64 = 0.8;
const STEEPEST: f64 = 0.5;
/// Whoever waits so much longer than the target leaves no place for anybody new, or hardly any.
const DRAIN: Duration = Duration::from_millis(200);
const DRAINING: f64 = 0.2;
/// And after one that found nobody, far from what was too much the last time, below or above, and near it.
const RISE_FAR: f64 = 1.1;
const RISE_NEAR: f64 = 1.01;
const NEAR: f64 = 0.85;
const PAST: f64 = 1.15;
/// How much of it counts in the sums at a look, of what is let in and of what is done; a payment takes its time.
const NEWS: f64 = 0.2;
const NEWS_DONE: f64 = 0.05;
/// How much of the most that was done lately is left after a look.
const FADES: f64 = 0.98;
/// So many looks pass between one fall and the next, unless it is steep: what the first did has to be felt.
const REST: u32 = 2;
/// After so many looks at which nobody was sent away there is no pace any more.
const CALM: u32 = 50;
/// And after so many in a row at which somebody waited it is no hiccup of the machine.
const LASTING: u32 = 5;
/// The slowest pace, in payments a second: a switch that lets nobody in never learns that it could.
const SLOWEST: f64 = 10.0;
/// Who has not asked for so long is not counted among those who share.
const GONE: Duration = Duration::from_secs(2);
/// So many merchants have shares; more of them take what is left over.
pub const SHARERS: usize = 10_000;
/// How much of a second's worth may be let in at once.
const BURST: f64 = 0.1;
/// And of a merchant's own share, which is small and comes in ones.
const OWN_BURST: f64 = 0.5;
/// How much of a second's worth the small may take before it is there.
const ADVANCE: f64 = 0.25;

/// The pace of new payments.
#[derive(Debug)]
pub struct Pace {
    target: Duration,
    /// The least delay in each queue since the last look: one that was short once in the meantime is not standing.
    least: Vec<Option<Duration>>,
    look: Look,
    /// New payments a second; `None`: as they come.
    rate: Option<f64>,
    left: f64,
    filled_at: Timestamp,
    sharers: HashMap<MerchantId, Share>,
    /// The smoothed number of those who were let in at a look.
    usual: f64,
    /// The smoothed number of those who were done at a look, and the most that it was lately.
    done: f64,
    best: f64,
    /// What was too much the last time, by what was let in; nothing, if it was never that.
    too_much: f64,
    /// The longest of the standing delays at the last look; `None`, if nothing stood.
    stood: Option<Duration>,
    resting: u32,
    calm: u32,
    /// Looks in a row at which something stood, and looks for which there is more to do than can be done.
    standing: u32,
    pressing: u32,
}

/// What was seen since the last look.
#[derive(Debug)]
struct Look {
    began: Timestamp,
    let_in: u32,
    sent_away: u32,
    done: u32,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    left: f64,
    asked_at: Timestamp,
}

impl Pace {
    /// No pace, until more than `target` is felt.
    pub fn new(target: Duration) -> Self {
        let never = Timestamp::from_micros(0);
        Self {
            target,
            least: Vec::new(),
            look: Look::since(never),
            rate: None,
            left: 0.0,
            filled_at: never,
            sharers: HashMap::new(),
            usual: 0.0,
            done: 0.0,
            best: 0.0,
            too_much: 0.0,
            stood: None,
            resting: 0,
            calm: 0,
            standing: 0,
            pressing: 0,
        }
    }

    /// Something waited for `delay` in this queue.
    pub fn feel(&mut self, now: Timestamp, queue: usize, delay: Duration) {
        self.look_around(now);
        let queue = queue % QUEUES;
        if queue >= self.least.len() {
            self.least.resize(queue.saturating_add(1), None);
        }
        if let Some(least) = self.least.get_mut(queue) {
            *least = Some(least.map_or(delay, |least| least.min(delay)));
        }
    }

    /// So many payments came to their end, whichever.
    pub fn done(&mut self, now: Timestamp, number: u32) {
        self.look_around(now);
        self.look.done = self.look.done.saturating_add(number);
    }

    /// Whether one more payment may begin, at this merchant.
    pub fn admits(&mut self, now: Timestamp, merchant: MerchantId) -> bool {
        self.look_around(now);
        let is_admitted = match self.rate {
            None => true,
            Some(rate) => self.has_share(now, merchant, rate),
        };
        let counted = if is_admitted { &mut self.look.let_in } else { &mut self.look.sent_away };
        *counted = counted.saturating_add(1);
        is_admitted
    }

    /// New payments a second that may begin; `None`: as they come.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Whether somebody was sent away lately, or waited for longer than a hiccup of the machine lasts. A pace alone does not say so:
    /// a machine that stood still for a moment has one for seconds, and nobody may notice.
    pub const fn is_pressing(&self) -> bool {
        self.pressing > 0
    }

    /// Merchants among whom it is shared.
    pub fn sharers(&self) -> usize {
        self.sharers.len()
    }

    /// Whether one more would be sent away at this merchant if it asked now: nothing is taken, and nobody is counted among those
    /// who share, because whoever asks may be anybody. That somebody was sent away is seen.
    pub fn sends_away(&mut self, now: Timestamp, merchant: MerchantId) -> bool {
        self.look_around(now);
        let Some(rate) = self.rate else { return false };
        self.fill(now, rate);
        let is_sent_away = self.left < 1.0 && !self.has_own(now, merchant, rate);
        self.look.sent_away = self.look.sent_away.saturating_add(u32::from(is_sent_away));
        is_sent_away
    }

    fn has_share(&mut self, now: Timestamp, merchant: MerchantId, rate: f64) -> bool {
        self.fill(now, rate);
        let has_own = self.has_own(now, merchant, rate);
        if let Some(own) = self.own(now, merchant, rate) {
            let left = if has_own { own - 1.0 } else { own };
            self.sharers.insert(merchant, Share { left, asked_at: now });
        }
        let is_admitted = has_own || self.left >= 1.0;
        if is_admitted {
            // May go below nothing: the large wait until the small have had theirs.
            self.left -= 1.0;
        }
        is_admitted
    }

    /// Whether a merchant has something of its own left, and not too much was taken in advance.
    fn has_own(&self, now: Timestamp, merchant: MerchantId, rate: f64) -> bool {
        self.left > -self.steady(rate) * ADVANCE
            && self.own(now, merchant, rate).is_some_and(|own| own >= 1.0)
    }

    /// What a merchant has saved up; nothing, if it has no share.
    fn own(&self, now: Timestamp, merchant: MerchantId, rate: f64) -> Option<f64> {
        let Some(share) = self.sharers.get(&merchant) else {
            return (self.sharers.len() < SHARERS).then_some(1.0);
        };
        let fair = self.steady(rate) / count(self.sharers.len());
        let more = fair * now.since(share.asked_at).as_secs_f64();
        Some((share.left + more).min((fair * OWN_BURST).max(1.0)))
    }

    /// What shares are counted by: while what waits is worked off the large wait, and the small have theirs.
    fn steady(&self, rate: f64) -> f64 {
        rate.max(self.best * NEAR)
    }

    fn fill(&mut self, now: Timestamp, rate: f64) {
        let more = rate * now.since(self.filled_at).as_secs_f64();
        self.left = (self.left + more).min((rate * BURST).max(1.0));
        self.filled_at = now;
    }

    fn look_around(&mut self, now: Timestamp) {
        let elapsed = now.since(self.look.began);
        if elapsed < INTERVAL {
            return;
        }
        let seen = std::mem::replace(&mut self.look, Look::since(now));
        let a_second = |number: u32| f64::from(number) / elapsed.as_secs_f64();
        let let_in = a_second(seen.let_in);
        self.usual = if self.usual > 0.0 { smooth(self.usual, let_in, NEWS) } else { let_in };
        self.done = smooth(self.done, a_second(seen.done), NEWS_DONE);
        self.best = self.done.max(self.best * FADES);
        self.resting = self.resting.saturating_sub(1);
        let stands = self.least.iter().flatten().max().copied().filter(|longest| *longest > self.target);
        self.least.fill(None);
        self.standing = if stands.is_some() { self.standing.saturating_add(1) } else { 0 };
        let is_pressing = seen.sent_away > 0 || self.standing >= LASTING;
        self.pressing = if is_pressing { CALM } else { self.pressing.saturating_sub(1) };
        let stood = std::mem::replace(&mut self.stood, stands);
        match (stands, self.rate) {
            (Some(delay), _) => self.fall(now, delay, stood),
            (None, Some(rate)) => self.rise(rate, seen.sent_away > 0),
            (None, None) => {}
        }
        self.sharers.retain(|_, share| now.since(share.asked_at) < GONE);
    }

    fn fall(&mut self, now: Timestamp, delay: Duration, stood: Option<Duration>) {
        if self.rate.is_none() {
            self.filled_at = now;
            self.left = 0.0;
        }
        // A pace that nobody reaches is not what keeps them waiting.
        let from = self.rate.map_or(self.usual, |rate| rate.min(self.usual.max(rate * FALL)));
        if stood.is_none() && self.rate.is_none_or(|rate| self.usual >= rate * NEAR) {
            self.too_much = from;
        }
        let part = (self.done / self.usual.max(1.0)).clamp(STEEPEST, FALL);
        // What waits and gets less is worked off at its own time.
        let is_growing = stood.is_none_or(|stood| delay >= stood);
        let fallen = if is_growing && (self.resting == 0 || part < STEEP) {
            self.resting = REST;
            from * part
        } else {
            self.rate.unwrap_or(from)
        };
        self.rate = Some(fallen.min(self.drained(delay).max(fallen * STEEPEST)).max(SLOWEST));
        self.calm = 0;
    }

    /// What may begin at most while somebody waits so long: the rest of what can be done is for who is there. As good as anything,
    /// while nothing is known of what can be done.
    fn drained(&self, delay: Duration) -> f64 {
        let over = delay.saturating_sub(self.target).as_secs_f64() / DRAIN.as_secs_f64();
        if self.best > 0.0 { self.best * (1.0 - over).max(DRAINING) } else { f64::MAX }
    }

    fn rise(&mut self, rate: f64, is_short: bool) {
        self.calm = if is_short { 0 } else { self.calm.saturating_add(1) };
        if self.calm >= CALM {
            self.rate = None;
            self.sharers.clear();
        } else if is_short {
            let is_near = rate >= self.too_much * NEAR && rate <= self.too_much * PAST;
            let risen = (rate * if is_near { RISE_NEAR } else { RISE_FAR }).max(rate + 1.0);
            self.rate = Some(risen.max(self.best * NEAR));
        }
    }
}

impl Look {
    const fn since(began: Timestamp) -> Self {
        Self { began, let_in: 0, sent_away: 0, done: 0 }
    }
}

fn smooth(usual: f64, seen: f64, news: f64) -> f64 {
    usual.mul_add(1.0 - news, seen * news)
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

//! How many new payments may begin each second: as many as leave nobody waiting, and to every merchant its share.
//!
//! What is felt is how long something waits, in each queue and for each thread. Once that stands above the target in one of
//! them, whoever is done makes room for the next: for one as long as nothing stands, for fewer the longer they wait. So no more are
//! inside than were, however late it is seen what they cost: the customer of a terminal that asks first comes a second later, and a
//! pace by the clock would have let in a second's worth too many by then, and the next second too few. Not everybody who is let
//! in is done soon, or ever, so a little is let in besides, and more of it the longer nothing stands; until nobody was sent away for a
//! while and there is no pace at all. A crowd has a pace too, though nobody waits yet: what their customers bring comes later. And none
//! begins where there is hardly a payment: then something else makes them wait. While there is one, a merchant that asks for less than its
//! share is never sent away for those that ask for more: what the small leave over goes to the large.
//! Only arithmetic on instants that the caller gives: no clock, no thread. Next: `begun` (what was let in goes on), `gate`.
use crate::domain::identity::MerchantId;
use crate::domain::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Queues that are told apart; more of them share.
const QUEUES: usize = 1_024;
/// How often the pace is looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// Whoever waits so much longer than the target leaves no place for anybody new. A payment comes by some twenty queues, so
/// it has waited for four seconds by then.
const DRAIN: Duration = Duration::from_millis(200);
/// What is let in besides grows at a look that found nobody waiting by such a part of the most that was done lately, for each of these
/// looks in a row, three of them at least.
const GROWS: f64 = 0.001;
const LEAST_CLEAR: u32 = 3;
/// After so many, what was done lately says little: it grows by such a part of itself if that is more.
const LONG_CLEAR: u32 = 5;
const GROWS_LONG: f64 = 0.1;
/// And it shrinks by up to such a part at a look that found somebody.
const SHRINKS: f64 = 0.5;
/// How much of what is done counts in its sum at a look; a payment takes its time.
const NEWS: f64 = 0.05;
/// How much of the most that was done lately is left after a look, and what shares are counted by of it.
const FADES: f64 = 0.98;
const STEADY: f64 = 0.85;
/// So many payments may begin within two thirds of a second, and be inside, and twice as many as usual: more of them are a crowd,
/// though nobody waits yet.
const CROWD: u32 = 512;
const CROWDED: f64 = 2.0;
/// Where fewer than that are inside, or began lately, it is not payments that make anybody wait, and to send them away would not help.
const FEW: u32 = 16;
/// How much of those that began lately is left at a look: at a steady rate they are what begins in two thirds of a second.
const FORGETS: f64 = 0.85;
/// How much of what is inside counts in what is usual, at a look that found nobody waiting.
const NEWS_INSIDE: f64 = 0.02;
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
    /// Longer than this nothing shall wait; half of it, while there is a pace: that is then how long everybody waits.
    target: Duration,
    /// The least delay in each queue since the last look: one that was short once in the meantime is not standing.
    least: Vec<Option<Duration>>,
    look: Look,
    /// New payments a second, as things are; `None`: as they come.
    rate: Option<f64>,
    /// How many may begin for each that is done.
    part: f64,
    /// How many may begin each second besides.
    besides: f64,
    /// How many may begin now.
    left: f64,
    filled_at: Timestamp,
    sharers: HashMap<MerchantId, Share>,
    /// How many are done a second, smoothed, and the most that it was lately.
    done: f64,
    best: f64,
    /// How many are inside, how many usually are, and how many began lately.
    inside: u32,
    usual: f64,
    rush: f64,
    /// Looks in a row at which nothing stood, and of these at which nobody was sent away.
    clear: u32,
    calm: u32,
    /// Looks in a row at which something stood, and looks for which there is more to do than can be done.
    standing: u32,
    pressing: u32,
}

/// What was seen since the last look.
#[derive(Debug)]
struct Look {
    began: Timestamp,
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
            part: 1.0,
            besides: 0.0,
            left: 0.0,
            filled_at: never,
            sharers: HashMap::new(),
            done: 0.0,
            best: 0.0,
            inside: 0,
            usual: 0.0,
            rush: 0.0,
            clear: 0,
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

    /// So many payments came to their end, whichever: there is room for others.
    pub fn done(&mut self, now: Timestamp, number: u32) {
        self.look_around(now);
        self.look.done = self.look.done.saturating_add(number);
        if self.rate.is_some() {
            self.make_room(f64::from(number) * self.part);
        }
    }

    /// So many payments are open.
    pub const fn are_inside(&mut self, number: u32) {
        self.inside = number;
    }

    /// So many were open when this switch was started in the place of one that died: as many as that are no crowd.
    pub fn took_over(&mut self, number: u32) {
        self.usual = self.usual.max(f64::from(number));
    }

    /// Whether one more payment may begin, at this merchant.
    pub fn admits(&mut self, now: Timestamp, merchant: MerchantId) -> bool {
        self.look_around(now);
        if self.rate.is_none() && self.is_crowded() {
            self.begin(now);
        }
        let is_admitted = match self.rate {
            None => true,
            Some(rate) => self.has_share(now, merchant, rate),
        };
        self.look.sent_away = self.look.sent_away.saturating_add(u32::from(!is_admitted));
        self.rush += f64::from(u8::from(is_admitted));
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
        self.fill(now);
        let is_sent_away = self.left < 1.0 && !self.has_own(now, merchant, rate);
        self.look.sent_away = self.look.sent_away.saturating_add(u32::from(is_sent_away));
        is_sent_away
    }

    fn has_share(&mut self, now: Timestamp, merchant: MerchantId, rate: f64) -> bool {
        self.fill(now);
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
        rate.max(self.best * STEADY)
    }

    /// What may begin besides those for whom somebody else made room.
    fn fill(&mut self, now: Timestamp) {
        let a_second = self.besides.max(SLOWEST - self.done * self.part);
        self.make_room(a_second * now.since(self.filled_at).as_secs_f64());
        self.filled_at = now;
    }

    fn make_room(&mut self, number: f64) {
        self.left = (self.left + number).min((self.best * BURST).max(1.0));
    }

    fn look_around(&mut self, now: Timestamp) {
        let elapsed = now.since(self.look.began);
        if elapsed < INTERVAL {
            return;
        }
        let seen = std::mem::replace(&mut self.look, Look::since(now));
        self.rush *= FORGETS;
        self.done = smooth(self.done, f64::from(seen.done) / elapsed.as_secs_f64(), NEWS);
        self.best = self.done.max(self.best * FADES);
        let borne = if self.rate.is_some() { self.target / 2 } else { self.target };
        let stands = self.least.iter().flatten().max().copied().filter(|longest| *longest > borne);
        let is_felt = self.least.iter().any(Option::is_some);
        self.least.fill(None);
        if stands.is_none() {
            self.usual = smooth(self.usual, f64::from(self.inside), NEWS_INSIDE);
        }
        self.standing = if stands.is_some() { self.standing.saturating_add(1) } else { 0 };
        let is_pressing = seen.sent_away > 0 || self.standing >= LASTING;
        self.pressing = if is_pressing { CALM } else { self.pressing.saturating_sub(1) };
        match (stands, self.rate) {
            (Some(_), None) if self.are_few() => {}
            (Some(delay), _) => self.slow_down(now, delay.saturating_sub(borne)),
            (None, Some(_)) if is_felt => self.speed_up(seen.sent_away > 0),
            // Nothing was felt: no thread has come round. Whoever is done makes room, and nobody comes besides.
            (None, Some(_)) => self.part = 1.0,
            (None, None) => {}
        }
        self.sharers.retain(|_, share| now.since(share.asked_at) < GONE);
    }

    fn is_crowded(&self) -> bool {
        self.inside >= CROWD
            && self.rush >= f64::from(CROWD)
            && f64::from(self.inside) >= self.usual * CROWDED
    }

    fn are_few(&self) -> bool {
        f64::from(self.inside).max(self.rush) < f64::from(FEW)
    }

    fn begin(&mut self, now: Timestamp) {
        self.filled_at = now;
        (self.part, self.left, self.besides) = (1.0, 0.0, 0.0);
        (self.clear, self.calm) = (0, 0);
        self.rate = Some(self.as_things_are());
    }

    /// Somebody waits so much too long.
    fn slow_down(&mut self, now: Timestamp, over: Duration) {
        if self.rate.is_none() {
            self.begin(now);
        }
        let over = over.as_secs_f64() / DRAIN.as_secs_f64();
        self.part = (1.0 - over).max(0.0);
        self.besides *= 1.0 - over.min(1.0) * SHRINKS;
        (self.clear, self.calm) = (0, 0);
        self.rate = Some(self.as_things_are());
    }

    fn speed_up(&mut self, is_short: bool) {
        self.part = 1.0;
        self.clear = self.clear.saturating_add(1);
        self.calm = if is_short { 0 } else { self.calm.saturating_add(1) };
        if is_short {
            let by_best = self.best * GROWS * f64::from(self.clear.max(LEAST_CLEAR));
            let by_itself = if self.clear < LONG_CLEAR { 0.0 } else { self.besides * GROWS_LONG + 1.0 };
            self.besides += by_best.max(by_itself);
        }
        self.rate = (self.calm < CALM).then(|| self.as_things_are());
        if self.rate.is_none() {
            self.sharers.clear();
        }
    }

    fn as_things_are(&self) -> f64 {
        (self.done * self.part + self.besides).max(SLOWEST)
    }
}

impl Look {
    const fn since(began: Timestamp) -> Self {
        Self { began, sent_away: 0, done: 0 }
    }
}

fn smooth(usual: f64, seen: f64, news: f64) -> f64 {
    usual.mul_add(1.0 - news, seen * news)
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

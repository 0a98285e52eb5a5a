//! One phone at one terminal: a whole on-site payment, again and again, at its own pace.
//!
//! The order of play: bind, ask, hear, confirm, present, answer. Both sides act at once, as in a shop.
use crate::drive::plan::{Pace, Plan};
use crate::drive::tally::{Paid, Tally};
use crate::drive::terminal::{Sold, Terminal};
use crate::phone::Payer;
use actors::domain::time::Timestamp;
use actors::ports::clock::{Clock, Dice};
use adapters::players::till::Sale;
use adapters::players::{PlayFault, Surroundings};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// The phone hears of a yes with the same breath as the terminal; later than this it has missed it.
const PHONE_LAGS: Duration = Duration::from_secs(2);
/// After a failure a pair in a closed loop rests so long: a broken switch is not to be measured by how fast it refuses.
const REST: Duration = Duration::from_millis(100);

/// A phone and a terminal.
pub struct Pair {
    pub payer: Payer,
    pub terminal: Terminal,
    pub surroundings: Surroundings,
}

/// When a pair's payments are due.
pub struct Schedule {
    /// The mean time between two; `None` in a closed loop.
    gap: Option<Duration>,
    next: Timestamp,
    dice: Arc<dyn Dice>,
}

impl Pair {
    /// Plays until the window closes; the last payment is played to its end.
    pub async fn play(mut self, mut schedule: Schedule, tally: Arc<Tally>) {
        let clock = Arc::clone(&self.surroundings.clock);
        loop {
            let due = schedule.next_due(clock.now());
            if due >= tally.window().end {
                return;
            }
            tokio::time::sleep(due.since(clock.now())).await;
            let repeats = self.terminal.repeats();
            match self.pay(due).await {
                Ok(paid) => tally.paid(paid),
                Err(kind) => {
                    tally.failed(clock.now(), kind);
                    schedule.rest().await;
                }
            }
            tally.repeated(self.terminal.repeats().saturating_sub(repeats));
        }
    }

    async fn pay(&mut self, due: Timestamp) -> Result<Paid, String> {
        let Self { payer, terminal, .. } = self;
        let id = terminal.id;
        payer.stay_logged_in().await.map_err(|fault| kind("log in", &fault))?;
        payer.stand_at(id.as_str()).await.map_err(|fault| kind("bind", &fault))?;
        let (Sold { sale, asked, answered }, payer) = meet(terminal, payer.pay(id.as_str())).await;
        match (sale, payer) {
            (Ok(Sale::Approved { .. }), Some(Ok((_, knew)))) => {
                Ok(Paid { due, asked, answered, over: answered.max(knew) })
            }
            (_, Some(Err(fault))) => Err(kind("phone", &fault)),
            (Ok(Sale::Approved { .. }), None) => Err("phone: approved, and the phone was not told".into()),
            (Ok(Sale::Declined { code }), _) => Err(format!("terminal: declined {code}")),
            (Ok(Sale::Reversed), _) => Err("terminal: gave up and reversed".into()),
            (Err(fault), _) => Err(kind("terminal", &fault)),
        }
    }
}

/// Both sides at once. A phone whose terminal got no yes may never be asked: it stops waiting.
async fn meet<T>(terminal: &mut Terminal, paying: impl Future<Output = T>) -> (Sold, Option<T>) {
    let (mut selling, mut paying) = (pin!(terminal.sell()), pin!(paying));
    tokio::select! {
        paid = &mut paying => (selling.await, Some(paid)),
        sold = &mut selling => {
            let lag = if matches!(sold.sale, Ok(Sale::Approved { .. })) { PHONE_LAGS } else { Duration::ZERO };
            (sold, tokio::time::timeout(lag, paying).await.ok())
        }
    }
}

impl Schedule {
    /// The schedule of one of the plan's pairs.
    pub fn new(plan: &Plan, clock: &dyn Clock, dice: Arc<dyn Dice>) -> Self {
        let pairs = u32::try_from(plan.pairs.len()).unwrap_or(u32::MAX);
        match plan.pace {
            Pace::Closed => Self { gap: None, next: clock.now(), dice },
            Pace::Open(rate) => {
                Self::open(Duration::from_secs(1).saturating_mul(pairs) / rate.get(), clock.now(), dice)
            }
        }
    }

    /// The first is due after a gap like every other: any nearer, and a run would begin with more than its rate.
    fn open(gap: Duration, now: Timestamp, dice: Arc<dyn Dice>) -> Self {
        let mut schedule = Self { gap: Some(gap), next: now, dice };
        schedule.next_due(now);
        schedule
    }

    /// When the next payment is due: now, or at a moment that does not depend on how the last one went.
    fn next_due(&mut self, now: Timestamp) -> Timestamp {
        let Some(gap) = self.gap else { return now };
        let due = self.next;
        self.next = due.plus(gap.mul_f64(-chance(&*self.dice).ln()));
        due
    }

    async fn rest(&self) {
        if self.gap.is_none() {
            tokio::time::sleep(REST).await;
        }
    }
}

/// Evenly from just above 0 to 1.
fn chance(dice: &dyn Dice) -> f64 {
    let mut bytes = [0; 4];
    dice.fill(&mut bytes);
    (f64::from(u32::from_le_bytes(bytes)) + 1.0) / 4_294_967_296.0
}

fn kind(who: &str, fault: &PlayFault) -> String {
    match fault {
        PlayFault::Unanswered(silence) => format!("{who}: {silence}"),
        PlayFault::Refused(problem) => format!("{who}: {} {}", problem.status, problem.title),
        PlayFault::OffContract(_) => format!("{who}: off contract"),
        PlayFault::Seal(_) => format!("{who}: cannot seal"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chance::Chance;
    use std::sync::Mutex;

    #[derive(Debug)]
    struct Seeded(Mutex<Chance>);

    impl Dice for Seeded {
        fn fill(&self, bytes: &mut [u8]) {
            let mut chance = self.0.lock().unwrap();
            bytes.fill_with(|| u8::try_from(chance.between(0, 255)).unwrap());
        }
    }

    #[test]
    fn an_open_loop_offers_at_its_start_what_it_offers_later() {
        let dice: Arc<dyn Dice> = Arc::new(Seeded(Mutex::new(Chance::of_seed(1))));
        let (begin, mut seconds) = (Timestamp::from_micros(0), [0u32; 6]);
        for _ in 0..4_000 {
            let mut schedule = Schedule::open(Duration::from_secs(2), begin, Arc::clone(&dice));
            loop {
                let second = usize::try_from(schedule.next_due(begin).secs()).unwrap();
                let Some(count) = seconds.get_mut(second) else { break };
                *count += 1;
            }
        }
        // 2,000 a second: 200 off are four and a half standard deviations.
        assert!(seconds.iter().all(|count| (1_800..2_200).contains(count)), "{seconds:?}");
    }
}

//! One phone at one terminal, and the stories that the two can play: one payment at a time, from binding to the last word.
//!
//! Both sides act at once, as in a shop. What each was told goes into the ledger, how long it took into the tally;
//! whether that is right is not decided here.
use crate::chance::Chance;
use crate::counter::{Counter, Learned, Wanted, is_too_busy};
use crate::customers::Customers;
use crate::figure;
use crate::ledger::{Held, Ledger, Question, Shown};
use crate::mix::{Ending, Story};
use crate::phone::{Onlooker, Part, Payer};
use crate::stage::Stage;
use crate::tally::{Ended, Job, Tally};
use actors::domain::identity::{PaymentId, TerminalId};
use actors::domain::money::Money;
use actors::domain::time::Timestamp;
use actors::ports::clock::Clock;
use adapters::players::PlayFault;
use adapters::players::seen::PaymentSeen;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The phone hears of a yes with the same breath as the terminal; later than this it has missed it.
const PHONE_LAGS: Duration = Duration::from_secs(2);
/// Where the terminal got no yes the phone may have nothing more to hear.
const PHONE_LEAVES: Duration = Duration::from_millis(200);
/// When a customer has found the phone whose terminal asked first, in milliseconds after the question: by then a switch that is too busy has said so.
const COMES_AFTER_MS: (u64, u64) = (500, 1_500);
/// A phone that was sent away comes again so much later.
const COMES_AGAIN: Duration = Duration::from_millis(500);
/// When a terminal loses its patience or its connection, in milliseconds after its question.
const INTERRUPTS_MS: (u64, u64) = (2, 60);

/// A terminal, and the phone that comes to it.
pub struct Player {
    pub counter: Counter,
    /// Nobody, where only the terminal plays.
    pub payer: Option<Payer>,
}

/// What all players share.
pub struct Hall {
    pub tally: Tally,
    pub ledger: Ledger,
    pub clock: Arc<dyn Clock>,
    pub patience: Duration,
    pub customers: Customers,
}

/// Looks over a payer's shoulder for the hall.
struct Watch<'a> {
    hall: &'a Hall,
    job: &'a Job,
    asked: Timestamp,
    /// How long the payer looked at it, in microseconds: no time of the switch's.
    looked: AtomicU64,
}

impl Player {
    /// Plays one payment and counts how it ended.
    pub async fn play(&mut self, job: &Job, money: Money, chance: Chance, hall: &Hall) {
        let repeats = self.counter.repeats();
        hall.tally.begun(job, us(job.due, hall.clock.now()));
        let ended = match self.pay(job, money, chance, hall).await {
            Ok(ended) => ended,
            Err(kind) => Ended::Badly(kind),
        };
        hall.tally.ended(job, &ended);
        hall.tally.repeated(self.counter.repeats().saturating_sub(repeats));
    }

    async fn pay(&mut self, job: &Job, money: Money, chance: Chance, hall: &Hall) -> Result<Ended, String> {
        let late = us(job.due, hall.clock.now());
        let Self { counter, payer } = self;
        let payer = payer.as_mut().filter(|_| job.story != Story::Abandoned);
        let payer = match payer {
            Some(payer) if job.story != Story::TerminalFirst => {
                match take_place(payer, counter.id, job, hall).await {
                    Ok(()) => Some(payer),
                    Err(fault) if is_shed(&fault) => return Ok(Ended::Shed),
                    Err(fault) => return Err(kind("bind", &fault)),
                }
            }
            payer => payer,
        };
        let wanted = counter.wants(money, hall.patience).map_err(|fault| kind("terminal", &fault))?;
        let id = wanted.id;
        hall.ledger.asked(Question { id, terminal: counter.id, merchant: counter.merchant, money });
        let asked = hall.clock.now();
        let watch = Watch { hall, job, asked, looked: AtomicU64::new(0) };
        let (learned, seen) = meet(counter, &wanted, payer, &watch, chance).await;
        let answered = hall.clock.now();
        let learned = learned.map_err(|fault| kind("terminal", &fault))?;
        hall.ledger.told(id, learned.held.clone());
        let looked = watch.looked.load(Ordering::Relaxed);
        let answer = us(asked, answered).saturating_sub(looked).saturating_add(late);
        hall.tally.took(job, Stage::Answer, answer);
        hall.tally.took(job, Stage::Whole, us(job.due, hall.clock.now()).saturating_sub(looked));
        let last = afterwards(counter, &wanted, &learned, job, hall).await;
        let held = match last {
            Ok(held) => held,
            Err(fault) => return Err(kind("afterwards", &fault)),
        };
        hall.ledger.closed(id);
        let ended = judged(job.story, &held, learned.was_shed);
        match (&ended, seen) {
            (Ended::Well(Ending::Approved), Some(Err(fault))) => Err(kind("phone", &fault)),
            (Ended::Well(Ending::Approved), None) if job.story != Story::PlatformLate => {
                Err("phone: approved, and the phone was not told".into())
            }
            _ => Ok(ended),
        }
    }
}

/// The phone comes to the terminal.
async fn take_place(
    payer: &mut Payer,
    terminal: TerminalId,
    job: &Job,
    hall: &Hall,
) -> Result<(), PlayFault> {
    payer.stay_logged_in().await?;
    let began = hall.clock.now();
    payer.stand_at(terminal.as_str()).await?;
    hall.tally.took(job, Stage::Bind, us(began, hall.clock.now()));
    if job.story == Story::PhoneReconnect {
        payer.lose_events()?;
    }
    Ok(())
}

type Seen = Option<Result<PaymentSeen, PlayFault>>;

/// Both sides at once. A phone whose terminal got no yes may never be asked: it stops waiting.
async fn meet(
    counter: &mut Counter,
    wanted: &Wanted,
    payer: Option<&mut Payer>,
    watch: &Watch<'_>,
    chance: Chance,
) -> (Result<Learned, PlayFault>, Seen) {
    let terminal = counter.id;
    let (soonest, latest) = COMES_AFTER_MS;
    let comes_after = Duration::from_millis(chance.fork("phone").between(soonest, latest));
    let looks = watch.hall.customers.drawn(&chance);
    let mut selling = pin!(sell(counter, wanted, watch, chance));
    let Some(payer) = payer else { return (selling.await, None) };
    let mut paying = pin!(come_and_act(payer, terminal, watch, (comes_after, looks)));
    tokio::select! {
        seen = &mut paying => (selling.await, Some(seen)),
        learned = &mut selling => {
            let is_yes = learned.as_ref().is_ok_and(|learned| matches!(learned.held, Held::Approved(_)));
            let lag = match watch.job.story {
                _ if is_yes => PHONE_LAGS,
                // It may be on its way still, and nobody waits there.
                Story::TerminalFirst => Duration::ZERO,
                _ => PHONE_LEAVES,
            };
            (learned, tokio::time::timeout(lag, paying).await.ok())
        }
    }
}

/// The phone's side; where the terminal asks first, it comes only now, and again if it is sent away.
async fn come_and_act(
    payer: &mut Payer,
    terminal: TerminalId,
    watch: &Watch<'_>,
    (comes_after, looks): (Duration, Duration),
) -> Result<PaymentSeen, PlayFault> {
    if watch.job.story == Story::TerminalFirst {
        tokio::time::sleep(comes_after).await;
        while let Err(fault) = take_place(payer, terminal, watch.job, watch.hall).await {
            if !is_shed(&fault) {
                return Err(fault);
            }
            tokio::time::sleep(COMES_AGAIN).await;
        }
    }
    payer.act(terminal.as_str(), (part(watch.job.story), looks), watch).await
}

const fn part(story: Story) -> Part {
    match story {
        Story::Decline => Part::Declines,
        Story::Vanished => Part::Vanishes,
        Story::Ignored | Story::Abandoned => Part::Ignores,
        Story::WrongPassword => Part::Pays { mistakes: 1 },
        Story::PlatformExpires => Part::Insists,
        Story::Sale
        | Story::TerminalFirst
        | Story::Reversal
        | Story::Impatient
        | Story::Repeat
        | Story::Reconnect
        | Story::PhoneReconnect
        | Story::PlatformRefuses
        | Story::PlatformPending
        | Story::PlatformLate
        | Story::PlatformSilent => Part::Pays { mistakes: 0 },
    }
}

/// The terminal's side, up to its first last word.
async fn sell(
    counter: &mut Counter,
    wanted: &Wanted,
    watch: &Watch<'_>,
    mut chance: Chance,
) -> Result<Learned, PlayFault> {
    let interrupts = Duration::from_millis(chance.between(INTERRUPTS_MS.0, INTERRUPTS_MS.1));
    match watch.job.story {
        Story::Impatient | Story::Abandoned => {
            let first = tokio::time::timeout(interrupts, counter.ask_once(wanted)).await;
            let was_shed = match &first {
                Ok(Ok(held)) => is_too_busy(held),
                Ok(Err(fault)) => is_shed(fault),
                Err(_) => false,
            };
            let began = watch.hall.clock.now();
            let held = counter.take_back(wanted).await?;
            watch.hall.tally.took(watch.job, Stage::Reversal, us(began, watch.hall.clock.now()));
            Ok(Learned { held, was_shed })
        }
        Story::Reconnect => {
            if let Ok(Ok(held)) = tokio::time::timeout(interrupts, counter.ask_once(wanted)).await {
                watch.hall.ledger.told(wanted.id, held);
            }
            counter.hang_up();
            counter.sell(wanted).await
        }
        _ => counter.sell(wanted).await,
    }
}

/// What the terminal does once it knows; gives what it holds then.
async fn afterwards(
    counter: &mut Counter,
    wanted: &Wanted,
    learned: &Learned,
    job: &Job,
    hall: &Hall,
) -> Result<Held, PlayFault> {
    let is_approved = matches!(learned.held, Held::Approved(_));
    let began = hall.clock.now();
    match job.story {
        Story::Reversal if is_approved => {
            let held = counter.take_back(wanted).await?;
            hall.tally.took(job, Stage::Reversal, us(began, hall.clock.now()));
            hall.ledger.told(wanted.id, held.clone());
            Ok(held)
        }
        Story::Repeat if is_approved => {
            let again = counter.ask_again(wanted).await;
            // Too busy to repeat itself is no other answer.
            if let Ok(again) = again.as_ref()
                && !is_too_busy(again)
            {
                hall.tally.took(job, Stage::Repeat, us(began, hall.clock.now()));
                hall.ledger.told(wanted.id, again.clone());
            }
            Ok(learned.held.clone())
        }
        _ => Ok(learned.held.clone()),
    }
}

fn judged(story: Story, held: &Held, was_shed: bool) -> Ended {
    let (ending, how) = match held {
        Held::Approved(_) => (Ending::Approved, "approved".to_owned()),
        Held::Declined(code) => (Ending::Declined, format!("declined {code}")),
        Held::TakenBack => (Ending::TakenBack, "taken back".to_owned()),
        Held::TurnedAway(status) => return Ended::Badly(format!("turned away with {status}")),
    };
    if story.may_end(ending) {
        Ended::Well(ending)
    } else if was_shed || is_too_busy(held) {
        Ended::Shed
    } else {
        Ended::Badly(how)
    }
}

fn is_shed(fault: &PlayFault) -> bool {
    matches!(fault, PlayFault::Refused(problem) if [429, 503].contains(&problem.status))
}

impl Onlooker for Watch<'_> {
    fn shown(&self, payment: &PaymentSeen) {
        self.hall.tally.took(self.job, Stage::Push, us(self.asked, self.hall.clock.now()));
        if let Ok(id) = PaymentId::parse(&payment.id) {
            let PaymentSeen { amount, currency, merchant, .. } = payment.clone();
            self.hall.ledger.shown(id, Shown { amount, currency, merchant });
        }
    }

    fn looked(&self, began: Timestamp) {
        self.looked.store(us(began, self.hall.clock.now()), Ordering::Relaxed);
    }

    fn confirmed(&self, began: Timestamp) {
        self.hall.tally.took(self.job, Stage::Confirm, us(began, self.hall.clock.now()));
    }

    fn paid(&self, began: Timestamp) {
        self.hall.tally.took(self.job, Stage::Pay, us(began, self.hall.clock.now()));
    }
}

fn us(from: Timestamp, to: Timestamp) -> u64 {
    figure::micros(to.since(from))
}

fn kind(who: &str, fault: &PlayFault) -> String {
    match fault {
        PlayFault::Unanswered(silence) => format!("{who}: {silence}"),
        PlayFault::Refused(problem) => format!("{who}: {} {}", problem.status, problem.title),
        PlayFault::OffContract(what) => {
            let what: String = what.chars().take(80).collect();
            format!("{who}: off contract ({what})")
        }
        PlayFault::Seal(_) => format!("{who}: cannot seal"),
    }
}

//! What the live page shows: rates, what is open, what is owed, the latest payments; counted off the path.
//!
//! It is fed with the rows that the read model's follower folds anyway, and asks the outboxes and the actors' census
//! when somebody looks. It forgets: ten seconds of rates, a minute of latencies, thirty payments.
use crate::api::{
    ActorCounts, JournalAt, Latency, LineView, Overlook, Overview, OwedItem, OwedSum, Rates, Recent,
    RefusalView,
};
use crate::line::Lines;
use actors::domain::identity::PaymentId;
use actors::domain::outbox::Standing;
use actors::domain::payment::status::Status;
use actors::domain::response_code::ResponseCode;
use actors::domain::time::{Deadline, Timestamp};
use actors::ports::Answer;
use actors::ports::history::PastPayment;
use actors::ports::roster::Roster;
use actors::switchboard::Switchboard;
use adapters::journal::FileJournal;
use adapters::rfc3339;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Over how long rates are counted, and how much is counted at most.
const RATE_SPAN: Duration = Duration::from_secs(10);
const HAPPENED_MAX: usize = 200_000;
/// Over how long latencies are kept, and how many at most.
const LATENCY_SPAN: Duration = Duration::from_mins(1);
const LATENCIES_MAX: usize = 20_000;
/// How many payments are shown.
const RECENT_MAX: usize = 30;
/// How many debts are shown.
const OWED_MAX: usize = 20;
/// How long an outbox may take to list what it owes.
const LIST_WITHIN: Duration = Duration::from_secs(2);

/// How things stand, as far as this process has seen.
#[derive(Clone)]
pub struct LiveOverview {
    switchboard: Switchboard,
    journal: FileJournal,
    lines: Arc<Lines>,
    began: Timestamp,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    undecided: HashMap<PaymentId, Status>,
    happened: VecDeque<(Timestamp, Happened)>,
    took: VecDeque<(Timestamp, u64)>,
    recent: VecDeque<PastPayment>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Happened {
    Started,
    Decided(Status),
}

impl LiveOverview {
    /// An overview that has seen nothing yet.
    pub fn new(switchboard: Switchboard, journal: FileJournal, lines: Arc<Lines>) -> Self {
        let began = switchboard.now();
        Self { switchboard, journal, lines, began, seen: Arc::default() }
    }

    /// A payment is so now. Rows from before this process began only fill in what is open.
    pub fn take_in(&self, row: &PastPayment) {
        let mut seen = self.seen();
        let before = seen.undecided.get(&row.id).copied();
        if row.status.is_decided() {
            seen.undecided.remove(&row.id);
        } else {
            seen.undecided.insert(row.id, row.status);
        }
        let is_new = before.is_none() && row.started_at >= self.began;
        if is_new {
            seen.happened.push_back((row.started_at, Happened::Started));
        }
        if let Some(decided_at) =
            row.decided_at.filter(|at| *at >= self.began && (is_new || before.is_some()))
        {
            seen.happened.push_back((decided_at, Happened::Decided(row.status)));
            let took = u64::try_from(decided_at.since(row.started_at).as_millis()).unwrap_or(u64::MAX);
            seen.took.push_back((decided_at, took));
        }
        seen.show(row);
        seen.forget(self.switchboard.now());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn show(&mut self, row: &PastPayment) {
        match self.recent.iter_mut().find(|shown| shown.id == row.id) {
            Some(shown) => *shown = row.clone(),
            None => self.recent.push_front(row.clone()),
        }
        // A batch of rows comes in the order of ids.
        self.recent.make_contiguous().sort_by_key(|row| Reverse(row.started_at));
        self.recent.truncate(RECENT_MAX);
    }

    fn forget(&mut self, now: Timestamp) {
        while self.happened.len() > HAPPENED_MAX
            || self.happened.front().is_some_and(|(at, _)| now.since(*at) > RATE_SPAN)
        {
            self.happened.pop_front();
        }
        while self.took.len() > LATENCIES_MAX
            || self.took.front().is_some_and(|(at, _)| now.since(*at) > LATENCY_SPAN)
        {
            self.took.pop_front();
        }
    }

    fn rates(&self) -> Rates {
        let per_second = |wanted: fn(Happened) -> bool| {
            let count = self.happened.iter().filter(|(_, happened)| wanted(*happened)).count();
            u32::try_from(count).map_or(f64::MAX, f64::from) / RATE_SPAN.as_secs_f64()
        };
        Rates {
            started: per_second(|happened| happened == Happened::Started),
            approved: per_second(|happened| happened == Happened::Decided(Status::Approved)),
            declined: per_second(|happened| happened == Happened::Decided(Status::Declined)),
            reversed: per_second(|happened| {
                matches!(happened, Happened::Decided(Status::Reversing | Status::Reversed))
            }),
        }
    }

    fn latency(&self) -> Option<Latency> {
        let mut took: Vec<u64> = self.took.iter().map(|(_, took)| *took).collect();
        took.sort_unstable();
        let quantile = |percent: usize| {
            let at = took.len().saturating_sub(1).saturating_mul(percent) / 100;
            took.get(at).map(|ms| u32::try_from(*ms).map_or(f64::MAX, f64::from))
        };
        Some(Latency { p50: quantile(50)?, p99: quantile(99)? })
    }

    fn open(&self) -> BTreeMap<&'static str, u64> {
        let mut open = BTreeMap::new();
        for status in self.undecided.values() {
            let count: &mut u64 = open.entry(status.name()).or_default();
            *count = count.saturating_add(1);
        }
        open
    }
}

impl Overview for LiveOverview {
    fn look(&self) -> Answer<Overlook> {
        let overview = self.clone();
        Box::pin(async move { overview.looked().await })
    }
}

impl LiveOverview {
    async fn looked(self) -> Overlook {
        let roster = self.switchboard.world().roster.as_ref();
        let now = self.switchboard.now();
        let outbox = self.owed(now).await;
        let rooms = self.switchboard.world().rooms();
        let mut seen = self.seen();
        seen.forget(now);
        Overlook {
            at: rfc3339::format(now),
            uptime_seconds: now.since(self.began).as_secs_f64(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rates: seen.rates(),
            latency_ms: seen.latency(),
            open: seen.open(),
            outbox,
            actors: ActorCounts {
                terminal_sessions: rooms.sessions.census().live,
                payers: rooms.payers.census().live,
                merchants: rooms.merchants.census().live,
            },
            journal: JournalAt { durable_seq: self.journal.durable_seq().0 },
            lines: self.lines.all().iter().map(|line| LineView::of(line)).collect(),
            recent: seen.recent.iter().filter_map(|row| recent(row, roster)).collect(),
        }
    }

    async fn owed(&self, now: Timestamp) -> OwedSum {
        let by = Deadline::after(now, LIST_WITHIN);
        let mut standing: Vec<Standing> = Vec::new();
        for platform in self.switchboard.world().platforms.keys() {
            standing.extend(self.switchboard.owed(*platform, by).await.unwrap_or_default());
        }
        standing.sort_by_key(|owed| owed.since);
        let oldest = standing.first().map(|owed| now.since(owed.since).as_secs_f64());
        OwedSum {
            owed: u64::try_from(standing.len()).unwrap_or(u64::MAX),
            oldest_seconds: oldest,
            items: standing.iter().take(OWED_MAX).map(|owed| owed_item(owed, now)).collect(),
        }
    }
}

fn owed_item(owed: &Standing, now: Timestamp) -> OwedItem {
    OwedItem {
        payment: owed.debt.payment.to_string(),
        kind: owed.debt.kind.name(),
        platform: owed.debt.platform.to_string(),
        amount: owed.debt.money.decimal(),
        currency: owed.debt.money.currency().code(),
        age_seconds: now.since(owed.since).as_secs_f64(),
        failures: owed.failures,
    }
}

fn recent(row: &PastPayment, roster: &dyn Roster) -> Option<Recent> {
    let (money, merchant) = (row.money?, row.merchant?);
    // A declined payment has forgotten the name that its payer was shown.
    let own_name = || roster.merchant(merchant).map(|profile| profile.name.to_string());
    let took = row.decided_at.map(|at| at.since(row.started_at).as_millis());
    let response_code = match (row.status, row.refusal) {
        (Status::Approved, _) => Some(ResponseCode::APPROVED.as_str()),
        (_, Some(refusal)) => Some(refusal.response_code().as_str()),
        _ => None,
    };
    Some(Recent {
        id: row.id.to_string(),
        status: row.status.name(),
        amount: money.decimal(),
        currency: money.currency().code(),
        merchant: merchant.to_string(),
        merchant_name: row.merchant_name.as_deref().map(str::to_owned).or_else(own_name),
        terminal: row.terminal.map(|terminal| terminal.to_string()),
        started_at: rfc3339::format(row.started_at),
        took_ms: took.and_then(|ms| u64::try_from(ms).ok()),
        response_code,
        refusal: row.refusal.map(RefusalView::of),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    #[test]
    fn what_happened_in_one_instant_is_counted_only_as_far_as_there_is_room() {
        let mut seen = Seen::default();
        seen.happened.extend((0..HAPPENED_MAX + 5).map(|_| (NOW, Happened::Started)));
        seen.took.extend((0..LATENCIES_MAX + 5).map(|_| (NOW, 1)));
        seen.forget(NOW);
        assert_eq!((seen.happened.len(), seen.took.len()), (HAPPENED_MAX, LATENCIES_MAX));
        seen.forget(NOW.plus(LATENCY_SPAN).plus(RATE_SPAN));
        assert!(seen.happened.is_empty() && seen.took.is_empty());
    }

    #[test]
    fn only_the_latest_payments_are_shown() {
        let mut seen = Seen::default();
        for number in 0..RECENT_MAX + 5 {
            let at = NOW.plus(Duration::from_secs(u64::try_from(number).unwrap()));
            let id = PaymentId::from_bits(u128::try_from(number).unwrap());
            let keeper = actors::domain::identity::Keeper::Payer(
                actors::domain::identity::PayerId::new("anna").unwrap(),
            );
            let (payment, _) = actors::domain::payment::Payment::reverse_unseen(id, keeper);
            seen.show(&PastPayment::of(&payment, at, Some(at)));
        }
        assert_eq!(seen.recent.len(), RECENT_MAX);
        assert_eq!(
            seen.recent.front().unwrap().id,
            PaymentId::from_bits(u128::try_from(RECENT_MAX + 4).unwrap())
        );
    }
}

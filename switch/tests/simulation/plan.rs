//! What one seed turns on: sizes, tempers and a random subset of all faults (swarm testing).
//!
//! A world in which everything goes wrong at once hides what a few faults do together; so each fault is on in about half
//! of the seeds, and one seed in sixteen has none at all.
use crate::chance::Chance;
use adapters::platform::sandbox::CredentialTravels;
use std::time::Duration;

/// Everything that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Connections break in the middle.
    CutLines,
    /// Whole conversations arrive twice.
    DoubledLines,
    /// Links lose everything, in both directions.
    Partitions,
    /// Links lose everything, in one direction.
    OneWayPartitions,
    /// Links hold everything back for a while, then deliver it.
    HeldLinks,
    /// The switch's process is killed.
    Kills,
    /// The switch loses power: what was not synced is gone, or half gone.
    PowerCuts,
    /// The platform's process is killed.
    PlatformKills,
    /// The disk is full for a while.
    FullDisk,
    /// The disk is slow for a while, between a write and its sync too.
    SlowDisk,
    /// The disk reports errors.
    DiskErrors,
    /// A sector of the journal reads differently at a start.
    Corruption,
    /// The wall clock is moved while the switch is down.
    ClockJumps,
    /// The switch stands still: nothing in, nothing out, nothing to disk.
    Pauses,
    /// Actors panic.
    Panics,
    /// The platform misbehaves.
    PlatformTrouble,
    /// Phones vanish, tap twice, decline, mistype.
    OddPhones,
    /// Phones that lie: other amounts, others' keys, old rounds.
    HostilePhones,
    /// Terminals repeat, reset, reverse and reconnect.
    OddTills,
    /// Strangers forge callbacks, and tills meddle with one another's payments.
    Strangers,
}

impl Fault {
    pub const ALL: [Self; 20] = [
        Self::CutLines,
        Self::DoubledLines,
        Self::Partitions,
        Self::OneWayPartitions,
        Self::HeldLinks,
        Self::Kills,
        Self::PowerCuts,
        Self::PlatformKills,
        Self::FullDisk,
        Self::SlowDisk,
        Self::DiskErrors,
        Self::Corruption,
        Self::ClockJumps,
        Self::Pauses,
        Self::Panics,
        Self::PlatformTrouble,
        Self::OddPhones,
        Self::HostilePhones,
        Self::OddTills,
        Self::Strangers,
    ];

    /// Whether it can keep a terminal from its answer in time: all but what people and platforms do.
    pub const fn delays_answers(self) -> bool {
        !matches!(
            self,
            Self::PlatformTrouble | Self::OddPhones | Self::HostilePhones | Self::OddTills | Self::Strangers
        )
    }
}

/// What kind of world a seed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing goes wrong.
    Calm,
    /// Only people and platforms go wrong: whoever asks has a right to an answer in time.
    Smooth,
    /// Anything.
    Rough,
    /// Anything, for minutes, with old records dropped on the way.
    Long,
}

const KINDS: [Kind; 24] = {
    let mut kinds = [Kind::Rough; 24];
    kinds[0] = Kind::Calm;
    kinds[1] = Kind::Smooth;
    kinds[2] = Kind::Smooth;
    kinds[3] = Kind::Smooth;
    kinds[4] = Kind::Smooth;
    kinds[5] = Kind::Long;
    kinds
};

/// One seed's world.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub kind: Kind,
    pub faults: Vec<Fault>,
    pub tick: Duration,
    pub latency_max: Duration,
    pub tills: usize,
    /// Phones that come to each till, one after the other or at once.
    pub phones_per_till: usize,
    pub sales: u64,
    pub travels: CredentialTravels,
    pub rough_for: Duration,
    pub answer_within: (u64, u64),
    pub confirm_within: Duration,
    pub platform_within: Duration,
    pub inquire_every: Duration,
    pub late_by: Duration,
    pub shards: usize,
    pub awake_max: usize,
    pub idle_after: Duration,
    pub inside_max: u32,
    pub segment_bytes: u32,
    pub snapshot_every: u64,
    pub keep: Duration,
    /// How often an average fault strikes.
    pub every: Duration,
    /// Actors panic at least so often, in milliseconds.
    pub panics_within: u64,
    /// Tills rest so long at most between two sales, in milliseconds.
    pub pause_between: u64,
    /// What each till speaks.
    tongues: [Tongue; 3],
    /// How ISO 8583 is written here.
    pub dialect: &'static str,
    /// And framed.
    pub framing: &'static str,
}

/// What a till speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    Http,
    Iso,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let chance = Chance::new(seed);
        let kind = chance.pick(&KINDS);
        let is_on = |fault: &Fault| {
            let on = chance.coin();
            on && match kind {
                Kind::Calm => false,
                Kind::Smooth => !fault.delays_answers(),
                Kind::Rough | Kind::Long => true,
            }
        };
        let faults: Vec<Fault> = Fault::ALL.into_iter().filter(is_on).collect();
        let is_doubled = faults.contains(&Fault::DoubledLines);
        let shortest = chance.of(5..8);
        Self {
            seed,
            kind,
            faults,
            tick: Duration::from_millis(chance.pick(&[5, 10, 10, 20])),
            latency_max: chance.millis(5..120),
            tills: usize::try_from(chance.of(1..4)).unwrap_or(1),
            phones_per_till: usize::try_from(chance.of(1..3)).unwrap_or(1),
            sales: if kind == Kind::Long { chance.of(5..11) } else { chance.of(2..5) },
            travels: chance.pick(&[CredentialTravels::Relayed, CredentialTravels::Directly]),
            rough_for: if kind == Kind::Long {
                chance.millis(70_000..140_000)
            } else {
                chance.millis(4_000..16_000)
            },
            answer_within: (shortest, shortest + chance.of(2..14)),
            confirm_within: chance.millis(3_000..9_000),
            platform_within: chance.millis(800..3_000),
            inquire_every: chance.millis(1_000..6_000),
            late_by: chance.millis(500..6_000),
            shards: usize::try_from(chance.of(1..3)).unwrap_or(1),
            awake_max: usize::try_from(chance.pick(&[1, 2, 4, 1_000])).unwrap_or(1),
            idle_after: chance.millis(500..20_000),
            inside_max: chance.pick(&[8, 16, 64, 64]),
            segment_bytes: u32::try_from(chance.pick(&[4, 8, 16, 32])).unwrap_or(16) * 1024,
            snapshot_every: chance.pick(&[4, 8, 1_000]) * 1024,
            keep: kept_for(kind, is_doubled, &chance),
            every: chance.millis(800..5_000) * if kind == Kind::Long { 4 } else { 1 },
            panics_within: chance.pick(&[60, 400, 4_000]),
            pause_between: if kind == Kind::Long { 20_000 } else { 1_500 },
            tongues: [(); 3].map(|()| chance.pick(&[Tongue::Http, Tongue::Iso])),
            dialect: chance.pick(&["iso87-ascii", "iso87-ascii-bin", "iso87-bcd"]),
            framing: chance.pick(&["len2", "len2i", "ascii4", "bcd2", "len2+tpdu", "bcd2+tpdu+fixed3"]),
        }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// What this till speaks.
    pub fn tongue(&self, till: usize) -> Tongue {
        self.tongues[till % self.tongues.len()]
    }

    /// How long the terminals of the line wait.
    pub fn line_patience(&self) -> Duration {
        Duration::from_secs(self.answer_within.1)
    }

    /// Whether a terminal that asks has a right to its answer in time.
    pub fn answers_are_punctual(&self) -> bool {
        matches!(self.kind, Kind::Calm | Kind::Smooth) && self.inside_max >= 16
    }
}

/// How long the journal keeps what is over: not for longer than a long run, so that retention is part of it. What is
/// said once more must still be known for what it was, though.
fn kept_for(kind: Kind, is_doubled: bool, chance: &Chance) -> Duration {
    let short = chance.millis(5_000..40_000);
    if kind == Kind::Long && !is_doubled { short } else { Duration::from_mins(10) }
}

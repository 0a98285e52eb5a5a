//! Phone <-> terminal: who stands where, until when, in which round.
//!
//! Every granted claim counts the terminal's epoch up, so a word from an earlier round can be told from one of
//! this round. The first phone wins while its claim is fresh; a claim ends when its payment is decided, when
//! the phone leaves, when the terminal clears it, or when it runs out. The epoch is journaled and decides;
//! binding stores only make it fast to find.
use super::identity::PayerId;
use super::payment::phase::Claim;
use super::time::{Deadline, Timestamp};
use crate::planted::{Bug, is_planted};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a terminal knows of the phones that came to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    epoch: u64,
    holder: Option<Holder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    payer: PayerId,
    until: Deadline,
}

/// Something that has become true of a terminal's binding. The order of the variants is part of the journal's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindingFact {
    /// A phone was granted the terminal, or its claim was extended in the same epoch.
    Bound {
        /// Whose phone, in which round.
        claim: Claim,
        /// Until when, if nothing comes of it.
        until: Deadline,
    },
    /// The round is over.
    Released {
        /// The round.
        epoch: u64,
    },
}

/// Another phone stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another phone stands at this terminal")]
pub struct Taken {
    /// When that claim runs out, if nothing comes of it.
    pub until: Deadline,
}

impl Binding {
    /// A phone claims the terminal: a new round, or the same one extended, or another phone's claim stands.
    pub fn claim(
        &self,
        now: Timestamp,
        payer: PayerId,
        lasts: Duration,
    ) -> Result<(Claim, BindingFact), Taken> {
        let epoch = match self.live(now) {
            Some(holder) if holder.payer == payer => self.epoch,
            Some(_) if is_planted(Bug::BindingNotChecked) => self.epoch.saturating_add(1),
            Some(holder) => return Err(Taken { until: holder.until }),
            None if self.epoch > 0 && is_planted(Bug::EpochNotRaised) => self.epoch,
            None => self.epoch.saturating_add(1),
        };
        let claim = Claim { payer, epoch };
        Ok((claim, BindingFact::Bound { claim, until: Deadline::after(now, lasts) }))
    }

    /// The claim that stands.
    pub fn holder(&self, now: Timestamp) -> Option<Claim> {
        self.live(now).map(|holder| Claim { payer: holder.payer, epoch: self.epoch })
    }

    /// Until when it stands.
    pub fn until(&self, now: Timestamp) -> Option<Deadline> {
        self.live(now).map(|holder| holder.until)
    }

    /// What releasing the round `epoch` makes true; `None` if that round is over already.
    pub fn release(&self, epoch: u64) -> Option<BindingFact> {
        (self.epoch == epoch && self.holder.is_some()).then_some(BindingFact::Released { epoch })
    }

    /// The count of rounds so far.
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The binding after `fact`. Facts of older epochs change nothing, nor does a claim to a round that another phone
    /// holds or that is over: two tellers may decide on the same news, and the first fact in the journal wins.
    #[must_use]
    pub fn after(self, fact: &BindingFact) -> Self {
        match fact {
            BindingFact::Bound { claim, until } if self.admits(*claim) => {
                Self { epoch: claim.epoch, holder: Some(Holder { payer: claim.payer, until: *until }) }
            }
            // The newest record alone has to tell the round: counting starts above it, whoever held it.
            BindingFact::Released { epoch } if *epoch >= self.epoch => Self { epoch: *epoch, holder: None },
            _ => self,
        }
    }

    fn admits(&self, claim: Claim) -> bool {
        let extends = self.holder.is_some_and(|holder| holder.payer == claim.payer)
            || (self.epoch > 0 && is_planted(Bug::EpochNotRaised));
        claim.epoch > self.epoch || (claim.epoch == self.epoch && extends)
    }

    fn live(&self, now: Timestamp) -> Option<Holder> {
        self.holder.filter(|holder| !holder.until.is_over(now))
    }
}

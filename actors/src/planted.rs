//! Bugs planted on purpose, to see whether the proofs would find them. Nothing here exists in a release.
//!
//! Without the feature `planted` every `is_planted` is the constant `false` and the compiler drops what hangs on it.
//! With it, one bug at a time is alive: for a thread through [`plant`], for a process through `TURNOUT_PLANTED`. How to
//! add one and see it caught: docs/proof.md, "Plant a bug".

macro_rules! bugs {
    ($($(#[doc = $what:literal])+ $name:ident = $text:literal, $($invariant:literal)+;)+) => {
        /// A bug that can be planted, by the promise that it breaks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Bug {
            $($(#[doc = $what])+ $name,)+
        }

        impl Bug {
            /// Every bug there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name on the command line and in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it does, in words.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$name => concat!($($what),+).trim_ascii(),)+ }
            }

            /// The promises that it should be seen to break.
            pub const fn breaks(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($invariant),+],)+ }
            }
        }
    };
}

bugs! {
    /// An answer leaves before the journal holds it.
    AnswerBeforeJournal = "answer-before-journal", "I7" "I15";
    /// The platform is asked before the journal holds the intent.
    AskBeforeJournal = "ask-before-journal", "I7" "I2";
    /// A permit that is good at the platform's own door is shown before the journal holds it.
    PermitShownUnwritten = "permit-shown-unwritten", "I8" "I7";
    /// A repeat with the same key opens a payment of its own.
    NoDedup = "no-dedup", "I3" "I6";
    /// The platform's yes settles a payment whose reversal is already durable.
    LateYesApproves = "late-yes-approves", "I5" "I1";
    /// A permit takes a second credential while the platform's word on the first is outstanding.
    PermitUsedTwice = "permit-used-twice", "I8" "I5";
    /// A permit that has run out takes credentials until the terminal stops waiting.
    ExpiredPermitUsed = "expired-permit-used", "I8";
    /// A confirmation made for an earlier binding counts.
    StaleEpochAccepted = "stale-epoch-accepted", "I9" "I8";
    /// A confirmation counts whatever amount the phone signed.
    OtherAmountConfirmed = "other-amount-confirmed", "I4" "I8";
    /// A confirmation counts whoever signed it.
    SignatureUnchecked = "signature-unchecked", "I8";
    /// After a restart nobody remembers that a reversal is owed.
    ReversalDroppedOnRestart = "reversal-dropped-on-restart", "I2" "I14";
    /// What a callback says the amount was is settled, whatever was asked for.
    AmountFromCallback = "amount-from-callback", "I4" "I1";
    /// What the platform's answer says the amount was is settled, whatever was asked for.
    AmountFromAnswer = "amount-from-answer", "I4" "I1";
    /// No answer from the platform to a credential is taken for a no, and nothing is taken back.
    SilenceIsNo = "silence-is-no", "I2" "I1";
    /// "Not found" ends a payment in doubt at once, without a reversal.
    NotFoundIsNo = "not-found-is-no", "I2" "I1";
    /// At the deadline the terminal is told no and nothing is taken back.
    NoReversalAtDeadline = "no-reversal-at-deadline", "I2" "I1";
    /// A payment whose credential is at the platform has no deadline.
    DeadlineForgotten = "deadline-forgotten", "I13" "I14";
    /// The terminal's deadline is forgotten while a phone, or its payer's yes, is awaited.
    PhoneAwaitedForEver = "phone-awaited-for-ever", "I13" "I14";
    /// A repeat of a refused payment is refused with another code.
    AnswerChanges = "answer-changes", "I6" "I5";
    /// A repeat of a refused payment is told that it was approved.
    RefusalForgotten = "refusal-forgotten", "I6" "I1";
    /// A reversal of a key that was never seen is acknowledged and forgotten.
    UnseenReversalForgotten = "unseen-reversal-forgotten", "I2" "I1";
    /// A repeated key with another amount is answered as if it were the first.
    OtherAmountSameKey = "other-amount-same-key", "I4";
    /// Refunds may add up to more than was paid.
    RefundsUnbounded = "refunds-unbounded", "I12";
    /// A repeated refund is a refund of its own.
    RefundTwice = "refund-twice", "I12";
    /// A terminal's reversal of a paid payment counts as done before the platform has heard of it.
    PaidReversalNotOwed = "paid-reversal-not-owed", "I2" "I1";
    /// A payment that is recovered with its credential under way is refused, and nothing is taken back.
    RecoverySaysNo = "recovery-says-no", "I2" "I1" "I5";
    /// A payer's no is acknowledged and forgotten: a later yes counts.
    DeclineOverruled = "decline-overruled", "I5" "I13";
    /// A second phone takes a terminal without a new epoch.
    EpochNotRaised = "epoch-not-raised", "I9";
    /// A session that is rebuilt does not ask the journal for its binding: epochs begin anew.
    EpochForgotten = "epoch-forgotten", "I9";
    /// A phone is granted a terminal at which another one stands.
    BindingNotChecked = "binding-not-checked", "I9";
    /// Mail that a keeper had not heard when it died is dropped, a platform's word among it.
    MailLostWithKeeper = "mail-lost-with-keeper", "I13";
    /// A keeper is put to sleep with a deadline, and not woken for it.
    WakeLostAfterSleep = "wake-lost-after-sleep", "I13" "I14";
    /// After a restart nobody wakes the keepers of open payments.
    NobodyWokenAtStart = "nobody-woken-at-start", "I14" "I2";
    /// An outbox that is rebuilt does not ask the journal what it owes.
    OutboxStartsEmpty = "outbox-starts-empty", "I2" "I14";
    /// A debt that could not be paid is dropped.
    DebtTriedOnce = "debt-tried-once", "I2" "I14";
    /// A reversal that was sent counts as acknowledged though nobody answered.
    DebtPaidWhenSent = "debt-paid-when-sent", "I2" "I1";
    /// Permits of the gate are not given back by questions that were refused inside.
    GateLeaks = "gate-leaks", "I13";
    /// What a line was told was sent away for good is let in when it comes another way.
    SentAwayForgotten = "sent-away-forgotten", "I6" "I1";
    /// A line is told that a sale was sent away for good which may be inside, or decided.
    SentAwayThoughInside = "sent-away-though-inside", "I6" "I5";
    /// An answer goes to whoever waits at the terminal, whichever payment it belongs to.
    AnswerToAnother = "answer-to-another", "I1" "I4";
    /// A payment that is read back from the journal forgets the platform's yes.
    SettlementForgotten = "settlement-forgotten", "I1" "I6";
    /// Files are created and renamed without a sync of the directory.
    NoDirectoryFsync = "no-directory-fsync", "I15";
    /// Batches are not synced.
    NoFsync = "no-fsync", "I15" "I7";
    /// Records are called durable between the write and the sync.
    AckBeforeFsync = "ack-before-fsync", "I15" "I7";
    /// Checksums of batches and records are not looked at.
    NoChecksum = "no-checksum", "I15";
    /// Whether a batch follows the one before it is not looked at.
    ChainUnchecked = "chain-unchecked", "I15";
    /// A torn tail takes the frame before it along.
    TailCutTooFar = "tail-cut-too-far", "I15" "I6";
    /// After a failed sync the writer goes on as if it had succeeded.
    FailedSyncIgnored = "failed-sync-ignored", "I15";
    /// A snapshot leaves out the payments that are open.
    SnapshotWithoutOpen = "snapshot-without-open", "I14" "I2";
    /// A snapshot's index leaves out what was recorded since the one before, open payments excepted.
    SnapshotIndexStale = "snapshot-index-stale", "I3" "I6";
    /// Retention drops open payments too.
    RetentionDropsOpen = "retention-drops-open", "I14" "I15";
    /// A full disk does not stop new payments.
    FullDiskTakesNew = "full-disk-takes-new", "I13" "I14";
    /// A segment begins with a number too high: the next start finds one missing.
    SequenceGap = "sequence-gap", "I15" "I14";
    /// A request that broke off half-way counts as never sent: its permit is used again.
    BrokenIsNotSent = "broken-is-not-sent", "I8";
    /// The platform's 500 to a reversal is taken for "nothing to undo".
    ServerErrorIsNo = "server-error-is-no", "I2" "I1";
    /// The platform's answer counts whichever payment it names.
    OtherPaymentsAnswer = "other-payments-answer", "I1" "I4";
    /// A callback's signature is not looked at.
    CallbackUnsigned = "callback-unsigned", "I1" "I8";
    /// A callback is acknowledged before the journal holds what it said.
    CallbackAckedEarly = "callback-acked-early", "I15" "I7";
    /// "In doubt" is shown to the terminal as approved.
    DoubtShownAsApproved = "doubt-shown-as-approved", "I1" "I6";
    /// Any terminal may take back any payment that has left its own session's memory.
    ReversalOfOthers = "reversal-of-others", "I1" "I5" "I6";
    /// A terminal whose repeat fails inside has its payment taken back, though it was told that it is approved.
    FaultTakesBackDecided = "fault-takes-back-decided", "I1" "I6";
    /// A sale for which there is no place now is declined, and nobody remembers that.
    ShedForgotten = "shed-forgotten", "I6" "I2";
    /// A sale that failed inside is declined on the line, and goes on.
    UnansweredGoesOn = "unanswered-goes-on", "I2" "I1";
    /// An approval that comes too late for one asking is taken back, though a repeat of it may have been told.
    LateApprovalUndone = "late-approval-undone", "I1" "I6";
    /// When a message came is part of what makes it a repeat.
    RepeatByTime = "repeat-by-time", "I3" "I6";
    /// A reversal over a line is acknowledged before anybody has heard of it.
    ReversalAckedUnheard = "reversal-acked-unheard", "I2" "I1";
    /// An approval code is made up for each answer.
    ApprovalCodeByAnswer = "approval-code-by-answer", "I6";
    /// The platform forgets a reversal that found nothing to undo: a late debit slips in.
    NoTombstone = "no-tombstone", "I2" "I1";
    /// The platform debits for each credential under one permit.
    PlatformDebitsTwice = "platform-debits-twice", "I3" "I2";
    /// The platform gives money back once for each reversal that it is sent.
    PlatformUndoesTwice = "platform-undoes-twice", "I12";
}

/// Whether this bug is alive here and now.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn is_planted(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted")]
pub use alive::{Planted, hits, is_planted, plant};

#[cfg(feature = "planted")]
mod alive {
    use super::Bug;
    use std::cell::Cell;
    use std::marker::PhantomData;
    use std::sync::OnceLock;

    thread_local! {
        static HERE: Cell<Option<Bug>> = const { Cell::new(None) };
        static HITS: Cell<u64> = const { Cell::new(0) };
    }

    /// Whether this bug is alive on this thread, or in this process.
    pub fn is_planted(bug: Bug) -> bool {
        let alive = HERE.get().or_else(everywhere) == Some(bug);
        if alive {
            HITS.set(HITS.get().saturating_add(1));
            tell_once(bug);
        }
        alive
    }

    /// Leaves the bug's name in the file `TURNOUT_PLANTED_SEEN`: a hunt that never came by its bug proves nothing.
    ///
    /// # Panics
    /// If the file cannot be written.
    fn tell_once(bug: Bug) {
        static TOLD: OnceLock<()> = OnceLock::new();
        TOLD.get_or_init(|| {
            if let Some(file) = std::env::var_os("TURNOUT_PLANTED_SEEN") {
                std::fs::write(&file, bug.name())
                    .expect("TURNOUT_PLANTED_SEEN names a file that can be written");
            }
        });
    }

    /// The bug of the whole process: `TURNOUT_PLANTED`.
    ///
    /// # Panics
    /// If it names no bug: a hunt for nothing would find nothing.
    fn everywhere() -> Option<Bug> {
        static BUG: OnceLock<Option<Bug>> = OnceLock::new();
        *BUG.get_or_init(|| {
            let name = std::env::var("TURNOUT_PLANTED").ok().filter(|name| !name.is_empty())?;
            let bug = Bug::ALL.iter().copied().find(|bug| bug.name() == name);
            Some(bug.unwrap_or_else(|| panic!("TURNOUT_PLANTED={name} names no bug; see actors::planted")))
        })
    }

    /// How often this thread has come by the bug that is alive on it.
    pub fn hits() -> u64 {
        HITS.get()
    }

    /// Keeps a bug alive on this thread until it is dropped.
    pub struct Planted(PhantomData<*const ()>);

    /// Plants a bug on this thread.
    #[must_use]
    pub fn plant(bug: Bug) -> Planted {
        HERE.set(Some(bug));
        HITS.set(0);
        Planted(PhantomData)
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            HERE.set(None);
        }
    }
}

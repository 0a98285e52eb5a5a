//! The world that the actors share: the ports they act through, and the directories of one another.
//!
//! Built once by the composition root. The directories need the world and the world needs the directories, so
//! they are hung in afterwards; nothing is asked before that.
use crate::directory::Directory;
use crate::domain::backoff::Backoff;
use crate::domain::identity::PlatformId;
use crate::merchant::Merchant;
use crate::outbox::PlatformOutbox;
use crate::payer::Payer;
use crate::ports::binding_store::BindingStore;
use crate::ports::clock::{Clock, Dice};
use crate::ports::code_sender::CodeSender;
use crate::ports::journal::Journal;
use crate::ports::platform::Platform;
use crate::ports::roster::Roster;
use crate::suspects::Suspects;
use crate::terminal_session::TerminalSession;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The ports and the directories.
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub dice: Arc<dyn Dice>,
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// Who stands where, quickly.
    pub bindings: Arc<dyn BindingStore>,
    /// Who is known.
    pub roster: Arc<dyn Roster>,
    /// How one-time codes leave.
    pub codes: Arc<dyn CodeSender>,
    /// The platforms, by their names in the configuration.
    pub platforms: BTreeMap<PlatformId, Arc<dyn Platform>>,
    /// What the operator set.
    pub rules: Rules,
    /// What broke its keeper of late.
    pub suspects: Arc<Suspects>,
    rooms: OnceLock<Rooms>,
}

/// What the operator set for all payments alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a phone's claim to a terminal lasts if nothing comes of it.
    pub binding_lasts: Duration,
    /// How long a one-time code is good for.
    pub code_lasts: Duration,
    /// How often a wrong code may be tried.
    pub code_tries_max: u8,
    /// How debts are retried.
    pub owed_backoff: Backoff,
    /// How many debts of one platform are tried at once.
    pub owed_in_flight_max: usize,
    /// How long a platform may take to acknowledge a debt.
    pub owed_within: Duration,
}

/// Where the actors are found.
#[derive(Clone)]
pub struct Rooms {
    /// One per terminal.
    pub sessions: Directory<TerminalSession>,
    /// One per payer.
    pub payers: Directory<Payer>,
    /// One per merchant.
    pub merchants: Directory<Merchant>,
    /// One per platform.
    pub outboxes: Directory<PlatformOutbox>,
}

/// The ports, before anybody lives among them.
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub dice: Arc<dyn Dice>,
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// Who stands where, quickly.
    pub bindings: Arc<dyn BindingStore>,
    /// Who is known.
    pub roster: Arc<dyn Roster>,
    /// How one-time codes leave.
    pub codes: Arc<dyn CodeSender>,
    /// The platforms.
    pub platforms: Vec<Arc<dyn Platform>>,
}

impl World {
    /// A world without actors yet.
    pub fn new(ports: Ports, rules: Rules) -> Self {
        let platforms = ports.platforms.into_iter().map(|platform| (platform.id(), platform)).collect();
        Self {
            clock: ports.clock,
            dice: ports.dice,
            journal: ports.journal,
            bindings: ports.bindings,
            roster: ports.roster,
            codes: ports.codes,
            platforms,
            rules,
            suspects: Arc::default(),
            rooms: OnceLock::new(),
        }
    }

    /// Hangs the directories in; the first to be hung stay.
    pub fn furnish(&self, rooms: Rooms) {
        self.rooms.get_or_init(|| rooms);
    }

    /// The directories.
    ///
    /// # Panics
    /// If nobody furnished the world: a bug of the composition root.
    pub fn rooms(&self) -> &Rooms {
        self.rooms.get().expect("the composition root furnishes the world before anything is asked of it")
    }
}

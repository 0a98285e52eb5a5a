//! A stage: one house whose switch is started again whenever it dies, and the evidence that gathers over all its stories.
//!
//! A story is over when its till has an ending and the platform's books agree with it. Whatever strikes the switch
//! meanwhile comes from outside; the stage only says how often it died, and of what.
use crate::auditor::{Audit, Held, Shown, Sold, audited};
use crate::brim;
use crate::house::{Log, Site, heard, turnout};
use crate::story::{Story, Telling};
use actors::domain::time::Timestamp;
use adapters::rfc3339;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The books agree with the till within this, once the till has its ending.
const QUIET_WITHIN: Duration = Duration::from_secs(40);
const LESS_THAN_A_PAYMENT: usize = 600;
const DIES_WITHIN: Duration = Duration::from_secs(10);
const READY_WITHIN: Duration = Duration::from_secs(10);
const THREADS_DIFFER: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(20);

/// SIGKILL and SIGABRT.
pub const KILLED: i32 = 9;
pub const ABORTED: i32 = 6;

/// A house with a switch in it.
pub struct Stage {
    pub site: Site,
    pub switch: Child,
    /// What the switch died of, in the present story.
    pub deaths: Vec<ExitStatus>,
    /// How the switch is started again, if not plainly: used up by one start.
    pub next_start: Option<Command>,
    sold: Vec<Sold>,
    shown: Vec<Shown>,
    /// What was sold before this is in another journal.
    in_journal_from: usize,
    number: u64,
}

impl Stage {
    /// A house with a running switch; its payments are numbered from here on.
    pub async fn open(first_number: u64) -> Self {
        Self::at(Site::small(), first_number).await
    }

    /// A running switch in this house.
    pub async fn at(site: Site, first_number: u64) -> Self {
        let switch = started(&site).await;
        Self {
            site,
            switch,
            deaths: Vec::new(),
            next_start: None,
            sold: Vec::new(),
            shown: Vec::new(),
            in_journal_from: 0,
            number: first_number,
        }
    }

    /// The switch's process.
    pub fn pid(&self) -> u32 {
        self.switch.id().expect("the switch runs between stories")
    }

    /// Plays a story to its quiet end; what is wrong then.
    pub async fn tells(&mut self, story: Story) -> Vec<String> {
        self.number += 1;
        self.deaths.clear();
        let Self { site, switch, deaths, next_start, .. } = self;
        let telling = Telling::new(site, story, self.number);
        let playing = async {
            let (sold, shown) = telling.told().await.map_err(|fault| vec![fault])?;
            let violations = quiet(site, &sold, shown.as_ref()).await;
            if violations.is_empty() { Ok((sold, shown)) } else { Err(violations) }
        };
        let mut playing = Box::pin(playing);
        let ending = loop {
            tokio::select! {
                ending = &mut playing => break ending,
                died = switch.wait() => {
                    deaths.push(died.unwrap());
                    *switch = restarted(site, next_start.take(), deaths).await;
                }
            }
        };
        match ending {
            Ok((sold, shown)) => {
                self.sold.push(Sold { across: !self.deaths.is_empty(), ..sold });
                self.shown.extend(shown);
                Vec::new()
            }
            Err(violations) => violations,
        }
    }

    /// What struck it at the story's end has yet to be seen: waits for that death and starts it again.
    pub async fn dies_late(&mut self) {
        let died = tokio::time::timeout(DIES_WITHIN, self.switch.wait()).await;
        self.deaths.push(died.expect("it was struck, and it lives").unwrap());
        self.switch = restarted(&self.site, self.next_start.take(), &mut self.deaths).await;
    }

    /// Takes in what was sold outside of [`Self::tells`].
    pub fn witnessed(&mut self, sold: Sold, shown: Option<Shown>) {
        self.sold.push(sold);
        self.shown.extend(shown);
    }

    /// Has a new process for the next story, the till free, and the journal as the story wants it.
    pub async fn refreshed(&mut self, story: Story) {
        self.switch.start_kill().unwrap();
        self.switch.wait().await.unwrap();
        if story == Story::SaleAcrossSegments {
            self.brought_to_the_brim();
        }
        self.switch = started(&self.site).await;
        self.freed().await;
    }

    /// Sends the last story's phone away from the till.
    pub async fn freed(&self) {
        self.site.till(0).clear().await.expect("a ready switch sends a phone away");
    }

    /// A journal whose segment ends within the next payment.
    fn brought_to_the_brim(&mut self) {
        let (journal, full) = (self.site.journal(), self.site.folder.path().join("full"));
        if !full.exists() {
            brim::fill(&full, LESS_THAN_A_PAYMENT);
        }
        std::fs::remove_dir_all(&journal).unwrap();
        std::fs::create_dir(&journal).unwrap();
        for file in std::fs::read_dir(&full).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), journal.join(file.file_name())).unwrap();
        }
        for file in ["read-model.sqlite", "read-model.sqlite-wal", "read-model.sqlite-shm"] {
            std::fs::remove_file(self.site.folder.path().join(file)).ok();
        }
        self.in_journal_from = self.sold.len();
    }

    /// Whether the last story ended with an approved sale.
    pub fn was_approved(&self) -> bool {
        self.sold.last().is_some_and(|sale| matches!(sale.held, Held::Approved(_)))
    }

    /// How many hours lie between the journal's first record and its last.
    pub async fn journal_hours(&self) -> u64 {
        let times = times(&shown_journal(&self.site).await);
        times.last().zip(times.first()).map_or(0, |(last, first)| last.since(*first).as_secs() / 3_600)
    }

    /// Everything that was ever told here against everything that was booked, then against the journal.
    pub async fn closed(&mut self) -> Audit {
        let mut audit = audited(&self.sold, &self.shown, &self.site.books().await);
        self.switch.start_kill().unwrap();
        self.switch.wait().await.unwrap();
        audit.violations.extend(against_journal(&self.site, &self.sold[self.in_journal_from..]).await);
        audit
    }
}

/// A switch that is ready: all its threads are there.
async fn started(site: &Site) -> Child {
    let switch = site.opened(Log::Nowhere).await;
    readiness(site).await;
    switch
}

async fn readiness(site: &Site) {
    let question = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    loop {
        if TcpStream::connect(("127.0.0.1", site.ports.admin)).await.is_ok()
            && heard(site.ports.admin, question, READY_WITHIN).await.status() == Some(200)
        {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn restarted(site: &Site, by: Option<Command>, deaths: &mut Vec<ExitStatus>) -> Child {
    if let Some(command) = by {
        match site.opened_by(command).await {
            Ok(child) => return child,
            Err(died) => deaths.push(died),
        }
    }
    site.opened(Log::Nowhere).await
}

/// Waits until the books agree with the till, or for as long as they may take.
async fn quiet(site: &Site, sold: &Sold, shown: Option<&Shown>) -> Vec<String> {
    let looks = QUIET_WITHIN.as_millis() / LOOK.as_millis();
    let mut violations = Vec::new();
    for _ in 0..looks {
        let mut books = site.books().await;
        books.payments.retain(|entry| entry.payment == sold.id);
        violations =
            audited(std::slice::from_ref(sold), shown.map_or(&[], std::slice::from_ref), &books).violations;
        if violations.is_empty() {
            return violations;
        }
        tokio::time::sleep(LOOK).await;
    }
    violations
}

/// The journal is sound, what was approved is in it (I15), and its time never runs back (I19).
async fn against_journal(site: &Site, sold: &[Sold]) -> Vec<String> {
    let verified = turnout().args(["journal", "verify"]).arg(site.journal()).output().await.unwrap();
    let mut violations = Vec::new();
    if !verified.status.success() {
        violations.push(format!("I15 {}", String::from_utf8_lossy(&verified.stdout)));
    }
    let shown = shown_journal(site).await;
    for sale in sold.iter().filter(|sale| matches!(sale.held, Held::Approved(_))) {
        if !shown.lines().any(|line| line.contains(&sale.id) && line.contains("settled")) {
            let known: Vec<&str> = shown.lines().filter(|line| line.contains(&sale.id)).collect();
            violations.push(format!("I15 the journal knows only {known:#?} of {sale:?}"));
        }
    }
    let times = times(&shown);
    for pair in times.windows(2) {
        // Records of one batch come from several threads.
        if pair[0].since(pair[1]) > THREADS_DIFFER {
            violations.push(format!("I19 the journal's time runs back: {pair:?}"));
        }
    }
    violations
}

async fn shown_journal(site: &Site) -> String {
    let shown = turnout().args(["journal", "show"]).arg(site.journal()).output().await.unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).unwrap()
}

fn times(shown: &str) -> Vec<Timestamp> {
    shown.lines().map(|line| rfc3339::parse(line.split_whitespace().nth(1).unwrap()).unwrap()).collect()
}

/// The signals that the switch died of; an end by an exit code is 0.
pub fn signals(deaths: &[ExitStatus]) -> Vec<i32> {
    deaths.iter().map(|death| death.signal().unwrap_or(0)).collect()
}

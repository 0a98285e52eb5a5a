//! The other two accounts of a run: the platform's books and the switch's journal, both as their owners publish them.
//!
//! The books come from the sandbox's `GET /v1/books`; the journal from `turnout journal payments FOLDER`. Only what a
//! judge needs is read. What either held before the run began is not the run's.
use actors::domain::identity::PaymentId;
use adapters::players::Surroundings;
use adapters::players::connection::{Address, Ask, Connection};
use anyhow::{Context, bail, ensure};
use hyper::Method;
use serde::{Deserialize, Deserializer};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// Books of more bytes than this are not a test's.
const BOOKS_BYTES_MAX: usize = 4 * 1024 * 1024 * 1024;
const BOOKS_WITHIN: Duration = Duration::from_mins(2);

/// One payment in the platform's books.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Booked {
    #[serde(deserialize_with = "payment_id")]
    pub payment: PaymentId,
    /// `permitted`, `pending`, `paid`, `failed` or `reversed`.
    pub status: String,
    #[serde(default)]
    pub amount: Option<String>,
    #[serde(default)]
    pub currency: Option<String>,
    #[serde(default)]
    pub merchant: Option<String>,
    #[serde(default)]
    pub reference: Option<String>,
    #[serde(default)]
    pub refunds: Vec<Refunded>,
}

/// Money that the platform gave back of a payment that stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refunded {
    pub amount: String,
}

/// One payment in the switch's journal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Journaled {
    #[serde(deserialize_with = "payment_id")]
    pub payment: PaymentId,
    /// `open`, `paid`, `declined`, `reversing` or `reversed`.
    pub status: String,
    #[serde(default)]
    pub merchant: Option<String>,
    #[serde(default)]
    pub amount: Option<String>,
    #[serde(default)]
    pub currency: Option<String>,
    /// How often its money moved.
    pub settled: u32,
    #[serde(default)]
    pub settled_amount: Option<String>,
    #[serde(default)]
    pub reference: Option<String>,
    #[serde(default)]
    pub refunds: u32,
}

#[derive(Deserialize)]
struct BooksPage {
    payments: Vec<Booked>,
}

fn payment_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PaymentId, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    PaymentId::parse(&text).map_err(serde::de::Error::custom)
}

/// Where the two accounts are read.
#[derive(Clone)]
pub struct Archives {
    pub surroundings: Surroundings,
    pub platform: Option<Address>,
    pub journal: Option<PathBuf>,
    /// The program that reads the journal.
    pub turnout: PathBuf,
}

/// What the archives say.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    pub books: Option<Vec<Booked>>,
    pub journal: Option<Vec<Journaled>>,
}

/// The payments that were there before the run.
#[derive(Clone, Debug, Default)]
pub struct Before(HashSet<PaymentId>);

impl Before {
    pub fn holds(&self, payment: PaymentId) -> bool {
        self.0.contains(&payment)
    }
}

impl Archives {
    pub async fn read(&self) -> anyhow::Result<Accounts> {
        let books = match &self.platform {
            Some(platform) => Some(books(&self.surroundings, platform).await?),
            None => None,
        };
        let journal = match &self.journal {
            Some(folder) => Some(journal(&self.turnout, folder).await?),
            None => None,
        };
        Ok(Accounts { books, journal })
    }

    /// What is there already, and that both can be read at all.
    pub async fn before(&self) -> anyhow::Result<Before> {
        let Accounts { books, journal } = self.read().await?;
        let booked = books.into_iter().flatten().map(|booked| booked.payment);
        let journaled = journal.into_iter().flatten().map(|line| line.payment);
        Ok(Before(booked.chain(journaled).collect()))
    }

    /// `turnout 0.1.0`, if the program can be run.
    pub async fn version(&self) -> Option<String> {
        let said = Command::new(&self.turnout).arg("--version").stderr(Stdio::null()).output().await.ok()?;
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }
}

async fn books(surroundings: &Surroundings, platform: &Address) -> anyhow::Result<Vec<Booked>> {
    let failed = || format!("the books of the sandbox at {platform} cannot be read");
    let reading = async {
        let connection = Connection::new(surroundings.clone(), platform.clone());
        let ask = Ask::new(Method::GET, "/v1/books");
        let mut stream = connection.open_stream(ask, BOOKS_WITHIN).await?;
        let mut bytes = Vec::new();
        while let Some(more) = stream.next().await {
            bytes.extend_from_slice(&more);
            ensure!(bytes.len() <= BOOKS_BYTES_MAX, "they are larger than {BOOKS_BYTES_MAX} bytes");
        }
        let page: BooksPage = serde_json::from_slice(&bytes)?;
        anyhow::Ok(page.payments)
    };
    let read = tokio::time::timeout(BOOKS_WITHIN, reading).await;
    read.context("nothing came in two minutes").flatten().with_context(failed)
}

async fn journal(turnout: &Path, folder: &Path) -> anyhow::Result<Vec<Journaled>> {
    let mut command = Command::new(turnout);
    command.args(["journal", "payments"]).arg(folder).kill_on_drop(true);
    let said = command.output().await;
    let said = said.with_context(|| {
        format!("{} cannot be run: name the switch's binary with --turnout", turnout.display())
    })?;
    if !said.status.success() {
        let why = String::from_utf8_lossy(&said.stderr).trim().to_owned();
        bail!("--journal {}: {} cannot read it: {why}", folder.display(), turnout.display());
    }
    let lines = said.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).context("`turnout journal payments`")).collect()
}

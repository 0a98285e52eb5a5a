//! The stories: each plays till and phone through the public interface, and ends at the platform's books.
use super::Told;
use super::cast::{TILLS, ada, ada_mistyped, euros, subscriber};
use super::stage::{self, Ports, Stage, phone_at, till_at};
use crate::sandbox::RunningSandbox;
use crate::sandbox::trouble::{Operation, Rule, Trouble, Troubles};
use adapters::players::phone::{Phone, Script};
use adapters::players::sealing::DiceSealer;
use adapters::players::seen::{PaymentSeen, Status};
use adapters::players::till::{Order, Sale, Till};
use anyhow::{Context, bail, ensure};
use futures_util::future::LocalBoxFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// A story.
pub(super) struct Story {
    pub(super) name: &'static str,
    requirements: &'static [&'static str],
    play: for<'a> fn(&'a mut Stage) -> LocalBoxFuture<'a, anyhow::Result<String>>,
}

/// All of them, in the order in which they are told.
pub(super) const ALL: [Story; 6] = [
    Story {
        name: "a sale is paid",
        requirements: &["OS-1", "OS-2", "OS-3", "OS-4", "OS-5", "OS-6", "OS-7", "OS-8", "OS-10"],
        play: |stage| Box::pin(paid(stage)),
    },
    Story {
        name: "a wrong password, then the right one",
        requirements: &["OS-6", "OS-7", "OS-9"],
        play: |stage| Box::pin(second_try(stage)),
    },
    Story {
        name: "the payer declines",
        requirements: &["OS-3", "OS-4", "OS-5"],
        play: |stage| Box::pin(declined(stage)),
    },
    Story {
        name: "a terminal that speaks ISO 8583 is paid, and takes it back",
        requirements: &["OS-2", "OS-3", "OS-5", "OS-8"],
        play: |stage| Box::pin(over_iso(stage)),
    },
    Story {
        name: "the platform goes silent and the payment is reversed",
        requirements: &["OS-5", "OS-9"],
        play: |stage| Box::pin(silent(stage)),
    },
    Story {
        name: "the switch is killed in mid-payment",
        requirements: &["OS-3", "OS-8", "OS-9"],
        play: |stage| Box::pin(killed(stage)),
    },
];

/// How long a till of the demo waits for its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the demo waits for something that has to come.
const COMING: Duration = Duration::from_secs(20);

impl Story {
    pub(super) async fn tell(&self, stage: &mut Stage) -> Told {
        let began = stage.surroundings.clock.now();
        let played = tokio::time::timeout(Duration::from_mins(1), (self.play)(stage)).await;
        let took = stage.surroundings.clock.now().since(began);
        let (outcome, as_it_should) = match played {
            Ok(Ok(outcome)) => (outcome, true),
            Ok(Err(error)) => (format!("failed: {error:#}"), false),
            Err(_) => ("failed: it did not end within a minute".to_owned(), false),
        };
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Told { story: self.name, requirements: self.requirements, outcome, as_it_should, ms }
    }
}

/// A till and a phone of one house, about to meet.
struct Meeting {
    till: Till,
    phone: Phone,
    at: &'static str,
    order: Order,
}

/// What both sides hold in the end.
struct Held {
    sale: Sale,
    seen: PaymentSeen,
}

impl Meeting {
    async fn at(stage: &Stage, till: usize, payer: u16, amount: &str) -> anyhow::Result<Self> {
        let order = Order::new(&stage.surroundings, euros(amount)?, PATIENCE)?;
        let at = TILLS.get(till).context("there are two tills")?.id;
        Ok(Self { till: stage.till(till)?, phone: stage.phone(&subscriber(payer)).await?, at, order })
    }

    /// The phone stands at the till first; then the till asks.
    async fn phone_first(mut self, stage: &Stage, script: Script<'_>) -> anyhow::Result<Held> {
        self.phone.bind(self.at).await?;
        self.play(stage, script).await
    }

    /// The till asks first; then the phone comes.
    async fn amount_first(mut self, stage: &Stage, script: Script<'_>) -> anyhow::Result<Held> {
        self.till.place(&self.order, Duration::ZERO).await?;
        self.phone.bind(self.at).await?;
        self.play(stage, script).await
    }

    async fn play(self, stage: &Stage, script: Script<'_>) -> anyhow::Result<Held> {
        let Self { mut till, mut phone, at, order } = self;
        let sealer = DiceSealer(stage.surroundings.dice.clone());
        let selling = till.sell(&order);
        let paying = async {
            let mut events = phone.events()?;
            let asked = phone.awaits_confirmation(&mut events, Some(at)).await?;
            phone.play(asked, script, &sealer).await
        };
        let (sale, seen) = tokio::join!(selling, paying);
        Ok(Held { sale: sale?, seen: seen? })
    }
}

async fn paid(stage: &mut Stage) -> anyhow::Result<String> {
    let meeting = Meeting::at(stage, 0, 1, "12.50").await?;
    let held = meeting.phone_first(stage, Script::Pay(&[ada()])).await?;
    both_paid(stage, &held, "12.50")
}

async fn second_try(stage: &mut Stage) -> anyhow::Result<String> {
    let meeting = Meeting::at(stage, 0, 2, "8.20").await?;
    let held = meeting.amount_first(stage, Script::Pay(&[ada_mistyped(), ada()])).await?;
    ensure!(
        held.seen.attempt == Some(2) || held.seen.attempt.is_none(),
        "it took {:?} tries",
        held.seen.attempt
    );
    let text = both_paid(stage, &held, "8.20")?;
    Ok(format!("the first password was wrong, a second permit was given; {text}"))
}

async fn declined(stage: &mut Stage) -> anyhow::Result<String> {
    let held = Meeting::at(stage, 1, 3, "99.00").await?.amount_first(stage, Script::Decline).await?;
    ensure!(held.sale == Sale::Declined { code: "05".to_owned() }, "the till holds {:?}", held.sale);
    ensure!(book(stage, &held.seen.id).is_none(), "the platform was asked although the payer said no");
    Ok("the till was told 05 (do not honour), and the platform was never asked".to_owned())
}

/// 0800, 0200 and its repeat, 0400: over the first line.
async fn over_iso(stage: &mut Stage) -> anyhow::Result<String> {
    let (mut pos, mut phone) = (stage.pos(1)?, stage.phone(&subscriber(5)).await?);
    ensure!(pos.manage("001").await?.code == "00", "the terminal could not sign on");
    let order = pos.order(euros("4.20")?, PATIENCE);
    let at = TILLS.get(1).context("there are two tills")?.id;
    let sealer = DiceSealer(stage.surroundings.dice.clone());
    phone.bind(at).await?;
    let paying = async {
        let mut events = phone.events()?;
        let asked = phone.awaits_confirmation(&mut events, Some(at)).await?;
        phone.play(asked, Script::Pay(&[ada()]), &sealer).await
    };
    let (sold, seen) = tokio::join!(pos.sell(&order), paying);
    seen?;
    let Sale::Approved { id: reference, reference: approval } = sold? else { bail!("0210 was no approval") };
    let again = pos.place(&order, true, PATIENCE).await?;
    ensure!(again.reference.as_ref() == Some(&reference), "the repeat was answered in other words");
    ensure!(pos.take_back(&order).await? == Sale::Reversed, "the reversal was not answered");
    let approval = approval.unwrap_or_default();
    Ok(format!(
        "0210 with 00, reference {reference}, approval {approval}; repeated word for word; 0410 with 00"
    ))
}

async fn silent(stage: &mut Stage) -> anyhow::Result<String> {
    let rule = |trouble, operation, next| Rule { trouble, operation, next, payer: None };
    troubled(
        &stage.sandbox,
        Troubles {
            latency_ms: 0,
            rules: vec![
                rule(Trouble::Silent, Operation::Pay, None),
                rule(Trouble::NoCallback, Operation::Pay, None),
                rule(Trouble::Silent, Operation::Query, None),
                rule(Trouble::Lost, Operation::Reversal, Some(1)),
            ],
        },
    )?;
    let mut meeting = Meeting::at(stage, 0, 4, "30.00").await?;
    meeting.order.answer_within = Duration::from_secs(6);
    let held = meeting.phone_first(stage, Script::Pay(&[ada()])).await;
    troubled(&stage.sandbox, Troubles::NONE)?;
    let held = held?;
    ensure!(!matches!(held.sale, Sale::Approved { .. }), "the till holds {:?}", held.sale);
    let book = reversed_in_the_end(stage, &held.seen.id).await?;
    Ok(format!(
        "the money had moved, nobody said so; the till was told no in time, the reversal was repeated until \
         it was acknowledged: {book}"
    ))
}

async fn killed(stage: &mut Stage) -> anyhow::Result<String> {
    let ports = Ports::free()?;
    let folder = stage.folder.join("killed");
    std::fs::create_dir_all(&folder)?;
    let secret = stage::new_secret(&stage.surroundings);
    let sandbox = stage::sandbox(&stage.surroundings, ports, &secret)?;
    // The platform takes its time, so that the kill finds the payment between question and answer.
    let slow = Rule { trouble: Trouble::LateAnswer, operation: Operation::Pay, next: Some(1), payer: None };
    troubled(&sandbox, Troubles { latency_ms: 0, rules: vec![slow] })?;
    let config = stage::write_config(&folder, ports, &secret)?;
    let mut switch = serve(&config)?;
    ready(ports).await?;
    let door = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut till = till_at(&stage.surroundings, door(ports.terminals), 0)?;
    let order = Order::new(&stage.surroundings, euros("17.00")?, PATIENCE)?;
    let selling = actix_rt::spawn(async move { till.sell(&order).await });
    let mut phone = phone_at(&stage.surroundings, door(ports.phones), &subscriber(5)).await?;
    phone.bind(TILLS[0].id).await?;
    let seen = confirmed(&mut phone).await?;
    let sealer = DiceSealer(stage.surroundings.dice.clone());
    let presenting = phone.present(&seen, ada(), &sealer);
    // The phone's answer is lost with the switch; what it holds in the end it asks for again.
    drop(tokio::time::timeout(Duration::from_millis(300), presenting).await);
    switch.start_kill()?;
    switch.wait().await?;
    let mut switch = serve(&config)?;
    ready(ports).await?;
    let sale = tokio::time::timeout(COMING.saturating_add(PATIENCE), selling).await???;
    let books = sandbox.books();
    let booked = books.payments.iter().find(|entry| entry.payment == seen.id).map(|entry| entry.status);
    switch.start_kill()?;
    switch.wait().await?;
    sandbox.stop().await;
    match (&sale, booked) {
        (Sale::Approved { .. }, Some("paid")) => Ok(
            "killed with the platform's answer under way, started again: the till repeated its question and was told 00; \
             the platform's books hold exactly one debit"
                .to_owned(),
        ),
        (Sale::Declined { .. } | Sale::Reversed, Some("reversed") | None) => Ok(
            "killed with the platform's answer under way, started again: undone at both ends".to_owned(),
        ),
        (sale, booked) => bail!("the till holds {sale:?}, the platform {booked:?}"),
    }
}

async fn confirmed(phone: &mut Phone) -> anyhow::Result<PaymentSeen> {
    let mut events = phone.events()?;
    let asked = tokio::time::timeout(COMING, phone.awaits_confirmation(&mut events, None)).await??;
    let seen = phone.confirm(&asked).await?;
    ensure!(seen.interface.is_some(), "no interface: {:?}", seen.status);
    Ok(seen)
}

fn troubled(sandbox: &RunningSandbox, troubles: Troubles) -> anyhow::Result<()> {
    sandbox.set_troubles(troubles).map_err(|problem| anyhow::anyhow!("{problem:?}"))
}

fn serve(config: &Path) -> anyhow::Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command
        .arg("serve")
        .arg("--config")
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command.spawn().context("a second switch could not be started")
}

/// Waits until the switch with these ports takes connections.
async fn ready(ports: Ports) -> anyhow::Result<()> {
    let connected = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", ports.phones)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(COMING, connected).await.context("the second switch did not open its doors")
}

fn both_paid(stage: &Stage, held: &Held, amount: &str) -> anyhow::Result<String> {
    let Sale::Approved { id, reference } = &held.sale else { bail!("the till holds {:?}", held.sale) };
    ensure!(held.seen.status == Status::Approved, "the phone holds {:?}", held.seen.status);
    let (status, booked) = book(stage, id).context("the platform has no such payment")?;
    ensure!(status == "paid" && booked.as_deref() == Some(amount), "the platform booked {status} {booked:?}");
    let reference = reference.as_deref().unwrap_or("none");
    Ok(format!(
        "{amount} EUR paid: the till holds 00, the phone and the platform agree (reference {reference})"
    ))
}

fn book(stage: &Stage, id: &str) -> Option<(&'static str, Option<String>)> {
    let books = stage.sandbox.books();
    let entry = books.payments.into_iter().find(|entry| entry.payment == id)?;
    Some((entry.status, entry.amount))
}

async fn reversed_in_the_end(stage: &Stage, id: &str) -> anyhow::Result<String> {
    let reversed = async {
        loop {
            if let Some(("reversed", amount)) = book(stage, id) {
                return amount.unwrap_or_default();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let amount = tokio::time::timeout(COMING, reversed).await.context("the reversal was not acknowledged")?;
    Ok(format!("{amount} EUR are back"))
}

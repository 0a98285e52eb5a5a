//! kill -9 at random moments, a hundred times, with sales under way: every payment ends the same at both ends.
//!
//! A real `turnout serve` is killed and started again while tills that conform and phones that just go on keep selling
//! and paying. The auditor then holds what every till was told against the platform's own books, and nothing else.
//! `KILLS` sets how often; `SEED` which moments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
use crate::auditor::{Audit, Held, Sold, audited};
use crate::house::{Log, Site, TillKey, turnout};
use actors::domain::identity::{Keeper, PaymentId, TerminalId};
use actors::domain::money::Money;
use adapters::players::PlayFault;
use adapters::players::phone::Phone;
use adapters::players::sealing::DiceSealer;
use adapters::players::seen::Status;
use adapters::players::till::{Order, Sale};
use adapters::seal::Credential;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const PAIRS: usize = 4;
const ACCOUNT: &str = "everybody";
const PASSWORD: &str = "one-for-all";

/// A till waits so long for its answer; long enough for a restart in between.
const PATIENCE: Duration = Duration::from_secs(15);
/// What is still owed at the end has to be paid within this.
const QUIET: Duration = Duration::from_secs(40);

#[test]
fn a_hundred_kills_leave_every_payment_done_or_undone_at_both_ends() {
    let kills = setting("KILLS", 100);
    let seed = setting("SEED", 20_260_101);
    let audit = actix_rt::System::new().block_on(play(kills, seed));
    println!("kills {kills}, seed {seed}: {audit:?}");
    assert_eq!(audit.violations, Vec::<String>::new(), "seed {seed}");
    assert!(
        audit.approved >= usize::try_from(kills).unwrap() / 2,
        "too few sales to prove anything: {audit:?}"
    );
    assert!(audit.across_a_kill > 0 && audit.sales > 0, "no sale was under way at a kill: {audit:?}");
}

type Playing = std::pin::Pin<Box<dyn Future<Output = ()>>>;

struct Scene {
    site: Site,
    is_over: Cell<bool>,
    kills: Cell<u64>,
    sold: RefCell<Vec<Sold>>,
}

async fn play(kills: u64, seed: u64) -> Audit {
    let scene = Rc::new(Scene {
        site: Site::new(
            (0..PAIRS).map(till_key).collect(),
            Credential { account: ACCOUNT, password: PASSWORD },
        ),
        is_over: Cell::new(false),
        kills: Cell::new(0),
        sold: RefCell::default(),
    });
    let mut switch = scene.site.opened(Log::Nowhere).await;
    let spawn_all = |play: fn(Rc<Scene>, usize) -> Playing| -> Vec<_> {
        (0..PAIRS).map(|pair| actix_rt::spawn(play(Rc::clone(&scene), pair))).collect()
    };
    let tills = spawn_all(|scene, pair| Box::pin(selling(scene, pair)));
    let phones = spawn_all(|scene, pair| Box::pin(paying(scene, pair)));
    let mut random = seed;
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(20 + next(&mut random) % 380)).await;
        switch.start_kill().unwrap();
        switch.wait().await.unwrap();
        scene.kills.set(scene.kills.get() + 1);
        switch = scene.site.opened(Log::Nowhere).await;
    }
    scene.is_over.set(true);
    for till in tills {
        tokio::time::timeout(PATIENCE * 4, till).await.expect("a till that never ends").unwrap();
    }
    // Phones go on for as long as a till may still wait for its payer.
    phones.iter().for_each(actix_rt::task::JoinHandle::abort);
    let audit = settled(&scene).await;
    switch.start_kill().unwrap();
    switch.wait().await.unwrap();
    let verified = turnout().args(["journal", "verify"]).arg(scene.site.journal()).output().await.unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    audit
}

/// Sells until the scene is over; each sale ends with an answer or an acknowledged reversal.
async fn selling(scene: Rc<Scene>, pair: usize) {
    let id = TerminalId::new(&till_key(pair).id).unwrap();
    let mut till = scene.site.till(pair);
    let mut cents = 100;
    while !scene.is_over.get() {
        cents += 1;
        let money = Money::parse(&format!("{}.{:02}", cents / 100, cents % 100), "EUR").unwrap();
        let order = Order::new(&scene.site.surroundings, money, PATIENCE).unwrap();
        let before = scene.kills.get();
        let sale = till.sell(&order).await.expect("the switch deals with a till that it knows");
        scene.sold.borrow_mut().push(Sold {
            id: PaymentId::derive(&Keeper::Terminal(id), &order.key).to_string(),
            amount: money.decimal(),
            held: held(sale),
            told_again: None,
            refunds: Vec::new(),
            across: scene.kills.get() > before,
        });
    }
}

/// Does whatever is asked of the payer, again and again.
async fn paying(scene: Rc<Scene>, pair: usize) {
    let mut phone = scene.site.phone();
    let mut is_in = false;
    loop {
        if !is_in {
            is_in = phone.log_in_by_shown_code(&format!("+99900011{pair:02}")).await.is_ok();
        }
        // Whatever went wrong, the list is the truth: look again.
        if act(&scene, &mut phone, pair).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn act(scene: &Scene, phone: &mut Phone, pair: usize) -> Result<(), PlayFault> {
    phone.bind(&format!("T{pair}")).await?;
    let sealer = DiceSealer(scene.site.surroundings.dice.clone());
    let credential = scene.site.account();
    for payment in phone.payments().await? {
        match payment.status {
            Status::AwaitingConfirmation => {
                let seen = phone.confirm(&payment).await?;
                if seen.interface.is_some() {
                    phone.present(&seen, credential, &sealer).await?;
                }
            }
            Status::AwaitingPayment => drop(phone.present(&payment, credential, &sealer).await?),
            _ => {}
        }
    }
    Ok(())
}

/// Waits until the books agree with the tills, or for as long as they may take.
async fn settled(scene: &Scene) -> Audit {
    let looks = u32::try_from(QUIET.as_millis() / 250).unwrap();
    let mut audit = Audit::default();
    for _ in 0..looks {
        let books = scene.site.books().await;
        audit = audited(&scene.sold.borrow(), &[], &books);
        if audit.violations.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    audit
}

fn held(sale: Sale) -> Held {
    match sale {
        Sale::Approved { reference, .. } => Held::Approved(reference),
        Sale::Declined { .. } => Held::Declined,
        Sale::Reversed => Held::TakenBack,
    }
}

fn till_key(pair: usize) -> TillKey {
    TillKey { id: format!("T{pair}"), key: format!("key-of-till-{pair}-in-this-test") }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a whole number"))
}

/// The moments only have to differ from run to run with the seed.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

//! kill -9 at random moments, a hundred times, with sales under way: every payment ends the same at both ends.
//!
//! A real `turnout serve` is killed and started again while tills that conform and phones that just go on keep selling
//! and paying. The auditor then holds what every till was told against the platform's own books, and nothing else.
//! `KILLS` sets how often; `SEED` which moments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
use actors::domain::identity::{Keeper, PaymentId, TerminalId};
use actors::domain::money::Money;
use actors::ports::clock::{Clock, Dice};
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::players::connection::Address;
use adapters::players::device::DeviceKey;
use adapters::players::phone::Phone;
use adapters::players::sealing::DiceSealer;
use adapters::players::seen::Status;
use adapters::players::till::{Order, Sale, Till};
use adapters::players::{PlayFault, Surroundings};
use adapters::seal::Credential;
use adapters::signature::SharedSecret;
use sha2::{Digest, Sha256};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use switch::sandbox::{self, AccountConfig, RunningSandbox, SandboxConfig, World, books::Policy};
use tokio::process::{Child, Command};

const PAIRS: usize = 4;
const ACCOUNT: &str = "everybody";
const PASSWORD: &str = "one-for-all";
const SECRET: &str = "whsec_a2lsbGVkLWFuZC1zdGFydGVkLWFnYWluLTAxMjM0NTY3";

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
    assert!(audit.across_a_kill > 0, "no sale was under way at a kill: {audit:?}");
}

#[test]
fn the_auditor_sees_a_debit_that_no_till_holds_and_an_approval_that_no_book_holds() {
    let books = BTreeMap::from([("pay_a".to_owned(), ("paid", "1.00".to_owned()))]);
    let orphan = audited(&[], &books);
    assert_eq!(orphan.violations.len(), 1, "{orphan:?}");
    let approved =
        |id: &str| Sold { id: id.to_owned(), amount: "1.00".into(), approved: true, across: false };
    let unpaid = audited(&[approved("pay_a"), approved("pay_b")], &books);
    assert_eq!(unpaid.violations.len(), 1, "{unpaid:?}");
    let declined = Sold { approved: false, ..approved("pay_a") };
    assert_eq!(audited(&[declined], &books).violations.len(), 1);
}

#[derive(Debug, Default)]
#[expect(dead_code, reason = "printed")]
struct Audit {
    sales: usize,
    approved: usize,
    across_a_kill: usize,
    violations: Vec<String>,
}

#[derive(Clone, Debug)]
struct Sold {
    id: String,
    amount: String,
    approved: bool,
    across: bool,
}

type Playing = std::pin::Pin<Box<dyn Future<Output = ()>>>;

struct Scene {
    surroundings: Surroundings,
    ports: [u16; 3],
    is_over: Cell<bool>,
    kills: Cell<u64>,
    sold: RefCell<Vec<Sold>>,
}

async fn play(kills: u64, seed: u64) -> Audit {
    let folder = tempfile::tempdir().unwrap();
    let ports = free_ports();
    let surroundings = surroundings();
    let sandbox = sandbox(&surroundings, &ports);
    let config = write_config(folder.path(), &ports, sandbox.address());
    let scene = Rc::new(Scene {
        surroundings,
        ports,
        is_over: Cell::new(false),
        kills: Cell::new(0),
        sold: RefCell::default(),
    });
    let mut switch = started(&config, &scene).await;
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
        switch = started(&config, &scene).await;
    }
    scene.is_over.set(true);
    for till in tills {
        tokio::time::timeout(PATIENCE * 4, till).await.expect("a till that never ends").unwrap();
    }
    // Phones go on for as long as a till may still wait for its payer.
    phones.iter().for_each(actix_rt::task::JoinHandle::abort);
    let audit = settled(&scene, &sandbox).await;
    switch.start_kill().unwrap();
    switch.wait().await.unwrap();
    let verified = Command::new(env!("CARGO_BIN_EXE_turnout"))
        .args(["journal", "verify"])
        .arg(folder.path().join("journal"))
        .output()
        .await
        .unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    sandbox.stop().await;
    audit
}

/// Sells until the scene is over; each sale ends with an answer or an acknowledged reversal.
async fn selling(scene: Rc<Scene>, pair: usize) {
    let id = TerminalId::new(&format!("T{pair}")).unwrap();
    let address = Address::new(&format!("http://127.0.0.1:{}", scene.ports[1])).unwrap();
    let mut till = Till::new(scene.surroundings.clone(), address, id, &key(pair)).unwrap();
    let mut cents = 100;
    while !scene.is_over.get() {
        cents += 1;
        let money = Money::parse(&format!("{}.{:02}", cents / 100, cents % 100), "EUR").unwrap();
        let order = Order::new(&scene.surroundings, money, PATIENCE).unwrap();
        let before = scene.kills.get();
        let sale = till.sell(&order).await.expect("the switch deals with a till that it knows");
        scene.sold.borrow_mut().push(Sold {
            id: PaymentId::derive(&Keeper::Terminal(id), &order.key).to_string(),
            amount: money.decimal(),
            approved: matches!(sale, Sale::Approved { .. }),
            across: scene.kills.get() > before,
        });
    }
}

/// Does whatever is asked of the payer, again and again.
async fn paying(scene: Rc<Scene>, pair: usize) {
    let address = Address::new(&format!("http://127.0.0.1:{}", scene.ports[0])).unwrap();
    let mut phone = Phone::new(scene.surroundings.clone(), address, DeviceKey::generate().unwrap());
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
    let sealer = DiceSealer(scene.surroundings.dice.clone());
    let credential = Credential { account: ACCOUNT, password: PASSWORD };
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
async fn settled(scene: &Scene, sandbox: &RunningSandbox) -> Audit {
    let looks = u32::try_from(QUIET.as_millis() / 250).unwrap();
    let mut audit = Audit::default();
    for _ in 0..looks {
        audit = audited(&scene.sold.borrow(), &booked(sandbox));
        if audit.violations.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    audit
}

fn booked(sandbox: &RunningSandbox) -> BTreeMap<String, (&'static str, String)> {
    let payments = sandbox.books().payments.into_iter();
    payments.map(|entry| (entry.payment, (entry.status, entry.amount.unwrap_or_default()))).collect()
}

/// Reads only what the tills were told and what the platform booked.
fn audited(sold: &[Sold], books: &BTreeMap<String, (&'static str, String)>) -> Audit {
    let mut audit = Audit { sales: sold.len(), ..Audit::default() };
    let held: BTreeMap<&str, &Sold> = sold.iter().map(|sale| (sale.id.as_str(), sale)).collect();
    for sale in sold {
        audit.across_a_kill += usize::from(sale.across);
        audit.approved += usize::from(sale.approved);
        let agrees = match (sale.approved, books.get(&sale.id)) {
            (true, Some((status, amount))) => *status == "paid" && *amount == sale.amount,
            (true, None) => false,
            (false, Some((status, _))) => *status == "reversed",
            (false, None) => true,
        };
        if !agrees {
            audit.violations.push(format!("{sale:?} but the books say {:?}", books.get(&sale.id)));
        }
    }
    for (id, (status, _)) in books {
        if *status == "paid" && !held.contains_key(id.as_str()) {
            audit.violations.push(format!("{id} was paid, and no till knows of it"));
        }
    }
    audit
}

async fn started(config: &Path, scene: &Scene) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    let child = command.arg("serve").arg("--config").arg(config).kill_on_drop(true);
    let mut child = child.stderr(std::process::Stdio::null()).spawn().unwrap();
    for _ in 0..3_000 {
        if tokio::net::TcpStream::connect(("127.0.0.1", scene.ports[0])).await.is_ok() {
            return child;
        }
        assert!(child.try_wait().unwrap().is_none(), "the switch ended while it started");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the switch did not open its doors within 30 s");
}

fn sandbox(surroundings: &Surroundings, ports: &[u16; 3]) -> RunningSandbox {
    let account = AccountConfig {
        name: ACCOUNT.to_owned(),
        password: PASSWORD.to_owned().into(),
        balances: vec![Money::parse("900000000.00", "EUR").unwrap()],
    };
    let config = SandboxConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        listen_payers: None,
        public_address: None,
        callback_url: Some(format!("http://127.0.0.1:{}/v1/callbacks/sandbox", ports[1])),
        secret: SharedSecret::parse(SECRET).unwrap(),
        accounts: vec![account],
        policy: Policy { password_tries_max: 5, payments_max: 1_000_000 },
        permit_lifetime: Duration::from_mins(1),
        late_by: Duration::from_secs(5),
        workers: 1,
    };
    let Surroundings { network, clock, dice, .. } = surroundings.clone();
    sandbox::start(config, World { clock, dice, network }).unwrap()
}

fn write_config(folder: &Path, ports: &[u16; 3], platform: SocketAddr) -> PathBuf {
    std::fs::write(folder.join("platform.secret"), SECRET).unwrap();
    std::fs::write(folder.join("token.secret"), "tokens-outlive-the-process-that-minted-them").unwrap();
    let [phones, terminals, admin] = ports;
    let mut text = format!(
        "[node]\njournal = {:?}\nread_model = {:?}\nworkers = 1\nsegment_mib = 1\n\
         [phones]\nlisten = \"127.0.0.1:{phones}\"\n[terminals]\nlisten = \"127.0.0.1:{terminals}\"\n\
         [admin]\nlisten = \"127.0.0.1:{admin}\"\n\
         [login]\ncodes = \"page\"\ntoken_secret = {{ file = {:?} }}\n\
         [patience]\nplatform_seconds = 2\ninquire_seconds = 1\nowed_first_millis = 100\nowed_cap_seconds = 2\n\
         [[platform]]\nid = \"sandbox\"\nkind = \"sandbox\"\nurl = \"http://{platform}\"\nsecret = {{ file = {:?} }}\n\
         [[merchant]]\nid = \"M\"\nname = \"Kiosk\"\nlimits = {{ EUR = \"9000.00\" }}\nroutes = {{ EUR = \"sandbox\" }}\n",
        folder.join("journal"),
        folder.join("read-model.sqlite"),
        folder.join("token.secret"),
        folder.join("platform.secret"),
    );
    for pair in 0..PAIRS {
        let digest = Sha256::digest(key(pair).as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        write!(text, "[[terminal]]\nid = \"T{pair}\"\nmerchant = \"M\"\nkey_sha256 = \"{digest}\"\n")
            .unwrap();
    }
    let path = folder.join("turnout.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn key(pair: usize) -> String {
    format!("key-of-till-{pair}-in-this-test")
}

fn surroundings() -> Surroundings {
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock::starting_now());
    let dice: Arc<dyn Dice> = Arc::new(SystemDice::new().unwrap());
    Surroundings { network: Arc::new(TcpNetwork), tls: None, clock, dice }
}

fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a whole number"))
}

/// The moments only have to differ from run to run with the seed.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *random >> 33
}

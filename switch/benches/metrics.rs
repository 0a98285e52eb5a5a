//! What counting costs: how often a whole payment over HTTP updates a metric, and how long so many updates take.
//!
//! First a switch, a platform, a till and a phone make payments in this process, and a recorder counts every update and every
//! look-up of a handle. Then criterion repeats exactly those on the recorder of a real process, with its buckets. What is counted
//! whether or not somebody pays (a thread's pulse) is measured in an idle second and taken off.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions
)]

use actors::domain::identity::{PaymentKey, TerminalId};
use actors::domain::money::Money;
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::TcpNetwork;
use adapters::players::Surroundings;
use adapters::players::connection::Address;
use adapters::players::device::DeviceKey;
use adapters::players::phone::{Phone, Script};
use adapters::players::sealing::DiceSealer;
use adapters::players::till::{Order, Sale, Till};
use adapters::seal::Credential;
use adapters::signature::SharedSecret;
use criterion::{Criterion, criterion_group, criterion_main};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Label, Metadata, Recorder,
    SharedString, Unit,
};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use switch::config::Config;
use switch::house::House;
use switch::sandbox::{self, AccountConfig, SandboxConfig, books};
use switch::telemetry;

const PAYMENTS: u32 = 50;
const KEY: &str = "till-one-demonstration-key";
const KEY_SHA256: &str = "5a9b6a265882b0d08df5f46ac193e1d93913545266fdeb7d5353f939273c2183";
const METADATA: Metadata<'static> = Metadata::new("bench", metrics::Level::INFO, None);

/// What is done to a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Done {
    LookedUp,
    Counted,
    Set,
    Recorded,
}

/// How often what was done to which metric, and of which kind it is.
type Tallied = BTreeMap<(Done, char, Key), f64>;

/// A recorder that hands everything on, and counts it.
struct Counting {
    inner: PrometheusRecorder,
    tallied: Arc<Mutex<Tallied>>,
}

struct Counted<T> {
    inner: T,
    kind: char,
    key: Key,
    tallied: Arc<Mutex<Tallied>>,
}

impl<T> Counted<T> {
    fn done(&self, done: Done) {
        *self.tallied.lock().unwrap().entry((done, self.kind, self.key.clone())).or_default() += 1.0;
    }
}

impl CounterFn for Counted<Counter> {
    fn increment(&self, value: u64) {
        self.done(Done::Counted);
        self.inner.increment(value);
    }
    fn absolute(&self, value: u64) {
        self.done(Done::Counted);
        self.inner.absolute(value);
    }
}

impl GaugeFn for Counted<Gauge> {
    fn increment(&self, value: f64) {
        self.done(Done::Set);
        self.inner.increment(value);
    }
    fn decrement(&self, value: f64) {
        self.done(Done::Set);
        self.inner.decrement(value);
    }
    fn set(&self, value: f64) {
        self.done(Done::Set);
        self.inner.set(value);
    }
}

impl HistogramFn for Counted<Histogram> {
    fn record(&self, value: f64) {
        self.done(Done::Recorded);
        self.inner.record(value);
    }
}

impl Counting {
    fn around<T>(&self, kind: char, key: &Key, inner: T) -> Arc<Counted<T>> {
        let counted = Counted { inner, kind, key: key.clone(), tallied: Arc::clone(&self.tallied) };
        counted.done(Done::LookedUp);
        Arc::new(counted)
    }
}

impl Recorder for Counting {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.around('c', key, self.inner.register_counter(key, metadata)))
    }
    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.around('g', key, self.inner.register_gauge(key, metadata)))
    }
    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.around('h', key, self.inner.register_histogram(key, metadata)))
    }
}

/// What one payment does to the metrics.
fn of_a_payment() -> Tallied {
    let inner = telemetry::recording().unwrap().build_recorder();
    let (handle, tallied) = (inner.handle(), Arc::new(Mutex::new(Tallied::new())));
    metrics::set_global_recorder(Counting { inner, tallied: Arc::clone(&tallied) }).ok().unwrap();
    actix_rt::System::new().block_on(paid(handle, &tallied))
}

async fn paid(handle: PrometheusHandle, tallied: &Mutex<Tallied>) -> Tallied {
    let folder = tempfile::tempdir().unwrap();
    let surroundings = Surroundings {
        network: Arc::new(TcpNetwork),
        tls: None,
        clock: Arc::new(SteadyClock::starting_now()),
        dice: Arc::new(SystemDice::new().unwrap()),
    };
    let ports = free_ports();
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let sandbox = sandbox_of(&surroundings, ports, secret);
    let house =
        House::open(configured(folder.path(), ports, secret).checked().unwrap(), handle).await.unwrap();
    let mut shop = Shop::open(&surroundings, &house).await;
    shop.sell(2).await;
    let take = || std::mem::take(&mut *tallied.lock().unwrap());
    let settled = Duration::from_secs(1);
    tokio::time::sleep(settled).await;
    take();
    tokio::time::sleep(settled).await;
    let idle = take();
    let began = surroundings.clock.now();
    shop.sell(PAYMENTS).await;
    tokio::time::sleep(settled).await;
    let lasted = surroundings.clock.now().since(began).as_secs_f64();
    let mut busy = take();
    for (what, count) in &mut busy {
        *count -= idle.get(what).copied().unwrap_or_default() * lasted;
        *count = (*count / f64::from(PAYMENTS)).max(0.0);
    }
    house.close().await;
    sandbox.stop().await;
    busy
}

/// A till and a phone that meet again and again.
struct Shop {
    till: Till,
    phone: Phone,
    sealer: DiceSealer,
    sold: u32,
}

impl Shop {
    async fn open(surroundings: &Surroundings, house: &House) -> Self {
        let address = |door: SocketAddr| Address::new(&format!("http://{door}")).unwrap();
        let terminal = TerminalId::new("T1").unwrap();
        let till =
            Till::new(surroundings.clone(), address(house.addresses.terminals), terminal, KEY).unwrap();
        let device = DeviceKey::generate().unwrap();
        let mut phone = Phone::new(surroundings.clone(), address(house.addresses.phones), device);
        phone.log_in_by_shown_code("+9990001100").await.unwrap();
        Self { till, phone, sealer: DiceSealer(surroundings.dice.clone()), sold: 0 }
    }

    async fn sell(&mut self, times: u32) {
        for _ in 0..times {
            self.sold += 1;
            let order = Order {
                money: Money::parse("12.50", "EUR").unwrap(),
                key: PaymentKey::new(&format!("sale-{}", self.sold)).unwrap(),
                reference: None,
                answer_within: Duration::from_secs(30),
            };
            let Self { till, phone, sealer, .. } = self;
            phone.bind("T1").await.unwrap();
            let pay = async {
                let mut events = phone.events().unwrap();
                let asked = phone.awaits_confirmation(&mut events, Some("T1")).await.unwrap();
                let credential = Credential { account: "ada", password: "analytical-engine" };
                phone.play(asked, Script::Pay(&[credential]), &*sealer).await.unwrap();
            };
            let (sale, ()) = tokio::join!(till.sell(&order), pay);
            assert!(matches!(sale.unwrap(), Sale::Approved { .. }));
        }
    }
}

fn free_ports() -> [u16; 4] {
    let held: [TcpListener; 4] = std::array::from_fn(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

fn sandbox_of(surroundings: &Surroundings, ports: [u16; 4], secret: &str) -> sandbox::RunningSandbox {
    let [_, terminals, _, platform] = ports;
    let config = SandboxConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, platform)),
        tls: None,
        listen_payers: None,
        public_address: None,
        callback_url: Some(format!("http://127.0.0.1:{terminals}/v1/callbacks/sandbox")),
        secret: SharedSecret::parse(secret).unwrap(),
        accounts: vec![AccountConfig {
            name: "ada".to_owned(),
            password: "analytical-engine".to_owned().into(),
            balances: vec![Money::parse("100000.00", "EUR").unwrap()],
        }],
        policy: books::Policy { password_tries_max: 5, payments_max: 1_000 },
        permit_lifetime: Duration::from_mins(5),
        late_by: Duration::from_secs(4),
        workers: 1,
    };
    let world = sandbox::World {
        clock: surroundings.clock.clone(),
        dice: surroundings.dice.clone(),
        network: surroundings.network.clone(),
    };
    sandbox::start(config, world).unwrap()
}

fn configured(folder: &Path, [phones, terminals, admin, platform]: [u16; 4], secret: &str) -> Config {
    std::fs::write(folder.join("secret"), secret).unwrap();
    let mut text = String::new();
    write!(
        text,
        "[node]\njournal = \"{}\"\nread_model = \"{}\"\nworkers = 1\nsegment_mib = 8\n\
         [phones]\nlisten = \"127.0.0.1:{phones}\"\n[terminals]\nlisten = \"127.0.0.1:{terminals}\"\n\
         [admin]\nlisten = \"127.0.0.1:{admin}\"\n[login]\ncodes = \"page\"\n\
         [[platform]]\nid = \"sandbox\"\nkind = \"sandbox\"\nurl = \"http://127.0.0.1:{platform}\"\n\
         secret = {{ file = \"{}\" }}\n\
         [[merchant]]\nid = \"M1\"\nname = \"Bakery\"\nlimits = {{ EUR = \"250.00\" }}\nroutes = {{ EUR = \"sandbox\" }}\n\
         [[terminal]]\nid = \"T1\"\nmerchant = \"M1\"\nkey_sha256 = \"{KEY_SHA256}\"\n",
        folder.join("journal").display(),
        folder.join("read.sqlite").display(),
        folder.join("secret").display(),
    )
    .unwrap();
    let path = folder.join("turnout.toml");
    std::fs::write(&path, text).unwrap();
    Config::read(&path).unwrap()
}

/// The same, to be done again: handles that are at hand, and names that are looked up.
#[derive(Default)]
struct Updates {
    counters: Vec<Counter>,
    gauges: Vec<Gauge>,
    histograms: Vec<Histogram>,
    looked_up: Vec<(char, &'static str, Vec<Label>)>,
}

impl Updates {
    fn of(tallied: &Tallied, recorder: &PrometheusRecorder) -> Self {
        let mut updates = Self::default();
        for ((done, kind, key), count) in tallied {
            for _ in 0..count.round() as usize {
                match done {
                    Done::Counted => updates.counters.push(recorder.register_counter(key, &METADATA)),
                    Done::Set => updates.gauges.push(recorder.register_gauge(key, &METADATA)),
                    Done::Recorded => updates.histograms.push(recorder.register_histogram(key, &METADATA)),
                    Done::LookedUp => {
                        let name: &'static str = key.name().to_owned().leak();
                        updates.looked_up.push((*kind, name, key.labels().cloned().collect()));
                    }
                }
            }
        }
        updates
    }

    fn repeat(&self, recorder: &PrometheusRecorder) {
        self.counters.iter().for_each(|counter| counter.increment(1));
        self.gauges.iter().for_each(|gauge| gauge.increment(black_box(1.0)));
        self.histograms.iter().for_each(|histogram| histogram.record(black_box(0.003)));
        for (kind, name, labels) in &self.looked_up {
            let key = Key::from_parts(*name, labels.clone());
            match kind {
                'c' => drop(black_box(recorder.register_counter(&key, &METADATA))),
                'g' => drop(black_box(recorder.register_gauge(&key, &METADATA))),
                _ => drop(black_box(recorder.register_histogram(&key, &METADATA))),
            }
        }
    }
}

fn counting(criterion: &mut Criterion) {
    let tallied = of_a_payment();
    for ((done, _, key), count) in tallied.iter().filter(|(_, count)| **count >= 0.5) {
        println!("{count:5.1}  {done:?}  {key}");
    }
    let recorder = telemetry::recording().unwrap().build_recorder();
    let updates = Updates::of(&tallied, &recorder);
    println!(
        "a payment: {} counters, {} gauges, {} histograms, {} look-ups",
        updates.counters.len(),
        updates.gauges.len(),
        updates.histograms.len(),
        updates.looked_up.len()
    );
    let handle = recorder.handle();
    criterion.bench_function("the metrics of a whole payment", |bencher| {
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for at in 0..times {
                // As a running process does every few seconds, off the path: else a histogram grows.
                if at % 10_000 == 0 {
                    handle.run_upkeep();
                }
                let began = now();
                updates.repeat(&recorder);
                took += now() - began;
            }
            took
        });
    });
}

#[expect(clippy::disallowed_methods, reason = "a stop watch")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

criterion_group!(benches, counting);
criterion_main!(benches);

//! Callbacks over real sockets: signed, retried, doubled, early, lying; and what the adapter believes of them.
use super::bench::{Bench, PASSWORD};
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use actors::domain::identity::PaymentId;
use actors::domain::payment::outcome::{Failure, PaymentOutcome};
use actors::domain::payment::phase::Receipt;
use actors::domain::time::Timestamp;
use actors::ports::platform::{CallbackFault, CallbackMessage, Claimed, HeaderLookup, Platform};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use switch::sandbox::trouble::{Operation, Trouble};
use tokio::sync::mpsc;

const PAYMENT: PaymentId = PaymentId::from_bits(42);

/// A callback as it came in.
#[derive(Clone, Debug)]
struct Caught {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl HeaderLookup for Caught {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

impl Caught {
    fn read(&self, bench: &Bench, now: Timestamp) -> Result<Claimed, CallbackFault> {
        bench.platform.read_callback(now, &CallbackMessage { headers: self, body: &self.body })
    }

    fn claimed(&self, bench: &Bench) -> Claimed {
        self.read(bench, bench.clock.now()).unwrap()
    }
}

struct Mailbox {
    caught: mpsc::UnboundedReceiver<Caught>,
}

impl Mailbox {
    /// Listens for callbacks; answers the first `refusals` with 500.
    fn open(bench: &Bench, refusals: u32) -> Self {
        let (tell, caught) = mpsc::unbounded_channel();
        let left = Data::new(AtomicU32::new(refusals));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::new(tell.clone()))
                .app_data(left.clone())
                .default_service(web::to(catch))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        bench.sandbox.call_back_to(format!("http://{}/v1/callbacks/sandbox", server.addrs()[0]));
        actix_web::rt::spawn(server.run());
        Self { caught }
    }

    async fn next(&mut self) -> Caught {
        tokio::time::timeout(Duration::from_secs(5), self.caught.recv()).await.expect("a callback").unwrap()
    }
}

async fn catch(
    request: HttpRequest,
    body: Bytes,
    tell: Data<mpsc::UnboundedSender<Caught>>,
    left: Data<AtomicU32>,
) -> HttpResponse {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()));
    tell.send(Caught { headers: headers.collect(), body: body.to_vec() }).unwrap();
    let is_refused = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
    if is_refused { HttpResponse::InternalServerError().finish() } else { HttpResponse::NoContent().finish() }
}

async fn paid(bench: &Bench, password: &str) -> PaymentOutcome {
    let interface = bench.granted(PAYMENT).await;
    bench.pay(PAYMENT, &interface, password, 5_000).await
}

fn receipt(outcome: PaymentOutcome) -> Result<Receipt, Failure> {
    match outcome {
        PaymentOutcome::Approved(receipt) => Ok(receipt),
        PaymentOutcome::Failed(failure) => Err(failure),
        other => panic!("{other:?}"),
    }
}

#[actix_web::test]
async fn os8_the_callback_says_the_same_as_the_answer() {
    let bench = Bench::new();
    let mut mailbox = Mailbox::open(&bench, 0);
    let answer = receipt(paid(&bench, PASSWORD).await);
    let claimed = mailbox.next().await.claimed(&bench);
    assert_eq!((claimed.payment, claimed.attempt.number(), claimed.result), (PAYMENT, 1, answer));
}

#[actix_web::test]
async fn os9_a_failure_is_called_back_too() {
    let bench = Bench::new();
    let mut mailbox = Mailbox::open(&bench, 0);
    paid(&bench, "wrong").await;
    assert_eq!(mailbox.next().await.claimed(&bench).result, Err(Failure::WrongCredentials));
}

#[actix_web::test]
async fn a_callback_is_retried_under_the_same_id_until_it_is_taken() {
    let bench = Bench::new();
    let mut mailbox = Mailbox::open(&bench, 2);
    paid(&bench, PASSWORD).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(mailbox.next().await.headers["webhook-id"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]));
}

#[actix_web::test]
async fn a_callback_that_was_posted_before_the_switch_listened_is_delivered_later() {
    let bench = Bench::new();
    paid(&bench, PASSWORD).await;
    let mut mailbox = Mailbox::open(&bench, 0);
    assert!(mailbox.next().await.claimed(&bench).result.is_ok());
}

#[actix_web::test]
async fn a_doubled_callback_is_authentic_both_times() {
    let bench = Bench::new();
    let mut mailbox = Mailbox::open(&bench, 0);
    bench.trouble(Operation::Pay, Trouble::DuplicateCallback);
    paid(&bench, PASSWORD).await;
    let (first, second) = (mailbox.next().await, mailbox.next().await);
    assert_eq!(first.claimed(&bench), second.claimed(&bench));
}

#[actix_web::test]
async fn an_early_callback_is_there_before_the_answer() {
    let bench = Bench::new();
    let mut mailbox = Mailbox::open(&bench, 0);
    bench.trouble(Operation::Pay, Trouble::EarlyCallback);
    paid(&bench, PASSWORD).await;
    assert!(mailbox.caught.try_recv().is_ok());
}

#[actix_web::test]
async fn a_lying_callback_is_authentic_and_names_another_amount() {
    let bench = Bench::new();
    let mut mailbox = Mailbox::open(&bench, 0);
    bench.trouble(Operation::Pay, Trouble::LyingCallback);
    let answer = receipt(paid(&bench, PASSWORD).await).unwrap();
    let claimed = mailbox.next().await.claimed(&bench).result.unwrap();
    assert_ne!(claimed.money, answer.money);
}

#[actix_web::test]
async fn a_forged_changed_stale_or_misshapen_callback_is_not_believed() {
    let bench = Bench::new();
    let mut mailbox = Mailbox::open(&bench, 0);
    paid(&bench, PASSWORD).await;
    let (caught, now) = (mailbox.next().await, bench.clock.now());
    assert!(caught.read(&bench, now).is_ok());
    assert_eq!(caught.read(&bench, now.plus(Duration::from_secs(302))), Err(CallbackFault::Stale));

    let mut changed = caught.clone();
    changed.body.push(b' ');
    assert_eq!(changed.read(&bench, now), Err(CallbackFault::Forged));
    let mut unsigned = caught.clone();
    unsigned.headers.remove("webhook-signature");
    assert_eq!(unsigned.read(&bench, now), Err(CallbackFault::Forged));

    let body = br#"{"payment":"pay_x","attempt":1,"status":"paid"}"#.to_vec();
    let stamp = super::bench::secret().stamp_message("id".into(), now, &body);
    let headers = stamp.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let misshapen = Caught { headers: headers.into_iter().collect(), body };
    assert_eq!(misshapen.read(&bench, now), Err(CallbackFault::Malformed("payment")));
}

//! The played platform, as the switch's own adapter and as strangers find it.
#![allow(clippy::unwrap_used)]
use super::*;
use actors::domain::identity::{PaymentId, PlatformId};
use actors::domain::payment::outcome::{Effect, InquiryOutcome, PermitOutcome, ReversalOutcome};
use actors::domain::payment::phase::Attempt;
use actors::domain::time::Deadline;
use actors::ports::platform::{PermitAsk, Platform, PlatformAsk};
use adapters::platform::sandbox::{CredentialTravels, SandboxPlatform, SandboxSettings};
use adapters::players::Surroundings;
use adapters::players::connection::{Ask, Connection};
use hyper::Method;
use hyper::header::HeaderValue;

const SOON: Duration = Duration::from_secs(20);

struct Bench {
    platform: PlayedPlatform,
    surroundings: Surroundings,
    runtime: Runtime,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, SECRET).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let plan = PlatformPlan { listen, callback: None, secret_file, late_by: SOON };
    let payers = Payers { account: "load-{}".into(), password: "load".into(), subscribers: "999".into() };
    let euro = Money::parse("1.00", "EUR").unwrap().currency();
    let nobody = "http://127.0.0.1:1".parse().unwrap();
    let platform = PlayedPlatform::open(&plan, &payers, 2, euro, &nobody).unwrap();
    let (clock, dice) = (Arc::new(SteadyClock::starting_now()), Arc::new(SystemDice::new().unwrap()));
    let surroundings = Surroundings { network: Arc::new(TcpNetwork), tls: None, clock, dice };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Bench { platform, surroundings, runtime }
}

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n";

impl Bench {
    /// The switch's own side of it.
    fn switch(&self) -> SandboxPlatform {
        let Surroundings { network, clock, dice, .. } = self.surroundings.clone();
        let settings = SandboxSettings {
            id: PlatformId::new("sandbox").unwrap(),
            address: self.platform.address().to_string().parse().unwrap(),
            secret: SharedSecret::parse(SECRET.trim()).unwrap(),
            travels: CredentialTravels::Relayed,
            in_flight_max: 8,
        };
        let client = HttpClient::new(network, None, Arc::clone(&clock));
        SandboxPlatform::new(settings, client, clock, dice).unwrap()
    }

    fn status(&self, ask: Ask) -> u16 {
        let mut connection = Connection::new(self.surroundings.clone(), self.platform.address().clone());
        self.runtime.block_on(connection.ask(ask, SOON)).unwrap().status.as_u16()
    }
}

#[test]
fn the_switchs_own_adapter_is_understood() {
    let bench = bench();
    let (switch, clock) = (bench.switch(), &bench.surroundings.clock);
    let answer_by = Deadline::after(clock.now(), SOON);
    let money = Money::parse("12.50", "EUR").unwrap();
    let payment = PaymentId::from_bits(7);
    let permit = PermitAsk {
        payment,
        attempt: Attempt::FIRST,
        money,
        merchant: "M1".parse().unwrap(),
        merchant_name: "Corner Bakery".into(),
        terminal: None,
        payer: "999000000000".parse().unwrap(),
        answer_by,
    };
    let ask = PlatformAsk { payment, money, answer_by };
    bench.runtime.block_on(async {
        assert_eq!(switch.inquire(ask).await, InquiryOutcome::NeverSeen);
        assert!(matches!(switch.permit(permit).await, PermitOutcome::Granted(_)));
        let undone = ReversalOutcome::Acknowledged(Effect::NothingToUndo);
        assert_eq!(switch.reverse(ask).await, undone);
        assert_eq!(switch.inquire(ask).await, InquiryOutcome::Undone);
    });
}

#[test]
fn strangers_wrong_ways_and_large_bodies_are_refused_as_docs_sandbox_md_has_it() {
    let bench = bench();
    let large = vec![b' '; 17 * 1024];
    for (ask, status) in [
        (Ask::new(Method::GET, "/v1/books"), 200),
        (Ask::new(Method::GET, "/v1/trouble"), 200),
        (Ask::new(Method::PUT, "/v1/trouble").body(json(), "{\"latency_ms\": 0, \"rules\": []}"), 200),
        (Ask::new(Method::PUT, "/v1/trouble").body(json(), "{\"latency\": 0}"), 422),
        (Ask::new(Method::POST, "/v1/permits").body(json(), "{}"), 401),
        (Ask::new(Method::GET, "/v1/payments/pay_00000000000000000000000000"), 401),
        (Ask::new(Method::GET, "/v1/daily?date=2030-01-31"), 401),
        (Ask::new(Method::POST, "/v1/permits/nobody/pay").body(json(), "x"), 404),
        (Ask::new(Method::GET, "/v1/permits"), 405),
        (Ask::new(Method::GET, "/"), 404),
        (Ask::new(Method::POST, "/v1/permits").body(json(), large), 413),
    ] {
        assert_eq!(bench.status(ask.clone()), status, "{ask:?}");
    }
}

fn json() -> HeaderValue {
    HeaderValue::from_static("application/json")
}

//! A sandbox and the switch's adapter on one bench, over real sockets on free loopback ports.
use actors::domain::identity::{MerchantId, PayerId, PaymentId, PlatformId, TerminalId};
use actors::domain::money::Money;
use actors::domain::payment::outcome::{PaymentOutcome, PermitOutcome};
use actors::domain::payment::phase::{Attempt, Interface};
use actors::domain::time::Deadline;
use actors::ports::clock::{Clock, Dice};
use actors::ports::platform::{PermitAsk, Platform, PlatformAsk, Presentation, SealedCredential};
use adapters::clock::SteadyClock;
use adapters::dice::SystemDice;
use adapters::http_client::{ClientTls, HttpClient, TcpNetwork};
use adapters::platform::sandbox::{CredentialTravels, SandboxPlatform, SandboxSettings};
use adapters::seal::{Credential, SealTerms, seal};
use adapters::signature::SharedSecret;
use std::sync::Arc;
use std::time::Duration;
use switch::sandbox::books::{PaymentPage, Policy};
use switch::sandbox::trouble::{Operation, Rule, Trouble, Troubles};
use switch::sandbox::{AccountConfig, RunningSandbox, SandboxConfig, World, start};
use zeroize::Zeroizing;

pub const SECRET: &str = "whsec_c2FuZGJveC10ZXN0cy1vbmx5LW5vdC1hLXNlY3JldA==";
pub const PASSWORD: &str = "correct horse";

pub struct Bench {
    pub sandbox: RunningSandbox,
    pub platform: SandboxPlatform,
    pub clock: Arc<dyn Clock>,
    pub dice: Arc<dyn Dice>,
}

pub fn secret() -> SharedSecret {
    SharedSecret::parse(SECRET).unwrap()
}

pub fn eur(amount: &str) -> Money {
    Money::parse(amount, "EUR").unwrap()
}

pub fn config() -> SandboxConfig {
    SandboxConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        listen_payers: None,
        public_address: None,
        callback_url: None,
        secret: secret(),
        accounts: vec![AccountConfig {
            name: "ada".into(),
            password: Zeroizing::new(PASSWORD.into()),
            balances: vec![eur("100.00")],
        }],
        policy: Policy { password_tries_max: 5, payments_max: 1_000 },
        permit_lifetime: Duration::from_mins(1),
        late_by: Duration::from_millis(300),
        workers: 1,
    }
}

pub fn world() -> World {
    let clock = Arc::new(SteadyClock::starting_now());
    World { clock, dice: Arc::new(SystemDice::new().unwrap()), network: Arc::new(TcpNetwork) }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(config(), None, "http")
    }

    pub fn with(config: SandboxConfig, tls: Option<ClientTls>, scheme: &str) -> Self {
        let world = world();
        let sandbox = start(config, world.clone()).unwrap();
        let address = format!("{scheme}://localhost:{}", sandbox.address().port());
        let platform = adapter(&address, tls, &world);
        Self { sandbox, platform, clock: world.clock, dice: world.dice }
    }

    pub fn within(&self, ms: u64) -> Deadline {
        Deadline::after(self.clock.now(), Duration::from_millis(ms))
    }

    pub fn trouble(&self, operation: Operation, trouble: Trouble) {
        let rules = vec![Rule { trouble, operation, next: None, payer: None }];
        self.sandbox.set_troubles(Troubles { latency_ms: 0, rules }).unwrap();
    }

    pub fn no_trouble(&self) {
        self.sandbox.set_troubles(Troubles::NONE).unwrap();
    }

    pub async fn permit(&self, payment: PaymentId, attempt: Attempt) -> PermitOutcome {
        self.platform.permit(self.permit_ask(payment, attempt, "ada", 2_000)).await
    }

    pub async fn granted(&self, payment: PaymentId) -> Interface {
        match self.permit(payment, Attempt::FIRST).await {
            PermitOutcome::Granted(interface) => interface,
            other => panic!("no permit: {other:?}"),
        }
    }

    pub async fn pay(
        &self,
        payment: PaymentId,
        interface: &Interface,
        password: &str,
        ms: u64,
    ) -> PaymentOutcome {
        let sealed = self.seal(payment, interface, password);
        self.platform.pay(self.presentation(payment, interface, sealed, ms)).await
    }

    pub fn permit_ask(&self, payment: PaymentId, attempt: Attempt, payer: &str, ms: u64) -> PermitAsk {
        PermitAsk {
            payment,
            attempt,
            money: eur("12.50"),
            merchant: MerchantId::new("M1").unwrap(),
            merchant_name: "Corner shop".into(),
            terminal: TerminalId::new("T1").ok(),
            payer: PayerId::new(payer).unwrap(),
            answer_by: self.within(ms),
        }
    }

    pub fn presentation(
        &self,
        payment: PaymentId,
        interface: &Interface,
        sealed: String,
        ms: u64,
    ) -> Presentation {
        Presentation {
            payment,
            attempt: Attempt::FIRST,
            money: eur("12.50"),
            permit: interface.permit.clone(),
            credential: SealedCredential::new(sealed.into_bytes()).unwrap(),
            answer_by: self.within(ms),
        }
    }

    pub fn seal(&self, payment: PaymentId, interface: &Interface, password: &str) -> String {
        let terms = SealTerms {
            payment,
            money: eur("12.50"),
            merchant: MerchantId::new("M1").unwrap(),
            permit: &interface.permit,
            expires: interface.expires,
        };
        seal(&interface.key, &terms, Credential { account: "ada", password }, &*self.dice).unwrap()
    }

    pub fn ask(&self, payment: PaymentId, ms: u64) -> PlatformAsk {
        PlatformAsk { payment, money: eur("12.50"), answer_by: self.within(ms) }
    }

    pub fn balance(&self) -> String {
        self.sandbox.books().accounts["ada"].balances["EUR"].clone()
    }

    pub fn page(&self, payment: PaymentId) -> Option<PaymentPage> {
        self.sandbox.books().payments.into_iter().find(|page| page.payment == payment.to_string())
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.sandbox.address())
    }
}

pub fn adapter(address: &str, tls: Option<ClientTls>, world: &World) -> SandboxPlatform {
    let client = HttpClient::new(world.network.clone(), tls, world.clock.clone());
    let settings = SandboxSettings {
        travels: CredentialTravels::Directly,
        id: PlatformId::new("sandbox").unwrap(),
        address: address.parse().unwrap(),
        secret: secret(),
        in_flight_max: 8,
    };
    SandboxPlatform::new(settings, client, world.clock.clone(), world.dice.clone()).unwrap()
}

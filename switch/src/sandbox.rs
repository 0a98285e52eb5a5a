//! A payment platform of our own to build and test against: a real HTTP server with accounts, permits and trouble.
//!
//! It knows nothing of the switch but the address for callbacks and the secret they share. What it does is
//! `adapters::players::sandbox`, which the load generator plays too; here are its listeners (`api`) and its certificates.
pub mod api;
pub mod certificates;

pub use adapters::players::sandbox::{books, callback, desk, problem, seal, trouble};

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use actors::domain::money::Money;
use actors::ports::clock::{Clock, Dice};
use adapters::http_client::{HttpClient, Network};
use adapters::seal::SealFault;
use adapters::signature::SharedSecret;
use books::{AccountFault, Books, BooksPage, Policy};
use callback::{Address, PostBox, Postman};
use desk::{Desk, Manner};
use rustls::ServerConfig;
use seal::SealKey;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use trouble::Troubles;
use zeroize::Zeroizing;

/// What a sandbox is started with.
pub struct SandboxConfig {
    /// Where the switch (and, without `listen_payers`, the phones) connect; port 0 picks a free one.
    pub listen: SocketAddr,
    /// TLS for `listen`; plain HTTP without it.
    pub tls: Option<ServerConfig>,
    /// A listener for phones alone.
    pub listen_payers: Option<SocketAddr>,
    /// What phones are told instead of the listener's own address, where a proxy stands before it: `https://pay.example`.
    pub public_address: Option<String>,
    /// Where callbacks go; can be set later.
    pub callback_url: Option<String>,
    /// Signs requests and callbacks.
    pub secret: SharedSecret,
    /// The accounts.
    pub accounts: Vec<AccountConfig>,
    /// How strict and how large the books are.
    pub policy: Policy,
    /// How long a permit is good.
    pub permit_lifetime: Duration,
    /// How late "late" is.
    pub late_by: Duration,
    /// Threads per listener.
    pub workers: usize,
}

/// An account to open.
pub struct AccountConfig {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Zeroizing<String>,
    /// What it holds, at most once per currency.
    pub balances: Vec<Money>,
}

/// The world around a sandbox.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub dice: Arc<dyn Dice>,
    /// For callbacks.
    pub network: Arc<dyn Network>,
}

/// A sandbox that runs until it is stopped.
pub struct RunningSandbox {
    address: SocketAddr,
    payers_address: Option<SocketAddr>,
    desk: Data<Desk>,
    callbacks: Address,
    servers: Vec<ServerHandle>,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The address cannot be listened at.
    #[error("the sandbox cannot listen at {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The listener broke before it served.
    #[error("the sandbox cannot serve: {0}")]
    Serve(#[from] std::io::Error),
    /// An account is wrong.
    #[error("account {0:?}: {1}")]
    Account(String, AccountFault),
    /// No key.
    #[error(transparent)]
    Key(#[from] SealFault),
}

/// Starts a sandbox on the current runtime: it listens when this returns.
pub fn start(config: SandboxConfig, world: World) -> Result<RunningSandbox, StartFault> {
    let listener = listen(config.listen)?;
    let address = listener.local_addr()?;
    let payers = config.listen_payers.map(listen).transpose()?;
    let payers_address = payers.as_ref().map(TcpListener::local_addr).transpose()?;
    let scheme = if config.tls.is_some() && payers.is_none() { "https" } else { "http" };
    let own = format!("{scheme}://{}", payers_address.unwrap_or(address));
    let public_address = config.public_address.clone().unwrap_or(own);

    let workers = config.workers.max(1);
    let (tls, callbacks) = (config.tls.clone(), Address::default());
    if let Some(url) = &config.callback_url {
        callbacks.set(url.clone());
    }
    let (desk, postman) = furnish(config, world, public_address, callbacks.clone())?;
    let mut servers = vec![serve_switch(desk.clone(), listener, tls, workers)?];
    if let Some(payers) = payers {
        servers.push(serve_payers(desk.clone(), payers, workers)?);
    }
    let handles = servers.iter().map(Server::handle).collect();
    actix_web::rt::spawn(postman.run());
    for server in servers {
        actix_web::rt::spawn(server);
    }
    Ok(RunningSandbox { address, payers_address, desk, callbacks, servers: handles })
}

/// A sandbox without listeners: its desk, for `api::switch_door`, and its postman, to be polled.
pub fn furnish(
    config: SandboxConfig,
    world: World,
    public_address: String,
    callbacks: Address,
) -> Result<(Data<Desk>, Postman), StartFault> {
    let World { clock, dice, network } = world;
    let mut salt = Zeroizing::new([0; 32]);
    dice.fill(&mut *salt);
    let mut books = Books::new(config.policy, &salt);
    for AccountConfig { name, password, balances } in config.accounts {
        let opened = books.open_account(&name, &password, &balances);
        opened.map_err(|fault| StartFault::Account(name, fault))?;
    }
    let client = HttpClient::new(network, None, clock.clone());
    let (post, postman) = PostBox::new(callbacks, client, config.secret.clone(), clock.clone(), dice.clone());
    let manner = Manner { permit_lifetime: config.permit_lifetime, late_by: config.late_by, public_address };
    let seal_key = SealKey::generate(&*dice)?;
    Ok((Data::new(Desk::new(books, seal_key, config.secret, post, clock, dice, manner)), postman))
}

impl RunningSandbox {
    /// Where the switch connects.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where phones connect, if they have a listener of their own.
    pub fn payers_address(&self) -> Option<SocketAddr> {
        self.payers_address
    }

    /// From now on callbacks, also those that wait, go to `url`.
    pub fn call_back_to(&self, url: String) {
        self.callbacks.set(url);
    }

    /// Everything in the books.
    pub fn books(&self) -> BooksPage {
        self.desk.books()
    }

    /// Switches trouble on or off; what came before is forgotten.
    pub fn set_troubles(&self, troubles: Troubles) -> Result<(), problem::Problem> {
        self.desk.set_troubles(troubles).map(|_| ())
    }

    /// Stops listening and cuts what is under way.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop(false).await;
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartFault> {
    TcpListener::bind(address).map_err(|fault| StartFault::Listen(address, fault))
}

fn serve_switch(
    desk: Data<Desk>,
    listener: TcpListener,
    tls: Option<ServerConfig>,
    workers: usize,
) -> std::io::Result<Server> {
    let server = HttpServer::new(move || App::new().configure(api::switch_door(desk.clone())));
    let server = server.workers(workers).disable_signals().shutdown_timeout(1);
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

fn serve_payers(desk: Data<Desk>, listener: TcpListener, workers: usize) -> std::io::Result<Server> {
    let server = HttpServer::new(move || App::new().configure(api::payer_door(desk.clone())));
    Ok(server.workers(workers).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

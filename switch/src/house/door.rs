//! One listener: bound first, so that a taken port is found before anything is opened; served last.
use super::{Addresses, CLOSING, tls};
use crate::api::{self, Begins, Doors, Porter};
use crate::config::{Checked, Listener};
use actix_rt::{Arbiter, ArbiterHandle};
use actix_web::dev::{Server, ServerHandle};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer};
use anyhow::Context;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a request's head may take to arrive.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection may be idle between requests.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Opens the three doors; returns where they are and the threads of the phones' and the terminals' workers.
pub(super) async fn open_doors(
    checked: &Checked,
    doors: &Arc<Doors>,
) -> anyhow::Result<(Addresses, Vec<ServerHandle>, Vec<ArbiterHandle>)> {
    let config = &checked.config;
    let (workers, most) = (config.node.workers, config.limits.connections_max);
    let (threads, mut started) = mpsc::channel(workers.saturating_mul(2));
    let phones = Door::bound("phones", &config.phones)?;
    let terminals = Door::bound("terminals", &config.terminals)?;
    let admin = Door::bound("admin", &config.admin)?;
    let addresses =
        Addresses { phones: phones.address()?, terminals: terminals.address()?, admin: admin.address()? };
    let servers = [
        phones.serve(workers, most, doors, (api::phones, Begins::Standing), Some(threads.clone()))?,
        terminals.serve(workers, most, doors, (api::terminals, Begins::Order), Some(threads))?,
        admin.serve(1, most, doors, (api::admin, Begins::Nothing), None)?,
    ];
    let handles = servers.iter().map(Server::handle).collect();
    for server in servers {
        actix_rt::spawn(server);
    }
    let mut arbiters = Vec::new();
    while arbiters.len() < workers.saturating_mul(2) {
        let thread = tokio::time::timeout(CLOSING, started.recv()).await;
        arbiters.push(thread.ok().flatten().context("a web worker did not start")?);
    }
    Ok((addresses, handles, arbiters))
}

struct Door<'a> {
    written: &'a Listener,
    listener: TcpListener,
}

impl<'a> Door<'a> {
    fn bound(name: &str, written: &'a Listener) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(written.listen).with_context(|| {
            format!("{name}.listen {}: choose another port or stop who holds it", written.listen)
        })?;
        Ok(Self { written, listener })
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    fn serve<C>(
        self,
        workers: usize,
        connections_max: usize,
        doors: &Arc<Doors>,
        (door, begins): (fn(&Arc<Doors>) -> C, Begins),
        threads: Option<mpsc::Sender<ArbiterHandle>>,
    ) -> anyhow::Result<Server>
    where
        C: FnOnce(&mut ServiceConfig) + 'static,
    {
        let doors = Arc::clone(doors);
        let factory = move || {
            if let Some(threads) = &threads {
                // The channel holds one thread per worker; a worker that is started anew brings no actors.
                threads.try_send(Arbiter::current()).ok();
            }
            Porter::new(&doors, begins).before(App::new().configure(door(&doors)))
        };
        let server = HttpServer::new(factory)
            .workers(workers)
            .max_connections(connections_max)
            .backlog(8192)
            .client_request_timeout(HEAD_WITHIN)
            .keep_alive(KEEP_ALIVE)
            .shutdown_timeout(CLOSING.as_secs())
            .disable_signals();
        let server = match &self.written.tls {
            None => server.listen(self.listener)?,
            Some(written) => server.listen_rustls_0_23(self.listener, tls::server_config(written)?)?,
        };
        Ok(server.run())
    }
}

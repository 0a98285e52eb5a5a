//! The switch's line in the simulation: `switch::line` and `switch::iso` as they are, over turmoil's listener.
use crate::house::{Forgetful, LINE};
use crate::scene::Scene;
use actors::domain::response_code::ResponseCode;
use actors::ports::clock::Clock;
use actors::switchboard::Switchboard;
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::framing::Framing;
use adapters::security_module::SoftwareSecurityModule;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use switch::iso::{Flows, IsoDoor, Proof, Rules};
use switch::line::{Answering, LineSettings, Lines, serve_connection};
use turmoil::net::TcpListener;

/// So much before its terminals' patience ends a payment is decided.
const MARGIN: Duration = Duration::from_secs(2);

/// Serves the terminals that speak ISO 8583 until the host ends.
pub async fn serve(scene: &Scene, board: &Switchboard, clock: &Arc<dyn Clock>) -> turmoil::Result {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, LINE)).await?;
    let dialect = Dialect::named(scene.plan.dialect).unwrap();
    let framing = scene.plan.framing.parse::<Framing>().unwrap().within(dialect.shortest(), 8192).unwrap();
    let patience = scene.plan.line_patience();
    let settings = LineSettings { patience, ..LineSettings::standard("shop", framing, dialect.name()) };
    let line = Arc::clone(&Lines::new(clock, 16, [settings]).all()[0]);
    let rules = Rules { patience, margin: MARGIN, unseen_reversal: ResponseCode::APPROVED };
    let flows = Flows::new(board.clone(), Arc::new(Forgetful), rules);
    let module = Arc::new(SoftwareSecurityModule::new([], Arc::clone(&board.world().dice))?);
    let trusted = Proof { module, board: board.clone(), mac: None, exchange: None };
    let door: Arc<dyn Answering> = Arc::new(IsoDoor::new(Arc::new(dialect.clone()), flows, trusted));
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::task::spawn_local(serve_connection(stream, peer, Arc::clone(&line), Arc::clone(&door)));
    }
}

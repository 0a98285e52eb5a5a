//! The house's lines: ports taken first, terminals served last, and whoever answers them between.
use super::tls;
use crate::config::{Checked, CheckedLine};
use crate::iso::{Flows, IsoDoor, MacKeyRule, MacRules, Proof};
use crate::line::{BoundLine, Lines};
use actix_rt::ArbiterHandle;
use actors::ports::clock::{Clock, Dice};
use actors::ports::history::History;
use actors::ports::security_module::{KeyRef, Ksn, ModuleFault, SecurityModule};
use actors::switchboard::Switchboard;
use adapters::security_module::{ConfiguredKey, SoftwareSecurityModule};
use anyhow::Context;
use std::net::SocketAddr;
use std::sync::Arc;

/// First messages of some terminal, to try a base key with: one of the two is of its kind.
const FIRST_KSNS: [Ksn; 2] =
    [Ksn::Tdes([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), Ksn::Aes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])];

/// Takes the ports of all lines; nobody is served yet.
pub(super) fn bound(
    checked: &Checked,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Arc<Lines>, Vec<BoundLine>)> {
    let settings = checked.lines.iter().map(|line| line.settings.clone());
    let lines = Arc::new(Lines::new(clock, checked.roster.terminals(), settings));
    let bound = lines.all().iter().zip(&checked.lines).map(|(line, checked)| {
        let written = &checked.written;
        let tls = written.tls.as_ref().map(tls::server_config).transpose();
        let tls = tls.with_context(|| format!("lines: {}.tls", written.name))?;
        BoundLine::bind(Arc::clone(line), written.listen, tls).with_context(|| {
            format!(
                "lines: {}.listen {}: choose another port or stop who holds it",
                written.name, written.listen
            )
        })
    });
    let bound = bound.collect::<anyhow::Result<_>>()?;
    Ok((lines, bound))
}

/// Serves the lines on the workers' threads, each by its own rules.
pub(super) fn serve(
    bound: Vec<BoundLine>,
    checked: &[CheckedLine],
    module: &Arc<dyn SecurityModule>,
    (board, history): (&Switchboard, &Arc<dyn History>),
    places: &[ArbiterHandle],
) {
    for (line, checked) in bound.into_iter().zip(checked) {
        let flows = Flows::new(board.clone(), Arc::clone(history), checked.rules);
        let proof = Proof {
            module: Arc::clone(module),
            board: board.clone(),
            mac: checked.proof.mac,
            exchange: checked.proof.exchange,
        };
        let door = IsoDoor::new(Arc::clone(&checked.dialect), flows, proof);
        let door = match &checked.peers {
            Some(peers) => door.only_for(peers.clone()),
            None => door,
        };
        line.serve(Arc::new(door), places.to_vec());
    }
}

/// Where the lines are, by name.
pub(super) fn addresses(bound: &[BoundLine]) -> anyhow::Result<Vec<(String, SocketAddr)>> {
    bound.iter().map(|line| Ok((line.line().name().to_owned(), line.address()?))).collect()
}

/// The security module with the configured keys; every line's MAC is made once, so that a key of the wrong kind is found now.
pub(super) async fn security_module(
    keys: Vec<ConfiguredKey>,
    lines: &[CheckedLine],
    dice: Arc<dyn Dice>,
) -> anyhow::Result<Arc<dyn SecurityModule>> {
    let module: Arc<dyn SecurityModule> = Arc::new(SoftwareSecurityModule::new(keys, dice)?);
    for line in lines {
        let Some(MacRules { algorithm, key, .. }) = line.proof.mac else { continue };
        let keys = match key {
            MacKeyRule::Named(name) => vec![KeyRef::Named(name)],
            MacKeyRule::Dukpt(dukpt) => FIRST_KSNS.map(|ksn| dukpt.key(ksn)).to_vec(),
            MacKeyRule::Working(_) => continue,
        };
        for key in keys {
            let tried = module.verify_mac(key, algorithm, b"", &[0; 8]).await;
            if let Err(fault @ (ModuleFault::Misconfigured(_) | ModuleFault::Unavailable(_))) = tried {
                return Err(fault).with_context(|| format!("lines: {}.mac", line.written.name));
            }
        }
    }
    Ok(module)
}

//! The third parties, connected as the configuration says; and how one-time codes leave.
use crate::config::{Checked, CheckedPlatform, Codes, InterfaceKind, PlatformKind};
use actors::domain::identity::PayerId;
use actors::ports::Answer;
use actors::ports::clock::{Clock, Dice};
use actors::ports::code_sender::{CodeNotSent, CodeSender};
use actors::ports::platform::Platform;
use adapters::clock::WallClock;
use adapters::http_client::{ClientIdentity, ClientTls, HttpClient, TcpNetwork};
use adapters::platform::sandbox::{CredentialTravels, SandboxPlatform, SandboxSettings};
use adapters::platform::wall_time::OnWallTime;
use adapters::signature::SharedSecret;
use anyhow::Context;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

/// The adapters of all configured platforms.
pub(super) fn connected(
    checked: &Checked,
    clock: &Arc<dyn Clock>,
    dice: &Arc<dyn Dice>,
) -> anyhow::Result<Vec<Arc<dyn Platform>>> {
    checked.platforms.iter().map(|platform| connect(checked, platform, clock, dice)).collect()
}

fn connect(
    checked: &Checked,
    platform: &CheckedPlatform,
    clock: &Arc<dyn Clock>,
    dice: &Arc<dyn Dice>,
) -> anyhow::Result<Arc<dyn Platform>> {
    let PlatformKind::Sandbox = platform.written.kind;
    let named = || format!("platform \"{}\"", platform.id);
    let client = HttpClient::new(Arc::new(TcpNetwork), tls(platform).with_context(named)?, clock.clone());
    let settings = SandboxSettings {
        id: platform.id,
        address: platform.written.url.parse().with_context(named)?,
        secret: SharedSecret::parse(&platform.secret).with_context(named)?,
        travels: match platform.written.interface {
            InterfaceKind::Relay => CredentialTravels::Relayed,
            InterfaceKind::Direct => CredentialTravels::Directly,
        },
        in_flight_max: checked.config.limits.platform_calls_max,
    };
    let wall: Arc<dyn Clock> = Arc::new(WallClock);
    let adapter = SandboxPlatform::new(settings, client, wall.clone(), dice.clone()).with_context(named)?;
    Ok(Arc::new(OnWallTime::new(adapter, clock.clone(), wall)))
}

fn tls(platform: &CheckedPlatform) -> anyhow::Result<Option<ClientTls>> {
    let Some(tls) = &platform.written.tls else { return Ok(None) };
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| path.display().to_string());
    let (certificates, key) = (read(&tls.certificate)?, Zeroizing::new(read(&tls.key)?));
    let identity = ClientIdentity { certificates_pem: &certificates, key_pem: &key };
    Ok(Some(ClientTls::new(&read(&tls.authority)?, Some(identity))?))
}

/// How one-time codes leave.
pub(super) fn code_sender(checked: &Checked) -> Arc<dyn CodeSender> {
    match (&checked.config.login.codes, &checked.config.login.code_program) {
        (Codes::Program, Some(program)) => Arc::new(Program(program.clone())),
        _ => Arc::new(OntoThePage),
    }
}

/// The answer to the phone carries the code: nothing is to be sent.
struct OntoThePage;

impl CodeSender for OntoThePage {
    fn send(&self, _: PayerId, _: &str) -> Answer<Result<(), CodeNotSent>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The operator's program gets number and code on its standard input, one line, and sends the SMS.
struct Program(PathBuf);

impl CodeSender for Program {
    fn send(&self, subscriber: PayerId, code: &str) -> Answer<Result<(), CodeNotSent>> {
        let line = format!("{subscriber} {code}\n");
        let mut command = tokio::process::Command::new(&self.0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
        Box::pin(async move {
            let fault = |error: std::io::Error| CodeNotSent(error.to_string());
            let mut child = command.spawn().map_err(fault)?;
            if let Some(mut input) = child.stdin.take() {
                input.write_all(line.as_bytes()).await.map_err(fault)?;
            }
            let status = child.wait().await.map_err(fault)?;
            if status.success() {
                Ok(())
            } else {
                Err(CodeNotSent(format!("the program ended with {status}")))
            }
        })
    }
}

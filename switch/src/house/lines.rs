//! The house's lines: ports taken first, terminals served last, and whoever answers them between.
use super::tls;
use crate::config::Checked;
use crate::line::{Answered, Answering, BoundLine, CodeLabel, Line, Lines, MessageClass, MessageKind};
use actix_rt::ArbiterHandle;
use actors::ports::clock::Clock;
use actors::switchboard::Switchboard;
use anyhow::Context;
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;

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

/// Serves the lines on the workers' threads.
pub(super) fn serve(bound: Vec<BoundLine>, answering: &Arc<dyn Answering>, places: &[ArbiterHandle]) {
    for line in bound {
        line.serve(Arc::clone(answering), places.to_vec());
    }
}

/// Where the lines are, by name.
pub(super) fn addresses(bound: &[BoundLine]) -> anyhow::Result<Vec<(String, SocketAddr)>> {
    bound.iter().map(|line| Ok((line.line().name().to_owned(), line.address()?))).collect()
}

/// Whoever answers what comes over the lines.
pub(super) fn answering(_: &Checked, _: &Switchboard) -> Arc<dyn Answering> {
    Arc::new(Mute)
}

/// Answers nothing: the frames of a line are read and counted, and its terminals are kept alive.
struct Mute;

impl Answering for Mute {
    fn answer(&self, _: &Arc<Line>, _: Bytes) -> LocalBoxFuture<'static, Answered> {
        let kind = MessageKind { class: MessageClass::Unreadable, code: CodeLabel::NONE };
        ready(Answered { reply: None, kind, terminal: None, bad: false }).boxed_local()
    }
}

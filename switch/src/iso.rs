//! The terminals' ISO 8583 door: bytes of one message in, bytes of its answer out.
//!
//! `flows` makes happen what is asked, `adapters::iso8583` reads and writes, [`line`](crate::line) carries. What cannot be read is answered
//! with 30 as long as somebody can be answered. Nothing that identifies a card is kept, logged or handed on.
mod flows;
mod peers;
mod proof;
mod settlement;

pub use flows::{Flows, Rules};
pub use peers::Peers;
pub use proof::{Dukpt, Exchange, MacKeyRule, MacRules, Proof, Proven};

use crate::line::{Answered, Answering, CodeLabel, Line, MessageKind, Unmatched};
use actors::domain::response_code::ResponseCode;
use actors::gate::{HOLD_BACK, held_back};
use adapters::iso8583::asked::{Told, Unfit, Wish};
use adapters::iso8583::dialect::Dialect;
use adapters::iso8583::message::Message;
use adapters::iso8583::translate;
use bytes::{Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use peers::Speaks;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;

/// The door of one line.
#[derive(Clone)]
pub struct IsoDoor {
    dialect: Arc<Dialect>,
    flows: Flows,
    proof: Proof,
    peers: Option<Peers>,
    speaks: Speaks,
}

impl IsoDoor {
    /// A door where this dialect is spoken.
    pub const fn new(dialect: Arc<Dialect>, flows: Flows, proof: Proof) -> Self {
        Self { dialect, flows, proof, peers: None, speaks: Speaks::ForAnybody }
    }

    /// The same, where a peer speaks only for the terminals that its certificate stands for.
    #[must_use]
    pub fn only_for(self, peers: Peers) -> Self {
        Self { peers: Some(peers), speaks: Speaks::for_nobody(), ..self }
    }

    /// How its messages are proven.
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }
}

impl Answering for IsoDoor {
    fn answer(&self, line: &Arc<Line>, message: Bytes) -> LocalBoxFuture<'static, Answered> {
        let (door, line) = (self.clone(), Arc::clone(line));
        Box::pin(async move {
            // In a box that is gone when the answer is there: what is held back then holds nothing else.
            let answered = Box::pin(async { door.answered(&line, &message).await }).await;
            drop((door, message));
            if answered.kind.code == CodeLabel::INOPERATIVE {
                // Its connection has one answer less to ask for meanwhile, and is read that much slower.
                tokio::time::sleep(held_back(line.now(), HOLD_BACK)).await;
            }
            answered
        })
    }

    fn for_peer(&self, certificate: &CertificateDer<'_>) -> Option<Arc<dyn Answering>> {
        let speaks = self.peers.as_ref()?.speaking_for(certificate);
        Some(Arc::new(Self { speaks, ..self.clone() }))
    }
}

impl IsoDoor {
    async fn answered(&self, line: &Line, frame: &[u8]) -> Answered {
        let arrived = line.now();
        let message = match Message::parse(&self.dialect, frame) {
            Ok(message) => message,
            Err(broken) => {
                tracing::info!(line = line.name(), fault = %broken.fault, "a message that cannot be read");
                return match broken.read() {
                    Some(read) => self.refused(&read, Proven::NOT, ResponseCode::FORMAT_ERROR).await,
                    None => silent(MessageKind::UNREADABLE, true),
                };
            }
        };
        if message.mti().response().is_none() {
            line.unmatched(Unmatched::Answer);
            return silent(unanswered(&message), false);
        }
        if translate::terminal(&message).is_ok_and(|terminal| !self.speaks.is_for(terminal)) {
            line.unmatched(Unmatched::Peer);
            return self.refused(&message, Proven::NOT, ResponseCode::NOT_PERMITTED_TO_TERMINAL).await;
        }
        let proven = match self.proof.verified(&message).await {
            Ok(proven) => proven,
            Err(code) => {
                line.mac_failed();
                tracing::warn!(
                    line = line.name(),
                    code = code.as_str(),
                    "a message without a proof of its origin"
                );
                return self.refused(&message, Proven::NOT, code).await;
            }
        };
        let asked = match translate::read(&message) {
            Ok(asked) => asked,
            Err(unfit) => return self.unfit(line, &message, proven, unfit).await,
        };
        let terminal = asked.terminal;
        let told = match (&asked.wish, self.flows.known(&asked)) {
            (Wish::Keys(wish), Ok(_)) => Some(self.proof.exchanged(terminal, *wish, proven).await),
            _ => self.flows.fulfil(arrived, asked).await,
        };
        let Some(told) = told else {
            return Answered { terminal: Some(terminal), ..silent(unanswered(&message), false) };
        };
        match told.code {
            ResponseCode::NOT_PERMITTED_TO_TERMINAL => line.unmatched(Unmatched::Terminal),
            ResponseCode::NOT_FOUND => line.unmatched(Unmatched::Original),
            _ => {}
        }
        let known = (told.code != ResponseCode::NOT_PERMITTED_TO_TERMINAL).then_some(terminal);
        Answered { terminal: known, ..self.said(&message, proven, &told, false).await }
    }

    async fn unfit(&self, line: &Line, message: &Message<'_>, proven: Proven, unfit: Unfit) -> Answered {
        tracing::info!(line = line.name(), mti = message.mti().as_str(), %unfit, "a message that is not served");
        let is_malformed = unfit.code == ResponseCode::FORMAT_ERROR;
        Answered { bad: is_malformed, ..self.refused(message, proven, unfit.code).await }
    }

    /// The answer to what is not served, if one would find its way back.
    async fn refused(&self, message: &Message<'_>, proven: Proven, code: ResponseCode) -> Answered {
        if translate::can_be_answered(message) {
            self.said(message, proven, &Told::code(code), true).await
        } else {
            silent(unanswered(message), true)
        }
    }

    async fn said(&self, request: &Message<'_>, proven: Proven, told: &Told, bad: bool) -> Answered {
        match self.written(request, proven, told).await {
            Ok(reply) => {
                let kind = MessageKind::of(request.mti().as_str(), CodeLabel::of(told.code.as_str()));
                Answered { reply: Some(reply), kind, terminal: None, bad }
            }
            Err(fault) => {
                tracing::error!(%fault, "an answer that cannot be written: the terminal will repeat or take back");
                silent(unanswered(request), bad)
            }
        }
    }

    async fn written(&self, request: &Message<'_>, proven: Proven, told: &Told) -> anyhow::Result<Bytes> {
        let mti = request.mti().response().ok_or_else(|| anyhow::anyhow!("not a request"))?;
        let answer = translate::answer(request, mti, told)?;
        let mut out = BytesMut::with_capacity(512);
        self.proof.sealed(proven, &answer, &mut out).await?;
        Ok(out.freeze())
    }
}

fn unanswered(message: &Message<'_>) -> MessageKind {
    MessageKind::of(message.mti().as_str(), CodeLabel::NONE)
}

const fn silent(kind: MessageKind, bad: bool) -> Answered {
    Answered { reply: None, kind, terminal: None, bad }
}

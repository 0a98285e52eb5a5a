//! Whose message it is: the MAC that proves it, asked for and given as the line's rules have it; and new working keys.
//!
//! The MAC covers the message from its type to the byte before field 64 or 128 (ISO 16609), so it is checked over the very bytes that came
//! and made over the very bytes that go. Network management may come without one: a terminal signs on before it has a key. What was
//! asked with a MAC is answered with one, under the same key or its counterpart. Keys that were handed over are a terminal's own from the first message that
//! it proves with them; until then `domain::till::keys` keeps those that it proved before.
use actors::answer::Fault;
use actors::domain::identity::{KeyName, TerminalId};
use actors::domain::response_code::ResponseCode;
use actors::domain::till::keys::{KeyGeneration, KeyRequest, WorkingKeys};
use actors::domain::time::Deadline;
use actors::ports::security_module::{
    Cipher, Generation, HandOverForm, KeyRef, Ksn, MacAlgorithm, ModuleFault, SecurityModule, Way,
};
use actors::switchboard::Switchboard;
use adapters::iso8583::asked::{KeyWish, Told};
use adapters::iso8583::builder::{BuildFault, Builder};
use adapters::iso8583::ksn::KsnPlace;
use adapters::iso8583::message::{MacScope, Message};
use adapters::iso8583::mti::Class;
use adapters::iso8583::translate;
use bytes::BytesMut;
use std::sync::Arc;
use std::time::Duration;

/// How long the terminal's book may take to be looked at.
const BOOK_WITHIN: Duration = Duration::from_secs(5);

/// What proves the messages of a line, and which keys its terminals are handed.
#[derive(Clone)]
pub struct Proof {
    /// Who has the keys.
    pub module: Arc<dyn SecurityModule>,
    /// The way to the terminals' books.
    pub board: Switchboard,
    /// The MAC that has to be there; `None`: the network is trusted.
    pub mac: Option<MacRules>,
    /// How working keys are handed over; `None`: they are not.
    pub exchange: Option<Exchange>,
}

/// How a MAC is made.
#[derive(Clone, Copy, Debug)]
pub struct MacRules {
    /// By which algorithm.
    pub algorithm: MacAlgorithm,
    /// With which key.
    pub key: MacKeyRule,
    /// What is told to whom cannot prove it: 63, or A0 on UnionPay's links.
    pub refusal: ResponseCode,
}

/// Which key makes a MAC.
#[derive(Clone, Copy, Debug)]
pub enum MacKeyRule {
    /// One that the configuration names.
    Named(KeyName),
    /// The terminal's working key.
    Working(Cipher),
    /// The key of this one message (DUKPT).
    Dukpt(Dukpt),
}

/// How the key of a message is derived.
#[derive(Clone, Copy, Debug)]
pub struct Dukpt {
    /// The base key.
    pub base: KeyName,
    /// The derived key's cipher.
    pub cipher: Cipher,
    /// Where the message says which key it is.
    pub place: KsnPlace,
}

impl Dukpt {
    /// The key of a message that a terminal sends with this KSN.
    pub const fn key(&self, ksn: Ksn) -> KeyRef {
        KeyRef::Dukpt { base: self.base, ksn, way: Way::FromTerminal, cipher: self.cipher }
    }
}

/// How working keys are handed over.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The terminals' master key.
    pub under: KeyName,
    /// In which form.
    pub form: HandOverForm,
}

/// A message that was proven, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Proven {
    key: Option<KeyRef>,
    generation: Option<KeyGeneration>,
}

impl Proven {
    /// By nothing.
    pub const NOT: Self = Self { key: None, generation: None };

    const fn by_working_key(terminal: TerminalId, held: KeyGeneration, cipher: Cipher) -> Self {
        let generation = Generation::from_bits(held.bits());
        Self { key: Some(KeyRef::Working { terminal, generation, cipher }), generation: Some(held) }
    }
}

impl Proof {
    /// By what the message is proven; else, what its sender is told.
    pub async fn verified(&self, message: &Message<'_>) -> Result<Proven, ResponseCode> {
        let Some(rules) = &self.mac else { return Ok(Proven::NOT) };
        let Some(scope) = message.mac_scope() else {
            let may_be_without = message.mti().class() == Class::NetworkManagement;
            return if may_be_without { Ok(Proven::NOT) } else { Err(rules.refusal) };
        };
        let cipher = match rules.key {
            MacKeyRule::Named(name) => {
                let named = Proven { key: Some(KeyRef::Named(name)), generation: None };
                return self.first_proving(rules, &scope, [named]).await;
            }
            MacKeyRule::Dukpt(dukpt) => {
                let ksn = dukpt.place.read(message).ok_or(rules.refusal)?;
                let derived = Proven { key: Some(dukpt.key(ksn)), generation: None };
                return self.first_proving(rules, &scope, [derived]).await;
            }
            MacKeyRule::Working(cipher) => cipher,
        };
        let terminal = translate::terminal(message).map_err(|unfit| unfit.code)?;
        let keys = self.board.working_keys(terminal, self.soon()).await.map_err(code_of)?;
        let candidates = keys.candidates().map(|held| Proven::by_working_key(terminal, held, cipher));
        let proven = self.first_proving(rules, &scope, candidates).await?;
        self.learnt(terminal, keys, proven).await;
        Ok(proven)
    }

    /// The first of these that made the MAC.
    async fn first_proving(
        &self,
        rules: &MacRules,
        scope: &MacScope<'_>,
        candidates: impl IntoIterator<Item = Proven>,
    ) -> Result<Proven, ResponseCode> {
        for candidate in candidates {
            let Some(key) = candidate.key else { continue };
            match self.module.verify_mac(key, rules.algorithm, scope.covered, &scope.mac).await {
                Ok(()) => return Ok(candidate),
                // Of another key, or with a KSN that no terminal has.
                Err(ModuleFault::Rejected(_)) => {}
                Err(fault) => {
                    tracing::error!(%fault, "a MAC cannot be checked");
                    return Err(ResponseCode::CRYPTOGRAPHIC_FAILURE);
                }
            }
        }
        Err(rules.refusal)
    }

    /// Keys that prove a message for the first time are the terminal's from now on. If that cannot be recorded, the next
    /// message proves it as well: both sets stay until it is.
    async fn learnt(&self, terminal: TerminalId, keys: WorkingKeys, proven: Proven) {
        let Some(generation) = proven.generation.filter(|held| keys.would_learn_from(*held)) else { return };
        if let Err(fault) = self.board.keys_proven(terminal, generation, self.soon()).await {
            tracing::warn!(%fault, %terminal, "it is not recorded which working keys a terminal holds");
        }
    }

    /// Who asks for keys: on a line that is proven otherwise, whoever the line believes.
    const fn requester(&self, proven: Proven) -> KeyRequest {
        match (proven.generation, proven.key, &self.mac) {
            (Some(generation), _, _) => KeyRequest::Proven(generation),
            (None, Some(_), _) | (None, None, None) => KeyRequest::Trusted,
            (None, None, Some(_)) => KeyRequest::Unproven,
        }
    }

    /// New working keys for a terminal, recorded before they are handed over.
    pub async fn exchanged(&self, terminal: TerminalId, wish: KeyWish, proven: Proven) -> Told {
        let Some(exchange) = &self.exchange else {
            return Told::code(match wish {
                KeyWish::WithSignOn => ResponseCode::APPROVED,
                KeyWish::Exchange => ResponseCode::NOT_SUPPORTED,
            });
        };
        let fresh = match self.module.new_generation().await {
            Ok(fresh) => KeyGeneration::from_bits(fresh.bits()),
            Err(fault) => return unable(&fault),
        };
        let handed = match self.board.rekey(terminal, self.requester(proven), fresh, self.soon()).await {
            Ok(handed) => Generation::from_bits(handed.bits()),
            Err(fault) => return Told::code(code_of(fault)),
        };
        match self.module.hand_over(terminal, handed, exchange.under, exchange.form).await {
            Ok(handed) => {
                tracing::info!(%terminal, check_values = ?handed.check_values, "working keys were handed over");
                Told { keys: Some(handed.bytes), ..Told::code(ResponseCode::APPROVED) }
            }
            Err(fault) => unable(&fault),
        }
    }

    /// Writes an answer, with a MAC if its request was proven by one.
    pub async fn sealed(
        &self,
        proven: Proven,
        answer: &Builder<'_>,
        out: &mut BytesMut,
    ) -> anyhow::Result<()> {
        match (&self.mac, proven.key) {
            (Some(rules), Some(key)) => self.seal(rules.algorithm, of_answers(key), answer, out).await,
            _ => Ok(answer.finish(out)?),
        }
    }

    /// The module may be a device on a wire and the builder does not wait: what is covered is written once to be asked
    /// about, and once to be sent.
    async fn seal(
        &self,
        algorithm: MacAlgorithm,
        key: KeyRef,
        answer: &Builder<'_>,
        out: &mut BytesMut,
    ) -> anyhow::Result<()> {
        let (mut covered, mut draft) = (Vec::new(), BytesMut::new());
        answer.finish_with_mac(&mut draft, |bytes| {
            covered.extend_from_slice(bytes);
            Ok::<_, BuildFault>([0; 8])
        })?;
        let mac = self.module.mac(key, algorithm, &covered).await?;
        answer.finish_with_mac(out, |_| Ok::<_, BuildFault>(mac.0))?;
        Ok(())
    }

    fn soon(&self) -> Deadline {
        Deadline::after(self.board.now(), BOOK_WITHIN)
    }
}

/// The key that answers are made with where a request was made with this one: under DUKPT each way has its own.
const fn of_answers(key: KeyRef) -> KeyRef {
    match key {
        KeyRef::Dukpt { base, ksn, cipher, .. } => KeyRef::Dukpt { base, ksn, way: Way::ToTerminal, cipher },
        key => key,
    }
}

fn unable(fault: &ModuleFault) -> Told {
    tracing::error!(%fault, "a terminal cannot be given working keys");
    Told::code(ResponseCode::CRYPTOGRAPHIC_FAILURE)
}

const fn code_of(fault: Fault) -> ResponseCode {
    match fault {
        Fault::Crashed => ResponseCode::MALFUNCTION,
        _ => ResponseCode::INOPERATIVE,
    }
}

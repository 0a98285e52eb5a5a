//! Whose message it is: the MAC that proves it, asked for and given as the line's rules have it; and new working keys.
//!
//! The MAC covers the message from its type to the byte before field 64 or 128 (ISO 16609), so it is checked over the very bytes that came
//! and made over the very bytes that go. Network management may come without one: a terminal signs on before it has a key. What was
//! asked with a MAC is answered with one, under the same key.
use actors::answer::Fault;
use actors::domain::identity::{KeyName, TerminalId};
use actors::domain::response_code::ResponseCode;
use actors::domain::till::KeyGeneration;
use actors::domain::time::Deadline;
use actors::ports::security_module::{
    Cipher, Generation, HandOverForm, KeyRef, MacAlgorithm, ModuleFault, Rejection, SecurityModule,
};
use actors::switchboard::Switchboard;
use adapters::iso8583::asked::{KeyWish, Told};
use adapters::iso8583::builder::{BuildFault, Builder};
use adapters::iso8583::message::Message;
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
}

impl Proof {
    /// By what the message is proven; else, what its sender is told.
    pub async fn verified(&self, message: &Message<'_>) -> Result<Proven, ResponseCode> {
        let Some(rules) = &self.mac else { return Ok(Proven::NOT) };
        let Some(scope) = message.mac_scope() else {
            let may_be_without = message.mti().class() == Class::NetworkManagement;
            return if may_be_without { Ok(Proven::NOT) } else { Err(rules.refusal) };
        };
        for candidate in self.keys(rules, message).await? {
            let Some(key) = candidate.key else { continue };
            match self.module.verify_mac(key, rules.algorithm, scope.covered, &scope.mac).await {
                Ok(()) => return Ok(candidate),
                Err(ModuleFault::Rejected(Rejection::Mac(_))) => {}
                Err(fault) => {
                    tracing::error!(%fault, "a MAC cannot be checked");
                    return Err(ResponseCode::CRYPTOGRAPHIC_FAILURE);
                }
            }
        }
        Err(rules.refusal)
    }

    /// The keys that may have made the MAC, the likeliest first: a terminal that never heard of its new key has the old one.
    async fn keys(&self, rules: &MacRules, message: &Message<'_>) -> Result<Vec<Proven>, ResponseCode> {
        let cipher = match rules.key {
            MacKeyRule::Named(name) => {
                return Ok(vec![Proven { key: Some(KeyRef::Named(name)), generation: None }]);
            }
            MacKeyRule::Working(cipher) => cipher,
        };
        let terminal = translate::terminal(message).map_err(|unfit| unfit.code)?;
        let held = self.board.key_generations(terminal, self.soon()).await.map_err(code_of)?;
        let proven = |generation: KeyGeneration| {
            let key =
                KeyRef::Working { terminal, generation: Generation::from_bits(generation.bits()), cipher };
            Proven { key: Some(key), generation: Some(generation) }
        };
        let generations = held.into_iter().flat_map(|held| [Some(held.current), held.former]).flatten();
        Ok(generations.map(proven).collect())
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
        let held = match self.board.rekey(terminal, proven.generation, fresh, self.soon()).await {
            Ok(held) => Generation::from_bits(held.current.bits()),
            Err(fault) => return Told::code(code_of(fault)),
        };
        match self.module.hand_over(terminal, held, exchange.under, exchange.form).await {
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
            (Some(rules), Some(key)) => self.seal(rules.algorithm, key, answer, out).await,
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

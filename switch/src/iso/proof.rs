//! Whose message it is: the MAC that proves it, asked for and given as the line's rules have it.
//!
//! The MAC covers the message from its type to the byte before field 64 or 128 (ISO 16609), so it is checked over the very bytes that came
//! and made over the very bytes that go. Network management may come without one: a terminal signs on before it has a key. What was
//! asked with a MAC is answered with one.
use actors::domain::identity::KeyName;
use actors::domain::response_code::ResponseCode;
use actors::ports::security_module::{KeyRef, MacAlgorithm, ModuleFault, Rejection, SecurityModule};
use adapters::iso8583::builder::{BuildFault, Builder};
use adapters::iso8583::message::Message;
use adapters::iso8583::mti::Class;
use bytes::BytesMut;
use std::sync::Arc;

/// What proves a message on a line.
#[derive(Clone)]
pub enum Proof {
    /// Nothing: the network is trusted.
    Network,
    /// A MAC.
    Mac(MacRules),
}

/// How the messages of a line are proven.
#[derive(Clone)]
pub struct MacRules {
    /// Who has the keys.
    pub module: Arc<dyn SecurityModule>,
    /// How a MAC is made.
    pub algorithm: MacAlgorithm,
    /// With which key.
    pub key: KeyName,
    /// What is told to whom cannot prove it: 63, or A0 on UnionPay's links.
    pub refusal: ResponseCode,
}

impl Proof {
    /// Whether the message is from whom it says it is from; else, what its sender is told.
    pub async fn verified(&self, message: &Message<'_>) -> Result<(), ResponseCode> {
        let Self::Mac(rules) = self else { return Ok(()) };
        let Some(scope) = message.mac_scope() else {
            let may_be_without = message.mti().class() == Class::NetworkManagement;
            return if may_be_without { Ok(()) } else { Err(rules.refusal) };
        };
        let key = KeyRef::Named(rules.key);
        match rules.module.verify_mac(key, rules.algorithm, scope.covered, &scope.mac).await {
            Ok(()) => Ok(()),
            Err(ModuleFault::Rejected(Rejection::Mac(_))) => Err(rules.refusal),
            Err(fault) => {
                tracing::error!(%fault, "a MAC cannot be checked");
                Err(ResponseCode::CRYPTOGRAPHIC_FAILURE)
            }
        }
    }

    /// Writes an answer, with a MAC if its request came with one.
    pub async fn sealed(
        &self,
        request: &Message<'_>,
        answer: &Builder<'_>,
        out: &mut BytesMut,
    ) -> anyhow::Result<()> {
        match self {
            Self::Mac(rules) if request.mac_scope().is_some() => rules.seal(answer, out).await,
            _ => Ok(answer.finish(out)?),
        }
    }
}

impl MacRules {
    /// The module may be a device on a wire and the builder does not wait: what is covered is written once to be asked
    /// about, and once to be sent.
    async fn seal(&self, answer: &Builder<'_>, out: &mut BytesMut) -> anyhow::Result<()> {
        let (mut covered, mut draft) = (Vec::new(), BytesMut::new());
        answer.finish_with_mac(&mut draft, |bytes| {
            covered.extend_from_slice(bytes);
            Ok::<_, BuildFault>([0; 8])
        })?;
        let mac = self.module.mac(KeyRef::Named(self.key), self.algorithm, &covered).await?;
        answer.finish_with_mac(out, |_| Ok::<_, BuildFault>(mac.0))?;
        Ok(())
    }
}

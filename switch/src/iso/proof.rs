//! Whose message it is: the MAC that proves it, asked for and given as the line's rules have it.
use actors::domain::response_code::ResponseCode;
use adapters::iso8583::builder::Builder;
use adapters::iso8583::message::Message;
use bytes::BytesMut;

/// What proves a message on a line.
#[derive(Clone, Debug)]
pub enum Proof {
    /// Nothing: the network is trusted.
    Network,
}

impl Proof {
    /// Whether the message is whom it says it is from.
    pub async fn verified(&self, _message: &Message<'_>) -> Result<(), ResponseCode> {
        Ok(())
    }

    /// Writes an answer, proven as its request was asked to be.
    pub async fn sealed(&self, _request: &Message<'_>, answer: &Builder<'_>, out: &mut BytesMut) -> anyhow::Result<()> {
        Ok(answer.finish(out)?)
    }
}

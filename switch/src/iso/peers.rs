//! Which terminals a peer may speak for, by the name in the certificate that it showed: a subject alternative name, DNS or address.
//!
//! Who signed the certificate was checked before; names outlive a certificate that is renewed. A peer whose certificate bears several of the
//! names speaks for the terminals of all of them, one that bears none for nobody.
use actors::domain::identity::TerminalId;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The peers of a line, each with its terminals.
#[derive(Clone, Debug)]
pub struct Peers(Arc<[(ServerName<'static>, BTreeSet<TerminalId>)]>);

/// For whom a connection may speak.
#[derive(Clone, Debug)]
pub(super) enum Speaks {
    /// Whoever the message says.
    ForAnybody,
    /// These.
    For(Arc<BTreeSet<TerminalId>>),
}

impl Peers {
    /// These.
    pub fn new(peers: impl IntoIterator<Item = (ServerName<'static>, BTreeSet<TerminalId>)>) -> Self {
        Self(peers.into_iter().collect())
    }

    pub(super) fn speaking_for(&self, certificate: &CertificateDer<'_>) -> Speaks {
        // What cannot be read bears no name.
        let parsed = ParsedCertificate::try_from(certificate).ok();
        let bears = |name| parsed.as_ref().is_some_and(|parsed| verify_server_name(parsed, name).is_ok());
        let named = self.0.iter().filter(|(name, _)| bears(name));
        Speaks::For(Arc::new(named.flat_map(|(_, terminals)| terminals.iter().copied()).collect()))
    }
}

impl Speaks {
    /// Nobody.
    pub(super) fn for_nobody() -> Self {
        Self::For(Arc::default())
    }

    /// Whether a message of this terminal may come from there.
    pub(super) fn is_for(&self, terminal: TerminalId) -> bool {
        match self {
            Self::ForAnybody => true,
            Self::For(terminals) => terminals.contains(&terminal),
        }
    }
}

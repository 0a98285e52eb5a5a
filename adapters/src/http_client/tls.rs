//! TLS towards a peer: its authority pinned, and our own certificate where the peer wants to know us.
//!
//! rustls with ring. There is no way to switch verification off, and no system-wide list of authorities:
//! a platform's authority is configuration.
use super::network::Link;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How to speak TLS with a peer.
#[derive(Clone)]
pub struct ClientTls(TlsConnector);

/// Who we are to a peer: a certificate chain and its key, both PEM.
#[derive(Clone, Copy)]
pub struct ClientIdentity<'a> {
    /// The chain, our own certificate first.
    pub certificates_pem: &'a [u8],
    /// The private key.
    pub key_pem: &'a [u8],
}

/// Which of the configured files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The authority's certificates.
    #[error("the authority must be one or more certificates in PEM")]
    Authority,
    /// Our own certificate.
    #[error("the client certificate must be a chain in PEM, our own certificate first")]
    Certificate,
    /// Our own key.
    #[error("the client key must be a private key in PEM that fits the client certificate")]
    Key,
    /// The TLS library.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

impl ClientTls {
    /// Trusts `authority_pem` alone, and shows `identity` to a peer that asks.
    pub fn new(authority_pem: &[u8], identity: Option<ClientIdentity<'_>>) -> Result<Self, TlsFault> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(authority_pem).ok_or(TlsFault::Authority)? {
            roots.add(certificate).map_err(|_| TlsFault::Authority)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let chain = certificates(identity.certificates_pem).ok_or(TlsFault::Certificate)?;
                let key = PrivateKeyDer::from_pem_slice(identity.key_pem).map_err(|_| TlsFault::Key)?;
                config.with_client_auth_cert(chain, key).map_err(|_| TlsFault::Key)?
            }
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn shake_hands(&self, host: &str, link: Link) -> io::Result<TlsStream<Link>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, link).await
    }
}

fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    (!chain.is_empty()).then_some(chain)
}

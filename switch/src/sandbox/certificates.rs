//! Throw-away certificates for demo and tests, and the TLS that asks the switch for one.
//!
//! An authority that lives as long as this process; production configures files instead. The keys are in PEM, as
//! everything that takes them wants them.
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::sync::Arc;
use zeroize::Zeroizing;

/// An authority whose key is never written anywhere.
pub struct ThrowawayAuthority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Identity {
    /// PEM.
    pub certificate_pem: String,
    /// PEM.
    pub key_pem: Zeroizing<String>,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To be connected to.
    Server,
    /// To connect.
    Client,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFault {
    /// The certificate could not be made.
    #[error("a throw-away certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
    /// The PEM cannot be used.
    #[error("a certificate or key is not PEM: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// The authority cannot be used.
    #[error("the authority cannot verify clients: {0}")]
    Authority(#[from] rustls::server::VerifierBuilderError),
    /// TLS refuses them.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

impl ThrowawayAuthority {
    /// Makes one.
    pub fn new() -> Result<Self, CertificateFault> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Turnout throw-away authority");
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its certificate, for those who are to trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` (a DNS name or an address).
    pub fn issue(&self, name: &str, role: Role) -> Result<Identity, CertificateFault> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![match role {
            Role::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Role::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(Identity { certificate_pem: certificate.pem(), key_pem: Zeroizing::new(key.serialize_pem()) })
    }
}

/// TLS that shows `server` and takes only clients whose certificate comes from `authority_pem`.
pub fn mutual_tls(authority_pem: &str, server: &Identity) -> Result<ServerConfig, CertificateFault> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority_pem.as_bytes()) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let chain =
        CertificateDer::pem_slice_iter(server.certificate_pem.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(server.key_pem.as_bytes())?;
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_client_cert_verifier(verifier).with_single_cert(chain, key)?)
}

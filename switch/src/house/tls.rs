//! A listener's certificate, and whom it asks for one.
use crate::config::Tls;
use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;

/// The server's side of TLS, as the operator wrote it.
pub(super) fn server_config(written: &Tls) -> anyhow::Result<ServerConfig> {
    let chain = certificates(&written.certificate)?;
    let key =
        PrivateKeyDer::from_pem_file(&written.key).with_context(|| written.key.display().to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let clients = match &written.client_authority {
        None => versions.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(authority)? {
                roots.add(root)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            versions.with_client_cert_verifier(verifier)
        }
    };
    clients.with_single_cert(chain, key).context("certificate and key do not belong together")
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let named = || path.display().to_string();
    let chain: Vec<_> = CertificateDer::pem_file_iter(path).with_context(named)?.collect::<Result<_, _>>()?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate", path.display());
    Ok(chain)
}

//! TLS of calls: certificates are checked against the system's authorities, always.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::Error;

/// Made with the first connection that needs it: reading the system's authorities takes a while.
pub(crate) struct Tls {
    authorities: Vec<CertificateDer<'static>>,
    made: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub fn new(authorities: Vec<CertificateDer<'static>>) -> Self {
        Self { authorities, made: OnceLock::new() }
    }

    pub async fn connector(&self) -> Result<TlsConnector, Error> {
        if let Some(made) = self.made.get() {
            return Ok(Arc::clone(made).into());
        }
        let own = self.authorities.clone();
        let made = tokio::task::spawn_blocking(move || config(own)).await;
        let made = made.map_err(|error| Error::Tls(error.to_string()))??;
        // Two that came first together made the same.
        Ok(Arc::clone(self.made.get_or_init(|| made)).into())
    }
}

fn config(own: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs.into_iter().chain(own));
    if roots.is_empty() {
        return Err(Error::Tls(
            "this machine has no certificate authorities; install ca-certificates".to_owned(),
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificates in a PEM file, for [`crate::Config::authorities`].
///
/// # Errors
/// A clause that says what is wrong with the file.
pub fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err("holds no certificate in PEM form".to_owned()),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

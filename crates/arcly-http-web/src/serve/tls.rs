//! TLS by rustls, with certificates that can be renewed while the server runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::listener::Transport;

pub(super) type TlsStream = tokio_rustls::server::TlsStream<Transport>;

/// Files that TLS is served with, in PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, then those that vouch for it.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who vouches for clients. With it, every client has to show a certificate that
    /// one of these signed (mutual TLS).
    pub client_authorities: Option<PathBuf>,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or is not what it should be.
    #[error("`{}` cannot be used: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not fit, or an algorithm is not supported.
    #[error("the certificate cannot be used")]
    Certificate(#[source] rustls::Error),
    /// The authorities for clients are not usable.
    #[error("the authorities for clients cannot be used")]
    Authorities(#[source] rustls::client::VerifierBuilderError),
}

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// TLS 1.3 and 1.2 with HTTP/2 and HTTP/1.1. The files are looked at every ten
/// seconds while connections come in: a renewed certificate is used from then on, and
/// one that cannot be used is reported while the old one stays.
#[derive(Clone)]
pub struct Tls {
    files: Arc<TlsFiles>,
    state: Arc<Mutex<State>>,
}

struct State {
    acceptor: TlsAcceptor,
    looked: Instant,
    changed: Vec<Option<SystemTime>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({})", self.files.certificates.display())
    }
}

impl Tls {
    /// Loads the files.
    ///
    /// # Errors
    /// When one of them is missing or does not fit.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let state =
            State { changed: files.changed(), acceptor: files.acceptor()?, looked: Instant::now() };
        Ok(Self { files: Arc::new(files), state: Arc::new(Mutex::new(state)) })
    }

    /// Loads the files again, whether they have changed or not.
    ///
    /// # Errors
    /// When one of them is missing or does not fit; what was loaded before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let changed = self.files.changed();
        let acceptor = self.files.acceptor()?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.acceptor = acceptor;
        state.changed = changed;
        Ok(())
    }

    fn current(&self) -> TlsAcceptor {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK_EVERY {
            state.looked = Instant::now();
            let changed = self.files.changed();
            if changed != state.changed {
                state.changed = changed;
                match self.files.acceptor() {
                    Ok(acceptor) => {
                        state.acceptor = acceptor;
                        tracing::info!(tls = ?self, "the certificate was renewed");
                    }
                    Err(error) => {
                        tracing::error!(%error, "the new certificate cannot be used; the old one stays");
                    }
                }
            }
        }
        state.acceptor.clone()
    }

    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(super) async fn accept(&self, socket: Transport) -> io::Result<TlsStream> {
        self.current().accept(socket).await
    }
}

/// Whether the client agreed on HTTP/2.
pub(super) fn is_http2(stream: &TlsStream) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

impl TlsFiles {
    fn changed(&self) -> Vec<Option<SystemTime>> {
        let files = [Some(&self.certificates), Some(&self.key), self.client_authorities.as_ref()];
        let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|meta| meta.modified());
        files.into_iter().flatten().map(|path| modified(path).ok()).collect()
    }

    fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        // No provider of the process: two applications may differ.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Certificate)?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(TlsError::Certificate)?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                builder.with_client_cert_verifier(verifier.build().map_err(TlsError::Authorities)?)
            }
        };
        let key =
            PrivateKeyDer::from_pem_file(&self.key).map_err(|error| fault(&self.key, &error))?;
        let mut config = builder
            .with_single_cert(certificates(&self.certificates)?, key)
            .map_err(TlsError::Certificate)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| fault(path, &error))?;
    let all = read.collect::<Result<Vec<_>, _>>().map_err(|error| fault(path, &error))?;
    if all.is_empty() {
        return Err(fault(path, &"it has no certificate"));
    }
    Ok(all)
}

fn fault(path: &Path, reason: &dyn fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), reason: reason.to_string() }
}

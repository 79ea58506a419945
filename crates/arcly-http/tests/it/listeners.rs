//! Where connections come from: TLS, Unix sockets, balancers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arcly_http::prelude::*;
use arcly_http::web::argument::ClientAddr;
use arcly_http::web::serve::{self, Address, Listener, Stopping, Tls, TlsError, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

#[derive(Injectable)]
struct Endpoints;

#[controller]
impl Endpoints {
    #[get("/client")]
    #[public]
    fn client(&self, client: ClientAddr) -> String {
        client.0.map_or_else(|| "unknown".to_owned(), |client| client.to_string())
    }
}

#[module(root, controllers(Endpoints))]
struct EdgeModule;

/// Serves while `client` runs.
async fn while_serving<T>(listener: Listener, trusted: &str, client: impl Future<Output = T>) -> T {
    let trusted = trusted.split_whitespace().map(|network| network.parse().unwrap()).collect();
    let launched = App::new::<EdgeModule>()
        .configure(|config| config.trusted_proxies = trusted)
        // A machine that runs many tests is late by itself.
        .configure(|config| config.delay_max = None)
        .launch()
        .await
        .unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve::serve(
        &launched,
        vec![listener],
        Stopping::when(async {
            let _ = stopped.await;
        }),
    );
    let client = async {
        let result = client.await;
        drop(stop);
        result
    };
    tokio::join!(server, client).1
}

async fn local() -> (Listener, SocketAddr) {
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = listener.address().unwrap();
    (listener, addr)
}

/// Asks once and reads until the server closes.
async fn ask(mut socket: impl AsyncRead + AsyncWrite + Unpin, headers: &str) -> String {
    let request = format!("GET /client HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
    let mut bytes = vec![];
    if socket.write_all(request.as_bytes()).await.is_ok() {
        let _ = socket.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_unix_socket_is_served_and_its_file_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    // A stale file, as a killed process leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let address = Address::Unix(path.clone());
    let listener = Listener::bind(&address).await.unwrap();
    let taken = Listener::bind(&address).await.unwrap_err();
    assert!(taken.to_string().starts_with("cannot listen on `unix:"), "{taken}");
    let answer = while_serving(listener, "", async {
        ask(tokio::net::UnixStream::connect(&path).await.unwrap(), "").await
    })
    .await;
    assert!(answer.ends_with("unknown"), "{answer}");
    assert!(!path.exists());
}

#[tokio::test]
async fn forwarded_addresses_are_believed_of_trusted_proxies_alone() {
    for (trusted, expected) in [("", "127.0.0.1"), ("127.0.0.0/8", "192.0.2.1")] {
        let (listener, addr) = local().await;
        let answer = while_serving(listener, trusted, async {
            let socket = TcpStream::connect(addr).await.unwrap();
            ask(socket, "x-forwarded-for: 10.9.9.9, 192.0.2.1\r\n").await
        })
        .await;
        assert!(answer.ends_with(expected), "{trusted}: {answer}");
        assert!(!answer.contains("strict-transport-security"), "{answer}");
    }
}

#[tokio::test]
async fn the_balancers_header_names_the_client() {
    let (listener, addr) = local().await;
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([192, 0, 2, 9, 10, 0, 0, 1]);
    header.extend([0x1f, 0x90, 0, 80]);
    let (with, without) = while_serving(listener.with_proxy_header(), "", async {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.write_all(&header).await.unwrap();
        let with = ask(socket, "").await;
        (with, ask(TcpStream::connect(addr).await.unwrap(), "").await)
    })
    .await;
    assert!(with.ends_with("192.0.2.9"), "{with}");
    assert_eq!(without, "");
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes `name.pem` and `name.key`.
    fn issue(&self, folder: &Path, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// What a client needs that trusts this authority, and may show a certificate.
    fn client(&self, own: Option<&Path>) -> tokio_rustls::TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let chain = vec![CertificateDer::from_pem_file(path).unwrap()];
                let key = PrivateKeyDer::from_pem_file(path.with_extension("key")).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        tokio_rustls::TlsConnector::from(Arc::new(config))
    }
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles {
        certificates: folder.join("server.pem"),
        key: folder.join("server.key"),
        client_authorities: None,
    }
}

async fn ask_tls(client: &tokio_rustls::TlsConnector, addr: SocketAddr) -> std::io::Result<String> {
    let socket = TcpStream::connect(addr).await?;
    let stream = client.connect(ServerName::try_from("localhost").unwrap(), socket).await?;
    Ok(ask(stream, "").await)
}

#[tokio::test]
async fn tls_is_served_and_renewed_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    old.issue(folder.path(), "server");
    let tls = Tls::load(files(folder.path())).unwrap();
    let (listener, addr) = local().await;
    let (before, broken, after, stale) = while_serving(listener.with_tls(tls.clone()), "", async {
        let before = ask_tls(&old.client(None), addr).await.unwrap();
        std::fs::write(folder.path().join("server.pem"), "nothing").unwrap();
        let broken = tls.reload().unwrap_err();
        let still = ask_tls(&old.client(None), addr).await.unwrap();
        assert!(still.ends_with("127.0.0.1"), "{still}");
        new.issue(folder.path(), "server");
        tls.reload().unwrap();
        let after = ask_tls(&new.client(None), addr).await.unwrap();
        (before, broken, after, ask_tls(&old.client(None), addr).await)
    })
    .await;
    assert!(before.ends_with("127.0.0.1"), "{before}");
    assert!(before.contains("strict-transport-security: max-age=31536000"), "{before}");
    assert!(matches!(broken, TlsError::File { .. }), "{broken}");
    assert!(after.ends_with("127.0.0.1"), "{after}");
    assert!(stale.is_err());
}

#[tokio::test]
async fn clients_show_a_certificate_where_authorities_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue(folder.path(), "server");
    authority.issue(folder.path(), "client");
    let known = folder.path().join("clients.pem");
    std::fs::write(&known, authority.0.pem()).unwrap();
    let tls =
        Tls::load(TlsFiles { client_authorities: Some(known), ..files(folder.path()) }).unwrap();
    let (listener, addr) = local().await;
    let (with, without) = while_serving(listener.with_tls(tls), "", async {
        let own = folder.path().join("client.pem");
        let with = ask_tls(&authority.client(Some(&own)), addr).await.unwrap();
        (with, ask_tls(&authority.client(None), addr).await)
    })
    .await;
    assert!(with.ends_with("127.0.0.1"), "{with}");
    // TLS 1.3 tells a client of its refusal with the first read.
    assert!(without.as_deref().unwrap_or_default().is_empty(), "{without:?}");
}

#[tokio::test]
async fn http2_is_agreed_on_within_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue(folder.path(), "server");
    let (listener, addr) = local().await;
    let listener = listener.with_tls(Tls::load(files(folder.path())).unwrap());
    let status = while_serving(listener, "", async {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(addr).await.unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), socket)
            .await
            .unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(
            hyper_util::rt::TokioExecutor::new(),
            hyper_util::rt::TokioIo::new(stream),
        )
        .await
        .unwrap();
        let request = http::Request::get("https://localhost/client")
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        tokio::select! {
            response = sender.send_request(request) => response.unwrap().status(),
            ended = connection => panic!("the connection ended: {ended:?}"),
        }
    })
    .await;
    assert_eq!(status, 200);
}

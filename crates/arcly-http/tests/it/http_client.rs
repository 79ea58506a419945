//! Calls to other services: where they may go, what they carry, how they end.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arcly_http::client::{
    ClientError, ErrorKind, HttpClient, HttpClientBuilder, HttpClientModule, Resolve, Resolving,
};
use arcly_http::config::Secret;
use arcly_http::prelude::*;
use arcly_http::resilience::{Policy, PolicyError, Retry};
use arcly_http::time::{Budget, SystemClock};
use arcly_http_testing::TestApp;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers one request a connection, by its text.
struct Upstream {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

type Answer = Arc<dyn Fn(&str) -> String + Send + Sync>;

async fn answer_one(mut socket: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) -> String {
    let (mut bytes, mut buffer) = (vec![], [0; 4096]);
    let text = loop {
        let read = socket.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if read == 0 || body.is_some_and(|body| body >= length) {
            break text;
        }
    };
    let _ = socket.write_all(answer(&text).as_bytes()).await;
    let _ = socket.shutdown().await;
    text
}

impl Upstream {
    async fn on(addr: &str, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answer): (_, Answer) = (Arc::clone(&asked), Arc::new(answer));
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let text = answer_one(socket, Arc::clone(&answer)).await;
                seen.lock().unwrap().push(text);
            }
        });
        Self { addr, asked }
    }

    /// Stands for the public: `client` allows this address and no other.
    async fn public(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.2:0", answer).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn redirect(status: u16, to: &str) -> String {
    format!(
        "HTTP/1.1 {status} x\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
}

fn client() -> HttpClientBuilder {
    HttpClient::builder().allow(["127.0.0.2".parse().unwrap()])
}

#[track_caller]
fn refused(error: &ClientError) -> String {
    match error.kind() {
        ErrorKind::Refused(address) => address.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Gives one answer after the other, the last one again and again.
#[derive(Debug)]
struct Answers(Mutex<VecDeque<Vec<IpAddr>>>, AtomicUsize);

impl Answers {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |all: &&[&str]| all.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().map(parse).collect()), AtomicUsize::new(0)))
    }
}

impl Resolve for Answers {
    fn resolve(&self, _: &str) -> Resolving {
        self.1.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap_or_default()) })
    }
}

#[tokio::test]
async fn no_way_of_writing_an_inner_address_reaches_it() {
    let inner = Upstream::on("127.0.0.1:0", |_| ok("secret")).await;
    let port = inner.addr.port();
    let client = HttpClient::builder().build().unwrap();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.1",
        "127.0.0.1.",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "0",
        "0.0.0.0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "10.0.0.1",
        "192.168.0.1",
        "172.16.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let url = format!("http://{host}:{port}/");
        let error = client.get(&url).send().await.unwrap_err();
        // Not every system has an address for that.
        if host != "LOCALHOST." || *error.kind() != ErrorKind::Resolve {
            refused(&error);
        }
    }
    for url in ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:6379/_x", "data:,x"] {
        let error = client.get(url).send().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Invalid(_)), "{url}: {error}");
    }
    assert!(inner.asked().is_empty());
    // It was there to be reached.
    let open = HttpClient::builder().reach_everything().build().unwrap();
    let body = open.get(&inner.url("/")).send().await.unwrap().text().await.unwrap();
    assert_eq!(body, "secret");
}

#[tokio::test]
async fn a_name_is_what_it_is_resolved_to_when_it_is_connected_to() {
    let public = Upstream::public(|_| ok("public")).await;
    let port = public.addr.port();
    let inner = Upstream::on(&format!("127.0.0.1:{port}"), |_| ok("secret")).await;
    let url = format!("http://rebind.example:{port}/");
    let ask = async |client: &HttpClient| client.get(&url).send().await?.text().await;

    // A name that changes its answer: what was checked is what was connected to.
    let answers = Answers::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let rebound = client().resolver(answers.clone()).build().unwrap();
    assert_eq!(ask(&rebound).await.unwrap(), "public");
    assert_eq!(answers.1.load(Ordering::Relaxed), 1);
    assert_eq!(refused(&ask(&rebound).await.unwrap_err()), "127.0.0.1");

    // An inner address among others is left out.
    let answers = Answers::new(&[&["127.0.0.1", "::1", "127.0.0.2"]]);
    let mixed = client().resolver(answers).build().unwrap();
    assert_eq!(ask(&mixed).await.unwrap(), "public");
    let answers = Answers::new(&[&["::ffff:127.0.0.1"]]);
    let mapped = client().resolver(answers).build().unwrap();
    assert_eq!(refused(&ask(&mapped).await.unwrap_err()), "::ffff:127.0.0.1");
    assert!(inner.asked().is_empty());

    let answers = Answers::new(&[&["127.0.0.1"]]);
    let allowed = HttpClient::builder().allow(["rebind.example".parse().unwrap()]);
    assert_eq!(ask(&allowed.resolver(answers).build().unwrap()).await.unwrap(), "secret");
    let nobody = client().resolver(Answers::new(&[&[]])).build().unwrap();
    assert_eq!(*ask(&nobody).await.unwrap_err().kind(), ErrorKind::Resolve);
}

#[tokio::test]
async fn a_redirect_is_looked_at_like_a_first_call() {
    let inner = Upstream::on("127.0.0.1:0", |_| ok("secret")).await;
    let port = inner.addr.port();
    for to in [
        format!("http://127.0.0.1:{port}/"),
        format!("//2130706433:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://localhost:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        let shown = to.clone();
        let public = Upstream::public(move |_| redirect(302, &to)).await;
        let error = client().build().unwrap().get(&public.url("/")).send().await.unwrap_err();
        refused(&error);
        assert_eq!(public.asked().len(), 1, "{shown}");
    }
    assert!(inner.asked().is_empty());
    for (to, kind) in [
        ("file:///etc/passwd", "only http and https can be called"),
        ("http://ann:pass@127.0.0.2/", "credentials belong in a header, not in the URL"),
    ] {
        let public = Upstream::public(move |_| redirect(302, to)).await;
        let error = client().build().unwrap().get(&public.url("/")).send().await.unwrap_err();
        assert_eq!(error.kind().to_string(), kind);
    }
}

#[tokio::test]
async fn redirects_are_bounded_and_take_no_secret_along() {
    let endless = Upstream::public(|_| redirect(307, "/again")).await;
    let error = client().build().unwrap().get(&endless.url("/")).send().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TooManyRedirects(5));
    assert_eq!(endless.asked().len(), 6);

    let other = Upstream::public(|_| ok("there")).await;
    let target = other.url("/there");
    let first = Upstream::public(move |text| match text.split(' ').nth(1).unwrap() {
        "/other" => redirect(307, &target),
        "/own" => redirect(308, "/done"),
        "/see" => redirect(303, "/done"),
        "/found" => redirect(302, "/done"),
        _ => ok("done"),
    })
    .await;
    let client = client().build().unwrap();
    let token = Secret::new("t0ken");
    let mut key = http::HeaderValue::from_static("k3y");
    key.set_sensitive(true);
    let post = async |path: &str| {
        let request = client.post(&first.url(path)).bearer(&token).header("x-plain", "1");
        let request = request.header("x-api-key", key.clone());
        request.json(&1).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(post("/own").await, "done");
    let last = first.asked().pop().unwrap();
    assert!(last.starts_with("POST /done ") && last.contains("t0ken"), "{last}");
    assert!(last.contains("k3y"), "{last}");
    assert!(last.ends_with("\r\n\r\n1"), "{last}");
    for path in ["/see", "/found"] {
        assert_eq!(post(path).await, "done");
        let last = first.asked().pop().unwrap();
        assert!(last.starts_with("GET /done ") && last.ends_with("\r\n\r\n"), "{last}");
        assert!(!last.contains("content-type"), "{last}");
    }
    assert_eq!(post("/other").await, "there");
    let last = other.asked().pop().unwrap();
    assert!(last.starts_with("POST /there ") && last.contains("x-plain: 1"), "{last}");
    assert!(!last.contains("t0ken") && !last.contains("k3y"), "{last}");
    // The body is what the redirect asks to be sent.
    assert!(last.ends_with("\r\n\r\n1"), "{last}");
}

/// Also of headers that nobody has marked.
#[tokio::test]
async fn what_is_named_like_a_secret_stays_with_the_origin() {
    const SECRETS: [&str; 12] = [
        "authorization",
        "cookie",
        "proxy-authorization",
        "x-api-key",
        "apikey",
        "X-Auth-Token",
        "private_token",
        "x-amz-security-token",
        "x-client-secret",
        "x-session-id",
        "x-hub-signature",
        "x-csrf",
    ];
    const OTHERS: [&str; 5] =
        ["accept-language", "idempotency-key", "x-author", "x-monkey", "if-none-match"];
    let other = Upstream::public(|_| ok("there")).await;
    let target = other.url("/there");
    let first = Upstream::public(move |text| match text.split(' ').nth(1).unwrap() {
        "/own" => redirect(307, "/done"),
        "/done" => ok("done"),
        _ => redirect(307, &target),
    })
    .await;
    let client = client().build().unwrap();
    let put = async |path: &str| {
        let mut request = client.put(&first.url(path)).body("text");
        for name in SECRETS.into_iter().chain(OTHERS) {
            request = request.header(name, "value");
        }
        assert_eq!(request.send().await.unwrap().status(), 200);
    };
    put("/own").await;
    put("/other").await;
    let has = |text: &str, name: &str| text.contains(&format!("\r\n{}: ", name.to_lowercase()));
    let own = first.asked()[1].clone();
    let there = other.asked().pop().unwrap();
    for name in SECRETS {
        assert!(has(&own, name) && !has(&there, name), "{name}: {there}");
    }
    for name in OTHERS {
        assert!(has(&own, name) && has(&there, name), "{name}: {there}");
    }
    assert!(there.starts_with("PUT ") && there.ends_with("\r\n\r\ntext"), "{there}");
}

#[tokio::test]
async fn a_response_that_is_too_long_or_never_ends_is_given_up() {
    let upstream = Upstream::public(|text| match text.split(' ').nth(1).unwrap() {
        "/announced" => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 1_u64 << 40),
        "/chunked" => {
            let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(64))
        }
        _ => "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned(),
    })
    .await;
    let client = client().response_limit(10_000).build().unwrap();
    for (path, kind) in [
        ("/announced", ErrorKind::TooLarge(10_000)),
        ("/chunked", ErrorKind::TooLarge(10_000)),
        ("/half", ErrorKind::Broken),
    ] {
        let response = client.get(&upstream.url(path)).send().await.unwrap();
        assert_eq!(*response.bytes().await.unwrap_err().kind(), kind, "{path}");
    }
}

#[tokio::test]
async fn a_call_has_no_more_time_than_its_caller() {
    // Its backlog takes connections; nobody ever answers.
    let hangs = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("http://{}/?key=s3cret", hangs.local_addr().unwrap());
    let client = client().build().unwrap();
    let budget = Budget::new(Arc::new(SystemClock), Duration::from_millis(150));
    let begun = std::time::Instant::now();
    let mut call = std::pin::pin!(client.get(&url).send());
    let error = std::future::poll_fn(|cx| budget.enter(|| call.as_mut().poll(cx))).await;
    let error = error.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(5));
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("GET") && !shown.contains("s3cret"), "{shown}");
    // Nothing is left: nothing is sent.
    let mut call = std::pin::pin!(client.get(&url).send());
    let error = std::future::poll_fn(|cx| budget.enter(|| call.as_mut().poll(cx))).await;
    assert_eq!(*error.unwrap_err().kind(), ErrorKind::TimedOut);
    let error = client.get(&url).timeout(Duration::from_millis(50)).send().await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn calls_to_one_host_are_bounded() {
    #[derive(Injectable)]
    struct Slow;

    #[controller]
    impl Slow {
        #[get("/slow")]
        #[public]
        async fn slow(&self, load: Inject<Load>) -> &'static str {
            let now = load.now.fetch_add(1, Ordering::SeqCst) + 1;
            load.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(30)).await;
            load.now.fetch_sub(1, Ordering::SeqCst);
            "done"
        }
    }

    #[derive(Injectable, Default)]
    struct Load {
        #[inject(default)]
        now: AtomicUsize,
        #[inject(default)]
        most: AtomicUsize,
    }

    #[module(root, providers(Load), controllers(Slow))]
    struct SlowModule;

    use arcly_http::web::serve::{self, Listener, Stopping};
    // A machine that runs many tests is late by itself.
    let app = App::new::<SlowModule>().configure(|config| config.delay_max = None);
    let launched = app.launch().await.unwrap();
    let listener = Listener::bind(&"127.0.0.2:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}/slow", listener.address().unwrap());
    let metrics = arcly_http::observe::Metrics::new();
    let client = client().host_calls_max(2).metrics(&metrics).build().unwrap();
    let calls = async {
        let call = || async { client.get(&url).send().await.unwrap().text().await.unwrap() };
        futures_util::future::join_all((0..8).map(|_| call())).await
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = serve::serve(
        &launched,
        vec![listener],
        Stopping::when(async {
            let _ = stopped.await;
        }),
    );
    let calls = async {
        let answers = calls.await;
        drop(stop);
        answers
    };
    let (answers, drained) = tokio::join!(calls, server);
    assert_eq!(answers, ["done"; 8]);
    assert_eq!(drained.cut, 0);
    assert_eq!(launched.container().get::<Load>().unwrap().most.load(Ordering::SeqCst), 2);
    let text = metrics.encode();
    let line = "http_client_requests_total{http_request_method=\"GET\",server_address=\"127.0.0.2:";
    let line = text.lines().find(|known| known.starts_with(line)).unwrap();
    assert!(line.ends_with("outcome=\"200\"} 8"), "{text}");
    assert!(text.contains("http_client_active_requests 0"), "{text}");
    assert!(text.contains("http_client_request_duration_seconds_count 8"), "{text}");
}

#[tokio::test]
async fn connections_end_with_the_application() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let builder = TestApp::builder::<RatesModule>().set("http_client.allow", "127.0.0.0/8");
    let app = builder.launch().await.unwrap();
    let client = app.provider::<HttpClient>();
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        assert!(socket.read(&mut head).await.unwrap() > 0);
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        socket
    };
    let call = async { client.get(&url).send().await.unwrap().text().await.unwrap() };
    let (mut socket, text) = tokio::join!(server, call);
    assert_eq!(text, "ok");
    // It is kept for the next call, and no longer than the application lives.
    app.finish().await;
    assert_eq!(socket.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn tls_is_checked_against_the_authorities() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["shop.example".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(socket).await {
                answer_one(stream, Arc::new(|_: &str| ok("safe"))).await;
            }
        }
    });
    let resolver = Answers::new(&[&["127.0.0.2"]]);
    let trusting = client().authorities(authority.pem()).resolver(resolver.clone());
    let trusting = trusting.build().unwrap();
    let ask = async |client: &HttpClient, host: &str| {
        let url = format!("https://{host}:{port}/");
        client.get(&url).send().await?.text().await
    };
    assert_eq!(ask(&trusting, "shop.example").await.unwrap(), "safe");
    let other = ask(&trusting, "bank.example").await.unwrap_err();
    assert_eq!(*other.kind(), ErrorKind::Connect);
    let strange = client().resolver(resolver).build().unwrap();
    let unknown = ask(&strange, "shop.example").await.unwrap_err();
    assert_eq!(*unknown.kind(), ErrorKind::Connect);
}

#[tokio::test]
async fn a_policy_tries_again_what_may_be_done_twice() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let client = HttpClient::fake(move |request| {
        let status = if counted.fetch_add(1, Ordering::Relaxed) == 0 { 500 } else { 200 };
        assert_eq!(request.headers()["user-agent"], "arcly-http");
        Ok(http::Response::builder().status(status).body("[1]".into()).unwrap())
    });
    let policy = || {
        let retry = Retry::new().backoff(Duration::from_millis(1), Duration::from_millis(1));
        Policy::builder().classify(ClientError::verdict).retry(retry).build().unwrap()
    };
    let ask = |method: http::Method| {
        let request = client.request(method, "https://bank.example/rates");
        async { request.send().await?.error_for_status()?.json::<Vec<u8>>().await }
    };
    assert_eq!(policy().call(|| ask(http::Method::GET)).await.unwrap(), [1]);
    assert_eq!(calls.swap(0, Ordering::Relaxed), 2);
    let error = policy().call(|| ask(http::Method::POST)).await.unwrap_err();
    assert!(matches!(error, PolicyError::Failed { attempts: 1, .. }), "{error}");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[derive(Injectable)]
struct Rates {
    client: Inject<HttpClient>,
}

#[controller("/rates")]
impl Rates {
    #[get("/")]
    #[public]
    async fn today(&self) -> String {
        let response = self.client.get("https://bank.example/").send().await.unwrap();
        response.text().await.unwrap()
    }
}

#[module(root, imports(HttpClientModule), controllers(Rates))]
struct RatesModule;

#[tokio::test]
async fn an_application_is_tested_with_a_client_that_calls_nobody() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&seen);
    let fake = HttpClient::fake(move |request| {
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        kept.lock().unwrap().extend([header("x-request-id"), header("traceparent")]);
        Ok(http::Response::new("7".into()))
    });
    let app = TestApp::builder::<RatesModule>().replace::<HttpClient>(Arc::new(fake));
    let app = app.launch().await.unwrap();
    let answer = app.get("/rates").header("x-request-id", "r7").send().await.expect(200);
    assert_eq!(answer.text(), "7");
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen[0], "r7");
    assert!(seen[1].starts_with("00-") && seen[1].ends_with("-00"), "{}", seen[1]);
    app.finish().await;
}

#[tokio::test]
async fn what_cannot_be_sent_is_a_typed_error() {
    let client = HttpClient::fake(|_| panic!("nothing is sent"));
    for request in [
        client.get("not a url"),
        client.get("https://ann:pw@bank.example/"),
        client.get("https://bank.example/").header("x\n", "1"),
        client.get("https://bank.example/").header("host", "other"),
        client.get("https://bank.example/").header("x-a", "1\r\nx-b: 2"),
    ] {
        let error = request.send().await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Invalid(_)), "{error}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
}

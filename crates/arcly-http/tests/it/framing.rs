//! Requests that are malformed, or that two servers could understand differently:
//! each is refused and its connection closed, or answered exactly once.

use crate::server::{brief, rest, start};

/// What must come back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// One answer of 400 or 5xx for what nobody implements, and the end.
    Refused,
    /// One answer of 200.
    Once,
    /// As many answers of 200.
    Times(usize),
    /// Any one answer, or none, and the end.
    AtMostOnce,
}

use Expected::{AtMostOnce, Once, Refused, Times};

const CORPUS: &[(&str, &str, Expected)] = &[
    // Plain.
    ("plain", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", Once),
    (
        "two in one segment",
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        Times(2),
    ),
    ("empty line before", "\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", Once),
    ("http/1.0 without host", "GET /hello HTTP/1.0\r\n\r\n", Once),
    ("sized body", "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", Once),
    (
        "chunked body",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        Once,
    ),
    (
        "chunked in capitals",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        Once,
    ),
    (
        "chunk extension",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
        Once,
    ),
    (
        "trailers",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
        Once,
    ),
    ("absolute target", "GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n", Once),
    (
        "body that looks like a request",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\nabc",
        Once,
    ),
    (
        "sized then chunked",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcPOST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Times(2),
    ),
    // Host.
    ("no host", "GET /hello HTTP/1.1\r\n\r\n", Refused),
    ("two hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Refused),
    ("two equal hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Refused),
    ("empty host", "GET /hello HTTP/1.1\r\nHost:\r\n\r\n", Refused),
    ("host with a user", "GET /hello HTTP/1.1\r\nHost: u@a\r\n\r\n", Refused),
    ("host with a path", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", Refused),
    ("host with a comma", "GET /hello HTTP/1.1\r\nHost: a, b\r\n\r\n", Refused),
    ("host with a space", "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", Refused),
    ("host with a bad port", "GET /hello HTTP/1.1\r\nHost: a:b\r\n\r\n", Refused),
    ("host with a long port", "GET /hello HTTP/1.1\r\nHost: a:808080\r\n\r\n", Refused),
    ("host with half an address", "GET /hello HTTP/1.1\r\nHost: [::1\r\n\r\n", Refused),
    ("host differs from the target", "GET http://b/hello HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("host with a null byte", "GET /hello HTTP/1.1\r\nHost: a\0b\r\n\r\n", Refused),
    ("space before the colon of host", "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", Refused),
    ("host folded", "GET /hello HTTP/1.1\r\nHost:\r\n a\r\n\r\n", Refused),
    // Where the body ends.
    (
        "length then encoding",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "encoding then length",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "encoding and length of nothing",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "both, second on the connection",
        "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nPOST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        AtMostOnce,
    ),
    (
        "chunked twice",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "two encodings",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunked and identity",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "identity",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\nabc",
        Refused,
    ),
    (
        "gzip then chunked",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunked then gzip",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "encoding with a tab",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "encoding in quotes",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "encoding misspelt",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "encoding of nothing",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "encoding in http/1.0",
        "POST /upload HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "space before the colon of encoding",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "two lengths",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        Refused,
    ),
    (
        "list of lengths",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabcd",
        Refused,
    ),
    (
        "length with a sign",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        Refused,
    ),
    (
        "negative length",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
        Refused,
    ),
    (
        "length in hexadecimal",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
        Refused,
    ),
    (
        "length with a fraction",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 3.0\r\n\r\nabc",
        Refused,
    ),
    (
        "length of nothing",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc",
        Refused,
    ),
    (
        "length with a space inside",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1 2\r\n\r\nabc",
        Refused,
    ),
    (
        "length beyond 64 bits",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
        Refused,
    ),
    (
        "length of letters",
        "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: three\r\n\r\nabc",
        Refused,
    ),
    // Chunks.
    (
        "chunk size with a sign",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunk size with 0x",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunk size beyond 64 bits",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunk size of nothing",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunk longer than its size",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunk size ends with a bare LF",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "chunk ends with a bare LF",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n",
        Refused,
    ),
    (
        "LF within a chunk extension",
        "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
        Refused,
    ),
    // The request line.
    ("http/0.9", "GET /hello\r\n\r\n", Refused),
    ("version without a number", "GET /hello HTTP/\r\nHost: a\r\n\r\n", Refused),
    ("version 1.2", "GET /hello HTTP/1.2\r\nHost: a\r\n\r\n", Refused),
    ("version 2.0", "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", Refused),
    ("version in small letters", "GET /hello http/1.1\r\nHost: a\r\n\r\n", Refused),
    ("two spaces", "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("tab for a space", "GET\t/hello HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("space in the target", "GET /hel lo HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("null byte in the target", "GET /hello\0 HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("target without a slash", "GET hello HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("star for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("method with a colon", "GE:T /hello HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("space before the method", " GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", Refused),
    ("words of TLS", "\x16\x03\x01\x02\x01\x01", AtMostOnce),
    ("preface of HTTP/2, cut", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r", AtMostOnce),
    // Header lines.
    ("header without a colon", "GET /hello HTTP/1.1\r\nHost: a\r\nx\r\n\r\n", Refused),
    ("header without a name", "GET /hello HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", Refused),
    ("space in a header's name", "GET /hello HTTP/1.1\r\nHost: a\r\nx y: z\r\n\r\n", Refused),
    ("space before a header", "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", Refused),
    ("folded header", "GET /hello HTTP/1.1\r\nHost: a\r\nx: y\r\n z\r\n\r\n", Refused),
    ("null byte in a value", "GET /hello HTTP/1.1\r\nHost: a\r\nx: y\0z\r\n\r\n", Refused),
    ("bare CR in a value", "GET /hello HTTP/1.1\r\nHost: a\r\nx: y\rz\r\n\r\n", Refused),
    ("bare CR ends a line", "GET /hello HTTP/1.1\rHost: a\r\n\r\n", Refused),
    ("control byte in a name", "GET /hello HTTP/1.1\r\nHost: a\r\nx\x01: y\r\n\r\n", Refused),
    ("name in UTF-8", "GET /hello HTTP/1.1\r\nHost: a\r\n\u{e4}: y\r\n\r\n", Refused),
    ("no end", "GET /hello HTTP/1.1\r\nHost: a\r\nx: y", AtMostOnce),
];

#[tokio::test]
async fn each_is_refused_or_answered_once() {
    assert!(CORPUS.len() >= 75, "{}", CORPUS.len());
    let server = start(brief).await;
    let mut faults = vec![];
    let answers =
        CORPUS.iter().map(|(_, request, _)| async { rest(server.send(request).await).await });
    let answers = futures_util::future::join_all(answers).await;
    for ((name, _, expected), answer) in CORPUS.iter().zip(answers) {
        let statuses: Vec<&str> =
            answer.split("HTTP/1.").skip(1).filter_map(|rest| rest.get(2..5)).collect();
        let is_fine = match expected {
            Refused => matches!(statuses.as_slice(), ["400" | "501" | "505"]),
            Once => statuses == ["200"],
            Times(times) => statuses.len() == *times && statuses.iter().all(|s| *s == "200"),
            AtMostOnce => statuses.iter().filter(|status| **status == "200").count() <= 1,
        };
        if !is_fine {
            faults.push(format!("{name}: {expected:?}, and came {statuses:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    server.stop().await;
}

#[tokio::test]
async fn heads_have_limits() {
    let server = start(brief).await;
    let many: String = (0..200).map(|index| format!("x{index}: y\r\n")).collect();
    let answer =
        rest(server.send(&format!("GET /hello HTTP/1.1\r\nHost: a\r\n{many}\r\n")).await).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = "y".repeat(128 << 10);
    let answer =
        rest(server.send(&format!("GET /hello HTTP/1.1\r\nHost: a\r\nx: {long}\r\n\r\n")).await)
            .await;
    // The server may close before it has read everything.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = rest(server.send(&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")).await).await;
    assert!(
        answer.is_empty()
            || answer.starts_with("HTTP/1.1 414 ")
            || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    server.stop().await;
}

/// RFC 9110, section 9.3.7: it asks about the server, not about one of its resources.
#[tokio::test]
async fn a_star_asks_about_the_server() {
    let server = start(brief).await;
    let ask = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n\
        OPTIONS * HTTP/1.1\r\nHost: a\r\nOrigin: https://b.example\r\n\
        Access-Control-Request-Method: GET\r\nConnection: close\r\n\r\n";
    let answer = rest(server.send(ask).await).await;
    assert_eq!(answer.matches("HTTP/1.1 204 No Content\r\n").count(), 2, "{answer}");
    assert!(!answer.contains("allow") && !answer.contains("content-length"), "{answer}");
    server.stop().await;
}

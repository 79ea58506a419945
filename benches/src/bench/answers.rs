//! Before anything is measured: every server answers the same.

use std::fmt::Write as _;
use std::io;

use arcly_benches::measure::{ASKED, Asked};

use crate::client::{Answer, Connection, block_on, request};
use crate::server::{PEERS, Peer, Server};

/// Media type and body of each of [`ASKED`].
const WANTED: [(&str, &str); 4] = [
    ("text/plain", "Hello, World!"),
    ("application/json", r#"{"message":"Hello, World!"}"#),
    ("application/json", r#"{"id":7,"name":"Ann"}"#),
    ("application/json", r#"{"name":"Ann","age":41,"email":"ann@example.org"}"#),
];

/// Bodies that break one rule each, and one that is not JSON.
const BAD: [&str; 4] = [
    r#"{"name":"","age":41,"email":"ann@example.org"}"#,
    r#"{"name":"Ann","age":151,"email":"ann@example.org"}"#,
    r#"{"name":"Ann","age":41,"email":"a"}"#,
    r#"{"name":"#,
];

/// Fails unless all servers do the same work; says in what their answers differ.
pub fn check() -> io::Result<String> {
    let mut text = "## What is answered\n\nEvery server gives the same status, media type and \
        body to the four requests, and refuses each of four bodies that are not valid.\n\n\
        | server | bytes of the JSON answer | refuses with |\n|---|---:|---|\n"
        .to_owned();
    for peer in PEERS {
        let server = Server::start(peer)?;
        let (bytes, refusal) = block_on(check_one(peer, &server))?;
        let _ = writeln!(text, "| {} | {bytes} | {refusal} |", peer.name);
    }
    Ok(text)
}

/// The same bytes, or at least the same JSON in as many bytes: one peer sorts members.
fn is_same_body(body: &[u8], wanted: &str) -> bool {
    let json = |bytes| serde_json::from_slice::<serde_json::Value>(bytes);
    body == wanted.as_bytes()
        || body.len() == wanted.len()
            && matches!((json(body), json(wanted.as_bytes())), (Ok(a), Ok(b)) if a == b)
}

async fn check_one(peer: Peer, server: &Server) -> io::Result<(usize, String)> {
    let fail = |asked: Asked, answer: &Answer| {
        let body = String::from_utf8_lossy(&answer.body);
        let Asked { path, body: sent } = asked;
        let sent = sent.unwrap_or("");
        Err(io::Error::other(format!("{}: {path} {sent}: {}{body}", peer.name, answer.head)))
    };
    let mut connection = Connection::open(server.addr).await?;
    let mut bytes = 0;
    for (asked, (media, body)) in ASKED.into_iter().zip(WANTED) {
        let answer = connection.ask(&request(server.addr, asked)).await?;
        let is_same = answer.status == 200
            && answer.header("content-type").split(';').next() == Some(media)
            && is_same_body(&answer.body, body);
        if !is_same {
            return fail(asked, &answer);
        }
        if asked.path == "/json" {
            bytes = answer.head.len() + answer.body.len();
        }
    }
    let mut refusals = vec![];
    for body in BAD {
        let asked = Asked { path: "/echo", body: Some(body) };
        let mut connection = Connection::open(server.addr).await?;
        let answer = connection.ask(&request(server.addr, asked)).await?;
        if !matches!(answer.status, 400 | 422) {
            return fail(asked, &answer);
        }
        let media = answer.header("content-type");
        let refusal = format!("{} {media}", answer.status);
        if !refusals.contains(&refusal) {
            refusals.push(refusal);
        }
    }
    Ok((bytes, refusals.join(", ")))
}

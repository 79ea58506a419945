use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use crate::protocol::handshake::{HandshakeFault, accept_key, check};

fn headers() -> HeaderMap {
    HeaderMap::from_iter([
        (UPGRADE, HeaderValue::from_static("websocket")),
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
        (SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==")),
    ])
}

fn judge(headers: &HeaderMap) -> Result<(), HandshakeFault> {
    check(&Method::GET, Version::HTTP_11, headers).map(drop)
}

/// The same request, with `name` replaced by `values`.
#[track_caller]
fn check_header(name: &HeaderName, values: &[&'static str], expected: Result<(), HandshakeFault>) {
    let mut headers = headers();
    headers.remove(name);
    for value in values {
        headers.append(name, HeaderValue::from_static(value));
    }
    assert_eq!(judge(&headers), expected, "{name}: {values:?}");
}

#[test]
fn the_key_is_answered_as_the_standard_shows() {
    let headers = headers();
    let handshake = check(&Method::GET, Version::HTTP_11, &headers).unwrap();
    let response = handshake.response(None, handshake.deflate());
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.headers().len(), 3);
    assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn lists_and_cases_are_read() {
    for values in
        [&["WebSocket"][..], &["h2c, websocket"], &["h2c", " websocket "], &["a,,websocket"]]
    {
        check_header(&UPGRADE, values, Ok(()));
    }
    for values in [&["upgrade"][..], &["keep-alive, Upgrade"], &["keep-alive", "UPGRADE"]] {
        check_header(&CONNECTION, values, Ok(()));
    }
    check_header(&SEC_WEBSOCKET_KEY, &["dGhlIHNhbXBsZSBub25jZR=="], Ok(()));
}

#[test]
fn what_is_lacking_is_told() {
    let headers = headers();
    for method in [Method::POST, Method::HEAD, Method::CONNECT] {
        let fault = check(&method, Version::HTTP_11, &headers).map(drop).unwrap_err();
        assert_eq!((fault, fault.status().as_u16()), (HandshakeFault::Method, 405));
    }
    for version in [Version::HTTP_10, Version::HTTP_2] {
        let fault = check(&Method::GET, version, &headers).map(drop);
        assert_eq!(fault, Err(HandshakeFault::HttpVersion));
    }
    for values in [&[][..], &["websockets"], &["web socket"], &["h2c"]] {
        check_header(&UPGRADE, values, Err(HandshakeFault::Upgrade));
    }
    for values in [&[][..], &["keep-alive"], &["upgrades"]] {
        check_header(&CONNECTION, values, Err(HandshakeFault::Connection));
    }
    for values in [&[][..], &["8"], &["13, 8"], &["013"], &["13", "13"]] {
        check_header(&SEC_WEBSOCKET_VERSION, values, Err(HandshakeFault::Version));
    }
    let keys = [
        &[][..],
        &[""],
        &["dGhlIHNhbXBsZSBub25jZQ=="; 2],
        &["dGhlIHNhbXBsZSBub25j"],
        &["dGhlIHNhbXBsZSBub25jZQ"],
        &["dGhlIHNhbXBsZSBub25jZTEy"],
        &["dGhlIHNhbXBsZSBub25jZQ==dGhl"],
        &["!GhlIHNhbXBsZSBub25jZQ=="],
    ];
    for values in keys {
        check_header(&SEC_WEBSOCKET_KEY, values, Err(HandshakeFault::Key));
    }
    let fault = HandshakeFault::Version;
    assert_eq!(fault.status(), StatusCode::UPGRADE_REQUIRED);
    assert!(fault.headers().contains(&(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))));
    assert!(HandshakeFault::Key.headers().is_empty());
}

#[test]
fn sub_protocols_keep_their_order() {
    let mut headers = headers();
    headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("v2.chat,v1.chat"));
    headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(" plain "));
    let handshake = check(&Method::GET, Version::HTTP_11, &headers).unwrap();
    assert_eq!(handshake.protocols().collect::<Vec<_>>(), ["v2.chat", "v1.chat", "plain"]);
    let response = handshake.response(Some("v1.chat"), None);
    assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "v1.chat");
    for values in [&["a b"][..], &["a,,b"], &[""], &["a;b"], &["a", "\"b\""]] {
        check_header(&SEC_WEBSOCKET_PROTOCOL, values, Err(HandshakeFault::Protocol));
    }
}

#[track_caller]
fn check_offer(values: &[&'static str], answer: Option<&str>) {
    let mut headers = headers();
    for value in values {
        headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(value));
    }
    let handshake = check(&Method::GET, Version::HTTP_11, &headers).unwrap();
    let response = handshake.response(None, handshake.deflate());
    let answered = response.headers().get(SEC_WEBSOCKET_EXTENSIONS);
    assert_eq!(answered.map(|it| it.to_str().unwrap()), answer, "{values:?}");
}

#[test]
fn compression_is_agreed_on() {
    const PLAIN: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for offer in [
        "permessage-deflate",
        "Permessage-Deflate ; client_max_window_bits",
        "permessage-deflate; client_max_window_bits = \"10\"",
        "permessage-deflate;client_max_window_bits=8;server_max_window_bits=15",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate",
        "permessage-deflate; server_max_window_bits=8, permessage-deflate",
        "permessage-deflate; mystery, ,permessage-deflate",
    ] {
        check_offer(&[offer], Some(PLAIN));
    }
    check_offer(&["other; a=1", "permessage-deflate"], Some(PLAIN));
    for bits in 9..15 {
        let offer = format!("permessage-deflate; server_max_window_bits={bits}").leak();
        check_offer(&[offer], Some(&format!("{PLAIN}; server_max_window_bits={bits}")));
    }
    for offer in [
        "permessage-bzip2",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=09",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=99999999999",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; mystery",
    ] {
        check_offer(&[offer], None);
    }
}

#[test]
fn extensions_that_are_not_well_written_are_refused() {
    for value in [
        "permessage-deflate;",
        "permessage-deflate; =1",
        "permessage-deflate; client_max_window_bits=",
        "permessage-deflate; client_max_window_bits=\"10",
        "permessage-deflate; client_max_window_bits=\"1 0\"",
        "permessage-deflate client_max_window_bits",
        "; a",
        "(a)",
    ] {
        check_header(&SEC_WEBSOCKET_EXTENSIONS, &[value], Err(HandshakeFault::Extensions));
    }
    check_header(&SEC_WEBSOCKET_EXTENSIONS, &["", " , "], Ok(()));
}

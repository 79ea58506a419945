use super::*;

#[test]
fn hosts_are_names_or_addresses() {
    for host in ["a", "a.example:80", "127.0.0.1:3000", "[::1]", "[::1]:443", "a_b", "xn--4ca.de"] {
        assert!(is_host(host.as_bytes()), "{host}");
    }
    for host in
        ["", ":80", "a b", "a@b", "a/b", "a:b", "a:123456", "[::1", "[x]", "[::1]x", "a,b", "a\\b"]
    {
        assert!(!is_host(host.as_bytes()), "{host}");
    }
}

/// Feeds one read, of which `requests` have begun.
fn recent(bytes: &str) -> Recent {
    let mut recent = Recent::default();
    recent.note(bytes.as_bytes(), 0, true);
    recent
}

#[test]
fn length_and_encoding_together_are_ambiguous() {
    let both =
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let one = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n";
    let sized = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";
    assert!(recent(both).is_ambiguous(1));
    assert!(!recent(one).is_ambiguous(1));
    // Behind others in one segment.
    assert!(!recent(&format!("{sized}{one}{one}")).is_ambiguous(3));
    assert!(recent(&format!("{sized}{one}{both}")).is_ambiguous(3));
}

#[test]
fn what_cannot_be_told_is_ambiguous() {
    assert!(recent("POST / HTTP/1.1\r\nTransfer-Enc").is_ambiguous(1));
    assert!(recent("").is_ambiguous(1));
    let mut recent = recent(&"x".repeat(KEPT_MAX));
    recent.note(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 1, false);
    assert!(recent.is_ambiguous(2));
}

#[test]
fn an_idle_connection_begins_anew() {
    let mut recent = recent("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
    recent.note(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 1, true);
    assert!(!recent.is_ambiguous(2));
}

#[test]
fn nothing_is_read_across_a_gap() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let full = format!("{head}{:x}\r\n{}\r\n", KEPT_MAX - 256, "x".repeat(KEPT_MAX - 256));
    let mut recent = recent(&full);
    // The end of the body and the head of the next request do not fit; what follows
    // would, and looks like the end of the body and another head.
    let next = "0\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n";
    recent.note(format!("{next}x: {}\r\ny: ", "x".repeat(256)).as_bytes(), 1, false);
    recent.note(format!("0\r\n\r\n{head}").as_bytes(), 1, false);
    assert!(recent.is_ambiguous(2));
}

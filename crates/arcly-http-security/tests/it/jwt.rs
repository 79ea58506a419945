//! Forged tokens of every known kind.

use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::scope::Claims;
use arcly_http_core::time::{Clock, ManualClock};
use arcly_http_security::{JwtConfig, JwtConfigError, JwtService, SigningSecret, TokenError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

const SECRET: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
const OTHER: &[u8] = b"vutsrqponmlkjihgfedcba9876543210";

fn secret(bytes: &[u8]) -> SigningSecret {
    SigningSecret::try_new(bytes).unwrap()
}

fn service(clock: &Arc<ManualClock>) -> JwtService {
    let config = JwtConfig::new("me", "you", secret(SECRET));
    JwtService::try_new(config, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

/// Signs anything, as an attacker with the key of another purpose would.
fn sign(header: &str, payload: &str, key: &[u8]) -> String {
    let head = URL_SAFE_NO_PAD.encode(header);
    let body = URL_SAFE_NO_PAD.encode(payload);
    let message = format!("{head}.{body}");
    let key = jsonwebtoken::EncodingKey::from_secret(key);
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256)
            .unwrap();
    format!("{message}.{signature}")
}

fn header(change: impl FnOnce(&mut Value)) -> String {
    let mut header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "1" });
    change(&mut header);
    header.to_string()
}

fn payload(now: i64, change: impl FnOnce(&mut Value)) -> String {
    let mut payload = json!({ "sub": "u", "iss": "me", "aud": "you", "iat": now, "exp": now + 60 });
    change(&mut payload);
    payload.to_string()
}

fn remove(value: &mut Value, name: &str) {
    value.as_object_mut().unwrap().remove(name);
}

#[test]
fn what_is_issued_is_accepted_until_it_expires() {
    let clock = Arc::new(ManualClock::default());
    let service = service(&clock);
    let token = service
        .issue(Claims::about("u1").with_role("editor").with_scope("a").with_scope("b"))
        .unwrap();
    let claims = service.verify(&token).unwrap();
    assert_eq!((claims.subject(), claims.has_role("editor"), claims.scopes.len()), ("u1", true, 2));
    clock.advance(Duration::from_secs(3600));
    assert!(service.verify(&token).is_ok(), "within the leeway");
    clock.advance(Duration::from_secs(5));
    assert_eq!(service.verify(&token), Err(TokenError::Refused("exp")));
}

#[test]
fn forged_tokens_are_refused() {
    let clock = Arc::new(ManualClock::default());
    let service = service(&clock);
    let now = clock.now().timestamp();
    let plain_header = header(|_| {});
    let plain_payload = payload(now, |_| {});
    assert!(service.verify(&sign(&plain_header, &plain_payload, SECRET)).is_ok());

    let mut forged: Vec<(&str, String)> = vec![
        ("another key", sign(&plain_header, &plain_payload, OTHER)),
        (
            "repeated claim",
            sign(
                &plain_header,
                r#"{"sub":"u","sub":"admin","iss":"me","aud":"you","iat":1,"exp":99999999999}"#,
                SECRET,
            ),
        ),
        (
            "repeated header",
            sign(
                r#"{"alg":"HS256","alg":"HS256","typ":"at+jwt","kid":"1"}"#,
                &plain_payload,
                SECRET,
            ),
        ),
        (
            "too long",
            sign(&plain_header, &payload(now, |p| p["x"] = json!("x".repeat(64 * 1024))), SECRET),
        ),
        ("not an object", sign(&plain_header, "[]", SECRET)),
    ];
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("HS512")),
        ("alg", json!("RS256")),
        ("typ", json!("JWT")),
        ("typ", json!("logout+jwt")),
        ("kid", json!("../../dev/null")),
        ("kid", json!(1)),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("jku", json!("http://x")),
        ("x5u", json!("http://x")),
        ("jwk", json!({ "kty": "oct", "k": "AA" })),
    ] {
        forged.push((name, sign(&header(|h| h[name] = value), &plain_payload, SECRET)));
    }
    for name in ["alg", "typ", "kid"] {
        forged.push((name, sign(&header(|h| remove(h, name)), &plain_payload, SECRET)));
    }
    for name in ["sub", "iss", "aud", "iat", "exp"] {
        forged.push((name, sign(&plain_header, &payload(now, |p| remove(p, name)), SECRET)));
    }
    for (name, value) in [
        ("sub", json!("")),
        ("iss", json!("he")),
        ("aud", json!(["them"])),
        ("exp", json!(now - 6)),
        ("exp", json!("never")),
        ("exp", json!(1e300)),
        ("iat", json!(now + 60)),
        ("nbf", json!(now + 60)),
        ("nbf", json!("later")),
    ] {
        forged.push((name, sign(&plain_header, &payload(now, |p| p[name] = value), SECRET)));
    }
    let good = sign(&plain_header, &plain_payload, SECRET);
    let mut unsigned = good.rsplit_once('.').unwrap().0.to_owned();
    forged.push(("no signature", unsigned.clone()));
    unsigned.push('.');
    forged.push(("empty signature", unsigned));
    forged.push(("truncated signature", good[..good.len() - 2].to_owned()));
    forged.push(("padding", format!("{good}=")));
    forged.push(("space", format!(" {good}")));
    forged.push(("four parts", format!("{good}.x")));
    forged.push(("empty", String::new()));
    for (name, token) in forged {
        assert!(service.verify(&token).is_err(), "accepted: {name}");
    }
}

#[test]
fn keys_are_rotated() {
    let clock: Arc<ManualClock> = Arc::default();
    let old = service(&clock).issue(Claims::about("u")).unwrap();
    let mut config = JwtConfig::new("me", "you", secret(OTHER));
    config.key.0 = "2".into();
    let without =
        JwtService::try_new(config.clone(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    assert_eq!(without.verify(&old), Err(TokenError::UnknownKey));
    config.previous_keys = vec![("1".into(), secret(SECRET))];
    let with = JwtService::try_new(config.clone(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    assert!(with.verify(&old).is_ok());
    assert!(with.verify(&with.issue(Claims::about("u")).unwrap()).is_ok());
    config.previous_keys = vec![("2".into(), secret(SECRET))];
    let twice = JwtService::try_new(config, clock as Arc<dyn Clock>);
    assert!(matches!(twice, Err(JwtConfigError::DuplicateKey(_))));
}

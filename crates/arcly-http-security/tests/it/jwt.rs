//! Forged tokens of every known kind, on every algorithm; keys and their rotation.

use std::sync::Arc;
use std::time::Duration;

use arcly_http_core::scope::Claims;
use arcly_http_core::time::{Clock, ManualClock};
use arcly_http_security::{
    Algorithm, JwtConfig, JwtConfigError, JwtService, KeyError, SecretError, SigningKey,
    SigningSecret, TokenError, VerifyingKey,
};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

const SECRET: &[u8] = b"0123456789abcdefghijklmnopqrstuv";

const ALL: [Algorithm; 5] =
    [Algorithm::Hs256, Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];

fn secret(bytes: &[u8]) -> SigningSecret {
    SigningSecret::try_new(bytes).unwrap()
}

fn service(config: JwtConfig, clock: &Arc<ManualClock>) -> JwtService {
    JwtService::try_new(config, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

type Signer = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key pair as its owner and as an attacker hold it.
struct Pair {
    algorithm: Algorithm,
    private: String,
    public: String,
    sign: Signer,
}

impl Pair {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self {
                algorithm,
                private: String::new(),
                public: String::new(),
                sign: hmac(SECRET),
            },
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let private = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
                let public = pem("PUBLIC KEY", pair.public_key().as_der().unwrap().as_ref());
                let sign = Box::new(move |m: &[u8]| pair.sign(m).as_ref().to_vec());
                Self { algorithm, private, public, sign }
            }
            Algorithm::Es256 => Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Rs256 => Self::rsa(algorithm, &RSA_PKCS1_SHA256),
            Algorithm::Ps256 => Self::rsa(algorithm, &RSA_PSS_SHA256),
            other => panic!("{other}"),
        }
    }

    fn ec(curve: &'static EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(curve).unwrap();
        let private = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
        let public = pem("PUBLIC KEY", pair.public_key().as_der().unwrap().as_ref());
        let sign = move |m: &[u8]| pair.sign(&SystemRandom::new(), m).unwrap().as_ref().to_vec();
        Self { algorithm: Algorithm::Es256, private, public, sign: Box::new(sign) }
    }

    fn rsa(algorithm: Algorithm, encoding: &'static dyn RsaEncoding) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let private = pem("PRIVATE KEY", pair.as_der().unwrap().as_ref());
        let public = pem("PUBLIC KEY", pair.public_key().as_der().unwrap().as_ref());
        let sign = move |m: &[u8]| {
            let mut made = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), m, &mut made).unwrap();
            made
        };
        Self { algorithm, private, public, sign: Box::new(sign) }
    }

    fn key(&self, id: &str) -> SigningKey {
        match self.algorithm {
            Algorithm::Hs256 => SigningKey::hmac(id, &secret(SECRET)).unwrap(),
            algorithm => SigningKey::from_pem(id, algorithm, &self.private).unwrap(),
        }
    }

    /// What a service that only verifies is given.
    fn verifying(&self, id: &str) -> VerifyingKey {
        match self.algorithm {
            Algorithm::Hs256 => VerifyingKey::hmac(id, &secret(SECRET)).unwrap(),
            algorithm => VerifyingKey::from_pem(id, algorithm, &self.public).unwrap(),
        }
    }

    /// Signs anything, as an attacker with the key of another purpose would.
    fn token(&self, header: &str, payload: &str) -> String {
        token(header, payload, &self.sign)
    }

    fn header(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = json!({ "alg": self.algorithm.name(), "typ": "at+jwt", "kid": "1" });
        change(&mut header);
        header.to_string()
    }
}

fn hmac(key: &[u8]) -> Signer {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    Box::new(move |m| hmac::sign(&key, m).as_ref().to_vec())
}

fn token(header: &str, payload: &str, sign: &Signer) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(sign(message.as_bytes())))
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
    for algorithm in ALL {
        let clock = Arc::new(ManualClock::default());
        let pair = Pair::new(algorithm);
        let issuer = service(JwtConfig::new("me", "you", pair.key("k")), &clock);
        let other = service(JwtConfig::verify_only("me", "you", vec![pair.verifying("k")]), &clock);
        let claims = Claims::about("u1").with_role("editor").with_scope("a").with_scope("b");
        let token = issuer.issue(claims).unwrap();
        for service in [&issuer, &other] {
            let claims = service.verify(&token).unwrap();
            let found = (claims.subject(), claims.has_role("editor"), claims.scopes.len());
            assert_eq!(found, ("u1", true, 2), "{algorithm}");
        }
        assert_eq!(other.issue(Claims::about("u")), Err(TokenError::NoSigningKey));
        clock.advance(Duration::from_secs(3600));
        assert!(other.verify(&token).is_ok(), "within the leeway");
        clock.advance(Duration::from_secs(5));
        assert_eq!(other.verify(&token), Err(TokenError::Refused("exp")));
    }
}

#[test]
fn forged_tokens_are_refused() {
    for algorithm in ALL {
        refuses_forged_tokens(&Pair::new(algorithm));
    }
}

fn refuses_forged_tokens(pair: &Pair) {
    let clock = Arc::new(ManualClock::default());
    let mut config = JwtConfig::verify_only("me", "you", vec![pair.verifying("1")]);
    // A second key of another algorithm, for tokens that mix them up.
    let second =
        if pair.algorithm == Algorithm::EdDsa { Algorithm::Es256 } else { Algorithm::EdDsa };
    config.accepted_keys.push(Pair::new(second).verifying("2"));
    // The limit is what is tested last; the others are not to hide behind it.
    config.token_bytes_max = 16 * 1024;
    let service = service(config, &clock);
    let now = clock.now().timestamp();
    let sign = |header: &str, payload: &str| pair.token(header, payload);
    let plain_header = pair.header(|_| {});
    let plain_payload = payload(now, |_| {});
    let good = sign(&plain_header, &plain_payload);
    service.verify(&good).unwrap();

    let repeated = r#"{"sub":"u","sub":"admin","iss":"me","aud":"you","iat":1,"exp":99999999999}"#;
    let nested = plain_payload.replacen('{', r#"{"act":{"sub":"a","sub":"b"},"#, 1);
    let twice = plain_header.replacen('{', &format!(r#"{{"alg":"{}","#, pair.algorithm), 1);
    let long = payload(now, |p| p["x"] = json!("x".repeat(17 * 1024)));
    let mut forged: Vec<(String, String)> = [
        ("another key", token(&plain_header, &plain_payload, &Pair::new(other_key(pair)).sign)),
        ("repeated claim", sign(&plain_header, repeated)),
        ("repeated claim within a claim", sign(&plain_header, &nested)),
        ("repeated header", sign(&twice, &plain_payload)),
        ("too long", sign(&plain_header, &long)),
        ("not an object", sign(&plain_header, "[]")),
        ("not JSON", sign(&plain_header, "sub=u")),
        ("something behind", sign(&plain_header, &format!("{plain_payload} {{}}"))),
        // The public key is no secret: HMAC with its text, or with its bytes.
        ("public key as secret", confused(pair, &plain_payload, pair.public.as_bytes())),
        ("public bytes as secret", confused(pair, &plain_payload, &der(&pair.public))),
        ("empty secret", confused(pair, &plain_payload, b"")),
    ]
    .map(|(name, token)| (name.to_owned(), token))
    .into();
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("")),
        ("alg", json!(["HS256"])),
        ("alg", json!("HS512")),
        ("alg", json!("HS384")),
        ("alg", json!("RS512")),
        ("alg", json!("ES384")),
        ("alg", json!(pair.algorithm.name().to_lowercase())),
        ("typ", json!("JWT")),
        ("typ", json!("logout+jwt")),
        ("typ", json!("secevent+jwt")),
        ("typ", json!("dpop+jwt")),
        ("kid", json!("../../dev/null")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("2")),
        ("kid", json!(1)),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("cty", json!("JWT")),
        ("jku", json!("https://attacker.example/keys")),
        ("x5u", json!("https://attacker.example/cert")),
        ("x5c", json!(["AA"])),
        ("x5t", json!("AA")),
        ("jwk", json!({ "kty": "oct", "k": "AA" })),
    ] {
        let header = pair.header(|h| h[name] = value.clone());
        forged.push((format!("header {name}={value}"), sign(&header, &plain_payload)));
    }
    for algorithm in ALL.iter().filter(|other| **other != pair.algorithm) {
        let header = pair.header(|h| h["alg"] = json!(algorithm.name()));
        forged.push((format!("alg of {algorithm}"), sign(&header, &plain_payload)));
    }
    for name in ["alg", "typ", "kid"] {
        let header = pair.header(|h| remove(h, name));
        forged.push((format!("no {name}"), sign(&header, &plain_payload)));
    }
    for name in ["sub", "iss", "aud", "iat", "exp"] {
        let payload = payload(now, |p| remove(p, name));
        forged.push((format!("no {name}"), sign(&plain_header, &payload)));
    }
    for (name, value) in [
        ("sub", json!("")),
        ("sub", json!(7)),
        ("iss", json!("he")),
        ("iss", json!(["me"])),
        ("aud", json!(["them"])),
        ("aud", json!([])),
        ("aud", json!({ "you": true })),
        ("exp", json!(now - 6)),
        ("exp", json!("never")),
        ("exp", json!(1e300)),
        ("exp", json!(null)),
        ("iat", json!(now + 60)),
        ("nbf", json!(now + 60)),
        ("nbf", json!("later")),
    ] {
        let payload = payload(now, |p| p[name] = value.clone());
        forged.push((format!("{name}={value}"), sign(&plain_header, &payload)));
    }
    forged.extend(mutilated(&good));
    for (name, token) in forged {
        assert!(service.verify(&token).is_err(), "{}: accepted {name}", pair.algorithm);
    }
    let far = pair.token(&pair.header(|h| h["kid"] = json!("3")), &plain_payload);
    assert_eq!(service.verify(&far), Err(TokenError::UnknownKey));
    assert_eq!(service.verify(&sign(&plain_header, &long)), Err(TokenError::TooLong));
}

/// The same algorithm with another key; a second HMAC key is made apart.
fn other_key(pair: &Pair) -> Algorithm {
    if pair.algorithm == Algorithm::Hs256 { Algorithm::EdDsa } else { pair.algorithm }
}

fn der(text: &str) -> Vec<u8> {
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap()
}

/// A token signed by HMAC, under the id of the key.
fn confused(pair: &Pair, payload: &str, key: &[u8]) -> String {
    token(&pair.header(|h| h["alg"] = json!("HS256")), payload, &hmac(key))
}

/// A good token, cut and bent.
fn mutilated(good: &str) -> Vec<(String, String)> {
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let mut bent = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bent[3] ^= 1;
    let bent = URL_SAFE_NO_PAD.encode(bent);
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    [
        ("no signature", message.to_owned()),
        ("empty signature", format!("{message}.")),
        ("one bit", format!("{message}.{bent}")),
        ("zeros for a signature", format!("{message}.{zeros}")),
        ("truncated signature", good[..good.len() - 2].to_owned()),
        ("signature twice", format!("{good}{signature}")),
        ("padding", format!("{good}=")),
        ("standard base64", format!("{header}+.{payload}.{signature}")),
        ("space before", format!(" {good}")),
        ("space behind", format!("{good} ")),
        ("line break", format!("{header}.\n{payload}.{signature}")),
        ("four parts", format!("{good}.x")),
        ("five parts", format!("{header}..{payload}.{signature}.x")),
        ("no header", format!(".{payload}.{signature}")),
        ("dots", "..".to_owned()),
        ("empty", String::new()),
    ]
    .map(|(name, token)| (name.to_owned(), token))
    .into()
}

#[test]
fn keys_are_rotated() {
    let clock: Arc<ManualClock> = Arc::default();
    let (old_pair, new_pair) = (Pair::new(Algorithm::Hs256), Pair::new(Algorithm::EdDsa));
    let old = service(JwtConfig::new("me", "you", old_pair.key("old")), &clock);
    let of_old = old.issue(Claims::about("u")).unwrap();
    let mut config = JwtConfig::new("me", "you", new_pair.key("new"));
    let alone = service(config.clone(), &clock);
    assert_eq!(alone.verify(&of_old), Err(TokenError::UnknownKey));
    config.accepted_keys = vec![old_pair.verifying("old")];
    let both = service(config.clone(), &clock);
    assert!(both.verify(&of_old).is_ok());
    let of_new = both.issue(Claims::about("u")).unwrap();
    assert!(both.verify(&of_new).is_ok() && alone.verify(&of_new).is_ok());
    assert_eq!(old.verify(&of_new), Err(TokenError::UnknownKey));
    config.accepted_keys = vec![old_pair.verifying("new")];
    let twice = JwtService::try_new(config, Arc::clone(&clock) as Arc<dyn Clock>);
    assert_eq!(twice.unwrap_err().to_string(), "two keys have the id `new`");
    let none = JwtConfig::verify_only("me", "you", vec![]);
    let none = JwtService::try_new(none, clock as Arc<dyn Clock>);
    assert!(matches!(none, Err(JwtConfigError::NoKey)));
}

#[test]
fn wrong_keys_are_refused_with_a_way_out() {
    let pairs: Vec<Pair> = ALL.into_iter().skip(1).map(Pair::new).collect();
    for pair in &pairs {
        for algorithm in ALL {
            let same_family =
                |a: Algorithm| if a == Algorithm::Ps256 { Algorithm::Rs256 } else { a };
            let is_fine = same_family(algorithm) == same_family(pair.algorithm);
            let signing = SigningKey::from_pem("k", algorithm, &pair.private);
            assert_eq!(signing.is_ok(), is_fine, "{} as {algorithm}", pair.algorithm);
            let verifying = VerifyingKey::from_pem("k", algorithm, &pair.public);
            assert_eq!(verifying.is_ok(), is_fine, "{} as {algorithm}", pair.algorithm);
        }
        let text = SigningKey::from_pem("k", pair.algorithm, &pair.public).unwrap_err().to_string();
        assert!(text.contains("signing needs the private half"), "{text}");
        let text =
            VerifyingKey::from_pem("k", pair.algorithm, &pair.private).unwrap_err().to_string();
        assert!(text.contains("openssl pkey -pubout"), "{text}");
        for text in [&pair.public, &pair.private] {
            let shared = SigningSecret::try_new(text.as_bytes());
            assert!(matches!(shared, Err(SecretError::Pem)));
        }
        let shown = format!("{:?} {:?}", pair.key("k"), pair.verifying("k"));
        assert!(!shown.contains(&pair.private.lines().nth(1).unwrap()[..16]), "{shown}");
    }
    let ed = &pairs[0];
    let cases = [
        ("", "is not PEM"),
        ("hunter2", "is not PEM"),
        ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----", "is not PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PRIVATE KEY-----", "is not PEM"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is not a key for EdDSA"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "openssl x509 -pubkey"),
    ];
    for (text, expected) in cases {
        let error = VerifyingKey::from_pem("k", Algorithm::EdDsa, text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let two = format!("{}{}", ed.public, ed.public);
    assert!(VerifyingKey::from_pem("k", Algorithm::EdDsa, &two).is_err(), "two blocks");
    let encrypted = ed.private.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let error = SigningKey::from_pem("k", Algorithm::EdDsa, &encrypted).unwrap_err().to_string();
    assert!(error.contains("decrypt it first"), "{error}");
    let curve = Pair::ec(&ECDSA_P384_SHA384_FIXED_SIGNING);
    assert!(SigningKey::from_pem("k", Algorithm::Es256, &curve.private).is_err(), "P-384");
    assert!(VerifyingKey::from_pem("k", Algorithm::Es256, &curve.public).is_err(), "P-384");
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        assert!(VerifyingKey::from_pem("k", algorithm, RSA_1024).is_err(), "1024 bits");
    }
    for id in ["", "a b", "ä", &"x".repeat(129)] {
        let error = VerifyingKey::from_pem(id, Algorithm::EdDsa, &ed.public).unwrap_err();
        assert_eq!(error, KeyError::Id, "{id}");
    }
    assert!(matches!(SigningSecret::try_new(&SECRET[..31]), Err(SecretError::Short(31))));
}

/// A public key of 1024 bits, which could be factored.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC86vrbCmXLmCdpPKi0+nRh6D6y\n\
BtO/MTzDXR0H+hZpI2GWRZWcKUCOUFVKWCZQfoX7bnmsp0X+yONY+VlkZwV+KaZ7\n\
S0PntZW3iqiIRI49THCOB58cRZVrejFLIAAiuGC4XwjD1cgJ+N+mqPq3PUQaW5z3\n\
sYqOfL0J7Kd74uxqUwIDAQAB\n\
-----END PUBLIC KEY-----";

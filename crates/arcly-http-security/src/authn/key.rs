//! Keys of tokens. A key knows its algorithm; what a token claims is held against
//! it and never decides anything.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, VerificationAlgorithm,
};

use super::pem;
use super::secret::SigningSecret;

/// How tokens are signed (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256: whoever verifies can sign as well.
    Hs256,
    /// Ed25519: the best choice between services.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 to 8192 bits; for partners that know
    /// nothing newer.
    Rs256,
    /// RSA PSS with SHA-256, 2048 to 8192 bits.
    Ps256,
}

impl Algorithm {
    /// Its name in `alg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    fn verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        match self {
            Self::Hs256 => None,
            Self::EdDsa => Some(&ED25519),
            Self::Es256 => Some(&ECDSA_P256_SHA256_FIXED),
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// An id is what tokens name their key by.
    #[error("the id of a key is 1 to 128 characters without spaces")]
    Id,
    /// Not one block of text-armoured bytes.
    #[error("key `{0}` is not PEM: one block from `-----BEGIN ..-----` to `-----END ..-----`")]
    NotPem(String),
    /// PEM, but of something else.
    #[error("key `{id}` is a `{label}`; {expected}")]
    Label {
        /// The key.
        id: String,
        /// What the block says it is.
        label: String,
        /// What is needed, and how to get it.
        expected: &'static str,
    },
    /// The bytes are no key of this algorithm.
    #[error("key `{id}` is not a key for {algorithm}, or is too short for it")]
    Unfit {
        /// The key.
        id: String,
        /// What it was loaded for.
        algorithm: Algorithm,
    },
    /// HMAC has secrets, not PEM.
    #[error("key `{0}`: HS256 takes a secret; use `hmac`")]
    Secret(String),
}

fn check_id(id: &str) -> Result<String, KeyError> {
    let is_fine = !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic());
    if is_fine { Ok(id.to_owned()) } else { Err(KeyError::Id) }
}

/// A key that signs. Never shown.
#[derive(Clone)]
pub struct SigningKey {
    public: VerifyingKey,
    private: Private,
}

#[derive(Clone)]
enum Private {
    Hmac(Arc<hmac::Key>),
    Ed(Arc<Ed25519KeyPair>),
    Ec(Arc<EcdsaKeyPair>),
    Rsa(Arc<RsaKeyPair>, &'static dyn RsaEncoding),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {}, ***)", self.id(), self.algorithm())
    }
}

impl SigningKey {
    /// A shared secret, for [`Algorithm::Hs256`].
    ///
    /// # Errors
    /// [`KeyError::Id`].
    pub fn hmac(id: &str, secret: &SigningSecret) -> Result<Self, KeyError> {
        check_id(id).map(|id| Self::of_secret(id, secret))
    }

    fn of_secret(id: String, secret: &SigningSecret) -> Self {
        let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.bytes()));
        let public = VerifyingKey {
            id,
            algorithm: Algorithm::Hs256,
            public: Public::Hmac(Arc::clone(&key)),
        };
        Self { public, private: Private::Hmac(key) }
    }

    /// A private key as `openssl genpkey` writes it: PKCS#8 (`PRIVATE KEY`), or the
    /// older `EC PRIVATE KEY` and `RSA PRIVATE KEY`. Not encrypted.
    ///
    /// # Errors
    /// When id or text cannot be used, or the key is of another algorithm.
    pub fn from_pem(id: &str, algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let id = check_id(id)?;
        let (label, der) = pem::decode(text).ok_or_else(|| KeyError::NotPem(id.clone()))?;
        let expected = match label {
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => None,
            "ENCRYPTED PRIVATE KEY" => Some("decrypt it first: `openssl pkey -in key.pem`"),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Some("signing needs the private half"),
            _ => Some("a `PRIVATE KEY` is needed"),
        };
        if let Some(expected) = expected {
            return Err(KeyError::Label { id, label: label.to_owned(), expected });
        }
        let unfit = || KeyError::Unfit { id: id.clone(), algorithm };
        let rsa = |encoding| {
            let pair = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
            pair.map(|pair| Private::Rsa(Arc::new(pair), encoding)).map_err(|_| unfit())
        };
        let private = match algorithm {
            Algorithm::Hs256 => return Err(KeyError::Secret(id)),
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|_| unfit())?;
                Private::Ed(Arc::new(pair))
            }
            Algorithm::Es256 => {
                let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_pkcs8(curve, &der)
                    .or_else(|_| EcdsaKeyPair::from_private_key_der(curve, &der));
                Private::Ec(Arc::new(pair.map_err(|_| unfit())?))
            }
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256)?,
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256)?,
        };
        let bytes: &[u8] = match &private {
            Private::Hmac(_) => return Err(KeyError::Secret(id)),
            Private::Ed(pair) => pair.public_key().as_ref(),
            Private::Ec(pair) => pair.public_key().as_ref(),
            Private::Rsa(pair, _) => pair.public_key().as_ref(),
        };
        let public = Public::parse(algorithm, bytes).ok_or_else(unfit)?;
        Ok(Self { public: VerifyingKey { id, algorithm, public }, private })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.public.id
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    /// The half that verifies.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        self.public.clone()
    }

    /// `None` when the library refuses, as without random bytes.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.private {
            Private::Hmac(key) => Some(hmac::sign(key, message).as_ref().to_vec()),
            Private::Ed(pair) => pair.try_sign(message).ok().map(|made| made.as_ref().to_vec()),
            Private::Ec(pair) => {
                pair.sign(&random, message).ok().map(|made| made.as_ref().to_vec())
            }
            Private::Rsa(pair, encoding) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut made).ok().map(|()| made)
            }
        }
    }
}

/// The key `1`.
impl From<SigningSecret> for SigningKey {
    fn from(secret: SigningSecret) -> Self {
        Self::of_secret("1".to_owned(), &secret)
    }
}

/// A key that verifies. For [`Algorithm::Hs256`] it could sign as well, and is
/// never shown.
#[derive(Clone)]
pub struct VerifyingKey {
    id: String,
    algorithm: Algorithm,
    public: Public,
}

/// 2048 bits.
const RSA_BYTES_MIN: usize = 256;

#[derive(Clone)]
enum Public {
    Hmac(Arc<hmac::Key>),
    Asymmetric(ParsedPublicKey),
}

impl Public {
    fn parse(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        // The library would look at the length of a modulus with the first token only.
        if matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256)
            && RsaPublicKey::from_der(bytes).ok()?.modulus_len() < RSA_BYTES_MIN
        {
            return None;
        }
        ParsedPublicKey::new(algorithm.verification()?, bytes).ok().map(Self::Asymmetric)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, {})", self.id, self.algorithm)
    }
}

impl VerifyingKey {
    /// A shared secret, for [`Algorithm::Hs256`].
    ///
    /// # Errors
    /// [`KeyError::Id`].
    pub fn hmac(id: &str, secret: &SigningSecret) -> Result<Self, KeyError> {
        SigningKey::hmac(id, secret).map(|key| key.public)
    }

    /// A public key as `openssl pkey -pubout` writes it (`PUBLIC KEY`), or the
    /// older `RSA PUBLIC KEY`.
    ///
    /// # Errors
    /// When id or text cannot be used, or the key is of another algorithm.
    pub fn from_pem(id: &str, algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let id = check_id(id)?;
        let (label, der) = pem::decode(text).ok_or_else(|| KeyError::NotPem(id.clone()))?;
        let expected = match label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => None,
            "CERTIFICATE" => Some("take its key: `openssl x509 -pubkey -noout -in cert.pem`"),
            label if label.ends_with("PRIVATE KEY") => {
                Some("give the public half only: `openssl pkey -pubout -in key.pem`")
            }
            _ => Some("a `PUBLIC KEY` is needed"),
        };
        if let Some(expected) = expected {
            return Err(KeyError::Label { id, label: label.to_owned(), expected });
        }
        if algorithm == Algorithm::Hs256 {
            return Err(KeyError::Secret(id));
        }
        match Public::parse(algorithm, &der) {
            Some(public) => Ok(Self { id, algorithm, public }),
            None => Err(KeyError::Unfit { id, algorithm }),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How its tokens are signed.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            // Compares in constant time.
            Public::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            Public::Asymmetric(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

//! Signing secrets.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A secret that signs tokens: at least 32 bytes. Never shown.
#[derive(Clone)]
pub struct SigningSecret(Vec<u8>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(***)")
    }
}

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Shorter than 32 bytes.
    #[error("the signing secret has {0} bytes; at least 32 are needed")]
    Short(usize),
    /// A key in PEM form: its text is no secret, least of all that of a public key.
    #[error("the signing secret is a key in PEM form; load it by `SigningKey::from_pem`")]
    Pem,
    /// Something that everybody tries first.
    #[error("the signing secret is a well-known word or a repetition; use random bytes")]
    Weak,
    /// The file cannot be read or written.
    #[error("the secret file `{path}` cannot be used")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Other users can read the file.
    #[error("the secret file `{0}` can be read by others; run `chmod 600` on it")]
    Exposed(PathBuf),
    /// The file does not hold a secret.
    #[error("the secret file `{0}` does not hold a secret; delete it to have one generated")]
    Malformed(PathBuf),
}

const LENGTH_MIN: usize = 32;
const WEAK: [&str; 6] = ["secret", "changeme", "password", "default", "example", "your-256-bit"];

impl SigningSecret {
    /// Takes bytes over after checking them.
    ///
    /// # Errors
    /// When they are too short or well known.
    pub fn try_new(bytes: impl Into<Vec<u8>>) -> Result<Self, SecretError> {
        let bytes = bytes.into();
        if bytes.len() < LENGTH_MIN {
            return Err(SecretError::Short(bytes.len()));
        }
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if text.contains("-----begin ") {
            return Err(SecretError::Pem);
        }
        let mut different = bytes.clone();
        different.sort_unstable();
        different.dedup();
        if different.len() < 8 || WEAK.iter().any(|word| text.contains(word)) {
            return Err(SecretError::Weak);
        }
        Ok(Self(bytes))
    }

    /// The secret of a file, which is generated (32 random bytes, readable by
    /// its owner alone) if it does not exist. Two processes that start at once
    /// agree on one secret.
    ///
    /// # Errors
    /// When the file cannot be used, is readable by others, or holds something
    /// else.
    pub fn load_or_generate(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        if !path.exists() {
            Self::generate(path).map_err(failed)?;
        }
        check_mode(path)?;
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.trim());
        let bytes = bytes.map_err(|_| SecretError::Malformed(path.to_owned()))?;
        Self::try_new(bytes).map_err(|_| SecretError::Malformed(path.to_owned()))
    }

    /// Writes to a file of its own, then links it: whoever links first wins, and
    /// nobody reads half a secret.
    fn generate(path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut random = [0; 40];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let (secret, suffix) = random.split_at(32);
        let temporary = path.with_extension(format!("new-{}", URL_SAFE_NO_PAD.encode(suffix)));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(URL_SAFE_NO_PAD.encode(secret).as_bytes())?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&temporary, path);
        std::fs::remove_file(&temporary)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = std::fs::metadata(path)
        .map_err(|source| SecretError::File { path: path.to_owned(), source })?;
    if metadata.permissions().mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(SecretError::Exposed(path.to_owned()))
    }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), SecretError> {
    Ok(())
}

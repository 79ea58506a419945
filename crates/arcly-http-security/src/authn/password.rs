//! Passwords, hashed by argon2id (RFC 9106) on a bounded number of threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcly_http_core::di::{Key, Token};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

/// Cost and limits of hashing.
#[derive(Debug, Clone, Copy)]
pub struct PasswordConfig {
    /// Memory of one hash in KiB. Default 19456 (19 MiB), as OWASP advises.
    pub memory_kib: u32,
    /// Passes over the memory. Default 2.
    pub passes: u32,
    /// Hashes that run at once; memory is bounded by this times `memory_kib`.
    /// Default: one for each processor.
    pub concurrency: usize,
    /// Callers that may wait for their turn. Default 64.
    pub waiting_max: usize,
    /// Longest password in bytes. Default 1024.
    pub length_max: usize,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            concurrency: std::thread::available_parallelism().map_or(1, usize::from),
            waiting_max: 64,
            length_max: 1024,
        }
    }
}

/// Why hashing was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Too many callers wait already; try again later.
    #[error("too many passwords are being checked")]
    Busy,
    /// Longer than `length_max`; nothing is ever cut off.
    #[error("the password has more than {0} bytes")]
    TooLong(usize),
    /// Costs that argon2 does not know.
    #[error("the hashing parameters are not valid")]
    Parameters,
    /// A stored hash cannot be read.
    #[error("the stored hash is malformed")]
    Malformed,
    /// The hash could not be computed.
    #[error("the password could not be hashed")]
    Failed,
}

/// A password that was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whether its hash was made with other costs than today's: hash it again.
    pub needs_rehash: bool,
}

/// Hashes and checks passwords. Cloning shares the limits. A factory provides it,
/// `Inject<PasswordHasher>` takes it.
#[derive(Debug, Clone)]
pub struct PasswordHasher {
    config: PasswordConfig,
    params: Params,
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Checked when there is no user, so that an answer takes as long.
    decoy: Arc<str>,
}

/// Gives a place in the queue back, also when the caller goes away.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Token for PasswordHasher {
    const KEY: Key = Key::of("arcly_http::security::PasswordHasher", 0, 0);
}

impl PasswordHasher {
    /// A hasher; makes one hash at once, as a decoy.
    ///
    /// # Errors
    /// When the costs are not valid.
    pub fn try_new(config: PasswordConfig) -> Result<Self, PasswordError> {
        let params = Params::new(config.memory_kib, config.passes, 1, None)
            .map_err(|_| PasswordError::Parameters)?;
        let decoy = compute(&params, b"nobody has this password")?;
        Ok(Self {
            config,
            params,
            running: Arc::new(Semaphore::new(config.concurrency.max(1))),
            waiting: Arc::default(),
            decoy: decoy.into(),
        })
    }

    /// Hashes a password with a fresh salt; the result is a PHC string.
    ///
    /// # Errors
    /// [`PasswordError::Busy`], [`PasswordError::TooLong`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; a hash that runs already runs on,
    /// and keeps its turn until it is done.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        self.check_length(password)?;
        let params = self.params.clone();
        let password = password.as_bytes().to_vec();
        self.run(move || compute(&params, &password)).await
    }

    /// Checks a password against a stored hash; `None` when it is wrong. One that is
    /// too long to have been hashed is wrong, and costs nothing.
    ///
    /// # Errors
    /// [`PasswordError::Busy`], [`PasswordError::Malformed`].
    ///
    /// # Cancel safety
    /// As [`PasswordHasher::hash`].
    pub async fn verify(
        &self,
        password: &str,
        stored: &str,
    ) -> Result<Option<Verified>, PasswordError> {
        if self.check_length(password).is_err() {
            return Ok(None);
        }
        let params = self.params.clone();
        let password = password.as_bytes().to_vec();
        let stored = stored.to_owned();
        self.run(move || check(&params, &password, &stored)).await
    }

    /// Takes as long as [`PasswordHasher::verify`] and says no: for users that
    /// do not exist, so that time does not tell.
    ///
    /// # Errors
    /// As [`PasswordHasher::verify`].
    pub async fn verify_absent(&self, password: &str) -> Result<(), PasswordError> {
        let decoy = Arc::clone(&self.decoy);
        self.verify(password, &decoy).await.map(|_| ())
    }

    fn check_length(&self, password: &str) -> Result<(), PasswordError> {
        if password.len() > self.config.length_max {
            return Err(PasswordError::TooLong(self.config.length_max));
        }
        Ok(())
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let taken = self.waiting.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(&self.waiting));
        if taken >= self.config.waiting_max + self.config.concurrency {
            return Err(PasswordError::Busy);
        }
        let turn = Arc::clone(&self.running).acquire_owned().await;
        let turn = turn.map_err(|_| PasswordError::Failed)?;
        let result = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        let result = result.await.map_err(|_| PasswordError::Failed)?;
        drop(place);
        result
    }
}

fn argon2(params: &Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
}

fn compute(params: &Params, password: &[u8]) -> Result<String, PasswordError> {
    let hash = argon2(params).hash_password(password).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

fn check(
    params: &Params,
    password: &[u8],
    stored: &str,
) -> Result<Option<Verified>, PasswordError> {
    let hash = PasswordHash::new(stored).map_err(|_| PasswordError::Malformed)?;
    if argon2(params).verify_password(password, &hash).is_err() {
        return Ok(None);
    }
    let made_with = Params::try_from(&hash).map_err(|_| PasswordError::Malformed)?;
    let same = made_with.m_cost() == params.m_cost()
        && made_with.t_cost() == params.t_cost()
        && made_with.p_cost() == params.p_cost();
    Ok(Some(Verified { needs_rehash: !same }))
}

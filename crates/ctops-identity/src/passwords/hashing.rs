//! Argon2id on a bounded number of threads.

use std::hint::black_box;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use ctops_base::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::Secret;

/// Memory of one hash, KiB: 64 MiB (auth 9).
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes over it (auth 9).
const PASSES: u32 = 3;
/// Lanes (auth 9).
const LANES: u32 = 4;
/// Length of a hash, bytes.
const HASH_BYTES: usize = 32;
/// Hashes computed at the same time: 128 MiB, and a small server keeps a core for the agents.
const MAX_RUNNING: usize = 2;
/// Callers that may wait for their turn: about three seconds of work; more would time out anyway.
const MAX_WAITING: usize = 32;
/// Salt of the hash that is computed when there is no account. Its result is thrown away.
const NOBODYS_SALT: &[u8; 16] = b"no account here.";

const PARAMS: Params = match Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH_BYTES)) {
    Ok(params) => params,
    Err(_) => panic!("the parameters are within Argon2's limits"),
};

/// Hashes and compares passwords. Cloning shares the bounds.
#[derive(Clone)]
pub struct Passwords {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Passwords {
    /// Nothing running, nobody waiting.
    pub fn new() -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(MAX_RUNNING + MAX_WAITING)),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
        }
    }

    /// Waits until one hash may be computed.
    ///
    /// # Errors
    /// `unavailable` when too many wait already.
    pub async fn turn(&self) -> Result<Turn, Problem> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => {
                Problem::unavailable("too many people are signing in, try again soon")
            }
            TryAcquireError::Closed => Problem::internal(error),
        })?;
        let running = self.running.clone().acquire_owned().await.map_err(Problem::internal)?;
        Ok(Turn { _admitted: admitted, _running: running })
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

/// The right to compute one hash. It is held until the hash is done, even when the caller has gone away.
#[derive(Debug)]
pub struct Turn {
    _admitted: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Turn {
    /// The hash of a new password, as PHC string with a random salt.
    ///
    /// # Errors
    /// `internal` when hashing fails.
    pub async fn hash(self, password: Secret) -> Result<String, Problem> {
        let hashed = tokio::task::spawn_blocking(move || {
            let _held = self;
            argon2().hash_password(password.reveal().as_bytes()).map(|hash: PasswordHash| hash.to_string())
        });
        hashed.await.map_err(Problem::internal)?.map_err(Problem::internal)
    }

    /// Whether `password` belongs to `stored`. Without a stored hash the same work is done and the answer is no, so
    /// that the time does not tell whether there is an account (auth 23).
    ///
    /// # Errors
    /// `internal` when the stored hash cannot be read or hashing fails.
    pub async fn verify(self, password: Secret, stored: Option<String>) -> Result<bool, Problem> {
        let compared = tokio::task::spawn_blocking(move || {
            let _held = self;
            let password = password.reveal().as_bytes();
            match stored {
                Some(stored) => compare(password, &stored),
                None => {
                    let mut hash = [0u8; HASH_BYTES];
                    argon2()
                        .hash_password_into(password, NOBODYS_SALT, &mut hash)
                        .map_err(Problem::internal)?;
                    black_box(hash);
                    Ok(false)
                }
            }
        });
        compared.await.map_err(Problem::internal)?
    }
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

fn compare(password: &[u8], stored: &str) -> Result<bool, Problem> {
    let parsed = PasswordHash::new(stored).map_err(Problem::internal)?;
    match argon2().verify_password(password, &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(Problem::internal(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use tokio::time::{Instant, timeout};

    use super::*;

    /// Spec: auth 9
    #[tokio::test]
    async fn hash_has_the_agreed_parameters_and_a_salt_of_its_own() {
        let passwords = Passwords::new();
        let secret = Secret::new("correct horse battery");
        let first = passwords.turn().await.unwrap().hash(secret.clone()).await.unwrap();
        let second = passwords.turn().await.unwrap().hash(secret.clone()).await.unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{first}");
        assert_ne!(first, second);
        assert!(passwords.turn().await.unwrap().verify(secret, Some(first.clone())).await.unwrap());
        let wrong = Secret::new("correct horse batterx");
        assert!(!passwords.turn().await.unwrap().verify(wrong, Some(first)).await.unwrap());
    }

    #[tokio::test]
    async fn verify_with_an_unreadable_hash_is_a_fault_and_not_a_refusal() {
        let turn = Passwords::new().turn().await.unwrap();
        let problem = turn.verify(Secret::new("x"), Some("md5:abc".into())).await.unwrap_err();
        assert_eq!(problem.code(), "internal");
    }

    /// Spec: auth 23
    #[tokio::test]
    async fn verify_without_an_account_does_the_work_of_a_comparison() {
        let passwords = Passwords::new();
        let stored = passwords.turn().await.unwrap().hash(Secret::new("a password")).await.unwrap();
        let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
        for _ in 0..3 {
            let began = Instant::now();
            passwords.turn().await.unwrap().verify(Secret::new("x"), Some(stored.clone())).await.unwrap();
            known = known.min(began.elapsed());
            let began = Instant::now();
            assert!(!passwords.turn().await.unwrap().verify(Secret::new("x"), None).await.unwrap());
            unknown = unknown.min(began.elapsed());
        }
        assert!(unknown * 2 > known && known * 2 > unknown, "{unknown:?} against {known:?}");
    }

    #[tokio::test]
    async fn turns_are_bounded_and_so_is_the_queue_for_them() {
        let passwords = Passwords::new();
        let held: Vec<_> = [passwords.turn().await.unwrap(), passwords.turn().await.unwrap()].into();
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(passwords.turn())).collect();
        for turn in &mut waiting {
            assert!(timeout(Duration::ZERO, turn).await.is_err(), "two hashes run at a time");
        }
        assert_eq!(passwords.turn().await.unwrap_err().code(), "unavailable");
        drop(held);
        assert!(timeout(Duration::from_secs(5), waiting.remove(0)).await.unwrap().is_ok());
        drop(waiting);
        assert!(passwords.turn().await.is_ok(), "callers that went away leave the queue");
    }
}

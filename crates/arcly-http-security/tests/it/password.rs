//! Passwords.

use arcly_http_security::{PasswordConfig, PasswordError, PasswordHasher};

fn cheap() -> PasswordConfig {
    PasswordConfig { memory_kib: 64, passes: 1, ..PasswordConfig::default() }
}

#[tokio::test]
async fn right_and_wrong_passwords() {
    let hasher = PasswordHasher::try_new(cheap()).unwrap();
    let stored = hasher.hash("correct horse").await.unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
    assert!(!hasher.verify("correct horse", &stored).await.unwrap().unwrap().needs_rehash);
    assert!(hasher.verify("wrong", &stored).await.unwrap().is_none());
    hasher.verify_absent("anything").await.unwrap();
    let dearer = PasswordHasher::try_new(PasswordConfig { passes: 2, ..cheap() }).unwrap();
    assert!(dearer.verify("correct horse", &stored).await.unwrap().unwrap().needs_rehash);
}

#[tokio::test]
async fn bad_input_is_refused() {
    let hasher = PasswordHasher::try_new(cheap()).unwrap();
    assert!(matches!(hasher.hash(&"x".repeat(1025)).await, Err(PasswordError::TooLong(1024))));
    // Nobody has such a password: a wrong one, not a fault of the caller.
    let stored = hasher.hash("x").await.unwrap();
    assert!(hasher.verify(&"x".repeat(1025), &stored).await.unwrap().is_none());
    hasher.verify_absent(&"x".repeat(1025)).await.unwrap();
    assert!(matches!(hasher.verify("x", "plain").await, Err(PasswordError::Malformed)));
    let none = PasswordConfig { memory_kib: 0, ..cheap() };
    assert!(matches!(PasswordHasher::try_new(none), Err(PasswordError::Parameters)));
}

#[tokio::test]
async fn the_queue_is_bounded_and_left_on_drop() {
    // Dear enough that the first cannot be done before it was asked once.
    let config = PasswordConfig { concurrency: 1, waiting_max: 0, memory_kib: 16 << 10, ..cheap() };
    let hasher = PasswordHasher::try_new(config).unwrap();
    let first = hasher.hash("a");
    let second = hasher.hash("b");
    tokio::pin!(first);
    // The first is under way; the second finds no place.
    let ready =
        std::future::poll_fn(|cx| std::task::Poll::Ready(first.as_mut().poll(cx).is_ready())).await;
    assert!(!ready);
    assert!(matches!(second.await, Err(PasswordError::Busy)));
    first.await.unwrap();
    hasher.hash("c").await.unwrap();
}

//! Both clocks, and what waits on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn manual() -> (Arc<ManualClock>, Arc<dyn Clock>) {
    let manual = Arc::new(ManualClock::default());
    (Arc::clone(&manual), manual)
}

#[tokio::test]
async fn sleepers_are_woken_when_their_time_has_come() {
    let (manual, clock) = manual();
    let mut short = clock.sleep(SECOND);
    let mut long = clock.sleep(2 * SECOND);
    assert!((&mut short).now_or_never().is_none() && (&mut long).now_or_never().is_none());
    assert_eq!(manual.sleepers(), 2);
    manual.advance(SECOND - Duration::from_nanos(1));
    assert!((&mut short).now_or_never().is_none(), "a nanosecond early");
    manual.advance(Duration::from_nanos(1));
    assert!((&mut short).now_or_never().is_some() && (&mut long).now_or_never().is_none());
    assert_eq!(manual.advance_to_next(), Some(SECOND));
    assert!((&mut long).now_or_never().is_some());
    assert_eq!((manual.advance_to_next(), manual.sleepers()), (None, 0));
    assert!(clock.sleep(Duration::ZERO).now_or_never().is_some());
}

#[tokio::test]
async fn a_dropped_sleeper_leaves_nothing() {
    let (manual, clock) = manual();
    for _ in 0..1000 {
        let mut sleep = clock.sleep(Duration::MAX);
        assert!((&mut sleep).now_or_never().is_none() && (&mut sleep).now_or_never().is_none());
    }
    assert_eq!(manual.sleepers(), 0);
    manual.advance(Duration::MAX);
    manual.advance(Duration::MAX);
    assert_eq!(clock.now(), chrono::DateTime::<chrono::Utc>::MAX_UTC);
}

#[tokio::test]
async fn a_test_can_wait_for_a_sleeper() {
    let (manual, clock) = manual();
    let rounds = AtomicUsize::new(0);
    let looping = async {
        for _ in 0..3 {
            clock.sleep(60 * SECOND).await;
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    };
    let moving = async {
        for round in 0..3 {
            manual.wait_for_sleepers(1).await;
            assert_eq!(rounds.load(Ordering::Relaxed), round);
            manual.advance(60 * SECOND);
        }
    };
    tokio::join!(looping, moving);
    assert_eq!(rounds.load(Ordering::Relaxed), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sleepers_of_many_threads_are_all_seen() {
    for _ in 0..50 {
        let (manual, clock) = manual();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let clock = Arc::clone(&clock);
            tasks.spawn(async move { clock.sleep(SECOND).await });
        }
        manual.wait_for_sleepers(20).await;
        manual.advance(SECOND);
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(manual.sleepers(), 0);
    }
}

#[tokio::test]
async fn work_is_cut_at_its_limit() {
    let (manual, clock) = manual();
    assert_eq!(clock.timeout(Duration::ZERO, async { 7 }).await, Ok(7), "done at once");
    assert_eq!(manual.sleepers(), 0, "and without a timer");
    let never = clock.timeout(SECOND, std::future::pending::<()>());
    let (result, ()) = tokio::join!(never, async {
        manual.wait_for_sleepers(1).await;
        manual.advance(SECOND);
    });
    assert_eq!(result, Err(TimedOut));
    let late = clock.timeout(SECOND, async { clock.sleep(SECOND / 2).await });
    let (result, ()) = tokio::join!(late, async {
        manual.wait_for_sleepers(2).await;
        manual.advance_to_next();
    });
    assert_eq!((result, manual.sleepers()), (Ok(()), 0));
}

#[tokio::test]
async fn deadlines_shrink() {
    let (manual, clock) = manual();
    let deadline = clock.deadline(10 * SECOND);
    manual.advance(4 * SECOND);
    assert_eq!(clock.remaining(deadline), 6 * SECOND);
    manual.advance(60 * SECOND);
    assert_eq!(clock.remaining(deadline), Duration::ZERO);
    assert_eq!(clock.timeout_at(deadline, std::future::pending::<()>()).await, Err(TimedOut));
}

#[tokio::test]
async fn the_system_clock_waits_by_the_runtime() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let before = clock.elapsed();
    clock.sleep(Duration::from_millis(3)).await;
    assert!(clock.elapsed() - before >= Duration::from_millis(3));
    let cut = clock.timeout(Duration::from_millis(3), std::future::pending::<()>()).await;
    assert_eq!(cut.unwrap_err().to_string(), "not done in time");
    assert!((clock.now() - chrono::Utc::now()).num_seconds().abs() < 2);
}

#[test]
fn a_budget_is_current_inside_and_comes_back_after_a_panic() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let outer = Budget::new(Arc::clone(&clock), Duration::from_secs(9));
    let inner = Budget::new(clock, Duration::from_secs(1));
    outer.enter(|| {
        assert_eq!(inner.enter(remaining), Some(Duration::from_secs(1)));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            inner.enter(|| std::panic::panic_any(()));
        }));
        assert!(panicked.is_err());
        assert_eq!(remaining(), Some(Duration::from_secs(9)));
    });
    assert_eq!(remaining(), None);
}

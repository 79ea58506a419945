use std::future::{pending, ready};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};

use tokio::time::advance;

use super::*;
use crate::observe::Metrics;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// What a fake dependency says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("busy")]
    Busy,
    #[error("busy for a while")]
    BusyFor(Duration),
    #[error("broken")]
    Broken,
    #[error("no such thing")]
    Missing,
}

fn judge(fault: &Fault) -> Verdict {
    match fault {
        Fault::Busy => Verdict::Retry,
        Fault::BusyFor(wait) => Verdict::RetryAfter(*wait),
        Fault::Broken => Verdict::Fail,
        Fault::Missing => Verdict::Answer,
    }
}

fn policy() -> PolicyBuilder<Fault> {
    Policy::builder().classify(judge).seed(1)
}

/// A dependency that counts its calls and answers as `answer` says of each.
struct Fake<A> {
    calls: AtomicU32,
    answer: A,
}

impl<F: Future, A: Fn(u32) -> F> Fake<A> {
    fn new(answer: A) -> Self {
        Self { calls: AtomicU32::new(0), answer }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    fn call(&self) -> F {
        (self.answer)(self.calls.fetch_add(1, Ordering::SeqCst))
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_is_tried_again() {
    let policy = policy().retry(Retry::new().attempts(4)).build().unwrap();
    for (fault, attempts) in
        [(Fault::Busy, 4), (Fault::BusyFor(SECOND), 4), (Fault::Broken, 1), (Fault::Missing, 1)]
    {
        let fake = Fake::new(|_| ready(Err::<(), _>(fault)));
        let error = policy.call(|| fake.call()).await.unwrap_err();
        assert_eq!(error, PolicyError::Failed { error: fault, attempts });
        assert_eq!(fake.calls(), attempts);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), fault.to_string());
        assert!(!error.to_string().contains(&fault.to_string()));
    }
    let fake = Fake::new(|call| ready(if call == 2 { Ok(call) } else { Err(Fault::Busy) }));
    assert_eq!(policy.call(|| fake.call()).await, Ok(2));
    let unjudged = Policy::builder().build().unwrap();
    let fake = Fake::new(|_| ready(Err::<(), _>(Fault::Busy)));
    unjudged.call(|| fake.call()).await.unwrap_err();
    assert_eq!(fake.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn waits_are_jittered_under_a_growing_ceiling() {
    let times = async |seed| {
        let settings = Retry::new().attempts(5).backoff(SECOND, 3 * SECOND).budget(0, 1000);
        let policy = policy().seed(seed).retry(settings).build().unwrap();
        let times = Mutex::new(vec![]);
        let fake = Fake::new(|_| {
            times.lock().unwrap().push(Instant::now());
            ready(Err::<(), _>(Fault::Busy))
        });
        policy.call(|| fake.call()).await.unwrap_err();
        let times = times.into_inner().unwrap();
        times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    };
    let mut is_short = false;
    for seed in 0..20 {
        let waits = times(seed).await;
        for (wait, ceiling) in waits.iter().zip([1, 2, 3, 3]) {
            assert!(*wait <= SECOND * ceiling + MILLI, "{waits:?}");
            is_short |= *wait < SECOND * ceiling / 4;
        }
        assert_eq!(waits, times(seed).await);
    }
    assert!(is_short, "full jitter starts at nothing");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_was_asked_for_is_kept_or_the_call_ends() {
    let policy = policy().deadline(10 * SECOND).retry(Retry::new()).build().unwrap();
    let begun = Instant::now();
    let fake =
        Fake::new(|call| ready(if call == 0 { Err(Fault::BusyFor(9 * SECOND)) } else { Ok(()) }));
    policy.call(|| fake.call()).await.unwrap();
    assert!(begun.elapsed() >= 9 * SECOND);

    for wait in [10 * SECOND, 11 * SECOND, Duration::MAX] {
        let begun = Instant::now();
        let fake = Fake::new(|_| ready(Err::<(), _>(Fault::BusyFor(wait))));
        let error = policy.call(|| fake.call()).await.unwrap_err();
        assert_eq!(error, PolicyError::Failed { error: Fault::BusyFor(wait), attempts: 1 });
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
    let fake = Fake::new(|_| ready(Err::<(), _>(Fault::BusyFor(SECOND))));
    policy.call_within(SECOND, || fake.call()).await.unwrap_err();
    assert_eq!(fake.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_share_of_the_calls() {
    let settings = Retry::new().attempts(2).budget(10, 5);
    let policy = policy().retry(settings).build().unwrap();
    let fake = Fake::new(|_| ready(Err::<(), _>(Fault::Busy)));
    for _ in 0..1000 {
        policy.call(|| fake.call()).await.unwrap_err();
    }
    let retries = fake.calls() - 1000;
    assert!((100..=105).contains(&retries), "{retries}");
    assert_eq!(policy.status().retries_left, Some(0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_and_the_whole_call_have_their_limits() {
    let policy_of = |retry: Retry| {
        policy().timeout(2 * SECOND).deadline(5 * SECOND).retry(retry).build().unwrap()
    };
    let hang = || pending::<Result<(), Fault>>();
    let begun = Instant::now();
    let error = policy_of(Retry::new()).call(hang).await.unwrap_err();
    assert_eq!(error, PolicyError::TimedOut { limit: 2 * SECOND, attempts: 1 });
    assert_eq!(begun.elapsed().as_secs(), 2);

    let begun = Instant::now();
    let again = policy_of(Retry::new().after_timeout().backoff(MILLI, MILLI));
    let error = again.call(hang).await.unwrap_err();
    assert_eq!(error, PolicyError::DeadlineExceeded { limit: 5 * SECOND, attempts: 3 });
    assert_eq!(begun.elapsed().as_secs(), 5);

    let error = again.call_within(SECOND, hang).await.unwrap_err();
    assert_eq!(error, PolicyError::DeadlineExceeded { limit: SECOND, attempts: 1 });
    let fake = Fake::new(|_| ready(Ok::<_, Fault>(())));
    let error = again.call_within(Duration::ZERO, || fake.call()).await.unwrap_err();
    assert_eq!(error, PolicyError::DeadlineExceeded { limit: Duration::ZERO, attempts: 0 });
    assert_eq!(fake.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_broken_dependency_is_left_alone_and_probed() {
    let settings = CircuitBreaker::new().window(60 * SECOND, 4).probes(2);
    let policy = policy().breaker(settings).build().unwrap();
    let answer = Mutex::new(Err(Fault::Missing));
    let fake = Fake::new(|_| ready(*answer.lock().unwrap()));
    let call = async || policy.call(|| fake.call()).await;
    let state = || policy.status().breaker.unwrap();
    for _ in 0..20 {
        call().await.unwrap_err();
    }
    assert_eq!(state(), BreakerState::Closed, "answers are no failures");
    *answer.lock().unwrap() = Err(Fault::Broken);
    for _ in 0..20 {
        call().await.unwrap_err();
    }
    assert_eq!((state(), fake.calls()), (BreakerState::Open, 40));
    advance(4 * SECOND).await;
    assert_eq!(call().await, Err(PolicyError::Open { retry_after: 6 * SECOND }));
    advance(6 * SECOND).await;
    call().await.unwrap_err();
    assert_eq!((state(), fake.calls()), (BreakerState::Open, 41), "a bad probe opens it again");

    advance(10 * SECOND).await;
    *answer.lock().unwrap() = Ok(());
    let hang = pending::<Result<(), Fault>>;
    let mut probes = [Box::pin(policy.call(hang)), Box::pin(policy.call(hang))];
    for probe in &mut probes {
        assert!(probe.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(policy.status().probing, 2);
    assert_eq!(call().await, Err(PolicyError::Open { retry_after: Duration::ZERO }));
    drop(probes);
    assert_eq!((state(), policy.status().probing), (BreakerState::HalfOpen, 0));
    call().await.unwrap();
    call().await.unwrap();
    assert_eq!(state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_and_a_full_bulkhead_are_not_tried_again() {
    let policy = policy()
        .retry(Retry::new())
        .breaker(CircuitBreaker::new().window(60 * SECOND, 1))
        .bulkhead(Bulkhead::new(1).queue(0, SECOND))
        .build()
        .unwrap();
    let hang = pending::<Result<(), Fault>>;
    let mut first = Box::pin(policy.call(hang));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let begun = Instant::now();
    let error = policy.call(hang).await.unwrap_err();
    assert_eq!(error, PolicyError::Full { waited: Duration::ZERO });
    assert!(error.is_refusal() && error.into_error().is_none());
    // Open while the only place is taken: refused for that, not for the other.
    policy.0.breaker.as_ref().unwrap().enter().unwrap().settle(Ended::Bad);
    let error = policy.call(hang).await.unwrap_err();
    assert!(matches!(error, PolicyError::Open { .. }), "{error}");
    drop(first);
    let error = policy.call(hang).await.unwrap_err();
    assert!(matches!(error, PolicyError::Open { .. }), "{error}");
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn places_are_given_in_turn_and_the_queue_is_bounded() {
    let policy = policy().bulkhead(Bulkhead::new(2).queue(3, 5 * SECOND)).build().unwrap();
    let order = Mutex::new(vec![]);
    let call = async |number: u32, takes: Duration| {
        let result = policy
            .call(|| async {
                order.lock().unwrap().push(number);
                sleep(takes).await;
                Ok(number)
            })
            .await;
        (number, result)
    };
    let calls = [
        call(0, 2 * SECOND),
        call(1, 9 * SECOND),
        call(2, 2 * SECOND),
        call(3, 9 * SECOND),
        call(4, SECOND),
        call(5, SECOND),
    ];
    let results = futures_util::future::join_all(calls).await;
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
    for (number, result) in results {
        match number {
            4 => assert_eq!(result, Err(PolicyError::Full { waited: 5 * SECOND })),
            5 => assert_eq!(result, Err(PolicyError::Full { waited: Duration::ZERO })),
            _ => assert_eq!(result, Ok(number)),
        }
    }
    assert_eq!((policy.status().running, policy.status().waiting), (Some(0), 0));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_answers_for_a_slow_attempt() {
    struct Case {
        first: (Duration, Result<u32, Fault>),
        second: (Duration, Result<u32, Fault>),
        calls: u32,
        takes: u64,
        result: Result<u32, Fault>,
    }
    let case = |first, second, calls, takes, result| Case { first, second, calls, takes, result };
    let broken = Err(Fault::Broken);
    for case in [
        // In time: no hedge.
        case((SECOND / 2, Ok(1)), (SECOND, Ok(2)), 1, 500, Ok(1)),
        case((SECOND / 2, broken), (SECOND, Ok(2)), 1, 500, broken),
        // The faster one wins.
        case((5 * SECOND, Ok(1)), (SECOND, Ok(2)), 2, 2000, Ok(2)),
        case((3 * SECOND, Ok(1)), (5 * SECOND, Ok(2)), 2, 3000, Ok(1)),
        // One that fails waits for the other.
        case((2 * SECOND, broken), (5 * SECOND, Ok(2)), 2, 6000, Ok(2)),
        case((5 * SECOND, Ok(1)), (SECOND, broken), 2, 5000, Ok(1)),
        // Both fail: the first decides.
        case((2 * SECOND, Err(Fault::Busy)), (3 * SECOND, broken), 2, 4000, Err(Fault::Busy)),
        case((5 * SECOND, Err(Fault::Busy)), (SECOND, broken), 2, 5000, Err(Fault::Busy)),
        // An answer is an answer.
        case((2 * SECOND, Err(Fault::Missing)), (5 * SECOND, Ok(2)), 2, 2000, Err(Fault::Missing)),
        case((5 * SECOND, Ok(1)), (SECOND, Err(Fault::Missing)), 2, 2000, Err(Fault::Missing)),
    ] {
        let policy = policy().hedge(Hedge::after(SECOND)).build().unwrap();
        let fake = Fake::new(|call| {
            let (takes, result) = if call == 0 { case.first } else { case.second };
            async move {
                sleep(takes).await;
                result
            }
        });
        let begun = Instant::now();
        let result = policy.call(|| fake.call()).await;
        let result = result.map_err(|error| error.into_error().unwrap());
        assert_eq!((result, fake.calls()), (case.result, case.calls));
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap();
        assert!(took.abs_diff(case.takes) <= 2, "{took} instead of {}", case.takes);
    }
}

#[tokio::test(start_paused = true)]
async fn hedges_are_bounded_and_need_a_free_place() {
    let slow = Fake::new(|_| async {
        sleep(2 * SECOND).await;
        Ok::<_, Fault>(())
    });
    let bounded = policy().hedge(Hedge::after(SECOND).budget(0, 3)).build().unwrap();
    for _ in 0..10 {
        bounded.call(|| slow.call()).await.unwrap();
    }
    assert_eq!((slow.calls(), bounded.status().hedges_left), (13, Some(0)));

    let crowded = policy().hedge(Hedge::after(SECOND)).bulkhead(Bulkhead::new(1)).build().unwrap();
    let look = async {
        sleep(SECOND + SECOND / 2).await;
        (crowded.status().running, crowded.status().waiting)
    };
    let (result, seen) = tokio::join!(crowded.call(|| slow.call()), look);
    assert_eq!((result, seen), (Ok(()), (Some(1), 0)));
    assert_eq!((slow.calls(), crowded.status().running), (14, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn a_hedge_comes_at_the_percentile_of_what_was_seen() {
    let settings = Hedge::after(10 * MILLI).percentile(90).budget(1000, 1000);
    let policy = policy().hedge(settings).build().unwrap();
    let call = async |takes: Duration| {
        let fake = Fake::new(|_| async move {
            sleep(takes).await;
            Ok::<_, Fault>(())
        });
        policy.call(|| fake.call()).await.unwrap();
        fake.calls()
    };
    assert_eq!(call(20 * MILLI).await, 2, "nothing is known yet");
    for _ in 0..200 {
        call(9 * MILLI).await;
    }
    assert_eq!(call(20 * MILLI).await, 2, "not before the delay");
    let delay = |policy: &Policy<Fault>| policy.0.hedging.as_ref().unwrap().delay();
    for _ in 0..200 {
        policy.0.hedging.as_ref().unwrap().record(100 * MILLI);
    }
    assert_eq!(delay(&policy), 100 * MILLI);
    assert_eq!(call(90 * MILLI).await, 1);
    assert_eq!(call(200 * MILLI).await, 2);
}

/// Everything at once, dropped after each number of polls that it can live through:
/// afterwards nothing is taken, and good calls pass and close the breaker.
#[tokio::test(start_paused = true)]
async fn a_call_may_be_dropped_at_every_await() {
    let mut longest = 0;
    for is_half_open in [false, true] {
        for is_crowded in [false, true] {
            for polls in 1..400 {
                let policy = policy()
                    .timeout(30 * MILLI)
                    .deadline(SECOND)
                    .retry(Retry::new().attempts(3).after_timeout().backoff(20 * MILLI, 20 * MILLI))
                    .hedge(Hedge::after(10 * MILLI))
                    .bulkhead(Bulkhead::new(2).queue(2, 100 * MILLI))
                    .breaker(CircuitBreaker::new().window(60 * SECOND, 1000).probes(2))
                    .build()
                    .unwrap();
                if is_half_open {
                    let bad = || ready(Err::<(), _>(Fault::Broken));
                    for _ in 0..1000 {
                        policy.call(bad).await.unwrap_err();
                    }
                    advance(10 * SECOND).await;
                }
                let hang = pending::<Result<(), Fault>>;
                let mut crowd: Vec<_> = (0..2).map(|_| Box::pin(policy.call(hang))).collect();
                if !is_crowded || is_half_open {
                    crowd.clear();
                }
                let mut context = Context::from_waker(Waker::noop());
                for call in &mut crowd {
                    assert!(call.as_mut().poll(&mut context).is_pending());
                }
                // Fails, hangs, and is slow, in turn.
                let fake = Fake::new(|call| async move {
                    sleep(5 * MILLI).await;
                    match call % 3 {
                        0 => pending().await,
                        1 => Err::<(), _>(Fault::Busy),
                        _ => pending().await,
                    }
                });
                let mut call = Box::pin(policy.call(|| fake.call()));
                let mut is_over = false;
                for poll in 0..polls {
                    if call.as_mut().poll(&mut context).is_ready() {
                        is_over = true;
                        longest = longest.max(poll);
                        break;
                    }
                    advance(MILLI).await;
                }
                drop(call);
                drop(crowd);
                let status = policy.status();
                assert_eq!(
                    (status.running, status.waiting, status.probing),
                    (Some(0), 0, 0),
                    "after {polls} polls"
                );
                // Timed out probes have opened it again.
                if status.breaker == Some(BreakerState::Open) {
                    advance(10 * SECOND).await;
                }
                for _ in 0..2 {
                    policy.call(|| ready(Ok(()))).await.unwrap();
                }
                assert_eq!(policy.status().breaker, Some(BreakerState::Closed));
                if is_over {
                    break;
                }
            }
        }
    }
    assert!(longest > 60, "the calls were too short to show anything: {longest} polls");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_call_leaves_nothing_taken() {
    let policy = policy()
        .bulkhead(Bulkhead::new(1))
        .breaker(CircuitBreaker::new().window(60 * SECOND, 1).probes(1))
        .build()
        .unwrap();
    policy.call(|| ready(Err::<(), _>(Fault::Broken))).await.unwrap_err();
    advance(10 * SECOND).await;
    let panics = policy.call(|| -> std::future::Ready<Result<(), Fault>> { panic!("oh") });
    let caught = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(panics)).await;
    assert!(caught.is_err());
    let status = policy.status();
    assert_eq!((status.running, status.probing), (Some(0), 0));
    policy.call(|| ready(Ok(()))).await.unwrap();
    assert_eq!(policy.status().breaker, Some(BreakerState::Closed));
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_counted() {
    let metrics = Metrics::new();
    let counted = CallMetrics::new(&metrics);
    let build = |name: &str| {
        policy()
            .name(name)
            .metrics(&counted)
            .timeout(SECOND)
            .retry(Retry::new().attempts(2))
            .hedge(Hedge::after(SECOND / 2))
            .breaker(CircuitBreaker::new().window(60 * SECOND, 3).failures(100))
            .build()
            .unwrap()
    };
    let (policy, other) = (build("payments"), build("stock"));
    let hang = pending::<Result<(), Fault>>;
    policy.call(|| ready(Ok(()))).await.unwrap();
    other.call(|| ready(Ok(()))).await.unwrap();
    policy.call(|| ready(Err::<(), _>(Fault::Busy))).await.unwrap_err();
    policy.call(hang).await.unwrap_err();
    policy.call_within(Duration::ZERO, hang).await.unwrap_err();
    {
        let mut call = Box::pin(policy.call(hang));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    for _ in 0..3 {
        other.call(|| ready(Err::<(), _>(Fault::Broken))).await.unwrap_err();
    }
    advance(60 * SECOND).await;
    for _ in 0..4 {
        other.call(|| ready(Err::<(), _>(Fault::Broken))).await.unwrap_err();
    }
    let text = metrics.encode();
    for line in [
        "outgoing_calls_total{policy=\"payments\",outcome=\"ok\"} 1",
        "outgoing_calls_total{policy=\"payments\",outcome=\"failed\"} 1",
        "outgoing_calls_total{policy=\"payments\",outcome=\"timed_out\"} 1",
        "outgoing_calls_total{policy=\"payments\",outcome=\"deadline\"} 1",
        "outgoing_calls_total{policy=\"payments\",outcome=\"dropped\"} 1",
        "outgoing_calls_total{policy=\"stock\",outcome=\"open\"} 1",
        "outgoing_extra_attempts_total{policy=\"payments\",kind=\"retry\"} 1",
        "outgoing_extra_attempts_total{policy=\"payments\",kind=\"hedge\"} 1",
        "outgoing_breaker_changes_total{policy=\"stock\",state=\"open\"} 1",
        "outgoing_breaker_changes_total{policy=\"payments\",state=\"open\"} 0",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
}

#[test]
fn every_wrong_setting_is_named() {
    let wrong = Policy::<Fault>::builder()
        .name("payments")
        .deadline(5 * SECOND)
        .timeout(6 * SECOND)
        .retry(Retry::new().attempts(0).backoff(SECOND, MILLI).budget(10, 0))
        .hedge(Hedge::after(7 * SECOND).percentile(100))
        .bulkhead(Bulkhead::new(0).queue(0, Duration::ZERO))
        .breaker(CircuitBreaker::new().failures(0).window(Duration::MAX, 0).probes(0))
        .build()
        .unwrap_err();
    assert_eq!(wrong.faults().len(), 13, "{wrong}");
    let text = wrong.to_string();
    assert!(text.starts_with("the policy `payments` is not valid: timeout: it must be"), "{text}");
    // Ends of the ranges.
    policy()
        .deadline(Duration::from_nanos(1))
        .retry(Retry::new().attempts(1).budget(0, 1))
        .bulkhead(Bulkhead::new(1_000_000).queue(1_000_000, 86_400 * SECOND))
        .breaker(CircuitBreaker::new().failures(100).window(Duration::from_nanos(1), 1).probes(1))
        .build()
        .unwrap();
}

#[test]
fn calls_can_be_sent_to_another_thread() {
    fn check<T: Send>(_: &T) {}
    let policy = policy().retry(Retry::new()).hedge(Hedge::after(SECOND)).build().unwrap();
    let text = String::new();
    let call = policy.call(|| async { if text.is_empty() { Ok(()) } else { Err(Fault::Busy) } });
    check(&call);
    check(&policy);
}

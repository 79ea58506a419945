use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::advance;

use super::*;
use crate::backoff::Dice;

const SECOND: Duration = Duration::from_secs(1);

fn breaker(settings: CircuitBreaker) -> Breaker {
    Breaker::new(settings, Watch::new("test", None))
}

/// Some number below `below`.
fn roll(dice: &Dice, below: u64) -> u64 {
    u64::try_from(dice.up_to(Duration::from_nanos(below - 1)).as_nanos()).unwrap()
}

/// A model of what may be going on, driven at random from many seeds.
#[tokio::test(start_paused = true)]
async fn no_history_leaks_a_probe() {
    for seed in 0..300 {
        let dice = Dice::seeded(seed);
        let probes = 1 + u32::try_from(roll(&dice, 4)).unwrap();
        let mut settings = CircuitBreaker::new()
            .window(10 * SECOND, 4)
            .slow_calls(3 * SECOND, 60)
            .open_for(5 * SECOND)
            .probes(probes);
        if roll(&dice, 2) == 0 {
            settings = settings.dropped(Dropped::Failure);
        }
        let breaker = breaker(settings);
        let mut open: Vec<Pass<'_>> = vec![];
        for _ in 0..200 {
            match roll(&dice, 8) {
                0..=3 => {
                    let refuses = breaker.refuses();
                    match breaker.enter() {
                        Ok(pass) => {
                            assert_eq!(refuses, None);
                            open.push(pass);
                        }
                        Err(wait) => assert_eq!(refuses, Some(wait)),
                    }
                }
                4 => advance(SECOND * u32::try_from(roll(&dice, 4)).unwrap()).await,
                what if !open.is_empty() => {
                    let pass =
                        open.swap_remove(usize::try_from(roll(&dice, open.len() as u64)).unwrap());
                    match what {
                        5 => pass.settle(Ended::Good),
                        6 => pass.settle(Ended::Bad),
                        _ => drop(pass),
                    }
                }
                _ => {}
            }
            let current = breaker.now().change;
            let under_way = open.iter().filter(|pass| pass.change == current).count();
            if breaker.state() == BreakerState::HalfOpen {
                assert_eq!(breaker.probing() as usize, under_way, "seed {seed}");
                assert!(under_way <= probes as usize, "seed {seed}");
            } else {
                assert_eq!(breaker.probing(), 0, "seed {seed}");
            }
        }
        drop(open);
        assert_eq!(breaker.probing(), 0, "seed {seed}");
        // Whatever happened, good answers close it again, once the window is empty.
        advance(15 * SECOND).await;
        for _ in 0..probes {
            breaker.enter().unwrap().settle(Ended::Good);
        }
        assert_eq!(breaker.state(), BreakerState::Closed, "seed {seed}");
    }
}

/// Threads that enter, settle and drop at once.
#[test]
fn threads_never_probe_beyond_the_limit() {
    let breaker =
        breaker(CircuitBreaker::new().window(SECOND, 1).open_for(Duration::from_nanos(1)));
    let seeds = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let dice = Dice::seeded(seeds.fetch_add(1, Ordering::Relaxed));
                for _ in 0..20_000 {
                    let Ok(pass) = breaker.enter() else { continue };
                    assert!(breaker.probing() <= 3);
                    match roll(&dice, 3) {
                        0 => pass.settle(Ended::Good),
                        1 => pass.settle(Ended::Bad),
                        _ => drop(pass),
                    }
                }
            });
        }
    });
    assert_eq!(breaker.probing(), 0);
    assert!(breaker.now().change > 100, "it has hardly changed its state");
}

#[tokio::test(start_paused = true)]
async fn old_calls_leave_the_window() {
    let breaker = breaker(CircuitBreaker::new().window(10 * SECOND, 10));
    for _ in 0..9 {
        breaker.enter().unwrap().settle(Ended::Bad);
    }
    advance(10 * SECOND).await;
    for _ in 0..9 {
        breaker.enter().unwrap().settle(Ended::Bad);
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
    breaker.enter().unwrap().settle(Ended::Bad);
    assert_eq!(breaker.state(), BreakerState::Open);
    assert_eq!(breaker.refuses(), Some(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_call_from_before_a_change_does_not_count() {
    let breaker = breaker(CircuitBreaker::new().window(10 * SECOND, 2).probes(1));
    let old = breaker.enter().unwrap();
    let older = breaker.enter().unwrap();
    for _ in 0..2 {
        breaker.enter().unwrap().settle(Ended::Bad);
    }
    advance(10 * SECOND).await;
    let probe = breaker.enter().unwrap();
    old.settle(Ended::Bad);
    assert_eq!((breaker.state(), breaker.probing()), (BreakerState::HalfOpen, 1));
    probe.settle(Ended::Good);
    older.settle(Ended::Bad);
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it_and_dropped_ones_that_were_slow_as_well() {
    let settings = CircuitBreaker::new().window(60 * SECOND, 4).slow_calls(2 * SECOND, 50);
    let breaker = breaker(settings);
    for _ in 0..2 {
        breaker.enter().unwrap().settle(Ended::Good);
    }
    let dropped = breaker.enter().unwrap();
    drop(breaker.enter());
    let slow = breaker.enter().unwrap();
    advance(2 * SECOND).await;
    drop(dropped);
    assert_eq!(breaker.state(), BreakerState::Closed);
    slow.settle(Ended::Good);
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_a_failure_if_it_is_asked_for() {
    for (dropped, state) in
        [(Dropped::Neither, BreakerState::Closed), (Dropped::Failure, BreakerState::Open)]
    {
        let breaker = breaker(CircuitBreaker::new().window(60 * SECOND, 2).dropped(dropped));
        for _ in 0..5 {
            drop(breaker.enter());
        }
        assert_eq!(breaker.state(), state);
    }
}

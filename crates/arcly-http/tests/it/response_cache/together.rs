//! Several who ask for the same at the same time.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arcly_http::prelude::*;
use futures_util::future::{Either, join_all, select};

use super::Launched;

#[tokio::test]
async fn one_works_for_all_who_ask_at_the_same_time() {
    let launched = Launched::new().await;
    let asking = join_all((0..20).map(|_| launched.text("/kept/slow")));
    let releasing = async {
        launched.until_begun(1).await;
        launched.work().gate.add_permits(1);
    };
    let (answers, ()) = tokio::join!(asking, releasing);
    assert!(answers.iter().all(|answer| answer == "answer 1"), "{answers:?}");
    let counts = ["hits", "misses", "stored", "shared"].map(|name| launched.count(name));
    assert_eq!(counts, [0, 1, 1, 19]);
    launched.app.finish().await;
}

/// A request that has begun to work, and waits within its handler.
async fn begun(launched: &Launched) -> impl Future<Output = String> + Unpin {
    let first = Box::pin(launched.text("/kept/slow"));
    match select(first, pin!(launched.until_begun(1))).await {
        Either::Right(((), first)) => first,
        Either::Left(_) => panic!("nobody let it go"),
    }
}

#[tokio::test]
async fn when_the_one_is_gone_its_work_goes_on_for_the_others() {
    let launched = Launched::new().await;
    let first = begun(&launched).await;
    let asking = join_all((0..5).map(|_| launched.text("/kept/slow")));
    let leaving = async {
        tokio::task::yield_now().await;
        drop(first);
        // Those who come and go meanwhile change nothing.
        for _ in 0..5 {
            let (request, coming) =
                (pin!(launched.text("/kept/slow")), pin!(launched.until_begun(1)));
            assert!(matches!(select(request, coming).await, Either::Right(_)));
        }
        launched.work().gate.add_permits(1);
    };
    let (answers, ()) = tokio::join!(asking, leaving);
    assert!(answers.iter().all(|answer| answer == "answer 1"), "{answers:?}");
    assert_eq!(launched.text("/kept/slow").await, "answer 1");
    assert_eq!(launched.app.metrics().requests().active(), 0);
    launched.app.finish().await;
}

#[tokio::test]
async fn when_all_are_gone_the_work_ends() {
    let launched = Launched::new().await;
    let first = begun(&launched).await;
    let mut second = Box::pin(launched.text("/kept/slow"));
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(launched.app.metrics().requests().active(), 2, "it goes on");
    drop(second);
    while launched.app.metrics().requests().active() > 0 {
        tokio::task::yield_now().await;
    }
    // Alone, it ends at once.
    drop(begun(&launched).await);
    assert_eq!(launched.app.metrics().requests().active(), 0);
    assert_eq!(launched.count("stored"), 0);
    let text = launched.app.metrics().encode();
    let gone = text.lines().find(|line| line.contains("_count{") && line.contains("\"499\""));
    assert!(gone.is_some_and(|line| line.ends_with(" 3")), "{text}");
    launched.app.finish().await;
}

#[tokio::test]
async fn the_one_may_be_dropped_wherever_it_waits() {
    for polls in 1.. {
        let launched = Launched::new().await;
        let mut first = Box::pin(launched.text("/kept/steps"));
        let mut others = Box::pin(join_all((0..3).map(|_| launched.text("/kept/steps"))));
        let mut is_done = false;
        for _ in 0..polls {
            is_done = futures_util::poll!(first.as_mut()).is_ready();
            if is_done || futures_util::poll!(others.as_mut()).is_ready() {
                break;
            }
        }
        drop(first);
        let answers = others.await;
        assert!(answers.iter().all(|answer| answer == "answer 1"), "{polls} polls: {answers:?}");
        assert_eq!(launched.work().done.load(Ordering::SeqCst), 1, "{polls} polls");
        assert_eq!(launched.app.metrics().requests().active(), 0, "{polls} polls");
        launched.app.finish().await;
        if is_done {
            assert!(polls > 10, "{polls} polls");
            break;
        }
    }
}

#[tokio::test]
async fn work_that_goes_on_ends_with_the_application() {
    let launched = Launched::new().await;
    let first = begun(&launched).await;
    let mut second = Box::pin(launched.text("/kept/slow"));
    assert!(futures_util::poll!(second.as_mut()).is_pending());
    drop(first);
    let metrics = launched.app.metrics().clone();
    assert_eq!(metrics.requests().active(), 2);
    let stopping = launched.app.container().shutdown();
    let report = tokio::time::timeout(Duration::from_secs(5), stopping).await.unwrap();
    assert!(report.tasks.cut.is_empty(), "{report:?}");
    assert_eq!(metrics.requests().active(), 1);
    drop(second);
    assert_eq!(metrics.requests().active(), 0);
}

#[tokio::test]
async fn a_panic_or_a_deadline_of_one_is_not_that_of_all() {
    let launched = Launched::new().await;
    let asking = join_all((0..5).map(|_| launched.app.get("/kept/panic").send()));
    let releasing = async {
        launched.until_begun(1).await;
        launched.work().gate.add_permits(2);
    };
    let (answers, ()) = tokio::join!(asking, releasing);
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 500]);
    assert_eq!(launched.work().done.load(Ordering::SeqCst), 2);

    // The first is given up after 5 s; who came 3 s later has 3 s left.
    let early = launched.app.get("/kept/short").send();
    let late = async {
        launched.until_begun(3).await;
        launched.clock.advance(Duration::from_secs(3));
        launched.app.get("/kept/short").send().await
    };
    let time = async {
        launched.until_begun(3).await;
        launched.clock.wait_for_sleepers(2).await;
        launched.clock.advance(Duration::from_secs(2));
        launched.until_begun(4).await;
        launched.work().gate.add_permits(1);
    };
    let (early, late, ()) = tokio::join!(early, late, time);
    assert_eq!((early.status.as_u16(), late.status.as_u16()), (504, 200));
    assert_eq!(late.text(), "answer 4");
    // Whoever waits for too long is given up as well, whatever the other does.
    launched.clock.advance(Duration::from_secs(60));
    let early = launched.app.get("/kept/short").send();
    let late = async {
        launched.until_begun(5).await;
        launched.app.get("/kept/short").send().await
    };
    let time = async {
        launched.until_begun(5).await;
        launched.clock.wait_for_sleepers(2).await;
        launched.clock.advance(Duration::from_secs(5));
    };
    let (early, late, ()) = tokio::join!(early, late, time);
    assert_eq!((early.status.as_u16(), late.status.as_u16()), (504, 504));
    launched.app.finish().await;
}

#[tokio::test]
async fn what_cannot_be_shared_is_made_for_each_at_once() {
    let launched = Launched::new().await;
    let asking = join_all((0..5).map(|_| launched.app.get("/kept/fails").send()));
    let releasing = async {
        launched.until_begun(1).await;
        launched.work().gate.add_permits(1);
        // All others begin, and none waits for another.
        launched.until_begun(5).await;
        launched.work().gate.add_permits(4);
    };
    let (answers, ()) = tokio::join!(asking, releasing);
    assert!(answers.iter().all(|answer| answer.status == 404));
    assert_eq!(launched.count("stored"), 0);
    launched.app.finish().await;
}

#[tokio::test]
async fn what_was_begun_before_a_change_is_not_given_to_who_asks_after_it() {
    let launched = Launched::new().await;
    let before = launched.text("/kept/slow");
    let after = async {
        launched.until_begun(1).await;
        launched.app.provider::<ResponseCache>().invalidate_tag("slow");
        launched.text("/kept/slow").await
    };
    let releasing = async {
        launched.until_begun(2).await;
        launched.work().gate.add_permits(2);
    };
    let (before, after, ()) = tokio::join!(before, after, releasing);
    assert_eq!((before.as_str(), after.as_str()), ("answer 1", "answer 2"));
    assert_eq!(launched.text("/kept/slow").await, "answer 2");
    // Alone, it is not kept.
    launched.app.provider::<ResponseCache>().invalidate_all();
    let before = launched.text("/kept/slow");
    let changing = async {
        launched.until_begun(3).await;
        launched.app.provider::<ResponseCache>().invalidate_tag("slow");
        launched.work().gate.add_permits(2);
    };
    let (before, ()) = tokio::join!(before, changing);
    assert_eq!(before, "answer 3");
    assert_eq!(launched.text("/kept/slow").await, "answer 4");
    launched.app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_changes_something_reads_that_or_what_came_later() {
    let launched = Arc::new(Launched::new().await);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let launched = Arc::clone(&launched);
        writers.spawn(async move {
            for _ in 0..100 {
                let changed = launched.work().done.fetch_add(1, Ordering::SeqCst) + 1;
                launched.app.provider::<ResponseCache>().invalidate_tag("current");
                let read: usize = launched.text("/kept/current").await.parse().unwrap();
                assert!(read >= changed, "{read} after {changed}");
            }
        });
    }
    while let Some(result) = writers.join_next().await {
        result.unwrap();
    }
    assert_eq!(launched.text("/kept/current").await, "800");
    let counts = ["hits", "misses", "shared"].map(|name| launched.count(name));
    assert_eq!(counts.iter().sum::<u64>(), 801, "{counts:?}");
    assert!(counts[1] < 801, "{counts:?}");
}

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use tokio::time::{advance, sleep};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Counts from several tasks.
#[derive(Clone, Default)]
struct Count(Arc<AtomicU32>);

impl Count {
    /// Gives how many there were before.
    fn up(&self) -> u32 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Counts when it is dropped.
struct OnDrop(Count);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.up();
    }
}

/// Panics, as something that could have returned.
fn fail(at: u8) {
    panic!("at {at}");
}

#[track_caller]
fn check_ended(report: &TaskReport, state: TaskState, runs: u64, fault: Option<&str>) {
    assert_eq!((report.state, report.runs), (state, runs), "{report:?}");
    assert_eq!(report.last_fault.as_deref(), fault, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_task_is_told_apart() {
    let tasks = Tasks::new();
    let fine = tasks.spawn("fine", async |_| {}).unwrap();
    check_ended(&fine.join().await, TaskState::Finished, 1, None);

    let fails = tasks.spawn("fails", async |_| Err::<(), _>("no such host")).unwrap();
    check_ended(&fails.join().await, TaskState::Failed, 1, Some("no such host"));

    let panics = tasks
        .spawn("panics", async |_| {
            sleep(SECOND).await;
            fail(7);
        })
        .unwrap();
    assert_eq!(panics.report().state, TaskState::Running);
    check_ended(&panics.join().await, TaskState::Failed, 1, Some("at 7"));

    let early = |_| -> std::future::Ready<()> { panic!("before the future") };
    let early = tasks.spawn("early", early).unwrap();
    check_ended(&early.join().await, TaskState::Failed, 1, Some("before the future"));

    let stopped = tasks.spawn("stopped", async |stop: Stop| stop.requested().await).unwrap();
    stopped.stop();
    check_ended(&stopped.join().await, TaskState::Stopped, 1, None);

    let names: Vec<_> = tasks.list().into_iter().map(|report| report.name).collect();
    assert_eq!(names, ["fine", "fails", "panics", "early", "stopped"]);
}

#[tokio::test(start_paused = true)]
async fn a_cause_is_told_with_its_error() {
    let tasks = Tasks::new();
    let read = async |_| {
        let inner = std::io::Error::other("disk is full");
        Err::<(), _>(crate::di::BuildError::factory(inner))
    };
    let report = tasks.spawn("read", read).unwrap().join().await;
    assert_eq!(report.last_fault.as_deref(), Some("disk is full: disk is full"));
}

#[tokio::test(start_paused = true)]
async fn a_failing_task_comes_back_with_growing_waits() {
    let tasks = Tasks::new();
    let count = Count::default();
    let seen = count.clone();
    let restart = Restart::on_failure().backoff(SECOND, 3 * SECOND).max(5, 60 * SECOND);
    let begun = Instant::now();
    let task = tasks
        .supervise("poller", restart, move |_| {
            let run = seen.up();
            async move {
                match run {
                    0 => Err("first".to_owned()),
                    1 => panic!("second"),
                    2 => Err("third".to_owned()),
                    _ => Ok(()),
                }
            }
        })
        .unwrap();
    let report = task.join().await;
    check_ended(&report, TaskState::Finished, 4, Some("third"));
    assert_eq!((report.restarts, report.faults), (3, 3));
    // Half of 1 + 2 + 3 seconds at least, all of it at most (timers: a ms each).
    let took = begun.elapsed();
    assert!(took >= 3 * SECOND && took <= 6 * SECOND + Duration::from_millis(3), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn too_many_restarts_end_a_task_for_good() {
    let metrics = Metrics::new();
    let tasks = Tasks::new();
    tasks.observe(&metrics);
    tasks.observe(&metrics);
    let restart = Restart::on_failure().max(3, 60 * SECOND);
    let task = tasks.supervise("poller", restart, async |_| Err::<(), _>("down")).unwrap();
    check_ended(&task.join().await, TaskState::Failed, 4, Some("down"));
    let text = metrics.encode();
    for line in [
        "background_task_faults_total{task=\"poller\",kind=\"error\"} 4",
        "background_task_faults_total{task=\"poller\",kind=\"given_up\"} 1",
        "background_task_restarts_total{task=\"poller\"} 3",
        "background_tasks 0",
    ] {
        assert!(text.contains(line), "`{line}` is not in\n{text}");
    }
    assert_eq!(text.matches("# HELP background_tasks ").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn old_restarts_are_forgotten() {
    let tasks = Tasks::new();
    let count = Count::default();
    let seen = count.clone();
    let restart = Restart::on_failure().max(1, 10 * SECOND);
    let task = tasks
        .supervise("rare", restart, move |_| {
            let run = seen.up();
            async move {
                sleep(11 * SECOND).await;
                if run < 20 { Err("again") } else { Ok(()) }
            }
        })
        .unwrap();
    check_ended(&task.join().await, TaskState::Finished, 21, Some("again"));
}

#[tokio::test(start_paused = true)]
async fn policies_differ_in_what_they_restart() {
    let tasks = Tasks::new();
    let never = tasks.supervise("never", Restart::never(), async |_| Err::<(), _>("x")).unwrap();
    check_ended(&never.join().await, TaskState::Failed, 1, Some("x"));
    let done = tasks.supervise("done", Restart::on_failure(), async |_| {}).unwrap();
    check_ended(&done.join().await, TaskState::Finished, 1, None);
    let always = Restart::always().max(2, 60 * SECOND);
    let always = tasks.supervise("always", always, async |_| {}).unwrap();
    check_ended(&always.join().await, TaskState::Failed, 3, None);
}

#[tokio::test(start_paused = true)]
async fn a_late_tick_is_left_out_and_a_fault_stops_nothing() {
    let tasks = Tasks::new();
    let starts: Arc<Mutex<Vec<u64>>> = Arc::default();
    let seen = Arc::clone(&starts);
    let begun = Instant::now();
    let task = tasks
        .every("sweep", 10 * SECOND, move |_| {
            let run = {
                let mut starts = seen.lock().unwrap();
                starts.push(begun.elapsed().as_secs());
                starts.len()
            };
            async move {
                match run {
                    1 => sleep(25 * SECOND).await,
                    2 => panic!("oh"),
                    _ => {}
                }
            }
        })
        .unwrap();
    sleep(Duration::from_millis(61_500)).await;
    assert_eq!(*starts.lock().unwrap(), [10, 40, 50, 60]);
    assert_eq!(task.report().state, TaskState::Waiting);
    assert_eq!(task.report().state_age.as_secs(), 1);
    task.stop();
    check_ended(&task.join().await, TaskState::Stopped, 4, Some("oh"));

    let refused = tasks.every("never", Duration::ZERO, async |_| {});
    assert_eq!(refused.unwrap_err(), SpawnError::NoPeriod { name: "never".into() });
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_tasks_in_every_state() {
    let tasks = Tasks::new();
    let dropped = Count::default();
    let hold = dropped.clone();
    tasks.spawn("finished", async |_| {}).unwrap().join().await;
    tasks.spawn("polite", async |stop: Stop| stop.requested().await).unwrap();
    tasks
        .spawn("working", async |stop: Stop| {
            stop.requested().await;
            sleep(3 * SECOND).await;
        })
        .unwrap();
    tasks
        .spawn("deaf", async move |_| {
            let _hold = OnDrop(hold);
            std::future::pending::<()>().await;
        })
        .unwrap();
    let minutes = Restart::on_failure().backoff(120 * SECOND, 120 * SECOND);
    tasks.supervise("backing off", minutes, async |_| Err::<(), _>("x")).unwrap();
    tasks.every("between ticks", 3600 * SECOND, async |_| {}).unwrap();
    tasks
        .every("in a tick", SECOND, async |stop: Stop| {
            stop.until(std::future::pending::<()>()).await;
        })
        .unwrap();
    sleep(2 * SECOND).await;
    let last = tasks.spawn("not begun", async |stop: Stop| stop.requested().await).unwrap();

    let report = tasks.shutdown(10 * SECOND).await;
    assert_eq!((report.asked, report.cut), (7, vec!["deaf".to_owned()]));
    assert!(report.stuck.is_empty());
    assert!(report.elapsed <= 10 * SECOND, "{:?}", report.elapsed);
    assert_eq!(dropped.get(), 1);
    check_ended(&last.report(), TaskState::Stopped, 1, None);
    let states: Vec<_> = tasks.list().into_iter().map(|task| (task.name, task.state)).collect();
    assert_eq!(states.len(), 8);
    for (name, state) in states {
        let expected = match &*name {
            "finished" => TaskState::Finished,
            "deaf" => TaskState::Cut,
            _ => TaskState::Stopped,
        };
        assert_eq!(state, expected, "{name}");
    }
    let refused = tasks.spawn("late", async |_| {});
    assert_eq!(refused.unwrap_err(), SpawnError::Stopping { name: "late".into() });
    let again = tasks.shutdown(SECOND).await;
    assert_eq!((again.asked, again.elapsed), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_time_still_drops_the_work() {
    let tasks = Tasks::new();
    tasks.spawn("deaf", async |_| std::future::pending::<()>().await).unwrap();
    let report = tasks.shutdown(Duration::ZERO).await;
    assert_eq!(report.cut, ["deaf"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_dropped_can_be_asked_for_again() {
    let tasks = Tasks::new();
    let deaf = tasks.spawn("deaf", async |_| std::future::pending::<()>().await).unwrap();
    assert!(timeout(SECOND, tasks.shutdown(10 * SECOND)).await.is_err());
    assert_eq!(deaf.report().state, TaskState::Running);
    assert_eq!(tasks.shutdown(SECOND).await.cut, ["deaf"]);
}

#[tokio::test(start_paused = true)]
async fn a_group_stops_alone_and_with_the_one_around_it() {
    let tasks = Tasks::new();
    let wait = async |stop: Stop| stop.requested().await;
    let outer = tasks.group("orders");
    let inner = outer.group("mail");
    let [top, middle, leaf] =
        [&tasks, &outer, &inner].map(|group| group.spawn("wait", wait).unwrap());
    assert_eq!(leaf.report().name, "orders/mail/wait");
    assert_eq!((tasks.list().len(), outer.list().len(), inner.list().len()), (3, 2, 1));

    assert_eq!(outer.shutdown(SECOND).await.asked, 2);
    assert_eq!(top.report().state, TaskState::Running);
    assert_eq!(middle.report().state, TaskState::Stopped);
    assert_eq!(leaf.report().state, TaskState::Stopped);
    assert!(matches!(inner.spawn("late", wait), Err(SpawnError::Stopping { .. })));
    let other = tasks.group("orders").spawn("other", wait).unwrap();
    assert_eq!(tasks.shutdown(SECOND).await.asked, 2);
    assert_eq!(other.report().state, TaskState::Stopped);
}

#[tokio::test(start_paused = true)]
async fn a_full_group_refuses_until_a_place_is_free() {
    let metrics = Metrics::new();
    let tasks = Tasks::new();
    tasks.observe(&metrics);
    let group = tasks.bounded_group("orders", 2);
    let wait = async |stop: Stop| stop.requested().await;
    let first = group.spawn("a", wait).unwrap();
    group.group("below").spawn("b", wait).unwrap();
    let full = SpawnError::Full { name: "orders/c".into(), max: 2 };
    assert_eq!(group.spawn("c", wait).unwrap_err(), full);
    first.stop();
    first.join().await;
    group.spawn("c", wait).unwrap();
    tasks.spawn("elsewhere", wait).unwrap();
    let text = metrics.encode();
    assert!(text.contains("background_tasks_refused_total 1"), "{text}");
    assert!(text.contains("background_tasks 3"), "{text}");
    while tasks.spawn("many", wait).is_ok() {}
    assert_eq!(tasks.list().len(), TASKS_MAX + 1);
    assert_eq!(tasks.shutdown(SECOND).await.asked, TASKS_MAX);
}

#[tokio::test(start_paused = true)]
async fn the_past_is_bounded_and_faults_are_kept_longest() {
    let tasks = Tasks::new();
    tasks.spawn("bad", async |_| Err::<(), _>("x".repeat(2000))).unwrap().join().await;
    for _ in 0..200 {
        tasks.spawn("good", async |_| {}).unwrap().join().await;
    }
    let list = tasks.list();
    assert_eq!((list.len(), &*list[0].name), (64, "bad"));
    assert_eq!(list[0].last_fault.as_ref().map(String::len), Some(500));
    let long = tasks.spawn(&"ä".repeat(100), async |_| {}).unwrap();
    assert_eq!(long.report().name.len(), 128);
}

#[test]
fn without_a_runtime_nothing_starts() {
    let refused = Tasks::new().spawn("early", async |_| {});
    assert_eq!(refused.unwrap_err(), SpawnError::NoRuntime { name: "early".into() });
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_dropped_takes_its_tasks_along() {
    let tasks = Tasks::new();
    let owner = Owner(tasks.clone());
    let dropped = Count::default();
    let hold = OnDrop(dropped.clone());
    let task = tasks
        .spawn("deaf", async move |_| {
            let _hold = hold;
            std::future::pending::<()>().await;
        })
        .unwrap();
    drop(owner);
    check_ended(&task.join().await, TaskState::Cut, 0, None);
    assert_eq!(dropped.get(), 1);
}

/// A runtime that goes away drops its tasks; each end is noted, and nothing is
/// locked up.
#[test]
fn a_runtime_that_ends_takes_its_tasks_along() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tasks = Tasks::new();
    let wait = async |stop: Stop| stop.requested().await;
    let task = {
        let _guard = runtime.enter();
        tasks.spawn("wait", wait).unwrap()
    };
    let handle = runtime.handle().clone();
    runtime.shutdown_timeout(SECOND);
    assert_eq!(task.report().state, TaskState::Cut);
    let _guard = handle.enter();
    let late = tasks.spawn("late", wait).unwrap();
    assert_eq!(late.report().state, TaskState::Cut);
}

/// What is dropped after a panic may panic again.
#[tokio::test(start_paused = true)]
async fn a_panic_while_dropping_is_survived() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("while dropping");
        }
    }
    let tasks = Tasks::new();
    let held = async |_: Stop| {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    };
    tasks.spawn("held", held).unwrap();
    advance(SECOND).await;
    assert_eq!(tasks.shutdown(SECOND).await.cut, ["held"]);

    let tasks = Tasks::new();
    let payload = |_| -> std::future::Ready<()> { std::panic::panic_any(Bomb) };
    let task = tasks.spawn("payload", payload).unwrap();
    assert!(task.join().await.state.is_over());
    assert!(tasks.shutdown(SECOND).await.cut.is_empty());
}

/// A thread that blocks cannot be stopped from outside; shutdown goes on without.
#[test]
fn a_task_that_blocks_is_reported_as_stuck() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let tasks = Tasks::new();
    let (free, blocked) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel::<()>();
    let report = runtime.block_on(async {
        tasks
            .spawn("blocks", async move |_| {
                begun.send(()).unwrap();
                let _ = blocked.recv();
            })
            .unwrap();
        has_begun.recv().unwrap();
        tasks.shutdown(Duration::from_millis(1)).await
    });
    assert_eq!(report.stuck, ["blocks"]);
    drop(free);
    let name = tasks.list()[0].name.clone();
    assert_eq!(name, "blocks");
    runtime.shutdown_timeout(SECOND);
}

/// Between the listing of a task and its start, a shutdown may come to its end.
#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "the task is looked at from below")]
async fn a_task_that_is_cut_before_it_starts_is_cut_when_it_does() {
    let tasks = Tasks::new();
    let entry = tasks.root.registry().add(
        "early".into(),
        TaskKind::Once,
        &tasks.groups,
        CancellationToken::new(),
    );
    entry.cut();
    let task = tokio::spawn(std::future::pending::<()>());
    entry.started(task.abort_handle());
    assert!(task.await.unwrap_err().is_cancelled());
}

/// Starting and stopping at once: whatever was started has ended afterwards.
#[test]
fn a_task_started_beside_a_shutdown_is_refused_or_ended() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for _ in 0..200 {
        let tasks = Tasks::new();
        let starter = tasks.clone();
        let started = runtime.spawn(async move {
            let mut handles = vec![];
            for _ in 0..1_000_000 {
                let run = async |_: Stop| std::future::pending::<()>().await;
                match starter.spawn("deaf", run) {
                    Ok(handle) => handles.push(handle),
                    Err(SpawnError::Full { .. }) => tokio::task::yield_now().await,
                    Err(_) => return handles,
                }
            }
            panic!("it is never refused")
        });
        runtime.block_on(async {
            let report = tasks.shutdown(Duration::ZERO).await;
            for handle in started.await.unwrap() {
                assert!(handle.join().await.state.is_over());
            }
            assert_eq!(report.asked, report.cut.len() + report.stuck.len());
        });
    }
}

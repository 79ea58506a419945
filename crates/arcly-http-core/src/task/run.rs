//! The three ways in which a task runs.

use std::any::Any;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{Instant, sleep, sleep_until};

use super::entry::Entry;
use super::outcome::sealed::Sealed as _;
use super::{Outcome, Restart, Root, Stop, TaskState};
use crate::scope::RequestId;
use crate::scope::current::{self, Identity};
use crate::scope::spans::{SpanKind, Tracing};

pub(super) async fn once<F>(
    entry: Arc<Entry>,
    root: Arc<Root>,
    run: impl FnOnce(Stop) -> F,
) -> TaskState
where
    F: Future<Output: Outcome>,
{
    let is_fault = attempt(&entry, &root, run).await;
    ended(&entry, is_fault)
}

pub(super) async fn supervised<F>(
    entry: Arc<Entry>,
    root: Arc<Root>,
    restart: Restart,
    mut run: impl FnMut(Stop) -> F,
) -> TaskState
where
    F: Future<Output: Outcome>,
{
    let stop = entry.stop();
    let mut restarts = VecDeque::new();
    loop {
        let is_fault = attempt(&entry, &root, &mut run).await;
        if stop.is_requested() || !restart.wants(is_fault) {
            return ended(&entry, is_fault);
        }
        let Some(wait) = restart.next(&mut restarts, &root.dice) else {
            tracing::error!(task = %entry.name, "a background task ended too often and is given up");
            root.count(|metrics| metrics.faults.with(&[&entry.name, "given_up"]).increment());
            return TaskState::Failed;
        };
        entry.status().enter(TaskState::Waiting);
        if stop.until(sleep(wait)).await.is_none() {
            return TaskState::Stopped;
        }
        entry.status().restarts += 1;
        root.count(|metrics| metrics.restarts.with(&[&entry.name]).increment());
    }
}

pub(super) async fn periodic<F>(
    entry: Arc<Entry>,
    root: Arc<Root>,
    period: Duration,
    mut run: impl FnMut(Stop) -> F,
) -> TaskState
where
    F: Future<Output: Outcome>,
{
    let stop = entry.stop();
    let period = period.min(PERIOD_MAX);
    let mut tick = Instant::now() + period;
    loop {
        entry.status().enter(TaskState::Waiting);
        if stop.until(sleep_until(tick)).await.is_none() {
            return TaskState::Stopped;
        }
        match root.tracing.get() {
            Some(tracing) => traced(tracing, &entry.name, attempt(&entry, &root, &mut run)).await,
            None => drop(attempt(&entry, &root, &mut run).await),
        }
        tick = next_tick(tick, period, Instant::now());
    }
}

/// One run as a trace of its own: its lines of the log and the calls that it makes
/// belong together.
async fn traced(tracing: &Tracing, name: &str, run: impl Future<Output = bool>) {
    let trace = tracing.root();
    let recorder = tracing.recorder(&trace);
    let mut span = recorder.as_ref().map(|to| to.begin_own(&trace, SpanKind::Internal));
    if let Some(span) = &mut span {
        span.name(format!("task {name}"));
    }
    let request_id = RequestId::of_trace(&trace);
    let mut identity = Some(Identity { request_id, trace, route: "", principal: None, recorder });
    let mut run = pin!(run);
    let is_fault = poll_fn(|cx| {
        let _entered = current::enter(&mut identity);
        run.as_mut().poll(cx)
    });
    if is_fault.await
        && let Some(span) = &mut span
    {
        span.fail("");
    }
}

/// Beyond it, adding to the present may leave the clock's range.
const PERIOD_MAX: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The first tick after `last` that is not in the past. Tokio's own intervals make
/// up for one of those that were missed, at once and out of step.
fn next_tick(last: Instant, period: Duration, now: Instant) -> Instant {
    let next = last + period;
    let late = now.saturating_duration_since(next).as_nanos() % period.as_nanos();
    match u64::try_from(late) {
        Ok(0) | Err(_) => next.max(now),
        Ok(late) => now + (period - Duration::from_nanos(late)),
    }
}

fn ended(entry: &Entry, is_fault: bool) -> TaskState {
    if entry.stop().is_requested() {
        TaskState::Stopped
    } else if is_fault {
        TaskState::Failed
    } else {
        TaskState::Finished
    }
}

/// Runs it once and notes a fault; gives whether there was one.
async fn attempt<F>(entry: &Entry, root: &Root, run: impl FnOnce(Stop) -> F) -> bool
where
    F: Future<Output: Outcome>,
{
    {
        let mut status = entry.status();
        status.enter(TaskState::Running);
        status.runs += 1;
    }
    let stop = entry.stop();
    // What `run` captured may be left half changed by a panic; only `run` itself
    // sees it again. The call stands inside, because it may panic as well.
    let work = AssertUnwindSafe(async move { run(stop).await.fault() });
    let (kind, text) = match work.catch_unwind().await {
        Ok(None) => return false,
        Ok(Some(text)) => ("error", text),
        Err(payload) => ("panic", said(&*payload)),
    };
    entry.status().fault(&text);
    root.count(|metrics| metrics.faults.with(&[&entry.name, kind]).increment());
    if kind == "panic" {
        tracing::error!(task = %entry.name, panic = %text, "a background task panicked");
    } else {
        tracing::warn!(task = %entry.name, error = %text, "a background task failed");
    }
    true
}

/// The text of a panic.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}

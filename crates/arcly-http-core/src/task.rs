//! Background work that somebody owns: one tree of tasks for each application.
//!
//! [`Tasks`] is in every graph, like [`crate::scope::Scope`]: no module lists it,
//! any provider injects `Inject<Tasks>`. Each task has a name, is asked to stop
//! and waited for when the application stops, and is cut off at one deadline for
//! all of them ([`crate::di::LaunchLimits::tasks`]). A task that fails or panics is
//! logged, counted and listed; it never takes the process down.
//!
//! | call | runs | after a fault |
//! |---|---|---|
//! | [`Tasks::spawn`] | once | is over |
//! | [`Tasks::supervise`] | until it is done | runs again, as [`Restart`] says |
//! | [`Tasks::every`] | once a period; late ticks are left out | runs at the next tick |
//!
//! Each is given a [`Stop`], which says when to end. A task may be dropped at any
//! `await` once the deadline has passed, so that what must not be lost belongs into
//! a transaction, not into a task.
//!
//! ```
//! use std::time::Duration;
//! use arcly_http_core::task::{Restart, Stop, Tasks};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let tasks = Tasks::new(); // an application injects `Inject<Tasks>`
//! let orders = tasks.group("orders");
//! let restart = Restart::on_failure().max(5, Duration::from_secs(60));
//! orders.supervise("poller", restart, async |stop: Stop| {
//!     while !stop.is_requested() {
//!         // Ask for new orders; an error ends this run and starts another.
//!         stop.until(tokio::time::sleep(Duration::from_secs(1))).await;
//!     }
//!     Ok::<(), std::io::Error>(())
//! })?;
//! assert_eq!(tasks.list()[0].name, "orders/poller");
//!
//! let report = tasks.shutdown(Duration::from_secs(10)).await;
//! assert!(report.cut.is_empty());
//! # Ok::<(), arcly_http_core::task::SpawnError>(()) }).unwrap();
//! ```
//!
//! A provider starts its work when the application starts, in `on_start`. What the work uses
//! is cloned twice: once for the task, and for each run of it.
//!
//! ```
//! # use std::sync::Arc;
//! # use std::sync::atomic::{AtomicU64, Ordering};
//! # use std::time::Duration;
//! # use arcly_http::prelude::*;
//! #[derive(Injectable)]
//! struct Cleaner {
//!     tasks: Inject<Tasks>,
//!     #[inject(default)]
//!     rounds: Arc<AtomicU64>,
//! }
//!
//! impl Lifecycle for Cleaner {
//!     async fn on_start(&self) -> Result<(), arcly_http::di::HookError> {
//!         let rounds = Arc::clone(&self.rounds);
//!         self.tasks.every("cleaner", Duration::from_secs(60), move |_stop: Stop| {
//!             let rounds = Arc::clone(&rounds);
//!             async move {
//!                 rounds.fetch_add(1, Ordering::Relaxed);
//!             }
//!         })?;
//!         Ok(())
//!     }
//! }
//! # #[module(root, providers(Cleaner))] struct AppModule;
//! ```

mod entry;
mod outcome;
mod report;
mod restart;
mod run;
mod stop;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::backoff::Dice;
use crate::di::{Key, Token};
use crate::observe::{Counter, Counters, Gauge, Metrics};
use crate::scope::spans::Tracing;
use entry::{Entry, Life, Registry};

pub use entry::TaskHandle;
pub use outcome::Outcome;
pub use report::{StopReport, TaskKind, TaskReport, TaskState};
pub use restart::Restart;
pub use stop::Stop;

pub(crate) const TASKS_KEY: Key = Key::of("arcly_http::Tasks", 0, 0);

/// Most tasks of one application at a time.
const TASKS_MAX: usize = 1024;
/// How long tasks that were cut off are waited for.
const CUT_GRACE: Duration = Duration::from_millis(100);
/// Longest name of a task with its groups, in bytes.
const NAME_MAX: usize = 128;

/// The background tasks of an application, or of one group in it.
///
/// Clones are the same tree. At most 1,024 tasks run at a time, all groups
/// together; one more is refused.
#[derive(Clone)]
pub struct Tasks {
    /// `orders/` and the like; empty for the whole application.
    prefix: Arc<str>,
    stop: CancellationToken,
    /// The tree from the application down to this group.
    groups: Arc<[Group]>,
    own: Group,
    root: Arc<Root>,
}

/// Counts the tasks of one group, those of the groups below included.
#[derive(Clone)]
struct Group {
    tracker: TaskTracker,
    max: usize,
}

struct Root {
    registry: Mutex<Registry>,
    dice: Dice,
    metrics: OnceLock<TaskMetrics>,
    tracing: OnceLock<Tracing>,
}

#[derive(Debug)]
struct TaskMetrics {
    running: Gauge,
    faults: Counters,
    restarts: Counters,
    refused: Counter,
}

impl Root {
    /// Critical sections are short and call nothing that is not ours.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called with the lock held, so that the last to call has the right number.
    fn count_running(&self, registry: &Registry) {
        let running = i64::try_from(registry.running()).unwrap_or(i64::MAX);
        self.count(|metrics| metrics.running.set(running));
    }

    fn count(&self, change: impl FnOnce(&TaskMetrics)) {
        if let Some(metrics) = self.metrics.get() {
            change(metrics);
        }
    }
}

/// Why a task was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The application, or the group, is stopping or has stopped.
    #[error("`{name}` was not started: the application or its group is stopping")]
    Stopping {
        /// The task, with its groups.
        name: String,
    },
    /// As many tasks run as are allowed.
    #[error("`{name}` was not started: {max} tasks are running, which is the most allowed")]
    Full {
        /// The task, with its groups.
        name: String,
        /// The limit that was reached.
        max: usize,
    },
    /// [`Tasks::every`] was called with a period of zero.
    #[error("`{name}` was not started: a period must be longer than nothing")]
    NoPeriod {
        /// The task, with its groups.
        name: String,
    },
    /// There is no tokio runtime here.
    #[error("`{name}` was not started: no runtime is running on this thread")]
    NoRuntime {
        /// The task, with its groups.
        name: String,
    },
}

impl Token for Tasks {
    const KEY: Key = TASKS_KEY;
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tasks({:?}, {} running)", self.prefix, self.own.tracker.len())
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// A tree of its own, for tests of a single provider and for programs without
    /// an application. Whoever makes one calls [`Tasks::shutdown`].
    #[must_use]
    pub fn new() -> Self {
        let own = Group { tracker: TaskTracker::new(), max: TASKS_MAX };
        Self {
            prefix: "".into(),
            stop: CancellationToken::new(),
            groups: [own.clone()].into(),
            own,
            root: Arc::new(Root {
                registry: Mutex::default(),
                dice: Dice::random(),
                metrics: OnceLock::new(),
                tracing: OnceLock::new(),
            }),
        }
    }

    /// A group of tasks: its name goes before theirs (`orders/poller`), it can be
    /// listed and stopped by itself, and it stops with the group around it.
    ///
    /// Each call makes another group, also under a name that was used before.
    #[must_use]
    pub fn group(&self, name: &str) -> Self {
        self.bounded_group(name, TASKS_MAX)
    }

    /// A group in which at most `max` tasks run at a time; one more is refused.
    #[must_use]
    pub fn bounded_group(&self, name: &str, max: usize) -> Self {
        let own = Group { tracker: TaskTracker::new(), max };
        Self {
            prefix: format!("{}{name}/", self.prefix).into(),
            stop: self.stop.child_token(),
            groups: self.groups.iter().cloned().chain([own.clone()]).collect(),
            own,
            root: Arc::clone(&self.root),
        }
    }

    /// Runs `run` once, in the background. A fault is logged, counted and listed.
    ///
    /// `name` and the names of its groups may have 128 bytes; what is longer is
    /// cut.
    ///
    /// # Errors
    /// [`SpawnError`] when the application stops, is full, or has no runtime.
    pub fn spawn<F>(
        &self,
        name: &str,
        run: impl FnOnce(Stop) -> F + Send + 'static,
    ) -> Result<TaskHandle, SpawnError>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.start(name, TaskKind::Once, |entry, root| run::once(entry, root, run))
    }

    /// Runs `run` in the background, and again as `restart` says when it ends.
    ///
    /// Each run gets a future of its own: clone into it what it needs.
    ///
    /// # Errors
    /// [`SpawnError`] when the application stops, is full, or has no runtime.
    pub fn supervise<F>(
        &self,
        name: &str,
        restart: Restart,
        run: impl FnMut(Stop) -> F + Send + 'static,
    ) -> Result<TaskHandle, SpawnError>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.start(name, TaskKind::Supervised, |entry, root| {
            run::supervised(entry, root, restart, run)
        })
    }

    /// Runs `run` once every `period`, first when one period has passed. A run
    /// that takes longer than a period leaves out the ticks that it missed; two
    /// runs never overlap. A fault is logged and counted; the next tick comes
    /// nevertheless. A period of more than a year is a year.
    ///
    /// # Errors
    /// [`SpawnError`] when the period is zero, or the application stops, is full,
    /// or has no runtime.
    pub fn every<F>(
        &self,
        name: &str,
        period: Duration,
        run: impl FnMut(Stop) -> F + Send + 'static,
    ) -> Result<TaskHandle, SpawnError>
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        if period.is_zero() {
            return Err(SpawnError::NoPeriod { name: self.full_name(name) });
        }
        self.start(name, TaskKind::Periodic, |entry, root| run::periodic(entry, root, period, run))
    }

    fn full_name(&self, name: &str) -> String {
        report::cut(format!("{}{name}", self.prefix), NAME_MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is where tasks get their owner")]
    fn start<F>(
        &self,
        name: &str,
        kind: TaskKind,
        work: impl FnOnce(Arc<Entry>, Arc<Root>) -> F,
    ) -> Result<TaskHandle, SpawnError>
    where
        F: Future<Output = TaskState> + Send + 'static,
    {
        let name = self.full_name(name);
        let Ok(runtime) = Handle::try_current() else {
            return Err(SpawnError::NoRuntime { name });
        };
        let mut registry = self.root.registry();
        // Invariant: asked under the lock that `cancel_all` passes through, so that
        // no task starts unseen beside a shutdown.
        if self.stop.is_cancelled() {
            return Err(SpawnError::Stopping { name });
        }
        if let Some(full) = self.groups.iter().find(|group| group.tracker.len() >= group.max) {
            drop(registry);
            self.root.count(|metrics| metrics.refused.increment());
            return Err(SpawnError::Full { name, max: full.max });
        }
        let entry = registry.add(name, kind, &self.groups, self.stop.child_token());
        self.root.count_running(&registry);
        drop(registry);
        let life = Life::new(&entry, &self.root);
        let work = work(Arc::clone(&entry), Arc::clone(&self.root));
        let span = tracing::info_span!(parent: None, "task", name = %entry.name);
        // Its end is awaited through `life`, not through the handle of tokio.
        let task = runtime.spawn(
            async move {
                let life = life;
                let state = work.await;
                life.end(state);
            }
            .instrument(span),
        );
        entry.started(task.abort_handle());
        Ok(TaskHandle::new(entry))
    }

    /// All tasks of the application or group: those that run, in the order in which
    /// they were started, and the 64 that ended last, those with a fault before
    /// others.
    #[must_use]
    pub fn list(&self) -> Vec<TaskReport> {
        let entries = self.root.registry().all();
        entries.iter().filter(|entry| entry.is_in(&self.own)).map(|entry| entry.report()).collect()
    }

    /// Counts from now on: `background_tasks`, `background_task_faults_total` by
    /// task and kind (`error`, `panic`, `given_up`, `cut`),
    /// `background_task_restarts_total` by task, `background_tasks_refused_total`.
    /// An application calls this itself. Only the first call has an effect.
    pub fn observe(&self, metrics: &Metrics) {
        self.root.metrics.get_or_init(|| TaskMetrics {
            running: metrics.gauge("background_tasks", "Background tasks that run"),
            faults: metrics.counters(
                "background_task_faults",
                "Background tasks that failed, panicked, were given up or cut off",
                &["task", "kind"],
            ),
            restarts: metrics.counters(
                "background_task_restarts",
                "Background tasks that were started again",
                &["task"],
            ),
            refused: metrics.counter(
                "background_tasks_refused",
                "Background tasks that were not started because too many ran",
            ),
        });
        self.root.count_running(&self.root.registry());
    }

    /// Records each run of a periodic task as a trace of its own from now on. An
    /// application calls this itself. Only the first call has an effect.
    ///
    /// Other tasks have no traces: one that runs as long as the application would be a
    /// span that never ends.
    pub fn trace(&self, tracing: &Tracing) {
        self.root.tracing.get_or_init(|| tracing.clone());
    }

    /// Asks every task of the application or group to stop, waits, and cuts off
    /// those that have not ended `limit` from now. New ones are refused from the
    /// start.
    ///
    /// A cut task is dropped at its next `await`. The last 100 ms of `limit` (or
    /// all, if it is shorter; never less than 100 ms) are for that: a task that
    /// blocks its thread cannot be cut and is reported as stuck.
    ///
    /// # Cancel safety
    /// Dropping the future cuts nothing off; the tasks stay asked to stop.
    pub async fn shutdown(&self, limit: Duration) -> StopReport {
        let begun = Instant::now();
        let asked = self.cancel_all();
        let ended = &self.own.tracker;
        ended.close();
        let mut report = StopReport { asked: asked.len(), ..StopReport::default() };
        if timeout(limit.saturating_sub(CUT_GRACE), ended.wait()).await.is_err() {
            asked.iter().for_each(|entry| entry.cut());
            let _ = timeout(CUT_GRACE, ended.wait()).await;
        }
        for entry in asked {
            let list = match entry.report().state {
                TaskState::Cut => &mut report.cut,
                state if state.is_over() => continue,
                _ => &mut report.stuck,
            };
            tracing::warn!(task = %entry.name, "a background task did not stop in time");
            list.push(entry.name.clone());
        }
        report.elapsed = begun.elapsed();
        report
    }

    /// Asks all to stop, and gives those that run.
    fn cancel_all(&self) -> Vec<Arc<Entry>> {
        self.stop.cancel();
        // Whoever asked before this took the lock first, and is listed.
        let mut entries = self.root.registry().all();
        entries.retain(|entry| entry.is_in(&self.own) && !entry.is_over());
        entries
    }
}

/// The one that an application's tasks end with, whatever becomes of it.
#[derive(Debug)]
pub(crate) struct Owner(pub(crate) Tasks);

impl Drop for Owner {
    fn drop(&mut self) {
        for entry in self.0.cancel_all() {
            entry.cut();
        }
    }
}

#[cfg(test)]
mod tests;

//! What is known of each task.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::report::{TaskKind, TaskReport, TaskState, cut};
use super::{Group, Root, Stop};

/// Most tasks that are remembered after their end.
const ENDED_MAX: usize = 64;
/// Longest text of a fault, in bytes.
const FAULT_MAX: usize = 500;

#[derive(Default)]
pub(super) struct Registry {
    running: BTreeMap<u64, Arc<Entry>>,
    ended: VecDeque<Arc<Entry>>,
    next_id: u64,
}

impl Registry {
    pub(super) fn add(
        &mut self,
        name: String,
        kind: TaskKind,
        groups: &Arc<[Group]>,
        stop: CancellationToken,
    ) -> Arc<Entry> {
        let id = self.next_id;
        self.next_id += 1;
        let status = Status {
            state: TaskState::Running,
            since: Instant::now(),
            runs: 0,
            restarts: 0,
            faults: 0,
            last_fault: None,
        };
        let entry = Arc::new(Entry {
            id,
            name,
            kind,
            groups: Arc::clone(groups),
            places: Mutex::new(groups.iter().map(|group| group.tracker.token()).collect()),
            stop,
            over: CancellationToken::new(),
            is_cut: AtomicBool::new(false),
            abort: OnceLock::new(),
            status: Mutex::new(status),
        });
        self.running.insert(id, Arc::clone(&entry));
        entry
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        self.running.remove(&entry.id);
        self.ended.push_back(Arc::clone(entry));
        if self.ended.len() > ENDED_MAX {
            let harmless = self.ended.iter().position(|old| !old.status().state.is_fault());
            self.ended.remove(harmless.unwrap_or(0));
        }
    }

    /// Those that run, then those that ended.
    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        self.running.values().chain(&self.ended).cloned().collect()
    }

    pub(super) fn running(&self) -> usize {
        self.running.len()
    }
}

/// One task. It knows nothing of the work itself, so that neither keeps the other
/// alive.
pub(super) struct Entry {
    id: u64,
    pub(super) name: String,
    kind: TaskKind,
    groups: Arc<[Group]>,
    /// Its places in the counts of its groups, until it is over.
    places: Mutex<Vec<TaskTrackerToken>>,
    stop: CancellationToken,
    over: CancellationToken,
    is_cut: AtomicBool,
    abort: OnceLock<AbortHandle>,
    status: Mutex<Status>,
}

pub(super) struct Status {
    state: TaskState,
    since: Instant,
    pub(super) runs: u64,
    pub(super) restarts: u64,
    faults: u64,
    last_fault: Option<String>,
}

impl Status {
    pub(super) fn enter(&mut self, state: TaskState) {
        self.state = state;
        self.since = Instant::now();
    }

    pub(super) fn fault(&mut self, text: &str) {
        self.faults += 1;
        self.last_fault = Some(cut(text.to_owned(), FAULT_MAX));
    }
}

impl Entry {
    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_in(&self, group: &Group) -> bool {
        self.groups.iter().any(|own| TaskTracker::ptr_eq(&own.tracker, &group.tracker))
    }

    pub(super) fn is_over(&self) -> bool {
        self.status().state.is_over()
    }

    pub(super) fn stop(&self) -> Stop {
        Stop::new(self.stop.clone())
    }

    pub(super) fn report(&self) -> TaskReport {
        let status = self.status();
        TaskReport {
            name: self.name.clone(),
            kind: self.kind,
            state: status.state,
            state_age: status.since.elapsed(),
            runs: status.runs,
            restarts: status.restarts,
            faults: status.faults,
            last_fault: status.last_fault.clone(),
        }
    }

    /// Drops the work at its next `await`.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        if let Some(abort) = self.abort.get() {
            abort.abort();
        }
    }

    /// Takes what the task can be cut by. One that was cut meanwhile is cut now:
    /// either this sees the mark or `cut` sees the handle.
    pub(super) fn started(&self, abort: AbortHandle) {
        let abort = self.abort.get_or_init(|| abort);
        if self.is_cut.load(Ordering::SeqCst) {
            abort.abort();
        }
    }
}

/// Lives inside the task, so that its end is noted in whatever way it comes.
pub(super) struct Life {
    entry: Arc<Entry>,
    root: Arc<Root>,
    state: TaskState,
}

impl Life {
    pub(super) fn new(entry: &Arc<Entry>, root: &Arc<Root>) -> Self {
        let (entry, root) = (Arc::clone(entry), Arc::clone(root));
        Self { entry, root, state: TaskState::Cut }
    }

    pub(super) fn end(mut self, state: TaskState) {
        self.state = state;
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.entry.status().enter(self.state);
        {
            let mut registry = self.root.registry();
            registry.remove(&self.entry);
            self.root.count_running(&registry);
        }
        if self.state == TaskState::Cut {
            self.root.count(|metrics| metrics.faults.with(&[&self.entry.name, "cut"]).increment());
        }
        // Last, because a shutdown goes on from here and reads the above.
        let places =
            std::mem::take(&mut *self.entry.places.lock().unwrap_or_else(PoisonError::into_inner));
        drop(places);
        self.entry.over.cancel();
    }
}

/// A task that was started. Dropping it changes nothing: the application owns the
/// task.
#[derive(Clone)]
pub struct TaskHandle(Arc<Entry>);

impl fmt::Debug for TaskHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskHandle").field(&self.0.report()).finish()
    }
}

impl TaskHandle {
    pub(super) fn new(entry: Arc<Entry>) -> Self {
        Self(entry)
    }

    /// Where the task stands.
    #[must_use]
    pub fn report(&self) -> TaskReport {
        self.0.report()
    }

    /// Asks this task alone to stop. It is not cut off.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Waits until the task is over, and says how it ended.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub async fn join(&self) -> TaskReport {
        self.0.over.cancelled().await;
        self.0.report()
    }
}

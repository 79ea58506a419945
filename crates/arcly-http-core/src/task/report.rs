//! What can be read of tasks.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// How a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskKind {
    /// [`super::Tasks::spawn`].
    Once,
    /// [`super::Tasks::supervise`].
    Supervised,
    /// [`super::Tasks::every`].
    Periodic,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskState {
    /// It runs.
    Running,
    /// It waits for its next run.
    Waiting,
    /// It ended by itself, without a fault.
    Finished,
    /// It ended because it was asked to.
    Stopped,
    /// It ended with a fault and is not started again.
    Failed,
    /// It did not end in time and was dropped.
    Cut,
}

impl TaskState {
    /// Whether the task will not run any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Running | Self::Waiting)
    }

    pub(super) fn is_fault(self) -> bool {
        matches!(self, Self::Failed | Self::Cut)
    }
}

/// One task, as a console shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskReport {
    /// Its name behind those of its groups: `orders/poller`.
    pub name: String,
    /// How it runs.
    pub kind: TaskKind,
    /// Where it stands.
    pub state: TaskState,
    /// How long it has been there; in seconds where it is serialised.
    #[serde(rename = "state_age_s", serialize_with = "seconds")]
    pub state_age: Duration,
    /// How often it was begun: restarts and ticks.
    pub runs: u64,
    /// How often it was started again after it had ended.
    pub restarts: u64,
    /// How many of its runs failed or panicked.
    pub faults: u64,
    /// What the last fault was, at most 500 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fault: Option<String>,
}

fn seconds<S: Serializer>(age: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(age.as_secs())
}

/// What stopping the tasks of an application or group came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StopReport {
    /// How many tasks ran and were asked to stop.
    pub asked: usize,
    /// Those that did not stop in time and were dropped.
    pub cut: Vec<String>,
    /// Those that could not even be dropped, because they block their thread.
    pub stuck: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// At most `max` bytes of a text, whole characters only.
pub(super) fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

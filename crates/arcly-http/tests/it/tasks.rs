//! Background tasks: they are in every graph and end with their application.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arcly_http::di::HookError;
use arcly_http::prelude::*;
use arcly_http::task::TaskState;
use arcly_http::web::app::AppError;

/// What happened, in order.
#[derive(Injectable, Default)]
struct Journal {
    #[inject(default)]
    lines: Mutex<Vec<&'static str>>,
}

impl Journal {
    fn note(&self, line: &'static str) {
        self.lines.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<&'static str> {
        self.lines.lock().unwrap().clone()
    }
}

/// A provider of the provider's own kind of life: it starts its task in a hook.
#[derive(Injectable)]
struct Mailer {
    tasks: Inject<Tasks>,
    optional: Option<Inject<Tasks>>,
    late: Lazy<Tasks>,
    journal: Inject<Journal>,
}

impl Lifecycle for Mailer {
    async fn on_start(&self) -> Result<(), HookError> {
        assert!(self.optional.is_some());
        assert!(self.late.get().list().is_empty());
        let journal = self.journal.clone();
        self.tasks.group("mail").spawn("sender", async move |stop: Stop| {
            stop.requested().await;
            journal.note("sender flushed");
        })?;
        self.tasks.supervise("broken", Restart::never(), async |_| -> Result<(), String> {
            panic!("no such relay")
        })?;
        Ok(())
    }

    async fn on_drain(&self) -> Result<(), HookError> {
        self.journal.note("drain");
        Ok(())
    }

    async fn on_shutdown(&self) -> Result<(), HookError> {
        self.journal.note("shutdown");
        Ok(())
    }
}

#[derive(Injectable)]
struct MailController {
    mailer: Inject<Mailer>,
}

#[controller("/mail")]
impl MailController {
    /// How many tasks there are.
    #[get("/")]
    #[public]
    async fn count(&self, tasks: Inject<Tasks>) -> Json<usize> {
        assert_eq!(tasks.list().len(), self.mailer.tasks.list().len());
        Json(tasks.list().len())
    }
}

#[module(root, providers(Journal, Mailer), controllers(MailController))]
struct MailModule;

#[tokio::test]
async fn tasks_are_injected_and_end_between_drain_and_shutdown() {
    let launched = App::new::<MailModule>().launch().await.unwrap();
    let request = http::Request::get("/mail").body(Default::default()).unwrap();
    assert_eq!(launched.handle(request, None).await.status(), 200);
    let journal = launched.container().get::<Journal>().unwrap();
    let tasks = launched.container().tasks().clone();
    while !tasks.list().iter().any(|task| task.state == TaskState::Failed) {
        tokio::task::yield_now().await;
    }

    let report = launched.shutdown().await;
    assert_eq!(journal.lines(), ["drain", "sender flushed", "shutdown"]);
    assert_eq!((report.tasks.asked, report.failures.len()), (1, 0));
    let mut ended: Vec<_> = tasks.list().into_iter().map(|task| (task.name, task.state)).collect();
    ended.sort_by(|a, b| a.0.cmp(&b.0));
    let expected =
        [("broken".to_owned(), TaskState::Failed), ("mail/sender".to_owned(), TaskState::Stopped)];
    assert_eq!(ended, expected);
    let metrics = launched.metrics().encode();
    let line = "background_task_faults_total{task=\"broken\",kind=\"panic\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn a_task_that_does_not_stop_is_cut_at_the_limit() {
    let app = App::new::<MailModule>().configure(|c| c.limits.tasks = Duration::from_millis(120));
    let launched = app.launch().await.unwrap();
    let deaf = async |_: Stop| std::future::pending::<()>().await;
    launched.container().tasks().spawn("deaf", deaf).unwrap();
    let report = launched.shutdown().await;
    assert_eq!(report.tasks.cut, ["deaf"]);
    assert!(report.tasks.elapsed >= Duration::from_millis(20), "{report:?}");
}

/// Resolves when the task that holds the other end has been dropped.
type Gone = tokio::sync::oneshot::Receiver<()>;

fn deaf(tasks: &Tasks) -> Gone {
    let (hold, gone) = tokio::sync::oneshot::channel::<()>();
    tasks
        .spawn("deaf", async move |_| {
            let _hold = hold;
            std::future::pending::<()>().await;
        })
        .unwrap();
    gone
}

#[tokio::test]
async fn an_application_that_is_dropped_takes_its_tasks_along() {
    let launched = App::new::<MailModule>().launch().await.unwrap();
    let gone = deaf(launched.container().tasks());
    drop(launched);
    gone.await.unwrap_err();
}

/// Where a provider leaves what shows that its task has ended.
#[derive(Injectable)]
struct Trace {
    #[inject(default)]
    gone: Arc<Mutex<Option<Gone>>>,
}

#[provider]
async fn eager(tasks: Inject<Tasks>, trace: Inject<Trace>) -> Eagerness {
    *trace.gone.lock().unwrap() = Some(deaf(&tasks));
    Eagerness
}

#[derive(arcly_http::Token)]
struct Eagerness;

#[derive(arcly_http::Token)]
struct Broken;

#[provider]
async fn broken(_after: Inject<Eagerness>) -> Result<Broken, std::io::Error> {
    Err(std::io::Error::other("no such host"))
}

#[module(root, providers(Trace, eager, broken))]
struct BrokenModule;

#[tokio::test]
async fn a_launch_that_fails_ends_what_its_providers_started() {
    let trace = Arc::new(Trace { gone: Arc::default() });
    let app = App::new::<BrokenModule>().replace::<BrokenModule, Trace>(Arc::clone(&trace));
    let error = app.launch().await.unwrap_err();
    assert!(matches!(error, AppError::Launch(_)), "{error}");
    let gone = trace.gone.lock().unwrap().take().unwrap();
    gone.await.unwrap_err();
}

//! Health checks: whether what the application depends on answers.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde::Serialize;

use crate::di::{Key, Token};

/// What a check gives: nothing, or what is wrong in words for operators.
pub type HealthFuture<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Whether one dependency of the application answers.
///
/// A provider of a module, bound by `providers(MyCheck as dyn HealthCheck)`; the
/// application collects all of them for `/readyz`. One that is listed without the binding
/// does not compile: nobody would ask it. Liveness never depends on one.
pub trait HealthCheck: Send + Sync + 'static {
    /// What is checked, as operators call it: `database`.
    fn name(&self) -> &str;

    /// Asks the dependency. Runs beside the other checks, and at most for two
    /// seconds.
    fn check(&self) -> HealthFuture<'_>;

    /// Whether the application is of no use without it. Default: yes.
    fn is_critical(&self) -> bool {
        true
    }
}

pub(crate) const HEALTH_CHECK_KEY: Key = Key::of("dyn arcly_http::HealthCheck", 0, 0);

impl Token for dyn HealthCheck {
    const KEY: Key = HEALTH_CHECK_KEY;
    const MANY: bool = true;
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// [`HealthCheck::name`].
    pub name: String,
    /// Whether it answered in time.
    pub healthy: bool,
    /// [`HealthCheck::is_critical`].
    pub critical: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Longest time that one check may take.
const CHECK_MAX: Duration = Duration::from_secs(2);

/// Runs all checks at once, each under a time limit.
///
/// # Cancel safety
/// Dropping the future drops the checks.
pub async fn check_all(checks: &[Arc<dyn HealthCheck>]) -> Vec<HealthReport> {
    join_all(checks.iter().map(|check| async move {
        // The call stands inside, because it may panic as well.
        let asked = AssertUnwindSafe(async { check.check().await }).catch_unwind();
        let fault = match tokio::time::timeout(CHECK_MAX, asked).await {
            Ok(Ok(Ok(()))) => None,
            Ok(Ok(Err(fault))) => Some(fault),
            Ok(Err(_)) => Some("the check panicked".to_owned()),
            Err(_) => Some(format!("no answer within {} s", CHECK_MAX.as_secs())),
        };
        HealthReport {
            name: check.name().to_owned(),
            healthy: fault.is_none(),
            critical: check.is_critical(),
            fault,
        }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Check(&'static str, bool);

    impl HealthCheck for Check {
        fn name(&self) -> &str {
            self.0
        }

        fn check(&self) -> HealthFuture<'_> {
            Box::pin(async {
                if self.1 {
                    std::future::pending::<()>().await;
                }
                Ok(())
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn checks_run_together_and_under_a_limit() {
        let checks: Vec<Arc<dyn HealthCheck>> = vec![
            Arc::new(Check("a", true)),
            Arc::new(Check("b", false)),
            Arc::new(Check("c", true)),
        ];
        let begun = tokio::time::Instant::now();
        let reports = check_all(&checks).await;
        assert_eq!(begun.elapsed(), CHECK_MAX);
        let healthy: Vec<bool> = reports.iter().map(|report| report.healthy).collect();
        assert_eq!(healthy, [false, true, false]);
        assert_eq!(reports[0].fault.as_deref(), Some("no answer within 2 s"));
    }

    struct Panics;

    impl HealthCheck for Panics {
        fn name(&self) -> &str {
            "panics"
        }

        fn check(&self) -> HealthFuture<'_> {
            panic!("the check itself is broken")
        }
    }

    #[tokio::test]
    async fn a_check_that_panics_is_a_fault_like_any_other() {
        let checks: Vec<Arc<dyn HealthCheck>> = vec![Arc::new(Panics), Arc::new(Check("b", false))];
        let reports = check_all(&checks).await;
        assert_eq!(reports[0].fault.as_deref(), Some("the check panicked"));
        assert!(reports[1].healthy);
    }
}

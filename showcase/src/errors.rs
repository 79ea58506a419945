//! Errors in the form that the RealWorld API asks for.

use arcly_http::contract::Operation;
use arcly_http::data::DataError;
use arcly_http::prelude::*;
use arcly_http::web::reply::{Response, with_type};
use schemars::JsonSchema;
use serde::Serialize;

/// `{"errors": {"body": ["..."]}}`, beside the members of a problem document.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GenericErrorModel")]
pub(crate) struct ErrorModel {
    errors: Messages,
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Messages {
    /// What is wrong, a line for each fault.
    body: Vec<String>,
}

/// Sends every problem of an operation as `application/json` with the member `errors`.
#[derive(Injectable)]
pub(crate) struct ConduitErrors;

impl Filter for ConduitErrors {
    fn describe(operation: &mut Operation) {
        operation.remap_problems("application/json", |generator| {
            generator.subschema_for::<ErrorModel>()
        });
    }

    async fn catch(&self, problem: Problem, head: &Head) -> Result<Response, Problem> {
        Ok(conduit(problem, head))
    }
}

/// The same for what no operation below `/api` answers: an unknown path or method, or a
/// server that has too much to do.
#[derive(Injectable)]
pub(crate) struct BeforeOperations;

impl Filter for BeforeOperations {
    fn describe(_operation: &mut Operation) {}

    async fn catch(&self, problem: Problem, head: &Head) -> Result<Response, Problem> {
        if head.uri().path().starts_with("/api/") {
            Ok(conduit(problem, head))
        } else {
            Err(problem)
        }
    }
}

fn conduit(problem: Problem, head: &Head) -> Response {
    let body =
        problem.detail().unwrap_or(problem.kind().title).split("; ").map(str::to_owned).collect();
    let problem = problem.with_member("errors", Messages { body });
    let instance = format!("urn:request:{}", head.request_id());
    let mut response = with_type(problem.to_json(Some(&instance)), "application/json");
    *response.status_mut() = problem.status();
    for (name, value) in problem.headers() {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// What storage answers besides what was asked for.
#[derive(Debug, thiserror::Error, Problem)]
pub(crate) enum StoreError {
    #[error("the user no longer exists")]
    #[problem(status = 401)]
    UserGone,
    #[error("the database is busy; try again soon")]
    #[problem(status = 503)]
    Unavailable(#[source] DataError),
    /// The cause goes to the log.
    #[error("storage failed")]
    #[problem(internal)]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        DataError::from(error).into()
    }
}

impl From<DataError> for StoreError {
    fn from(error: DataError) -> Self {
        match error {
            // Whatever else a row refers to is looked up in the same transaction, so
            // that the one who asks is missing: a token outlives its user.
            DataError::ForeignKeyViolation { .. } => Self::UserGone,
            other if other.is_transient() => Self::Unavailable(other),
            other => Self::Failed(other.into()),
        }
    }
}

/// Makes the filters available to every module.
#[module(
    global,
    providers(ConduitErrors, BeforeOperations),
    exports(ConduitErrors, BeforeOperations)
)]
pub(crate) struct ErrorModule;

#[cfg(test)]
mod tests {
    use arcly_http::problem::IntoProblem as _;

    use super::*;

    #[test]
    fn what_may_succeed_later_is_not_a_fault_of_ours() {
        for (error, status) in [
            (sqlx::Error::PoolTimedOut, 503),
            (sqlx::Error::PoolClosed, 503),
            (sqlx::Error::ColumnNotFound("x".into()), 500),
        ] {
            assert_eq!(StoreError::from(error).into_problem().status(), status);
        }
    }
}

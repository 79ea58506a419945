//! `#[derive(Problem)]` against the real runtime.

use arcly_http::__rt::problem::{self, IntoProblem, error_chain};
use arcly_http::__rt::serde_json::{self, Value, json};
use arcly_http::Problem;

#[derive(Debug, thiserror::Error)]
#[error("secret disk is full")]
struct DiskError;

#[derive(Debug, thiserror::Error, Problem)]
enum AuthError {
    #[error("log in first")]
    #[problem(status = UNAUTHORIZED)]
    LogIn,
    #[error("secret key store failed")]
    #[problem(internal)]
    Keys,
}

#[derive(Debug, thiserror::Error, Problem)]
enum PublishError {
    #[error("title is taken")]
    #[problem(status = 409)]
    TitleTaken,
    #[error("limit {limit} reached by `{who}`")]
    #[problem(status = 422, code = "limit_reached", type = "urn:example:limit", title = "Too much")]
    Limit {
        #[problem(member)]
        limit: u32,
        #[problem(member = "user")]
        who: String,
        hidden: &'static str,
    },
    #[error("pair {0} {1}")]
    #[problem(status = 400)]
    Pair(#[problem(member = "left")] u8, u8),
    #[error("storage is busy")]
    #[problem(status = SERVICE_UNAVAILABLE)]
    Busy(#[source] DiskError),
    #[error(transparent)]
    #[problem(transparent)]
    Auth(#[from] AuthError),
    #[error("secret storage failed")]
    #[problem(internal)]
    Storage(#[from] DiskError),
}

#[derive(Debug, thiserror::Error, Problem)]
#[error("order {id} is closed")]
#[problem(status = 409)]
struct OrderClosed {
    #[problem(member)]
    id: u64,
}

#[derive(Debug, thiserror::Error, Problem)]
#[error(transparent)]
#[problem(transparent)]
struct Wrapped(AuthError);

#[derive(Debug, thiserror::Error, Problem)]
enum Never {}

#[track_caller]
fn check(error: impl IntoProblem, expected: &Value) -> problem::Problem {
    let problem = error.into_problem();
    let body: Value = serde_json::from_slice(&problem.to_json(None)).unwrap();
    assert_eq!(&body, expected);
    problem
}

fn codes<E: IntoProblem>() -> Vec<&'static str> {
    E::kinds().iter().map(|kind| kind.code).collect()
}

#[test]
fn defaults_come_from_the_names() {
    check(
        PublishError::TitleTaken,
        &json!({
            "type": "urn:problem:publish-error:title-taken",
            "title": "Title taken",
            "status": 409,
            "detail": "title is taken",
            "code": "title_taken",
        }),
    );
}

#[test]
fn given_texts_and_members_are_used() {
    check(
        PublishError::Limit { limit: 5, who: "ada".to_owned(), hidden: "unseen" },
        &json!({
            "type": "urn:example:limit",
            "title": "Too much",
            "status": 422,
            "detail": "limit 5 reached by `ada`",
            "code": "limit_reached",
            "limit": 5,
            "user": "ada",
        }),
    );
    check(
        PublishError::Pair(1, 2),
        &json!({
            "type": "urn:problem:publish-error:pair",
            "title": "Pair",
            "status": 400,
            "detail": "pair 1 2",
            "code": "pair",
            "left": 1,
        }),
    );
}

#[test]
fn members_are_documented_with_their_schema() {
    let kind = PublishError::kinds()[1];
    let mut generator = arcly_http::__rt::schemars::SchemaGenerator::default();
    let names: Vec<_> = kind.members.iter().map(|member| member.name).collect();
    assert_eq!(names, ["limit", "user"]);
    let schema = (kind.members[0].schema)(&mut generator);
    assert_eq!(schema.get("type"), Some(&json!("integer")));
}

#[test]
fn internal_tells_the_log_alone() {
    let internal = json!({
        "type": "urn:arcly:problem:internal",
        "title": "Internal error",
        "status": 500,
        "code": "internal",
    });
    let problem = check(PublishError::from(DiskError), &internal);
    assert_eq!(
        error_chain(&problem).to_string(),
        "500 internal: secret storage failed: secret disk is full"
    );
    check(PublishError::Auth(AuthError::Keys), &internal);
}

#[test]
fn a_source_is_logged_and_not_sent() {
    let problem = check(
        PublishError::Busy(DiskError),
        &json!({
            "type": "urn:problem:publish-error:busy",
            "title": "Busy",
            "status": 503,
            "detail": "storage is busy",
            "code": "busy",
        }),
    );
    assert_eq!(error_chain(&problem).to_string(), "503 busy: storage is busy: secret disk is full");
}

#[test]
fn transparent_lets_the_inner_error_answer() {
    let expected = json!({
        "type": "urn:problem:auth-error:log-in",
        "title": "Log in",
        "status": 401,
        "detail": "log in first",
        "code": "log_in",
    });
    check(PublishError::Auth(AuthError::LogIn), &expected);
    check(Wrapped(AuthError::LogIn), &expected);
}

#[test]
fn structs_are_one_case() {
    check(
        OrderClosed { id: 7 },
        &json!({
            "type": "urn:problem:order-closed",
            "title": "Order closed",
            "status": 409,
            "detail": "order 7 is closed",
            "code": "order_closed",
            "id": 7,
        }),
    );
}

#[test]
fn kinds_are_merged_without_doubles() {
    assert_eq!(
        codes::<PublishError>(),
        ["title_taken", "limit_reached", "pair", "busy", "internal", "log_in"]
    );
    assert_eq!(codes::<Wrapped>(), ["log_in", "internal"]);
    assert_eq!(codes::<OrderClosed>(), ["order_closed"]);
    assert!(codes::<Never>().is_empty());
}

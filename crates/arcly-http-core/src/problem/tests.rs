use super::*;

use serde_json::json;

fn body(problem: &Problem) -> Value {
    serde_json::from_slice(&problem.to_json(None)).unwrap()
}

#[test]
fn every_kind_serialises() {
    for kind in kinds::ALL {
        assert_eq!(
            body(&Problem::of(kind)),
            json!({
                "type": kind.type_uri,
                "title": kind.title,
                "status": kind.status,
                "code": kind.code,
            }),
        );
        assert_eq!(kind.status_code().as_u16(), kind.status);
        assert_eq!(kind.type_uri, format!("urn:arcly:problem:{}", kind.code.replace('_', "-")));
    }
}

#[test]
fn codes_are_unique_and_statuses_are_ordered() {
    let mut codes: Vec<_> = kinds::ALL.iter().map(|kind| kind.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), kinds::ALL.len());
    assert!(kinds::ALL.is_sorted_by_key(|kind| kind.status));
}

#[test]
fn members_are_documented() {
    let mut generator = schemars::SchemaGenerator::default();
    let [violations] = kinds::INVALID_INPUT.members else {
        panic!("one member");
    };
    assert_eq!(violations.name, "violations");
    let schema = (violations.schema)(&mut generator);
    assert_eq!(schema.get("type"), Some(&json!("array")));
}

#[test]
fn detail_instance_and_members_are_in_the_body() {
    let problem = Problem::of(&kinds::TOO_MANY_REQUESTS)
        .with_detail("limit 5 reached")
        .with_member("limit", 5)
        .with_header(http::header::RETRY_AFTER, HeaderValue::from_static("3"));
    assert_eq!(
        String::from_utf8(problem.to_json(Some("urn:trace:1"))).unwrap(),
        concat!(
            r#"{"type":"urn:arcly:problem:too-many-requests","title":"Too many requests","#,
            r#""status":429,"detail":"limit 5 reached","instance":"urn:trace:1","#,
            r#""code":"too_many_requests","limit":5}"#
        )
    );
    assert_eq!(problem.headers().get("retry-after").unwrap(), "3");
    assert_eq!(problem.to_string(), "429 too_many_requests: limit 5 reached");
}

#[test]
fn reserved_and_unwritable_members_are_left_out() {
    let keyed_by_list = std::collections::HashMap::from([(vec![1], 1)]);
    let problem =
        Problem::of(&kinds::CONFLICT).with_member("status", 200).with_member("odd", keyed_by_list);
    assert!(problem.members().is_empty());
    assert_eq!(body(&problem)["status"], 409);
}

#[derive(Debug, thiserror::Error)]
#[error("secret query failed")]
struct Query(#[source] Disk);

#[derive(Debug, thiserror::Error)]
#[error("secret disk is full")]
struct Disk;

#[track_caller]
fn check_nothing_leaks(problem: &Problem) {
    let text = String::from_utf8(problem.to_json(Some("urn:trace:1"))).unwrap();
    assert!(!text.contains("secret"), "{text}");
    assert!(!problem.to_string().contains("secret"), "{problem}");
}

#[test]
fn cause_is_logged_and_never_sent() {
    let problem = Problem::internal(Query(Disk));
    check_nothing_leaks(&problem);
    assert_eq!(
        error_chain(&problem).to_string(),
        "500 internal: secret query failed: secret disk is full"
    );
    assert!(problem.cause().is_some());

    check_nothing_leaks(&Problem::of(&kinds::UNAVAILABLE).caused_by("secret host"));
    check_nothing_leaks(&Problem::internal(Problem::internal("secret")));
}

#[test]
fn an_explaining_error_is_logged_once_with_its_sources() {
    #[derive(Debug, thiserror::Error)]
    #[error("store is busy")]
    struct Busy(#[source] Query);

    let problem = Problem::of(&kinds::UNAVAILABLE).explained_by(Busy(Query(Disk)));
    assert_eq!(problem.detail(), Some("store is busy"));
    assert_eq!(
        error_chain(&problem).to_string(),
        "503 unavailable: store is busy: secret query failed: secret disk is full"
    );
    check_nothing_leaks(&problem);
    assert!(Problem::of(&kinds::CONFLICT).explained_by(Disk).cause().is_none());
}

#[test]
fn a_result_grows_by_one_pointer() {
    assert_eq!(size_of::<Problem>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Problem>>(), size_of::<usize>());
}

#[test]
fn merged_kinds_have_no_doubles() {
    let merged = merge_kinds(&[
        &[&kinds::CONFLICT, &kinds::INTERNAL],
        <Problem as IntoProblem>::kinds(),
        <std::convert::Infallible as IntoProblem>::kinds(),
    ]);
    let codes: Vec<_> = merged.iter().map(|kind| kind.code).collect();
    assert_eq!(codes, ["conflict", "internal"]);
}

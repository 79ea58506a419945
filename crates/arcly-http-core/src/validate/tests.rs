//! What clients are told.

use garde::Validate;
use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Outer {
    name: String,
    inner: Vec<Inner>,
    #[serde(default)]
    count: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "only read")]
struct Inner {
    id: u32,
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Problem>) -> (u16, Vec<(String, String)>) {
    let problem = result.unwrap_err();
    let list = problem.members().get("violations").and_then(Value::as_array).cloned();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    let pairs =
        list.unwrap_or_default().iter().map(|v| (text(v, "pointer"), text(v, "message"))).collect();
    (problem.status().as_u16(), pairs)
}

fn json(text: &str) -> (u16, Vec<(String, String)>) {
    refused(decode_json::<Outer>(text.as_bytes()))
}

#[test]
fn unknown_fields_are_all_named() {
    let (status, found) = json(r#"{"name":"a","x":1,"inner":[{"id":1,"a/b":2}]}"#);
    assert_eq!(status, 422);
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/x", "/inner/0/a~1b"]);
}

#[test]
fn wrong_types_and_missing_fields_are_pointed_at() {
    assert_eq!(
        json(r#"{"inner":[]}"#),
        (422, vec![("/name".into(), "this field is required".into())])
    );
    assert_eq!(json(r#"{"name":"a","inner":[{"id":-1}]}"#).1[0].0, "/inner/0/id");
    assert_eq!(json(r#"{"name":1,"inner":[]}"#).1[0], ("/name".into(), "expected a string".into()));
    assert_eq!(json("[]").0, 422);
}

#[test]
fn what_is_not_json_is_malformed() {
    for text in ["", "{", "{]", r#"{"name":1,"inner":[]} x"#, "\u{feff}{}"] {
        assert_eq!(json(text).0, 400, "{text}");
    }
}

#[derive(Debug, Deserialize)]
struct Search {
    limit: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
}

#[test]
fn queries_are_as_strict() {
    let search: Search = decode_urlencoded(b"tag=a&tag=b&limit=3", "query").unwrap();
    assert_eq!((search.limit, search.tag.len()), (Some(3), 2));
    let query = |text: &str| refused(decode_urlencoded::<Search>(text.as_bytes(), "query"));
    assert_eq!(query("limti=3&x=1").1.len(), 2);
    assert_eq!(query("limit=many").0, 422);
    assert_eq!(query("limit=many").1[0].0, "/limit");
    assert_eq!(query("limit=").0, 422, "empty is not missing");
    assert_eq!(query("limit=1&limit=2").0, 422);
}

#[derive(Debug, Validate)]
struct Form {
    #[garde(length(min = 3))]
    display_name: String,
    #[garde(dive)]
    home_address: Vec<Address>,
}

#[derive(Debug, Validate)]
struct Address {
    #[garde(length(min = 1))]
    zip_code: String,
}

impl Input for Form {
    const FIELDS: &'static [InputField] = &[
        InputField { rust: "display_name", client: "displayName", flat: false, nested: None },
        InputField {
            rust: "home_address",
            client: "home",
            flat: false,
            nested: Some(|| Address::FIELDS),
        },
    ];
}

impl Input for Address {
    const FIELDS: &'static [InputField] =
        &[InputField { rust: "zip_code", client: "zip/code", flat: false, nested: None }];
}

#[test]
fn every_violation_has_the_clients_name() {
    let form = Form {
        display_name: "x".into(),
        home_address: vec![Address { zip_code: "1".into() }, Address { zip_code: String::new() }],
    };
    let (status, found) = refused(validate(&form));
    assert_eq!(status, 422);
    let pointers: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(pointers, ["/displayName", "/home/1/zip~1code"]);
}

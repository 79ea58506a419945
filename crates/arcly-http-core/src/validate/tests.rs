//! What clients are told.

use std::collections::HashMap;

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
        list.unwrap_or_default().iter().map(|v| (text(v, "pointer"), text(v, "code"))).collect();
    (problem.status().as_u16(), pairs)
}

fn json(text: &str) -> (u16, Vec<(String, String)>) {
    refused(decode_json::<Outer>(text.as_bytes(), None))
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
    assert_eq!(json(r#"{"inner":[]}"#), (422, vec![("/name".into(), "required".into())]));
    assert_eq!(json(r#"{"name":"a","inner":[{"id":-1}]}"#).1[0].0, "/inner/0/id");
    assert_eq!(json(r#"{"name":1,"inner":[]}"#).1[0], ("/name".into(), "wrong_type".into()));
    assert_eq!(json("[]").0, 422);
}

#[test]
fn what_is_not_json_is_malformed() {
    for text in ["", "{", "{]", r#"{"name":1,"inner":[]} x"#, "\u{feff}{}"] {
        assert_eq!(json(text).0, 400, "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    let problem = decode_json::<Value>(&[b'['; 200], None).unwrap_err();
    assert_eq!(problem.status(), 400);
    assert!(problem.detail().is_some_and(|text| text.contains("too deeply")), "{problem:?}");
}

#[derive(Debug, Deserialize)]
struct Search {
    limit: Option<u32>,
    #[serde(default)]
    tag: Vec<String>,
}

#[test]
fn queries_are_as_strict() {
    let search: Search = decode_urlencoded(b"tag=a&tag=b&limit=3", "query", None).unwrap();
    assert_eq!((search.limit, search.tag.len()), (Some(3), 2));
    let query = |text: &str| refused(decode_urlencoded::<Search>(text.as_bytes(), "query", None));
    assert_eq!(query("limti=3&x=1").1.len(), 2);
    assert_eq!(query("limit=many").0, 422);
    assert_eq!(query("limit=many").1[0].0, "/limit");
    assert_eq!(query("limit=").0, 422, "empty is not missing");
    assert_eq!(query("limit=1&limit=2").0, 422);
}

#[test]
fn every_fault_of_a_query_has_a_code() {
    let query = |text: &[u8]| refused(decode_urlencoded::<Search>(text, "query", None));
    for (text, pointer, code) in [
        ("limit=many", "/limit", "wrong_type"),
        ("limit=", "/limit", "wrong_type"),
        ("limit=1.5", "/limit", "wrong_type"),
        ("limit=99999999999", "/limit", "out_of_range"),
        ("limit=-1", "/limit", "out_of_range"),
        ("limit=1&limit=2", "/limit", "duplicate"),
        ("x~/=1", "/x~0~1", "unknown"),
    ] {
        assert_eq!(query(text.as_bytes()), (422, vec![(pointer.into(), code.into())]), "{text}");
    }
    assert_eq!(query(b"tag=%ff"), (400, vec![]));
    assert_eq!(query(b"tag=\xff"), (400, vec![]));
}

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only read")]
struct Order {
    note: Option<String>,
    #[serde(flatten)]
    page: Paging,
    #[serde(flatten)]
    payment: Payment,
    parcel: Option<Parcel>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Paging {
    limit: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "camelCase")]
#[expect(dead_code, reason = "only read")]
enum Payment {
    Card(Card),
    Cash { coins: bool },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only read")]
struct Card {
    number: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only read")]
enum Parcel {
    Weighed { grams: u32 },
    Counted { items: Vec<Card> },
}

#[test]
fn fields_that_serde_hides_are_refused_as_well() {
    let shape = Shape::of::<Order>();
    assert!(shape.is_some());
    assert!(Shape::of::<Paging>().is_none(), "serde sees all of it");
    let read = |text: &str| decode_json::<Order>(text.as_bytes(), shape.as_ref());
    for text in [
        r#"{"by":"card","number":"1"}"#,
        r#"{"by":"cash","coins":true,"limit":3,"note":null}"#,
        r#"{"by":"cash","coins":true,"parcel":{"grams":3}}"#,
        r#"{"by":"cash","coins":true,"parcel":{"items":[{"number":"1"}]}}"#,
    ] {
        assert!(read(text).is_ok(), "{text}: {:?}", read(text));
    }
    for (text, pointer) in [
        (r#"{"by":"card","number":"1","coins":true}"#, "/coins"),
        (r#"{"by":"cash","coins":true,"x":1}"#, "/x"),
        (r#"{"by":"cash","coins":true,"parcel":{"grams":3,"x":1}}"#, "/parcel/x"),
        (
            r#"{"by":"cash","coins":true,"parcel":{"items":[{"number":"1","x":2}]}}"#,
            "/parcel/items/0/x",
        ),
    ] {
        assert_eq!(refused(read(text)), (422, vec![(pointer.into(), "unknown".into())]), "{text}");
    }
}

#[test]
fn flattened_queries_are_read_by_their_schema() {
    let shape = Shape::of::<Order>();
    let read = |text: &str| decode_urlencoded::<Order>(text.as_bytes(), "query", shape.as_ref());
    let order = read("by=cash&coins=true&limit=3").unwrap();
    assert_eq!(order.page.limit, Some(3));
    assert_eq!(refused(read("by=cash&coins=true&x=1")).1, [("/x".into(), "unknown".into())]);
    assert_eq!(refused(read("by=a&by=b")).1, [("/by".into(), "duplicate".into())]);
    assert_eq!(refused(read("by=cash&coins=true&limit=many")).0, 422);
}

#[derive(Debug, Validate)]
struct Rules {
    #[garde(length(min = 2))]
    short: String,
    #[garde(length(max = 2))]
    long: String,
    #[garde(range(min = 1))]
    small: i32,
    #[garde(range(max = 1))]
    large: i32,
    #[garde(email)]
    email: String,
    #[garde(url)]
    url: String,
    #[garde(pattern("^a$"))]
    pattern: String,
    #[garde(ascii)]
    ascii: String,
    #[garde(required)]
    required: Option<u32>,
    #[garde(custom(taken))]
    own: u32,
    #[garde(dive)]
    newtype: Newtype,
    #[garde(dive)]
    several: Vec<Newtype>,
}

fn taken(_value: &u32, _context: &()) -> garde::Result {
    Err(garde::Error::new("is taken"))
}

#[derive(Debug, Validate)]
struct Newtype(#[garde(alphanumeric)] String);

impl Input for Rules {
    const FIELDS: &'static [InputField] = &[
        InputField {
            rust: "newtype",
            client: "newType",
            flat: false,
            nested: Some(|| Newtype::FIELDS),
        },
        InputField {
            rust: "several",
            client: "several",
            flat: false,
            nested: Some(|| Newtype::FIELDS),
        },
    ];
}

impl Input for Newtype {
    const FIELDS: &'static [InputField] =
        &[InputField { rust: "0", client: "0", flat: true, nested: None }];
}

#[test]
fn every_rule_has_a_code() {
    let rules = Rules {
        short: "a".into(),
        long: "abc".into(),
        small: 0,
        large: 2,
        email: "x".into(),
        url: "x".into(),
        pattern: "b".into(),
        ascii: "ü".into(),
        required: None,
        own: 0,
        newtype: Newtype("-".into()),
        several: vec![Newtype("a".into()), Newtype("-".into())],
    };
    let (_, mut found) = refused(validate(&rules));
    found.sort();
    let expected = [
        ("/ascii", "not_ascii"),
        ("/email", "not_an_email_address"),
        ("/large", "too_large"),
        ("/long", "too_long"),
        ("/newType", "not_alphanumeric"),
        ("/own", "invalid"),
        ("/pattern", "pattern"),
        ("/required", "required"),
        ("/several/1", "not_alphanumeric"),
        ("/short", "too_short"),
        ("/small", "too_small"),
        ("/url", "not_a_url"),
    ];
    assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
    let problem = validate(&rules).unwrap_err();
    assert!(!problem.detail().unwrap().contains('\u{1f}'));
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

#[test]
fn a_short_input_gets_no_long_answer() {
    let empty = || Address { zip_code: String::new() };
    let home_address = std::iter::repeat_with(empty).take(5000).collect();
    let problem = validate(&Form { display_name: "long".into(), home_address }).unwrap_err();
    let listed = problem.members()["violations"].as_array().unwrap().len();
    assert_eq!(listed, 100);
    assert!(problem.detail().unwrap().ends_with("; and 4900 more"));
}

#[test]
fn many_keys_are_read_in_one_pass() {
    let mut text: String = (0..100_000).map(|key| format!("k{key}=1&")).collect();
    text.push_str("k7=2");
    let begun = std::time::Instant::now();
    let map = decode_urlencoded::<HashMap<String, Vec<String>>>(text.as_bytes(), "form", None);
    let map = map.unwrap();
    assert_eq!((map.len(), map["k7"].join(",").as_str()), (100_000, "1,2"));
    // Comparing each key with each takes minutes.
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn an_array_is_no_object() {
    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    struct Pair {
        #[expect(dead_code, reason = "only its form matters")]
        one: u8,
        #[expect(dead_code, reason = "only its form matters")]
        other: Vec<Inner>,
        #[expect(dead_code, reason = "only its form matters")]
        maybe: Option<Inner>,
        #[expect(dead_code, reason = "only its form matters")]
        #[serde(default)]
        either: Either,
        #[expect(dead_code, reason = "only its form matters")]
        #[serde(default)]
        places: (u8, Vec<u8>),
    }
    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    struct Inner {
        #[expect(dead_code, reason = "only its form matters")]
        value: u8,
    }
    #[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
    enum Either {
        #[default]
        Nothing,
        Struct(#[expect(dead_code, reason = "only its form matters")] Inner),
        List(#[expect(dead_code, reason = "only its form matters")] Vec<u8>),
    }
    let shape = super::Shape::whole::<Pair>();
    let read = |text: &str| super::decode_json::<Pair>(text.as_bytes(), Some(&shape));
    for text in [
        r#"{"one": 1, "other": [{"value": 1}]}"#,
        r#"{"one": 1, "other": [], "maybe": {"value": 1}, "either": {"List": [1]}}"#,
        r#"{"one": 1, "other": [], "either": {"Struct": {"value": 1}}, "places": [1, [2]]}"#,
        r#"{"one": 1, "other": [], "either": "Nothing"}"#,
    ] {
        read(text).unwrap();
    }
    for (text, pointer) in [
        ("[1, [], null]", ""),
        (r#"{"one": 1, "other": [[1]]}"#, "/other/0"),
        (r#"{"one": 1, "other": [], "maybe": [1]}"#, "/maybe"),
        (r#"{"one": 1, "other": [], "either": {"Struct": [1]}}"#, "/either/Struct"),
    ] {
        let problem = read(text).unwrap_err();
        assert_eq!(problem.status(), 422, "{text}");
        let violations = &problem.members()["violations"];
        assert_eq!(violations[0]["pointer"], pointer, "{violations}");
        assert_eq!(violations[0]["code"], "wrong_type", "{violations}");
    }
}

//! What documents say.

use super::*;
use crate::problem::kinds;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Page {
    /// How many.
    limit: Option<u32>,
    after: String,
}

mod other {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    pub(super) struct Page {
        title: String,
    }
}

fn contract() -> Contract {
    Contract::new(Info { title: "T".into(), version: "1".into(), ..Info::default() })
}

#[test]
fn a_query_struct_becomes_parameters() {
    let mut contract = contract();
    contract.add("GET", "/a/{*rest}", |operation| {
        operation.path::<String>("rest");
        operation.query::<Page>();
        operation.reply_empty(204);
    });
    let document = contract.to_openapi();
    let parameters = &document["paths"]["/a/{rest}"]["get"]["parameters"];
    assert_eq!(parameters[0]["schema"]["minLength"], 1);
    let limit = parameters.as_array().unwrap().iter().find(|p| p["name"] == "limit").unwrap();
    assert_eq!(limit["required"], false);
    assert_eq!(limit["description"], "How many.");
    assert_eq!(limit["schema"], json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }));
}

mod shop {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    pub(super) struct List<T> {
        items: Vec<T>,
    }
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Article {
    title: String,
}

fn json_reply<T: JsonSchema>(contract: &mut Contract, path: &str) {
    contract.add("GET", path, |operation| operation.reply::<T>(200, "application/json"));
}

fn schema_names(contract: &Contract) -> Vec<String> {
    let document = contract.to_openapi();
    document["components"]["schemas"].as_object().unwrap().keys().cloned().collect()
}

#[track_caller]
fn target<'d>(document: &'d Value, schema: &Value) -> &'d Value {
    let pointer = schema["$ref"].as_str().unwrap().strip_prefix('#').unwrap();
    document.pointer(pointer).unwrap()
}

/// No reference leads nowhere.
#[track_caller]
fn assert_whole(document: &Value) {
    fn walk(document: &Value, value: &Value) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        match value {
            Value::Object(map) => map.values().for_each(|value| walk(document, value)),
            Value::Array(values) => values.iter().for_each(|value| walk(document, value)),
            _ => {}
        }
    }
    walk(document, document);
}

#[test]
fn names_follow_from_types_and_not_from_the_order_of_routes() {
    let adds: [fn(&mut Contract); 4] = [
        |contract| json_reply::<Page>(contract, "/a"),
        |contract| json_reply::<other::Page>(contract, "/b"),
        |contract| json_reply::<shop::List<Article>>(contract, "/c"),
        |contract| json_reply::<shop::List<u32>>(contract, "/d"),
    ];
    let (mut forth, mut back) = (contract(), contract());
    adds.iter().for_each(|add| add(&mut forth));
    adds.iter().rev().for_each(|add| add(&mut back));
    assert_eq!(forth.to_openapi(), back.to_openapi());
    assert_eq!(
        schema_names(&forth),
        ["Article", "ListOfArticle", "ListOfUint32", "OtherPage", "TestsPage"]
    );
    let document = forth.to_openapi();
    assert_whole(&document);
    let body = &document["paths"]["/b"]["get"]["responses"]["200"]["content"];
    let schema = target(&document, &body["application/json"]["schema"]);
    assert!(schema["properties"]["title"].is_object());
}

#[test]
fn one_type_that_differs_by_direction_has_two_names() {
    let mut contract = contract();
    contract.add("POST", "/", |operation| {
        operation.body::<Page>("application/json", true);
        operation.body::<Article>("application/xml", true);
        operation.reply::<Page>(200, "application/json");
        operation.reply::<Article>(201, "application/json");
    });
    assert_eq!(schema_names(&contract), ["Article", "Page", "PageInput"]);
    let document = contract.to_openapi();
    assert_whole(&document);
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["PageInput"]["additionalProperties"], false);
    assert_eq!(schemas["Article"]["additionalProperties"], false);
}

#[derive(JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Shape {
    Circle(Circle),
    Square { side: u32 },
    Dot,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Circle {
    radius: u32,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Drawing {
    name: String,
    #[serde(flatten)]
    shape: Shape,
    circle: Option<Circle>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Named {
    name: String,
    #[serde(flatten)]
    circle: Circle,
}

#[test]
fn composed_inputs_are_closed_as_a_whole() {
    let mut contract = contract();
    contract.add("POST", "/", |operation| {
        operation.body::<Drawing>("a/a", true);
        operation.body::<Shape>("a/b", true);
        operation.body::<Named>("a/c", true);
        operation.reply_empty(204);
    });
    let document = contract.to_openapi();
    assert_whole(&document);
    let schemas = &document["components"]["schemas"];
    // The tag and the newtype's own fields are seen by one `false`.
    let circle = &schemas["Shape"]["oneOf"][0];
    assert_eq!(circle["additionalProperties"], false, "{circle}");
    assert_eq!(circle["properties"]["kind"]["const"], "circle");
    assert!(circle["properties"]["radius"].is_object(), "{circle}");
    assert_eq!(schemas["Shape"]["oneOf"][1]["additionalProperties"], false);
    // Elsewhere the struct is closed by itself.
    assert_eq!(schemas["Circle"]["additionalProperties"], false);
    // What is flattened is closed around all parts.
    let drawing = &schemas["Drawing"];
    assert_eq!(drawing["unevaluatedProperties"], false, "{drawing}");
    assert!(drawing.get("additionalProperties").is_none(), "{drawing}");
    for option in drawing["oneOf"].as_array().unwrap() {
        assert!(option.get("additionalProperties").is_none(), "{option}");
    }
    let named = &schemas["Named"];
    assert_eq!(named["additionalProperties"], false, "{named}");
    assert!(named["properties"]["radius"].is_object(), "{named}");
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Search {
    text: Option<String>,
    #[serde(flatten)]
    page: Page,
    #[serde(flatten)]
    shape: Shape,
}

#[test]
fn composed_queries_lose_no_parameter() {
    let mut contract = contract();
    contract.add("GET", "/", |operation| {
        operation.query::<Search>();
        operation.reply_empty(204);
    });
    let document = contract.to_openapi();
    let parameters = document["paths"]["/"]["get"]["parameters"].as_array().unwrap();
    let mut found: Vec<(&str, bool)> = parameters
        .iter()
        .map(|p| (p["name"].as_str().unwrap(), p["required"].as_bool().unwrap()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("after", true),
            ("kind", true),
            ("limit", false),
            ("radius", false),
            ("side", false),
            ("text", false)
        ]
    );
    let kind = parameters.iter().find(|p| p["name"] == "kind").unwrap();
    assert_eq!(kind["schema"]["enum"], json!(["circle", "square", "dot"]));
}

#[test]
fn kinds_of_one_status_share_a_response() {
    let mut contract = contract();
    let mut facts = vec![];
    for path in ["/a", "/b"] {
        facts.push(contract.add("GET", path, |operation| {
            operation.reply_empty(204);
            operation.problems(&[&kinds::NOT_FOUND, &kinds::ROUTE_NOT_FOUND, &kinds::NOT_FOUND]);
            operation.problem(&kinds::INVALID_INPUT);
        }));
    }
    let document = contract.to_openapi();
    assert_whole(&document);
    let shared = json!({ "$ref": "#/components/responses/NotFoundOrRouteNotFound" });
    for path in ["/a", "/b"] {
        assert_eq!(document["paths"][path]["get"]["responses"]["404"], shared);
    }
    let response = target(&document, &shared);
    let description = response["description"].as_str().unwrap();
    assert!(description.contains("No such route"), "{description}");
    let content = &response["content"]["application/problem+json"];
    assert_eq!(content["schema"]["oneOf"].as_array().unwrap().len(), 2);
    assert_eq!(content["examples"]["not_found"]["value"]["status"], 404);
    let kind = target(&document, &content["schema"]["oneOf"][0]);
    let own = &kind["allOf"][1];
    assert_eq!(own["properties"]["type"]["const"], kinds::NOT_FOUND.type_uri);
    assert_eq!(own["properties"]["code"]["const"], "not_found");
    let invalid = &document["components"]["schemas"]["InvalidInputProblem"]["allOf"][1];
    assert!(invalid["properties"]["violations"].is_object());
    let media_types = vec!["application/problem+json"];
    assert_eq!(facts[0].statuses[1].status, 404);
    assert_eq!(facts[0].statuses[1].media_types, media_types);
}

static OTHER_CONFLICT: crate::problem::ProblemKind = crate::problem::ProblemKind {
    status: 409,
    type_uri: "urn:problem:order:conflict",
    code: "conflict",
    title: "Conflict",
    members: &[],
};

#[test]
fn kinds_of_one_code_are_told_apart_by_their_uris() {
    let mut contract = contract();
    contract.add("GET", "/", |operation| operation.problems(&[&kinds::CONFLICT, &OTHER_CONFLICT]));
    assert_eq!(
        schema_names(&contract),
        ["OrderConflictProblem", "Problem", "ProblemConflictProblem"]
    );
    let document = contract.to_openapi();
    assert_whole(&document);
    assert!(document["components"]["responses"]["ProblemConflictOrOrderConflict"].is_object());
}

#[derive(JsonSchema)]
#[schemars(rename = "Sales order/2")]
#[expect(dead_code, reason = "only its schema is used")]
struct Renamed {
    sum: u128,
}

#[test]
fn any_text_may_be_a_types_name() {
    let mut contract = contract();
    contract.add("POST", "/", |operation| operation.body::<Renamed>("application/json", true));
    let document = contract.to_openapi();
    assert_whole(&document);
    let schema = &document["components"]["schemas"]["Sales_order_2"];
    assert_eq!(schema["additionalProperties"], false, "{document}");
    assert_eq!(schema["properties"]["sum"], json!({ "type": "integer", "minimum": 0 }));
}

#[test]
fn a_status_may_have_a_reply_and_problems() {
    let mut contract = contract();
    contract.add("GET", "/", |operation| {
        operation.reply::<Article>(409, "application/json");
        operation.problem(&kinds::CONFLICT);
    });
    let document = contract.to_openapi();
    assert_whole(&document);
    let response = &document["paths"]["/"]["get"]["responses"]["409"];
    let description = response["description"].as_str().unwrap();
    assert!(description.contains("(`conflict`)"), "{description}");
    assert_eq!(response["content"].as_object().unwrap().len(), 2);
}

#[test]
fn remapped_problems_keep_their_kinds() {
    let mut contract = contract();
    contract.add("GET", "/", |operation| {
        operation
            .remap_problems("application/json", |generator| generator.subschema_for::<Article>());
        operation.problem(&kinds::UNAUTHENTICATED);
    });
    let document = contract.to_openapi();
    assert_whole(&document);
    let response = target(&document, &document["paths"]["/"]["get"]["responses"]["401"]);
    let parts = &response["content"]["application/json"]["schema"]["allOf"];
    assert_eq!(parts[0]["$ref"], "#/components/schemas/UnauthenticatedProblem");
    assert_eq!(parts[1]["$ref"], "#/components/schemas/Article");
    assert!(response["headers"]["www-authenticate"].is_object());
}

#[test]
fn needed_credentials_weigh_more_than_optional_ones() {
    let mut contract = contract();
    let mut security = |path: &str, fill: fn(&mut Operation)| {
        contract.add("GET", path, fill);
        contract.to_openapi()["paths"][path]["get"]["security"].clone()
    };
    assert_eq!(security("/a", |o| o.optional_security("b")), json!([{}, { "b": [] }]));
    let both = |o: &mut Operation| {
        o.optional_security("b");
        o.security("b", &["write"]);
    };
    assert_eq!(security("/b", both), json!([{ "b": ["write"] }]));
    let other_order = |o: &mut Operation| {
        o.security("k", &[]);
        o.optional_security("b");
    };
    assert_eq!(security("/c", other_order), json!([{ "k": [] }, { "b": [] }]));
    assert_eq!(security("/d", |_| {}), json!([]));
}

#[test]
fn the_application_describes_itself() {
    let mut contract = Contract::new(Info {
        license: "MIT".into(),
        contact: Contact { email: "api@example.org".into(), ..Contact::default() },
        servers: vec![Server { url: "https://a.example".into(), description: "Live.".into() }],
        tags: vec![Tag { name: "Things".into(), description: "What there is.".into() }],
        ..Info::default()
    });
    contract.security_scheme("basic", &SecurityScheme::HttpBasic { description: "d" });
    contract.add("GET", "/", |operation| operation.tags(&["Other", "Things"]));
    let document = contract.to_openapi();
    assert_eq!(document["info"]["license"]["identifier"], "MIT");
    assert_eq!(document["info"]["contact"], json!({ "email": "api@example.org" }));
    assert_eq!(document["servers"][0]["url"], "https://a.example");
    assert_eq!(
        document["tags"],
        json!([{ "name": "Things", "description": "What there is." }, { "name": "Other" }])
    );
    assert_eq!(document["components"]["securitySchemes"]["basic"]["scheme"], "basic");
}

#[test]
fn headers_of_every_answer_stand_at_every_answer() {
    let mut contract = contract();
    let facts = contract.add("GET", "/", |operation| {
        operation.header_everywhere::<String>("deprecation", "Since when.");
        operation.reply_empty(204);
        operation.problem(&kinds::NOT_FOUND);
    });
    let document = contract.to_openapi();
    for status in ["204", "404"] {
        let response = &document["paths"]["/"]["get"]["responses"][status];
        let response =
            if response["$ref"].is_null() { response } else { target(&document, response) };
        assert!(response["headers"]["deprecation"].is_object(), "{response}");
    }
    assert!(facts.statuses.iter().all(|status| status.headers == ["deprecation"]));
}

#[test]
fn operations_of_other_methods_have_the_common_headers_too() {
    let mut contract = contract();
    contract.header_everywhere("x-request-id", "The request.");
    let facts = contract.add("PURGE", "/", |operation| operation.reply_empty(204));
    let document = contract.to_openapi();
    assert_whole(&document);
    let operation = document.pointer(&facts.pointer).unwrap();
    assert!(operation["responses"]["204"]["headers"]["x-request-id"].is_object(), "{document}");
    let others = document["paths"]["/"]["x-methods"].as_object().unwrap();
    assert_eq!(others.len(), 1, "{document}");
}

//! What documents say.

use schemars::JsonSchema;
use serde_json::json;

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
    Contract::new(Info { title: "T".into(), version: "1".into(), description: String::new() })
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

#[test]
fn equal_names_of_different_types_stay_apart() {
    let mut contract = contract();
    contract.add("POST", "/", |operation| {
        operation.body::<Page>("application/json", true);
        operation.reply::<other::Page>(200, "application/json");
        operation.reply::<Page>(201, "application/json");
    });
    let document = contract.to_openapi();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let names: Vec<&String> = schemas.keys().collect();
    let body = &document["paths"]["/"]["post"]["requestBody"]["content"]["application/json"];
    let target = body["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    assert!(schemas[target]["properties"]["after"].is_object(), "{names:?}");
    assert_eq!(schemas[target]["additionalProperties"], false);
    assert!(names.len() >= 3, "{names:?}");
}

#[test]
fn kinds_of_one_status_share_a_response() {
    let mut contract = contract();
    let facts = contract.add("GET", "/", |operation| {
        operation.reply_empty(204);
        operation.problems(&[&kinds::NOT_FOUND, &kinds::ROUTE_NOT_FOUND, &kinds::NOT_FOUND]);
    });
    let document = contract.to_openapi();
    let response = &document["paths"]["/"]["get"]["responses"]["404"];
    assert!(response["description"].as_str().unwrap().contains("not-found"));
    assert_eq!(facts.statuses, [(204, vec![]), (404, vec!["application/problem+json"])]);
}

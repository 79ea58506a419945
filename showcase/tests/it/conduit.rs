//! The application of a test, with what most tests do first.

use arcly_http_testing::{TestApp, TestRequest};
use serde_json::{Value, json};
use showcase::AppModule;

pub(crate) struct Conduit {
    pub(crate) app: TestApp,
    folder: tempfile::TempDir,
}

impl Conduit {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap().to_owned();
        let builder = TestApp::builder::<AppModule>()
            .set("data", &data)
            .set("jwt_secret", "u4Hq0vTz8mWk2Ry6Xb1Nc9Ld3Gf7Ja5Pe")
            .map(showcase::describe);
        Self { app: builder.launch().await.unwrap(), folder }
    }

    pub(crate) async fn register(&self, name: &str) -> String {
        let user = json!({ "user": { "username": name, "email": format!("{name}@x.org"), "password": "password" } });
        let response = self.app.post("/api/users").json(&user).send().await.expect(201);
        response.value()["user"]["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn publish(&self, token: &str, title: &str, tags: &[&str]) -> Value {
        let article = json!({ "article": { "title": title, "description": "d", "body": "b", "tagList": tags } });
        let request = auth(self.app.post("/api/articles"), token).json(&article);
        request.send().await.expect(201).value()["article"].clone()
    }

    pub(crate) async fn finish(self) {
        self.app.finish().await;
        drop(self.folder);
    }
}

pub(crate) fn auth(request: TestRequest, token: &str) -> TestRequest {
    request.header("authorization", &format!("Token {token}"))
}

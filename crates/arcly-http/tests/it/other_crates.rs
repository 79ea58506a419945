//! What another crate offers: an application takes of it what it wants.

use arcly_http::prelude::*;
use arcly_http_fixture::{ClosedModule, Status};
use arcly_http_testing::TestApp;

/// Names neither guard nor anything else that the module exports.
#[module(root, imports(ClosedModule), controllers(Status))]
struct AppModule;

#[tokio::test]
async fn a_guard_of_another_crate_is_an_offer_and_its_controller_is_listed_here() {
    let app = TestApp::builder::<AppModule>().launch().await.unwrap();
    let response = app.get("/status").send().await;
    assert_eq!(response.status, 200);
    assert_eq!(response.text(), "running");
    app.finish().await;
}

//! Methods without an attribute of their own.

use arcly_http::prelude::*;
use arcly_http_testing::TestApp;
use http::Method;

#[derive(Injectable)]
struct Pages;

#[controller("/pages", tags("Pages"))]
impl Pages {
    /// A page.
    #[get("/{id}")]
    #[public]
    async fn get(&self, id: Path<u64>) -> Json<u64> {
        Json(*id)
    }

    /// Forget what caches hold of a page.
    #[route("PURGE", "/{id}")]
    #[public]
    async fn purge(&self, id: Path<u64>) -> Json<u64> {
        Json(*id + 1)
    }
}

#[module(root, controllers(Pages))]
struct PageModule;

#[tokio::test]
async fn any_method_is_routed_and_documented() {
    let app = TestApp::builder::<PageModule>().launch().await.unwrap();
    let purge = Method::from_bytes(b"PURGE").unwrap();
    assert_eq!(app.request(purge.clone(), "/pages/1").send().await.expect(200).text(), "2");
    assert_eq!(app.get("/pages/1").send().await.expect(200).text(), "1");
    app.request(purge, "/pages/x").send().await.expect(404);
    let refused = app.delete("/pages/1").send().await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS, PURGE");
    let path = &app.openapi()["paths"]["/pages/{id}"];
    assert_eq!(path["get"]["summary"], "A page");
    let purge = &path["x-methods"]["PURGE"];
    assert_eq!(purge["summary"], "Forget what caches hold of a page");
    assert!(purge["responses"]["200"].is_object(), "{path}");
    app.finish().await;
}

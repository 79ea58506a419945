//! Routes and entries of modules that are there under a condition.

use std::sync::atomic::{AtomicUsize, Ordering};

use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http_testing::TestApp;

#[derive(Injectable)]
struct Counting {
    #[inject(default)]
    asked: AtomicUsize,
}

impl Guard for Counting {
    fn describe(_operation: &mut Operation) {}

    async fn check(&self, _head: &Head) -> Result<(), Problem> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[derive(Injectable)]
struct Sometimes;

#[controller("/sometimes")]
#[guards(Counting)]
impl Sometimes {
    #[cfg(any())]
    #[get("/never")]
    #[public]
    fn never(&self, of: NoSuchType) {}

    #[cfg(test)]
    #[get("/always")]
    #[public]
    fn always(&self) -> String {
        Self::plain_url(&7)
    }

    #[get("/plain/{id}")]
    #[public]
    fn plain(&self, id: Path<u32>) -> String {
        id.to_string()
    }
}

#[module]
struct There;

#[module(
    root,
    imports(There, #[cfg(any())] NoSuchModule),
    providers(Counting, #[cfg(any())] NoSuchProvider as dyn NoSuchTrait),
    controllers(Sometimes, #[cfg(any())] NoSuchController),
    exports(#[cfg(any())] NoSuchProvider)
)]
struct ConditionalModule;

#[tokio::test]
async fn what_is_compiled_is_there() {
    let app = TestApp::builder::<ConditionalModule>().launch().await.unwrap();
    app.get("/sometimes/never").send().await.expect(404);
    let response = app.get("/sometimes/always").send().await.expect(200);
    assert_eq!(response.text(), "/sometimes/plain/7");
    app.get("/sometimes/plain/7").send().await.expect(200);
    assert_eq!(app.provider::<Counting>().asked.load(Ordering::SeqCst), 2);
    app.finish().await;
}

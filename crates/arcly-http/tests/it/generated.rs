//! Providers and controllers that a `macro_rules!` of the application writes.

use arcly_http::prelude::*;
use arcly_http_testing::TestApp;

#[derive(Injectable)]
struct Counter;

impl Counter {
    fn next(&self, number: u32) -> u32 {
        number + 1
    }
}

macro_rules! application {
    ($controller:ident, $field:ty, $argument:ty, $reply:ty) => {
        #[derive(Injectable)]
        struct $controller {
            counter: $field,
        }

        #[controller("/next")]
        impl $controller {
            #[get("/{number}")]
            #[public]
            async fn next(&self, number: $argument) -> $reply {
                Json(self.counter.next(*number))
            }
        }

        #[module(root, providers(Counter), controllers($controller))]
        struct GeneratedModule;
    };
}

application!(Numbers, Inject<Counter>, Path<u32>, Json<u32>);

#[tokio::test]
async fn types_may_come_from_outside_of_the_macro() {
    let app = TestApp::builder::<GeneratedModule>().launch().await.unwrap();
    assert_eq!(app.get("/next/1").send().await.expect(200).text(), "2");
    app.finish().await;
}

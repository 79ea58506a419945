use arcly_http::prelude::*;
use arcly_http::time::SystemClock;
use arcly_http_testing::TestApp;
use std::sync::Arc;

#[provider]
fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

#[module(root, providers(clock))]
struct AppModule;

fn main() {
    let _test = TestApp::builder::<AppModule>().replace::<dyn Clock>(Arc::new(SystemClock));
    let _app = App::new::<AppModule>().replace::<AppModule, dyn Clock>(Arc::new(SystemClock));
}

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

/// Nobody imports or launches it, and its author says that this is meant.
#[allow(dead_code)]
#[module]
struct MeantToBeUnused;

fn main() {
    let _test = TestApp::builder::<AppModule>().replace::<dyn Clock>(Arc::new(SystemClock));
    let _app = App::new::<AppModule>().replace::<AppModule, dyn Clock>(Arc::new(SystemClock));
}

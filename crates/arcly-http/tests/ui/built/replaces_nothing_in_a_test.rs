use arcly_http::prelude::*;
use arcly_http::time::SystemClock;
use arcly_http_testing::TestApp;
use std::sync::Arc;

#[derive(Injectable)]
struct Users;

#[module(root, providers(Users))]
struct AppModule;

fn main() {
    let _test = TestApp::builder::<AppModule>().replace::<dyn Clock>(Arc::new(SystemClock));
}

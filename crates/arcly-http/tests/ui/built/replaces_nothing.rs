use arcly_http::prelude::*;
use arcly_http::time::SystemClock;
use std::sync::Arc;

#[derive(Injectable)]
struct Users;

#[module(root, providers(Users))]
struct AppModule;

fn main() {
    let _app = App::new::<AppModule>().replace::<AppModule, dyn Clock>(Arc::new(SystemClock));
}

use arcly_http::prelude::*;

#[module]
struct PlainModule;

#[module(root, plugins(PlainModule))]
struct AppModule;

fn main() {}

use arcly_http::prelude::*;

#[derive(Injectable)]
struct Users;

#[module(root, provider(Users))]
struct AppModule;

fn main() {}

use arcly_http::prelude::*;

#[derive(Injectable)]
struct Mailer;

#[module(root, exports(Mailer))]
struct AppModule;

fn main() {}

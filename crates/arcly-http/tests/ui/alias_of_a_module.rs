use arcly_http::prelude::*;

#[module]
struct MailModule;

type Mail = MailModule;

#[module(root, imports(Mail))]
struct AppModule;

fn main() {}

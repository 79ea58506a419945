use arcly_http::prelude::*;

trait Mailer {}

#[derive(Injectable)]
struct Smtp;

impl Mailer for Smtp {}

#[derive(Injectable)]
struct Orders {
    mailer: Inject<dyn Mailer>,
}

#[module(root, providers(Smtp as dyn Mailer, Orders))]
struct AppModule;

fn main() {}

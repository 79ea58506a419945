use arcly_http::prelude::*;

#[derive(Injectable)]
struct Mailer;

#[derive(Injectable)]
struct Orders {
    mailer: Inject<Mailer>,
}

#[module(root, providers(Orders))]
struct AppModule;

fn main() {}

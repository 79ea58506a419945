use arcly_http::prelude::*;
use arcly_http_fixture::{MailModule, Outbox};

#[derive(Injectable)]
struct Orders {
    outbox: Inject<Outbox>,
}

#[module(root, imports(MailModule), providers(Orders))]
struct AppModule;

fn main() {}

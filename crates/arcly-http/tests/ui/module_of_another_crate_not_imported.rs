use arcly_http::prelude::*;
use arcly_http_fixture::{MailModule, Mailer};

#[derive(Injectable)]
struct Orders {
    mailer: Inject<Mailer>,
}

#[module(providers(Orders))]
struct OrderModule;

#[module(root, imports(MailModule, OrderModule))]
struct AppModule;

fn main() {}

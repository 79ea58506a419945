use arcly_http::prelude::*;

#[derive(Injectable)]
struct Mailer;

#[derive(Injectable)]
struct Orders {
    mailer: Inject<Mailer>,
}

#[module(providers(Mailer), exports(Mailer))]
struct MailModule;

#[module(providers(Orders))]
struct OrderModule;

#[module(root, imports(MailModule, OrderModule))]
struct AppModule;

fn main() {}

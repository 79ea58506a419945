use arcly_http::prelude::*;

#[derive(Injectable)]
struct Mailer;

#[derive(Injectable)]
struct Orders {
    mailer: Inject<Mailer>,
}

#[module(providers(Mailer))]
struct MailModule;

#[module(root, imports(MailModule), providers(Orders))]
struct AppModule;

fn main() {}

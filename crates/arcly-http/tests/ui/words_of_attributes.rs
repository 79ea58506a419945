use arcly_http::config::Secret;
use arcly_http::prelude::*;

#[injectable]
trait Mailer {}

#[derive(Injectable)]
struct Smtp;

impl Mailer for Smtp {}

#[module]
struct MailModule;

#[module(providers(Smtp()))]
struct Called;

#[module(root = true)]
struct Valued;

#[module(exports(Smtp as dyn Mailer))]
struct Bound;

#[module(providers = [Smtp])]
struct Brackets;

#[module(guards("Smtp"))]
struct Quoted;

#[module(cors = pages())]
struct CalledPages;

#[module(imports(#[doc = "x"] MailModule))]
struct Attributed;

#[module(imports(MailModule), exports(MailModule))]
struct Exporting;

#[derive(Injectable)]
#[inject(scope = "request")]
struct Scoped;

#[derive(Config)]
#[config(section = "mail")]
struct MailConfig {
    #[config(secret)]
    password: Option<String>,
    #[config(secret = true)]
    key: Secret,
}

#[derive(Injectable)]
struct Orders;

#[controller("/orders", tags = "orders")]
impl Orders {}

#[derive(Injectable)]
struct Invoices;

#[controller("/invoices")]
#[authenticated]
impl Invoices {
    #[post("/", body_limit = 65536)]
    #[public]
    fn upload(&self) {}
}

#[guards(Smtp)]
struct Stray;

fn main() {}

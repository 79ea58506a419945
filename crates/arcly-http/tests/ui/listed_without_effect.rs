use arcly_http::access::{AuthFuture, Authenticator, Credentials};
use arcly_http::contract::Operation;
use arcly_http::prelude::*;
use arcly_http::problem::Problem;
use arcly_http::time::SystemClock;

/// In no `guards(..)`: every request passes.
#[derive(Injectable)]
struct OfficeHours;

impl Guard for OfficeHours {
    fn describe(_: &mut Operation) {}

    async fn check(&self, _: &Head) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Injectable)]
struct Named;

impl Guard for Named {
    fn describe(_: &mut Operation) {}

    async fn check(&self, _: &Head) -> Result<(), Problem> {
        Ok(())
    }
}

#[derive(Injectable)]
struct Shop;

#[controller("/shop")]
#[guards(Named)]
impl Shop {
    #[get("/")]
    #[public]
    fn list(&self, _database: Inject<Database>) {}
}

/// Injected, and yet nobody asks it whether it is well.
#[derive(Token)]
struct Database;

impl HealthCheck for Database {
    fn name(&self) -> &str {
        "database"
    }

    fn check(&self) -> HealthFuture<'_> {
        Box::pin(async { Ok(()) })
    }
}

#[provider]
fn database() -> Database {
    Database
}

/// No route asks for it, so that its callers would be strangers.
#[derive(Injectable)]
struct Tokens;

impl Authenticator for Tokens {
    fn schemes(&self) -> &'static [&'static str] {
        &["Bearer"]
    }

    fn authenticate<'a>(&'a self, _: Credentials<'a>) -> AuthFuture<'a> {
        Box::pin(async { unreachable!() })
    }
}

#[module(root, providers(OfficeHours, Named, database, Tokens, SystemClock), controllers(Shop))]
struct AppModule;

fn main() {}

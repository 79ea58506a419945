use arcly_http::di::HookError;
use arcly_http::prelude::*;
use std::sync::Arc;

#[injectable]
trait Mailer {}

#[derive(Token)]
struct Smtp;

impl Mailer for Smtp {}

impl Smtp {
    async fn connect() -> Result<Self, std::io::Error> {
        Ok(Self)
    }
}

impl Lifecycle for Smtp {
    async fn on_shutdown(&self) -> Result<(), HookError> {
        Ok(())
    }
}

struct Silent;

impl Mailer for Silent {}

#[provider]
fn anything() -> impl Mailer {
    Silent
}

#[provider]
fn perhaps_anything() -> Result<impl Mailer, std::io::Error> {
    Ok(Silent)
}

struct NoError;

#[provider]
fn fails_with_something() -> Result<Smtp, NoError> {
    Err(NoError)
}

#[provider]
fn fails_with_words() -> Result<Smtp, String> {
    Err("no server".to_owned())
}

#[provider]
async fn hides_its_hooks() -> Result<Arc<dyn Mailer>, std::io::Error> {
    if std::env::args().count() > 1 {
        return Ok(Arc::new(Silent));
    }
    Ok(Arc::new(Smtp::connect().await?))
}

#[provider]
fn hides_its_hooks_in_a_variable() -> Arc<dyn Mailer> {
    let smtp = Smtp;
    Arc::new(smtp)
}

#[provider]
fn shows_its_hooks() -> Smtp {
    let _nobody_cares: Arc<Vec<u8>> = Arc::new(Default::default());
    Smtp
}

#[module(root, providers(shows_its_hooks as dyn Mailer))]
struct AppModule;

fn main() {}

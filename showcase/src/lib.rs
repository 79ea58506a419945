//! Conduit: the RealWorld API, and what an application on arcly-http looks like.
//!
//! One module a topic; each says what it needs and what others may use of it.

mod accounts;
mod articles;
mod base;
mod comments;
mod errors;
mod profiles;
mod tags;

use arcly_http::App;
use arcly_http::contract::SecurityScheme;
use arcly_http::prelude::*;

use accounts::AccountModule;
use articles::ArticleModule;
use base::BaseModule;
use comments::CommentModule;
use errors::ErrorModule;
use profiles::ProfileModule;
use tags::TagModule;

/// The whole application, served under `/api`.
#[module(
    root,
    prefix = "/api",
    imports(
        BaseModule,
        ErrorModule,
        AccountModule,
        ProfileModule,
        ArticleModule,
        CommentModule,
        TagModule
    ),
    filters(errors::ConduitErrors)
)]
#[derive(Debug)]
pub struct AppModule;

/// Names the API in its document.
pub fn describe(app: App) -> App {
    let scheme = SecurityScheme::ApiKey {
        name: "Authorization",
        location: "header",
        description: "`Authorization: Token <jwt>`; the scheme `Bearer` is accepted as well.",
    };
    app.info("Conduit", env!("CARGO_PKG_VERSION"), "The RealWorld API.")
        .security_scheme("Token", scheme)
}

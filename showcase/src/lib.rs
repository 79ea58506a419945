//! Conduit: the RealWorld API, and what an application on arcly-http looks like.
//!
//! One module a topic; each says what it needs and what others may use of it.

mod accounts;
mod articles;
mod base;
mod comments;
mod errors;
mod live;
mod page;
mod paths;
mod profiles;
mod tags;

use arcly_http::App;
use arcly_http::contract::{SecurityScheme, Tag};
use arcly_http::prelude::*;
use arcly_http::realtime::RealtimeModule;

use accounts::AccountModule;
use articles::ArticleModule;
use base::BaseModule;
use comments::CommentModule;
use errors::ErrorModule;
use live::LiveModule;
use page::PageModule;
use profiles::ProfileModule;
use tags::TagModule;

/// The whole application: the API under `/api`, what happens under `/live`, a page at `/`.
#[module(
    root,
    imports(
        RealtimeModule,
        BaseModule,
        ErrorModule,
        AccountModule,
        ProfileModule,
        ArticleModule,
        CommentModule,
        TagModule,
        LiveModule,
        PageModule
    ),
    filters(errors::BeforeOperations)
)]
#[derive(Debug)]
pub struct AppModule;

/// Names the API in its document.
pub fn describe(app: App) -> App {
    let scheme = SecurityScheme::ApiKey {
        name: "Authorization",
        location: "header",
        description: "`Authorization: Token <jwt>`, with the token that registering and logging \
                      in answer; the scheme `Bearer` is accepted as well.",
    };
    let tags = [
        ("Articles", "Writing and reading articles."),
        ("Comments", "Comments on articles."),
        ("Favorites", "Articles that a user likes."),
        ("Live", "What happens, as it happens."),
        ("Page", "A page that shows all of it."),
        ("Profile", "Users as others see them, and who follows whom."),
        ("Tags", "What articles are about."),
        ("User and Authentication", "Registering, logging in, and the own account."),
    ];
    app.info("RealWorld Conduit API", env!("CARGO_PKG_VERSION"), "Conduit API documentation.")
        .document(|info| {
            info.license = env!("CARGO_PKG_LICENSE").into();
            info.contact.name = "RealWorld".into();
            info.contact.url = "https://realworld-docs.netlify.app/".into();
            info.tags = tags
                .map(|(name, description)| Tag {
                    name: name.into(),
                    description: description.into(),
                })
                .into();
        })
        .security_scheme("Token", scheme)
}

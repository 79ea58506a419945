//! Articles: writing, reading, favorites, the feed.

mod controller;
mod model;
mod store;

use arcly_http::prelude::*;

pub(crate) use model::{ArticleSummary, now};
pub(crate) use store::{ArticleError, ArticleStore, NOBODY, summary};

use crate::live::NewsModule;

/// Articles. Others may look articles up.
#[module(
    prefix = "/api",
    filters(crate::errors::ConduitErrors),
    imports(NewsModule),
    providers(store::ArticleStore),
    controllers(controller::ArticleController),
    exports(store::ArticleStore)
)]
pub(crate) struct ArticleModule;

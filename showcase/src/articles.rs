//! Articles: writing, reading, favorites, the feed.

mod controller;
mod model;
mod store;

use arcly_http::prelude::*;

pub(crate) use model::now;
pub(crate) use store::{ArticleError, ArticleStore};

/// Articles. Others may look articles up.
#[module(
    providers(store::ArticleStore),
    controllers(controller::ArticleController),
    exports(store::ArticleStore)
)]
pub(crate) struct ArticleModule;

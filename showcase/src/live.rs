//! What happens, told to whoever watches: the gateway `/live`.
//!
//! Writers depend on [`News`], which commits and then tells; the gateway depends on the
//! articles, to say how things are where watching begins.

mod events;
mod gateway;
mod news;

use arcly_http::prelude::*;

pub(crate) use events::{
    ArticleDeleted, ArticlePublished, ArticleUpdated, CommentAdded, CommentDeleted, FavoriteChanged,
};
pub(crate) use news::{Audience, News};

use crate::articles::ArticleModule;

/// For those who change things.
#[module(providers(news::News), exports(news::News))]
pub(crate) struct NewsModule;

/// For those who watch.
#[module(imports(ArticleModule), gateways(gateway::LiveGateway))]
pub(crate) struct LiveModule;

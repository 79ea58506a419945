//! What sockets are sent. Everybody is sent the same: articles and comments are those that
//! the API shows to nobody in particular.

use arcly_http::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::articles::ArticleSummary;
use crate::comments::Comment;

/// There is a new article.
#[derive(Serialize, JsonSchema, ServerEvent)]
#[server_event("article.published")]
pub(crate) struct ArticlePublished {
    pub(crate) article: ArticleSummary,
}

/// An article is another now.
#[derive(Serialize, JsonSchema, ServerEvent)]
#[server_event("article.updated")]
pub(crate) struct ArticleUpdated {
    /// Its slug until now; that of `article` is another if the title changed.
    pub(crate) slug: String,
    pub(crate) article: ArticleSummary,
}

/// An article is gone.
#[derive(Serialize, JsonSchema, ServerEvent)]
#[server_event("article.deleted")]
pub(crate) struct ArticleDeleted {
    pub(crate) slug: String,
}

/// Somebody commented on an article.
#[derive(Serialize, JsonSchema, ServerEvent)]
#[server_event("comment.added")]
pub(crate) struct CommentAdded {
    pub(crate) slug: String,
    pub(crate) comment: Comment,
}

/// A comment is gone.
#[derive(Serialize, JsonSchema, ServerEvent)]
#[server_event("comment.deleted")]
pub(crate) struct CommentDeleted {
    pub(crate) slug: String,
    pub(crate) id: i64,
}

/// More or fewer users like an article; who, is not told.
#[derive(Serialize, JsonSchema, ServerEvent)]
#[server_event("favorite.changed")]
#[serde(rename_all = "camelCase")]
pub(crate) struct FavoriteChanged {
    pub(crate) slug: String,
    pub(crate) favorites_count: i64,
}

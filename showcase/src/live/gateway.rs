//! `/live`: what sockets may watch.

use arcly_http::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{
    ArticleDeleted, ArticlePublished, ArticleUpdated, CommentAdded, CommentDeleted, FavoriteChanged,
};
use crate::articles::{ArticleStore, ArticleSummary};

/// Watches every article that is published.
#[derive(Room)]
#[room(gateway = LiveGateway, public)]
pub(super) struct Everything;

/// Watches the articles with a tag.
#[derive(Room)]
#[room(gateway = LiveGateway, public)]
pub(super) struct WithTag(pub(super) String);

/// Watches the articles of an author, by the name of the user.
#[derive(Room)]
#[room(gateway = LiveGateway, public)]
pub(super) struct ByAuthor(pub(super) String);

/// Watches the article of a slug. The room is that of the slug and not of the article: it
/// may be entered before there is one, and left when there is none any more.
#[derive(Room)]
#[room(gateway = LiveGateway, public)]
pub(super) struct OfArticle(pub(super) String);

#[derive(Serialize, Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct Tag {
    #[garde(length(chars, min = 1, max = 64))]
    tag: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct Author {
    /// Name of the user.
    #[garde(length(chars, min = 1, max = 64))]
    author: String,
}

#[derive(Serialize, Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct Slug {
    #[garde(length(chars, min = 1, max = 1024))]
    slug: String,
}

/// What was asked for.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Watching<T> {
    #[serde(flatten)]
    what: T,
    /// Whether the socket is told of it from now on.
    watching: bool,
}

/// What was asked for, and how it is.
#[derive(Serialize, JsonSchema)]
pub(crate) struct WatchingArticle {
    slug: String,
    watching: bool,
    /// The article, read after watching had begun, so that no change is missed; `null` while
    /// there is none.
    article: Option<ArticleSummary>,
}

#[derive(Injectable)]
pub(crate) struct LiveGateway {
    articles: Inject<ArticleStore>,
}

/// Whoever may read may watch: everybody.
#[gateway(
    "/live",
    tags("Live"),
    emits(
        ArticlePublished,
        ArticleUpdated,
        ArticleDeleted,
        CommentAdded,
        CommentDeleted,
        FavoriteChanged
    )
)]
impl LiveGateway {
    /// Watch articles.
    ///
    /// A WebSocket. Send `{"event": "tag.watch", "data": {"tag": "rust"}, "id": 1}`, or
    /// `author.watch` with an `author`, `article.watch` with a `slug`, `feed.watch` for every
    /// article that is published; each has its `unwatch`. You are sent `article.published`,
    /// `article.updated`, `article.deleted`, `comment.added`, `comment.deleted` and
    /// `favorite.changed`, each once, however many of your watches it belongs to. Auth is not
    /// required.
    #[on_connect]
    #[public]
    async fn connect(&self) {}

    /// Tells of every article that is published.
    #[subscribe("feed.watch")]
    #[public]
    fn watch_feed(&self, client: &WsClient) -> Result<Json<bool>, Problem> {
        client.join(&Everything)?;
        Ok(Json(true))
    }

    /// No longer.
    #[subscribe("feed.unwatch")]
    #[public]
    fn unwatch_feed(&self, client: &WsClient) -> Json<bool> {
        client.leave(&Everything);
        Json(false)
    }

    /// Tells of the articles with a tag.
    #[subscribe("tag.watch")]
    #[public]
    fn watch_tag(
        &self,
        client: &WsClient,
        tag: Valid<Json<Tag>>,
    ) -> Result<Json<Watching<Tag>>, Problem> {
        let what = tag.into_inner();
        client.join(&WithTag(what.tag.clone()))?;
        Ok(Json(Watching { what, watching: true }))
    }

    /// No longer.
    #[subscribe("tag.unwatch")]
    #[public]
    fn unwatch_tag(&self, client: &WsClient, tag: Valid<Json<Tag>>) -> Json<Watching<Tag>> {
        let what = tag.into_inner();
        client.leave(&WithTag(what.tag.clone()));
        Json(Watching { what, watching: false })
    }

    /// Tells of the articles of an author.
    #[subscribe("author.watch")]
    #[public]
    fn watch_author(
        &self,
        client: &WsClient,
        author: Valid<Json<Author>>,
    ) -> Result<Json<Watching<Author>>, Problem> {
        let what = author.into_inner();
        client.join(&ByAuthor(what.author.clone()))?;
        Ok(Json(Watching { what, watching: true }))
    }

    /// No longer.
    #[subscribe("author.unwatch")]
    #[public]
    fn unwatch_author(
        &self,
        client: &WsClient,
        author: Valid<Json<Author>>,
    ) -> Json<Watching<Author>> {
        let what = author.into_inner();
        client.leave(&ByAuthor(what.author.clone()));
        Json(Watching { what, watching: false })
    }

    /// Tells of an article, and how it is now.
    #[subscribe("article.watch")]
    #[public]
    async fn watch_article(
        &self,
        client: &WsClient,
        slug: Valid<Json<Slug>>,
    ) -> Result<Json<WatchingArticle>, Problem> {
        let slug = slug.into_inner().slug;
        client.join(&OfArticle(slug.clone()))?;
        let article =
            self.articles.shown_to_nobody(&slug).await.map_err(IntoProblem::into_problem)?;
        Ok(Json(WatchingArticle { slug, watching: true, article }))
    }

    /// No longer.
    #[subscribe("article.unwatch")]
    #[public]
    fn unwatch_article(&self, client: &WsClient, slug: Valid<Json<Slug>>) -> Json<Watching<Slug>> {
        let what = slug.into_inner();
        client.leave(&OfArticle(what.slug.clone()));
        Json(Watching { what, watching: false })
    }
}

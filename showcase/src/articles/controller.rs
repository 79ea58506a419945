//! `/articles`.

use arcly_http::prelude::*;

use super::model::{
    Article, ArticleResponse, ArticlesResponse, Filter, NewArticleRequest, Page,
    UpdateArticleRequest,
};
use super::store::{ArticleError, ArticleStore};
use crate::accounts::{CurrentUser, Viewer};
use crate::paths::Slug;

#[derive(Injectable)]
pub(crate) struct ArticleController {
    articles: Inject<ArticleStore>,
}

fn one(article: Article) -> Json<ArticleResponse> {
    Json(ArticleResponse { article })
}

fn many((articles, articles_count): (Vec<Article>, i64)) -> Json<ArticlesResponse> {
    let articles = articles.into_iter().map(Into::into).collect();
    Json(ArticlesResponse { articles, articles_count })
}

#[controller("/articles", tags("Articles"))]
impl ArticleController {
    /// Get recent articles globally.
    ///
    /// Newest first. Use query parameters to filter results. Auth is optional.
    #[get("/", operation_id = "GetArticles")]
    #[public]
    async fn list(
        &self,
        filter: Valid<Query<Filter>>,
        viewer: Viewer,
    ) -> Result<Json<ArticlesResponse>, ArticleError> {
        self.articles.list(&filter, viewer.id()).await.map(many)
    }

    /// Get recent articles from users you follow.
    ///
    /// Newest first. Use query parameters to limit. Auth is required.
    #[get("/feed", operation_id = "GetArticlesFeed")]
    #[authenticated]
    async fn feed(
        &self,
        page: Valid<Query<Page>>,
        me: CurrentUser,
    ) -> Result<Json<ArticlesResponse>, ArticleError> {
        self.articles.feed(&page, me.0).await.map(many)
    }

    /// Create an article.
    ///
    /// Its slug is made from its title. Auth is required.
    #[post("/", operation_id = "CreateArticle")]
    #[authenticated]
    async fn create(
        &self,
        me: CurrentUser,
        body: Valid<Json<NewArticleRequest>>,
    ) -> Result<Created<Json<ArticleResponse>>, ArticleError> {
        self.articles.create(&body.article, me.0).await.map(one).map(Created)
    }

    /// Get an article.
    ///
    /// Auth is not required.
    #[get("/{slug}", operation_id = "GetArticle")]
    #[public]
    async fn show(
        &self,
        slug: Path<Slug>,
        viewer: Viewer,
    ) -> Result<Json<ArticleResponse>, ArticleError> {
        self.articles.find(&slug, viewer.id()).await.map(one)
    }

    /// Update an article.
    ///
    /// Only its author may. A new title gives it a new slug. Auth is required.
    #[put("/{slug}", operation_id = "UpdateArticle")]
    #[authenticated]
    async fn update(
        &self,
        slug: Path<Slug>,
        me: CurrentUser,
        body: Valid<Json<UpdateArticleRequest>>,
    ) -> Result<Json<ArticleResponse>, ArticleError> {
        self.articles.update(&slug, &body.article, me.0).await.map(one)
    }

    /// Delete an article.
    ///
    /// Only its author may. Auth is required.
    #[delete("/{slug}", operation_id = "DeleteArticle")]
    #[authenticated]
    async fn delete(&self, slug: Path<Slug>, me: CurrentUser) -> Result<NoContent, ArticleError> {
        self.articles.delete(&slug, me.0).await.map(|()| NoContent)
    }

    /// Favorite an article.
    ///
    /// Doing so twice changes nothing. Auth is required.
    #[post("/{slug}/favorite", operation_id = "CreateArticleFavorite", tags("Favorites"))]
    #[authenticated]
    async fn favorite(
        &self,
        slug: Path<Slug>,
        me: CurrentUser,
    ) -> Result<Json<ArticleResponse>, ArticleError> {
        self.articles.favorite(&slug, me.0, true).await.map(one)
    }

    /// Unfavorite an article.
    ///
    /// Doing so twice changes nothing. Auth is required.
    #[delete("/{slug}/favorite", operation_id = "DeleteArticleFavorite", tags("Favorites"))]
    #[authenticated]
    async fn unfavorite(
        &self,
        slug: Path<Slug>,
        me: CurrentUser,
    ) -> Result<Json<ArticleResponse>, ArticleError> {
        self.articles.favorite(&slug, me.0, false).await.map(one)
    }
}

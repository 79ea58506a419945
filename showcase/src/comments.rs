//! Comments on articles.

use arcly_http::data::DataError;
use arcly_http::prelude::*;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::accounts::{CurrentUser, Viewer};
use crate::articles::{ArticleError, ArticleModule, ArticleStore, NOBODY, now, summary};
use crate::base::Db;
use crate::errors::{ConduitErrors, StoreError};
use crate::live::{Audience, CommentAdded, CommentDeleted, News, NewsModule};
use crate::paths::{CommentId, Slug};
use crate::profiles::Profile;

/// A comment.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comment {
    id: i64,
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
    body: String,
    author: Profile,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CommentResponse {
    comment: Comment,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct CommentsResponse {
    comments: Vec<Comment>,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct NewCommentRequest {
    #[garde(dive)]
    comment: NewComment,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct NewComment {
    #[garde(length(chars, min = 1, max = 8192))]
    body: String,
}

#[derive(Debug, thiserror::Error, Problem)]
pub(crate) enum CommentError {
    #[error("there is no such comment on this article")]
    #[problem(status = 404)]
    NoSuchComment,
    #[error("only the author may delete a comment")]
    #[problem(status = 403)]
    NotTheAuthor,
    #[error(transparent)]
    #[problem(transparent)]
    Article(#[from] ArticleError),
    #[error(transparent)]
    #[problem(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CommentError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<DataError> for CommentError {
    fn from(error: DataError) -> Self {
        Self::Store(error.into())
    }
}

/// Every read selects the same columns; `?1` is the viewer.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.created_at, c.updated_at, c.body, u.username, u.bio, u.image, \
             EXISTS (SELECT 1 FROM follows w WHERE w.follower_id = ?1 AND w.followed_id = u.id) AS following \
             FROM comments c JOIN users u ON u.id = c.author_id ",
            $rest
        )
    };
}

/// Most comments that an article shows.
const SHOWN_MAX: i64 = 1000;

fn read_comment(row: &SqliteRow) -> Result<Comment, sqlx::Error> {
    Ok(Comment {
        id: row.try_get("id")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        body: row.try_get("body")?,
        author: Profile {
            username: row.try_get("username")?,
            bio: row.try_get("bio")?,
            image: row.try_get("image")?,
            following: row.try_get("following")?,
        },
    })
}

async fn fetch(db: &mut SqliteConnection, id: i64, viewer: i64) -> Result<Comment, CommentError> {
    let row = sqlx::query(select!("WHERE c.id = ?2")).bind(viewer).bind(id).fetch_one(db).await?;
    Ok(read_comment(&row)?)
}

#[derive(Injectable)]
pub(crate) struct CommentStore {
    db: Db,
    clock: Inject<dyn Clock>,
    articles: Inject<ArticleStore>,
    news: Inject<News>,
}

impl CommentStore {
    async fn list(&self, slug: &str, viewer: i64) -> Result<Vec<Comment>, CommentError> {
        let mut read = self.db.read().await?;
        let article = self.articles.id_of(read.as_sqlite(), slug).await?;
        let rows = sqlx::query(select!("WHERE c.article_id = ?2 ORDER BY c.id DESC LIMIT ?3"))
            .bind(viewer)
            .bind(article)
            .bind(SHOWN_MAX)
            .fetch_all(read.as_sqlite())
            .await?;
        Ok(rows.iter().map(read_comment).collect::<Result<_, _>>()?)
    }

    async fn add(&self, slug: &str, body: &str, me: i64) -> Result<Comment, CommentError> {
        let mut tx = self.db.begin().await?;
        let article = self.articles.id_of(tx.as_sqlite(), slug).await?;
        let id = sqlx::query_scalar(
            "INSERT INTO comments (article_id, author_id, body, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?4) RETURNING id",
        )
        .bind(article)
        .bind(me)
        .bind(body)
        .bind(now(&*self.clock))
        .fetch_one(tx.as_sqlite())
        .await?;
        let comment = fetch(tx.as_sqlite(), id, me).await?;
        let audience = Audience::of(&summary(tx.as_sqlite(), slug).await?);
        let added = CommentAdded {
            slug: slug.to_owned(),
            comment: fetch(tx.as_sqlite(), id, NOBODY).await?,
        };
        self.news.commit(tx, &audience, &added).await?;
        Ok(comment)
    }

    async fn delete(&self, slug: &str, id: i64, me: i64) -> Result<(), CommentError> {
        let mut tx = self.db.begin().await?;
        let article = self.articles.id_of(tx.as_sqlite(), slug).await?;
        let author: Option<i64> =
            sqlx::query_scalar("SELECT author_id FROM comments WHERE id = ? AND article_id = ?")
                .bind(id)
                .bind(article)
                .fetch_optional(tx.as_sqlite())
                .await?;
        match author {
            None => return Err(CommentError::NoSuchComment),
            Some(author) if author != me => return Err(CommentError::NotTheAuthor),
            Some(_) => {}
        }
        sqlx::query("DELETE FROM comments WHERE id = ?").bind(id).execute(tx.as_sqlite()).await?;
        let audience = Audience::of(&summary(tx.as_sqlite(), slug).await?);
        let deleted = CommentDeleted { slug: slug.to_owned(), id };
        Ok(self.news.commit(tx, &audience, &deleted).await?)
    }
}

#[derive(Injectable)]
pub(crate) struct CommentController {
    comments: Inject<CommentStore>,
}

#[controller("/articles/{slug}/comments", tags("Comments"))]
impl CommentController {
    /// Get comments for an article.
    ///
    /// Newest first. Auth is optional.
    #[get("/", operation_id = "GetArticleComments")]
    #[public]
    async fn list(
        &self,
        slug: Path<Slug>,
        viewer: Viewer,
    ) -> Result<Json<CommentsResponse>, CommentError> {
        let comments = self.comments.list(&slug, viewer.id()).await?;
        Ok(Json(CommentsResponse { comments }))
    }

    /// Create a comment for an article.
    ///
    /// Auth is required.
    #[post("/", operation_id = "CreateArticleComment")]
    #[authenticated]
    async fn add(
        &self,
        slug: Path<Slug>,
        me: CurrentUser,
        body: Valid<Json<NewCommentRequest>>,
    ) -> Result<Json<CommentResponse>, CommentError> {
        let comment = self.comments.add(&slug, &body.comment.body, me.0).await?;
        Ok(Json(CommentResponse { comment }))
    }

    /// Delete a comment for an article.
    ///
    /// Only its author may. Auth is required.
    #[delete("/{id}", operation_id = "DeleteArticleComment")]
    #[authenticated]
    async fn delete(
        &self,
        slug: Path<Slug>,
        id: Path<CommentId>,
        me: CurrentUser,
    ) -> Result<NoContent, CommentError> {
        self.comments.delete(&slug, **id, me.0).await.map(|()| NoContent)
    }
}

/// Comments, on articles of the other module.
#[module(
    prefix = "/api",
    filters(ConduitErrors),
    imports(ArticleModule, NewsModule),
    providers(CommentStore),
    controllers(CommentController)
)]
pub(crate) struct CommentModule;

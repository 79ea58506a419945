//! Articles in the database.

use std::collections::HashSet;

use arcly_http::data::DataError;
use arcly_http::prelude::*;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::model::{
    Article, ArticleSummary, Filter, NewArticle, Page, UpdateArticle, now, slug_of,
};
use crate::base::Db;
use crate::errors::StoreError;
use crate::live::{
    ArticleDeleted, ArticlePublished, ArticleUpdated, Audience, FavoriteChanged, News,
};
use crate::profiles::Profile;

#[derive(Debug, thiserror::Error, Problem)]
pub(crate) enum ArticleError {
    #[error("there is no article of this slug")]
    #[problem(status = 404)]
    NoSuchArticle,
    #[error("only the author may change an article")]
    #[problem(status = 403)]
    NotTheAuthor,
    #[error(transparent)]
    #[problem(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ArticleError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<DataError> for ArticleError {
    fn from(error: DataError) -> Self {
        Self::Store(error.into())
    }
}

/// Every read selects the same columns; `?1` is the viewer.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.slug, a.title, a.description, a.body, a.created_at, a.updated_at, \
             (SELECT json_group_array(name) FROM (SELECT t.name FROM article_tags t \
              WHERE t.article_id = a.id ORDER BY t.position)) AS tags, \
             EXISTS (SELECT 1 FROM favorites f WHERE f.article_id = a.id AND f.user_id = ?1) AS favorited, \
             (SELECT COUNT(*) FROM favorites f WHERE f.article_id = a.id) AS favorites_count, \
             u.username, u.bio, u.image, \
             EXISTS (SELECT 1 FROM follows w WHERE w.follower_id = ?1 AND w.followed_id = u.id) AS following \
             FROM articles a JOIN users u ON u.id = a.author_id ",
            $rest
        )
    };
}

const MATCHES: &str = "SELECT COUNT(*) FROM articles a JOIN users u ON u.id = a.author_id \
     WHERE (?1 IS NULL OR EXISTS (SELECT 1 FROM article_tags t WHERE t.article_id = a.id AND t.name = ?1)) \
     AND (?2 IS NULL OR u.username = ?2) \
     AND (?3 IS NULL OR EXISTS (SELECT 1 FROM favorites f JOIN users v ON v.id = f.user_id \
          WHERE f.article_id = a.id AND v.username = ?3))";

/// An id that no user has.
pub(crate) const NOBODY: i64 = 0;

/// Most articles that one page shows.
const PAGE_MAX: u32 = 100;

fn read_article(row: &SqliteRow) -> Result<Article, sqlx::Error> {
    let tags: String = row.try_get("tags")?;
    Ok(Article {
        slug: row.try_get("slug")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        body: row.try_get("body")?,
        tag_list: serde_json::from_str(&tags).map_err(|error| sqlx::Error::Decode(error.into()))?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        favorited: row.try_get("favorited")?,
        favorites_count: row.try_get("favorites_count")?,
        author: Profile {
            username: row.try_get("username")?,
            bio: row.try_get("bio")?,
            image: row.try_get("image")?,
            following: row.try_get("following")?,
        },
    })
}

async fn fetch(
    db: &mut SqliteConnection,
    slug: &str,
    viewer: i64,
) -> Result<Article, ArticleError> {
    let row = sqlx::query(select!("WHERE a.slug = ?2"))
        .bind(viewer)
        .bind(slug)
        .fetch_optional(db)
        .await?;
    let row = row.ok_or(ArticleError::NoSuchArticle)?;
    Ok(read_article(&row)?)
}

/// An article as everybody may be told of it: not as somebody in particular sees it.
pub(crate) async fn summary(
    db: &mut SqliteConnection,
    slug: &str,
) -> Result<ArticleSummary, ArticleError> {
    fetch(db, slug, NOBODY).await.map(Into::into)
}

/// The id of an article that `me` wrote.
async fn own(db: &mut SqliteConnection, slug: &str, me: i64) -> Result<i64, ArticleError> {
    let found: Option<(i64, i64)> =
        sqlx::query_as("SELECT id, author_id FROM articles WHERE slug = ?")
            .bind(slug)
            .fetch_optional(db)
            .await?;
    match found {
        None => Err(ArticleError::NoSuchArticle),
        Some((id, author)) if author == me => Ok(id),
        Some(_) => Err(ArticleError::NotTheAuthor),
    }
}

/// `/articles/feed` is something else: an article there could not be reached.
const NO_SLUG: &str = "feed";

/// A slug that no other article has. The caller holds the only write
/// transaction, so that nobody takes it meanwhile.
async fn free_slug(
    db: &mut SqliteConnection,
    title: &str,
    except: i64,
) -> Result<String, ArticleError> {
    let base = slug_of(title);
    let taken: Vec<String> = sqlx::query_scalar(
        "SELECT slug FROM articles WHERE id <> ?3 AND (slug = ?1 OR substr(slug, 1, length(?2)) = ?2)",
    )
    .bind(&base)
    .bind(format!("{base}-"))
    .bind(except)
    .fetch_all(db)
    .await?;
    // Many articles may have one title, and meanwhile nobody else writes.
    let taken: HashSet<String> = taken.into_iter().collect();
    if base != NO_SLUG && !taken.contains(&base) {
        return Ok(base);
    }
    let mut number = 2_u64;
    loop {
        let slug = format!("{base}-{number}");
        if !taken.contains(&slug) {
            return Ok(slug);
        }
        number += 1;
    }
}

#[derive(Injectable)]
pub(crate) struct ArticleStore {
    db: Db,
    clock: Inject<dyn Clock>,
    news: Inject<News>,
}

impl ArticleStore {
    pub(super) async fn find(&self, slug: &str, viewer: i64) -> Result<Article, ArticleError> {
        let mut read = self.db.read().await?;
        fetch(read.as_sqlite(), slug, viewer).await
    }

    /// An article as everybody may be told of it, if there is one.
    pub(crate) async fn shown_to_nobody(
        &self,
        slug: &str,
    ) -> Result<Option<ArticleSummary>, ArticleError> {
        let mut read = self.db.read().await?;
        match summary(read.as_sqlite(), slug).await {
            Err(ArticleError::NoSuchArticle) => Ok(None),
            found => found.map(Some),
        }
    }

    /// The id of an article, for what hangs on it.
    pub(crate) async fn id_of(
        &self,
        db: &mut SqliteConnection,
        slug: &str,
    ) -> Result<i64, ArticleError> {
        let id = sqlx::query_scalar("SELECT id FROM articles WHERE slug = ?").bind(slug);
        id.fetch_optional(db).await?.ok_or(ArticleError::NoSuchArticle)
    }

    pub(super) async fn list(
        &self,
        filter: &Filter,
        viewer: i64,
    ) -> Result<(Vec<Article>, i64), ArticleError> {
        let mut read = self.db.read().await?;
        let count = sqlx::query_scalar(MATCHES)
            .bind(&filter.tag)
            .bind(&filter.author)
            .bind(&filter.favorited)
            .fetch_one(read.as_sqlite())
            .await?;
        let rows = sqlx::query(select!(
            "WHERE (?2 IS NULL OR EXISTS (SELECT 1 FROM article_tags t WHERE t.article_id = a.id AND t.name = ?2)) \
             AND (?3 IS NULL OR u.username = ?3) \
             AND (?4 IS NULL OR EXISTS (SELECT 1 FROM favorites f JOIN users v ON v.id = f.user_id \
                  WHERE f.article_id = a.id AND v.username = ?4)) \
             ORDER BY a.created_at DESC, a.id DESC LIMIT ?5 OFFSET ?6"
        ))
        .bind(viewer)
        .bind(&filter.tag)
        .bind(&filter.author)
        .bind(&filter.favorited)
        .bind(filter.limit.unwrap_or(20).min(PAGE_MAX))
        .bind(filter.offset.unwrap_or(0))
        .fetch_all(read.as_sqlite())
        .await?;
        let articles = rows.iter().map(read_article).collect::<Result<_, _>>()?;
        Ok((articles, count))
    }

    /// Articles of authors that `me` follows.
    pub(super) async fn feed(
        &self,
        page: &Page,
        me: i64,
    ) -> Result<(Vec<Article>, i64), ArticleError> {
        let mut read = self.db.read().await?;
        let count = sqlx::query_scalar(
            "SELECT COUNT(*) FROM articles a JOIN follows w ON w.followed_id = a.author_id WHERE w.follower_id = ?",
        );
        let count = count.bind(me).fetch_one(read.as_sqlite()).await?;
        let rows = sqlx::query(select!(
            "WHERE a.author_id IN (SELECT followed_id FROM follows WHERE follower_id = ?1) \
             ORDER BY a.created_at DESC, a.id DESC LIMIT ?2 OFFSET ?3"
        ))
        .bind(me)
        .bind(page.limit.unwrap_or(20).min(PAGE_MAX))
        .bind(page.offset.unwrap_or(0))
        .fetch_all(read.as_sqlite())
        .await?;
        let articles = rows.iter().map(read_article).collect::<Result<_, _>>()?;
        Ok((articles, count))
    }

    pub(super) async fn create(&self, new: &NewArticle, me: i64) -> Result<Article, ArticleError> {
        let mut tx = self.db.begin().await?;
        let db = tx.as_sqlite();
        let slug = free_slug(db, &new.title, 0).await?;
        let now = now(&*self.clock);
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO articles (slug, title, description, body, author_id, created_at, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) RETURNING id",
        )
        .bind(&slug)
        .bind(&new.title)
        .bind(&new.description)
        .bind(&new.body)
        .bind(me)
        .bind(now)
        .fetch_one(&mut *db)
        .await?;
        for (position, name) in (0_i64..).zip(&new.tag_list) {
            // A tag that is given twice counts once, at its first place.
            sqlx::query("INSERT INTO article_tags (article_id, position, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(id)
                .bind(position)
                .bind(name)
                .execute(&mut *db)
                .await?;
        }
        let article = fetch(db, &slug, me).await?;
        let published = ArticlePublished { article: summary(db, &slug).await? };
        let audience = Audience::of(&published.article).or_everybody();
        self.news.commit(tx, &audience, &published).await?;
        Ok(article)
    }

    pub(super) async fn update(
        &self,
        slug: &str,
        change: &UpdateArticle,
        me: i64,
    ) -> Result<Article, ArticleError> {
        let mut tx = self.db.begin().await?;
        let db = tx.as_sqlite();
        let id = own(db, slug, me).await?;
        let new_slug = match &change.title {
            Some(title) => free_slug(db, title, id).await?,
            None => slug.to_owned(),
        };
        sqlx::query(
            "UPDATE articles SET slug = ?, title = COALESCE(?, title), description = COALESCE(?, description), \
             body = COALESCE(?, body), updated_at = ? WHERE id = ?",
        )
        .bind(&new_slug)
        .bind(&change.title)
        .bind(&change.description)
        .bind(&change.body)
        .bind(now(&*self.clock))
        .bind(id)
        .execute(&mut *db)
        .await?;
        let article = fetch(db, &new_slug, me).await?;
        let updated =
            ArticleUpdated { slug: slug.to_owned(), article: summary(db, &new_slug).await? };
        let audience = Audience::of(&updated.article).or_of(slug);
        self.news.commit(tx, &audience, &updated).await?;
        Ok(article)
    }

    pub(super) async fn delete(&self, slug: &str, me: i64) -> Result<(), ArticleError> {
        let mut tx = self.db.begin().await?;
        let id = own(tx.as_sqlite(), slug, me).await?;
        let audience = Audience::of(&summary(tx.as_sqlite(), slug).await?);
        sqlx::query("DELETE FROM articles WHERE id = ?").bind(id).execute(tx.as_sqlite()).await?;
        let deleted = ArticleDeleted { slug: slug.to_owned() };
        Ok(self.news.commit(tx, &audience, &deleted).await?)
    }

    /// Marks or unmarks; doing it twice changes nothing more.
    pub(super) async fn favorite(
        &self,
        slug: &str,
        me: i64,
        wanted: bool,
    ) -> Result<Article, ArticleError> {
        let mut tx = self.db.begin().await?;
        let id = self.id_of(tx.as_sqlite(), slug).await?;
        let sql = if wanted {
            "INSERT INTO favorites (article_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM favorites WHERE article_id = ? AND user_id = ?"
        };
        let done = sqlx::query(sql).bind(id).bind(me).execute(tx.as_sqlite()).await?;
        let article = fetch(tx.as_sqlite(), slug, me).await?;
        if done.rows_affected() == 0 {
            return Ok(article);
        }
        let seen = summary(tx.as_sqlite(), slug).await?;
        let audience = Audience::of(&seen);
        let changed = FavoriteChanged { slug: seen.slug, favorites_count: seen.favorites_count };
        self.news.commit(tx, &audience, &changed).await?;
        Ok(article)
    }
}

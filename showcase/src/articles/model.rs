//! Articles as clients see them.

use arcly_http::prelude::*;
use chrono::{DateTime, Utc};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profiles::Profile;

/// A moment as the API writes it: UTC with milliseconds.
pub(crate) fn now(clock: &dyn Clock) -> String {
    stamp(clock.now())
}

pub(super) fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// An article.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Article {
    pub(super) slug: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) body: String,
    pub(super) tag_list: Vec<String>,
    #[schemars(extend("format" = "date-time"))]
    pub(super) created_at: String,
    #[schemars(extend("format" = "date-time"))]
    pub(super) updated_at: String,
    pub(super) favorited: bool,
    pub(super) favorites_count: i64,
    pub(super) author: Profile,
}

/// An article in a list: without its body.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ArticleSummary {
    pub(crate) slug: String,
    title: String,
    description: String,
    pub(crate) tag_list: Vec<String>,
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    #[schemars(extend("format" = "date-time"))]
    updated_at: String,
    favorited: bool,
    pub(crate) favorites_count: i64,
    pub(crate) author: Profile,
}

impl From<Article> for ArticleSummary {
    fn from(article: Article) -> Self {
        Self {
            slug: article.slug,
            title: article.title,
            description: article.description,
            tag_list: article.tag_list,
            created_at: article.created_at,
            updated_at: article.updated_at,
            favorited: article.favorited,
            favorites_count: article.favorites_count,
            author: article.author,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ArticleResponse {
    pub(super) article: Article,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ArticlesResponse {
    pub(super) articles: Vec<ArticleSummary>,
    /// How many there are in all, before paging.
    pub(super) articles_count: i64,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct NewArticleRequest {
    #[garde(dive)]
    pub(super) article: NewArticle,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewArticle {
    #[garde(length(chars, min = 1, max = 256))]
    pub(super) title: String,
    #[garde(length(chars, min = 1, max = 1024))]
    pub(super) description: String,
    #[garde(length(chars, min = 1, max = 65536))]
    pub(super) body: String,
    #[garde(length(max = 32), inner(length(chars, min = 1, max = 64)))]
    #[serde(default)]
    pub(super) tag_list: Vec<String>,
}

#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct UpdateArticleRequest {
    #[garde(dive)]
    pub(super) article: UpdateArticle,
}

/// What to change; what is missing stays.
#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct UpdateArticle {
    #[garde(length(chars, min = 1, max = 256))]
    pub(super) title: Option<String>,
    #[garde(length(chars, min = 1, max = 1024))]
    pub(super) description: Option<String>,
    #[garde(length(chars, min = 1, max = 65536))]
    pub(super) body: Option<String>,
}

/// Which articles, and which part of them.
#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct Filter {
    /// Filter by tag.
    #[garde(skip)]
    pub(super) tag: Option<String>,
    /// Filter by author (username).
    #[garde(skip)]
    pub(super) author: Option<String>,
    /// Filter by favorites of a user (username).
    #[garde(skip)]
    pub(super) favorited: Option<String>,
    /// The number of items to skip before starting to collect the result set.
    #[garde(skip)]
    pub(super) offset: Option<u32>,
    /// The numbers of items to return; at most 100 come.
    #[garde(range(min = 1))]
    #[schemars(extend("default" = 20))]
    pub(super) limit: Option<u32>,
}

/// Which part of a list.
#[derive(Deserialize, JsonSchema, Validate, Input)]
pub(crate) struct Page {
    /// The number of items to skip before starting to collect the result set.
    #[garde(skip)]
    pub(super) offset: Option<u32>,
    /// The numbers of items to return; at most 100 come.
    #[garde(range(min = 1))]
    #[schemars(extend("default" = 20))]
    pub(super) limit: Option<u32>,
}

/// A title as a part of a URL: letters and digits of any script, joined by `-`.
pub(super) fn slug_of(title: &str) -> String {
    let mut slug = String::with_capacity(title.len());
    for letter in title.chars() {
        if letter.is_alphanumeric() {
            slug.extend(letter.to_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "article".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_never_empty() {
        for (title, slug) in [
            ("How to  train?", "how-to-train"),
            ("Ünïcode 日本", "ünïcode-日本"),
            ("!!!", "article"),
            ("-a-", "a"),
        ] {
            assert_eq!(slug_of(title), slug);
        }
    }

    #[test]
    fn times_have_milliseconds() {
        let time = DateTime::from_timestamp_millis(1_700_000_000_120).unwrap();
        assert_eq!(stamp(time), "2023-11-14T22:13:20.120Z");
    }
}

//! All tags in use.

use arcly_http::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::base::Db;
use crate::errors::{ConduitErrors, StoreError};

#[derive(Serialize, JsonSchema)]
pub(crate) struct TagsResponse {
    tags: Vec<String>,
}

#[derive(Injectable)]
pub(crate) struct TagController {
    db: Db,
}

#[controller("/tags", tags("Tags"))]
impl TagController {
    /// Get tags.
    ///
    /// All tags in use, the most used first. Auth is not required.
    #[get("/", operation_id = "GetTags")]
    #[public]
    async fn list(&self) -> Result<Json<TagsResponse>, StoreError> {
        let mut read = self.db.read().await?;
        let query = sqlx::query_scalar(
            "SELECT name FROM article_tags GROUP BY name ORDER BY COUNT(*) DESC, name LIMIT 1000",
        );
        let tags = query.fetch_all(read.as_sqlite()).await?;
        Ok(Json(TagsResponse { tags }))
    }
}

/// Tags.
#[module(prefix = "/api", filters(ConduitErrors), controllers(TagController))]
pub(crate) struct TagModule;

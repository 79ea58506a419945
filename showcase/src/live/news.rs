//! From a change that is committed to those who watch.

use arcly_http::data::{DataError, Tx};
use arcly_http::prelude::*;
use arcly_http::realtime::SentBy;
use tokio::sync::Mutex;

use super::gateway::{ByAuthor, Everything, LiveGateway, OfArticle, WithTag};
use crate::articles::ArticleSummary;

/// Whom a change concerns: who watches the article, one of its tags, or its author.
pub(crate) struct Audience {
    slugs: Vec<String>,
    author: String,
    tags: Vec<String>,
    is_for_everybody: bool,
}

impl Audience {
    /// Those of an article.
    pub(crate) fn of(article: &ArticleSummary) -> Self {
        Self {
            slugs: vec![article.slug.clone()],
            author: article.author.username.clone(),
            tags: article.tag_list.clone(),
            is_for_everybody: false,
        }
    }

    /// And those who watch it by a slug that it had.
    pub(crate) fn or_of(mut self, slug: &str) -> Self {
        self.slugs.push(slug.to_owned());
        self
    }

    /// And those who watch everything.
    pub(crate) fn or_everybody(self) -> Self {
        Self { is_for_everybody: true, ..self }
    }
}

/// Tells what happened, once it has.
#[derive(Injectable)]
pub(crate) struct News {
    hub: Inject<Hub>,
    /// Held from before a commit until the change is told. Whoever waits for it is the only
    /// writer of the database, so that changes are told in the order of their commits.
    #[inject(default)]
    turn: Mutex<()>,
}

impl News {
    /// Commits, and tells who watches. What was not committed is never told. What cannot be
    /// told is committed all the same: the log says so, and clients read the state anew when
    /// they connect again.
    ///
    /// # Errors
    /// Those of the commit.
    ///
    /// # Cancel safety
    /// A change whose future is dropped while it commits may be committed and not told.
    pub(crate) async fn commit<E>(
        &self,
        tx: Tx,
        audience: &Audience,
        event: &E,
    ) -> Result<(), DataError>
    where
        E: SentBy<LiveGateway>,
    {
        let _turn = self.turn.lock().await;
        tx.commit().await?;
        let mut to = self.hub.to(&ByAuthor(audience.author.clone()));
        for slug in &audience.slugs {
            to = to.or(&OfArticle(slug.clone()));
        }
        for tag in &audience.tags {
            to = to.or(&WithTag(tag.clone()));
        }
        if audience.is_for_everybody {
            to = to.or(&Everything);
        }
        if let Err(problem) = to.emit(event) {
            tracing::warn!(event = E::NAME, cause = ?problem.cause(), "nobody is told of a change");
        }
        Ok(())
    }
}

//! What is said to a cache of responses from outside: that something has changed.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::di::{Key, Token};

/// The application's cache of responses, which every provider injects without listing
/// it: `cache: Inject<ResponseCache>`. Operations say `cache(.., tags("articles"))`;
/// whoever changes articles says so afterwards, when the change can be read:
///
/// ```
/// use arcly_http_core::cache::ResponseCache;
///
/// let cache = ResponseCache::new();
/// // After the commit:
/// cache.invalidate_tag("articles");
/// ```
///
/// From then on no request is answered with what was made before, nor with what was
/// being made at that time. Whatever is no longer used makes room when room is needed.
///
/// It says so to this process; several of them have a cache each, which follow the
/// time to live alone unless each is told.
///
/// # Limits
/// Tags are kept as 4,096 numbers, whatever they are called and however many there
/// are, so that names that clients choose fill no memory; two tags may share a number,
/// and are then invalidated together.
#[derive(Clone)]
pub struct ResponseCache {
    inner: Arc<Inner>,
}

struct Inner {
    /// Its seed is random, so that nobody can choose tags that collide.
    hasher: RandomState,
    /// How often each was invalidated.
    tags: Box<[AtomicU64]>,
    all: AtomicU64,
}

const TAGS: usize = 4096;

/// A tag, as it is kept. See [`ResponseCache::tag`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag(u16);

/// When something was made, as [`ResponseCache::is_current`] asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    all: u64,
    tags: Box<[(Tag, u64)]>,
}

impl Token for ResponseCache {
    const KEY: Key = RESPONSE_CACHE_KEY;
}

pub(crate) const RESPONSE_CACHE_KEY: Key = Key::of("arcly_http::ResponseCache", 0, 0);

impl fmt::Debug for ResponseCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseCache(..)")
    }
}

impl Default for ResponseCache {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseCache {
    /// One that nothing was said to yet; applications have one already.
    #[must_use]
    pub fn new() -> Self {
        let tags = (0..TAGS).map(|_| AtomicU64::new(0)).collect();
        let inner = Inner { hasher: RandomState::new(), tags, all: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// What has this tag is not used any more. Say it when the change can be read: after
    /// the commit. Costs one addition, however much has the tag.
    pub fn invalidate_tag(&self, tag: &str) {
        self.count(self.tag(tag)).fetch_add(1, Ordering::SeqCst);
    }

    /// Nothing that was made so far is used any more.
    pub fn invalidate_all(&self) {
        self.inner.all.fetch_add(1, Ordering::SeqCst);
    }

    /// A tag by its name.
    #[must_use]
    pub fn tag(&self, name: &str) -> Tag {
        Tag((self.inner.hasher.hash_one(name) % TAGS as u64) as u16)
    }

    /// For caches: take it before the work begins whose result has these tags.
    #[must_use]
    pub fn mark(&self, tags: impl IntoIterator<Item = Tag>) -> Mark {
        let of_tag = |tag| (tag, self.count(tag).load(Ordering::SeqCst));
        Mark {
            all: self.inner.all.load(Ordering::SeqCst),
            tags: tags.into_iter().map(of_tag).collect(),
        }
    }

    /// For caches: whether nothing was invalidated since.
    #[must_use]
    pub fn is_current(&self, mark: &Mark) -> bool {
        self.inner.all.load(Ordering::SeqCst) == mark.all
            && mark.tags.iter().all(|(tag, seen)| self.count(*tag).load(Ordering::SeqCst) == *seen)
    }

    fn count(&self, tag: Tag) -> &AtomicU64 {
        &self.inner.tags[usize::from(tag.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_current_until_one_of_its_tags_is_invalidated() {
        let cache = ResponseCache::new();
        let mark = cache.mark([cache.tag("a"), cache.tag("b")]);
        let untagged = cache.mark([]);
        assert!(cache.is_current(&mark));
        let other = ["c", "d", "e"].into_iter().find(|name| {
            let tag = cache.tag(name);
            tag != cache.tag("a") && tag != cache.tag("b")
        });
        cache.invalidate_tag(other.unwrap());
        assert!(cache.is_current(&mark));
        cache.invalidate_tag("b");
        assert!(!cache.is_current(&mark) && cache.is_current(&untagged));
        let again = cache.mark([cache.tag("a"), cache.tag("b")]);
        assert!(cache.is_current(&again));
        cache.clone().invalidate_all();
        assert!(!cache.is_current(&again) && !cache.is_current(&untagged));
    }
}

//! Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13).

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::Problem;
use http::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};

use super::{Reply, Response};
use crate::{Body, Head};

/// A reply with an entity tag: a client that has it already gets 304.
#[derive(Debug, Clone)]
pub struct Tagged<R> {
    tag: String,
    reply: R,
}

impl<R> Tagged<R> {
    /// Tags a reply strongly. `version` is anything that changes whenever the
    /// resource changes: a revision number, a hash; quotes are put around it
    /// and may not be in it.
    pub fn new(version: impl std::fmt::Display, reply: R) -> Self {
        let version = version.to_string().replace(['"', '\r', '\n'], "");
        Self { tag: format!("\"{version}\""), reply }
    }

    /// The entity tag, quotes included, as `IfMatch::require` compares it.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl<R: Reply> Reply for Tagged<R> {
    const CACHEABLE: bool = R::CACHEABLE;

    fn describe(operation: &mut Operation) {
        R::describe(operation);
        operation.reply_empty(304);
        for status in operation.statuses() {
            if (200..300).contains(&status) || status == 304 {
                operation.reply_header::<String>(status, "etag", "The version of the resource.");
            }
        }
    }

    fn reply(self, head: &Head) -> Result<Response, Problem> {
        let tag = HeaderValue::try_from(&self.tag).map_err(Problem::internal)?;
        let is_read = matches!(*head.method(), Method::GET | Method::HEAD);
        let mut response = if is_read && knows(head.headers(), &self.tag) {
            let mut response = http::Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            self.reply.reply(head)?
        };
        response.headers_mut().insert(ETAG, tag);
        Ok(response)
    }
}

/// The tag of a response that is compressed: a strong tag names one sequence of bytes,
/// so that it has to be another. `None` for what is no strong tag.
#[cfg(feature = "compression")]
pub(crate) fn coded_tag(tag: &str, coding: &str) -> Option<String> {
    let version = tag.strip_prefix('"')?.strip_suffix('"')?;
    Some(format!("\"{version};{coding}\""))
}

/// Whether a strong tag that a client knows names the version that `tag` names, plain
/// or compressed.
pub(crate) fn is_same(known: &str, tag: &str) -> bool {
    known == tag
        || known.strip_suffix('"').is_some_and(|known| {
            let plain = ["zstd", "br", "gzip"]
                .into_iter()
                .find_map(|coding| known.strip_suffix(coding)?.strip_suffix(';'));
            plain.is_some() && plain == tag.strip_suffix('"')
        })
}

/// Whether `If-None-Match` names the tag; weak comparison, as section 13.1.2
/// asks.
pub(crate) fn knows(headers: &HeaderMap, tag: &str) -> bool {
    // A weak tag of ours is as good as a strong one here.
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let values = headers.get_all(IF_NONE_MATCH).iter();
    values.filter_map(|value| std::str::from_utf8(value.as_bytes()).ok()).any(|text| {
        text.trim() == "*"
            || entity_tags(text)
                .any(|known| is_same(known.strip_prefix("W/").unwrap_or(known), tag))
    })
}

/// The entity tags of a list, quotes included. A comma may be a part of a tag (RFC 9110,
/// section 8.8.3), so that quotes alone say where one ends. What is no tag ends the list:
/// where it would go on, nobody can say.
pub(crate) fn entity_tags(list: &str) -> impl Iterator<Item = &str> {
    let is_space = |letter| matches!(letter, ' ' | '\t');
    let mut rest = list;
    std::iter::from_fn(move || {
        let found = rest.trim_start_matches(|letter| letter == ',' || is_space(letter));
        let version = found.strip_prefix("W/").unwrap_or(found).strip_prefix('"')?;
        let (_, behind) = version.split_once('"')?;
        let tag = found.strip_suffix(behind)?;
        rest = behind.trim_start_matches(is_space);
        (rest.is_empty() || rest.starts_with(',')).then_some(tag)
    })
    .fuse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_is_read_by_its_quotes() {
        #[track_caller]
        fn check(list: &str, expected: &[&str]) {
            assert_eq!(entity_tags(list).collect::<Vec<_>>(), expected, "{list}");
        }
        check("", &[]);
        check("\"a\"", &["\"a\""]);
        check("\"a\",W/\"b\" ,\t\"\"", &["\"a\"", "W/\"b\"", "\"\""]);
        check("\"a,b\", \", \"", &["\"a,b\"", "\", \""]);
        check(",, \"a\" ,, \"a\",", &["\"a\"", "\"a\""]);
        check("\"\u{e4},\"", &["\"\u{e4},\""]);
        // From what is no tag on, nothing is one.
        check("a, \"b\"", &[]);
        check("\"a\", b, \"c\"", &["\"a\""]);
        check("w/\"a\"", &[]);
        check("\"a", &[]);
        check("\"a\"\"b\"", &[]);
        check("\"a\" \"b\", \"c\"", &[]);
    }
}

//! Range requests (RFC 9110, section 14).

use arcly_http_core::contract::Operation;
use arcly_http_core::problem::{Problem, kinds};
use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, IF_RANGE, RANGE};
use http::{Method, StatusCode};

use super::{Reply, Response};
use crate::{Body, Head};

/// Bytes of which a client may ask for a part.
#[derive(Debug, Clone)]
pub struct Ranged {
    bytes: Bytes,
    media_type: HeaderValue,
}

impl Ranged {
    /// Serves `bytes` as `media_type`; a media type that is no header value
    /// becomes `application/octet-stream`.
    pub fn new(bytes: impl Into<Bytes>, media_type: &str) -> Self {
        let media_type = HeaderValue::from_str(media_type)
            .unwrap_or(HeaderValue::from_static("application/octet-stream"));
        Self { bytes: bytes.into(), media_type }
    }
}

/// What a `Range` header asks of `len` bytes.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// No range, one that is not understood, or several: all of it.
    All,
    /// First and last byte.
    Part(u64, u64),
    /// Beyond the end.
    Nothing,
}

fn parse(header: &str, len: u64) -> Asked {
    let Some(spec) = header.trim().strip_prefix("bytes=") else { return Asked::All };
    let Some((first, last)) = spec.split_once('-') else { return Asked::All };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() && digits(last) {
        let Ok(count) = last.parse::<u64>() else { return Asked::All };
        if count == 0 || len == 0 {
            return Asked::Nothing;
        }
        return Asked::Part(len - count.min(len), len - 1);
    }
    if !digits(first) || !(last.is_empty() || digits(last)) {
        return Asked::All;
    }
    let Ok(first) = first.parse::<u64>() else { return Asked::Nothing };
    let last = if last.is_empty() { u64::MAX } else { last.parse().unwrap_or(u64::MAX) };
    if last < first {
        return Asked::All;
    }
    if first >= len { Asked::Nothing } else { Asked::Part(first, last.min(len - 1)) }
}

impl Reply for Ranged {
    fn describe(operation: &mut Operation) {
        operation.reply_raw(200, "*/*");
        operation.reply_raw(206, "*/*");
        operation.reply_header::<String>(206, "content-range", "Which bytes these are.");
        for status in [200, 206] {
            operation.reply_header::<String>(status, "accept-ranges", "Always `bytes`.");
        }
        operation.problem(&kinds::RANGE_NOT_SATISFIABLE);
    }

    fn reply(self, head: &Head) -> Result<Response, Problem> {
        let len = self.bytes.len() as u64;
        // Without a validator of our own, `If-Range` never matches.
        let applies = *head.method() == Method::GET && !head.headers().contains_key(IF_RANGE);
        let range = head.headers().get(RANGE).filter(|_| applies);
        let asked =
            range.and_then(|value| value.to_str().ok()).map_or(Asked::All, |text| parse(text, len));
        let (status, body, content_range) = match asked {
            Asked::All => (StatusCode::OK, self.bytes, None),
            Asked::Part(first, last) => {
                let part = self.bytes.slice(first as usize..=last as usize);
                (StatusCode::PARTIAL_CONTENT, part, Some(format!("bytes {first}-{last}/{len}")))
            }
            Asked::Nothing => {
                let value =
                    HeaderValue::try_from(format!("bytes */{len}")).map_err(Problem::internal)?;
                return Err(
                    Problem::of(&kinds::RANGE_NOT_SATISFIABLE).with_header(CONTENT_RANGE, value)
                );
            }
        };
        let mut response = http::Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.media_type);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(text) = content_range {
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(text).map_err(Problem::internal)?);
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (header, expected) in [
            ("bytes=0-3", Asked::Part(0, 3)),
            ("bytes=4-", Asked::Part(4, 9)),
            ("bytes=-3", Asked::Part(7, 9)),
            ("bytes=-99", Asked::Part(0, 9)),
            ("bytes=0-99", Asked::Part(0, 9)),
            ("bytes=10-", Asked::Nothing),
            ("bytes=-0", Asked::Nothing),
            ("bytes=5-2", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("lines=0-1", Asked::All),
            ("bytes=+1-2", Asked::All),
        ] {
            assert_eq!(parse(header, 10), expected, "{header}");
        }
    }
}

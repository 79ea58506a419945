//! Building URLs of declared routes.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What may not stand in a path segment as it is (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'/')
    .add(b'%')
    .add(b'\\')
    .add(b'^')
    .add(b'|')
    .add(b'[')
    .add(b']');

/// Fills the parameters of a path, percent-encoded. A catch-all keeps its
/// slashes.
///
/// ```
/// use arcly_http_web::build_url;
/// assert_eq!(build_url("/a/{id}", &[("id", "x/y z".to_owned())]), "/a/x%2Fy%20z");
/// ```
#[must_use]
pub fn build_url(path: &str, parameters: &[(&str, String)]) -> String {
    let mut url = String::with_capacity(path.len() + 16);
    for segment in path.split('/').skip(1) {
        url.push('/');
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(name) = name else {
            url.push_str(segment);
            continue;
        };
        let (name, is_rest) = name.strip_prefix('*').map_or((name, false), |rest| (rest, true));
        let value = parameters.iter().find(|(known, _)| *known == name).map_or("", |(_, v)| v);
        if is_rest {
            let parts: Vec<String> = value
                .split('/')
                .map(|part| utf8_percent_encode(part, SEGMENT).to_string())
                .collect();
            url.push_str(&parts.join("/"));
        } else {
            url.extend(utf8_percent_encode(value, SEGMENT));
        }
    }
    url
}

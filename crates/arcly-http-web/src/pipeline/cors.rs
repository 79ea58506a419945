//! Which pages of other origins may read what is answered (CORS, the Fetch
//! standard).

use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};

use super::Runtime;
use crate::context::Seen;
use crate::route::Found;
use crate::{Body, Head, Response};

/// Lets pages of other origins call operations and read the answers. Browsers ask
/// for it; it protects the users of a browser, not the operation.
///
/// Set it for the application (`LaunchConfig::cors`), or for a module, a controller
/// or a route by `cors = function`, the inner one first; `cors = None` takes it away
/// again. Preflights are answered on every known path, before credentials are looked
/// at, as browsers send none with them.
///
/// ```
/// use std::time::Duration;
/// use arcly_http_web::Cors;
///
/// fn shop() -> Cors {
///     Cors::origins(["https://shop.example"])
///         .headers(["content-type", "authorization"])
///         .expose(["etag"])
///         .credentials()
///         .max_age(Duration::from_secs(600))
/// }
/// # let _ = shop();
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is allowed before it is set"]
pub struct Cors {
    /// `None`: any.
    origins: Option<Vec<String>>,
    headers: Vec<String>,
    exposed: Vec<String>,
    has_credentials: bool,
    max_age: Duration,
}

impl Cors {
    /// Pages of these origins: scheme, host and port as browsers write them,
    /// `https://shop.example` or `http://localhost:5173`.
    pub fn origins<T: Into<String>>(origins: impl IntoIterator<Item = T>) -> Self {
        Self { origins: Some(origins.into_iter().map(Into::into).collect()), ..Self::any_origin() }
    }

    /// Pages of any origin, without cookies: for public data.
    pub fn any_origin() -> Self {
        Self {
            origins: None,
            headers: vec!["content-type".to_owned()],
            exposed: vec![],
            has_credentials: false,
            max_age: Duration::from_secs(600),
        }
    }

    /// Headers that pages may send, beside those that need no leave. Default:
    /// `content-type`.
    pub fn headers<T: Into<String>>(mut self, headers: impl IntoIterator<Item = T>) -> Self {
        self.headers = headers.into_iter().map(Into::into).collect();
        self
    }

    /// Headers of answers that pages may read, beside those that need no leave.
    /// Default: none.
    pub fn expose<T: Into<String>>(mut self, headers: impl IntoIterator<Item = T>) -> Self {
        self.exposed = headers.into_iter().map(Into::into).collect();
        self
    }

    /// Pages may send cookies. Not together with [`Cors::any_origin`]: the
    /// application does not launch then.
    pub fn credentials(mut self) -> Self {
        self.has_credentials = true;
        self
    }

    /// How long a browser may remember a preflight. Default 10 min.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// What is needed for each request, or what is wrong.
    pub(crate) fn compile(&self) -> Result<Arc<Rule>, String> {
        if self.has_credentials && self.origins.is_none() {
            return Err("CORS for any origin cannot go with credentials: every page could act for its visitor; name the origins".to_owned());
        }
        let origins = self.origins.iter().flatten().map(|origin| check_origin(origin));
        let origins = match self.origins {
            Some(_) => Some(origins.collect::<Result<Vec<_>, _>>()?),
            None => None,
        };
        let list = |names: &[String]| -> Result<HeaderValue, String> {
            for name in names {
                if http::HeaderName::try_from(name).is_err() || name == "*" {
                    return Err(format!("CORS: `{name}` is not the name of a header"));
                }
            }
            HeaderValue::try_from(names.join(", ")).map_err(|error| error.to_string())
        };
        Ok(Arc::new(Rule {
            origins,
            headers: list(&self.headers)?,
            exposed: (!self.exposed.is_empty()).then(|| list(&self.exposed)).transpose()?,
            has_credentials: self.has_credentials,
            max_age: HeaderValue::from(self.max_age.as_secs()),
        }))
    }
}

/// An origin as browsers write it, so that comparing bytes is enough.
fn check_origin(origin: &str) -> Result<HeaderValue, String> {
    let fault = || {
        format!(
            "CORS: `{origin}` is not an origin; write scheme, host and port in lower case and no path, as in `https://shop.example`"
        )
    };
    let uri: Uri = origin.parse().map_err(|_| fault())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(fault());
    };
    let default = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(fault()),
    };
    let written = format!("{scheme}://{authority}");
    if written != origin
        || origin.bytes().any(|byte| byte.is_ascii_uppercase())
        || authority.as_str().contains(['@', '*'])
        || authority.as_str().ends_with(default)
    {
        return Err(fault());
    }
    HeaderValue::from_str(origin).map_err(|_| fault())
}

/// What is allowed to whom, ready to be sent.
#[derive(Debug)]
pub(crate) struct Rule {
    /// `None`: any.
    origins: Option<Vec<HeaderValue>>,
    headers: HeaderValue,
    exposed: Option<HeaderValue>,
    has_credentials: bool,
    max_age: HeaderValue,
}

impl Rule {
    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.as_ref().is_none_or(|origins| origins.contains(origin))
    }

    /// Whether pages of an origin may change things with what a browser knows of
    /// its user. Any page is not every page.
    pub(super) fn trusts(&self, origin: &HeaderValue, head: &Head) -> bool {
        match &self.origins {
            Some(origins) => origins.contains(origin),
            None => !head.seen.has(Seen::COOKIE),
        }
    }
}

/// What a response says of the origin that asked.
pub(super) struct Told {
    rule: Arc<Rule>,
    /// If it may read the answer.
    origin: Option<HeaderValue>,
}

impl Told {
    pub(super) fn new(rule: &Arc<Rule>, head: &Head) -> Self {
        let origin = head.seen.has(Seen::ORIGIN).then(|| head.headers.get(ORIGIN)).flatten();
        let origin = origin.filter(|origin| rule.allows(origin)).cloned();
        Self { rule: Arc::clone(rule), origin }
    }

    pub(super) fn sign(&self, headers: &mut HeaderMap) {
        // A layer or a mounted service that knows better has spoken.
        if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if self.rule.origins.is_some() {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = &self.origin else { return };
        let origin = match self.rule.origins {
            Some(_) => origin.clone(),
            None => HeaderValue::from_static("*"),
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.rule.has_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = &self.rule.exposed {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }
}

/// The answer to a preflight, and what it says of the origin if a rule applies to
/// what is asked for; `None` when the request is no preflight of a known path. It
/// goes before a declared `OPTIONS` route, which may ask for credentials that
/// browsers do not send; without a rule, that route answers.
pub(super) fn preflight(runtime: &Runtime, head: &mut Head) -> Option<(Response, Option<Told>)> {
    if !head.seen.has(Seen::ORIGIN) {
        return None;
    }
    let asked = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let asked = Method::from_bytes(asked.as_bytes()).ok()?;
    let own = std::mem::replace(&mut head.method, asked.clone());
    let rule = match runtime.table.find(head) {
        Found::Route(route, _) => Some(route.cors.clone()),
        Found::OtherMethods(_) => Some(runtime.cors.clone()),
        Found::Mounted(_) | Found::Nothing => None,
    };
    head.method = own;
    let rule = rule?;
    let allow = match runtime.table.find(head) {
        Found::OtherMethods(allow) => HeaderValue::try_from(allow).ok(),
        Found::Route(..) if rule.is_none() => return None,
        _ => HeaderValue::from_str(asked.as_str()).ok(),
    };
    let told = rule.map(|rule| Told::new(&rule, head));
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for part in [ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_REQUEST_HEADERS] {
        headers.append(VARY, HeaderValue::from(part));
    }
    if let Some(Told { rule, origin: Some(_) }) = &told {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, rule.headers.clone());
        headers.insert(ACCESS_CONTROL_MAX_AGE, rule.max_age.clone());
        headers.extend(allow.clone().map(|allow| (ACCESS_CONTROL_ALLOW_METHODS, allow)));
    }
    headers.extend(allow.map(|allow| (ALLOW, allow)));
    Some((response, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cors: Cors, expected: Result<(), &str>) {
        match (cors.compile(), expected) {
            (Ok(_), Ok(())) => {}
            (Err(fault), Err(part)) => assert!(fault.contains(part), "{fault}"),
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        check(Cors::any_origin(), Ok(()));
        check(Cors::origins(["https://a.example", "http://localhost:5173"]).credentials(), Ok(()));
        check(Cors::any_origin().credentials(), Err("any origin cannot go with credentials"));
        for origin in [
            "*",
            "null",
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "https://A.example",
            "https://a.example:443",
            "https://*.example",
            "https://me@a.example",
            "ftp://a.example",
        ] {
            check(Cors::origins([origin]), Err("is not an origin"));
        }
        check(Cors::any_origin().headers(["*"]), Err("`*` is not the name of a header"));
        check(Cors::any_origin().expose(["a b"]), Err("`a b` is not the name of a header"));
    }
}

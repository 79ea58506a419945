//! Headers that tell browsers what pages may do with an answer.

use http::{HeaderName, HeaderValue};

/// How the security headers of a module, a controller or a route differ from those
/// further out: `security_headers = function`, where the function returns this. What it
/// does not mention stays, so that a page with scripts does not lose the rest;
/// `security_headers = None` takes all away, and inner levels begin with none.
///
/// The outermost are [`crate::app::LaunchConfig::security_headers`], which also hold
/// for whatever no declared route answers. A handler that sets one of them itself
/// keeps its own. The list of a route is made when the application launches.
///
/// ```
/// use arcly_http_web::security_headers::{Csp, SecurityHeaders, Source};
///
/// fn of_pages() -> SecurityHeaders {
///     SecurityHeaders::new()
///         .csp(Csp::nothing().scripts([Source::Own]).styles([Source::Own]).images([Source::Own]))
///         .set("referrer-policy", "no-referrer")
///         .remove("x-frame-options")
/// }
/// # let _ = of_pages();
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "nothing changes before it is returned to a level"]
pub struct SecurityHeaders {
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Set(String, String),
    Policy(Csp),
    Remove(String),
}

/// What frames a message, or belongs to another stage.
const NOT_THESE: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "set-cookie",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "x-request-id",
];

pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

impl SecurityHeaders {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends this header, instead of one of that name further out. The application
    /// does not launch when it cannot be a header, or is one that the server writes.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.changes.push(Change::Set(name.into(), value.into()));
        self
    }

    /// Sends this `content-security-policy`.
    pub fn csp(mut self, policy: Csp) -> Self {
        self.changes.push(Change::Policy(policy));
        self
    }

    /// Does not send a header, even if it is set further out.
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        self.changes.push(Change::Remove(name.into()));
        self
    }

    fn apply(&self, headers: &mut Headers) -> Result<(), String> {
        for change in &self.changes {
            let (name, value) = match change {
                Change::Set(name, value) => (name.as_str(), Some(value.clone())),
                Change::Policy(policy) => ("content-security-policy", Some(policy.text()?)),
                Change::Remove(name) => (name.as_str(), None),
            };
            let parsed = HeaderName::try_from(name)
                .map_err(|_| format!("security headers: `{name}` is not the name of a header"))?;
            if NOT_THESE.contains(&parsed.as_str()) {
                return Err(format!(
                    "security headers: `{name}` is not one of them; the server or another stage writes it"
                ));
            }
            let value = value.map(HeaderValue::try_from).transpose();
            let value =
                value.map_err(|_| format!("security headers: `{name}` cannot have that value"))?;
            headers.retain(|(known, _)| *known != parsed);
            headers.extend(value.map(|value| (parsed, value)));
        }
        Ok(())
    }
}

/// The headers of a route: those of the application, changed level by level.
pub(crate) fn of_levels(
    outermost: &Headers,
    levels: &[Option<SecurityHeaders>],
) -> Result<Headers, String> {
    let mut headers = outermost.clone();
    for level in levels {
        match level {
            Some(changes) => changes.apply(&mut headers)?,
            None => headers.clear(),
        }
    }
    Ok(headers)
}

/// A content security policy (CSP level 3), which begins with nothing allowed.
///
/// ```
/// use arcly_http_web::security_headers::{Csp, Source};
///
/// let policy = Csp::nothing()
///     .scripts([Source::Own, Source::Origin("https://cdn.example".into())])
///     .connections([Source::Own]);
/// assert_eq!(
///     policy.to_string(),
///     "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
///      script-src 'self' https://cdn.example; connect-src 'self'"
/// );
/// ```
#[derive(Debug, Clone)]
#[must_use = "a policy does nothing before it is sent"]
pub struct Csp {
    directives: Vec<(&'static str, Vec<Source>)>,
}

/// Where something may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The origin of the page itself.
    Own,
    /// `data:` URLs.
    Data,
    /// `blob:` URLs.
    Blob,
    /// What stands in the page itself. For scripts that undoes most of what a policy
    /// is for: name the hash instead.
    Inline,
    /// What stands in the page itself and has this hash: `sha256-..`, in Base64.
    Hash(String),
    /// WebAssembly.
    Wasm,
    /// An origin, as in `https://cdn.example`; the host may begin with `*.`.
    Origin(String),
}

macro_rules! directives {
    ($($(#[$doc:meta])* $name:ident $directive:literal;)*) => {$(
        $(#[$doc])*
        pub fn $name(self, sources: impl IntoIterator<Item = Source>) -> Self {
            self.directive($directive, sources)
        }
    )*};
}

impl Csp {
    /// Nothing may be loaded, no form may be sent, no page may frame this one.
    pub fn nothing() -> Self {
        let nothing = ["default-src", "base-uri", "form-action", "frame-ancestors"];
        Self { directives: nothing.map(|directive| (directive, vec![])).into() }
    }

    directives! {
        /// Scripts.
        scripts "script-src";
        /// Styles.
        styles "style-src";
        /// Images.
        images "img-src";
        /// Fonts.
        fonts "font-src";
        /// What scripts may connect to: `fetch`, WebSocket, event streams.
        connections "connect-src";
        /// Sound and films.
        media "media-src";
        /// Pages in frames of this one.
        frames "frame-src";
        /// Workers.
        workers "worker-src";
        /// The manifest of an application.
        manifest "manifest-src";
        /// Everything that may be loaded and has no line of its own.
        others "default-src";
        /// Where forms may be sent.
        forms "form-action";
        /// Pages that may show this one in a frame.
        framed_by "frame-ancestors";
        /// What `<base>` may name.
        base "base-uri";
    }

    fn directive(mut self, name: &'static str, sources: impl IntoIterator<Item = Source>) -> Self {
        let sources = sources.into_iter().collect();
        match self.directives.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = sources,
            None => self.directives.push((name, sources)),
        }
        self
    }

    fn text(&self) -> Result<String, String> {
        let sources = self.directives.iter().flat_map(|(_, sources)| sources);
        for source in sources {
            let (text, is_sound) = match source {
                Source::Origin(origin) => (origin, is_origin(origin)),
                Source::Hash(hash) => (hash, is_hash(hash)),
                _ => continue,
            };
            if !is_sound {
                return Err(format!(
                    "content security policy: `{text}` is neither an origin, as in `https://cdn.example`, nor a hash, as in `sha256-..`"
                ));
            }
        }
        Ok(self.to_string())
    }
}

impl std::fmt::Display for Csp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (name, sources)) in self.directives.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{name}")?;
            if sources.is_empty() {
                f.write_str(" 'none'")?;
            }
            for source in sources {
                match source {
                    Source::Own => f.write_str(" 'self'")?,
                    Source::Data => f.write_str(" data:")?,
                    Source::Blob => f.write_str(" blob:")?,
                    Source::Inline => f.write_str(" 'unsafe-inline'")?,
                    Source::Wasm => f.write_str(" 'wasm-unsafe-eval'")?,
                    Source::Hash(hash) => write!(f, " '{hash}'")?,
                    Source::Origin(origin) => write!(f, " {origin}")?,
                }
            }
        }
        Ok(())
    }
}

fn is_origin(text: &str) -> bool {
    let rest = ["https://", "http://", "wss://", "ws://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| {
        let host = rest.strip_prefix("*.").unwrap_or(rest);
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    })
}

fn is_hash(text: &str) -> bool {
    let rest =
        ["sha256-", "sha384-", "sha512-"].into_iter().find_map(|kind| text.strip_prefix(kind));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(changes: SecurityHeaders, part: &str) {
        let fault = of_levels(&vec![], &[Some(changes)]).unwrap_err();
        assert!(fault.contains(part), "{fault}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let new = SecurityHeaders::new;
        refused(new().set("a b", "x"), "`a b` is not the name of a header");
        refused(new().set("x-a", "line\nbreak"), "`x-a` cannot have that value");
        refused(new().set("Set-Cookie", "a=1"), "`Set-Cookie` is not one of them");
        refused(new().remove("content-type"), "`content-type` is not one of them");
        for origin in ["", "cdn.example", "https://", "https://a; script-src *", "https://a b", "*"]
        {
            let source = Source::Origin(origin.to_owned());
            refused(new().csp(Csp::nothing().scripts([source])), "is neither an origin");
        }
        let hash = Source::Hash("sha256-'; script-src *".to_owned());
        refused(new().csp(Csp::nothing().scripts([hash])), "is neither an origin");
    }

    #[test]
    fn levels_change_what_is_further_out() {
        let name = HeaderName::from_static;
        let value = HeaderValue::from_static;
        let outermost = vec![(name("a"), value("1")), (name("b"), value("1"))];
        let change = SecurityHeaders::new().set("A", "2").set("c", "1").remove("b");
        let changed = of_levels(&outermost, &[Some(change.clone())]).unwrap();
        assert_eq!(changed, [(name("a"), value("2")), (name("c"), value("1"))]);
        assert_eq!(of_levels(&outermost, &[Some(change.clone()), None]).unwrap(), []);
        let anew = of_levels(&outermost, &[None, Some(change)]).unwrap();
        assert_eq!(anew, [(name("a"), value("2")), (name("c"), value("1"))]);
        assert_eq!(of_levels(&outermost, &[]).unwrap(), outermost);
    }
}

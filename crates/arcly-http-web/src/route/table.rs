//! The frozen table of routes.

use std::collections::HashMap;
use std::sync::Arc;

use http::header::ACCEPT;
use http::{HeaderName, Method};

use super::HttpRoute;
use crate::Head;
use crate::context::{PARAMS_MAX, Params};
use crate::pipeline::Route;
use crate::stage::LayerService;

/// How a client names the version of an operation.
#[derive(Debug, Clone, Default)]
pub enum Versioning {
    /// `/v1/articles`; operations without a version have no such segment.
    #[default]
    Uri,
    /// A header, `x-api-version: 1`.
    Header(HeaderName),
    /// A parameter of the media type: `accept: application/json; v=1`.
    MediaType(&'static str),
}

impl Versioning {
    /// Where in the URL a version stands.
    pub(crate) fn prefix(&self, version: &str) -> String {
        match self {
            Self::Uri if !version.is_empty() => format!("/v{version}"),
            _ => String::new(),
        }
    }

    fn asked<'h>(&self, head: &'h Head) -> Option<&'h str> {
        match self {
            Self::Uri => None,
            Self::Header(name) => head.headers.get(name)?.to_str().ok().map(str::trim),
            Self::MediaType(name) => {
                let lines = head.headers.get_all(ACCEPT).iter();
                let mut parts = lines
                    .filter_map(|line| line.to_str().ok())
                    .flat_map(|line| line.split([',', ';']));
                parts.find_map(|part| {
                    part.trim().strip_prefix(name)?.trim_start().strip_prefix('=').map(str::trim)
                })
            }
        }
    }
}

/// Routes of one path and method that differ in version.
#[derive(Default)]
pub(crate) struct Versioned {
    pub(crate) routes: Vec<Arc<Route>>,
}

/// All that one path answers.
#[derive(Default)]
struct Node {
    methods: Vec<(Method, Versioned)>,
}

/// A service of somebody else's under a prefix.
pub(crate) struct Mounted {
    pub(crate) prefix: String,
    pub(crate) access: arcly_http_core::access::Access,
    pub(crate) service: LayerService,
}

#[derive(Default)]
struct Paths {
    tree: matchit::Router<usize>,
    shapes: HashMap<String, usize>,
    nodes: Vec<Node>,
}

/// Finds the route of a request.
#[derive(Default)]
pub(crate) struct Table {
    versioning: Versioning,
    anywhere: Paths,
    hosts: Vec<(&'static str, Paths)>,
    mounts: Vec<Mounted>,
}

/// What the table says of a request.
pub(crate) enum Found<'t> {
    Route(&'t Arc<Route>, Params),
    Mounted(&'t Mounted),
    /// The path is known, the method is not: what `Allow` says.
    OtherMethods(String),
    Nothing,
}

impl Table {
    pub(crate) fn new(versioning: Versioning) -> Self {
        Self { versioning, ..Self::default() }
    }

    pub(crate) fn versioning(&self) -> &Versioning {
        &self.versioning
    }

    /// The longest prefix first, so that the nearest mount answers.
    pub(crate) fn mount(&mut self, mounted: Mounted) {
        self.mounts.push(mounted);
        self.mounts.sort_by_key(|mounted| std::cmp::Reverse(mounted.prefix.len()));
    }

    /// Adds a route under its whole path.
    pub(crate) fn add(
        &mut self,
        path: &str,
        route: &HttpRoute,
        built: Arc<Route>,
    ) -> Result<(), String> {
        let paths = match route.fact.host {
            arcly_http_core::di::Host::Any => &mut self.anywhere,
            arcly_http_core::di::Host::Name(name) => {
                let index = match self.hosts.iter().position(|(known, _)| *known == name) {
                    Some(index) => index,
                    None => {
                        self.hosts.push((name, Paths::default()));
                        self.hosts.len() - 1
                    }
                };
                &mut self.hosts[index].1
            }
        };
        let method = Method::from_bytes(route.fact.method.as_bytes())
            .map_err(|error| format!("{}: {error}", route.fact.method))?;
        paths.add(path, method, built)
    }

    pub(crate) fn find(&self, head: &Head) -> Found<'_> {
        if !self.hosts.is_empty()
            && let Some(host) = head.host()
            && let Some((_, paths)) =
                self.hosts.iter().find(|(name, _)| name.eq_ignore_ascii_case(host))
        {
            let found = self.find_in(paths, head);
            if !matches!(found, Found::Nothing) {
                return found;
            }
        }
        let found = self.find_in(&self.anywhere, head);
        if matches!(found, Found::Nothing) {
            let path = head.uri.path();
            let below = |prefix: &str| {
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if let Some(mounted) = self.mounts.iter().find(|mounted| below(&mounted.prefix)) {
                return Found::Mounted(mounted);
            }
        }
        found
    }

    fn find_in<'t>(&'t self, paths: &'t Paths, head: &Head) -> Found<'t> {
        let path = head.uri.path();
        let Ok(matched) = paths.tree.at(path) else { return Found::Nothing };
        let (node, params) = (&paths.nodes[*matched.value], spans(path, &matched.params));
        let by_method = |wanted: &Method| {
            node.methods.iter().find(|(method, _)| method == wanted).map(|(_, versioned)| versioned)
        };
        let versioned = by_method(&head.method).or_else(|| {
            // HEAD is GET without the body (RFC 9110, section 9.3.2).
            if head.method == Method::HEAD { by_method(&Method::GET) } else { None }
        });
        match versioned.and_then(|versioned| versioned.pick(&self.versioning, head)) {
            Some(route) => Found::Route(route, params),
            None if versioned.is_some() => Found::Nothing,
            None => Found::OtherMethods(node.allow()),
        }
    }
}

impl Versioned {
    fn pick(&self, versioning: &Versioning, head: &Head) -> Option<&Arc<Route>> {
        if let [only] = self.routes.as_slice()
            && (matches!(versioning, Versioning::Uri) || only.fact.version.is_empty())
        {
            return Some(only);
        }
        let asked = versioning.asked(head);
        match asked {
            Some(version) => self.routes.iter().find(|route| route.fact.version == version),
            // Without a wish, the operation without a version answers, or the first.
            None => self.routes.iter().find(|r| r.fact.version.is_empty()).or(self.routes.first()),
        }
    }
}

impl Node {
    fn allow(&self) -> String {
        let mut names: Vec<&str> = self.methods.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        if !names.contains(&"OPTIONS") {
            names.push("OPTIONS");
        }
        names.sort_unstable();
        names.join(", ")
    }
}

impl Paths {
    fn add(&mut self, path: &str, method: Method, route: Arc<Route>) -> Result<(), String> {
        let (shape, count) = shape(path);
        if count > PARAMS_MAX {
            return Err(format!("`{path}` has more than {PARAMS_MAX} parameters"));
        }
        let index = match self.shapes.get(&shape) {
            Some(&index) => index,
            None => {
                let index = self.nodes.len();
                self.nodes.push(Node::default());
                self.shapes.insert(shape.clone(), index);
                self.tree.insert(shape, index).map_err(|error| format!("`{path}`: {error}"))?;
                index
            }
        };
        let node = &mut self.nodes[index];
        match node.methods.iter_mut().find(|(known, _)| *known == method) {
            Some((_, versioned)) => {
                // The proof refuses this; hand-written metadata may not have met it.
                if versioned.routes.iter().any(|known| known.fact.version == route.fact.version) {
                    return Err(format!("{method} `{path}` is declared twice"));
                }
                versioned.routes.push(route);
            }
            None => node.methods.push((method, Versioned { routes: vec![route] })),
        }
        Ok(())
    }
}

/// The path with its parameters numbered, so that `/a/{x}` and `/a/{y}` are one
/// node. `{*rest}` of matchit does not match an empty rest.
fn shape(path: &str) -> (String, usize) {
    let mut count = 0;
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| {
            if !segment.starts_with('{') {
                return segment.to_owned();
            }
            count += 1;
            let star = if segment.starts_with("{*") { "*" } else { "" };
            format!("{{{star}p{}}}", count - 1)
        })
        .collect();
    (segments.join("/"), count)
}

fn spans(path: &str, matched: &matchit::Params<'_, '_>) -> Params {
    let mut params = Params::default();
    let base = path.as_ptr() as usize;
    for (slot, (_, value)) in params.spans.iter_mut().zip(matched.iter()) {
        let start = value.as_ptr() as usize - base;
        *slot = (start as u16, (start + value.len()) as u16);
        params.len += 1;
    }
    params
}

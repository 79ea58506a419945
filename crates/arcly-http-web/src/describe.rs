//! What an application says of itself: routes, graph; and the recorder that
//! holds responses against the document.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arcly_http_core::contract::OperationFacts;
use arcly_http_core::di::{DepKind, ModuleMeta, ProviderScope, RouteFact};
use http::header::CONTENT_TYPE;
use http_body::Body as _;
use serde::Serialize;

use crate::Response;

/// One line of the route table.
#[derive(Debug, Clone, Serialize)]
pub struct RouteLine {
    /// `GET`.
    pub method: String,
    /// Whole path, prefixes and version included.
    pub path: String,
    /// Host, if it answers one only.
    pub host: Option<String>,
    /// `public`, `authenticated`, `can Article::Publish`.
    pub access: String,
    /// `shop::orders::OrderController::create`.
    pub handler: String,
    /// `src/orders.rs:12`.
    pub place: String,
}

/// One module of the graph.
#[derive(Debug, Clone, Serialize)]
pub struct ModuleLine {
    /// Its name.
    pub name: String,
    /// Modules it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// Whether every module sees its exports.
    pub global: bool,
    /// Its providers and controllers.
    pub members: Vec<MemberLine>,
}

/// One provider or controller.
#[derive(Debug, Clone, Serialize)]
pub struct MemberLine {
    /// Its name.
    pub name: String,
    /// `provider` or `controller`.
    pub kind: &'static str,
    /// `singleton`, `request` or `transient`.
    pub scope: &'static str,
    /// Traits it is bound to.
    pub bound_to: Vec<String>,
    /// What it needs.
    pub needs: Vec<NeedLine>,
}

/// One edge of the graph.
#[derive(Debug, Clone, Serialize)]
pub struct NeedLine {
    /// Field.
    pub field: String,
    /// Key.
    pub key: String,
    /// `one`, `optional`, `lazy` or `all`.
    pub kind: &'static str,
}

/// The graph below a root module, imports first.
#[must_use]
pub fn graph(root: &'static ModuleMeta) -> Vec<ModuleLine> {
    root.in_order().into_iter().map(module_line).collect()
}

fn module_line(module: &'static ModuleMeta) -> ModuleLine {
    let bindings = |entry: &'static arcly_http_core::di::ProviderEntry| {
        entry.bindings.iter().map(|binding| binding.key.to_string()).collect()
    };
    let providers = module.providers.iter().map(|e| member(e.meta, "provider", bindings(e)));
    let controllers = module.controllers.iter().map(|c| member(c.provider, "controller", vec![]));
    let imports = module.imports.iter().chain(module.reexports);
    ModuleLine {
        name: module.key.to_string(),
        imports: imports.map(|import| import.key.to_string()).collect(),
        exports: module.exports.iter().map(ToString::to_string).collect(),
        global: module.global,
        members: providers.chain(controllers).collect(),
    }
}

fn member(
    meta: &'static arcly_http_core::di::ProviderMeta,
    kind: &'static str,
    bound_to: Vec<String>,
) -> MemberLine {
    let need = |dep: &arcly_http_core::di::Dep| NeedLine {
        field: dep.field.to_owned(),
        key: dep.spec.key.to_string(),
        kind: match dep.spec.kind {
            DepKind::One => "one",
            DepKind::Optional => "optional",
            DepKind::Lazy => "lazy",
            DepKind::All => "all",
            DepKind::Shared => "shared",
        },
    };
    MemberLine {
        name: meta.key.to_string(),
        kind,
        scope: match meta.scope {
            ProviderScope::Singleton => "singleton",
            ProviderScope::Request => "request",
            ProviderScope::Transient => "transient",
        },
        bound_to,
        needs: meta.deps.iter().map(need).collect(),
    }
}

/// Holds every response of a declared route against the document. For tests.
///
/// Status, media type and headers are checked where the response leaves the
/// pipeline. Bodies may be streams, so whoever reads them checks them: the
/// response's extensions then have a [`Documented`].
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    facts: Arc<HashMap<usize, OperationFacts>>,
    faults: Arc<Mutex<Vec<String>>>,
}

/// Where the document describes a response. In the extensions of recorded ones.
#[derive(Debug, Clone)]
pub struct Documented {
    /// JSON pointer to the operation.
    pub operation: String,
    /// Method, path and handler, for people.
    pub name: String,
}

/// Most faults that are kept.
const FAULTS_MAX: usize = 100;

/// Headers that any response may have without a word in the document: what HTTP
/// itself, proxies, browsers and the usual tower layers are about. Everything
/// else is a part of the API.
const PLAIN_HEADERS: &[&str] = &[
    "age",
    "alt-svc",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "date",
    "expires",
    "keep-alive",
    "permissions-policy",
    "pragma",
    "referrer-policy",
    "server",
    "server-timing",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "vary",
    "via",
    "x-content-type-options",
    "x-frame-options",
    "x-request-id",
];

fn is_plain(header: &str) -> bool {
    PLAIN_HEADERS.binary_search(&header).is_ok() || header.starts_with("access-control-")
}

/// A media type without its parameters.
fn essence(text: &str) -> String {
    text.split(';').next().unwrap_or(text).trim().to_lowercase()
}

impl Recorder {
    pub(crate) fn new(facts: HashMap<usize, OperationFacts>) -> Self {
        Self { facts: Arc::new(facts), faults: Arc::default() }
    }

    /// A route's metadata is static, so that its address identifies it.
    pub(crate) fn key(fact: &'static RouteFact) -> usize {
        std::ptr::from_ref(fact) as usize
    }

    pub(crate) fn check(&self, fact: &'static RouteFact, response: &mut Response) {
        let Some(facts) = self.facts.get(&Self::key(fact)) else { return };
        let name = format!("{} {} ({})", fact.method, fact.path, fact.handler);
        for fault in faults_of(facts, response) {
            self.note(&name, &fault);
        }
        response.extensions_mut().insert(Documented { operation: facts.pointer.clone(), name });
    }

    /// Keeps a fault of the operation `name`.
    pub fn note(&self, name: &str, fault: &str) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.len() < FAULTS_MAX {
            faults.push(format!("{name}: {fault}"));
        }
    }

    /// What was answered outside the document so far.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn faults_of(facts: &OperationFacts, response: &Response) -> Vec<String> {
    let status = response.status().as_u16();
    let Some(documented) = facts.statuses.iter().find(|known| known.status == status) else {
        return vec![format!("answered {status}, which is not documented")];
    };
    let mut faults = vec![];
    let media_types = &documented.media_types;
    match response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
        Some(sent)
            if !media_types
                .iter()
                .any(|known| *known == "*/*" || essence(known) == essence(sent)) =>
        {
            faults.push(format!("answered {status} as {sent}, which is not documented"));
        }
        None if !media_types.is_empty() && !response.body().is_end_stream() => {
            faults.push(format!("answered {status} with a body that has no content type"));
        }
        _ => {}
    }
    for name in response.headers().keys().map(http::HeaderName::as_str) {
        if !is_plain(name) && !documented.headers.contains(&name) {
            faults.push(format!("answered {status} with header `{name}`, which is not documented"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_headers_can_be_searched() {
        assert!(PLAIN_HEADERS.is_sorted());
        assert!(is_plain("vary") && !is_plain("etag"));
    }
}

//! What an application says of itself: routes, graph; and the recorder that
//! holds responses against the document.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arcly_http_core::contract::OperationFacts;
use arcly_http_core::di::{DepKind, ModuleMeta, ProviderScope, RouteFact};
use http::header::CONTENT_TYPE;
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
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    facts: Arc<HashMap<usize, OperationFacts>>,
    faults: Arc<Mutex<Vec<String>>>,
}

/// Most faults that are kept.
const FAULTS_MAX: usize = 100;

impl Recorder {
    pub(crate) fn new(facts: HashMap<usize, OperationFacts>) -> Self {
        Self { facts: Arc::new(facts), faults: Arc::default() }
    }

    /// A route's metadata is static, so that its address identifies it.
    pub(crate) fn key(fact: &'static RouteFact) -> usize {
        std::ptr::from_ref(fact) as usize
    }

    pub(crate) fn check(&self, fact: &'static RouteFact, response: &Response) {
        let Some(facts) = self.facts.get(&Self::key(fact)) else { return };
        let status = response.status().as_u16();
        // What the pipeline itself may say to anybody is not repeated for each
        // operation.
        if status == 500 {
            return;
        }
        let media = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = |text: &str| text.split(';').next().unwrap_or(text).trim().to_lowercase();
        let fault = match facts.statuses.iter().find(|(known, _)| *known == status) {
            None => Some(format!("answered {status}, which is not documented")),
            Some((_, documented)) => match media {
                Some(sent)
                    if !documented.iter().any(|m| *m == "*/*" || essence(m) == essence(sent)) =>
                {
                    Some(format!("answered {status} as {sent}, which is not documented"))
                }
                _ => None,
            },
        };
        if let Some(fault) = fault {
            let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
            if faults.len() < FAULTS_MAX {
                faults.push(format!("{} {} ({}): {fault}", fact.method, fact.path, fact.handler));
            }
        }
    }

    /// What was answered outside the document so far.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

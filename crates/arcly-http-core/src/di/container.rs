//! Building the graph, once, and what is left of it afterwards.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use super::key::Key;
use super::lifecycle::{HookTable, ShutdownReport};
use super::meta::{Dep, DepKind, ModuleMeta, ProviderEntry, ProviderMeta, ProviderScope};
use crate::cache::{RESPONSE_CACHE_KEY, ResponseCache};
use crate::config::Config;
use crate::observe::{METRICS_KEY, Metrics};
use crate::task::{Owner, TASKS_KEY, Tasks};

/// A built provider with its type forgotten.
///
/// Inside is an `Arc<T>`, where `T` may be a trait object.
#[derive(Clone)]
pub struct Instance(Arc<dyn Any + Send + Sync>);

impl Instance {
    /// Forgets the type of a value.
    #[must_use]
    pub fn new<T: ?Sized + Send + Sync + 'static>(value: Arc<T>) -> Self {
        Self(Arc::new(value))
    }

    /// The value, if it is a `T`.
    #[must_use]
    pub fn downcast<T: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.downcast_ref::<Arc<T>>().cloned()
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instance(..)")
    }
}

/// What building one provider yields.
pub type BuildFuture<'r> = Pin<Box<dyn Future<Output = Result<Instance, BuildError>> + Send + 'r>>;

/// Why one provider could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The graph that is built is not the graph that was proved.
    #[error("`{0}` is not in the graph")]
    Missing(Key),
    /// A factory failed.
    #[error("{0}")]
    Factory(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took longer than [`LaunchLimits::provider`].
    #[error("not ready within {0:?}")]
    TimedOut(Duration),
}

impl BuildError {
    /// Something that the proof would have refused.
    #[must_use]
    pub fn missing(key: Key) -> Self {
        Self::Missing(key)
    }

    /// A factory's own error.
    pub fn factory(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Factory(source.into())
    }
}

/// Why an application did not start.
///
/// What was built is torn down again, in reverse: dropped when a provider could
/// not be built, and given its `on_shutdown` first when all were built and a
/// hook failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// One or more configuration sections are wrong; every fault is named.
    #[error("the configuration is not valid:\n{0}")]
    Config(String),
    /// A provider failed.
    #[error("provider `{provider}` failed: {source}\n    needed by: {path}")]
    Provider {
        /// Its name.
        provider: String,
        /// Who needs it, from the root down.
        path: String,
        /// What it said.
        source: BuildError,
    },
    /// A lifecycle hook failed or was late.
    #[error("`{hook}` of `{provider}` failed: {reason}")]
    Hook {
        /// Its name.
        provider: String,
        /// `on_init` or `on_start`.
        hook: &'static str,
        /// What it said.
        reason: String,
    },
    /// Hand-written metadata with a cycle that the proof did not see.
    #[error("`{0}` needs itself")]
    Cycle(Key),
}

/// Time limits of launch and shutdown.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct LaunchLimits {
    /// For building one provider. Default 30 s.
    pub provider: Duration,
    /// For one lifecycle hook. Default 10 s.
    pub hook: Duration,
    /// For all background tasks together to stop, once they were asked to; then
    /// they are cut off. Default 10 s.
    pub tasks: Duration,
}

impl Default for LaunchLimits {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { provider: Duration::from_secs(30), hook: ten, tasks: ten }
    }
}

type Late = Box<dyn FnOnce(&FrozenDiContainer) -> Result<(), BuildError> + Send>;

/// What a provider's builder takes its dependencies from.
pub struct Resolver<'r> {
    ready: &'r HashMap<Key, Vec<Instance>>,
    /// Transient dependencies, built for this one dependent; each is used once.
    own: Mutex<Vec<(Key, Instance)>>,
    /// Request-scoped providers that the unit of work has built so far.
    scoped: &'r [(Key, Instance)],
    late: &'r Mutex<Vec<Late>>,
    config: &'r Config,
}

impl fmt::Debug for Resolver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver(..)")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Resolver<'_> {
    pub(super) fn get<T: ?Sized + Send + Sync + 'static>(&self, key: &Key) -> Option<Arc<T>> {
        let own = {
            let mut own = lock(&self.own);
            own.iter().position(|(k, _)| k == key).map(|at| own.remove(at).1)
        };
        if let Some(instance) = own {
            return instance.downcast();
        }
        if let Some((_, instance)) = self.scoped.iter().find(|(k, _)| k == key) {
            return instance.downcast();
        }
        self.ready.get(key)?.first()?.downcast()
    }

    pub(super) fn get_all<T: ?Sized + Send + Sync + 'static>(&self, key: &Key) -> Vec<Arc<T>> {
        self.ready.get(key).into_iter().flatten().filter_map(Instance::downcast).collect()
    }

    pub(super) fn later(&self, bind: Late) {
        lock(self.late).push(bind);
    }

    /// The loaded configuration, for providers that are sections of it.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.config
    }
}

#[derive(Debug, Clone, Copy)]
struct Node {
    meta: &'static ProviderMeta,
    entry: Option<&'static ProviderEntry>,
}

impl Node {
    /// The provider under each name it has.
    fn names(&self, instance: Instance) -> Vec<(Key, Instance)> {
        let mut names = vec![];
        for binding in self.entry.map_or(&[][..], |entry| entry.bindings) {
            if let Some(upcast) = (binding.upcast)(&instance) {
                names.push((binding.key, upcast));
            }
        }
        names.push((self.meta.key, instance));
        names
    }
}

#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    by_key: HashMap<Key, Vec<usize>>,
}

impl Graph {
    fn of(root: &'static ModuleMeta) -> Self {
        let mut graph = Self::default();
        for module in root.in_order() {
            for entry in module.providers {
                graph.add(Node { meta: entry.meta, entry: Some(entry) });
            }
            for controller in module.controllers {
                graph.add(Node { meta: controller.provider, entry: None });
            }
        }
        graph
    }

    fn add(&mut self, node: Node) {
        let index = self.nodes.len();
        self.nodes.push(node);
        self.by_key.entry(node.meta.key).or_default().push(index);
        for binding in node.entry.map_or(&[][..], |entry| entry.bindings) {
            self.by_key.entry(binding.key).or_default().push(index);
        }
    }

    /// The nodes that must be there before one that needs `dep` is built.
    fn targets(&self, dep: &Dep) -> &[usize] {
        match dep.spec.kind {
            DepKind::Lazy => &[],
            DepKind::One | DepKind::Optional | DepKind::All | DepKind::Shared => {
                self.by_key.get(&dep.spec.key).map_or(&[], Vec::as_slice)
            }
        }
    }

    /// Groups of singletons; each group needs only the groups before it.
    fn levels(&self) -> Result<Vec<Vec<usize>>, LaunchError> {
        let mut depth = vec![None; self.nodes.len()];
        let mut open = vec![false; self.nodes.len()];
        let mut levels: Vec<Vec<usize>> = vec![];
        for index in 0..self.nodes.len() {
            let level = self.depth(index, &mut depth, &mut open)?;
            if self.nodes[index].meta.scope != ProviderScope::Singleton {
                continue;
            }
            if levels.len() <= level {
                levels.resize_with(level + 1, Vec::new);
            }
            levels[level].push(index);
        }
        Ok(levels)
    }

    fn depth(
        &self,
        index: usize,
        depth: &mut [Option<usize>],
        open: &mut [bool],
    ) -> Result<usize, LaunchError> {
        if let Some(known) = depth[index] {
            return Ok(known);
        }
        if std::mem::replace(&mut open[index], true) {
            return Err(LaunchError::Cycle(self.nodes[index].meta.key));
        }
        let mut level = 0;
        for dep in self.nodes[index].meta.deps {
            for &target in self.targets(dep) {
                level = level.max(self.depth(target, depth, open)? + 1);
            }
        }
        open[index] = false;
        depth[index] = Some(level);
        Ok(level)
    }

    /// Who needs `index`, from a root of the graph down, for messages.
    fn path_to(&self, index: usize) -> String {
        let mut names = vec![];
        let mut seen = HashSet::new();
        let mut at = index;
        while seen.insert(at) {
            let needs = |node: &Node| node.meta.deps.iter().any(|d| self.targets(d).contains(&at));
            match self.nodes.iter().position(needs) {
                Some(parent) => {
                    names.push(self.nodes[parent].meta.key.to_string());
                    at = parent;
                }
                None => break,
            }
        }
        names.reverse();
        if names.is_empty() { "nothing else".to_owned() } else { names.join(" -> ") }
    }
}

/// Builds a graph that was proved.
#[derive(Debug)]
pub struct Builder {
    root: &'static ModuleMeta,
    config: Config,
    replaced: Vec<(Key, Instance)>,
    limits: LaunchLimits,
}

impl Builder {
    /// A builder for the graph below `root`.
    #[must_use]
    pub fn new(root: &'static ModuleMeta, config: Config) -> Self {
        Self { root, config, replaced: vec![], limits: LaunchLimits::default() }
    }

    /// Uses `instance` wherever `key` is injected, and does not build its
    /// provider. The last replacement of a key wins.
    #[must_use]
    pub fn replace(mut self, key: Key, instance: Instance) -> Self {
        self.replaced.retain(|(k, _)| *k != key);
        self.replaced.push((key, instance));
        self
    }

    /// Sets the time limits.
    #[must_use]
    pub fn limits(mut self, limits: LaunchLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Builds every singleton, level by level, each level concurrently, and
    /// runs `on_init`.
    ///
    /// # Errors
    /// The first provider or hook that failed, or every configuration fault.
    ///
    /// # Cancel safety
    /// Dropping the future drops what was built so far and cuts off its tasks;
    /// hooks that have not run do not run.
    pub async fn build(self) -> Result<FrozenDiContainer, LaunchError> {
        let graph = Graph::of(self.root);
        let levels = graph.levels()?;
        let late = Mutex::new(vec![]);
        let mut ready: HashMap<Key, Vec<Instance>> = HashMap::new();
        let mut built = vec![];
        for (key, instance) in &self.replaced {
            ready.insert(*key, vec![instance.clone()]);
        }
        // In every graph, without a provider; the proof knows that. Not to be
        // replaced: what is injected has to be what `shutdown` waits for.
        let tasks = Owner(Tasks::new());
        ready.insert(TASKS_KEY, vec![Instance::new(Arc::new(tasks.0.clone()))]);
        let metrics = Metrics::new();
        tasks.0.observe(&metrics);
        ready.insert(METRICS_KEY, vec![Instance::new(Arc::new(metrics.clone()))]);
        ready.insert(RESPONSE_CACHE_KEY, vec![Instance::new(Arc::new(ResponseCache::new()))]);
        let is_replaced = |key: &Key| self.replaced.iter().any(|(k, _)| k == key);
        // What a provider is bound to is replaced with it.
        for (replaced, instance) in &self.replaced {
            for node in graph.nodes.iter().filter(|node| node.meta.key == *replaced) {
                for (key, named) in node.names(instance.clone()) {
                    if !is_replaced(&key) {
                        ready.entry(key).or_default().push(named);
                    }
                }
            }
        }

        self.check_config(&graph, &ready, &late).await?;
        for level in &levels {
            let wanted: Vec<usize> = level
                .iter()
                .copied()
                .filter(|&index| !self.is_covered(&graph.nodes[index], &is_replaced))
                .collect();
            let done = join_all(wanted.iter().map(|&index| {
                let build = build_node(&graph, index, &ready, &[], &late, &self.config);
                let limit = self.limits.provider;
                async move {
                    match tokio::time::timeout(limit, build).await {
                        Ok(result) => result,
                        Err(_) => Err(BuildError::TimedOut(limit)),
                    }
                }
            }))
            .await;
            let mut failed = None;
            for (&index, result) in wanted.iter().zip(done) {
                match result {
                    Ok(instance) => {
                        built.push((index, instance.clone()));
                        for (key, named) in graph.nodes[index].names(instance) {
                            if !is_replaced(&key) {
                                ready.entry(key).or_default().push(named);
                            }
                        }
                    }
                    Err(source) => {
                        failed.get_or_insert((index, source));
                    }
                }
            }
            if let Some((index, source)) = failed {
                tasks.0.shutdown(self.limits.tasks).await;
                drop(ready);
                while built.pop().is_some() {}
                return Err(LaunchError::Provider {
                    provider: graph.nodes[index].meta.key.to_string(),
                    path: graph.path_to(index),
                    source,
                });
            }
        }

        let live = built
            .into_iter()
            .map(|(index, instance)| Live {
                name: graph.nodes[index].meta.key,
                hooks: (graph.nodes[index].meta.hooks)(),
                instance,
            })
            .collect();
        let container = FrozenDiContainer {
            inner: Arc::new(Frozen {
                graph,
                ready,
                live,
                tasks,
                metrics,
                config: self.config,
                limits: self.limits,
            }),
        };
        let late = late.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = container.initialise(late, self.root.key).await {
            container.shutdown().await;
            return Err(error);
        }
        Ok(container)
    }

    /// A provider that every name of is replaced need not be built.
    fn is_covered(&self, node: &Node, is_replaced: &impl Fn(&Key) -> bool) -> bool {
        let bindings = node.entry.map_or(&[][..], |entry| entry.bindings);
        is_replaced(&node.meta.key)
            || (!bindings.is_empty() && bindings.iter().all(|b| is_replaced(&b.key) && !b.many))
    }

    /// Reads every section once, so that all faults are reported together.
    async fn check_config(
        &self,
        graph: &Graph,
        ready: &HashMap<Key, Vec<Instance>>,
        late: &Mutex<Vec<Late>>,
    ) -> Result<(), LaunchError> {
        let mut faults = String::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            if node.meta.config.is_none() || self.replaced.iter().any(|(k, _)| *k == node.meta.key)
            {
                continue;
            }
            if let Err(error) = build_node(graph, index, ready, &[], late, &self.config).await {
                faults.push_str(&error.to_string());
                faults.push('\n');
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(LaunchError::Config(faults)) }
    }
}

/// Builds one provider, and before it the transients that only it will hold.
fn build_node<'a>(
    graph: &'a Graph,
    index: usize,
    ready: &'a HashMap<Key, Vec<Instance>>,
    scoped: &'a [(Key, Instance)],
    late: &'a Mutex<Vec<Late>>,
    config: &'a Config,
) -> BuildFuture<'a> {
    Box::pin(async move {
        let meta = graph.nodes[index].meta;
        let mut own = vec![];
        for dep in meta.deps {
            if ready.contains_key(&dep.spec.key) {
                continue;
            }
            for &target in graph.targets(dep) {
                if graph.nodes[target].meta.scope == ProviderScope::Transient {
                    let instance = build_node(graph, target, ready, scoped, late, config).await?;
                    let names = graph.nodes[target].names(instance);
                    own.extend(names.into_iter().filter(|(key, _)| *key == dep.spec.key));
                }
            }
        }
        let resolver = Resolver { ready, own: Mutex::new(own), scoped, late, config };
        (meta.build)(&resolver).await
    })
}

#[derive(Debug)]
struct Live {
    name: Key,
    hooks: Option<HookTable>,
    instance: Instance,
}

#[derive(Debug)]
struct Frozen {
    graph: Graph,
    ready: HashMap<Key, Vec<Instance>>,
    /// In construction order.
    live: Vec<Live>,
    tasks: Owner,
    metrics: Metrics,
    config: Config,
    limits: LaunchLimits,
}

/// The built graph. Nothing is added or removed any more.
///
/// Handlers do not use it: they hold what they need. It is for tools, tests and
/// the edges of an application.
#[derive(Debug, Clone)]
pub struct FrozenDiContainer {
    inner: Arc<Frozen>,
}

impl FrozenDiContainer {
    /// A singleton, by type.
    #[must_use]
    pub fn get<T>(&self) -> Option<super::Inject<T>>
    where
        T: ?Sized + super::Token + Send + Sync + 'static,
    {
        self.get_arc(&T::KEY).map(super::Inject::new)
    }

    pub(super) fn get_arc<T: ?Sized + Send + Sync + 'static>(&self, key: &Key) -> Option<Arc<T>> {
        self.inner.ready.get(key)?.first()?.downcast()
    }

    /// Every provider that is bound to a `many` trait.
    #[must_use]
    pub fn get_all<T>(&self) -> Vec<Arc<T>>
    where
        T: ?Sized + super::Token + Send + Sync + 'static,
    {
        self.inner.ready.get(&T::KEY).into_iter().flatten().filter_map(Instance::downcast).collect()
    }

    /// A singleton, by key; what generated code uses while mounting routes.
    #[must_use]
    pub fn get_keyed<T: ?Sized + Send + Sync + 'static>(&self, key: &Key) -> Option<Arc<T>> {
        self.get_arc(key)
    }

    /// The configuration that the application was launched with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The background tasks of the application.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.inner.tasks.0
    }

    /// The metrics of the application.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// How `key` is built for each unit of work, if it is request-scoped or
    /// transient.
    #[must_use]
    pub fn scoped_plan(&self, key: &Key) -> Option<ScopedPlan> {
        if self.inner.ready.contains_key(key) {
            return None;
        }
        let &index = self.inner.graph.by_key.get(key)?.first()?;
        let mut order = vec![];
        self.plan(index, &mut order);
        Some(ScopedPlan { container: self.clone(), order, key: *key })
    }

    fn plan(&self, index: usize, order: &mut Vec<usize>) {
        for dep in self.inner.graph.nodes[index].meta.deps {
            for &target in self.inner.graph.targets(dep) {
                if self.inner.graph.nodes[target].meta.scope == ProviderScope::Request {
                    self.plan(target, order);
                }
            }
        }
        if !order.contains(&index) {
            order.push(index);
        }
    }

    /// Binds what is lazy and runs `on_init`.
    async fn initialise(&self, late: Vec<Late>, root: Key) -> Result<(), LaunchError> {
        for bind in late {
            bind(self).map_err(|source| LaunchError::Provider {
                provider: "a lazy dependency".to_owned(),
                path: root.to_string(),
                source,
            })?;
        }
        self.run_hooks("on_init", |hooks| hooks.on_init).await
    }

    /// Runs `on_start`, in construction order.
    ///
    /// # Errors
    /// The first hook that failed or missed its deadline.
    pub async fn start(&self) -> Result<(), LaunchError> {
        self.run_hooks("on_start", |hooks| hooks.on_start).await
    }

    async fn run_hooks(
        &self,
        hook: &'static str,
        pick: impl Fn(&HookTable) -> for<'a> fn(&'a Instance) -> HookFuture<'a>,
    ) -> Result<(), LaunchError> {
        for live in &self.inner.live {
            let Some(hooks) = &live.hooks else { continue };
            let failed = |reason: String| LaunchError::Hook {
                provider: live.name.to_string(),
                hook,
                reason,
            };
            match tokio::time::timeout(self.inner.limits.hook, pick(hooks)(&live.instance)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(failed(error.to_string())),
                Err(_) => {
                    return Err(failed(format!("not done within {:?}", self.inner.limits.hook)));
                }
            }
        }
        Ok(())
    }

    /// Runs `on_drain` of every provider, dependents first.
    pub async fn drain(&self) -> ShutdownReport {
        self.run_last_hooks("on_drain", |hooks| hooks.on_drain).await
    }

    /// Stops the background tasks, then runs `on_shutdown` of every provider,
    /// dependents first.
    pub async fn shutdown(&self) -> ShutdownReport {
        let tasks = self.tasks().shutdown(self.inner.limits.tasks).await;
        let mut report = self.run_last_hooks("on_shutdown", |hooks| hooks.on_shutdown).await;
        report.elapsed += tasks.elapsed;
        report.tasks = tasks;
        report
    }

    async fn run_last_hooks(
        &self,
        hook: &'static str,
        pick: impl Fn(&HookTable) -> for<'a> fn(&'a Instance) -> HookFuture<'a>,
    ) -> ShutdownReport {
        let started = tokio::time::Instant::now();
        let mut report = ShutdownReport::default();
        for live in self.inner.live.iter().rev() {
            let Some(hooks) = &live.hooks else { continue };
            let reason =
                match tokio::time::timeout(self.inner.limits.hook, pick(hooks)(&live.instance))
                    .await
                {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("not done within {:?}", self.inner.limits.hook),
                };
            report.failures.push((live.name.to_string(), hook, reason));
        }
        report.elapsed = started.elapsed();
        report
    }
}

type HookFuture<'a> = Pin<Box<dyn Future<Output = Result<(), super::HookError>> + Send + 'a>>;

/// How a request-scoped provider is built, worked out at launch.
#[derive(Debug, Clone)]
pub struct ScopedPlan {
    container: FrozenDiContainer,
    order: Vec<usize>,
    key: Key,
}

impl ScopedPlan {
    /// Whether something that is built for it asks for this key.
    #[must_use]
    pub fn asks_for(&self, key: &Key) -> bool {
        let nodes = &self.container.inner.graph.nodes;
        let mut deps = self.order.iter().flat_map(|&index| nodes[index].meta.deps);
        deps.any(|dep| dep.spec.key.same(key))
    }

    /// Builds it for one unit of work. `cache` holds what that unit has built
    /// so far, and what it starts from (its [`crate::scope::Scope`]).
    ///
    /// # Errors
    /// When one of its factories fails.
    ///
    /// # Cancel safety
    /// May be dropped; `cache` then holds what was finished.
    pub async fn build(&self, cache: &mut Vec<(Key, Instance)>) -> Result<Instance, BuildError> {
        let frozen = &self.container.inner;
        let late = Mutex::new(vec![]);
        for &index in &self.order {
            let node = &frozen.graph.nodes[index];
            let cacheable = node.meta.scope == ProviderScope::Request;
            if cacheable && cache.iter().any(|(key, _)| *key == node.meta.key) {
                continue;
            }
            let instance =
                build_node(&frozen.graph, index, &frozen.ready, cache, &late, &frozen.config)
                    .await?;
            if !cacheable {
                // Only the plan's own target can be transient, and it is last.
                let named = node.names(instance).into_iter().find(|(key, _)| *key == self.key);
                return named.map(|(_, i)| i).ok_or(BuildError::Missing(self.key));
            }
            cache.extend(node.names(instance));
        }
        for bind in late.into_inner().unwrap_or_else(PoisonError::into_inner) {
            bind(&self.container)?;
        }
        let found = cache.iter().find(|(key, _)| *key == self.key);
        found.map(|(_, instance)| instance.clone()).ok_or(BuildError::Missing(self.key))
    }
}

impl ModuleMeta {
    /// This module and all it reaches, imports first, each once.
    #[must_use]
    pub fn in_order(&'static self) -> Vec<&'static Self> {
        fn visit(
            module: &'static ModuleMeta,
            seen: &mut HashSet<Key>,
            out: &mut Vec<&'static ModuleMeta>,
        ) {
            if seen.insert(module.key) {
                for import in module.imports.iter().chain(module.reexports) {
                    visit(import, seen, out);
                }
                out.push(module);
            }
        }
        let mut out = vec![];
        visit(self, &mut HashSet::new(), &mut out);
        out
    }
}

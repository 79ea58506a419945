//! Faults of providers: missing, hidden, captive, cyclic.

use super::{MODULES_MAX, NONE, PROVIDERS_MAX, Proof};
use crate::access::AUTHENTICATOR_KEY;
use crate::cache::RESPONSE_CACHE_KEY;
use crate::di::key::{Key, last_segment};
use crate::di::meta::{Dep, DepKind, Needer, Place, ProviderScope};
use crate::observe::METRICS_KEY;
use crate::scope::SCOPE_KEY;
use crate::task::TASKS_KEY;
use crate::time::CLOCK_KEY;

/// What every graph has without a provider.
const BUILT_IN: [Key; 3] = [TASKS_KEY, METRICS_KEY, RESPONSE_CACHE_KEY];

/// What `RealtimeModule` provides, which gateways need.
const SOCKETS_KEY: Key = Key::of("arcly_http::realtime::ConnectionRegistry", 0, 0);
const HUB_KEY: Key = Key::of("arcly_http::realtime::Hub", 0, 0);

const fn is_built_in(key: &Key) -> bool {
    let mut at = 0;
    while at < BUILT_IN.len() {
        if key.same(&BUILT_IN[at]) {
            return true;
        }
        at += 1;
    }
    false
}

/// By module: the last module that was found to see its exports.
type Visible = [u16; MODULES_MAX];

/// Who has a dependency.
#[derive(Clone, Copy)]
struct Holder {
    /// Its type, or the controller whose handler it is.
    key: Key,
    /// The handler; empty for a provider.
    handler: &'static str,
    /// Which part of it; `None` for a field.
    part: Option<Needer>,
    place: Place,
    scope: ProviderScope,
}

impl Proof {
    /// What the container makes itself would be provided without an effect.
    pub(super) const fn check_built_in(&mut self) {
        let mut at = 0;
        while at < BUILT_IN.len() {
            let key = BUILT_IN[at];
            let found = self.find(&key);
            if found != NONE {
                let module = self.module(self.records[found as usize].module as usize);
                self.text.fault("module `");
                self.text.put_key(&module.key);
                self.text.put("` provides `");
                self.text.put_key(&key);
                self.text.put("`, which is in every graph already\n");
                self.text.at(module.place.file, module.place.line);
                self.text
                    .help("take it out of `providers(..)`; it is injected without being listed");
            }
            at += 1;
        }
    }

    pub(super) const fn check_exports(&mut self) {
        let mut m = 0;
        while m < self.module_count {
            let module = self.module(m);
            let mut e = 0;
            while e < module.exports.len() {
                let key = &module.exports[e];
                let record = self.record_of(key, m);
                if record == NONE {
                    self.text.fault("module `");
                    self.text.put_key(&module.key);
                    self.text.put("` exports `");
                    self.text.put_key(key);
                    self.text.put("`, which it does not provide\n");
                    self.text.at(module.place.file, module.place.line);
                    self.text.help("list it in `providers(..)` too, or pass on a whole imported module by `reexports(..)`");
                } else {
                    self.exported[record as usize] = true;
                }
                e += 1;
            }
            m += 1;
        }
    }

    /// The record of `key` in one module, or [`NONE`].
    pub(super) const fn record_of(&self, key: &Key, module: usize) -> u16 {
        let mut at = self.find(key);
        while at != NONE && self.records[at as usize].module as usize != module {
            at = self.records[at as usize].next;
        }
        at
    }

    pub(super) const fn check_dependencies(&mut self) {
        let mut visible = [NONE; MODULES_MAX];
        let mut m = 0;
        while m < self.module_count {
            let module = self.module(m);
            self.mark_visible(m, &mut visible);
            let mut e = 0;
            while e < module.providers.len() {
                let meta = module.providers[e].meta;
                let holder = Holder {
                    key: meta.key,
                    handler: "",
                    part: None,
                    place: meta.place,
                    scope: meta.scope,
                };
                self.check_needs(m, &visible, &holder, meta.deps);
                e += 1;
            }
            let mut c = 0;
            while c < module.controllers.len() {
                self.check_controller(m, &visible, c);
                c += 1;
            }
            let mut d = 0;
            while d < module.deps.len() {
                let holder = Holder {
                    key: module.key,
                    handler: "",
                    part: Some(Needer::Stage),
                    place: module.place,
                    scope: ProviderScope::Singleton,
                };
                self.check_needs(m, &visible, &holder, module.deps[d]);
                d += 1;
            }
            m += 1;
        }
    }

    const fn check_controller(&mut self, m: usize, visible: &Visible, c: usize) {
        let controller = self.module(m).controllers[c];
        let meta = controller.provider;
        let holder = Holder {
            key: meta.key,
            handler: "",
            part: None,
            place: meta.place,
            scope: ProviderScope::Singleton,
        };
        self.check_needs(m, visible, &holder, meta.deps);
        if !matches!(meta.scope, ProviderScope::Singleton) {
            self.text.fault("controller `");
            self.text.put_key(&meta.key);
            self.text.put("` is not a singleton\n");
            self.text.at(meta.place.file, meta.place.line);
            self.text.help("controllers live as long as the application; take what belongs to one request as an argument of the handler");
        }
        let mut r = 0;
        while r < controller.routes.len() {
            let route = &controller.routes[r];
            let mut n = 0;
            while n < route.needs.len() {
                let holder = Holder {
                    key: meta.key,
                    handler: route.handler,
                    part: Some(route.needs[n].of),
                    place: route.place,
                    // A handler runs within a request, so it may take anything.
                    scope: ProviderScope::Request,
                };
                self.check_needs(m, visible, &holder, route.needs[n].deps);
                n += 1;
            }
            r += 1;
        }
    }

    const fn check_needs(
        &mut self,
        m: usize,
        visible: &Visible,
        holder: &Holder,
        deps: &'static [Dep],
    ) {
        let mut d = 0;
        while d < deps.len() {
            self.check_need(m, visible, holder, &deps[d]);
            d += 1;
        }
    }

    const fn check_need(&mut self, m: usize, visible: &Visible, holder: &Holder, dep: &Dep) {
        if dep.spec.key.same(&SCOPE_KEY) {
            self.check_captive(holder, dep, ProviderScope::Request);
            return;
        }
        if matches!(dep.spec.kind, DepKind::All) {
            let mut at = self.find(&dep.spec.key);
            while at != NONE {
                self.needed[self.records[at as usize].node as usize] = true;
                self.check_captive(holder, dep, self.records[at as usize].scope);
                at = self.records[at as usize].next;
            }
            return;
        }
        if dep.spec.many {
            self.head("ambiguous dependency: ", holder, dep);
            self.text.help("the trait is declared `#[injectable(many)]`: inject `All<dyn ..>`");
            return;
        }
        let found = self.find(&dep.spec.key);
        if found == NONE {
            if !is_built_in(&dep.spec.key) && !matches!(dep.spec.kind, DepKind::Optional) {
                self.head("missing provider: ", holder, dep);
                self.help_missing(m, &dep.spec.key);
            }
            return;
        }
        self.needed[self.records[found as usize].node as usize] = true;
        let owner = self.records[found as usize].module as usize;
        let is_seen = owner == m
            || self.exported[found as usize]
                && (visible[owner] as usize == m || self.module(owner).global);
        if !is_seen {
            self.report_hidden(m, found, holder, dep);
            return;
        }
        self.check_captive(holder, dep, self.records[found as usize].scope);
    }

    /// Nobody provides it: says where such a thing comes from.
    const fn help_missing(&mut self, m: usize, key: &Key) {
        if key.same(&CLOCK_KEY) {
            self.text.help("no module in the graph provides it; list `arcly_http::time::SystemClock as dyn Clock` in `providers(..)`, and `dyn Clock` in `exports(..)`, of a global module");
            return;
        }
        if key.same(&AUTHENTICATOR_KEY) {
            self.text.help("no module in the graph provides it, and a route that is not `#[public]` needs one: list a factory that returns `Arc<dyn Authenticator>` in `providers(..)` and `exports(..)` of a global module; the documentation of `arcly_http::access::Authenticator` shows one");
            return;
        }
        if key.same(&SOCKETS_KEY) || key.same(&HUB_KEY) {
            self.text.help("no module in the graph provides it; write `imports(arcly_http::realtime::RealtimeModule)` at the root module, which gives it to all");
            return;
        }
        self.text.help_head();
        if is_dyn(key.name) {
            self.text.put("no module in the graph binds it; write `TheType as dyn ");
            self.text.put(last_segment(key.name));
            self.text.put("` in `providers(..)` of `");
        } else {
            self.text.put("no module in the graph provides it; add it to `providers(..)` of `");
        }
        self.text.put_key(&self.module(m).key);
        self.text.put("`, or import a module that exports it\n");
    }

    const fn report_hidden(&mut self, m: usize, found: u16, holder: &Holder, dep: &Dep) {
        let owner = self.records[found as usize].module as usize;
        let (here, there) = (self.module(m), self.module(owner));
        self.head("missing provider: ", holder, dep);
        self.text.help_head();
        self.text.put("`");
        self.text.put_key(&there.key);
        if self.exported[found as usize] {
            self.text.put("` exports it, but `");
            self.text.put_key(&here.key);
            self.text.put("` does not import it; write `imports(");
            self.text.put(last_segment(there.key.name));
            self.text.put(")`");
        } else {
            self.text.put("` provides it but does not list it in `exports(..)`");
        }
        self.text.put_place(&there.place);
        self.text.put("\n");
    }

    /// What lives shorter than its holder would be kept too long, or missed.
    const fn check_captive(&mut self, holder: &Holder, dep: &Dep, scope: ProviderScope) {
        if matches!(scope, ProviderScope::Singleton) {
            return;
        }
        match dep.spec.kind {
            DepKind::Lazy | DepKind::All | DepKind::Shared => {
                self.head("short-lived dependency: ", holder, dep);
                self.text.help(match dep.spec.kind {
                    DepKind::Lazy => "`Lazy` is bound once, at launch, and so only to what lives as long as the application; inject it by `Inject<..>`, or drop its `#[inject(scope = ..)]`",
                    DepKind::All => "`All` is collected once, at launch, and would miss it; drop its `#[inject(scope = ..)]`",
                    _ => "guards, interceptors and filters live as long as the application; drop its `#[inject(scope = ..)]` and read what belongs to the request from their arguments",
                });
                return;
            }
            DepKind::One | DepKind::Optional => {}
        }
        if matches!(scope, ProviderScope::Transient)
            || matches!(holder.scope, ProviderScope::Request)
        {
            return;
        }
        self.head("captive dependency: ", holder, dep);
        if matches!(holder.scope, ProviderScope::Transient) {
            self.text.help("it lives for one request only; make the one that needs it `#[inject(scope = request)]` as well");
        } else {
            self.text.help("it lives for one request, the one that needs it for the whole application; make that one `#[inject(scope = request)]`, or take it as an argument of the handler");
        }
    }

    const fn head(&mut self, what: &str, holder: &Holder, dep: &Dep) {
        self.text.fault(what);
        self.text.put("`");
        self.text.put_key(&holder.key);
        if !holder.handler.is_empty() {
            self.text.put("::");
            self.text.put(holder.handler);
        }
        self.text.put("` needs `");
        self.text.put_key(&dep.spec.key);
        let line = match holder.part {
            None => {
                self.text.put("` for field `");
                self.text.put(dep.field);
                self.text.put("`\n");
                dep.line
            }
            Some(Needer::Handler { argument, line }) => {
                self.text.put("` for argument `");
                self.text.put(argument);
                self.text.put("`\n");
                line
            }
            Some(Needer::Stage) => {
                self.text.put("` as guard, interceptor or filter\n");
                dep.line
            }
            Some(Needer::Rule) => {
                self.text.put("` for its access rule\n");
                0
            }
        };
        self.text.at(holder.place.file, if line == 0 { holder.place.line } else { line });
    }

    /// Marks with `m` every module whose exports module `m` sees: those that it
    /// imports, and those that one of these passes on by `reexports`.
    const fn mark_visible(&self, m: usize, visible: &mut Visible) {
        let here = self.module(m);
        let mut queue = [0u16; MODULES_MAX];
        let mut tail = 0;
        let mut i = 0;
        while i < here.imports.len() + here.reexports.len() {
            let import = if i < here.imports.len() {
                here.imports[i]
            } else {
                here.reexports[i - here.imports.len()]
            };
            let index = self.module_index(&import.key);
            if visible[index] as usize != m {
                visible[index] = m as u16;
                queue[tail] = index as u16;
                tail += 1;
            }
            i += 1;
        }
        let mut head = 0;
        while head < tail {
            let passed = self.module(queue[head] as usize).reexports;
            let mut i = 0;
            while i < passed.len() {
                let index = self.module_index(&passed[i].key);
                if visible[index] as usize != m {
                    visible[index] = m as u16;
                    queue[tail] = index as u16;
                    tail += 1;
                }
                i += 1;
            }
            head += 1;
        }
    }

    /// Finds a provider cycle, if any, by colouring. Lazy edges do not count.
    pub(super) const fn check_cycles(&mut self) {
        const WHITE: u8 = 0;
        const GREY: u8 = 1;
        const BLACK: u8 = 2;
        let mut colour = [WHITE; PROVIDERS_MAX];
        let mut stack = [0u16; PROVIDERS_MAX];
        // What each on the stack still needs; the first is being looked at.
        let mut needs: [&'static [Dep]; PROVIDERS_MAX] = [&[]; PROVIDERS_MAX];
        // Where in the chain of that key the search stands; NONE: not begun.
        let mut chain_at = [NONE; PROVIDERS_MAX];
        let mut start = 0;
        while start < self.record_count {
            if self.records[start].node as usize != start || colour[start] != WHITE {
                start += 1;
                continue;
            }
            let mut depth = 1;
            stack[0] = start as u16;
            needs[0] = self.meta(start as u16).deps;
            chain_at[0] = NONE;
            colour[start] = GREY;
            while depth > 0 {
                let top = depth - 1;
                let [dep, more @ ..] = needs[top] else {
                    colour[stack[top] as usize] = BLACK;
                    depth -= 1;
                    continue;
                };
                let target = if matches!(dep.spec.kind, DepKind::Lazy) {
                    NONE
                } else if chain_at[top] == NONE {
                    self.find(&dep.spec.key)
                } else {
                    self.records[chain_at[top] as usize].next
                };
                chain_at[top] = target;
                if target == NONE {
                    needs[top] = more;
                    continue;
                }
                let next = self.records[target as usize].node;
                if colour[next as usize] == GREY {
                    let mut from = top;
                    while stack[from] != next {
                        from -= 1;
                    }
                    self.report_cycle(&stack, &needs, from, depth);
                } else if colour[next as usize] == WHITE {
                    colour[next as usize] = GREY;
                    stack[depth] = next;
                    needs[depth] = self.meta(next).deps;
                    chain_at[depth] = NONE;
                    depth += 1;
                }
            }
            start += 1;
        }
    }

    const fn report_cycle(
        &mut self,
        stack: &[u16; PROVIDERS_MAX],
        needs: &[&'static [Dep]; PROVIDERS_MAX],
        from: usize,
        to: usize,
    ) {
        self.text.fault("dependency cycle:");
        let mut i = from;
        while i < to {
            let meta = self.meta(stack[i]);
            let dep = &needs[i][0];
            self.text.put("        `");
            self.text.put_key(&meta.key);
            self.text.put("` needs `");
            self.text.put_key(&dep.spec.key);
            self.text.put("` for field `");
            self.text.put(dep.field);
            self.text.put("`");
            let place = Place { file: meta.place.file, line: dep.line };
            self.text.put_place(&place);
            self.text.put("\n");
            i += 1;
        }
        self.text.help("move the shared part to a third provider, or make one side `Lazy<..>`");
    }
}

const fn is_dyn(name: &str) -> bool {
    matches!(name.as_bytes(), [b'd', b'y', b'n', b' ', ..])
}

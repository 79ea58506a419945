//! Faults of providers that are listed without an effect: a guard that nobody names, a
//! health check that nobody asks.

use super::{NONE, Proof};
use crate::access::AUTHENTICATOR_KEY;
use crate::di::key::{Key, last_segment};
use crate::di::meta::{ModuleMeta, ProviderEntry, Roles};
use crate::observe::HEALTH_CHECK_KEY;
use crate::rate::RATE_LIMIT_STORE_KEY;
use crate::time::CLOCK_KEY;

/// A role that a type has once some section names it.
struct Stage {
    role: u8,
    what: &'static str,
    section: &'static str,
}

const STAGES: [Stage; 3] = [
    Stage { role: Roles::GUARD, what: "guard", section: "guards" },
    Stage { role: Roles::INTERCEPTOR, what: "interceptor", section: "interceptors" },
    Stage { role: Roles::FILTER, what: "filter", section: "filters" },
];

/// A trait that the framework itself asks the graph for, whoever else does.
struct Port {
    role: u8,
    key: Key,
    name: &'static str,
    /// Whether one that is injected by its own name has an effect there.
    may_serve_others: bool,
}

const PORTS: [Port; 4] = [
    // A pool of connections that is injected by everybody is the usual health check.
    Port {
        role: Roles::HEALTH_CHECK,
        key: HEALTH_CHECK_KEY,
        name: "HealthCheck",
        may_serve_others: false,
    },
    Port {
        role: Roles::AUTHENTICATOR,
        key: AUTHENTICATOR_KEY,
        name: "Authenticator",
        may_serve_others: true,
    },
    Port {
        role: Roles::RATE_LIMIT_STORE,
        key: RATE_LIMIT_STORE_KEY,
        name: "RateLimitStore",
        may_serve_others: true,
    },
    Port { role: Roles::CLOCK, key: CLOCK_KEY, name: "Clock", may_serve_others: true },
];

impl Proof {
    /// Invariant: dependencies were checked before, which marks what is needed.
    pub(super) const fn check_effects(&mut self) {
        let mut m = 0;
        while m < self.module_count {
            let module = self.module(m);
            let mut e = 0;
            while e < module.providers.len() {
                let entry = &module.providers[e];
                if !entry.roles.is_none() {
                    self.check_stages(m, module, entry);
                    self.check_ports(m, module, entry);
                }
                e += 1;
            }
            m += 1;
        }
    }

    const fn check_stages(&mut self, m: usize, module: &ModuleMeta, entry: &ProviderEntry) {
        let record = self.record_of(&entry.meta.key, m);
        if record == NONE || self.needed[record as usize] || self.is_offer(module, record) {
            return;
        }
        // A binding to a trait is a use of its own.
        if !entry.bindings.is_empty() {
            return;
        }
        let mut s = 0;
        while s < STAGES.len() {
            let Stage { role, what, section } = STAGES[s];
            s += 1;
            if !entry.roles.has(role) {
                continue;
            }
            let name = last_segment(entry.meta.key.name);
            self.text.fault(what);
            self.text.put(" without effect: `");
            self.text.put_key(&entry.meta.key);
            self.text.put("` stands in `providers(..)` of `");
            self.text.put_key(&module.key);
            self.text.put("`, but no `");
            self.text.put(section);
            self.text.put("(..)` names it\n");
            self.text.at(module.place.file, module.place.line);
            self.text.help_head();
            self.text.put("write `#[");
            self.text.put(section);
            self.text.put("(");
            self.text.put(name);
            self.text.put(")]` on a route or below `#[controller(..)]`, or `");
            self.text.put(section);
            self.text.put("(");
            self.text.put(name);
            self.text
                .put(")` into `#[module(..)]` (of the root module: for every route); or delete `");
            self.text.put(entry.name);
            self.text.put("` from `providers(..)`\n");
            return;
        }
    }

    const fn check_ports(&mut self, m: usize, module: &ModuleMeta, entry: &ProviderEntry) {
        let mut p = 0;
        while p < PORTS.len() {
            let Port { role, key, name, may_serve_others } = PORTS[p];
            p += 1;
            if !entry.roles.has(role) || entry.meta.key.same(&key) || is_bound(entry, &key) {
                continue;
            }
            let record = self.record_of(&entry.meta.key, m);
            if record == NONE || self.is_offer(module, record) {
                continue;
            }
            if may_serve_others && self.needed[record as usize] && self.find(&key) != NONE {
                continue;
            }
            self.text.fault("provider without effect: `");
            self.text.put_key(&entry.meta.key);
            self.text.put("` implements `");
            self.text.put(name);
            self.text.put("`, but stands in `providers(..)` of `");
            self.text.put_key(&module.key);
            self.text.put("` by its own name alone, so that nobody asks it\n");
            self.text.at(module.place.file, module.place.line);
            self.text.help_head();
            self.text.put("write `as dyn ");
            self.text.put(name);
            self.text.put("` behind `");
            self.text.put(entry.name);
            self.text.put("` there\n");
        }
    }

    /// Whether another crate offers it to the application, which may take something else.
    const fn is_offer(&self, module: &ModuleMeta, record: u16) -> bool {
        let root = self.module(self.module_count - 1);
        self.exported[record as usize] && !same_crate(root.key.name, module.key.name)
    }
}

const fn is_bound(entry: &ProviderEntry, key: &Key) -> bool {
    let mut b = 0;
    while b < entry.bindings.len() {
        if entry.bindings[b].key.same(key) {
            return true;
        }
        b += 1;
    }
    false
}

/// Whether two paths begin with the same crate.
const fn same_crate(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        if *x != *y {
            return false;
        }
        if *x == b':' {
            return true;
        }
        (a, b) = (a_rest, b_rest);
    }
    false
}

//! Faults of routes: duplicate, shadowed, parameters without arguments.

use super::{NONE, Proof, ROUTES_MAX, TABLE};
use crate::di::key::str_eq;
use crate::di::meta::{Host, RouteFact};

#[derive(Clone, Copy)]
struct Known {
    module: u16,
    controller: u16,
    route: u16,
}

impl Proof {
    const fn route(&self, known: Known) -> &'static RouteFact {
        let module = self.module(known.module as usize);
        &module.controllers[known.controller as usize].routes[known.route as usize]
    }

    /// The path with the prefix of its module. The root's prefix stands before
    /// every path, so that leaving it out everywhere compares the same.
    const fn whole(&self, known: Known) -> Whole {
        let module = self.module(known.module as usize);
        let path = self.route(known).path;
        // Modules are collected imports first: the root is the last.
        let is_root = known.module as usize + 1 == self.module_count;
        let prefix = if is_root { "" } else { module.prefix };
        let is_prefixed = !prefix.is_empty();
        let path = if is_prefixed && str_eq(path, "/") { "" } else { path };
        Whole { prefix: prefix.as_bytes(), path: path.as_bytes() }
    }

    pub(super) const fn check_routes(&mut self) {
        let mut known = [Known { module: 0, controller: 0, route: 0 }; ROUTES_MAX];
        let mut count = 0;
        let mut table = [NONE; TABLE];
        let mut m = 0;
        while m < self.module_count {
            let module = self.module(m);
            let mut c = 0;
            while c < module.controllers.len() {
                let mut r = 0;
                while r < module.controllers[c].routes.len() {
                    if count == ROUTES_MAX {
                        self.text.fault("more than 4096 routes in one application");
                        return;
                    }
                    let here = Known { module: m as u16, controller: c as u16, route: r as u16 };
                    known[count] = here;
                    self.check_parameters(here);
                    self.check_duplicate(here, &known, count, &mut table);
                    count += 1;
                    r += 1;
                }
                c += 1;
            }
            m += 1;
        }
        self.check_catch_alls(&known, count);
    }

    const fn check_duplicate(
        &mut self,
        here: Known,
        known: &[Known; ROUTES_MAX],
        count: usize,
        table: &mut [u16; TABLE],
    ) {
        let route = self.route(here);
        let path = self.whole(here);
        let mut slot = shape_hash(path) as usize % TABLE;
        while table[slot] != NONE {
            let other = known[table[slot] as usize];
            let earlier = self.route(other);
            if str_eq(earlier.method, route.method)
                && str_eq(earlier.version, route.version)
                && same_host(&earlier.host, &route.host)
                && same_shape(self.whole(other), path)
            {
                self.text.fault("duplicate route: ");
                self.text.put(route.method);
                self.text.put(" ");
                self.text.put(route.path);
                self.text.put("\n");
                self.put_route(other);
                self.put_route(here);
                self.text.help("change one path, method, host or version");
                return;
            }
            slot = (slot + 1) % TABLE;
        }
        table[slot] = count as u16;
    }

    /// A catch-all and a parameter at one place would hide each other.
    const fn check_catch_alls(&mut self, known: &[Known; ROUTES_MAX], count: usize) {
        let mut i = 0;
        while i < count {
            let route = self.route(known[i]);
            if has_catch_all(route.path) {
                let mut j = 0;
                while j < count {
                    let other = self.route(known[j]);
                    if !has_catch_all(other.path)
                        && is_shadowed(self.whole(known[i]), self.whole(known[j]))
                    {
                        self.text.fault("shadowed route: ");
                        self.text.put(route.path);
                        self.text.put(" and ");
                        self.text.put(other.path);
                        self.text.put(" compete for the same paths\n");
                        self.put_route(known[i]);
                        self.put_route(known[j]);
                        self.text
                            .help("give the catch-all a segment of its own, or drop the parameter");
                    }
                    j += 1;
                }
            }
            i += 1;
        }
    }

    const fn put_route(&mut self, known: Known) {
        let module = self.module(known.module as usize);
        let controller = module.controllers[known.controller as usize];
        let route = &controller.routes[known.route as usize];
        self.text.put("        `");
        self.text.put_key(&controller.provider.key);
        self.text.put("::");
        self.text.put(route.handler);
        self.text.put("` as ");
        self.text.put(route.path);
        self.text.put_place(&route.place);
        self.text.put("\n");
    }

    /// Each parameter of the path has an argument, and the other way round.
    const fn check_parameters(&mut self, here: Known) {
        let route = self.route(here);
        let path = route.path.as_bytes();
        let mut found = [false; 32];
        let mut i = 0;
        while i < path.len() {
            if path[i] == b'{' {
                let start = if i + 1 < path.len() && path[i + 1] == b'*' { i + 2 } else { i + 1 };
                let mut end = start;
                while end < path.len() && path[end] != b'}' {
                    end += 1;
                }
                let (_, rest) = route.path.split_at(start);
                let (name, _) = rest.split_at(end - start);
                let mut is_named = false;
                let mut a = 0;
                while a < route.path_args.len() {
                    if str_eq(route.path_args[a], name) {
                        is_named = true;
                        if a < found.len() {
                            found[a] = true;
                        }
                    }
                    a += 1;
                }
                if !is_named {
                    self.parameter_fault(
                        here,
                        "the path has `{",
                        name,
                        "}`, but no argument reads it",
                    );
                    self.text.help_head();
                    self.text.put("add an argument `");
                    self.text.put(name);
                    self.text.put(": Path<..>`\n");
                }
                i = end;
            }
            i += 1;
        }
        let mut a = 0;
        while a < route.path_args.len() && a < found.len() {
            if !found[a] {
                self.parameter_fault(
                    here,
                    "argument `",
                    route.path_args[a],
                    "` reads a parameter that the path does not have",
                );
                self.text.help_head();
                self.text.put("write `{");
                self.text.put(route.path_args[a]);
                self.text.put("}` into the path\n");
            }
            a += 1;
        }
    }

    const fn parameter_fault(&mut self, here: Known, before: &str, name: &str, after: &str) {
        self.text.fault("path parameter: ");
        self.text.put(before);
        self.text.put(name);
        self.text.put(after);
        self.text.put("\n");
        self.put_route(here);
    }
}

const fn same_host(a: &Host, b: &Host) -> bool {
    match (a, b) {
        (Host::Any, Host::Any) => true,
        (Host::Name(a), Host::Name(b)) => str_eq(a, b),
        _ => false,
    }
}

const fn has_catch_all(path: &str) -> bool {
    let bytes = path.as_bytes();
    let mut i = 0;
    while i + 1 < bytes.len() {
        if bytes[i] == b'{' && bytes[i + 1] == b'*' {
            return true;
        }
        i += 1;
    }
    false
}

/// A path in two parts, read as one.
#[derive(Clone, Copy)]
struct Whole {
    prefix: &'static [u8],
    path: &'static [u8],
}

impl Whole {
    const fn len(&self) -> usize {
        self.prefix.len() + self.path.len()
    }

    const fn at(&self, i: usize) -> u8 {
        if i < self.prefix.len() { self.prefix[i] } else { self.path[i - self.prefix.len()] }
    }

    /// Steps over one parameter; `i` stands on `{`.
    const fn after_parameter(&self, mut i: usize) -> usize {
        while i < self.len() && self.at(i) != b'}' {
            i += 1;
        }
        i + 1
    }

    const fn is_catch_all(&self, i: usize) -> bool {
        i + 1 < self.len() && self.at(i + 1) == b'*'
    }
}

/// FNV-1a of the path with the names of parameters left out.
const fn shape_hash(path: Whole) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut i = 0;
    while i < path.len() {
        hash = (hash ^ path.at(i) as u32).wrapping_mul(0x0100_0193);
        i = if path.at(i) == b'{' { path.after_parameter(i) } else { i + 1 };
    }
    hash
}

/// `/a/{x}` and `/a/{y}` have the same shape; `/a/me` has another.
const fn same_shape(a: Whole, b: Whole) -> bool {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a.at(i) != b.at(j) {
            return false;
        }
        if a.at(i) == b'{' {
            if a.is_catch_all(i) != b.is_catch_all(j) {
                return false;
            }
            i = a.after_parameter(i);
            j = b.after_parameter(j);
        } else {
            i += 1;
            j += 1;
        }
    }
    i == a.len() && j == b.len()
}

/// Whether `b` has a parameter exactly where `a` begins to catch all.
const fn is_shadowed(a: Whole, b: Whole) -> bool {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a.at(i) != b.at(j) {
            return false;
        }
        if a.at(i) == b'{' {
            if a.is_catch_all(i) {
                return true;
            }
            i = a.after_parameter(i);
            j = b.after_parameter(j);
        } else {
            i += 1;
            j += 1;
        }
    }
    false
}

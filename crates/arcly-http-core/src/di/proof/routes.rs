//! Faults of routes: duplicate, shadowed, parameters without arguments.

use super::{NONE, Proof, ROUTES_MAX, TABLE};
use crate::di::key::str_eq;
use crate::di::meta::{Host, RouteFact};

#[derive(Clone, Copy)]
struct Known {
    module: u16,
    controller: u16,
    route: u16,
    /// Of the whole path, see [`step`].
    shape: u128,
    is_catch_all: bool,
}

/// All routes, in the order of modules, and an index into them by shape.
struct Routes {
    known: [Known; ROUTES_MAX],
    count: usize,
    table: [u16; TABLE],
}

impl Proof {
    const fn route(&self, known: &Known) -> &'static RouteFact {
        let module = self.module(known.module as usize);
        &module.controllers[known.controller as usize].routes[known.route as usize]
    }

    /// What stands before the paths of a module. The root's prefix stands before
    /// every path, so that leaving it out everywhere compares the same.
    const fn prefix(&self, module: usize) -> &'static str {
        // Modules are collected imports first: the root is the last.
        if module + 1 == self.module_count { "" } else { self.module(module).prefix }
    }

    const fn whole(&self, known: &Known) -> Whole {
        let prefix = self.prefix(known.module as usize);
        let path = below(prefix, self.route(known).path);
        Whole { prefix: prefix.as_bytes(), path: path.as_bytes() }
    }

    pub(super) const fn check_routes(&mut self) {
        let nothing = Known { module: 0, controller: 0, route: 0, shape: 0, is_catch_all: false };
        let mut routes = Routes { known: [nothing; ROUTES_MAX], count: 0, table: [NONE; TABLE] };
        let mut has_catch_all = false;
        let mut m = 0;
        while m < self.module_count {
            let module = self.module(m);
            let prefix = self.prefix(m);
            let start = shape_of(EMPTY, prefix.as_bytes());
            let mut c = 0;
            while c < module.controllers.len() {
                let all = module.controllers[c].routes;
                let mut r = 0;
                while r < all.len() {
                    if routes.count == ROUTES_MAX {
                        self.text.fault("more than 4096 routes in one application");
                        return;
                    }
                    let mut known = Known {
                        module: m as u16,
                        controller: c as u16,
                        route: r as u16,
                        shape: start,
                        is_catch_all: false,
                    };
                    self.scan(&mut known, &all[r], prefix.is_empty());
                    has_catch_all |= known.is_catch_all;
                    self.check_duplicate(&known, &all[r], &mut routes);
                    routes.known[routes.count] = known;
                    routes.count += 1;
                    r += 1;
                }
                c += 1;
            }
            m += 1;
        }
        if has_catch_all && self.may_be_shadowed(&routes) {
            self.check_catch_alls(&routes);
        }
    }

    const fn check_duplicate(&mut self, here: &Known, route: &RouteFact, routes: &mut Routes) {
        let mut slot = here.shape as usize % TABLE;
        while routes.table[slot] != NONE {
            let other = routes.known[routes.table[slot] as usize];
            if other.shape == here.shape {
                let earlier = self.route(&other);
                if str_eq(earlier.method, route.method)
                    && str_eq(earlier.version, route.version)
                    && same_host(&earlier.host, &route.host)
                    && same_shape(self.whole(&other), self.whole(here))
                    // One controller in two lists was reported as such.
                    && !earlier.place.same(&route.place)
                {
                    self.text.fault("duplicate route: ");
                    self.text.put(route.method);
                    self.text.put(" ");
                    self.text.put(route.path);
                    self.text.put("\n");
                    self.put_route(&other);
                    self.put_route(here);
                    self.text.help("change one path, method, host or version");
                    return;
                }
            }
            slot = (slot + 1) % TABLE;
        }
        routes.table[slot] = routes.count as u16;
    }

    /// Whether some path has a parameter where the shape of a catch-all ends.
    /// Comparing each catch-all with each route is worth it only then.
    const fn may_be_shadowed(&self, routes: &Routes) -> bool {
        let mut i = 0;
        while i < routes.count {
            let whole = self.whole(&routes.known[i]);
            let mut shape = shape_of(EMPTY, whole.prefix);
            let mut path = whole.path;
            while let [byte, rest @ ..] = path {
                shape = step(shape, *byte);
                path = rest;
                if *byte != b'{' {
                    continue;
                }
                let mut slot = shape as usize % TABLE;
                while !matches!(path, [b'*', ..]) && routes.table[slot] != NONE {
                    let other = &routes.known[routes.table[slot] as usize];
                    if other.is_catch_all && other.shape == shape {
                        return true;
                    }
                    slot = (slot + 1) % TABLE;
                }
                path = after_name(path);
            }
            i += 1;
        }
        false
    }

    /// A catch-all and a parameter at one place would hide each other.
    const fn check_catch_alls(&mut self, routes: &Routes) {
        let mut i = 0;
        while i < routes.count {
            let known = &routes.known[i];
            let mut j = 0;
            while known.is_catch_all && j < routes.count {
                let other = &routes.known[j];
                if !other.is_catch_all && is_shadowed(self.whole(known), self.whole(other)) {
                    self.text.fault("shadowed route: ");
                    self.text.put(self.route(known).path);
                    self.text.put(" and ");
                    self.text.put(self.route(other).path);
                    self.text.put(" compete for the same paths\n");
                    self.put_route(known);
                    self.put_route(other);
                    self.text
                        .help("give the catch-all a segment of its own, or drop the parameter");
                }
                j += 1;
            }
            i += 1;
        }
    }

    const fn put_route(&mut self, known: &Known) {
        let module = self.module(known.module as usize);
        let controller = module.controllers[known.controller as usize];
        self.put_operation(controller, &controller.routes[known.route as usize]);
    }

    /// Works out the shape of a path, and checks that each of its parameters has
    /// an argument and the other way round: the one walk over its bytes.
    const fn scan(&mut self, known: &mut Known, route: &'static RouteFact, is_bare: bool) {
        let mut path = route.path.as_bytes();
        // A `/` alone adds nothing to a prefix, see `below`.
        if !is_bare && path.len() == 1 {
            path = &[];
        }
        let mut shape = known.shape;
        // How many parameters have an argument of their name.
        let mut named = 0;
        while let [byte, rest @ ..] = path {
            shape = ((shape ^ *byte as u128) * FACTOR) & MASK;
            path = rest;
            if *byte == b'{' {
                if let [b'*', name @ ..] = rest {
                    known.is_catch_all = true;
                    path = name;
                }
                if is_read(route.path_args, path) {
                    named += 1;
                } else if !route.is_event() {
                    self.report_parameter(known, path);
                }
                path = after_name(path);
            }
        }
        known.shape = shape;
        if named != route.path_args.len() {
            self.report_arguments(known, route);
        }
    }

    const fn report_parameter(&mut self, here: &Known, parameter: &[u8]) {
        let (mut rest, mut len) = (parameter, 0);
        while let [byte, more @ ..] = rest
            && *byte != b'}'
        {
            rest = more;
            len += 1;
        }
        let name = match std::str::from_utf8(parameter.split_at(len).0) {
            Ok(name) => name,
            // Invariant: it stands between two ASCII bytes of a `str`.
            Err(_) => unreachable!(),
        };
        self.parameter_fault(here, "the path has `{", name, "}`, but no argument reads it");
        self.text.help_head();
        self.text.put("add an argument `");
        self.text.put(name);
        self.text.put(": Path<..>`\n");
    }

    /// Reports each argument whose parameter the path does not have.
    const fn report_arguments(&mut self, here: &Known, route: &'static RouteFact) {
        let mut a = 0;
        while a < route.path_args.len() {
            let name = route.path_args[a];
            if !has_parameter(route.path, name) {
                self.parameter_fault(
                    here,
                    "argument `",
                    name,
                    "` reads a parameter that the path does not have",
                );
                self.text.help_head();
                self.text.put("write `{");
                self.text.put(name);
                self.text.put("}` into the path\n");
            }
            a += 1;
        }
    }

    const fn parameter_fault(&mut self, here: &Known, before: &str, name: &str, after: &str) {
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

/// The path of a route below its module's prefix.
const fn below(prefix: &str, path: &'static str) -> &'static str {
    if !prefix.is_empty() && str_eq(path, "/") { "" } else { path }
}

/// Whether an argument reads the parameter whose name comes next in a path.
const fn is_read(path_args: &[&str], parameter: &[u8]) -> bool {
    let mut rest = path_args;
    while let [first, more @ ..] = rest {
        if is_name(parameter, first) {
            return true;
        }
        rest = more;
    }
    false
}

/// Whether `name` and a `}` come next in a path.
const fn is_name(mut parameter: &[u8], name: &str) -> bool {
    let mut name = name.as_bytes();
    while let ([a, a_rest @ ..], [b, b_rest @ ..]) = (parameter, name) {
        if *a != *b {
            return false;
        }
        (parameter, name) = (a_rest, b_rest);
    }
    name.is_empty() && matches!(parameter, [b'}', ..])
}

const fn has_parameter(path: &str, name: &str) -> bool {
    let mut path = path.as_bytes();
    while let [byte, rest @ ..] = path {
        path = rest;
        if *byte == b'{' {
            if let [b'*', catch_all @ ..] = rest {
                path = catch_all;
            }
            if is_name(path, name) {
                return true;
            }
        }
    }
    false
}

/// What follows the `}` of a parameter.
const fn after_name(mut path: &[u8]) -> &[u8] {
    while let [byte, rest @ ..] = path {
        path = rest;
        if *byte == b'}' {
            break;
        }
    }
    path
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

const EMPTY: u128 = 0xcbf2_9ce4_8422_2325;
const FACTOR: u128 = 0x0000_0100_0000_01b3;
const MASK: u128 = u64::MAX as u128;

/// Adds a byte to the hash of a shape. This is 64-bit FNV-1a, byte by byte, so
/// that a prefix and a path hash as one; of a parameter only the `{` counts. In
/// 128 bits the product cannot overflow, and is an operator instead of a call.
const fn step(shape: u128, byte: u8) -> u128 {
    ((shape ^ byte as u128) * FACTOR) & MASK
}

const fn shape_of(mut shape: u128, mut path: &[u8]) -> u128 {
    while let [byte, rest @ ..] = path {
        shape = step(shape, *byte);
        path = if *byte == b'{' { after_name(rest) } else { rest };
    }
    shape
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

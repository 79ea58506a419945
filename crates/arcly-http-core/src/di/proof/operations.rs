//! Operation ids, each of which names one operation of the document.

use super::{NONE, Proof, ROUTES_MAX, TABLE};
use crate::di::key::hash_of;
use crate::di::meta::{ControllerMeta, RouteFact};

/// The operation that has an id.
#[derive(Clone, Copy)]
struct Named {
    hash: u128,
    module: u16,
    controller: u16,
    route: u16,
}

impl Proof {
    pub(super) const fn check_operation_ids(&mut self) {
        let nothing = Named { hash: 0, module: 0, controller: 0, route: 0 };
        let mut known = [nothing; ROUTES_MAX];
        let mut count = 0;
        let mut table = [NONE; TABLE];
        let mut m = 0;
        while m < self.module_count {
            let controllers = self.module(m).controllers;
            let mut c = 0;
            while c < controllers.len() {
                let routes = controllers[c].routes;
                let mut r = 0;
                while r < routes.len() {
                    // Nothing: the macro reported it where it stands.
                    if routes[r].operation_id.is_empty() {
                        r += 1;
                        continue;
                    }
                    if count == ROUTES_MAX {
                        // Too many routes were reported already.
                        return;
                    }
                    let hash = hash_of(routes[r].operation_id);
                    let mut slot = hash as usize % TABLE;
                    while table[slot] != NONE && known[table[slot] as usize].hash != hash {
                        slot = (slot + 1) % TABLE;
                    }
                    if table[slot] == NONE {
                        table[slot] = count as u16;
                        known[count] =
                            Named { hash, module: m as u16, controller: c as u16, route: r as u16 };
                        count += 1;
                    } else {
                        let Named { module, controller, route, .. } = known[table[slot] as usize];
                        let first = self.module(module as usize).controllers[controller as usize];
                        self.report_twice(
                            (first, &first.routes[route as usize]),
                            (controllers[c], &routes[r]),
                        );
                    }
                    r += 1;
                }
                c += 1;
            }
            m += 1;
        }
    }

    const fn report_twice(
        &mut self,
        first: (&'static ControllerMeta, &'static RouteFact),
        second: (&'static ControllerMeta, &'static RouteFact),
    ) {
        if first.1.place.same(&second.1.place) {
            // One controller in two lists, which was reported as such.
            return;
        }
        self.text.fault("duplicate operation id: `");
        self.text.put(second.1.operation_id);
        self.text.put("`\n");
        self.put_operation(first.0, first.1);
        self.put_operation(second.0, second.1);
        self.text.help("an id names one operation of the document: write `operation_id = \"..\"` behind the path of one of them");
    }

    /// Names an operation and its place on a line of its own.
    pub(super) const fn put_operation(
        &mut self,
        controller: &'static ControllerMeta,
        route: &'static RouteFact,
    ) {
        self.text.put("        `");
        self.text.put_key(&controller.provider.key);
        self.text.put("::");
        self.text.put(route.handler);
        self.text.put("` as ");
        self.text.put(route.path);
        self.text.put_place(&route.place);
        self.text.put("\n");
    }
}

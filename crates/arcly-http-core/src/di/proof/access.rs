//! Faults of access rules.

use super::Proof;
use crate::access::Access;
use crate::di::key::str_eq;
use crate::di::meta::ActionMeta;

impl Proof {
    /// Every action that a route asks for is declared by some module.
    pub(super) const fn check_access(&mut self) {
        let mut m = 0;
        while m < self.module_count {
            let module = self.module(m);
            let mut c = 0;
            while c < module.controllers.len() {
                let controller = module.controllers[c];
                let mut r = 0;
                while r < controller.routes.len() {
                    let route = &controller.routes[r];
                    if let Access::Can(action) = &route.access
                        && !self.is_declared(action)
                    {
                        self.text.fault("undeclared action: `");
                        self.text.put_key(&controller.provider.key);
                        self.text.put("::");
                        self.text.put(route.handler);
                        self.text.put("` asks for `");
                        self.text.put(action.name);
                        self.text.put("`, which no module declares\n");
                        self.text.at(route.place.file, route.place.line);
                        self.text.help("list its enum in `actions(..)` of a module in the graph");
                    }
                    r += 1;
                }
                c += 1;
            }
            m += 1;
        }
    }

    const fn is_declared(&self, action: &ActionMeta) -> bool {
        let mut m = 0;
        while m < self.module_count {
            let sets = self.module(m).actions;
            let mut s = 0;
            while s < sets.len() {
                let mut a = 0;
                while a < sets[s].len() {
                    if str_eq(sets[s][a].name, action.name) {
                        return true;
                    }
                    a += 1;
                }
                s += 1;
            }
            m += 1;
        }
        false
    }
}

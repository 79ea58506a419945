//! Faults of access rules.

use super::{Proof, TABLE};
use crate::access::Access;
use crate::di::key::{Key, str_eq};
use crate::di::meta::ActionMeta;

const ACTIONS_MAX: usize = 4096;

/// The actions of the application, by key.
struct Declared {
    table: [Option<&'static ActionMeta>; TABLE],
    count: usize,
}

impl Proof {
    /// Every action that a route asks for is declared by some module.
    pub(super) const fn check_access(&mut self) {
        let declared = match self.declared() {
            Some(declared) => declared,
            None => return,
        };
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
                        && declared.table[declared.slot(&action.key)].is_none()
                    {
                        self.text.fault("undeclared action: `");
                        self.text.put_key(&controller.provider.key);
                        self.text.put("::");
                        self.text.put(route.handler);
                        self.text.put("` asks for `");
                        self.text.put_key(&action.key);
                        self.text.put("`, which no module declares\n");
                        self.text.at(route.place.file, route.place.line);
                        self.text.help_head();
                        if let Some(other) = declared.namesake(action.name) {
                            self.text.put("`");
                            self.text.put_key(&other.key);
                            self.text.put("` is declared, of another enum: use that one, or ");
                        }
                        self.text.put("list the enum in `actions(..)` of a module in the graph\n");
                    }
                    r += 1;
                }
                c += 1;
            }
            m += 1;
        }
    }

    const fn declared(&mut self) -> Option<Declared> {
        let mut declared = Declared { table: [None; TABLE], count: 0 };
        let mut m = 0;
        while m < self.module_count {
            let sets = self.module(m).actions;
            let mut s = 0;
            while s < sets.len() {
                let mut a = 0;
                while a < sets[s].len() {
                    if declared.count == ACTIONS_MAX {
                        self.text.fault("more than 4096 actions in one application");
                        return None;
                    }
                    let action = &sets[s][a];
                    let slot = declared.slot(&action.key);
                    if declared.table[slot].is_none() {
                        declared.table[slot] = Some(action);
                        declared.count += 1;
                    }
                    a += 1;
                }
                s += 1;
            }
            m += 1;
        }
        Some(declared)
    }
}

impl Declared {
    /// Where an action of that key stands, or would stand.
    const fn slot(&self, key: &Key) -> usize {
        let mut slot = key.hash as usize % TABLE;
        while let Some(known) = self.table[slot]
            && !known.key.same(key)
        {
            slot = (slot + 1) % TABLE;
        }
        slot
    }

    /// An action that reads the same, of another enum.
    const fn namesake(&self, name: &str) -> Option<&'static ActionMeta> {
        let mut slot = 0;
        while slot < TABLE {
            if let Some(known) = self.table[slot]
                && str_eq(known.name, name)
            {
                return Some(known);
            }
            slot += 1;
        }
        None
    }
}

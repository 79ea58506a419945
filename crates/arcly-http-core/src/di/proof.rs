//! The proof: the whole graph is walked while the user's crate is compiled.
//!
//! Everything here runs in constant evaluation, which has no heap, no traits
//! and a shallow stack: tables have fixed sizes ([`MODULES_MAX`],
//! [`PROVIDERS_MAX`], [`ROUTES_MAX`]), look-ups go through open addressing, and
//! the searches keep their own stacks. All faults are collected into one text,
//! so that a compile shows everything that is wrong.
//!
//! Constant evaluation interprets unoptimised code, 0.1 µs a step and a few µs a
//! call, so that loops over bytes or over all modules are what costs. Keys are
//! compared by hash alone, and what is asked once per dependency is worked out
//! once per module or provider. `scripts/proof-cost` measures the whole.

mod access;
mod effects;
mod operations;
mod providers;
mod routes;
mod text;

pub use text::Report;

use super::key::{Key, last_segment};
use super::meta::{ModuleMeta, ProviderMeta, ProviderScope};
use text::Text;

/// Modules in one application.
pub const MODULES_MAX: usize = 512;
/// Providers, controllers and trait bindings in one application.
pub const PROVIDERS_MAX: usize = 4096;
/// Routes in one application.
pub const ROUTES_MAX: usize = 4096;

const NONE: u16 = u16::MAX;
const TABLE: usize = 8192;
const MODULE_TABLE: usize = 1024;

/// One name that a module provides.
#[derive(Clone, Copy)]
struct Record {
    module: u16,
    /// Index into the module's providers, then into its controllers.
    entry: u16,
    /// Index into the provider's bindings, or [`NONE`] for its own name.
    binding: u16,
    /// The next record of the same key.
    next: u16,
    /// The record of the provider's own name.
    node: u16,
    scope: ProviderScope,
}

struct Proof {
    /// Imports first; the root is the last.
    modules: [Option<&'static ModuleMeta>; MODULES_MAX],
    module_count: usize,
    /// By key: the order in which a module was first met.
    module_table: [u16; MODULE_TABLE],
    /// By that order: the hash of the module's key, and its place in `modules`,
    /// which is [`NONE`] while the walk is still below it.
    met: [(u128, u16); MODULES_MAX],
    records: [Record; PROVIDERS_MAX],
    /// The hash of each record's key.
    hashes: [u128; PROVIDERS_MAX],
    /// Whether the record's module exports it.
    exported: [bool; PROVIDERS_MAX],
    /// Whether somebody needs the record's provider, by any of its names; kept for the
    /// record of its own name.
    needed: [bool; PROVIDERS_MAX],
    record_count: usize,
    table: [u16; TABLE],
    text: Text,
}

/// Proves the graph below `root`, or stops the compilation with every fault.
///
/// `#[arcly_http::main(..)]` and `#[module(root, ..)]` write
/// `const _: () = check(&AppModule);`.
///
/// # Panics
/// In constant evaluation, which makes it a compile error; the text names both
/// ends of each fault, its place and a way out.
#[expect(clippy::panic, reason = "a panic in constant evaluation is how a compile error is raised")]
// Tracked, so that the message ends at the caller's line and not in here.
#[track_caller]
pub const fn check(root: &'static ModuleMeta) {
    let report = examine(root);
    if !report.is_proved() {
        panic!("{}", report.as_str());
    }
}

/// The same proof, as a value.
#[must_use]
pub const fn examine(root: &'static ModuleMeta) -> Report {
    let mut proof = Proof::new();
    proof.text.put("the module graph of `");
    proof.text.put_key(&root.key);
    proof.text.put("` is not valid:\n");
    let head = proof.text.len();
    if proof.collect_modules(root) {
        proof.collect_records();
        proof.check_built_in();
        proof.check_exports();
        proof.check_dependencies();
        proof.check_cycles();
        proof.check_effects();
        proof.check_routes();
        proof.check_operation_ids();
        proof.check_access();
    }
    proof.text.into_report(head)
}

/// Stops the compilation unless `key` names something in the graph; what test
/// overrides are checked with.
///
/// # Panics
/// See [`check`].
#[expect(clippy::panic, reason = "a panic in constant evaluation is how a compile error is raised")]
// Tracked, as above.
#[track_caller]
pub const fn check_provided(root: &'static ModuleMeta, key: Key) {
    let mut proof = Proof::new();
    if proof.collect_modules(root) {
        proof.collect_records();
    }
    if proof.find(&key) == NONE {
        let mut text = Text::new();
        text.put("nothing in the graph of `");
        text.put_key(&root.key);
        text.put("` provides `");
        text.put_key(&key);
        text.put("`, so replacing it would have no effect\n    help: replace what a module lists in `providers(..)`, by the name under which it is injected");
        let report = text.into_report(0);
        panic!("{}", report.as_str());
    }
}

impl Proof {
    const fn new() -> Self {
        let empty = Record {
            module: 0,
            entry: 0,
            binding: NONE,
            next: NONE,
            node: 0,
            scope: ProviderScope::Singleton,
        };
        Self {
            modules: [None; MODULES_MAX],
            module_count: 0,
            module_table: [NONE; MODULE_TABLE],
            met: [(0, NONE); MODULES_MAX],
            records: [empty; PROVIDERS_MAX],
            hashes: [0; PROVIDERS_MAX],
            exported: [false; PROVIDERS_MAX],
            needed: [false; PROVIDERS_MAX],
            record_count: 0,
            table: [NONE; TABLE],
            text: Text::new(),
        }
    }

    const fn module(&self, index: usize) -> &'static ModuleMeta {
        match self.modules[index] {
            Some(module) => module,
            None => unreachable!(),
        }
    }

    /// Walks the imports depth first. Reports an import cycle and gives `false`:
    /// nothing that follows would make sense.
    const fn collect_modules(&mut self, root: &'static ModuleMeta) -> bool {
        let mut all: [Option<&'static ModuleMeta>; MODULES_MAX] = [None; MODULES_MAX];
        all[0] = Some(root);
        let mut count = 1;
        self.met[0].0 = root.key.hash;
        self.module_table[root.key.hash as usize % MODULE_TABLE] = 0;
        // Indices into `all`, and how far the imports of each are looked at.
        let mut stack = [0u16; MODULES_MAX];
        let mut position = [0usize; MODULES_MAX];
        let mut depth = 1;
        while depth > 0 {
            let top = stack[depth - 1];
            let module = match all[top as usize] {
                Some(module) => module,
                None => unreachable!(),
            };
            let at = position[depth - 1];
            position[depth - 1] += 1;
            let imports = module.imports.len();
            if at < imports + module.reexports.len() {
                let next =
                    if at < imports { module.imports[at] } else { module.reexports[at - imports] };
                let slot = self.module_slot(&next.key);
                let known = self.module_table[slot];
                if known == NONE {
                    if count == MODULES_MAX {
                        self.text.fault("more than 512 modules in one application");
                        return false;
                    }
                    all[count] = Some(next);
                    self.met[count].0 = next.key.hash;
                    self.module_table[slot] = count as u16;
                    stack[depth] = count as u16;
                    position[depth] = 0;
                    count += 1;
                    depth += 1;
                } else if self.met[known as usize].1 == NONE {
                    self.report_module_cycle(&all, &stack, known, depth);
                    return false;
                }
            } else {
                depth -= 1;
                self.met[top as usize].1 = self.module_count as u16;
                self.modules[self.module_count] = Some(module);
                self.module_count += 1;
            }
        }
        true
    }

    /// Where in the table a module stands, or would stand.
    const fn module_slot(&self, key: &Key) -> usize {
        let mut slot = key.hash as usize % MODULE_TABLE;
        loop {
            let known = self.module_table[slot];
            if known == NONE || self.met[known as usize].0 == key.hash {
                return slot;
            }
            slot = (slot + 1) % MODULE_TABLE;
        }
    }

    /// The place in `modules` of a module that the walk went through.
    const fn module_index(&self, key: &Key) -> usize {
        self.met[self.module_table[self.module_slot(key)] as usize].1 as usize
    }

    const fn report_module_cycle(
        &mut self,
        all: &[Option<&'static ModuleMeta>; MODULES_MAX],
        stack: &[u16; MODULES_MAX],
        first: u16,
        to: usize,
    ) {
        let mut from = 0;
        while stack[from] != first {
            from += 1;
        }
        self.text.fault("module import cycle:");
        let mut i = from;
        while i < to {
            if let Some(module) = all[stack[i] as usize] {
                self.text.put("        `");
                self.text.put_key(&module.key);
                self.text.put("`");
                self.text.put_place(&module.place);
                self.text.put(" imports\n");
            }
            i += 1;
        }
        if let Some(module) = all[first as usize] {
            self.text.put("        `");
            self.text.put_key(&module.key);
            self.text.put("`\n");
        }
        self.text.help("move what both need into a third module that both import");
    }

    const fn collect_records(&mut self) {
        let mut m = 0;
        while m < self.module_count {
            let module = self.module(m);
            let count = module.providers.len() + module.controllers.len();
            let mut e = 0;
            while e < count {
                let is_provider = e < module.providers.len();
                let meta = if is_provider {
                    module.providers[e].meta
                } else {
                    module.controllers[e - module.providers.len()].provider
                };
                let scope = meta.scope;
                let node = self.insert(&meta.key, m, e, NONE, NONE, scope);
                if is_provider {
                    let bindings = module.providers[e].bindings;
                    let mut b = 0;
                    while b < bindings.len() {
                        self.insert(&bindings[b].key, m, e, b as u16, node, scope);
                        b += 1;
                    }
                }
                e += 1;
            }
            m += 1;
        }
    }

    const fn insert(
        &mut self,
        key: &Key,
        module: usize,
        entry: usize,
        binding: u16,
        node: u16,
        scope: ProviderScope,
    ) -> u16 {
        if self.record_count == PROVIDERS_MAX {
            self.text
                .fault("more than 4096 providers, controllers and bindings in one application");
            return 0;
        }
        let index = self.record_count as u16;
        self.record_count += 1;
        self.records[index as usize] = Record {
            module: module as u16,
            entry: entry as u16,
            binding,
            next: NONE,
            node: if node == NONE { index } else { node },
            scope,
        };
        self.hashes[index as usize] = key.hash;
        let mut slot = key.hash as usize % TABLE;
        loop {
            let taken = self.table[slot];
            if taken == NONE {
                self.table[slot] = index;
                return index;
            }
            if self.hashes[taken as usize] == key.hash {
                let mut last = taken;
                while self.records[last as usize].next != NONE {
                    last = self.records[last as usize].next;
                }
                self.records[last as usize].next = index;
                if !self.is_many(taken) {
                    self.report_duplicate(key, taken, index);
                }
                return index;
            }
            slot = (slot + 1) % TABLE;
        }
    }

    const fn report_duplicate(&mut self, key: &Key, first: u16, second: u16) {
        self.text.fault("two providers for one key: `");
        self.text.put_key(key);
        self.text.put("`\n");
        let mut i = 0;
        while i < 2 {
            let record = if i == 0 { first } else { second };
            let module = self.module(self.records[record as usize].module as usize);
            self.text.put("        `");
            self.text.put_key(&self.meta(record).key);
            self.text.put("` in `");
            self.text.put_key(&module.key);
            self.text.put("`");
            self.text.put_place(&module.place);
            self.text.put("\n");
            i += 1;
        }
        self.help_duplicate(key, first, second);
    }

    /// Which of two lines has to go.
    const fn help_duplicate(&mut self, key: &Key, first: u16, second: u16) {
        if self.records[first as usize].binding != NONE
            || self.records[second as usize].binding != NONE
        {
            self.text.help("take `as dyn ..` away from one of them, or declare the trait `#[injectable(many)]` and inject `All<dyn ..>`");
            return;
        }
        let [one, two] = [self.records[first as usize], self.records[second as usize]];
        let [here, there] = [self.module(two.module as usize), self.module(one.module as usize)];
        let [before, after] = [self.meta(first).place, self.meta(second).place];
        if !before.same(&after) {
            self.text.help_head();
            self.text.put("they are declared");
            self.text.put_place(&before);
            self.text.put(" and");
            self.text.put_place(&after);
            self.text.put(": take one of them out of its list, or tell them apart by markers: `#[provider(qualifier = ..)]`\n");
            return;
        }
        let is_listed = (one.entry as usize) < there.providers.len();
        let is_provider = (two.entry as usize) < here.providers.len();
        let name = if is_provider {
            here.providers[two.entry as usize].name
        } else {
            last_segment(key.name)
        };
        // Of a controller in `providers(..)` that line goes; else the later one.
        let at = if is_listed && !is_provider { there } else { here };
        self.text.help_head();
        self.text.put("delete `");
        self.text.put(name);
        self.text.put(if is_listed || is_provider {
            "` from `providers(..)` of `"
        } else {
            "` from `controllers(..)` of `"
        });
        self.text.put(last_segment(at.key.name));
        self.text.put("`");
        self.text.put_place(&at.place);
        if is_listed != is_provider {
            self.text.put("; `controllers(..)` is enough\n");
        } else if one.module == two.module {
            self.text.put(", where it stands twice, once\n");
        } else if !is_provider {
            self.text.put("; a controller stands in one module\n");
        } else {
            self.text.put(", write `exports(");
            self.text.put(name);
            self.text.put(")` at `");
            self.text.put(last_segment(there.key.name));
            self.text.put("` and `imports(");
            self.text.put(last_segment(there.key.name));
            self.text.put(")` where it is needed\n");
        }
    }

    /// The first record of a key, or [`NONE`].
    const fn find(&self, key: &Key) -> u16 {
        let mut slot = key.hash as usize % TABLE;
        loop {
            let taken = self.table[slot];
            if taken == NONE || self.hashes[taken as usize] == key.hash {
                return taken;
            }
            slot = (slot + 1) % TABLE;
        }
    }

    const fn meta(&self, record: u16) -> &'static ProviderMeta {
        let record = self.records[record as usize];
        let module = self.module(record.module as usize);
        let entry = record.entry as usize;
        if entry < module.providers.len() {
            module.providers[entry].meta
        } else {
            module.controllers[entry - module.providers.len()].provider
        }
    }

    const fn is_many(&self, index: u16) -> bool {
        let record = self.records[index as usize];
        if record.binding == NONE {
            return false;
        }
        let module = self.module(record.module as usize);
        module.providers[record.entry as usize].bindings[record.binding as usize].many
    }
}

//! The proof: the whole graph is walked while the user's crate is compiled.
//!
//! Everything here runs in constant evaluation, which has no heap, no traits
//! and a shallow stack: tables have fixed sizes ([`MODULES_MAX`],
//! [`PROVIDERS_MAX`], [`ROUTES_MAX`]), look-ups go through open addressing, and
//! the searches keep their own stacks. All faults are collected into one text,
//! so that a compile shows everything that is wrong.

mod access;
mod providers;
mod routes;
mod text;

pub use text::Report;

use super::key::Key;
use super::meta::{ModuleMeta, ProviderMeta};
use text::Text;

/// Modules in one application.
pub const MODULES_MAX: usize = 512;
/// Providers, controllers and trait bindings in one application.
pub const PROVIDERS_MAX: usize = 4096;
/// Routes in one application.
pub const ROUTES_MAX: usize = 4096;

const NONE: u16 = u16::MAX;
const TABLE: usize = 8192;

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
}

struct Proof {
    modules: [Option<&'static ModuleMeta>; MODULES_MAX],
    module_count: usize,
    records: [Record; PROVIDERS_MAX],
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
        proof.check_exports();
        proof.check_dependencies();
        proof.check_cycles();
        proof.check_routes();
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
        let empty = Record { module: 0, entry: 0, binding: NONE, next: NONE, node: 0 };
        Self {
            modules: [None; MODULES_MAX],
            module_count: 0,
            records: [empty; PROVIDERS_MAX],
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

    const fn module_index(&self, key: &Key) -> usize {
        let mut i = 0;
        while i < self.module_count {
            if self.module(i).key.same(key) {
                return i;
            }
            i += 1;
        }
        usize::MAX
    }

    /// Walks the imports depth first. Reports an import cycle and gives `false`:
    /// nothing that follows would make sense.
    const fn collect_modules(&mut self, root: &'static ModuleMeta) -> bool {
        let mut stack: [Option<&'static ModuleMeta>; MODULES_MAX] = [None; MODULES_MAX];
        let mut position = [0usize; MODULES_MAX];
        let mut depth = 1;
        stack[0] = Some(root);
        while depth > 0 {
            let module = match stack[depth - 1] {
                Some(module) => module,
                None => unreachable!(),
            };
            let at = position[depth - 1];
            position[depth - 1] += 1;
            let imports = module.imports.len();
            if at < imports + module.reexports.len() {
                let next =
                    if at < imports { module.imports[at] } else { module.reexports[at - imports] };
                let mut open = 0;
                while open < depth {
                    if let Some(earlier) = stack[open]
                        && earlier.key.same(&next.key)
                    {
                        self.report_module_cycle(&stack, open, depth);
                        return false;
                    }
                    open += 1;
                }
                if self.module_index(&next.key) == usize::MAX {
                    if depth == MODULES_MAX {
                        self.text.fault("the module graph is too deep");
                        return false;
                    }
                    stack[depth] = Some(next);
                    position[depth] = 0;
                    depth += 1;
                }
            } else {
                depth -= 1;
                if self.module_count == MODULES_MAX {
                    self.text.fault("more than 512 modules in one application");
                    return false;
                }
                self.modules[self.module_count] = Some(module);
                self.module_count += 1;
            }
        }
        true
    }

    const fn report_module_cycle(
        &mut self,
        stack: &[Option<&'static ModuleMeta>; MODULES_MAX],
        from: usize,
        to: usize,
    ) {
        self.text.fault("module import cycle:");
        let mut i = from;
        while i < to {
            if let Some(module) = stack[i] {
                self.text.put("        `");
                self.text.put_key(&module.key);
                self.text.put("`");
                self.text.put_place(&module.place);
                self.text.put(" imports\n");
            }
            i += 1;
        }
        if let Some(module) = stack[from] {
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
                let node = self.insert(m, e, NONE, NONE);
                if e < module.providers.len() {
                    let bindings = module.providers[e].bindings;
                    let mut b = 0;
                    while b < bindings.len() {
                        self.insert(m, e, b as u16, node);
                        b += 1;
                    }
                }
                e += 1;
            }
            m += 1;
        }
    }

    const fn insert(&mut self, module: usize, entry: usize, binding: u16, node: u16) -> u16 {
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
        };
        let key = self.key_of(index);
        let mut slot = key.hash as usize % TABLE;
        loop {
            let taken = self.table[slot];
            if taken == NONE {
                self.table[slot] = index;
                return index;
            }
            if self.key_of(taken).same(&key) {
                let mut last = taken;
                while self.records[last as usize].next != NONE {
                    last = self.records[last as usize].next;
                }
                self.records[last as usize].next = index;
                if !self.is_many(taken) {
                    self.report_duplicate(&key, taken, index);
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
        if self.records[first as usize].binding == NONE {
            self.text.help(
                "list it in one module, export it there, and import that module where it is needed",
            );
        } else {
            self.text.help("bind one of them, or declare the trait `#[injectable(many)]` and inject `All<dyn ..>`");
        }
    }

    /// The first record of a key, or [`NONE`].
    const fn find(&self, key: &Key) -> u16 {
        let mut slot = key.hash as usize % TABLE;
        while self.table[slot] != NONE {
            if self.key_of(self.table[slot]).same(key) {
                return self.table[slot];
            }
            slot = (slot + 1) % TABLE;
        }
        NONE
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

    const fn key_of(&self, index: u16) -> Key {
        let record = self.records[index as usize];
        if record.binding == NONE {
            return self.meta(index).key;
        }
        let module = self.module(record.module as usize);
        module.providers[record.entry as usize].bindings[record.binding as usize].key
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

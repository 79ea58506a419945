//! Which names Rust and cargo take.

/// Keywords and reserved words of every edition.
const KEYWORDS: [&str; 53] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "_",
];

/// Crates that the project could not tell from itself.
const TAKEN_PROJECTS: [&str; 12] = [
    "alloc",
    "arcly-http",
    "arcly-http-testing",
    "core",
    "garde",
    "proc_macro",
    "schemars",
    "serde",
    "std",
    "test",
    "thiserror",
    "tracing",
];

/// Files that mean something else.
const TAKEN_MODULES: [&str; 3] = ["lib", "main", "mod"];

/// Whether this is a name for a module: `line_item`.
pub(crate) fn is_module(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !KEYWORDS.contains(&name)
        && !TAKEN_MODULES.contains(&name)
}

/// Whether this is a name for a project: `my-shop`.
pub(crate) fn is_project(name: &str) -> bool {
    is_module(&name.replace('-', "_"))
        && !TAKEN_PROJECTS.contains(&name.replace('_', "-").as_str())
        && !TAKEN_PROJECTS.contains(&name)
}

/// The article that a name takes, by its first letter.
pub(crate) fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// `line_item` becomes `LineItem`.
pub(crate) fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |f| f.to_uppercase().chain(letters).collect())
    };
    name.split('_').map(word).collect()
}

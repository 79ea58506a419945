//! `arcly generate`: a file, a `mod` line and an entry in a module.
//!
//! Doing it twice changes nothing: a file that exists is left alone, and so is a
//! line that stands already.

use std::path::Path;

use clap::ValueEnum;

use crate::{CliError, names};

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A module with a store, a controller with five operations and a test.
    Resource,
    /// A controller.
    Controller,
    /// A provider.
    Provider,
    /// An empty module.
    Module,
}

pub(crate) fn generate(kind: Kind, name: &str, module: &Path) -> Result<String, CliError> {
    if !names::is_module(name) {
        return Err(CliError::usage(format!("`{name}` cannot be the name of a Rust module"))
            .help("use snake case and no keyword: `invoice`, `line_item`"));
    }
    let source = std::fs::read_to_string(module).map_err(|error| {
        CliError::usage(format!("cannot read `{}`: {error}", module.display()))
            .help("run this in the folder of the project, or name the module's file by `--module`")
    })?;
    let pascal = names::pascal(name);
    let (file, template, section, entry) = match kind {
        Kind::Resource => (
            format!("{name}s"),
            include_str!("templates/resource.rs.txt"),
            "imports",
            format!("{name}s::{pascal}Module"),
        ),
        Kind::Controller => (
            name.to_owned(),
            include_str!("templates/controller.rs.txt"),
            "controllers",
            format!("{name}::{pascal}Controller"),
        ),
        Kind::Provider => (
            name.to_owned(),
            include_str!("templates/provider.rs.txt"),
            "providers",
            format!("{name}::{pascal}"),
        ),
        Kind::Module => (
            name.to_owned(),
            include_str!("templates/module.rs.txt"),
            "imports",
            format!("{name}::{pascal}Module"),
        ),
    };
    let wired = wire(&source, &file, section, &entry).ok_or_else(|| {
        CliError::usage(format!("`{}` has no `#[module(..)]`", module.display()))
            .help("name the file of the module that gets the new piece by `--module`")
    })?;
    // Next to `lib.rs` or `main.rs`; below the folder of any other file.
    let stem = module.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let parent = module.parent().unwrap_or(Path::new("."));
    let folder = if matches!(stem, "lib" | "main") { parent.to_owned() } else { parent.join(stem) };
    std::fs::create_dir_all(&folder).map_err(|error| CliError::io("create", &folder, &error))?;
    let path = folder.join(format!("{file}.rs"));
    let mut done = vec![];
    if path.exists() {
        // One that was generated before, or one of the same shape.
        let piece = entry.rsplit("::").next().unwrap_or_default();
        let text =
            std::fs::read_to_string(&path).map_err(|error| CliError::io("read", &path, &error))?;
        let is_there = ["struct", "enum", "type"]
            .iter()
            .any(|word| find_word(&text, &format!("{word} {piece}")).is_some());
        if !is_there {
            return Err(CliError::failure(format!(
                "`{}` exists and has no `{piece}` in it",
                path.display()
            ))
            .help("choose another name, or move the file away"));
        }
        done.push(format!("kept   {} (it exists)", path.display()));
    } else {
        let article = names::article(name);
        let text = template
            .replace("{{name}}", name)
            .replace("{{Name}}", &pascal)
            .replace("{{a}}", article)
            .replace("{{A}}", &names::pascal(article));
        std::fs::write(&path, text).map_err(|error| CliError::io("write", &path, &error))?;
        done.push(format!("wrote  {}", path.display()));
    }
    if wired == source {
        done.push(format!("kept   {} (it is wired)", module.display()));
    } else {
        std::fs::write(module, wired).map_err(|error| CliError::io("write", module, &error))?;
        done.push(format!("wired  {} into {}", entry, module.display()));
    }
    Ok(done.join("\n"))
}

/// Adds `mod file;` and an entry to a section of the first `#[module(..)]`.
fn wire(source: &str, file: &str, section: &str, entry: &str) -> Option<String> {
    let mut text = source.to_owned();
    let is_declared = |line: &str| {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ").trim();
        line == format!("mod {file};")
    };
    if !text.lines().any(is_declared) {
        text.insert_str(place_of_mod(&text, file)?, &format!("mod {file};\n"));
    }
    let open = text.find("#[module")? + "#[module".len();
    if text.get(open..)?.starts_with(']') {
        text.insert_str(open, "()");
    }
    let start = open + text.get(open..)?.strip_prefix('(').map(|_| 1)?;
    let end = start + closing(&text[start..])?;
    let body = &text[start..end];
    if find_word(body, entry).is_some() {
        return Some(text);
    }
    let at = find_section(body, section);
    let insertion = match at {
        Some(open) => {
            let close = start + open + closing(&body[open..])?;
            let before = text[start + open..close].trim_end();
            let comma = if before.is_empty() || before.ends_with(',') { "" } else { ", " };
            (start + open + before.len(), format!("{comma}{entry}"))
        }
        None => {
            let before = body.trim_end();
            let comma = if before.is_empty() || before.ends_with(',') { "" } else { ", " };
            (start + before.len(), format!("{comma}{section}({entry})"))
        }
    };
    text.insert_str(insertion.0, &insertion.1);
    Some(text)
}

/// Where a `mod` line goes: among those that stand together, in their order.
fn place_of_mod(text: &str, file: &str) -> Option<usize> {
    let mut at = first_item(text)?;
    for line in text.get(at..)?.split_inclusive('\n') {
        let word = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        match word.strip_prefix("mod ").and_then(|rest| rest.trim_end().strip_suffix(';')) {
            Some(known) if known < file => at += line.len(),
            _ => break,
        }
    }
    Some(at)
}

/// Where the first `mod` or `use` stands, or the module with its comments and
/// attributes.
fn first_item(text: &str) -> Option<usize> {
    let mut at = 0;
    let mut start = None;
    for line in text.split_inclusive('\n') {
        let word = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        if word.starts_with("mod ") || word.starts_with("use ") {
            return Some(at);
        }
        if line.starts_with("#[module") {
            return Some(start.unwrap_or(at));
        }
        if line.starts_with("///") || line.starts_with("#[") {
            start.get_or_insert(at);
        } else {
            start = None;
        }
        at += line.len();
    }
    None
}

/// Where a path stands that is not a part of a longer one.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    text.match_indices(word)
        .map(|(at, _)| at)
        .find(|&at| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

/// Where the list of a section begins, behind its parenthesis.
fn find_section(body: &str, section: &str) -> Option<usize> {
    let needle = format!("{section}(");
    let mut from = 0;
    while let Some(found) = body[from..].find(&needle) {
        let at = from + found;
        let is_word =
            body[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        if is_word {
            return Some(at + needle.len());
        }
        from = at + needle.len();
    }
    None
}

/// Position of the parenthesis that closes what is open at the start. Those in
/// quotes do not count.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => {
                while let Some((_, inner)) = letters.next() {
                    match inner {
                        '\\' => drop(letters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_extended_once() {
        let source = "//! X.\n\nmod a;\n\n#[module(root, imports(a::AModule))]\npub struct M;\n";
        let once = wire(source, "b", "imports", "b::BModule").unwrap();
        assert!(once.contains("mod a;\nmod b;\n\n"), "{once}");
        let first = wire(&once, "aa", "imports", "aa::AaModule").unwrap();
        assert!(first.contains("mod a;\nmod aa;\nmod b;\n"), "{first}");
        assert!(once.contains("imports(a::AModule, b::BModule)"), "{once}");
        assert_eq!(wire(&once, "b", "imports", "b::BModule").unwrap(), once);
        let other = wire(&once, "c", "providers", "c::C").unwrap();
        assert!(other.contains("imports(a::AModule, b::BModule), providers(c::C))]"), "{other}");
        assert!(wire("fn main() {}\n", "b", "imports", "b::B").is_none());
        let bare = "//! X.\n\n/// Doc.\n#[module]\nstruct M;\n";
        let wired = wire(bare, "b", "imports", "b::B").unwrap();
        assert!(
            wired.starts_with("//! X.\n\nmod b;\n/// Doc.\n#[module(imports(b::B))]"),
            "{wired}"
        );
        let quoted = "use x;\n#[module(prefix = \"/a)\\\")\", imports(a::A))]\nstruct M;";
        assert!(wire(quoted, "b", "imports", "b::B").unwrap().contains("imports(a::A, b::B))]"));
        let longer = "mod b;\n#[module(providers(b::BoxOffice))]\nstruct M;";
        assert!(
            wire(longer, "b", "providers", "b::Box").unwrap().contains("b::BoxOffice, b::Box)")
        );
        // `reexports` is another section than `exports`.
        let tricky = "use x;\nuse y;\n#[module(reexports(R))]\nstruct M;";
        assert!(
            wire(tricky, "b", "exports", "b::B").unwrap().contains("reexports(R), exports(b::B)")
        );
    }
}

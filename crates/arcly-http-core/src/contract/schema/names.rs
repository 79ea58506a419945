//! Names of schemas in the document.
//!
//! A name follows from the type alone: `Article`, `PageOfArticle`. Types that
//! would share one are told apart by their modules (`AdminPage`, `ShopPage`),
//! never by the order in which routes were met.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;

/// The id (`crate::module::Type<args>`) of every definition, by the name that
/// the generator gave it.
///
/// The generator keeps this table to itself, save in its `Debug` output; a unit
/// test holds the form. Without it, names would be numbered in the order of
/// their appearance.
pub(super) fn ids(generator: &SchemaGenerator) -> BTreeMap<String, String> {
    let text = format!("{generator:?}");
    let mut ids = BTreeMap::new();
    let Some((_, mut rest)) = text.rsplit_once("schema_id_to_name: {") else { return ids };
    while let Some((id, after)) = rest.strip_prefix("SchemaUid(").and_then(quoted) {
        let Some((name, after)) = after.split_once("): ").and_then(|(_, after)| quoted(after))
        else {
            break;
        };
        ids.insert(name, id);
        rest = after.strip_prefix(", ").unwrap_or(after);
    }
    ids
}

/// A string as `Debug` writes it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut content = String::new();
    let mut letters = inner.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((content, inner.get(at + 1..)?)),
            '\\' => content.extend(letters.next().map(|(_, letter)| letter)),
            _ => content.push(letter),
        }
    }
    None
}

/// The final name of every definition, by its id; `generated` has the
/// generator's names, by id as well.
pub(super) fn final_names(generated: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut depths: BTreeMap<&str, usize> = generated.keys().map(|id| (id.as_str(), 0)).collect();
    loop {
        let names: BTreeMap<&str, String> = generated
            .iter()
            .map(|(id, wanted)| {
                let depth = depths.get(id.as_str()).copied().unwrap_or_default();
                (id.as_str(), name(id, wanted, depth))
            })
            .collect();
        let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, name) in &names {
            by_name.entry(name).or_default().push(id);
        }
        let mut went_deeper = false;
        for ids in by_name.values().filter(|ids| ids.len() > 1) {
            for id in ids {
                if let Some(depth) = depths.get_mut(id)
                    && *depth < modules(id).len()
                {
                    *depth += 1;
                    went_deeper = true;
                }
            }
        }
        if went_deeper {
            continue;
        }
        // Equal modules and equal names: numbered in the order of the ids.
        let mut taken = BTreeSet::new();
        return names
            .into_iter()
            .map(|(id, name)| {
                let mut unique = name.clone();
                let mut number = 2;
                while !taken.insert(unique.clone()) {
                    unique = format!("{name}{number}");
                    number += 1;
                }
                (id.to_owned(), unique)
            })
            .collect();
    }
}

/// `shop::orders` of `shop::orders::Page<shop::Article>`.
fn modules(id: &str) -> Vec<&str> {
    let head = id.split('<').next().unwrap_or(id);
    let mut segments: Vec<&str> = head.split("::").collect();
    segments.pop();
    segments
}

fn name(id: &str, wanted: &str, depth: usize) -> String {
    let modules = modules(id);
    let near = modules.get(modules.len().saturating_sub(depth)..).unwrap_or_default();
    let mut full: String = near.iter().map(|module| pascal(module)).collect();
    full.push_str(&own_name(id, wanted));
    full
}

fn own_name(id: &str, wanted: &str) -> String {
    let head = id.split('<').next().unwrap_or(id);
    let last = head.rsplit("::").next().unwrap_or(head);
    if id.contains('<') && !last.contains('{') {
        return short(id);
    }
    // The generator's number goes; a number of the type's own stays.
    let number = wanted.strip_prefix(last).unwrap_or("x");
    if number.chars().all(|letter| letter.is_ascii_digit()) { clean(last) } else { clean(wanted) }
}

/// `PageOfArticle` of `shop::Page<shop::Article>`.
fn short(id: &str) -> String {
    let id = id.trim();
    if let Some(inner) = id.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return format!("ListOf{}", pascal(&short(inner)));
    }
    match id.split_once('<') {
        Some((head, inner)) => {
            let inner = inner.strip_suffix('>').unwrap_or(inner);
            let inner: Vec<String> =
                arguments(inner).iter().map(|argument| pascal(&short(argument))).collect();
            format!("{}Of{}", short(head), inner.join("And"))
        }
        None => clean(id.rsplit("::").next().unwrap_or(id)),
    }
}

/// `A<B, C>, D` as two.
fn arguments(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let mut parts = text.split(|letter| {
        match letter {
            '<' | '[' => depth += 1,
            '>' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    let mut all = vec![parts.next().unwrap_or_default()];
    all.extend(parts);
    all
}

/// What a component's name may consist of.
fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .collect::<String>()
        .trim_matches('_')
        .to_owned()
}

/// `shop_orders` becomes `ShopOrders`.
pub(in crate::contract) fn pascal(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect()
}

//! The graph as text, Mermaid and SVG.

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::describe::Module;

/// `shop::orders::Orders` becomes `Orders`.
fn short(name: &str) -> String {
    let (dynamic, name) = name.strip_prefix("dyn ").map_or(("", name), |rest| ("dyn ", rest));
    let (path, arguments) = name.split_once('<').map_or((name, String::new()), |(path, rest)| {
        let inner: Vec<String> = rest.trim_end_matches('>').split(", ").map(short).collect();
        (path, format!("<{}>", inner.join(", ")))
    });
    format!("{dynamic}{}{arguments}", path.rsplit("::").next().unwrap_or(path))
}

pub(crate) fn text(modules: &[Module]) -> String {
    let mut out = String::new();
    for module in modules.iter().rev() {
        let global = if module.global { "  (global)" } else { "" };
        let _ = writeln!(out, "{}{global}", short(&module.name));
        let list = |names: &[String]| names.iter().map(|n| short(n)).collect::<Vec<_>>().join(", ");
        if !module.imports.is_empty() {
            let _ = writeln!(out, "  imports {}", list(&module.imports));
        }
        if !module.exports.is_empty() {
            let _ = writeln!(out, "  exports {}", list(&module.exports));
        }
        for member in &module.members {
            let scope = if member.scope == "singleton" { "" } else { &member.scope };
            let needs: Vec<String> = member.needs.iter().map(|need| short(&need.key)).collect();
            let arrow = if needs.is_empty() { "" } else { " <- " };
            let _ = writeln!(
                out,
                "  {:10} {}{}{}{arrow}{}",
                member.kind,
                short(&member.name),
                if scope.is_empty() { "" } else { " : " },
                scope,
                needs.join(", ")
            );
        }
    }
    out
}

pub(crate) fn mermaid(modules: &[Module]) -> String {
    let mut out = String::from("flowchart TD\n");
    let ids: HashMap<&str, String> =
        modules.iter().enumerate().map(|(i, m)| (m.name.as_str(), format!("m{i}"))).collect();
    for module in modules {
        let id = &ids[module.name.as_str()];
        let _ = writeln!(out, "  {id}[\"{}\"]", short(&module.name));
    }
    for module in modules {
        for import in &module.imports {
            if let Some(target) = ids.get(import.as_str()) {
                let _ = writeln!(out, "  {} --> {target}", ids[module.name.as_str()]);
            }
        }
    }
    out
}

const WIDTH: usize = 200;
const HEIGHT: usize = 44;
const GAP_X: usize = 40;
const GAP_Y: usize = 60;

/// Modules in rows, importers above what they import.
pub(crate) fn svg(modules: &[Module]) -> String {
    let mut level: HashMap<&str, usize> = HashMap::new();
    // Imports come before importers in the list, so that going backwards every
    // importer has its row already.
    for module in modules.iter().rev() {
        let own = *level.entry(&module.name).or_insert(0);
        for import in &module.imports {
            let below = level.entry(import).or_insert(0);
            *below = (*below).max(own + 1);
        }
    }
    let mut filled: HashMap<usize, usize> = HashMap::new();
    let mut place: HashMap<&str, (usize, usize)> = HashMap::new();
    for module in modules.iter().rev() {
        let row = level[module.name.as_str()];
        let column = filled.entry(row).or_insert(0);
        place.insert(
            &module.name,
            (GAP_X + *column * (WIDTH + GAP_X), GAP_Y / 2 + row * (HEIGHT + GAP_Y)),
        );
        *column += 1;
    }
    let columns = filled.values().copied().max().unwrap_or(0);
    let rows = filled.keys().copied().max().unwrap_or(0) + 1;
    let (width, height) = (GAP_X + columns * (WIDTH + GAP_X), rows * (HEIGHT + GAP_Y));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"14\">\n"
    );
    for module in modules {
        let (x, y) = place[module.name.as_str()];
        for import in &module.imports {
            if let Some((to_x, to_y)) = place.get(import.as_str()) {
                let _ = writeln!(
                    out,
                    "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{to_y}\" stroke=\"#888\"/>",
                    x + WIDTH / 2,
                    y + HEIGHT,
                    to_x + WIDTH / 2
                );
            }
        }
    }
    for module in modules {
        let (x, y) = place[module.name.as_str()];
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\" fill=\"#eef\" stroke=\"#446\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x + WIDTH / 2,
            y + HEIGHT / 2 + 5,
            short(&module.name).replace('<', "&lt;")
        );
    }
    out + "</svg>\n"
}

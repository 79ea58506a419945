//! The graph as text, Mermaid and SVG.

mod route;
mod svg;

use std::collections::HashMap;
use std::fmt::Write as _;

use crate::describe::Module;

pub(crate) use svg::svg;

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
            let bound: String =
                member.bound_to.iter().map(|key| format!(" as {}", short(key))).collect();
            let arrow = if needs.is_empty() { "" } else { " <- " };
            let _ = writeln!(
                out,
                "  {:10} {}{bound}{}{}{arrow}{}",
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

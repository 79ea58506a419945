//! The graph as a picture: modules as groups of boxes, importers to the left of
//! what they import, an arrow for each need.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use super::route::Router;
use super::short;
use crate::describe::{Member, Module, Need};

const CHAR: f64 = 7.3;
const ROW: f64 = 30.0;
const BOX: f64 = 22.0;
const TITLE: f64 = 30.0;
const PAD: f64 = 12.0;
const GAP_X: f64 = 110.0;
const GAP_Y: f64 = 26.0;
const MARGIN: f64 = 24.0;
/// Room beside the boxes of a group for arrows among them.
const LANES: f64 = 34.0;

/// Where a member is: module, then position.
type At = (usize, usize);

struct Edge {
    from: At,
    to: At,
    kind: String,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Group {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Group {
    /// The box of a member: left, right, middle.
    fn member(&self, index: usize) -> (f64, f64, f64) {
        let middle = self.y + TITLE + PAD / 2.0 + ROW * index_f(index) + ROW / 2.0;
        (self.x + PAD, self.x + self.width - PAD - LANES, middle)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture has less than 2^52 boxes")]
pub(super) fn index_f(index: usize) -> f64 {
    index as f64
}

/// Draws the graph.
pub(crate) fn svg(modules: &[Module]) -> String {
    let edges = edges(modules);
    let columns = columns(modules, &edges);
    let groups = place(modules, &columns);
    let width = groups.iter().map(|g| g.x + g.width).fold(0.0, f64::max) + MARGIN;
    let width = width.max(760.0);
    let bottom = groups.iter().map(|g| g.y + g.height).fold(0.0, f64::max);
    let height = bottom + 2.0 * MARGIN + 24.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', monospace\" font-size=\"12\">\n{DEFINITIONS}"
    );
    for (module, group) in modules.iter().zip(&groups) {
        frame(&mut out, module, group);
    }
    let mut router = Router::new(&columns, &groups);
    imports(&mut out, modules, &groups, &mut router);
    let mut lanes = HashMap::new();
    for edge in &edges {
        needs(&mut out, edge, &groups, &mut router, &mut lanes);
    }
    for (module, group) in modules.iter().zip(&groups) {
        // Above the arrows, with an edge of white around each letter.
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"bold\" paint-order=\"stroke\" stroke=\"#fff\" stroke-width=\"3\">{}</text>",
            group.x + PAD,
            group.y + 20.0,
            escape(&title(module)),
        );
        for (index, member) in module.members.iter().enumerate() {
            member_box(&mut out, module, member, group.member(index));
        }
    }
    legend(&mut out, bottom + MARGIN + 12.0);
    out + "</svg>\n"
}

const DEFINITIONS: &str = "<defs>\
<marker id=\"need\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" fill=\"#3b5b8c\"/></marker>\
<marker id=\"import\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" fill=\"#a0a0a0\"/></marker>\
</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";

/// Who provides a key. A key of a collection has several.
fn providers(modules: &[Module]) -> HashMap<&str, Vec<At>> {
    let mut found: HashMap<&str, Vec<At>> = HashMap::new();
    for (at, module) in modules.iter().enumerate() {
        for (index, member) in module.members.iter().enumerate() {
            for key in std::iter::once(&member.name).chain(&member.bound_to) {
                found.entry(key).or_default().push((at, index));
            }
        }
    }
    found
}

fn edges(modules: &[Module]) -> Vec<Edge> {
    let providers = providers(modules);
    let mut edges = vec![];
    for (at, module) in modules.iter().enumerate() {
        for (index, member) in module.members.iter().enumerate() {
            for Need { key, kind } in &member.needs {
                for to in providers.get(key.as_str()).into_iter().flatten() {
                    edges.push(Edge { from: (at, index), to: *to, kind: kind.clone() });
                }
            }
        }
    }
    edges
}

/// The columns from left to right: whoever imports or needs stands to the left.
fn columns(modules: &[Module], edges: &[Edge]) -> Vec<Vec<usize>> {
    let index: HashMap<&str, usize> =
        modules.iter().enumerate().map(|(at, module)| (module.name.as_str(), at)).collect();
    let mut below: Vec<BTreeSet<usize>> = modules
        .iter()
        .map(|m| m.imports.iter().filter_map(|name| index.get(name.as_str()).copied()).collect())
        .collect();
    for edge in edges.iter().filter(|edge| edge.from.0 != edge.to.0) {
        below[edge.from.0].insert(edge.to.0);
    }
    let mut level = vec![0; modules.len()];
    // As often as there are modules, so that a circle (of lazy needs) ends.
    for _ in 0..modules.len() {
        for from in 0..modules.len() {
            for &to in &below[from] {
                if level[to] <= level[from] && level[from] + 1 < modules.len() {
                    level[to] = level[from] + 1;
                }
            }
        }
    }
    let used: BTreeSet<usize> = level.iter().copied().collect();
    let mut columns: Vec<Vec<usize>> = used
        .iter()
        .map(|wanted| (0..modules.len()).filter(|at| level[*at] == *wanted).collect())
        .collect();
    // Near what they need: by the middle of their targets, from right to left.
    let mut height = vec![0.0; modules.len()];
    for column in columns.iter_mut().rev() {
        let middle = |at: &usize| {
            let targets = &below[*at];
            let sum: f64 = targets.iter().map(|to| height[*to]).sum();
            if targets.is_empty() { 0.0 } else { sum / index_f(targets.len()) }
        };
        column.sort_by(|a, b| middle(a).total_cmp(&middle(b)).then(a.cmp(b)));
        for (row, at) in column.iter().enumerate() {
            height[*at] = index_f(row);
        }
    }
    columns
}

fn label(member: &Member) -> String {
    let scope = if member.scope == "singleton" { "" } else { &member.scope };
    let space = if scope.is_empty() { "" } else { " : " };
    format!("{}{space}{scope}", short(&member.name))
}

fn title(module: &Module) -> String {
    let global = if module.global { " (global)" } else { "" };
    format!("{}{global}", short(&module.name))
}

fn place(modules: &[Module], columns: &[Vec<usize>]) -> Vec<Group> {
    let mut groups = vec![Group::default(); modules.len()];
    let size = |module: &Module| {
        let texts = module.members.iter().map(label).map(|text| text.chars().count() + 3);
        let longest = texts.chain([title(module).chars().count()]).max().unwrap_or(0);
        let rows = ROW * index_f(module.members.len());
        (index_f(longest) * CHAR + 2.0 * PAD + LANES, TITLE + rows + PAD)
    };
    let total = |column: &[usize]| {
        column.iter().map(|at| size(&modules[*at]).1 + GAP_Y).sum::<f64>() - GAP_Y
    };
    let tallest = columns.iter().map(|column| total(column)).fold(0.0, f64::max);
    let mut x = MARGIN;
    for column in columns {
        let width = column.iter().map(|at| size(&modules[*at]).0).fold(0.0, f64::max);
        let mut y = MARGIN + (tallest - total(column)) / 2.0;
        for at in column {
            let height = size(&modules[*at]).1;
            groups[*at] = Group { x, y, width, height };
            y += height + GAP_Y;
        }
        x += width + GAP_X;
    }
    groups
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn frame(out: &mut String, module: &Module, group: &Group) {
    let Group { x, y, width, height } = group;
    let fill = if module.global { "#fff8e8" } else { "#f4f6fa" };
    let _ = writeln!(
        out,
        "<g class=\"module\"><title>{}</title>\
         <rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\" fill=\"{fill}\" stroke=\"#8a93a6\"/></g>",
        escape(&module.name),
    );
}

fn imports(out: &mut String, modules: &[Module], groups: &[Group], router: &mut Router) {
    for (module, from) in modules.iter().zip(groups) {
        for import in &module.imports {
            let Some(at) = modules.iter().position(|other| other.name == *import) else { continue };
            let to = &groups[at];
            let (x1, y1) = (from.x + from.width, from.y + TITLE / 2.0);
            let (x2, y2) = (to.x, to.y + TITLE / 2.0);
            let path = router.way((x1, y1), (x2, y2));
            let _ = writeln!(
                out,
                "<path class=\"import\" d=\"{path}\" fill=\"none\" stroke=\"#a0a0a0\" stroke-dasharray=\"5 4\" marker-end=\"url(#import)\"/>"
            );
        }
    }
}

/// To the right: out of the right side, into the left one. Within a group or back:
/// around the right side, each arrow of a group in a lane of its own.
fn needs(
    out: &mut String,
    edge: &Edge,
    groups: &[Group],
    router: &mut Router,
    lanes: &mut HashMap<usize, usize>,
) {
    let (from, to) = (&groups[edge.from.0], &groups[edge.to.0]);
    let (_, x1, y1) = from.member(edge.from.1);
    let (left, right, y2) = to.member(edge.to.1);
    let path = if to.x > from.x {
        router.way((x1, y1), (left, y2))
    } else {
        let lane = lanes.entry(edge.from.0).or_insert(0);
        let side = x1.max(right) + 12.0 + 7.0 * index_f(*lane % 4);
        *lane += 1;
        // Arrows arrive a little below the middle, where none starts.
        let y2 = y2 + 4.0;
        format!("M{x1:.1} {y1:.1}L{side:.1} {y1:.1}L{side:.1} {y2:.1}L{right:.1} {y2:.1}")
    };
    let dashes =
        if edge.kind == "one" || edge.kind == "all" { "" } else { " stroke-dasharray=\"2 3\"" };
    let _ = writeln!(
        out,
        "<path class=\"need\" d=\"{path}\" fill=\"none\" stroke=\"#3b5b8c\" stroke-width=\"1.3\" stroke-linejoin=\"round\"{dashes} marker-end=\"url(#need)\"/>"
    );
}

fn member_box(out: &mut String, module: &Module, member: &Member, place: (f64, f64, f64)) {
    let (left, right, middle) = place;
    let fill = if member.kind == "controller" { "#dff0df" } else { "#dde8fb" };
    let is_exported =
        module.exports.iter().any(|key| *key == member.name || member.bound_to.contains(key));
    let stroke = if is_exported { "#1f3f7a\" stroke-width=\"2.2" } else { "#7f8fae" };
    let bound = if member.bound_to.is_empty() {
        String::new()
    } else {
        format!(", bound to {}", member.bound_to.join(", "))
    };
    let _ = writeln!(
        out,
        "<g class=\"{}\"><title>{}</title>\
         <rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BOX}\" rx=\"4\" fill=\"{fill}\" stroke=\"{stroke}\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        escape(&member.kind),
        escape(&format!("{} {}{bound}", member.kind, member.name)),
        middle - BOX / 2.0,
        right - left,
        left + 8.0,
        middle + 4.0,
        escape(&label(member)),
    );
}

fn legend(out: &mut String, y: f64) {
    let mut x = MARGIN;
    let mut text = |out: &mut String, mark: String, word: &str| {
        let _ = writeln!(
            out,
            "{mark}<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#555\">{word}</text>",
            x + 36.0,
            y + 4.0
        );
        x += 36.0 + index_f(word.chars().count()) * CHAR + 22.0;
        x
    };
    let swatch = |x: f64, style: &str| {
        format!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"28\" height=\"12\" rx=\"3\" {style}/>",
            y - 6.0
        )
    };
    let arrow =
        |x: f64, style: &str| format!("<path d=\"M{x:.1} {y:.1}h28\" fill=\"none\" {style}/>");
    let next = text(out, swatch(MARGIN, "fill=\"#dff0df\" stroke=\"#7f8fae\""), "controller");
    let next = text(out, swatch(next, "fill=\"#dde8fb\" stroke=\"#7f8fae\""), "provider");
    let next = text(
        out,
        swatch(next, "fill=\"#dde8fb\" stroke=\"#1f3f7a\" stroke-width=\"2.2\""),
        "exported",
    );
    let next = text(
        out,
        arrow(next, "stroke=\"#3b5b8c\" stroke-width=\"1.3\" marker-end=\"url(#need)\""),
        "needs",
    );
    let lazy = "stroke=\"#3b5b8c\" stroke-width=\"1.3\" stroke-dasharray=\"2 3\" marker-end=\"url(#need)\"";
    let next = text(out, arrow(next, lazy), "needs, optional or late");
    text(
        out,
        arrow(next, "stroke=\"#a0a0a0\" stroke-dasharray=\"5 4\" marker-end=\"url(#import)\""),
        "imports",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, imports: &[&str], members: &[(&str, &[(&str, &str)])]) -> Module {
        let needs = |needs: &[(&str, &str)]| {
            let need =
                |(key, kind): &(&str, &str)| Need { key: (*key).into(), kind: (*kind).into() };
            needs.iter().map(need).collect()
        };
        let member = |(name, list): &(&str, &[(&str, &str)])| Member {
            name: (*name).into(),
            kind: "provider".into(),
            scope: "request".into(),
            bound_to: vec!["dyn Port".into()],
            needs: needs(list),
        };
        Module {
            name: name.into(),
            imports: imports.iter().map(|import| (*import).into()).collect(),
            exports: vec![],
            global: false,
            members: members.iter().map(member).collect(),
        }
    }

    #[test]
    fn circles_end_and_names_are_escaped() {
        let modules = [
            module("a::A", &[], &[("a::Box<b::T>", &[("c::C", "lazy")])]),
            module("b::B", &["a::A"], &[("b::One", &[("dyn Port", "all"), ("nobody", "one")])]),
            module("c::C", &["b::B", "a::A"], &[("c::C", &[("a::Box<b::T>", "one")])]),
        ];
        let picture = svg(&modules);
        // One for the lazy need, three for the collection, one for the plain need.
        assert_eq!(picture.matches("class=\"need\"").count(), 5, "{picture}");
        assert_eq!(picture.matches("class=\"import\"").count(), 3, "{picture}");
        assert!(
            picture.contains("Box&lt;T&gt; : request") && !picture.contains("Box<"),
            "{picture}"
        );
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
        assert!(svg(&[]).ends_with("</svg>\n"));
    }
}

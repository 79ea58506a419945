//! Ways of arrows from column to column, through the gaps between groups.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::svg::Group;

/// How far from a group an arrow passes at least, and from the next one.
const CLEAR: f64 = 7.0;
const APART: f64 = 4.0;
/// Arrows in one gap that get a place of their own.
const PLACES: usize = 4;

struct Column {
    left: f64,
    right: f64,
    /// Tops and bottoms, downwards.
    groups: Vec<(f64, f64)>,
}

/// Finds ways around groups.
pub(super) struct Router {
    columns: Vec<Column>,
    /// How many arrows passed a gap: column, then gap.
    passed: HashMap<(usize, usize), usize>,
}

impl Router {
    pub(super) fn new(columns: &[Vec<usize>], groups: &[Group]) -> Self {
        let column = |members: &Vec<usize>| {
            let groups: Vec<&Group> = members.iter().map(|at| &groups[*at]).collect();
            Column {
                left: groups.iter().map(|g| g.x).fold(f64::MAX, f64::min),
                right: groups.iter().map(|g| g.x + g.width).fold(0.0, f64::max),
                groups: groups.iter().map(|g| (g.y, g.y + g.height)).collect(),
            }
        };
        Self { columns: columns.iter().map(column).collect(), passed: HashMap::new() }
    }

    /// The way from one point to another on its right, as path data.
    pub(super) fn way(&mut self, from: (f64, f64), to: (f64, f64)) -> String {
        let mut path = format!("M{:.1} {:.1}", from.0, from.1);
        let mut at = from;
        for index in 0..self.columns.len() {
            let (left, right) = (self.columns[index].left, self.columns[index].right);
            if left <= from.0 || right >= to.0 {
                continue;
            }
            let share = ((left + right) / 2.0 - at.0) / (to.0 - at.0);
            let y = self.gap(index, at.1 + (to.1 - at.1) * share);
            bend(&mut path, at, (left, y));
            let _ = write!(path, "L{right:.1} {y:.1}");
            at = (right, y);
        }
        bend(&mut path, at, to);
        path
    }

    /// The height of the gap that is nearest to where an arrow would like to pass.
    fn gap(&mut self, index: usize, wish: f64) -> f64 {
        let groups = &self.columns[index].groups;
        let tops = groups.iter().map(|(top, _)| top - CLEAR).chain([f64::MAX]);
        let bottoms = [f64::MIN].into_iter().chain(groups.iter().map(|(_, bottom)| bottom + CLEAR));
        let gaps = bottoms.zip(tops).map(|(low, high)| wish.clamp(low, high.max(low)));
        let nearest =
            gaps.enumerate().min_by(|(_, a), (_, b)| (a - wish).abs().total_cmp(&(b - wish).abs()));
        let Some((gap, y)) = nearest else { return wish };
        let passed = self.passed.entry((index, gap)).or_insert(0);
        let place = super::svg::index_f(*passed % PLACES);
        *passed += 1;
        // Away from the group that the arrow avoids.
        if y < wish { y - APART * place } else { y + APART * place }
    }
}

fn bend(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    let by = (to.0 - from.0) * 0.5;
    let _ = write!(
        path,
        "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
        from.0 + by,
        from.1,
        to.0 - by,
        to.1,
        to.0,
        to.1
    );
}

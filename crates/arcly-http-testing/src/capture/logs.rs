//! What was captured, and questions about it.

use std::fmt;

use tracing::Level;

/// Named values of a line or a span, as text, in the order they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(&'static str, String)>);

impl Fields {
    pub(super) fn set(&mut self, name: &'static str, value: String) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(at).1)
    }

    /// A value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

/// One line of the log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogLine {
    /// How important.
    pub level: Level,
    /// Which module wrote it.
    pub target: String,
    /// Its text.
    pub message: String,
    /// Its own values.
    pub fields: Fields,
    /// The spans around it, the innermost first, with what they hold by now.
    pub spans: Vec<SpanLine>,
}

impl LogLine {
    /// A value of the line, or of the innermost span around it that has one:
    /// `line.field("trace_id")`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let around = || self.spans.iter().find_map(|span| span.fields.get(name));
        self.fields.get(name).or_else(around)
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5} {}", self.level, self.target)?;
        for span in self.spans.iter().rev() {
            write!(f, " {}{{{}}}", span.name, span.fields)?;
        }
        write!(f, ": {} {}", self.message, self.fields)
    }
}

/// One span.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SpanLine {
    /// Its name.
    pub name: String,
    /// How important.
    pub level: Level,
    /// Which module made it.
    pub target: String,
    /// Its values by now.
    pub fields: Fields,
    /// Name of the span around it.
    pub parent: Option<String>,
    /// Whether it is over.
    pub is_closed: bool,
}

impl fmt::Display for SpanLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.is_closed { "" } else { " (open)" };
        write!(f, "{:5} {} {}{{{}}}{open}", self.level, self.target, self.name, self.fields)
    }
}

/// Log lines, in order. Each question narrows them down; a failure shows what was
/// asked and what there was.
#[derive(Debug, Clone)]
pub struct Logs {
    all: Vec<LogLine>,
    chosen: Vec<usize>,
    asked: Vec<String>,
    forgotten: usize,
}

impl Logs {
    pub(super) fn new(all: Vec<LogLine>, forgotten: usize) -> Self {
        Self { chosen: (0..all.len()).collect(), all, asked: vec![], forgotten }
    }

    fn narrow(mut self, asked: String, keep: impl Fn(&LogLine) -> bool) -> Self {
        self.chosen.retain(|at| self.all.get(*at).is_some_and(&keep));
        self.asked.push(asked);
        self
    }

    /// Those of this level exactly.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn level(self, level: Level) -> Self {
        self.narrow(format!("level {level}"), |line| line.level == level)
    }

    /// Those of this level or a more important one.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn at_least(self, level: Level) -> Self {
        self.narrow(format!("level {level} or above"), |line| line.level <= level)
    }

    /// Those whose target begins like this: `shop::orders`.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn target(self, prefix: &str) -> Self {
        self.narrow(format!("target {prefix}"), |line| line.target.starts_with(prefix))
    }

    /// Those whose message has this in it.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn containing(self, text: &str) -> Self {
        self.narrow(format!("message with `{text}`"), |line| line.message.contains(text))
    }

    /// Those with this value, their own or of a span around them.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn with(self, field: &str, value: &str) -> Self {
        self.narrow(format!("{field}={value}"), |line| line.field(field) == Some(value))
    }

    /// The lines that are left.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &LogLine> {
        self.chosen.iter().map(|at| &self.all[*at])
    }

    /// How many are left.
    #[must_use]
    pub fn count(&self) -> usize {
        self.chosen.len()
    }

    /// Goes on only with one line or more.
    ///
    /// # Panics
    /// With none.
    #[track_caller]
    pub fn expect_some(self) -> Self {
        assert!(self.count() > 0, "no log line{self}");
        self
    }

    /// The one line that is left.
    ///
    /// # Panics
    /// When there are none or several.
    #[track_caller]
    pub fn expect_one(self) -> LogLine {
        assert!(self.count() == 1, "{} log lines, expected one{self}", self.count());
        self.all[self.chosen[0]].clone()
    }

    /// Fails when a line is left.
    ///
    /// # Panics
    /// With one line or more.
    #[track_caller]
    pub fn expect_none(self) {
        assert!(self.count() == 0, "{} log lines, expected none{self}", self.count());
    }
}

/// What was asked, then every line; those that were chosen are marked.
impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.asked.is_empty() {
            write!(f, ": {}", self.asked.join(", "))?;
        }
        write!(f, "\nthe application wrote {} lines:", self.all.len())?;
        if self.forgotten > 0 {
            write!(f, "\n  ({} more before them are not kept)", self.forgotten)?;
        }
        let mut chosen = self.chosen.iter().peekable();
        for (at, line) in self.all.iter().enumerate() {
            let mark = if chosen.next_if_eq(&&at).is_some() { '>' } else { ' ' };
            write!(f, "\n{mark} {line}")?;
        }
        Ok(())
    }
}

/// Spans, in the order they were made.
#[derive(Debug, Clone)]
pub struct Spans {
    all: Vec<SpanLine>,
    chosen: Vec<usize>,
    asked: Vec<String>,
}

impl Spans {
    pub(super) fn new(all: Vec<SpanLine>) -> Self {
        Self { chosen: (0..all.len()).collect(), all, asked: vec![] }
    }

    fn narrow(mut self, asked: String, keep: impl Fn(&SpanLine) -> bool) -> Self {
        self.chosen.retain(|at| self.all.get(*at).is_some_and(&keep));
        self.asked.push(asked);
        self
    }

    /// Those of this name.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn named(self, name: &str) -> Self {
        self.narrow(format!("named {name}"), |span| span.name == name)
    }

    /// Those whose target begins like this.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn target(self, prefix: &str) -> Self {
        self.narrow(format!("target {prefix}"), |span| span.target.starts_with(prefix))
    }

    /// Those with this value.
    #[must_use = "ask something of what is left: `.expect_one()`"]
    pub fn with(self, field: &str, value: &str) -> Self {
        self.narrow(format!("{field}={value}"), |span| span.fields.get(field) == Some(value))
    }

    /// The spans that are left.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = &SpanLine> {
        self.chosen.iter().map(|at| &self.all[*at])
    }

    /// How many are left.
    #[must_use]
    pub fn count(&self) -> usize {
        self.chosen.len()
    }

    /// The one span that is left.
    ///
    /// # Panics
    /// When there are none or several.
    #[track_caller]
    pub fn expect_one(self) -> SpanLine {
        assert!(self.count() == 1, "{} spans, expected one{self}", self.count());
        self.all[self.chosen[0]].clone()
    }
}

/// What was asked, then every span; those that were chosen are marked.
impl fmt::Display for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.asked.is_empty() {
            write!(f, ": {}", self.asked.join(", "))?;
        }
        write!(f, "\nthe application made {} spans:", self.all.len())?;
        let mut chosen = self.chosen.iter().peekable();
        for (at, span) in self.all.iter().enumerate() {
            let mark = if chosen.next_if_eq(&&at).is_some() { '>' } else { ' ' };
            write!(f, "\n{mark} {span}")?;
        }
        Ok(())
    }
}

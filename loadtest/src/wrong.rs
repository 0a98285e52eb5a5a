//! What is wrong with a scenario: which key, on which line, and what to change.
use std::fmt;

/// What is wrong with a scenario: where, and what to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub key: String,
    pub line: Option<usize>,
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}, {}: {}", self.key, self.what),
            None => write!(f, "{}: {}", self.key, self.what),
        }
    }
}

impl std::error::Error for Wrong {}

/// What the format found wrong, and where.
pub fn of_toml(text: &str, key: &str, fault: &toml::de::Error) -> Wrong {
    let line = fault.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        before.matches('\n').count().saturating_add(1)
    });
    let named = line.and_then(|line| text.lines().nth(line.saturating_sub(1))?.split('=').next());
    let key = match key.strip_suffix('?') {
        // A key that is not known has no name yet.
        Some(table) => format!("{table}{}", named.unwrap_or("?").trim()),
        // Where the document itself is at fault there is no path.
        None if key == "." => "the file".to_owned(),
        None => key.to_owned(),
    };
    Wrong { key, line, what: fault.message().to_owned() }
}

/// The line on which a key stands, or the header of its table: for errors that only the whole shows.
pub fn line_of(text: &str, key: &str) -> Option<usize> {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let mut current = String::new();
    let mut header = None;
    for (number, line) in text.lines().enumerate() {
        let (line, number) = (line.trim(), number.saturating_add(1));
        if let Some(inner) = line.strip_prefix('[') {
            inner
                .trim_start_matches('[')
                .split(']')
                .next()
                .unwrap_or_default()
                .trim()
                .clone_into(&mut current);
            if current == table || current == key {
                header = Some(number);
            }
        } else if current == table && line.split('=').next().is_some_and(|left| left.trim() == name) {
            return Some(number);
        }
    }
    header
}

//! Finds what can grow in a source file: collections in structs and statics, channels, and crowds of futures.
//!
//! It reads lines, not syntax: enough for sources that `rustfmt` wrote. A list counts if the crate pushes to a field of
//! its name; maps, sets and queues always do. What is only passed along in a message is its channel's matter.

/// Types that hold as much as they are given.
const GROWS: [&str; 9] = [
    "VecDeque<",
    "HashMap<",
    "BTreeMap<",
    "BTreeSet<",
    "HashSet<",
    "BinaryHeap<",
    "LinkedList<",
    "FuturesUnordered<",
    "JoinSet<",
];
/// Types that do if they are pushed to.
const LISTS: [&str; 3] = ["Vec<", "String", "BytesMut"];
const PUSHES: [&str; 8] =
    ["push(", "push_str(", "push_back(", "extend(", "extend_from_slice(", "append(", "insert(", "resize("];

/// A crate's sources: each file's place and text.
pub type Sources = Vec<(String, String)>;

/// Everything in these sources that can grow, as `place Owner.field`.
pub fn things(sources: &Sources) -> Vec<String> {
    let aliases = aliases(sources);
    let mut found = Vec::new();
    for (place, text) in sources {
        let lines: Vec<&str> = product(text).collect();
        found.extend(fields(&lines).chain(singles(&lines)).filter_map(|(owner, field, kind)| {
            grows(&kind, &field, &aliases, sources).then(|| format!("{place} {owner}.{field}"))
        }));
        found.extend(lines.iter().filter_map(|line| channel(line)).map(|made| format!("{place} {made}")));
    }
    found.sort();
    found.dedup();
    found
}

/// The lines that are part of the product: no comments, no tests.
fn product(text: &str) -> impl Iterator<Item = &str> {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// Names that stand for a type that grows.
fn aliases(sources: &Sources) -> Vec<String> {
    let lines = sources.iter().flat_map(|(_, text)| product(text));
    lines
        .filter_map(|line| {
            line.trim_start().trim_start_matches("pub ").strip_prefix("type ")?.split_once(" = ")
        })
        .filter(|(_, kind)| GROWS.iter().any(|word| kind.starts_with(word)))
        .filter_map(|(name, _)| name.split('<').next())
        .map(str::to_owned)
        .collect()
}

/// The fields of the structs: owner, name, type.
fn fields(lines: &[&str]) -> impl Iterator<Item = (String, String, String)> {
    let mut found = Vec::new();
    let (mut owner, mut depth, mut field) = (None, 0, String::new());
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        match &owner {
            None if line.ends_with('{') => {
                owner = declared(line, "struct ");
                depth = indent;
            }
            Some(_) if indent == depth && line.trim_start().starts_with('}') => owner = None,
            Some(name) if !line.trim_start().starts_with('#') => {
                field.push_str(line.trim());
                if line.ends_with(',')
                    && let Some((field, kind)) = std::mem::take(&mut field).split_once(": ")
                {
                    found.push((name.clone(), last_word(field), kind.to_owned()));
                }
            }
            _ => {}
        }
    }
    found.into_iter()
}

/// Statics, and structs without names for their fields.
fn singles(lines: &[&str]) -> impl Iterator<Item = (String, String, String)> {
    lines.iter().filter_map(|line| {
        if let Some((name, kind)) = line.split_once("static ").and_then(|(_, rest)| rest.split_once(": ")) {
            let is_one = name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
            return is_one.then(|| ("static".to_owned(), name.to_owned(), kind.to_owned()));
        }
        let (before, kind) = line.strip_suffix(");")?.split_once('(')?;
        Some((declared(before, "struct ")?, "0".to_owned(), kind.to_owned()))
    })
}

fn declared(line: &str, word: &str) -> Option<String> {
    let (before, name) = line.split_once(word)?;
    let is_declaration = before.trim().is_empty() || before.trim().starts_with("pub");
    let name: String = name.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    is_declaration.then_some(name)
}

fn last_word(text: &str) -> String {
    text.rsplit(' ').next().unwrap_or_default().to_owned()
}

fn grows(kind: &str, field: &str, aliases: &[String], sources: &Sources) -> bool {
    let named =
        |alias: &String| kind.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == alias);
    if kind.starts_with('&') {
        return false;
    }
    let is_list = field != "0" && LISTS.iter().any(|word| kind.contains(word));
    GROWS.iter().any(|word| kind.contains(word))
        || aliases.iter().any(named)
        || (is_list && is_pushed_to(field, sources))
}

fn is_pushed_to(field: &str, sources: &Sources) -> bool {
    let borrowed = [')', ',', ';'].map(|end| format!("&mut self.{field}{end}"));
    let pushes = |text: &str| {
        text.match_indices(&format!(".{field}")).any(|(at, found)| {
            let rest = text[at + found.len()..].trim_start();
            let rest = rest.strip_prefix(".borrow_mut()").unwrap_or(rest);
            rest.strip_prefix('.').is_some_and(|rest| PUSHES.iter().any(|push| rest.starts_with(push)))
        })
    };
    sources.iter().any(|(_, text)| {
        let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
        pushes(&text[..end]) || borrowed.iter().any(|way| text[..end].contains(way))
    })
}

/// A channel or a crowd of futures that is made here.
fn channel(line: &str) -> Option<String> {
    let makes = [
        "mpsc::channel(",
        "sync_channel(",
        "unbounded_channel(",
        "broadcast::channel(",
        "FuturesUnordered::new(",
    ];
    let made = makes.iter().find_map(|made| line.split_once(made).map(|(_, rest)| (made, rest)))?;
    let (made, rest) = made;
    let (limit, _) = rest.split_once(')')?;
    let name = made.trim_start_matches("mpsc::").trim_end_matches('(');
    Some(format!("{name}({})", limit.trim_end_matches('(')))
}

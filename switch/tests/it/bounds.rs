//! Everything that can grow is on one page, with its limit and a test that shows what happens there: `docs/bounds.md`.
//!
//! The page is the table. What is in the sources and not on it fails here, and so does a line about something that is
//! gone, a line without a limit, and a line that names a test that does not exist. How things are found is `scan`'s.
mod scan;

use scan::{Sources, things};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Twins for tests and simulated people: no serving switch runs them.
const NOT_SERVING: [&str; 4] =
    ["actors/ports/memory.rs", "actors/ports/contract", "adapters/disk/simulated.rs", "adapters/players"];
/// But for the platform that `turnout sandbox` serves.
const SERVING: &str = "adapters/players/sandbox";

#[test]
fn everything_that_can_grow_has_a_line_on_the_page() {
    let (found, listed) = (found(), listed());
    let missing: Vec<_> = found.difference(&listed).collect();
    assert!(missing.is_empty(), "not in docs/bounds.md; give each a limit, a test and a line: {missing:#?}");
}

#[test]
fn no_line_is_about_something_that_is_gone() {
    let (found, listed) = (found(), listed());
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(gone.is_empty(), "in docs/bounds.md and no longer in the sources: {gone:#?}");
}

#[test]
fn every_limit_is_said_and_shown_by_a_test_that_exists() {
    let tests = tests();
    for row in rows().filter(|row| row.len() > 2) {
        let shown_by = row.last().unwrap().trim_matches('`');
        assert!(tests.contains(shown_by), "{}: there is no test {shown_by:?}", row[0]);
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?} has an empty cell");
    }
}

#[test]
fn no_line_is_there_twice() {
    let mut seen = BTreeSet::new();
    let twice: Vec<_> =
        rows().map(|row| row[0].clone()).filter(|thing| !seen.insert(thing.clone())).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn whatever_can_grow_is_found_and_what_cannot_is_not() {
    let file = r"
type Heap<T> = BinaryHeap<T>;
pub struct Room {
    /// A VecDeque<u8> in a comment.
    mail: RefCell<VecDeque<Envelope>>,
    sorted: Heap<u8>,
    pushed: Vec<u8>,
    whole: Vec<u8>,
    borrowed: &'static BTreeMap<u8, u8>,
    long: Mutex<
        HashMap<u8, u8>,
    >,
}
struct Pair(Mutex<BTreeSet<u8>>);
static KNOWN: Mutex<BTreeMap<u8, u8>> = Mutex::new(BTreeMap::new());
fn grow(room: &mut Room) {
    room.pushed.push(1);
    let (line, jobs) = mpsc::channel(MOST);
    let (one, answer) = oneshot::channel();
}
#[cfg(test)]
mod tests {
    struct Seen { all: HashSet<u8> }
}
";
    let found = things(&vec![("a.rs".to_owned(), file.to_owned())]);
    let expected =
        ["Pair.0", "Room.long", "Room.mail", "Room.pushed", "Room.sorted", "channel(MOST)", "static.KNOWN"];
    assert_eq!(found, expected.map(|thing| format!("a.rs {thing}")));
}

fn found() -> BTreeSet<String> {
    let crates = ["actors", "adapters", "switch"].map(|name| things(&sources(name)));
    let serves = |thing: &String| {
        thing.starts_with(SERVING) || !NOT_SERVING.iter().any(|place| thing.starts_with(place))
    };
    let found: BTreeSet<String> = crates.into_iter().flatten().filter(serves).collect();
    assert!(found.len() > 50, "the sources are no longer where this test looks for them");
    found
}

/// The things of the first and the last table: those that begin with a place in the sources.
fn listed() -> BTreeSet<String> {
    rows().filter_map(|row| Some(row[0].strip_prefix('`')?.strip_suffix('`')?.to_owned())).collect()
}

/// The page's lines, a cell for each column.
fn rows() -> impl Iterator<Item = Vec<String>> {
    let page = fs::read_to_string(root().join("docs/bounds.md")).expect("docs/bounds.md");
    let rows: Vec<Vec<String>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter(|line| !line.starts_with("thing |"))
        .map(|line| line.split(" | ").map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(rows.len() > 50, "docs/bounds.md no longer has its tables");
    rows.into_iter()
}

/// The sources of a crate, named without their `src`.
fn sources(name: &str) -> Sources {
    let folder = root().join(name).join("src");
    let mut sources = Vec::new();
    gather(&folder, &mut sources);
    let place = |path: &Path| format!("{name}/{}", path.strip_prefix(&folder).unwrap_or(path).display());
    sources.into_iter().map(|(path, text)| (place(&path), text)).collect()
}

/// The names of all tests.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for name in ["actors", "adapters", "switch"] {
        gather(&root().join(name), &mut files);
    }
    let after_attribute = |text: &str| -> Vec<String> {
        let parts: Vec<&str> = text.split("test]\n").skip(1).collect();
        parts
            .iter()
            .filter_map(|part| Some(part.split_once("fn ")?.1.split_once('(')?.0.to_owned()))
            .collect()
    };
    files.iter().flat_map(|(_, text)| after_attribute(text)).collect()
}

fn gather(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            gather(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap_or_default()));
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

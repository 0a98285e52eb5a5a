//! The house rules that a machine can see: headers, sizes, names, and a test for every requirement that is claimed.
//!
//! It reads the tree as text. A rule that somebody wants to break is changed here, with a reason, or not broken.
use std::path::{Path, PathBuf};

const FILE_MAX: usize = 600;
const FUNCTION_MAX: usize = 70;
const NAMES_THAT_SAY_NOTHING: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "manager"];
/// What this release claims: the on-site payment.
const REQUIREMENTS: [&str; 10] =
    ["os_1_", "os_2_", "os_3_", "os_4_", "os_5_", "os_6_", "os_7_", "os_8_", "os_9_", "os_10_"];

#[test]
fn every_file_opens_with_why_it_exists() {
    let bare: Vec<PathBuf> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(bare.is_empty(), "these files do not say why they exist: {bare:?}");
}

#[test]
fn no_file_and_no_function_outgrows_a_reader() {
    let mut large = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > FILE_MAX {
            large.push(format!("{}: {} lines", path.display(), lines.len()));
        }
        large.extend(long_functions(&lines).into_iter().map(|found| format!("{}: {found}", path.display())));
    }
    assert!(large.is_empty(), "find the missing noun: {large:#?}");
}

#[test]
fn a_function_that_outgrew_is_found() {
    let body: Vec<String> = std::iter::once("    pub async fn too_long() {".to_owned())
        .chain((0..FUNCTION_MAX).map(|n| format!("        step_{n}();")))
        .chain(std::iter::once("    }".to_owned()))
        .collect();
    let lines: Vec<&str> = body.iter().map(String::as_str).collect();
    assert_eq!(long_functions(&lines), ["too_long has 72 lines"]);
}

#[test]
fn no_file_is_named_for_nothing() {
    let empty: Vec<PathBuf> = sources()
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| {
            path.file_stem().is_some_and(|stem| NAMES_THAT_SAY_NOTHING.iter().any(|name| stem == *name))
        })
        .collect();
    assert!(empty.is_empty(), "a name that says nothing hides a missing noun: {empty:?}");
}

#[test]
fn every_claimed_requirement_has_a_story_that_names_it() {
    let tests: String =
        sources().into_iter().filter(|(path, _)| is_test(path)).map(|(_, text)| text).collect();
    let untold: Vec<&str> =
        REQUIREMENTS.into_iter().filter(|id| !tests.contains(&format!("fn {id}"))).collect();
    assert!(untold.is_empty(), "no story is named for {untold:?}");
}

#[test]
fn every_alarm_that_the_code_raises_is_in_the_runbook() {
    let runbook = std::fs::read_to_string(root().join("docs/runbook.md")).unwrap_or_default();
    let tally = std::fs::read_to_string(root().join("actors/src/payment_tally.rs")).unwrap_or_default();
    let names: Vec<&str> = tally
        .lines()
        .filter(|line| line.trim_start().starts_with("(Alarm::"))
        .filter_map(|line| line.split('"').nth(1))
        .collect();
    assert!(!names.is_empty(), "the alarms are no longer where this test looks for them");
    let missing: Vec<&&str> = names.iter().filter(|name| !runbook.contains(&format!("## {name}"))).collect();
    assert!(missing.is_empty(), "docs/runbook.md says nothing of {missing:?}");
}

#[test]
fn every_planted_bug_is_on_its_page_with_what_finds_it() {
    let list = std::fs::read_to_string(root().join("actors/src/planted.rs")).unwrap();
    let page = std::fs::read_to_string(root().join("docs/planted-bugs.md")).unwrap();
    let planted: Vec<&str> = list
        .lines()
        .filter_map(|line| line.trim().split_once(" = \"")?.1.split_once("\", \"I").map(|(name, _)| name))
        .collect();
    assert!(planted.len() >= 40, "{planted:?}");
    let missing: Vec<_> = planted.iter().filter(|name| !page.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "say in docs/planted-bugs.md what finds them: {missing:?}");
}

fn long_functions(lines: &[&str]) -> Vec<String> {
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line).filter(|_| has_a_body(&lines[start..])) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let length = lines.iter().skip(start).position(|line| *line == closing).map_or(0, |at| at + 1);
        if length > FUNCTION_MAX {
            long.push(format!("{name} has {length} lines"));
        }
    }
    long
}

/// A method that a trait only asks for ends with its signature.
fn has_a_body(from_signature: &[&str]) -> bool {
    let end =
        from_signature.iter().find(|line| line.ends_with('{') || line.ends_with('}') || line.ends_with(';'));
    end.is_some_and(|line| !line.ends_with(';'))
}

fn function_name(line: &str) -> Option<&str> {
    let words = line.trim_start();
    let before_fn = words.split("fn ").next()?;
    let is_function = before_fn
        .split_whitespace()
        .all(|word| matches!(word, "pub" | "const" | "async") || word.starts_with("pub("));
    let name = words.get(before_fn.len()..)?.strip_prefix("fn ")?;
    is_function.then(|| name.split(['(', '<']).next().unwrap_or(name))
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for member in ["actors", "adapters", "switch", "loadtest"] {
        gather(&root().join(member), &mut found);
    }
    assert!(found.len() > 100, "the sources are no longer where this test looks for them");
    found
}

fn gather(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != "node_modules" {
            gather(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            found.push((path, text));
        }
    }
}

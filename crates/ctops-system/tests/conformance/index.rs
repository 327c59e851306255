//! The index `docs/dev/conformance.md` names a test for every item of the contract's checklist.

use std::collections::BTreeSet;
use std::path::Path;

/// Numbered items of the checklist: for a server, and for an agent.
const ITEMS: [(&str, usize); 2] = [("B.1", 12), ("B.2", 11)];

/// What is wrong with the index, given how to read a file of the repository.
fn findings(index: &str, file: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for line in index.lines().filter(|line| line.starts_with("| B.")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [item, _, proofs] = cells[..] else {
            findings.push(format!("not three cells: {line}"));
            continue;
        };
        if !seen.insert(item.to_owned()) {
            findings.push(format!("{item} is there twice"));
        }
        // A path, and after it the tests that are in that file.
        let (paths, tests): (Vec<_>, Vec<_>) = quoted(proofs).partition(|(_, name)| name.contains('/'));
        if tests.is_empty() {
            findings.push(format!("{item} names no test"));
        }
        for (place, test) in tests {
            let path = paths.iter().rfind(|(at, _)| *at < place).map_or("", |(_, path)| path);
            let text = file(path).unwrap_or_default();
            if !text.contains(&format!("fn {test}(")) && !text.contains(&format!("    {test} => \"")) {
                findings.push(format!("{item}: there is no test {test} in {path:?}"));
            }
        }
    }
    for (part, count) in ITEMS {
        let missing =
            (1..=count).map(|number| format!("{part} {number}")).filter(|item| !seen.contains(item));
        findings.extend(missing.map(|item| format!("{item} is missing")));
    }
    findings
}

/// What stands between back quotes, with its number.
fn quoted(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split('`').enumerate().filter(|(at, _)| at % 2 == 1)
}

#[test]
fn index_when_read_then_names_an_existing_test_for_every_item() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let index = read("docs/dev/conformance.md").expect("the index exists");
    assert_eq!(findings(&index, read), Vec::<String>::new());
}

#[test]
fn index_when_a_test_is_gone_or_an_item_is_missing_then_says_so() {
    let index = "| B.1 1 | x | `a/b.rs`: `there`, `gone`; `a/c.rs`: `there` |\n| B.1 2 | x | nothing |\n";
    let found = findings(index, |path| (path == "a/b.rs").then(|| "async fn there() {".to_owned()));
    assert_eq!(found[0], "B.1 1: there is no test gone in \"a/b.rs\"");
    assert_eq!(found[1], "B.1 1: there is no test there in \"a/c.rs\"");
    assert!(found.contains(&"B.1 2 names no test".to_owned()));
    assert!(found.contains(&"B.2 11 is missing".to_owned()));
    assert_eq!(found.len(), 3 + 10 + 11);
}

//! Documents tell the truth about the tree: every crate is on the map, every path they name exists.

use anyhow::Result;

use super::Source;
use crate::root;

pub(super) fn check(sources: &[Source]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let map = sources.iter().find(|s| s.path == "ARCHITECTURE.md").map_or("", |s| s.text.as_str());
    for entry in std::fs::read_dir(root().join("crates"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !map.contains(&name) {
            findings
                .push(format!("ARCHITECTURE.md does not mention crates/{name}; add a sentence to the map"));
        }
    }
    for source in
        sources.iter().filter(|s| s.path.ends_with(".md") && !s.path.starts_with("web/node_modules"))
    {
        for word in source.text.split('`').skip(1).step_by(2) {
            if is_path(word) && !root().join(word.trim_end_matches('/')).exists() {
                findings.push(format!("{} names {word}, which does not exist", source.path));
            }
        }
    }
    for source in sources.iter().filter(|s| s.path.ends_with(".rs") && is_front_page(&s.path)) {
        if !source.text.starts_with("//!") {
            findings
                .push(format!("{} has no front page; begin it with //! and what the module is", source.path));
        }
    }
    Ok(findings)
}

fn is_path(word: &str) -> bool {
    let roots = ["crates/", "web/", "db/", "docs/", "proto/", "xtask/", "deploy/", "api/", "fuzz/"];
    roots.iter().any(|root| word.starts_with(root))
        && !word.contains(['<', '*', ' ', '{', '…'])
        && !["web/dist", "docs/site"].iter().any(|built| word.starts_with(built))
}

fn is_front_page(path: &str) -> bool {
    !path.contains("/tests/")
        && !path.contains("_tests/")
        && (path.ends_with("/lib.rs") || path.ends_with("/main.rs") || path.ends_with("/mod.rs"))
}

//! Words: names that say nothing, spellings that are not ours, and marks of unfinished work.

use super::Source;

/// File and folder names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "common", "manager", "misc"];
/// Wrong spelling and the glossary's.
const SPELLINGS: [(&str, &str); 3] =
    [("enrollment", "enrolment"), ("organization", "organisation"), ("licence key file", "licence key")];
/// Product nouns that foundation crates must not know.
const PRODUCT_NOUNS: [&str; 3] = ["enrolment", "hosts.read", "heartbeat"];

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources {
        let stem = source.path.rsplit('/').next().unwrap_or_default().split('.').next().unwrap_or_default();
        if EMPTY_NAMES.contains(&stem.to_lowercase().as_str()) {
            findings.push(format!("{} is named for nothing; name what it holds", source.path));
        }
        let is_rule = source.path.starts_with("xtask/src/tidy");
        let ours =
            source.path.ends_with(".rs") || source.path.ends_with(".md") || source.path.ends_with(".tsx");
        if is_rule || !ours {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            findings.extend(line_findings(source, number + 1, line));
        }
    }
    findings.extend(foundation(sources));
    findings
}

fn line_findings(source: &Source, number: usize, line: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lower = line.to_lowercase();
    for (wrong, right) in SPELLINGS {
        // The HTML standard spells its autofill names its own way, LDAP its object classes (RFC 4519).
        let of_a_standard = lower.contains("autocomplete") || lower.contains("objectclass:");
        if lower.contains(wrong) && !of_a_standard {
            findings.push(format!("{}:{number} says {wrong:?}; the word is {right:?}", source.path));
        }
    }
    let marks = ["TODO", "FIXME", "XXX"];
    if marks.iter().any(|mark| line.contains(&format!("{mark}:")) || line.contains(&format!("{mark} "))) {
        findings.push(format!(
            "{}:{number} is a mark of unfinished work; finish it or file an issue",
            source.path
        ));
    }
    findings
}

/// `ctops-base` and `ctops-slice` must stay free of product nouns, but for the codes that the API and the audit log fix.
fn foundation(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|s| {
            s.path.starts_with("crates/ctops-base/src") || s.path.starts_with("crates/ctops-slice/src")
        })
        .filter_map(|source| {
            if source.path.ends_with("/audit/catalogue.rs") {
                return None;
            }
            let text = source.text.replace("mfa_enrolment_required", "");
            let noun = PRODUCT_NOUNS.iter().find(|noun| text.contains(*noun))?;
            Some(format!("{} knows the product noun {noun:?}; foundation crates must not", source.path))
        })
        .collect()
}

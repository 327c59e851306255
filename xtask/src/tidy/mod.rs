//! Structure rules. Each failure is a sentence that says what to do.

mod dependencies;
mod documents;
mod sizes;
mod tables;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::root;

/// A file of the repository.
pub(crate) struct Source {
    /// Path below the repository.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// Runs every rule.
pub(crate) fn check() -> Result<()> {
    let sources = sources()?;
    let mut findings = Vec::new();
    findings.extend(dependencies::check()?);
    findings.extend(sizes::check(&sources));
    findings.extend(words::check(&sources));
    findings.extend(tables::check(&sources));
    findings.extend(documents::check(&sources)?);
    if findings.is_empty() {
        eprintln!("tidy: {} files in order", sources.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    bail!("{} findings", findings.len())
}

/// Text files of the repository, without what is built or fetched.
fn sources() -> Result<Vec<Source>> {
    let mut found = Vec::new();
    walk(&root(), &root(), &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) -> Result<()> {
    const SKIPPED: [&str; 9] = [
        "target",
        "node_modules",
        "dist",
        "site",
        ".git",
        ".cache",
        ".run",
        "test-results",
        "playwright-report",
    ];
    const KINDS: [&str; 12] =
        ["rs", "ts", "tsx", "css", "md", "sql", "toml", "proto", "json", "yaml", "service", "html"];
    for entry in std::fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, found)?;
            }
        } else if path.extension().is_some_and(|e| KINDS.contains(&e.to_string_lossy().as_ref())) {
            let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.push(Source { path: below, text: std::fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! Which crate may depend on which (ARCHITECTURE.md, "Dependency direction").

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{command, output};
use crate::root;

/// Crate and the crates of ours it may use in product code.
const ALLOWED: [(&str, &[&str]); 26] = [
    ("ctops-base", &[]),
    ("ctops-config", &[]),
    ("ctops-telemetry", &[]),
    ("ctops-proto", &[]),
    ("ctops-crypto", &["ctops-base"]),
    ("ctops-pg", &["ctops-base"]),
    ("ctops-queue", &["ctops-base", "ctops-pg"]),
    ("ctops-egress", &["ctops-base", "ctops-pg"]),
    ("ctops-licence", &[]),
    ("ctops-issuer", &["ctops-licence"]),
    (
        "ctops-licensing",
        &["ctops-base", "ctops-crypto", "ctops-egress", "ctops-licence", "ctops-pg", "ctops-slice"],
    ),
    (
        "ctops-slice",
        &[
            "ctops-base",
            "ctops-crypto",
            "ctops-egress",
            "ctops-licence",
            "ctops-pg",
            "ctops-proto",
            "ctops-queue",
        ],
    ),
    ("ctops-identity", &["ctops-base", "ctops-crypto", "ctops-pg", "ctops-slice"]),
    (
        "ctops-directory",
        &["ctops-base", "ctops-crypto", "ctops-egress", "ctops-identity", "ctops-pg", "ctops-slice"],
    ),
    (
        "ctops-fleet",
        &[
            "ctops-base",
            "ctops-crypto",
            "ctops-identity",
            "ctops-pg",
            "ctops-proto",
            "ctops-queue",
            "ctops-slice",
        ],
    ),
    (
        "ctops-monitoring",
        &["ctops-base", "ctops-crypto", "ctops-pg", "ctops-proto", "ctops-queue", "ctops-slice"],
    ),
    ("ctops-settings", &["ctops-base", "ctops-crypto", "ctops-egress", "ctops-pg", "ctops-slice"]),
    (
        "ctops-ingest",
        &[
            "ctops-base",
            "ctops-crypto",
            "ctops-fleet",
            "ctops-pg",
            "ctops-proto",
            "ctops-queue",
            "ctops-slice",
        ],
    ),
    (
        "ctops-server",
        &[
            "ctops-audit",
            "ctops-federation",
            "ctops-base",
            "ctops-config",
            "ctops-crypto",
            "ctops-directory",
            "ctops-egress",
            "ctops-fleet",
            "ctops-identity",
            "ctops-ingest",
            "ctops-licence",
            "ctops-licensing",
            "ctops-monitoring",
            "ctops-pg",
            "ctops-proto",
            "ctops-queue",
            "ctops-settings",
            "ctops-slice",
            "ctops-telemetry",
        ],
    ),
    (
        "ctops-federation",
        &["ctops-base", "ctops-crypto", "ctops-egress", "ctops-identity", "ctops-pg", "ctops-slice"],
    ),
    ("ctops-audit", &["ctops-base", "ctops-crypto", "ctops-egress", "ctops-pg", "ctops-slice"]),
    ("ctops-agent", &["ctops-base", "ctops-proto"]),
    ("ctops-loadtest", &["ctops-agent", "ctops-base", "ctops-proto"]),
    ("ctops-testkit", &["ctops-base", "ctops-pg"]),
    ("ctops-system", &["ctops-testkit", "ctops-pg"]),
    ("xtask", &[]),
];

/// Crate, and crates it must not reach, directly or not.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("ctops-agent", &["sqlx", "axum", "aws-lc-rs", "ctops-slice"]),
    ("ctops-loadtest", &["sqlx", "axum"]),
    ("ctops-base", &["tokio", "sqlx", "axum"]),
    ("ctops-fleet", &["ctops-ingest"]),
];

pub(super) fn check() -> Result<Vec<String>> {
    let text = output(&mut command(&root(), "cargo", &["metadata", "--format-version=1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata")?;
    let mut findings = Vec::new();
    for (name, dependencies) in own_dependencies(&metadata) {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            findings.push(format!(
                "crate {name} is not in the dependency rules; add it to xtask/src/tidy/dependencies.rs"
            ));
            continue;
        };
        for dependency in dependencies.iter().filter(|d| !allowed.contains(&d.as_str())) {
            findings.push(format!("{name} must not depend on {dependency}; arrows go downwards only"));
        }
    }
    for (name, forbidden) in FORBIDDEN {
        let reached = reached(name)?;
        for wrong in forbidden.iter().filter(|wrong| reached.contains(**wrong)) {
            findings.push(format!("{name} reaches {wrong}, which it must stay free of"));
        }
    }
    Ok(findings)
}

/// Our crates and those of ours that they declare as normal dependencies.
fn own_dependencies(metadata: &Value) -> BTreeMap<String, Vec<String>> {
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    packages
        .iter()
        .filter(|package| package["source"].is_null())
        .map(|package| {
            let dependencies = package["dependencies"].as_array().cloned().unwrap_or_default();
            let ours = dependencies
                .iter()
                .filter(|d| d["kind"].is_null() && d["source"].is_null())
                .map(|d| text(&d["name"]))
                .collect();
            (text(&package["name"]), ours)
        })
        .collect()
}

/// Everything a crate links, on this machine's platform, with its own features only.
fn reached(name: &str) -> Result<BTreeSet<String>> {
    let words = ["tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = output(&mut command(&root(), "cargo", &words))?;
    Ok(tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

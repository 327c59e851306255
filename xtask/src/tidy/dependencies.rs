//! Which crate may depend on which (ARCHITECTURE.md, "Dependency direction").

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process::{command, output};
use crate::root;

/// Crate and the crates of ours it may use in product code.
const ALLOWED: [(&str, &[&str]); 17] = [
    ("ctops-base", &[]),
    ("ctops-config", &[]),
    ("ctops-telemetry", &[]),
    ("ctops-proto", &[]),
    ("ctops-crypto", &["ctops-base"]),
    ("ctops-pg", &["ctops-base"]),
    ("ctops-queue", &["ctops-base", "ctops-pg"]),
    ("ctops-slice", &["ctops-base", "ctops-pg", "ctops-queue"]),
    ("ctops-identity", &["ctops-base", "ctops-crypto", "ctops-pg", "ctops-slice"]),
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
            "ctops-base",
            "ctops-config",
            "ctops-crypto",
            "ctops-fleet",
            "ctops-identity",
            "ctops-ingest",
            "ctops-pg",
            "ctops-proto",
            "ctops-queue",
            "ctops-slice",
            "ctops-telemetry",
        ],
    ),
    ("ctops-agent", &["ctops-proto"]),
    ("ctops-loadtest", &["ctops-proto"]),
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
    let names = names(&metadata);
    let graph = graph(&metadata, &names);
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
        let reached = reach(&graph, name);
        for wrong in forbidden.iter().filter(|wrong| reached.contains(**wrong)) {
            findings.push(format!("{name} reaches {wrong}, which it must stay free of"));
        }
    }
    Ok(findings)
}

fn names(metadata: &Value) -> BTreeMap<String, String> {
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    packages.iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect()
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

/// Normal dependencies of every package, by name.
fn graph(metadata: &Value, names: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let nodes = metadata["resolve"]["nodes"].as_array().cloned().unwrap_or_default();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in &nodes {
        let Some(name) = names.get(&text(&node["id"])) else { continue };
        for dependency in node["deps"].as_array().cloned().unwrap_or_default() {
            let kinds = dependency["dep_kinds"].as_array().cloned().unwrap_or_default();
            if kinds.iter().any(|kind| kind["kind"].is_null())
                && let Some(target) = names.get(&text(&dependency["pkg"]))
            {
                graph.entry(name.clone()).or_default().insert(target.clone());
            }
        }
    }
    graph
}

fn reach(graph: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        for next in graph.get(&name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

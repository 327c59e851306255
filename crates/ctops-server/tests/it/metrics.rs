//! The reference of metrics is made from their descriptions, and no metric goes without one.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ctops_server::assembly::describe_metrics;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::committed::{compare, repository};

/// Programs whose metrics are not the server's.
const OTHER_PROGRAMS: [&str; 4] = ["ctops-agent", "ctops-loadtest", "ctops-testkit", "ctops-system"];

/// Collects descriptions: kind, unit and text by name.
#[derive(Default)]
struct Described(Mutex<BTreeMap<String, (&'static str, &'static str, String)>>);

impl Described {
    fn add(&self, kind: &'static str, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        let unit = unit.map_or("", |unit| unit.as_str());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.insert(name.as_str().to_owned(), (kind, unit, text.to_string()));
        assert!(before.is_none(), "{} is described twice", name.as_str());
    }

    fn all() -> BTreeMap<String, (&'static str, &'static str, String)> {
        let described = Self::default();
        metrics::with_local_recorder(&described, describe_metrics);
        described.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder for Described {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.add("counter", &name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.add("gauge", &name, unit, &text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.add("histogram", &name, unit, &text);
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn committed_metrics_reference_names_every_metric() {
    let mut text = String::from(
        "# Metrics\n\nGenerated from the program; do not edit. Every process shows its own at `/metrics/internal`, in the \
         Prometheus text format, to callers on the same machine only.\n\n| Metric | Kind | Unit | What it counts |\n\
         |---|---|---|---|\n",
    );
    for (name, (kind, unit, about)) in Described::all() {
        writeln!(text, "| `{name}` | {kind} | {unit} | {about} |").unwrap();
    }
    compare("docs/reference/metrics.md", &text);
}

#[test]
fn every_metric_that_is_recorded_is_described_with_its_kind() {
    let described = Described::all();
    let mut used = 0;
    for entry in std::fs::read_dir(repository().join("crates")).unwrap() {
        let krate = entry.unwrap().path();
        if OTHER_PROGRAMS.contains(&krate.file_name().unwrap().to_str().unwrap()) {
            continue;
        }
        let sources = sources(&krate.join("src"));
        let names = names(&sources);
        for (path, kind, argument) in sources.iter().flat_map(|(path, text)| recorded(path, text)) {
            let constant = argument.rsplit("::").next().unwrap_or(argument);
            let at = format!("{}: {kind}!({argument})", path.display());
            let name = names.get(constant).unwrap_or_else(|| panic!("{at} does not name a constant"));
            let (as_kind, _, about) =
                described.get(*name).unwrap_or_else(|| panic!("{at}: {name} is not described"));
            assert_eq!(*as_kind, kind, "{at}: {name}");
            assert!(!about.is_empty() && name.starts_with("ctops_"), "{at}: {name}");
            used += 1;
        }
    }
    assert!(used > 20, "only {used} places were found; does the search still work?");
}

pub(crate) fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// Text constants of a crate by their names.
fn names(sources: &[(PathBuf, String)]) -> BTreeMap<&str, &str> {
    let lines = sources.iter().flat_map(|(_, text)| text.lines());
    let constant = |line: &'_ str| -> Option<(usize, usize)> {
        let start = line.find("const ")? + "const ".len();
        Some((start, start + line[start..].find(": &str = \"")?))
    };
    lines
        .filter_map(|line| {
            let (start, end) = constant(line)?;
            Some((&line[start..end], line[end..].split('"').nth(1)?))
        })
        .collect()
}

/// Kind and first argument of every macro that records a metric.
fn recorded<'a>(path: &'a Path, text: &'a str) -> Vec<(&'a Path, &'static str, &'a str)> {
    let mut found = Vec::new();
    for kind in ["counter", "gauge", "histogram"] {
        let call = format!("{kind}!(");
        for (at, _) in text.match_indices(&call) {
            if text[..at].ends_with("describe_") {
                continue;
            }
            let argument = text[at + call.len()..].split([',', ')']).next().unwrap_or_default();
            found.push((path, kind, argument.trim()));
        }
    }
    found
}

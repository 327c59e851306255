//! The figures, against their budgets: as a table and as `docs/dev/bench/latest.json`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process::{command, output};
use crate::root;

/// Where the table stands in the document.
const TABLE_BEGIN: &str = "<!-- results: written by make bench -->\n";
const TABLE_END: &str = "<!-- end of results -->";

/// One figure.
struct Row {
    id: &'static str,
    what: String,
    measured: f64,
    unit: &'static str,
    budget: Option<Budget>,
}

/// What a figure may be.
#[derive(Clone, Copy)]
pub(super) enum Budget {
    AtLeast(f64),
    AtMost(f64),
}

impl Budget {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::AtLeast(bound) => measured >= bound,
            Self::AtMost(bound) => measured <= bound,
        }
    }
}

/// Everything measured so far.
pub(super) struct Report {
    machine: Value,
    rows: Vec<Row>,
}

impl Report {
    /// An empty report of this machine as it is now.
    pub(super) fn begin() -> Result<Self> {
        Ok(Self { machine: machine()?, rows: Vec::new() })
    }

    /// Adds a figure that has a budget.
    pub(super) fn budget(
        &mut self,
        id: &'static str,
        what: &str,
        measured: f64,
        unit: &'static str,
        budget: Budget,
    ) {
        self.push(Row { id, what: what.to_owned(), measured, unit, budget: Some(budget) });
    }

    /// Adds a figure that explains others.
    pub(super) fn figure(&mut self, id: &'static str, what: &str, measured: f64, unit: &'static str) {
        self.push(Row { id, what: what.to_owned(), measured, unit, budget: None });
    }

    fn push(&mut self, row: Row) {
        eprintln!("   {}: {} {}", row.what, number(row.measured), row.unit);
        self.rows.push(row);
    }

    /// The table as Markdown, which also reads well on a terminal.
    pub(super) fn text(&self) -> String {
        let mut table = String::from("| What | Budget | Measured | Met |\n|---|---|---|---|\n");
        for row in &self.rows {
            let (budget, met) = match row.budget {
                None => (String::new(), ""),
                Some(budget) => {
                    let bound = match budget {
                        Budget::AtLeast(bound) => format!("≥ {}", number(bound)),
                        Budget::AtMost(bound) => format!("≤ {}", number(bound)),
                    };
                    (
                        format!("{bound} {}", row.unit),
                        if budget.is_met(row.measured) { "yes" } else { "**no**" },
                    )
                }
            };
            let measured = number(row.measured);
            // Writing to a string does not fail.
            let _ = writeln!(table, "| {} | {budget} | {measured} {} | {met} |", row.what, row.unit);
        }
        table
    }

    /// Writes the result file and the table in the document.
    pub(super) fn record(&self) -> Result<()> {
        let rows: Vec<Value> = self.rows.iter().map(json_of).collect();
        let file = root().join("docs/dev/bench/latest.json");
        let document = json!({ "machine": self.machine, "figures": rows });
        fs::create_dir_all(file.parent().context("the file has a folder")?)?;
        fs::write(&file, serde_json::to_string_pretty(&document)? + "\n")
            .context("writing the result file")?;
        let page = root().join("docs/dev/performance.md");
        let text = fs::read_to_string(&page)?;
        let (head, rest) = text.split_once(TABLE_BEGIN).context("no place for the table in the document")?;
        let (_, tail) = rest.split_once(TABLE_END).context("no end of the table in the document")?;
        let about = self.about();
        fs::write(&page, format!("{head}{TABLE_BEGIN}\n{about}\n\n{}\n{TABLE_END}{tail}", self.text()))?;
        eprintln!("recorded in {}", file.display());
        Ok(())
    }

    fn about(&self) -> String {
        let text = |name: &str| {
            self.machine[name].as_str().map_or_else(|| self.machine[name].to_string(), str::to_owned)
        };
        format!(
            "{}, commit {}: {} cores ({}), {} GB of memory, Linux {}, load average {} before the run.",
            text("date"),
            text("commit"),
            text("cores"),
            text("processor"),
            text("memory_gb"),
            text("kernel"),
            text("load_before")
        )
    }
}

fn json_of(row: &Row) -> Value {
    let budget = match row.budget {
        None => Value::Null,
        Some(Budget::AtLeast(bound)) => json!({ "at_least": bound }),
        Some(Budget::AtMost(bound)) => json!({ "at_most": bound }),
    };
    json!({
        "id": row.id,
        "what": row.what,
        "unit": row.unit,
        "measured": (row.measured * 10_000.0).round() / 10_000.0,
        "budget": budget,
        "met": row.budget.map(|budget| budget.is_met(row.measured)),
    })
}

/// Three significant digits, whole numbers with thousands apart.
fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        let decimals = if value == value.trunc() {
            0
        } else if value.abs() < 1.0 {
            3
        } else if value.abs() < 10.0 {
            2
        } else {
            1
        };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What the figures depend on.
fn machine() -> Result<Value> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let kilobytes: f64 = memory.split_whitespace().nth(1).unwrap_or_default().parse().unwrap_or(0.0);
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let git = |args: &[&str]| output(&mut command(&root(), "git", args)).unwrap_or_default();
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty();
    let commit = git(&["rev-parse", "--short", "HEAD"]);
    Ok(json!({
        "date": output(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?,
        "commit": if changed { format!("{commit} with changes") } else { commit },
        "cores": std::thread::available_parallelism()?.get(),
        "processor": model.trim_start_matches(['\t', ' ', ':']).trim(),
        "memory_gb": (kilobytes / 1024.0 / 1024.0).round(),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load_before": read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_when_written_then_have_three_digits_and_groups() {
        let cases = [
            (0.0123, "0.012"),
            (2.0, "2"),
            (2.345, "2.35"),
            (23.45, "23.4"),
            (123.4, "123"),
            (1_234_567.0, "1,234,567"),
        ];
        for (value, wanted) in cases {
            assert_eq!(number(value), wanted);
        }
    }

    #[test]
    fn table_when_a_budget_is_missed_then_says_so() {
        let mut report = Report { machine: json!({}), rows: Vec::new() };
        report.budget("rate", "Rate", 9_000.0, "/s", Budget::AtLeast(10_000.0));
        report.budget("size", "Size", 4.0, "MB", Budget::AtMost(5.0));
        report.figure("other", "Other", 1.0, "s");
        let text = report.text();
        assert!(text.contains("| Rate | ≥ 10,000 /s | 9,000 /s | **no** |"), "{text}");
        assert!(text.contains("| Size | ≤ 5 MB | 4 MB | yes |"), "{text}");
        assert!(text.contains("| Other |  | 1 s |  |"), "{text}");
    }
}
